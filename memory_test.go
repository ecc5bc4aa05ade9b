package rtc_test

import (
	"context"
	"testing"
	"time"

	"github.com/sansrtc/rtc"
	"github.com/sansrtc/rtc/runtime/sim"
)

// counter is a handler that keeps nothing.
type counter struct {
	rtc.BaseHandler
	open, messages int
}

func (c *counter) OnDataChannelOpen(*rtc.PeerConnection, *rtc.DataChannel) { c.open++ }

func (c *counter) OnDataChannelMessage(*rtc.PeerConnection, *rtc.DataChannel, rtc.DataChannelMessage) {
	c.messages++
}

// What a connected connection may hold on the heap, with the simulator's share of it, and by how much that grows with a transfer: by what a socket
// of the simulator keeps for what arrives at once.
const (
	maxIdle  = 17 << 10
	maxGrown = 14 << 10
)

// A connected connection that is idle is small, and after a bulk transfer, and as many small messages as fit, it becomes as small again.
func TestIdleConnectionIsSmall(t *testing.T) {
	const pairs = 40
	w := sim.New(sim.Config{Link: sim.Link{Delay: time.Millisecond}})
	defer w.Close()
	a, b := w.Host("a"), w.Host("b")
	certificate, err := rtc.GenerateCertificate()
	if err != nil {
		t.Fatal(err)
	}
	base := rtc.NewBuilder().Certificates(*certificate)
	heard := &counter{}
	var pcs []*rtc.PeerConnection
	var channels []*rtc.DataChannel
	connect := func() {
		var pc [2]*rtc.PeerConnection
		for i, h := range []*sim.Host{a, b} {
			if pc[i], err = base.Runtime(h).Handler(heard).Build(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		dc, err := pc[0].CreateDataChannel("data", nil)
		if err != nil {
			t.Fatal(err)
		}
		negotiate(t, pc[0], pc[1], nil)
		pcs, channels = append(pcs, pc[:]...), append(channels, dc)
	}
	bulk, small := make([]byte, 64<<10), make([]byte, 20)
	const bulks, smalls = 30, 3000
	// transfer runs one connection at a time, so that the first one brings the simulator's buffers to their size.
	transfer := func(dc *rtc.DataChannel) {
		for range bulks {
			if err := dc.Send(bulk); err != nil {
				t.Fatal(err)
			}
		}
		for range smalls {
			if err := dc.Send(small); err != nil {
				t.Fatal(err)
			}
		}
		heard.messages = 0
		w.Run(time.Second)
		if heard.messages != bulks+smalls {
			t.Fatalf("%d messages arrived, want %d", heard.messages, bulks+smalls)
		}
	}
	grown := func(from int) int { return (heap() - from) / (2 * pairs) }

	// What is made once, by this package and below, is not a connection's, nor are the buffers of the simulator for what many send at once.
	for range pairs {
		connect()
	}
	w.Run(time.Second)
	for _, pc := range pcs {
		pc.Close()
	}
	w.Run(time.Second)
	heard.open, pcs, channels = 0, nil, nil
	connect()
	w.Run(time.Second)
	transfer(channels[0])
	w.Run(20 * time.Second)
	empty := heap()
	for range pairs {
		connect()
	}
	w.Run(10 * time.Second)
	if heard.open != 2*(pairs+1) {
		t.Fatalf("%d ends are open, want %d", heard.open, 2*(pairs+1))
	}
	idle := grown(empty)
	t.Logf("%d bytes for each connection", idle)
	if idle > maxIdle {
		t.Errorf("an idle connection holds %d bytes of heap, want at most %d", idle, maxIdle)
	}

	for _, dc := range channels {
		transfer(dc)
	}
	w.Run(20 * time.Second)
	if rested := grown(empty); rested > idle+maxGrown {
		t.Errorf("after a transfer an idle connection holds %d bytes of heap, %d before", rested, idle)
	}
	for _, pc := range pcs {
		pc.Close()
	}
	w.Run(time.Second)
	pcs, channels = nil, nil
	if left := grown(empty); left > idle/10 {
		t.Errorf("%d bytes are left of each closed connection", left)
	}
}
