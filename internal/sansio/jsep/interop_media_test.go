package jsep

import (
	"slices"
	"strings"
	"testing"

	"github.com/pion/webrtc/v4"
)

// withPionMedia has what pion's RegisterDefaultCodecs and its simulcast extensions have, in part, with numbers of our own.
func withPionMedia(c *Config) {
	withMedia(c)
	c.Formats.codecs[Audio] = []Codec{{PayloadType: 100, Name: "opus", ClockRate: 48000, Channels: 2, Fmtp: "minptime=10;useinbandfec=1"}}
	c.Formats.codecs[Video] = []Codec{
		{PayloadType: 111, Name: "VP8", ClockRate: 90000, Feedback: []Feedback{{"nack", ""}, {"nack", "pli"}}},
		{PayloadType: 112, Name: "rtx", ClockRate: 90000, Fmtp: "apt=111"},
	}
	c.Formats.extensions = []HeaderExtension{{URI: uriRID, Kind: Video}, {URI: uriMID}}
}

// checking waits until pion's ICE has our credentials, which it takes in a goroutine of its own. An offer that comes before is a restart to it.
func checking(pc *webrtc.PeerConnection) {
	started := make(chan struct{}, 1)
	pc.OnICEConnectionStateChange(func(webrtc.ICEConnectionState) {
		select {
		case started <- struct{}{}:
		default:
		}
	})
	if pc.ICEConnectionState() == webrtc.ICEConnectionStateNew {
		<-started
	}
}

// exchange runs a negotiation that s offers, or else pc.
func exchange(t *testing.T, s *Session, pc *webrtc.PeerConnection, weOffer bool) Change {
	t.Helper()
	if weOffer {
		setLocal(t, s, Description{Type: Offer})
		offer, _ := s.Local()
		if err := pc.SetRemoteDescription(toPion(offer)); err != nil {
			t.Fatalf("pion refuses our offer: %v\n%s", err, offer.SDP)
		}
		answer := okay[webrtc.SessionDescription](t)(pc.CreateAnswer(nil))
		if err := pc.SetLocalDescription(answer); err != nil {
			t.Fatal(err)
		}
		c := setRemote(t, s, Description{Answer, answer.SDP})
		checking(pc)
		return c
	}
	offer := okay[webrtc.SessionDescription](t)(pc.CreateOffer(nil))
	if err := pc.SetLocalDescription(offer); err != nil {
		t.Fatal(err)
	}
	setRemote(t, s, Description{Offer, offer.SDP})
	c := setLocal(t, s, Description{})
	answer, _ := s.Local()
	if err := pc.SetRemoteDescription(toPion(answer)); err != nil {
		t.Fatalf("pion refuses our answer: %v\n%s\nto\n%s", err, answer.SDP, offer.SDP)
	}
	checking(pc)
	return c
}

func pionTrack(t *testing.T, mime, id, stream string, options ...func(*webrtc.TrackLocalStaticRTP)) *webrtc.TrackLocalStaticRTP {
	t.Helper()
	return okay[*webrtc.TrackLocalStaticRTP](t)(webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: mime}, id, stream, options...))
}

// numbersOf lists payload types with their names.
func numbersOf(list []Codec) string { return strings.Join(written(list), ", ") }

// Our offer of audio, video and data; pion sends audio back. Then pion offers a track of its own, which makes a section, and takes it away
// again.
func TestPionAnswersMedia(t *testing.T) {
	s, pc := newTestSession(t, "alice", withPionMedia), newPion(t)
	audio := addTrack(t, s, Audio, "mic", "stream")
	video := addTrack(t, s, Video, "cam", "stream", "other")
	s.NeedDataChannel()
	okay[*webrtc.RTPSender](t)(pc.AddTrack(pionTrack(t, webrtc.MimeTypeOpus, "theirs", "room")))
	c := exchange(t, s, pc, true)
	if len(c.Media) != 2 || !c.Transport.HasData || c.Transport.Mid != "0" {
		t.Fatalf("got %+v", c)
	}
	a, v := c.Media[0], c.Media[1]
	if a.Transceiver != audio || !a.Sending || !a.Receiving || !slices.Equal(a.MSIDs, []MSID{{"room", "theirs"}}) || len(a.Sources) != 1 {
		t.Fatalf("audio: %+v", a)
	}
	if v.Transceiver != video || !v.Sending || v.Receiving {
		t.Fatalf("video: %+v", v)
	}
	if got := numbersOf(v.Send); got != "111 VP8, 112 rtx apt=111" {
		t.Fatalf("pion takes our numbers, got %s", got)
	}
	if len(v.Send[0].Feedback) != 2 || v.Encodings[0].RTX == 0 {
		t.Fatalf("video: %+v", v)
	}
	if s.NegotiationNeeded() {
		t.Fatal("nothing should remain")
	}

	sender := okay[*webrtc.RTPSender](t)(pc.AddTrack(pionTrack(t, webrtc.MimeTypeVP8, "screen", "room")))
	c = exchange(t, s, pc, false)
	if !c.Media[1].Receiving || !slices.Equal(c.Media[1].MSIDs, []MSID{{"room", "screen"}}) || numbersOf(c.Media[1].Receive) != "111 VP8, 112 rtx apt=111" {
		t.Fatalf("got %+v", c.Media)
	}
	if err := pc.RemoveTrack(sender); err != nil {
		t.Fatal(err)
	}
	if c = exchange(t, s, pc, false); c.Media[1].Receiving || !c.Media[1].Sending {
		t.Fatalf("got %+v", c.Media[1])
	}
}

