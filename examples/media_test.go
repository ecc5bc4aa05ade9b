package examples_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/rtp"
	"github.com/pion/rtp/codecs"
	"github.com/pion/webrtc/v4"
	"github.com/pion/webrtc/v4/pkg/media"
	"github.com/pion/webrtc/v4/pkg/media/ivfreader"
	"github.com/pion/webrtc/v4/pkg/media/oggreader"

	"github.com/sansrtc/rtc/examples/internal/film"
)

// browser is pion in the place of a page.
type browser struct {
	t   *testing.T
	pc  *webrtc.PeerConnection
	url string
	// The packets that came, of all tracks.
	packets chan received
}

type received struct {
	track  *webrtc.TrackRemote
	packet *rtp.Packet
}

// open makes a page of the example that prints its address.
func open(t *testing.T, p *process, name string) *browser {
	t.Helper()
	return openAt(t, p.hears(`^` + name + `: (http://127\.0\.0\.1:\d+/)$`)[1])
}

func openAt(t *testing.T, url string) *browser {
	t.Helper()
	var s webrtc.SettingEngine
	s.SetIncludeLoopbackCandidate(true) // there may be no other
	s.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	s.SetFireOnTrackBeforeFirstRTP(true)
	var m webrtc.MediaEngine
	if err := m.RegisterDefaultCodecs(); err != nil {
		t.Fatal(err)
	}
	if err := webrtc.ConfigureSimulcastExtensionHeaders(&m); err != nil {
		t.Fatal(err)
	}
	pc, err := webrtc.NewAPI(webrtc.WithSettingEngine(s), webrtc.WithMediaEngine(&m)).NewPeerConnection(webrtc.Configuration{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pc.Close() })
	b := &browser{t, pc, url, make(chan received, 4096)}
	pc.OnTrack(func(track *webrtc.TrackRemote, _ *webrtc.RTPReceiver) {
		for {
			packet, _, err := track.ReadRTP()
			if err != nil {
				return
			}
			select {
			case b.packets <- received{track, packet}:
			default:
			}
		}
	})
	negotiated, id := true, uint16(1000)
	if _, err := pc.CreateDataChannel("alive", &webrtc.DataChannelInit{Negotiated: &negotiated, ID: &id}); err != nil {
		t.Fatal(err)
	}
	return b
}

// receives offers to receive.
func (b *browser) receives(kinds ...webrtc.RTPCodecType) {
	b.t.Helper()
	for _, kind := range kinds {
		if _, err := b.pc.AddTransceiverFromKind(kind, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionRecvonly}); err != nil {
			b.t.Fatal(err)
		}
	}
}

// films sends the film's frames on a track, as a camera does, until the test ends.
func (b *browser) films(direction webrtc.RTPTransceiverDirection) {
	b.t.Helper()
	track, err := webrtc.NewTrackLocalStaticSample(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8}, "camera", "camera")
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err = b.pc.AddTransceiverFromTrack(track, webrtc.RTPTransceiverInit{Direction: direction}); err != nil {
		b.t.Fatal(err)
	}
	shoot(b.t, track)
}

func shoot(t *testing.T, tracks ...*webrtc.TrackLocalStaticSample) {
	frames := frames(t)
	stop := make(chan struct{})
	t.Cleanup(func() { close(stop) })
	go func() {
		due := time.NewTicker(10 * time.Millisecond)
		defer due.Stop()
		for i := 0; ; i++ {
			for _, track := range tracks {
				track.WriteSample(media.Sample{Data: frames[i%len(frames)], Duration: 50 * time.Millisecond})
			}
			select {
			case <-due.C:
			case <-stop:
				return
			}
		}
	}()
}

