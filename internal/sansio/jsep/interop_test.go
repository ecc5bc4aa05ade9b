package jsep

import (
	"strings"
	"testing"

	"github.com/pion/webrtc/v4"
)

// newPion returns a pion PeerConnection that is only asked about SDP.
func newPion(t *testing.T) *webrtc.PeerConnection {
	t.Helper()
	var se webrtc.SettingEngine
	se.SetInterfaceFilter(func(string) bool { return false }) // no network
	pc, err := webrtc.NewAPI(webrtc.WithSettingEngine(se)).NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := pc.Close(); err != nil {
			t.Error(err)
		}
	})
	return pc
}

func pionType(t Type) webrtc.SDPType {
	return map[Type]webrtc.SDPType{Offer: webrtc.SDPTypeOffer, Answer: webrtc.SDPTypeAnswer}[t]
}

func toPion(d Description) webrtc.SessionDescription {
	return webrtc.SessionDescription{Type: pionType(d.Type), SDP: d.SDP}
}

// Our offer, pion's answer; then pion's re-offer and our answer.
func TestPionAnswers(t *testing.T) {
	s, pc := newTestSession(t, "alice"), newPion(t)
	s.NeedDataChannel()
	setLocal(t, s, Description{})
	offer, _ := s.Local()
	if err := pc.SetRemoteDescription(toPion(offer)); err != nil {
		t.Fatal(err)
	}
	answer := okay[webrtc.SessionDescription](t)(pc.CreateAnswer(nil))
	if err := pc.SetLocalDescription(answer); err != nil {
		t.Fatal(err)
	}
	c := setRemote(t, s, Description{Answer, answer.SDP})
	if tr := c.Transport; tr == nil || !tr.HasData || tr.DTLSRole != RoleServer || tr.RemoteSCTPPort != 5000 || !tr.ICEControlling {
		t.Fatalf("got %+v in\n%s", tr, answer.SDP)
	}

	again := okay[webrtc.SessionDescription](t)(pc.CreateOffer(nil))
	if err := pc.SetLocalDescription(again); err != nil {
		t.Fatal(err)
	}
	c = setRemote(t, s, Description{Offer, again.SDP})
	if c.Transport.RemoteRestart || c.Transport.DTLSRole != RoleServer {
		t.Fatalf("got %+v in\n%s", c.Transport, again.SDP)
	}
	setLocal(t, s, Description{})
	ours, _ := s.Local()
	if err := pc.SetRemoteDescription(toPion(ours)); err != nil {
		t.Fatalf("%v:\n%s", err, ours.SDP)
	}
}

// Pion's offer with audio and video besides the data channel, our answer that rejects those; then our re-offer with an ICE restart. Pion
// only wants to receive: it refuses any answer that rejects what it wants to send.
func TestPionOffers(t *testing.T) {
	s, pc := newTestSession(t, "bobby"), newPion(t)
	for _, kind := range []webrtc.RTPCodecType{webrtc.RTPCodecTypeAudio, webrtc.RTPCodecTypeVideo} {
		okay[*webrtc.RTPTransceiver](t)(pc.AddTransceiverFromKind(kind, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}))
	}
	okay[*webrtc.DataChannel](t)(pc.CreateDataChannel("x", nil))
	offer := okay[webrtc.SessionDescription](t)(pc.CreateOffer(nil))
	if err := pc.SetLocalDescription(offer); err != nil {
		t.Fatal(err)
	}
	if c := setRemote(t, s, Description{Offer, offer.SDP}); c.Transport == nil || c.Transport.MLineIndex != 2 {
		t.Fatalf("got %+v in\n%s", c.Transport, offer.SDP)
	}
	setLocal(t, s, Description{})
	answer, _ := s.Local()
	if err := pc.SetRemoteDescription(toPion(answer)); err != nil {
		t.Fatalf("%v:\n%s", err, answer.SDP)
	}

	s.RestartICE()
	setLocal(t, s, Description{})
	again, _ := s.Local()
	if err := pc.SetRemoteDescription(toPion(again)); err != nil {
		t.Fatalf("%v:\n%s", err, again.SDP)
	}
	theirs := okay[webrtc.SessionDescription](t)(pc.CreateAnswer(nil))
	if err := pc.SetLocalDescription(theirs); err != nil {
		t.Fatal(err)
	}
	c := setRemote(t, s, Description{Answer, theirs.SDP})
	if !c.Transport.RemoteRestart || c.Transport.DTLSRole != RoleClient || c.Transport.LocalUfrag != "bobby2" || s.NegotiationNeeded() {
		t.Fatalf("got %+v in\n%s", c.Transport, theirs.SDP)
	}
	if strings.Count(theirs.SDP, "m=") != 3 {
		t.Fatalf("got\n%s", theirs.SDP)
	}
}
