package jsep

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sansrtc/rtc/internal/golden"
)

func browserFile(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile("testdata/browsers/" + name + ".sdp")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// What we answer to recorded offers with media, without tracks of our own and with an audio track that is sent back. The answers are recorded
// beside them, without the formats, which other tests are about.
func TestOffersOfBrowsers(t *testing.T) {
	files, _ := filepath.Glob("testdata/browsers/*.sdp")
	safari, _ := filepath.Glob("testdata/offers/safari-*.sdp")
	n := 0
	for _, file := range append(files, safari...) {
		name := strings.TrimSuffix(filepath.Base(file), ".sdp")
		if strings.Contains(name, "answer") || strings.Contains(name, "-changes-") {
			continue
		}
		n++
		t.Run(name, func(t *testing.T) {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			s := newTestSession(t, "bobby", withMedia)
			addTrack(t, s, Audio, "mic", "stream")
			var out strings.Builder
			out.WriteString(setRemote(t, s, Description{Offer, string(b)}).format())
			out.WriteString(setLocal(t, s, Description{}).format())
			answer, _ := s.Local()
			out.WriteString(brief(answer.SDP))
			golden.Check(t, "testdata/answers/"+name+".txt", out.String())

			setRemote(t, s, Description{Offer, string(b)})
			setLocal(t, s, Description{})
			if again, _ := s.Local(); again.SDP != answer.SDP {
				t.Errorf("the answer to the same offer should be the same:\n%s\nwas\n%s", again.SDP, answer.SDP)
			}
			// And when we offer next, numbers stay and sections keep their places.
			before := s.Media()
			setLocal(t, s, Description{Type: Offer})
			offer, _ := s.Local()
			offered := okayParse(t, offer.SDP)
			for i, m := range before {
				for k, c := range m.Receive {
					if o := offered.sections[m.MLineIndex].media.codecs; k >= len(o) || !sameNumber(&o[k], &c) || o[k].PayloadType != c.PayloadType {
						t.Errorf("section %d: %v is offered where %v was negotiated", i, o, m.Receive)
					}
				}
			}
		})
	}
	if n < 9 {
		t.Errorf("only %d offers", n)
	}
}

func okayParse(t testing.TB, text string) *parsed {
	t.Helper()
	p, err := parse(text, Offer)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// brief leaves out what is about formats, and what is different in each section.
func brief(sdp string) string {
	var b strings.Builder
	for l := range strings.SplitSeq(strings.ReplaceAll(sdp, "\r\n", "\n"), "\n") {
		switch key, _, _ := strings.Cut(l, ":"); key {
		case "a=rtcp-fb", "a=fingerprint", "a=ice-pwd", "a=rtpmap":
		default:
			if l != "" {
				fmt.Fprintln(&b, l)
			}
		}
	}
	return b.String()
}

// A connection of a browser that changes: sections are added, lose their track, are stopped, and their places are taken by others.
func TestBrowsersThatChange(t *testing.T) {
	for _, browser := range []string{"chromium", "firefox"} {
		t.Run(browser, func(t *testing.T) {
			s := newTestSession(t, "bobby", withMedia)
			var out strings.Builder
			for i := 1; i <= 6; i++ {
				fmt.Fprintf(&out, "# %d\n", i)
				out.WriteString(withoutCandidates(setRemote(t, s, Description{Offer, browserFile(t, fmt.Sprintf("%s-changes-%d", browser, i))}).format()))
				out.WriteString(withoutCandidates(setLocal(t, s, Description{}).format()))
				if s.NegotiationNeeded() {
					t.Errorf("after offer %d: nothing should remain", i)
				}
			}
			golden.Check(t, "testdata/answers/"+browser+"-changes.txt", out.String())
		})
	}
}

func withoutCandidates(text string) string {
	return strings.Join(slices.DeleteFunc(strings.SplitAfter(text, "\n"), func(l string) bool {
		return strings.HasPrefix(l, "  candidate:")
	}), "")
}

// Recorded answers to an offer like ours.
func TestAnswersOfBrowsers(t *testing.T) {
	for _, browser := range []string{"chromium", "firefox"} {
		for _, sends := range []bool{false, true} {
			name := map[bool]string{false: "-answer-recvonly", true: "-answer-sendrecv"}[sends]
			t.Run(browser+name, func(t *testing.T) {
				s := newTestSession(t, "alice", withMedia)
				addTrack(t, s, Audio, "mic", "stream")
				addTrack(t, s, Video, "cam", "stream")
				s.NeedDataChannel()
				setLocal(t, s, Description{})
				c := setRemote(t, s, Description{Answer, browserFile(t, browser+name)})
				if len(c.Media) != 2 || !c.Transport.HasData || s.NegotiationNeeded() {
					t.Fatalf("got %+v", c)
				}
				for _, m := range c.Media {
					if !m.Sending || m.Receiving != sends || len(m.Send) == 0 || (len(m.MSIDs) > 0) != sends {
						t.Errorf("got %+v", m)
					}
				}
				for _, m := range c.Media {
					for i, c := range m.Send {
						if !c.Is(m.Receive[i].Name) {
							t.Errorf("%d %s comes as %d %s", c.PayloadType, c.Name, m.Receive[i].PayloadType, m.Receive[i].Name)
						}
					}
				}
				// RFC 3264: each side is sent the numbers of its own description.
				v := c.Media[1]
				if want := browserFormat(t, browserFile(t, browser+name), "VP8"); v.Send[0].PayloadType != want || v.Receive[0].PayloadType != 96 {
					t.Errorf("VP8 goes out as %d and comes as %d", v.Send[0].PayloadType, v.Receive[0].PayloadType)
				}
			})
		}
		t.Run(browser+"-answer-to-simulcast", func(t *testing.T) {
			s := newTestSession(t, "alice", withMedia)
			addTransceiver(t, s, TransceiverInit{
				Kind: Video, Direction: SendOnly, HasTrack: true, Track: "cam", Encodings: []Encoding{{RID: "lo"}, {RID: "hi"}},
			})
			setLocal(t, s, Description{})
			c := setRemote(t, s, Description{Answer, browserFile(t, browser+"-answer-to-simulcast")})
			e := c.Media[0].Encodings
			// Chromium and Firefox take what another one of them sends in layers as one: the first is left.
			if !c.Media[0].Sending || len(e) == 0 {
				t.Errorf("got %+v", c.Media)
			}
			golden.Check(t, "testdata/answers/"+browser+"-answer-to-simulcast.txt", withoutCandidates(c.format()))
		})
	}
}

// browserFormat is the payload type of a format in a description.
func browserFormat(t *testing.T, sdp, name string) uint8 {
	for _, m := range okayParse(t, sdp).sections {
		if m.media == nil {
			continue
		}
		for _, c := range m.media.codecs {
			if c.Is(name) {
				return c.PayloadType
			}
		}
	}
	t.Fatalf("no %s", name)
	return 0
}