// frames are the film's.
func frames(t *testing.T) (frames [][]byte) {
	t.Helper()
	r, _, err := ivfreader.NewWith(bytes.NewReader(film.Pattern))
	if err != nil {
		t.Fatal(err)
	}
	for {
		frame, _, err := r.ParseNextFrame()
		if errors.Is(err, io.EOF) {
			return frames
		} else if err != nil {
			t.Fatal(err)
		}
		frames = append(frames, frame)
	}
}

// calls makes the page's call.
func (b *browser) calls(query string) {
	b.t.Helper()
	if status := b.call(query); status != http.StatusOK {
		b.t.Fatalf("the call got status %d", status)
	}
}

func (b *browser) call(query string) (status int) {
	b.t.Helper()
	offer, err := b.pc.CreateOffer(nil)
	if err != nil {
		b.t.Fatal(err)
	}
	gathered := webrtc.GatheringCompletePromise(b.pc)
	if err := b.pc.SetLocalDescription(offer); err != nil {
		b.t.Fatal(err)
	}
	<-gathered
	body, err := json.Marshal(b.pc.LocalDescription())
	if err != nil {
		b.t.Fatal(err)
	}
	res, err := http.Post(b.url+"offer?"+query, "application/json", bytes.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return res.StatusCode
	}
	var answer webrtc.SessionDescription
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		b.t.Fatal(err)
	}
	if err := b.pc.SetRemoteDescription(answer); err != nil {
		b.t.Fatal(err)
	}
	return res.StatusCode
}

// next is the next packet of a kind.
func (b *browser) next(kind webrtc.RTPCodecType) *rtp.Packet {
	b.t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case r := <-b.packets:
			if r.track.Kind() == kind {
				return r.packet
			}
		case <-deadline:
			b.t.Fatalf("no %v came; pion is %v", kind, b.pc.ConnectionState())
		}
	}
}

// sees waits until n whole frames of the film have come.
func (b *browser) sees(n int) {
	b.t.Helper()
	b.shows(n, func(frame []byte) []byte { return frame })
}

// shows does it for frames that have to be changed first.
func (b *browser) shows(n int, change func([]byte) []byte) {
	b.t.Helper()
	known := map[string]bool{}
	for _, frame := range frames(b.t) {
		known[string(frame)] = true
	}
	var frame []byte
	for n > 0 {
		p := b.next(webrtc.RTPCodecTypeVideo)
		var vp8 codecs.VP8Packet
		payload, err := vp8.Unmarshal(p.Payload)
		if err != nil {
			b.t.Fatal(err)
		}
		if vp8.S == 1 && vp8.PID == 0 {
			frame = nil
		}
		frame = append(frame, payload...)
		if p.Marker && known[string(change(frame))] {
			n--
		}
	}
}

// reads the page that an example serves.
func (b *browser) reads(title string) {
	b.t.Helper()
	for path, want := range map[string]string{"": "<title>" + title + "</title>", "call.js": "export async function call"} {
		res, err := http.Get(b.url + path)
		if err != nil {
			b.t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode != http.StatusOK || !strings.Contains(string(body), want) {
			b.t.Errorf("/%s: %s, %v", path, res.Status, err)
		}
	}
}

// ended tells an example to end, and wants it to.
func ended(t *testing.T, p *process) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	p.ends()
}

func page(t *testing.T, example string, args ...string) (*process, *browser) {
	t.Helper()
	p := start(t, example, append([]string{"-addr", "127.0.0.1:0"}, args...)...)
	b := open(t, p, example)
	b.reads(example)
	return p, b
}

// What a camera shows to reflect comes back, frame by frame. Nonsense is refused.
func TestReflect(t *testing.T) {
	t.Parallel()
	p, b := page(t, "reflect")
	res, err := http.Post(b.url+"offer", "application/json", strings.NewReader(`{"type":"offer","sdp":"nonsense"}`))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusBadRequest {
		t.Errorf("nonsense got %s", res.Status)
	}
	b.films(webrtc.RTPTransceiverDirectionSendrecv)
	b.calls("")
	b.sees(30)
	ended(t, p)
}