// Pion's offer with its own numbers; sections that we add later have them too. Then we stop one, and another takes its place.
func TestPionOffersMedia(t *testing.T) {
	s, pc := newTestSession(t, "bobby", withPionMedia), newPion(t)
	okay[*webrtc.RTPSender](t)(pc.AddTrack(pionTrack(t, webrtc.MimeTypeVP8, "cam", "room")))
	okay[*webrtc.RTPSender](t)(pc.AddTrack(pionTrack(t, webrtc.MimeTypeOpus, "mic", "room")))
	okay[*webrtc.DataChannel](t)(pc.CreateDataChannel("x", nil))
	mine := addTrack(t, s, Audio, "voice", "mine")
	c := exchange(t, s, pc, false)
	if len(c.Media) != 2 || c.Media[0].Kind != Video || c.Media[0].Sending || !c.Media[0].Receiving || numbersOf(c.Media[0].Receive) != "96 VP8, 97 rtx apt=96" {
		t.Fatalf("got %+v", c.Media)
	}
	if c.Media[1].Transceiver != mine || !c.Media[1].Sending || numbersOf(c.Media[1].Send) != "111 opus minptime=10;useinbandfec=1" {
		t.Fatalf("the track should be sent, by pion's number: %+v", c.Media[1])
	}
	if got := pc.GetTransceivers()[1].Direction(); got != webrtc.RTPTransceiverDirectionSendrecv {
		t.Fatalf("pion has %v", got)
	}

	second := addTransceiver(t, s, TransceiverInit{Kind: Video, Direction: SendOnly, HasTrack: true, Track: "second"})
	c = exchange(t, s, pc, true)
	if len(c.Media) != 3 || c.Media[2].Transceiver != second || !c.Media[2].Sending || numbersOf(c.Media[2].Send) != "96 VP8, 97 rtx apt=96" {
		t.Fatalf("got %+v", c.Media)
	}
	if got := len(pc.GetTransceivers()); got != 3 {
		t.Fatalf("pion has %d transceivers", got)
	}

	okay[any](t)(nil, s.Stop(second))
	if !s.NegotiationNeeded() {
		t.Fatal("pion has to hear of it")
	}
	c = exchange(t, s, pc, true)
	if !slices.Equal(c.Stopped, []TransceiverID{second}) || len(c.Media) != 2 || s.NegotiationNeeded() {
		t.Fatalf("got %+v", c)
	}
	third := addTrack(t, s, Video, "third", "mine")
	if third == second || show(t, s, third).MLineIndex != 0 {
		t.Fatalf("the transceiver that has not sent yet should be used: %+v", show(t, s, third))
	}
	fourth := addTransceiver(t, s, TransceiverInit{Kind: Audio, Direction: SendOnly, HasTrack: true, Track: "fourth"})
	c = exchange(t, s, pc, true)
	got := show(t, s, fourth)
	if got.MLineIndex != 3 || got.Mid == "3" || len(c.Media) != 3 || !c.Media[0].Sending || !c.Media[2].Sending {
		t.Fatalf("the place of what was stopped should be taken, with a new mid: %+v, %+v", got, c.Media)
	}
}

