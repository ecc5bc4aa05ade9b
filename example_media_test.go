package rtc_test

import (
	"context"
	"fmt"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"

	"github.com/sansrtc/rtc"
	"github.com/sansrtc/rtc/runtime/sim"
)

// newVideo makes a track for packets that are ready to be sent, as those that come from another connection are. It is pion's.
func newVideo(id string) *webrtc.TrackLocalStaticRTP {
	track, err := webrtc.NewTrackLocalStaticRTP(rtc.RTPCodecCapability{MimeType: rtc.MimeTypeVP8, ClockRate: 90000}, id, "camera")
	if err != nil {
		panic(err)
	}
	return track
}

// write sends n packets, one for each picture of a video with 25 of them a second. The track chooses the source and the payload type of each
// connection that it is bound to.
func write(w *sim.World, track *webrtc.TrackLocalStaticRTP, n int) {
	for i := range n {
		p := &rtp.Packet{Header: rtp.Header{
			Version: 2, Marker: true, SequenceNumber: uint16(i), Timestamp: uint32(i * 90000 / 25),
		}, Payload: []byte{0x10, 0, 0, 0}}
		if err := track.WriteRTP(p); err != nil {
			panic(err)
		}
		w.Run(40 * time.Millisecond)
	}
}

// watcher takes packets as they come: it has OnRTP.
type watcher struct {
	rtc.BaseHandler
	pictures int
}

func (v *watcher) OnTrack(_ *rtc.PeerConnection, track *rtc.TrackRemote, _ *rtc.RTPReceiver) {
	fmt.Printf("%s %q of %q in %s\n", track.Kind(), track.ID(), track.StreamID(), track.Codec().MimeType)
}

func (v *watcher) OnRTP(_ *rtc.PeerConnection, _ *rtc.TrackRemote, p *rtp.Packet) {
	if p.Marker {
		v.pictures++
	}
}

func (v *watcher) OnTrackEnded(_ *rtc.PeerConnection, track *rtc.TrackRemote) {
	fmt.Printf("%q has ended after %d pictures\n", track.ID(), v.pictures)
}

// AddTrack sends a track, and the peer's handler hears of it when its first packet comes. A handler with OnRTP gets all packets, in their order
// among the other events.
func ExamplePeerConnection_AddTrack() {
	w := sim.New(sim.Config{Link: sim.Link{Delay: 20 * time.Millisecond}})
	defer w.Close()
	alice, err := rtc.NewBuilder().Runtime(w.Host("alice")).Build(context.Background())
	if err != nil {
		panic(err)
	}
	defer alice.Close()
	bob, err := rtc.NewBuilder().Runtime(w.Host("bob")).Handler(&watcher{}).Build(context.Background())
	if err != nil {
		panic(err)
	}
	defer bob.Close()

	video := newVideo("face")
	if _, err := alice.AddTrack(video); err != nil {
		panic(err)
	}
	if err := connect(alice, bob); err != nil {
		panic(err)
	}
	w.RunUntil(func() bool { return alice.ConnectionState() == rtc.PeerConnectionStateConnected }, time.Second)
	write(w, video, 50)
	alice.Close()
	w.Run(time.Second)
	// Output:
	// video "face" of "camera" in video/VP8
	// "face" has ended after 50 pictures
}

// A program without OnRTP reads packets where it wants them; until it does, the newest wait.
func ExampleTrackRemote_Packets() {
	w := sim.New(sim.Config{Link: sim.Link{Delay: 20 * time.Millisecond}})
	defer w.Close()
	build := func(name string) *rtc.PeerConnection {
		pc, err := rtc.NewBuilder().Runtime(w.Host(name)).Build(context.Background()) // without a handler
		if err != nil {
			panic(err)
		}
		return pc
	}
	alice, bob := build("alice"), build("bob")
	defer alice.Close()
	defer bob.Close()
	video := newVideo("face")
	if _, err := alice.AddTrack(video); err != nil {
		panic(err)
	}
	if err := connect(alice, bob); err != nil {
		panic(err)
	}
	w.RunUntil(func() bool { return alice.ConnectionState() == rtc.PeerConnectionStateConnected }, time.Second)
	write(w, video, 5)

	var face *rtc.TrackRemote
	for face = range bob.Tracks(context.Background()) {
		break // the first is enough
	}
	alice.Close()
	w.Run(time.Second)
	n := 0
	for _, err := range face.Packets(context.Background()) {
		if err != nil {
			panic(err)
		}
		n++
	}
	fmt.Println(n, "packets of", face.ID())
	// Output: 5 packets of face
}