// Play-from-disk plays its film and its tone to each of its viewers.
func TestPlayFromDisk(t *testing.T) {
	t.Parallel()
	p, one := page(t, "play-from-disk")
	for _, b := range []*browser{one, openAt(t, one.url)} {
		b.receives(webrtc.RTPCodecTypeVideo, webrtc.RTPCodecTypeAudio)
		b.calls("")
		b.sees(10)
		tone := map[string]bool{}
		r, _, err := oggreader.NewWith(bytes.NewReader(film.Tone))
		for err == nil {
			var data []byte
			if data, _, err = r.ParseNextPage(); err == nil {
				tone[string(data)] = true
			}
		}
		for range 10 {
			if !tone[string(b.next(webrtc.RTPCodecTypeAudio).Payload)] {
				t.Fatal("a packet is not of the tone")
			}
		}
	}
	ended(t, p)
}

// Save-to-disk's file has the frames that were sent, from a keyframe on.
func TestSaveToDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p, b := page(t, "save-to-disk", "-dir", dir)
	b.films(webrtc.RTPTransceiverDirectionSendonly)
	b.calls("")
	name := p.hears(`^(vp8-\d+\.ivf): recording video/VP8$`)[1]
	deadline := time.Now().Add(patience)
	path := filepath.Join(dir, name)
	for due := time.NewTicker(10 * time.Millisecond); ; <-due.C {
		if info, err := os.Stat(path); err == nil && info.Size() > 50_000 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the file does not grow")
		}
	}
	b.pc.Close()
	p.hears(`^` + name + `: [1-9]\d* packets$`)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, frame := range frames(t) {
		known[string(frame)] = true
	}
	r, header, err := ivfreader.NewWith(bytes.NewReader(data))
	if err != nil || header.FourCC != "VP80" {
		t.Fatalf("%+v, %v", header, err)
	}
	n := 0
	for ; ; n++ {
		frame, _, err := r.ParseNextFrame()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if !known[string(frame)] {
			t.Fatalf("frame %d of the file was not sent", n)
		}
		if n == 0 && frame[0]&1 != 0 {
			t.Error("the file does not begin with a keyframe")
		}
	}
	if n < 10 {
		t.Errorf("the file has %d frames", n)
	}
	ended(t, p)
}