// Simulcast from pion.
func TestPionSendsSimulcast(t *testing.T) {
	s, pc := newTestSession(t, "bobby", withPionMedia), newPion(t)
	layer := func(rid string) *webrtc.TrackLocalStaticRTP {
		return pionTrack(t, webrtc.MimeTypeVP8, "cam", "room", webrtc.WithRTPStreamID(rid))
	}
	sender := okay[*webrtc.RTPSender](t)(pc.AddTrack(layer("q")))
	for _, rid := range []string{"h", "f"} {
		if err := sender.AddEncoding(layer(rid)); err != nil {
			t.Fatal(err)
		}
	}
	c := exchange(t, s, pc, false)
	if want := []RID{{"q", true, false}, {"h", true, false}, {"f", true, false}}; !slices.Equal(c.Media[0].RIDs, want) || !c.Media[0].Receiving {
		t.Fatalf("got %+v", c.Media[0])
	}
	// Our own offer asks for it again, and pion goes on.
	s.NeedDataChannel()
	if c = exchange(t, s, pc, true); len(c.Media[0].RIDs) != 3 || !c.Transport.HasData {
		t.Fatalf("got %+v", c.Media[0])
	}
}

// Simulcast to pion, which takes all layers, with media of the other side in the same section from then on.
func TestPionReceivesSimulcast(t *testing.T) {
	s, pc := newTestSession(t, "alice", withPionMedia), newPion(t)
	id := addTransceiver(t, s, TransceiverInit{
		Kind: Video, Direction: SendRecv, HasTrack: true, Track: "cam", Streams: []string{"stream"},
		Encodings: []Encoding{{RID: "lo"}, {RID: "mid"}, {RID: "hi", Inactive: true}},
	})
	c := exchange(t, s, pc, true)
	e := c.Media[0].Encodings
	if len(e) != 3 || e[0].RID != "lo" || e[2].RID != "hi" || !e[2].Inactive || !c.Media[0].Sending {
		t.Fatalf("got %+v", c.Media[0])
	}
	if c = exchange(t, s, pc, true); len(c.Media[0].Encodings) != 3 || c.Media[0].Encodings[1].RID != "mid" {
		t.Fatalf("a re-offer should keep the layers: %+v", c.Media[0])
	}
	if err := s.SetEncodings(id, []Encoding{{RID: "lo"}, {RID: "mid"}}); err == nil {
		t.Fatal("layers that were negotiated cannot be taken away")
	}
	okay[any](t)(nil, s.SetEncodings(id, []Encoding{{RID: "lo"}, {RID: "mid", Inactive: true}, {RID: "hi"}}))
	if m := s.Media()[0]; !m.Encodings[1].Inactive || m.Encodings[2].Inactive || s.NegotiationNeeded() {
		t.Fatalf("got %+v", m)
	}
}

// A rollback of what pion offered, and then the same the other way round.
func TestPionRollback(t *testing.T) {
	s, pc := newTestSession(t, "alice", withPionMedia), newPion(t)
	okay[*webrtc.RTPSender](t)(pc.AddTrack(pionTrack(t, webrtc.MimeTypeVP8, "cam", "room")))
	offer := okay[webrtc.SessionDescription](t)(pc.CreateOffer(nil))
	if err := pc.SetLocalDescription(offer); err != nil {
		t.Fatal(err)
	}
	c := setRemote(t, s, Description{Offer, offer.SDP})
	if len(c.Created) != 1 {
		t.Fatalf("got %+v", c)
	}
	back := setRemote(t, s, Description{Type: Rollback})
	if !slices.Equal(back.Removed, c.Created) || len(s.Transceivers()) != 0 {
		t.Fatalf("what pion's offer made should be gone: %+v", back)
	}
	// It comes again after one of ours, which has to make way: the track is in the section that pion offers.
	id := addTrack(t, s, Video, "mine", "stream")
	setLocal(t, s, Description{})
	if got := show(t, s, id); got.Mid == "" {
		t.Fatalf("got %+v", got)
	}
	c = setRemote(t, s, Description{Offer, offer.SDP})
	if got := show(t, s, id); !c.RolledBack || c.Created != nil || got.Mid != "0" || got.MLineIndex != 0 {
		t.Fatalf("got %+v, %+v", c, got)
	}
	c = setLocal(t, s, Description{})
	answer, _ := s.Local()
	if err := pc.SetRemoteDescription(toPion(answer)); err != nil {
		t.Fatal(err)
	}
	if !c.Media[0].Sending || !c.Media[0].Receiving || numbersOf(c.Media[0].Send) != "96 VP8, 97 rtx apt=96" || s.NegotiationNeeded() {
		t.Fatalf("got %+v", c.Media)
	}
}
