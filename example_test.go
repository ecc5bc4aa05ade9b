package rtc_test

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/sansrtc/rtc"
	"github.com/sansrtc/rtc/runtime/sim"
)

// connect is the signaling of these examples: both ends live in one program, so descriptions are handed over. They are complete at once, as
// host candidates are gathered within SetLocalDescription.
func connect(offerer, answerer *rtc.PeerConnection) error {
	if err := offerer.SetLocalDescription(rtc.SessionDescription{}); err != nil {
		return err
	}
	if err := answerer.SetRemoteDescription(*offerer.LocalDescription()); err != nil {
		return err
	}
	if err := answerer.SetLocalDescription(rtc.SessionDescription{}); err != nil {
		return err
	}
	return offerer.SetRemoteDescription(*answerer.LocalDescription())
}

// greeter greets each channel that opens, and prints what comes back.
type greeter struct {
	rtc.BaseHandler
	name string
}

func (g *greeter) OnDataChannelOpen(_ *rtc.PeerConnection, dc *rtc.DataChannel) {
	dc.SendText("hello from " + g.name)
}

func (g *greeter) OnDataChannelMessage(_ *rtc.PeerConnection, dc *rtc.DataChannel, msg rtc.DataChannelMessage) {
	fmt.Printf("%s: %s\n", g.name, msg.Data)
}

// A Builder is a value: a base serves for many connections. These two live in a simulated world; without Runtime they would have the operating
// system's sockets.
func ExampleBuilder() {
	w := sim.New(sim.Config{Link: sim.Link{Delay: 20 * time.Millisecond}})
	defer w.Close()
	base := rtc.NewBuilder().SCTP(rtc.SCTPOptions{MaxMessageSize: 64 << 10})

	alice, err := base.Runtime(w.Host("alice")).Handler(&greeter{name: "alice"}).Build(context.Background())
	if err != nil {
		panic(err)
	}
	defer alice.Close()
	bob, err := base.Runtime(w.Host("bob")).Handler(&greeter{name: "bob"}).Build(context.Background())
	if err != nil {
		panic(err)
	}
	defer bob.Close()

	if _, err := alice.CreateDataChannel("chat", nil); err != nil {
		panic(err)
	}
	if err := connect(alice, bob); err != nil {
		panic(err)
	}
	w.Run(time.Second)
	// Output:
	// bob: hello from alice
	// alice: hello from bob
}

// HandlerFuncs is a handler for short programs: only the functions that are set are called.
func ExampleHandlerFuncs() {
	w := sim.New(sim.Config{Link: sim.Link{Delay: 20 * time.Millisecond}})
	defer w.Close()
	build := func(name string, h *rtc.HandlerFuncs) *rtc.PeerConnection {
		pc, err := rtc.NewBuilder().Runtime(w.Host(name)).Handler(h).Build(context.Background())
		if err != nil {
			panic(err)
		}
		return pc
	}
	alice := build("alice", &rtc.HandlerFuncs{
		ConnectionStateChange: func(_ *rtc.PeerConnection, s rtc.PeerConnectionState) { fmt.Println("alice is", s) },
		DataChannelOpen:       func(_ *rtc.PeerConnection, dc *rtc.DataChannel) { dc.SendText("ping") },
		DataChannelMessage: func(pc *rtc.PeerConnection, _ *rtc.DataChannel, msg rtc.DataChannelMessage) {
			fmt.Printf("alice got %s\n", msg.Data)
			pc.Close()
		},
	})
	bob := build("bob", &rtc.HandlerFuncs{
		DataChannelMessage: func(_ *rtc.PeerConnection, dc *rtc.DataChannel, msg rtc.DataChannelMessage) {
			fmt.Printf("bob got %s on %q\n", msg.Data, dc.Label())
			dc.SendText("pong")
		},
		ConnectionStateChange: func(_ *rtc.PeerConnection, s rtc.PeerConnectionState) { fmt.Println("bob is", s) },
	})
	if _, err := alice.CreateDataChannel("table tennis", nil); err != nil {
		panic(err)
	}
	if err := connect(alice, bob); err != nil {
		panic(err)
	}
	w.Run(time.Second)
	<-alice.Done()
	<-bob.Done()
	// Output:
	// alice is connecting
	// bob is connecting
	// alice is connected
	// bob is connected
	// bob got ping on "table tennis"
	// alice got pong
	// alice is closed
	// bob is closed
}

// Messages turns a channel around: instead of being told of messages, a program takes them. What it has not taken stops the sender in time.
func ExampleDataChannel_Messages() {
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
	dc, err := alice.CreateDataChannel("numbers", nil)
	if err != nil {
		panic(err)
	}
	if err := connect(alice, bob); err != nil {
		panic(err)
	}
	w.RunUntil(func() bool { return dc.ReadyState() == rtc.DataChannelStateOpen }, time.Second)
	for _, text := range []string{"one", "two", "three"} {
		if err := dc.SendText(text); err != nil {
			panic(err)
		}
	}
	w.Run(time.Second)
	var incoming *rtc.DataChannel
	for incoming = range bob.DataChannels(context.Background()) {
		break // the first is enough
	}
	dc.Close() // what was sent before is there
	w.Run(time.Second)

	for msg, err := range incoming.Messages(context.Background()) {
		if err != nil {
			panic(err)
		}
		fmt.Printf("%s\n", msg.Data)
	}
	fmt.Println(incoming.Label(), "is", incoming.ReadyState())
	// Output:
	// one
	// two
	// three
	// numbers is closed
}

// Detach gives a channel as a stream of bytes, for everything that reads and writes those.
func ExampleDataChannel_Detach() {
	w := sim.New(sim.Config{Link: sim.Link{Delay: 20 * time.Millisecond}})
	defer w.Close()
	var received io.Reader
	bob, err := rtc.NewBuilder().Runtime(w.Host("bob")).Handler(&rtc.HandlerFuncs{
		DataChannel: func(_ *rtc.PeerConnection, dc *rtc.DataChannel) { received = dc.Detach() },
	}).Build(context.Background())
	if err != nil {
		panic(err)
	}
	defer bob.Close()
	alice, err := rtc.NewBuilder().Runtime(w.Host("alice")).Build(context.Background())
	if err != nil {
		panic(err)
	}
	defer alice.Close()
	dc, err := alice.CreateDataChannel("stream", nil)
	if err != nil {
		panic(err)
	}
	if err := connect(alice, bob); err != nil {
		panic(err)
	}
	w.RunUntil(func() bool { return dc.ReadyState() == rtc.DataChannelStateOpen }, time.Second)

	s := dc.Detach()
	fmt.Fprintln(s, "a stream has no messages,")
	fmt.Fprintln(s, "only bytes")
	s.Close()
	w.Run(time.Second)
	text, err := io.ReadAll(received)
	fmt.Printf("%s%v\n", text, err)
	// Output:
	// a stream has no messages,
	// only bytes
	// <nil>
}