// Simulcast sends back the size that is chosen, and changes when another one is.
func TestSimulcast(t *testing.T) {
	t.Parallel()
	p, b := page(t, "simulcast")
	// pion does not receive by an m-line whose a=rid lines say what it sends, so there is one for each direction.
	b.receives(webrtc.RTPCodecTypeVideo)
	var tracks []*webrtc.TrackLocalStaticRTP
	var camera *webrtc.RTPTransceiver
	for i, rid := range []string{"q", "h", "f"} {
		track, err := webrtc.NewTrackLocalStaticRTP(webrtc.RTPCodecCapability{MimeType: webrtc.MimeTypeVP8}, "camera", "camera", webrtc.WithRTPStreamID(rid))
		if err != nil {
			t.Fatal(err)
		}
		if tracks = append(tracks, track); i > 0 {
			err = camera.Sender().AddEncoding(track)
		} else {
			camera, err = b.pc.AddTransceiverFromTrack(track, webrtc.RTPTransceiverInit{Direction: webrtc.RTPTransceiverDirectionSendonly})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	choice, err := b.pc.CreateDataChannel("choice", nil)
	if err != nil {
		t.Fatal(err)
	}
	opened, told := make(chan struct{}), make(chan string, 16)
	choice.OnOpen(func() { close(opened) })
	choice.OnMessage(func(msg webrtc.DataChannelMessage) { told <- string(msg.Data) })

	// Each size sends packets that say which size they are of.
	var sent atomic.Uint32
	stop := make(chan struct{})
	t.Cleanup(func() { close(stop) })
	b.calls("")
	midID, ridID := extensionIDs(camera.Sender())
	mid := camera.Mid()
	go func() {
		due := time.NewTicker(5 * time.Millisecond)
		defer due.Stop()
		for {
			n := sent.Add(1)
			for i, track := range tracks {
				packet := &rtp.Packet{Header: rtp.Header{Version: 2, Marker: true, SequenceNumber: uint16(n), Timestamp: n * 450}}
				packet.SetExtension(midID, []byte(mid))
				packet.SetExtension(ridID, []byte("qhf"[i:i+1]))
				packet.Payload = append([]byte{0x10, 0, 0, 0}, "qhf"[i])
				track.WriteRTP(packet)
			}
			select {
			case <-due.C:
			case <-stop:
				return
			}
		}
	}()
	<-opened
	for _, rid := range []string{"h", "f", "q"} {
		for deadline := time.Now().Add(patience); ; {
			choice.SendText(rid)
			if <-told == "size "+rid {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("size %s never came", rid)
			}
			b.next(webrtc.RTPCodecTypeVideo) // until the program has seen all sizes
		}
		for n, last := 0, uint16(0); n < 20; {
			packet := b.next(webrtc.RTPCodecTypeVideo)
			if packet.Payload[4] != rid[0] {
				n = 0
				continue
			}
			if n > 0 && packet.SequenceNumber != last+1 {
				t.Fatalf("packet %d follows %d", packet.SequenceNumber, last)
			}
			last = packet.SequenceNumber
			n++
		}
	}
	ended(t, p)
}

func extensionIDs(sender *webrtc.RTPSender) (mid, rid uint8) {
	for _, e := range sender.GetParameters().HeaderExtensions {
		switch e.URI {
		case "urn:ietf:params:rtp-hdrext:sdes:mid":
			mid = uint8(e.ID)
		case "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id":
			rid = uint8(e.ID)
		}
	}
	return mid, rid
}

// What is sent to rtp-to-webrtc as plain RTP reaches its viewers.
func TestRTPToWebRTC(t *testing.T) {
	t.Parallel()
	p := start(t, "rtp-to-webrtc", "-addr", "127.0.0.1:0", "-rtp", "127.0.0.1:0")
	to := p.hears(`RTP is taken at (\S+)$`)[1]
	b := open(t, p, "rtp-to-webrtc")
	b.reads("rtp-to-webrtc")
	b.receives(webrtc.RTPCodecTypeAudio, webrtc.RTPCodecTypeVideo)
	b.calls("")
	conn, err := net.Dial("udp", to)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.Write([]byte("this is no RTP"))
	stop := make(chan struct{})
	t.Cleanup(func() { close(stop) })
	go func() {
		payloader := rtp.NewPacketizer(1000, 100, 1234, &codecs.VP8Payloader{}, rtp.NewRandomSequencer(), 90000)
		all := frames(t)
		due := time.NewTicker(10 * time.Millisecond)
		defer due.Stop()
		for i := 0; ; i++ {
			for _, packet := range payloader.Packetize(all[i%len(all)], 4500) {
				raw, _ := packet.Marshal()
				conn.Write(raw)
			}
			select {
			case <-due.C:
			case <-stop:
				return
			}
		}
	}()
	b.sees(20)
	ended(t, p)
}

// What a page sends to rtp-forwarder leaves as plain RTP of the payload type that its description has.
func TestRTPForwarder(t *testing.T) {
	t.Parallel()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	port := conn.LocalAddr().(*net.UDPAddr).Port
	p := start(t, "rtp-forwarder", "-addr", "127.0.0.1:0", "-video", conn.LocalAddr().String())
	p.hears(fmt.Sprintf(`^m=video %d RTP/AVP 96$`, port))
	b := open(t, p, "rtp-forwarder")
	b.films(webrtc.RTPTransceiverDirectionSendonly)
	b.calls("")
	conn.SetReadDeadline(time.Now().Add(patience))
	buf := make([]byte, 1500)
	for range 50 {
		n, _, err := conn.ReadFrom(buf)
		if err != nil {
			t.Fatal(err)
		}
		var packet rtp.Packet
		if err := packet.Unmarshal(buf[:n]); err != nil {
			t.Fatal(err)
		}
		if packet.PayloadType != 96 || packet.Extension || len(packet.Payload) == 0 {
			t.Fatalf("%v", packet.Header)
		}
	}
	ended(t, p)
}

// Broadcast shows one publisher to all viewers, also to one that comes late; there is one publisher at a time, and another one when it has gone.
func TestBroadcast(t *testing.T) {
	t.Parallel()
	p, early := page(t, "broadcast")
	early.receives(webrtc.RTPCodecTypeAudio, webrtc.RTPCodecTypeVideo)
	early.calls("role=watch")
	publisher := openAt(t, early.url)
	publisher.films(webrtc.RTPTransceiverDirectionSendonly)
	publisher.calls("role=publish")
	early.sees(10)
	late := openAt(t, early.url)
	late.receives(webrtc.RTPCodecTypeVideo)
	late.calls("role=watch")
	late.sees(10)

	second := openAt(t, early.url)
	second.films(webrtc.RTPTransceiverDirectionSendonly)
	if status := second.call("role=publish"); status != http.StatusBadRequest {
		t.Errorf("a second publisher got status %d", status)
	}
	publisher.pc.Close()
	for deadline := time.Now().Add(patience); ; {
		third := openAt(t, early.url)
		third.films(webrtc.RTPTransceiverDirectionSendonly)
		if third.call("role=publish") == http.StatusOK {
			break
		}
		third.pc.Close()
		if time.Now().After(deadline) {
			t.Fatal("the publisher's place stays taken")
		}
	}
	for len(early.packets) > 0 {
		<-early.packets
	}
	early.sees(10)
	ended(t, p)
}

// What insertable-streams sends can be shown with the key, and only with the key.
func TestInsertableStreams(t *testing.T) {
	t.Parallel()
	p := start(t, "insertable-streams", "-addr", "127.0.0.1:0")
	key, err := base64.RawURLEncoding.DecodeString(p.hears(`#(\S+)$`)[1])
	if err != nil {
		t.Fatal(err)
	}
	b := open(t, p, "insertable-streams")
	b.reads("insertable-streams")
	b.receives(webrtc.RTPCodecTypeVideo)
	b.calls("")
	block, err := aes.NewCipher(key)
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	b.shows(20, func(frame []byte) []byte {
		head := 10
		if frame[0]&1 != 0 {
			head = 3
		}
		if len(frame) < head+aead.Overhead()+8 {
			t.Fatalf("frame of %d bytes", len(frame))
		}
		nonce := binary.BigEndian.AppendUint64(make([]byte, 4), binary.BigEndian.Uint64(frame[len(frame)-8:]))
		plain, err := aead.Open(bytes.Clone(frame[:head]), nonce, frame[head:len(frame)-8], frame[:head])
		if err != nil {
			return nil // it began in the middle
		}
		return plain
	})
	ended(t, p)
}

// Stats prints what its connection counts.
func TestStats(t *testing.T) {
	t.Parallel()
	p, b := page(t, "stats", "-every", "50ms")
	b.films(webrtc.RTPTransceiverDirectionSendrecv)
	b.calls("")
	// Each report has its lines in this order.
	p.hears(`^path: round trip \d+\.\d ms, room for `)
	p.hears(`^video in:  [1-9]\d* packets, 0 lost, `)
	p.hears(`^video out: [1-9]\d* packets, 0 sent again`)
	p.hears(`^transport: [1-9]\d* bytes sent, [1-9]\d* received$`)
	b.pc.Close()
	p.hears(`^the connection has ended$`)
	ended(t, p)
}
