package main

import (
	"context"
	"crypto/rand"
	"errors"
	"net/url"
	"sync"

	"github.com/sansrtc/rtc"
)

const (
	maxName = 40 // bytes
	maxRoom = 16 // participants
)

// house has the rooms that somebody is in.
type house struct {
	mu    sync.Mutex
	rooms map[string]*room
}

// room is what its participants share. Their connections' methods may be called with mu held: none waits for a handler.
type room struct {
	name         string
	participants map[string]*participant // guarded by house.mu
}

var errFull = errors.New("the room is full")

// begin makes the connection of a participant, who is in the room as soon as it is connected.
func (h *house) begin(ctx context.Context, query url.Values) (*rtc.PeerConnection, error) {
	p := &participant{house: h, id: rand.Text(), name: query.Get("name"), roomName: query.Get("room")}
	if len(p.name) > maxName || len(p.roomName) > maxName || p.name == "" || p.roomName == "" {
		return nil, errors.New("a name and a room are needed, of at most 40 bytes each")
	}
	if err := p.makeTracks(); err != nil {
		return nil, err
	}
	pc, err := rtc.NewBuilder().Handler(p).Build(ctx)
	if err != nil {
		return nil, err
	}
	negotiated, id := true, uint16(signalChannel)
	if _, err := pc.CreateDataChannel("signal", &rtc.DataChannelInit{Negotiated: &negotiated, ID: &id}); err != nil {
		pc.Close()
		return nil, err
	}
	p.pc = pc
	return pc, nil
}

// enter lets a participant in: it receives all others, and they receive it.
func (h *house) enter(p *participant) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := h.rooms[p.roomName]
	if r == nil {
		r = &room{name: p.roomName, participants: map[string]*participant{}}
		h.rooms[r.name] = r
	}
	if len(r.participants) >= maxRoom {
		return errFull
	}
	for _, other := range r.participants {
		other.receive(p)
		p.receive(other)
	}
	r.participants[p.id] = p
	r.tell()
	return nil
}

// leave is enter's reverse.
func (h *house) leave(p *participant) {
	h.mu.Lock()
	defer h.mu.Unlock()
	r := h.rooms[p.roomName]
	if r == nil || r.participants[p.id] != p {
		return // it never entered
	}
	delete(r.participants, p.id)
	if len(r.participants) == 0 {
		delete(h.rooms, r.name)
	}
	for _, other := range r.participants {
		other.forget(p)
	}
	r.tell()
}

// find is the participant of a room with that id, or nil.
func (h *house) find(roomName, id string) *participant {
	h.mu.Lock()
	defer h.mu.Unlock()
	if r := h.rooms[roomName]; r != nil {
		return r.participants[id]
	}
	return nil
}

// tell says to everybody who is there.
func (r *room) tell() {
	names := map[string]string{}
	for id, p := range r.participants {
		names[id] = p.name
	}
	for id, p := range r.participants {
		p.send(message{You: id, Names: names})
	}
}
