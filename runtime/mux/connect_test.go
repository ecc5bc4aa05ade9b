package mux_test

import (
	"context"
	"fmt"
	"net/netip"
	goruntime "runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/sansrtc/rtc"
	"github.com/sansrtc/rtc/runtime"
	"github.com/sansrtc/rtc/runtime/loop"
	"github.com/sansrtc/rtc/runtime/mux"
	"github.com/sansrtc/rtc/runtime/std"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// ear is a handler that passes on what it hears.
type ear struct {
	rtc.BaseHandler
	open     chan *rtc.DataChannel
	messages chan string
}

func newEar() *ear {
	return &ear{open: make(chan *rtc.DataChannel, 1), messages: make(chan string, 10)}
}

func (e *ear) OnDataChannelOpen(_ *rtc.PeerConnection, dc *rtc.DataChannel) { e.open <- dc }

func (e *ear) OnDataChannelMessage(_ *rtc.PeerConnection, _ *rtc.DataChannel, m rtc.DataChannelMessage) {
	e.messages <- string(m.Data)
}

func receive[T any](t testing.TB, what string, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(15 * time.Second):
		t.Errorf("%s: nothing after 15 s", what)
	}
	return v
}

func newMux(t testing.TB, cfg mux.Config) *mux.Runtime {
	t.Helper()
	rt, err := mux.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { rt.Close() })
	return rt
}

func build(t testing.TB, rt runtime.Runtime, h rtc.EventHandler) *rtc.PeerConnection {
	t.Helper()
	pc, err := rtc.NewBuilder().Runtime(rt).Handler(h).ICE(rtc.ICEOptions{IncludeLoopback: true}).Build(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pc.Close(); <-pc.Done() })
	return pc
}

// negotiate connects two connections without trickle.
func negotiate(t testing.TB, offerer, answerer *rtc.PeerConnection) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	offer, err := offerer.CreateOffer(nil)
	must(err)
	must(offerer.SetLocalDescription(offer))
	<-offerer.GatheringComplete()
	must(answerer.SetRemoteDescription(*offerer.LocalDescription()))
	answer, err := answerer.CreateAnswer(nil)
	must(err)
	must(answerer.SetLocalDescription(answer))
	<-answerer.GatheringComplete()
	must(offerer.SetRemoteDescription(*answerer.LocalDescription()))
}

// pair is two connections with a channel.
type pair struct {
	pc   [2]*rtc.PeerConnection
	ears [2]*ear
	dc   [2]*rtc.DataChannel
}

func newPair(t testing.TB, a, b runtime.Runtime) *pair {
	t.Helper()
	p := &pair{ears: [2]*ear{newEar(), newEar()}}
	for i, rt := range []runtime.Runtime{a, b} {
		p.pc[i] = build(t, rt, p.ears[i])
	}
	if _, err := p.pc[0].CreateDataChannel("data", nil); err != nil {
		t.Fatal(err)
	}
	negotiate(t, p.pc[0], p.pc[1])
	return p
}

// talk waits for the channel and sends a message each way.
func (p *pair) talk(t testing.TB, n int) {
	t.Helper()
	for i := range p.dc {
		if p.dc[i] = receive(t, fmt.Sprintf("pair %d: the channel opens", n), p.ears[i].open); p.dc[i] == nil {
			return
		}
	}
	for i := range p.dc {
		want := fmt.Sprintf("%d from %d", n, i)
		if err := p.dc[i].SendText(want); err != nil {
			t.Errorf("pair %d: %v", n, err)
		}
		if got := receive(t, want, p.ears[1-i].messages); got != want {
			t.Errorf("pair %d heard %q, want %q", n, got, want)
		}
	}
}

// Fifty connections of one port talk to fifty that have ports of their own, at the same time, and hold no goroutine each.
func TestManyConnectionsOnOnePort(t *testing.T) {
	const n = 50
	rt := newMux(t, mux.Config{Shards: 2})
	before := goruntime.NumGoroutine()
	pairs := make([]*pair, n)
	for i := range pairs {
		offerer, answerer := runtime.Runtime(rt), runtime.Runtime(std.Default())
		if i%2 == 0 {
			offerer, answerer = answerer, offerer
		}
		pairs[i] = newPair(t, offerer, answerer)
	}
	var all sync.WaitGroup
	for i, p := range pairs {
		all.Go(func() { p.talk(t, i) })
	}
	all.Wait()
	perStd := 1
	if eachAddress {
		list, err := rt.Interfaces()
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range list {
			perStd += len(i.Addrs)
		}
	}
	if more := goruntime.NumGoroutine() - before; more > n*perStd+3 {
		t.Errorf("%d goroutines for %d connections of std and as many of mux", more, n)
	}
	st := rt.Stats()
	if st.Claims != n || st.Routes < n || st.Hosts != n {
		t.Errorf("%+v: want %d claims and hosts, and at least as many routes", st, n)
	}
	for _, p := range pairs {
		for _, pc := range p.pc {
			pc.Close()
			<-pc.Done()
		}
	}
	if st := rt.Stats(); st.Claims+st.Routes != 0 || st.Hosts != 0 {
		t.Errorf("after Close: %+v", st)
	}
}

