package browsertest

import "testing"

// codecs are the video codecs of browsers. Not every build has an encoder for H264.
var codecs = []struct{ name, mime, fmtp string }{
	{"VP8", "video/VP8", ""},
	{"VP9", "video/VP9", "profile-id=0"},
	{"AV1", "video/AV1", ""},
	{"H264", "video/H264", "packetization-mode=1;profile-level-id=42e01f"},
}

// played is what the page saw of a video.
type played struct {
	Frames, Pictures, First, Last, Width, Height int
	Codec                                        string
}

// sound is what the page heard of an audio track.
type sound struct {
	Samples, Pitch float64
	Codec          string
}

// check is for what hum() made.
func (s sound) check(t *testing.T) {
	t.Helper()
	if s.Pitch < 420 || s.Pitch > 460 || s.Codec != "audio/opus" {
		t.Errorf("440 Hz in Opus became %+v", s)
	}
}

// What the other tests rest on, without Go: two connections of the page's own show what the page's helpers tell, and which codecs there are.
func TestMediaPage(t *testing.T) {
	c := mediaChromium(t)
	for _, codec := range codecs {
		t.Run(codec.name, func(t *testing.T) {
			p := c.openMedia(t)
			var ok bool
			p.call(&ok, `async (mime, fmtp) => {
				const other = new RTCPeerConnection();
				pc.onicecandidate = e => other.addIceCandidate(e.candidate);
				other.onicecandidate = e => pc.addIceCandidate(e.candidate);
				other.addTransceiver(counting(320, 240, 15));
				if (!prefer(other.getTransceivers()[0], mime, fmtp)) return false;
				other.addTrack(hum());
				await other.setLocalDescription();
				await pc.setRemoteDescription(other.localDescription);
				await pc.setLocalDescription();
				await other.setRemoteDescription(pc.localDescription);
				return true;
			}`, codec.mime, codec.fmtp)
			if !ok {
				t.Fatalf("this Chromium does not know %s", codec.name)
			}
			var v played
			p.call(&v, "plays", "0", 10)
			if v.Codec != codec.mime || v.Width != 320 {
				t.Errorf("the page has %+v", v)
			}
			var a sound
			p.call(&a, "sounds", "1", 9600)
			a.check(t)
		})
	}
}

// openMedia is a page for a connection with media.
func (c *chromium) openMedia(t *testing.T) *page {
	t.Helper()
	p := &page{c.open(t, pages.URL+"/peer.html")}
	p.call(nil, "startMedia")
	return p
}
