package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// side is which end of a connection a peer is.
type side int

const (
	offerer side = iota
	answerer
)

// stack makes peers.
type stack interface {
	newPeer(s side) (peer, error)
}

// peer is one connection of a stack.
type peer interface {
	// onOpen is told of each channel that is open, whoever made it. It is set before anything else is called.
	onOpen(f func(label string, c channel))
	createChannel(label string) error    // reliable and ordered
	offer() (sdp string, err error)      // with all candidates
	answer(offer string) (string, error) // with all candidates
	accept(answer string) error
	close()

	// What follows is for peers that were made with settings.media.

	send(t webrtc.TrackLocal) error
	receive(k webrtc.RTPCodecType) error
	// onRTP is told of the packets of all tracks, those of one track one at a time; p is lent until f returns. It is set before anything else is
	// called.
	onRTP(f func(p *rtp.Packet))
}

// channel is an open data channel.
type channel interface {
	send(b []byte) error
	sendWait(b []byte) error    // waits while much is buffered
	buffered() uint64           // the stack's bufferedAmount
	onMessage(f func(b []byte)) // calls come one at a time; b is lent until f returns
}

// settings are what a row asks of a stack.
type settings struct {
	// datagram is the largest that data leaves in, in bytes of UDP payload; 0 leaves it to the stack.
	datagram int
	media    bool // audio and video may be sent and received
	single   bool // sansrtc-loop: each datagram has a system call of its own, as in browsers
}

// stackNames in the order of the tables. The first is what the others are compared with.
var stackNames = []string{"sansrtc", "sansrtc-loop", "sansrtc-mux", "pion", "pion-tuned"}

func newStack(name string, o settings) (stack, error) {
	switch name {
	case "sansrtc", "sansrtc-loop", "sansrtc-mux":
		return newSans(name, o)
	case "pion":
		return newPion()
	case "pion-tuned":
		return newTunedPion(o, nil)
	}
	return nil, fmt.Errorf("no such stack: %q", name)
}

// Bulk senders stop above bulkHigh bytes of bufferedAmount and go on at bulkLow.
const (
	bulkHigh = 1 << 20
	bulkLow  = 512 << 10
)

// patience is how long something may take that takes milliseconds.
const patience = 30 * time.Second

// end is one end of a connection in this process. Its channels come out of open.
type end struct {
	peer
	open chan labelled
}

type labelled struct {
	label string
	channel
}

// maxChannels is how many channels a row makes on one connection, at most.
const maxChannels = 3

func newEnd(s stack, which side) (end, error) {
	p, err := s.newPeer(which)
	if err != nil {
		return end{}, err
	}
	e := end{p, make(chan labelled, maxChannels)}
	p.onOpen(func(label string, c channel) { e.open <- labelled{label, c} })
	return e, nil
}

// channel waits for the next channel that opens.
func (e end) channel() (channel, error) {
	select {
	case c := <-e.open:
		return c.channel, nil
	case <-time.After(patience):
		return nil, errors.New("the connection does not open")
	}
}

// join makes both ends of a connection with channels and has them exchange descriptions.
func join(s stack, labels ...string) (a, b end, err error) {
	if a, err = newEnd(s, offerer); err != nil {
		return a, b, err
	}
	if b, err = newEnd(s, answerer); err != nil {
		return a, b, err
	}
	return a, b, introduce(a, b.answer, labels...)
}

// introduce makes channels at a and exchanges descriptions with whoever answers.
func introduce(a end, answer func(offer string) (string, error), labels ...string) error {
	for _, label := range labels {
		if err := a.createChannel(label); err != nil {
			return err
		}
	}
	offer, err := a.offer()
	if err != nil {
		return fmt.Errorf("offer: %w", err)
	}
	description, err := answer(offer)
	if err != nil {
		return fmt.Errorf("answer: %w", err)
	}
	if err := a.accept(description); err != nil {
		return fmt.Errorf("accept: %w", err)
	}
	return nil
}