func TestTwoMuxes(t *testing.T) {
	a, b := newMux(t, mux.Config{}), newMux(t, mux.Config{Shards: 3})
	newPair(t, a, b).talk(t, 0)
}

// "Between the same two muxes there may be as many connections as the product of their numbers of ports"; a quarter of them at once here,
// since a connection holds two paths while it is made.
func TestManyConnectionsBetweenTwoMuxes(t *testing.T) {
	const ports, n = 8, 16
	a, b := newMux(t, mux.Config{Ports: ports}), newMux(t, mux.Config{Ports: ports, Shards: 3})
	if len(a.LocalAddrs()) != ports || a.LocalAddrs()[0] != a.LocalAddr() {
		t.Errorf("the ports are %v", a.LocalAddrs())
	}
	talkAll(t, n, a, b)
	if c := a.Stats().Contested + b.Stats().Contested; c != 0 {
		t.Errorf("%d sends found no port", c)
	}
}

func TestTwoConnectionsOfOneMux(t *testing.T) {
	rt := newMux(t, mux.Config{Ports: 4})
	talkAll(t, 3, rt, rt)
}

// talkAll has n connections of a talk to as many of b.
func talkAll(t *testing.T, n int, a, b runtime.Runtime) {
	var all sync.WaitGroup
	for i := range n {
		p := newPair(t, a, b)
		all.Go(func() { p.talk(t, i) })
	}
	all.Wait()
}

// An ICE restart brings a new username fragment, and the connection goes on.
func TestRestartOnAMux(t *testing.T) {
	rt := newMux(t, mux.Config{})
	p := newPair(t, rt, loop.New(loop.Config{}))
	p.talk(t, 0)
	for n := range 6 { // more often than a socket keeps fragments
		p.pc[n%2].RestartICE()
		negotiate(t, p.pc[n%2], p.pc[1-n%2])
		for i := range p.dc {
			want := fmt.Sprintf("restart %d from %d", n, i)
			if err := p.dc[i].SendText(want); err != nil {
				t.Fatal(err)
			}
			if got := receive(t, want, p.ears[1-i].messages); got != want {
				t.Fatalf("heard %q, want %q", got, want)
			}
		}
	}
	if st := rt.Stats(); st.Claims == 0 || st.Claims > 4 {
		t.Errorf("%+v: want the claims of the last generations", st)
	}
}

// A server makes the connection when the first check arrives: "If a socket has claimed ufrag when UnknownUfrag returns, it gets the request."
func TestFirstCheckIsNotLost(t *testing.T) {
	told := make(chan string, 10)
	claimed := make(chan struct{})
	rt := newMux(t, mux.Config{UnknownUfrag: func(ufrag string, from netip.AddrPort) {
		told <- ufrag
		<-claimed
	}})
	p := &pair{ears: [2]*ear{newEar(), newEar()}}
	p.pc[0], p.pc[1] = build(t, std.Default(), p.ears[0]), build(t, rt, p.ears[1])
	if _, err := p.pc[0].CreateDataChannel("data", nil); err != nil {
		t.Fatal(err)
	}
	// The answer names the server's address and credentials before the server has taken it as its own.
	offer, err := p.pc[0].CreateOffer(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.pc[0].SetLocalDescription(offer); err != nil {
		t.Fatal(err)
	}
	if err := p.pc[1].SetRemoteDescription(*p.pc[0].LocalDescription()); err != nil {
		t.Fatal(err)
	}
	answer, err := p.pc[1].CreateAnswer(nil)
	if err != nil {
		t.Fatal(err)
	}
	early := answer
	early.SDP += fmt.Sprintf("a=candidate:1 1 udp 2130706431 127.0.0.1 %d typ host\r\n", rt.LocalAddr().Port())
	if err := p.pc[0].SetRemoteDescription(early); err != nil {
		t.Fatal(err)
	}
	if ufrag := receive(t, "the hook", told); !strings.Contains(answer.SDP, "a=ice-ufrag:"+ufrag+"\r\n") {
		t.Errorf("the hook is told of %q", ufrag)
	}
	if err := p.pc[1].SetLocalDescription(answer); err != nil {
		t.Fatal(err)
	}
	close(claimed)
	p.talk(t, 0)
}
