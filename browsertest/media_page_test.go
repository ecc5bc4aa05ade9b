package browsertest

import "testing"

// codecs are the video codecs of browsers. Not every build has an encoder for H264.
var codecs = []struct{ name, mime, fmtp string }{
	{"VP8", "video/VP8", ""},
	{"VP9", "video/VP9", "profile-id=0"},
	{"AV1", "video/AV1", ""},
	{"H264", "video/H264", "packetization-mode=1;profile-level-id=42e01f"},
}

// What the other tests rest on, without Go: two connections of the page's own show what the page's helpers tell, and which codecs there are.
func TestMediaPage(t *testing.T) {
	t.Parallel()
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
			if v := p.plays("0", 10); v.Codec != codec.mime || v.Width != 320 {
				t.Errorf("the page has %+v", v)
			}
			p.hums("1")
		})
	}
}