// reflector sends back what it gets, which is all that a server has to do that forwards media.
type reflector struct {
	rtc.BaseHandler
	back *webrtc.TrackLocalStaticRTP
}

func (r *reflector) OnRTP(_ *rtc.PeerConnection, _ *rtc.TrackRemote, p *rtp.Packet) {
	r.back.WriteRTP(p)
}

// OnKeyframeRequest: a viewer that cannot go on is helped by whoever encodes.
func (r *reflector) OnKeyframeRequest(pc *rtc.PeerConnection, sender *rtc.RTPSender, _ string) {
	if track := sender.RTPTransceiver().Receiver().Track(); track != nil {
		track.RequestKeyframe()
	}
}

// RTPHandler and its brothers are powers that a handler may have: methods besides those of EventHandler, which are found when the connection is
// built.
func ExampleRTPHandler() {
	w := sim.New(sim.Config{Link: sim.Link{Delay: 20 * time.Millisecond}})
	defer w.Close()
	mirror := &reflector{back: newVideo("mirrored")}
	bob, err := rtc.NewBuilder().Runtime(w.Host("bob")).Handler(mirror).Build(context.Background())
	if err != nil {
		panic(err)
	}
	defer bob.Close()
	pictures := 0
	alice, err := rtc.NewBuilder().Runtime(w.Host("alice")).Handler(&rtc.HandlerFuncs{
		RTP: func(_ *rtc.PeerConnection, track *rtc.TrackRemote, _ *rtp.Packet) {
			pictures++
			if pictures == 1 {
				track.RequestKeyframe()
			}
		},
		KeyframeRequest: func(_ *rtc.PeerConnection, sender *rtc.RTPSender, _ string) {
			fmt.Println("a keyframe of", sender.Track().ID(), "is wanted")
		},
	}).Build(context.Background())
	if err != nil {
		panic(err)
	}
	defer alice.Close()

	face := newVideo("face")
	if _, err := alice.AddTrack(face); err != nil {
		panic(err)
	}
	if _, err := bob.AddTrack(mirror.back); err != nil {
		panic(err)
	}
	if err := connect(alice, bob); err != nil {
		panic(err)
	}
	w.RunUntil(func() bool { return alice.ConnectionState() == rtc.PeerConnectionStateConnected }, time.Second)
	w.Run(100 * time.Millisecond)
	write(w, face, 25)
	w.Run(100 * time.Millisecond)
	fmt.Println(pictures, "pictures came back")
	// Output:
	// a keyframe of face is wanted
	// 25 pictures came back
}

// ReplaceTrack sends something else on the same m-line, without a negotiation: the peer sees one track go on.
func ExampleRTPSender_ReplaceTrack() {
	w := sim.New(sim.Config{Link: sim.Link{Delay: 20 * time.Millisecond}})
	defer w.Close()
	alice, err := rtc.NewBuilder().Runtime(w.Host("alice")).Build(context.Background())
	if err != nil {
		panic(err)
	}
	defer alice.Close()
	bob, err := rtc.NewBuilder().Runtime(w.Host("bob")).Handler(&watcher{}).Build(context.Background())
	if err != nil {
		panic(err)
	}
	defer bob.Close()

	face, screen := newVideo("face"), newVideo("screen")
	sender, err := alice.AddTrack(face)
	if err != nil {
		panic(err)
	}
	if err := connect(alice, bob); err != nil {
		panic(err)
	}
	w.RunUntil(func() bool { return alice.ConnectionState() == rtc.PeerConnectionStateConnected }, time.Second)
	write(w, face, 10)
	if err := sender.ReplaceTrack(screen); err != nil {
		panic(err)
	}
	write(w, screen, 10)
	if err := sender.ReplaceTrack(nil); err != nil { // a pause
		panic(err)
	}
	write(w, face, 10) // to nobody
	alice.Close()
	w.Run(time.Second)
	// Output:
	// video "face" of "camera" in video/VP8
	// "face" has ended after 20 pictures
}
