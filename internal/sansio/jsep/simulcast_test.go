package jsep

import (
	"slices"
	"testing"
)

func layers(list []Encoding) (ids []string) {
	for _, e := range list {
		ids = append(ids, e.RID)
	}
	return ids
}

// W3C: an answer that refuses layers, or simulcast, leaves what remains of the encodings; they keep their sources.
func TestRefusedLayers(t *testing.T) {
	for _, tc := range []struct {
		name, old, new string
		left, named    []string // in the transceiver, and in the section
	}{
		{"none", "", "", []string{"hi", "mid", "lo"}, []string{"hi", "mid", "lo"}},
		{"one", "recv hi;mid;lo", "recv hi;lo", []string{"hi", "lo"}, []string{"hi", "lo"}},
		{"two", "recv hi;mid;lo", "recv mid", []string{"mid"}, []string{"mid"}},
		{"paused", "recv hi;mid;lo", "recv hi;~mid;lo", []string{"hi", "mid", "lo"}, []string{"hi", "mid", "lo"}},
		{"by its a=rid", "a=rid:mid recv\r\n", "", []string{"hi", "lo"}, []string{"hi", "lo"}},
		{"simulcast", "a=simulcast:recv hi;mid;lo\r\n", "", []string{"hi"}, []string{""}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a, b := pair(t)
			id := addTransceiver(t, a, TransceiverInit{
				Kind: Video, Direction: SendOnly, HasTrack: true, Track: "cam", Encodings: []Encoding{{RID: "hi"}, {RID: "mid"}, {RID: "lo"}},
			})
			before := show(t, a, id).Encodings
			setLocal(t, a, Description{})
			offer, _ := a.Local()
			setRemote(t, b, offer)
			setLocal(t, b, Description{})
			answer, _ := b.Local()
			if tc.old != "" {
				answer.SDP = edit(t, answer.SDP, tc.old, tc.new)
			}
			c := setRemote(t, a, answer)
			after := show(t, a, id).Encodings
			if !slices.Equal(layers(after), tc.left) || !slices.Equal(layers(c.Media[0].Encodings), tc.named) {
				t.Fatalf("left %v, named %v", layers(after), layers(c.Media[0].Encodings))
			}
			for i, e := range after {
				was := slices.IndexFunc(before, func(o Encoding) bool { return o.RID == e.RID })
				if before[was].SSRC != e.SSRC || before[was].RTX != e.RTX || c.Media[0].Encodings[i].SSRC != e.SSRC {
					t.Errorf("encoding %q has other sources", e.RID)
				}
			}
			// What is named goes on being named.
			if len(tc.named) > 1 || tc.named[0] != "" {
				setLocal(t, a, Description{Type: Offer})
				if p := okayParse(t, a.pendingLocal.text); !slices.Equal(p.sections[0].media.layers(true), tc.named) {
					t.Errorf("the next offer has %v", p.sections[0].media.rids)
				}
			}
		})
	}
}

// W3C setRemoteDescription: an offer that asks for layers makes encodings of them, of a sender that has one without a name. A rollback, or another
// offer, takes that back.
func TestOfferAsksForLayers(t *testing.T) {
	a := newTestSession(t, "alice", withMedia)
	addTransceiver(t, a, TransceiverInit{Kind: Video, Direction: RecvOnly})
	plain := okay[Description](t)(a.CreateOffer(OfferOptions{}))
	asks := Description{Offer, plain.SDP + "a=rid:1 recv\r\na=rid:2 recv\r\na=rid:1 recv\r\na=simulcast:recv 1;2;1\r\n"}

	b := newTestSession(t, "bobby", withMedia)
	id := addTrack(t, b, Video, "cam", "s")
	first := show(t, b, id).Encodings[0]
	setRemote(t, b, asks)
	if got := show(t, b, id).Encodings; !slices.Equal(layers(got), []string{"1", "2"}) || got[0].SSRC != first.SSRC {
		t.Fatalf("got %+v", got)
	}
	setRemote(t, b, Description{Type: Rollback})
	if got := show(t, b, id).Encodings; !slices.Equal(got, []Encoding{first}) {
		t.Fatalf("after a rollback: %+v", got)
	}
	setRemote(t, b, asks)
	setRemote(t, b, plain)
	if got := show(t, b, id).Encodings; !slices.Equal(got, []Encoding{first}) {
		t.Fatalf("after another offer: %+v", got)
	}
	setRemote(t, b, asks)
	c := setLocal(t, b, Description{})
	if got := layers(c.Media[0].Encodings); !slices.Equal(got, []string{"1", "2"}) || !c.Media[0].Sending {
		t.Fatalf("answered: %+v", c.Media[0])
	}

	// Names of the application stand.
	for _, tc := range []struct{ have, want []string }{
		{[]string{"2"}, []string{"2"}}, {[]string{"2", "3"}, []string{"2"}}, {[]string{"1", "2", "3"}, []string{"1", "2"}}, {[]string{"x"}, []string{""}},
	} {
		b := newTestSession(t, "bobby", withMedia)
		id := addTrack(t, b, Video, "cam", "s")
		var encodings []Encoding
		for _, rid := range tc.have {
			encodings = append(encodings, Encoding{RID: rid})
		}
		okay[any](t)(nil, b.SetEncodings(id, encodings))
		setRemote(t, b, asks)
		if c := setLocal(t, b, Description{}); !slices.Equal(layers(c.Media[0].Encodings), tc.want) {
			t.Errorf("%v: answered %v, want %v", tc.have, layers(c.Media[0].Encodings), tc.want)
		}
	}
}

// RFC 8851: an identifier is used once in a section. Where both sides send layers of the same names, who offered first keeps them.
func TestLayersOfTheSameNames(t *testing.T) {
	a, b := pair(t)
	same := []Encoding{{RID: "hi"}, {RID: "lo"}}
	okay[any](t)(nil, a.SetEncodings(addTrack(t, a, Video, "cam"), same))
	okay[any](t)(nil, b.SetEncodings(addTrack(t, b, Video, "cam"), same))
	negotiate(t, a, b)
	coherent(t, a, b)
	negotiate(t, b, a)
	coherent(t, a, b)
	if got := b.Media()[0]; len(got.RIDs) != 2 || len(got.Encodings) != 1 || got.Encodings[0].RID != "" {
		t.Fatalf("got %+v", got)
	}
}
