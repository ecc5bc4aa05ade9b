package main

import "fmt"

// peer is one connection of a stack. Its callbacks are set before connect and come one at a time for each channel.
type peer interface {
	// createChannel makes a channel; reliable and ordered unless lossy.
	createChannel(label string) error
	// onOpen tells of each channel that is open, whoever made it.
	onOpen(f func(c channel))
	offer() (sdp string, err error)      // with all candidates
	answer(offer string) (string, error) // with all candidates
	accept(answer string) error
	close()
}

// channel is an open data channel.
type channel interface {
	send(b []byte) error
	sendWait(b []byte) error // waits while much is buffered: the stack's own way of sending in bulk
	onMessage(f func(b []byte))
}

// stack makes peers.
type stack interface {
	newPeer() (peer, error)
}

var stacks = map[string]func() (stack, error){
	"sansrtc":    newSans,
	"pion":       func() (stack, error) { return newPion(false) },
	"pion-tuned": func() (stack, error) { return newPion(true) },
}

// connectPair makes two peers of s with one channel between them.
func connectPair(s stack) (a, b peer, ca, cb channel, err error) {
	if a, err = s.newPeer(); err != nil {
		return
	}
	if b, err = s.newPeer(); err != nil {
		return
	}
	openA, openB := make(chan channel, 1), make(chan channel, 1)
	a.onOpen(func(c channel) { openA <- c })
	b.onOpen(func(c channel) { openB <- c })
	if err = a.createChannel("bench"); err != nil {
		return
	}
	offer, err := a.offer()
	if err != nil {
		return a, b, nil, nil, fmt.Errorf("offer: %w", err)
	}
	answer, err := b.answer(offer)
	if err != nil {
		return a, b, nil, nil, fmt.Errorf("answer: %w", err)
	}
	if err = a.accept(answer); err != nil {
		return a, b, nil, nil, fmt.Errorf("accept: %w", err)
	}
	return a, b, <-openA, <-openB, nil
}
