package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/pion/rtp"
	"github.com/pion/webrtc/v4"
)

// audience is the other process of fanout: who publishes, and who subscribes.
type audience struct {
	stack   stack
	joining peer // has offered
	all     []*seat
	peers   []peer
	local   *webrtc.TrackLocalStaticRTP
	stop    chan struct{} // ends who plays
	stopped chan struct{}
	sent    atomic.Uint64
	arrived atomic.Uint64 // packets, of all subscribers together
	reached atomic.Uint64 // likewise, and with those that were lost before them
}

// audienceStack is what publisher and subscribers are of, whatever forwards: the one that takes the least from the forwarder's cores.
const audienceStack = "sansrtc-loop"

// seat is where a subscriber counts what it gets.
type seat struct {
	last atomic.Uint64 // number of the latest packet
}

// cue is what the audience is asked to do. One field is set; none asks for how it is.
type cue struct {
	Join   role   `json:",omitempty"` // answered by an offer
	Answer string `json:",omitempty"` // to the last offer
	Ready  bool   `json:",omitempty"` // wait until every subscriber sees what is published
	Play   *play  `json:",omitempty"`
	End    bool   `json:",omitempty"` // stop playing, and wait for what is under way
}

// scene is how the audience is.
type scene struct {
	Offer         string `json:",omitempty"`
	Arrived, Lost uint64 // at subscribers; Lost is told at the end
}

type role string

const (
	publisher  role = "publisher"
	subscriber role = "subscriber"
)

// play is how the publisher sends from now on: Burst packets together, each Gap; or, with Window, as fast as it goes with so many in flight.
type play struct {
	Burst, Window int
	Gap           time.Duration
}

func (a *audience) handle(q cue) (r scene, err error) {
	switch {
	case q.Join != "":
		r.Offer, err = a.join(q.Join)
	case q.Answer != "":
		err = a.joining.accept(q.Answer)
	case q.Ready:
		err = a.ready()
	case q.Play != nil:
		a.rest()
		a.play(*q.Play)
	case q.End:
		a.rest()
		r.Lost = a.lost()
	}
	r.Arrived = a.arrived.Load()
	return r, err
}

func (a *audience) join(r role) (offer string, err error) {
	if a.joining, err = a.stack.newPeer(offerer); err != nil {
		return "", err
	}
	a.peers = append(a.peers, a.joining)
	if r == publisher {
		if a.local, err = video(); err == nil {
			err = a.joining.send(a.local)
		}
	} else {
		s := new(seat)
		a.all = append(a.all, s)
		a.joining.onRTP(func(p *rtp.Packet) { a.see(s, p) })
		err = a.joining.receive(webrtc.RTPCodecTypeVideo)
	}
	if err != nil {
		return "", err
	}
	return a.joining.offer()
}

// see counts a packet. One subscriber's come one at a time.
func (a *audience) see(s *seat, p *rtp.Packet) {
	a.arrived.Add(1)
	n, last := binary.BigEndian.Uint64(p.Payload), s.last.Load()
	if n > last {
		s.last.Store(n)
		a.reached.Add(n - last)
	}
}

// write sends the next packet.
func (a *audience) write() error {
	n := a.sent.Add(1)
	p := rtp.Packet{
		Header:  rtp.Header{Version: 2, SequenceNumber: uint16(n), Timestamp: uint32(n * 90000 / packetsPerSecond), Marker: n%8 == 0},
		Payload: make([]byte, packetSize),
	}
	binary.BigEndian.PutUint64(p.Payload, n)
	return a.local.WriteRTP(&p)
}

// ready publishes slowly until every subscriber has seen something, and forgets about it.
func (a *audience) ready() error {
	seen := func() bool {
		for _, s := range a.all {
			if s.last.Load() == 0 {
				return false
			}
		}
		return true
	}
	for begin := time.Now(); !seen(); time.Sleep(20 * ms) {
		if time.Since(begin) > patience {
			return errors.New("not every subscriber sees what is published")
		}
		if err := a.write(); err != nil {
			return err
		}
	}
	a.settle()
	a.reached.Store(a.sent.Load() * uint64(len(a.all)))
	a.arrived.Store(a.reached.Load())
	return nil
}

// settle waits until nothing arrives any more.
func (a *audience) settle() {
	for n, was := a.arrived.Load(), uint64(0); n != was; n, was = a.arrived.Load(), n {
		time.Sleep(200 * ms)
	}
}

// lost is what did not arrive, when all is quiet.
func (a *audience) lost() uint64 {
	a.settle()
	return max(a.sent.Load()*uint64(len(a.all)), a.arrived.Load()) - a.arrived.Load()
}

// rest stops who plays.
func (a *audience) rest() {
	if a.stop != nil {
		close(a.stop)
		<-a.stopped
		a.stop = nil
	}
}

func (a *audience) play(p play) {
	a.stop, a.stopped = make(chan struct{}), make(chan struct{})
	go func() { // ends by rest
		defer close(a.stopped)
		next := time.Now()
		for {
			select {
			case <-a.stop:
				return
			default:
			}
			if p.Window > 0 {
				a.awaitRoom(uint64(p.Window - p.Burst))
			} else {
				next = next.Add(p.Gap)
				time.Sleep(time.Until(next))
			}
			for range p.Burst {
				if err := a.write(); err != nil {
					panic(fmt.Sprintf("publisher: %v", err))
				}
			}
		}
	}()
}

// awaitRoom waits until at most so many packets are on their way to the average subscriber. What stays lost at the end of the way is waited for
// no longer than it takes to notice.
func (a *audience) awaitRoom(most uint64) {
	const stall = 100 * ms
	moved, was := time.Now(), a.reached.Load()
	for a.sent.Load()-a.reached.Load()/uint64(len(a.all)) > most {
		time.Sleep(50 * time.Microsecond)
		if now := a.reached.Load(); now != was {
			moved, was = time.Now(), now
		} else if time.Since(moved) > stall {
			return
		}
	}
}

// attend is the process of the audience, until in ends.
func attend(stack string, in io.Reader, out io.Writer) error {
	s, err := newStack(stack, settings{media: true, single: true})
	if err != nil {
		return err
	}
	a := &audience{stack: s}
	defer func() {
		a.rest()
		for _, p := range a.peers {
			p.close()
		}
	}()
	return serve(in, out, a.handle)
}
