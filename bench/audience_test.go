package main

import (
	"encoding/binary"
	"testing"

	"github.com/pion/rtp"
)

// Promise: a packet counts once for each subscriber that it reaches, and one that was lost counts as under way until a later one has come.
func TestAudienceCounts(t *testing.T) {
	a := &audience{all: []*seat{new(seat), new(seat)}}
	see := func(subscriber int, numbers ...uint64) {
		for _, n := range numbers {
			a.see(a.all[subscriber], &rtp.Packet{Payload: binary.BigEndian.AppendUint64(nil, n)})
		}
	}
	a.sent.Store(10)
	see(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10)
	see(1, 1, 2, 5, 4, 7)
	if arrived, reached := a.arrived.Load(), a.reached.Load(); arrived != 15 || reached != 17 {
		t.Errorf("%d have arrived, and %d with those that are missed", arrived, reached)
	}
	if n := a.lost(); n != 5 {
		t.Errorf("%d are lost", n)
	}
	see(1, 10)
	if reached := a.reached.Load(); reached != 20 {
		t.Errorf("%d of 20 are under way no more", reached)
	}
}

// Promise: the publisher keeps to its window, and goes on when the end of what is under way stays lost.
func TestAudienceWindow(t *testing.T) {
	a := &audience{all: []*seat{new(seat)}}
	a.sent.Store(64)
	room := make(chan struct{})
	go func() {
		a.awaitRoom(56)
		close(room)
	}()
	a.see(a.all[0], &rtp.Packet{Payload: binary.BigEndian.AppendUint64(nil, 8)})
	<-room
	a.awaitRoom(55)
}
