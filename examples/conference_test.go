package examples_test

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/sansrtc/rtc"
)

// guest is a participant of a conference in the place of a page: the polite side.
type guest struct {
	rtc.BaseHandler
	t      *testing.T
	url    string
	name   string
	pc     *rtc.PeerConnection
	signal *rtc.DataChannel
	shown  chan string // the participants' names and whose picture came, as "name" and "picture of name"

	you   string
	names map[string]string // by id
	seen  map[string]bool
}

// note goes over the signal channel.
type note struct {
	Description *rtc.SessionDescription `json:"description,omitempty"`
	Candidate   *rtc.ICECandidateInit   `json:"candidate,omitempty"`
	You         string                  `json:"you,omitempty"`
	Names       map[string]string       `json:"names,omitempty"`
}

// joins has somebody enter a room with a camera.
func joins(t *testing.T, url, room, name string) *guest {
	t.Helper()
	g := &guest{t: t, url: url, name: name, shown: make(chan string, 1024), seen: map[string]bool{}}
	camera, err := webrtc.NewTrackLocalStaticSample(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8}, "video", "camera")
	if err != nil {
		t.Fatal(err)
	}
	if g.pc, err = rtc.NewBuilder().Handler(g).ICE(rtc.ICEOptions{IncludeLoopback: true}).Build(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		g.pc.Close()
		<-g.pc.Done()
	})
	if _, err := g.pc.AddTransceiverFromTrack(camera, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly}); err != nil {
		t.Fatal(err)
	}
	negotiated, signal, alive := true, uint16(999), uint16(1000)
	if g.signal, err = g.pc.CreateDataChannel("signal", &rtc.DataChannelInit{Negotiated: &negotiated, ID: &signal}); err != nil {
		t.Fatal(err)
	}
	if _, err = g.pc.CreateDataChannel("alive", &rtc.DataChannelInit{Negotiated: &negotiated, ID: &alive}); err != nil {
		t.Fatal(err)
	}
	if err := g.pc.SetLocalDescription(rtc.SessionDescription{}); err != nil {
		t.Fatal(err)
	}
	<-g.pc.GatheringComplete()
	body, err := json.Marshal(g.pc.LocalDescription())
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.Post(url+"offer?room="+room+"&name="+name, "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var answer rtc.SessionDescription
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		t.Fatalf("%s: %v", res.Status, err)
	}
	if err := g.pc.SetRemoteDescription(answer); err != nil {
		t.Fatal(err)
	}
	shoot(t, camera)
	return g
}

func (g *guest) send(n note) {
	b, err := json.Marshal(n)
	if err == nil {
		err = g.signal.SendText(string(b))
	}
	if err != nil && g.pc.ConnectionState() != rtc.PeerConnectionStateClosed {
		g.t.Errorf("%s: %v", g.name, err)
	}
}

func (g *guest) OnNegotiationNeeded(pc *rtc.PeerConnection) {
	if g.signal == nil || g.signal.ReadyState() != rtc.DataChannelStateOpen {
		return // the first offer goes by HTTP
	}
	if err := pc.SetLocalDescription(rtc.SessionDescription{}); err == nil {
		g.send(note{Description: pc.LocalDescription()})
	}
}

func (g *guest) OnDataChannelMessage(pc *rtc.PeerConnection, dc *rtc.DataChannel, msg rtc.DataChannelMessage) {
	var n note
	if err := json.Unmarshal(msg.Data, &n); err != nil {
		g.t.Errorf("%s: %v", g.name, err)
		return
	}
	switch {
	case n.Names != nil:
		g.you, g.names = n.You, n.Names
		g.shown <- ""
		for _, name := range slices.Sorted(maps.Values(n.Names)) {
			g.shown <- name
		}
		g.shown <- "."
	case n.Candidate != nil:
		pc.AddICECandidate(*n.Candidate)
	case n.Description != nil:
		err := pc.SetRemoteDescription(*n.Description) // rolls an offer of this side's back
		if err == nil && n.Description.Type == rtc.SDPTypeOffer {
			if err = pc.SetLocalDescription(rtc.SessionDescription{}); err == nil {
				g.send(note{Description: pc.LocalDescription()})
			}
		}
		if err != nil {
			g.t.Errorf("%s: %v: %v", g.name, n.Description.Type, err)
		}
	}
}

func (g *guest) OnRTP(_ *rtc.PeerConnection, track *rtc.TrackRemote, _ *rtp.Packet) {
	if id := track.StreamID(); !g.seen[id] {
		g.seen[id] = true
		g.shown <- "picture of " + g.names[id]
	}
}

// waits waits until all of what is wanted was shown, in any order, and nothing else counts.
func (g *guest) waits(want ...string) {
	g.t.Helper()
	left := map[string]bool{}
	for _, w := range want {
		left[w] = true
	}
	ctx, cancel := context.WithTimeout(g.t.Context(), patience)
	defer cancel()
	for len(left) > 0 {
		select {
		case s := <-g.shown:
			delete(left, s)
		case <-ctx.Done():
			g.t.Fatalf("%s does not see %v; %v", g.name, slices.Sorted(maps.Keys(left)), g.pc.ConnectionState())
		}
	}
}

// hears waits until the participants are these and no others.
func (g *guest) hears(names ...string) {
	g.t.Helper()
	deadline := time.After(patience)
	var now []string
	for {
		select {
		case s := <-g.shown:
			switch s {
			case "":
				now = nil
			case ".":
				if slices.Equal(now, names) {
					return
				}
			default:
				now = append(now, s)
			}
		case <-deadline:
			g.t.Fatalf("%s hears of %v, not of %v", g.name, now, names)
		}
	}
}

// Three meet in a conference and see each other; one leaves and another comes in its place; a room is not heard in another.
func TestConference(t *testing.T) {
	t.Parallel()
	p := start(t, "conference", "-addr", "127.0.0.1:0")
	b := open(t, p, "conference")
	b.reads("conference")
	if res, err := http.Post(b.url+"offer?name=&room=", "application/json", bytes.NewReader([]byte(`{"type":"offer","sdp":""}`))); err != nil {
		t.Fatal(err)
	} else if res.Body.Close(); res.StatusCode != http.StatusBadRequest {
		t.Errorf("nobody got %s", res.Status)
	}
	ann, ben := joins(t, b.url, "red", "ann"), joins(t, b.url, "red", "ben")
	ann.waits("picture of ben")
	ben.waits("picture of ann")
	eve := joins(t, b.url, "blue", "eve")
	eve.hears("eve")

	for _, name := range []string{"cleo", "dora", "emil"} {
		third := joins(t, b.url, "red", name)
		third.waits("picture of ann", "picture of ben")
		ann.waits("picture of " + name)
		ben.waits("picture of " + name)
		third.pc.Close()
		ann.hears("ann", "ben")
		ben.hears("ann", "ben")
	}
	// The places of those who left were taken by those who came: two pictures and two sounds, of ben and of the last one, and the own camera.
	if n := len(ann.pc.GetTransceivers()); n > 5 {
		t.Errorf("ann has %d transceivers", n)
	}
	for len(eve.shown) > 0 {
		if s := <-eve.shown; strings.HasPrefix(s, "picture") {
			t.Errorf("eve, in another room, sees a %s", s)
		}
	}
	ended(t, p)
}
