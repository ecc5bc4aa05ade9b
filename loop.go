package rtc

import (
	"net/netip"
	"sync"
	"time"

	"github.com/pion/rtp"

	"github.com/sansrtc/rtc/internal/sansio/peer"
	"github.com/sansrtc/rtc/runtime"
)

// loop is a connection's event loop, the only owner of its Core. The runtime drives it: Receive and Turn do the protocol's work, Dispatch
// runs the handlers. Other goroutines leave their work by update.
//
// mu is never held while user code runs, so no call of the API can wait for a handler, and a handler may make every call. What keeps
// events in order and one at a time is dispatching: while it is set, one goroutine, and no other, is inside Dispatch.
type loop struct {
	pc   *PeerConnection
	host runtime.Host

	gathering sync.Mutex // one at a time

	mu       sync.Mutex // guards everything below, and the Core
	core     *peer.Core
	listen   []netip.AddrPort
	sockets  []runtime.UDPSocket
	latest   time.Time // what the core was told of the time
	armed    time.Time // when the host will call Turn at the latest; zero: not by itself
	dirty    bool      // something waits for flush
	closed   bool      // Close was called, or the peer's close was seen: sockets are closed
	released bool

	dispatching  bool
	told         bool      // the last event was told
	carriesMedia bool      // the connection has been connected: tracks are bound
	gathered     milestone // the first gathering has ended
	done         milestone
	queued       signal // events came while dispatching
	subscribers  []*subscriber
	candidates   []toldCandidate // gathered in this generation, for those who ask later

	icp          *interceptors // nil: none
	rtp          RTPHandler    // the handler, if it takes packets
	transceivers map[peer.TransceiverID]*RTPTransceiver
	tracks       map[peer.StreamID]*TrackRemote // that were told and have not ended,
	live         []*TrackRemote                 // the same in order
	burst        *burst                         // of another connection, with which something leaves; nil: none
	packet       *rtp.Packet                    // that the handler is told; one for all, so that packets cost no memory

	channels map[peer.Handle]*DataChannel
	recent   *DataChannel   // that a message was for last
	waiting  []*DataChannel // channels that somebody waits for room on
	// How many channels have opened and, of those, closed: dataChannelsOpened and dataChannelsClosed of the stats.
	channelsOpened, channelsClosed uint32

	forward burst // what the handler forwards; it guards itself
}

var _ runtime.Loop = (*loop)(nil)

func (l *loop) start(pc *PeerConnection, core *peer.Core, listen []netip.AddrPort) (err error) {
	l.pc, l.core, l.listen = pc, core, listen
	l.forward.owner = l
	l.rtp = optionalOf(pc.builder.handler).rtp
	l.channels = make(map[peer.Handle]*DataChannel)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.host, err = pc.builder.runtime.Spawn(l)
	return err
}

func (l *loop) now() time.Time { return l.pc.builder.runtime.Now() }

// tick is now for the core. What costs less than reading the clock, and has no deadline, makes do with latest.
func (l *loop) tick() time.Time {
	l.latest = l.now()
	return l.latest
}

// Receive implements runtime.Loop.
func (l *loop) Receive(now time.Time, _ runtime.UDPSocket, d *runtime.Datagrams) {
	l.mu.Lock()
	l.latest = now
	l.core.HandleRead(now, d.Local, d.Remote, d.Data, d.SegmentSize)
	l.mu.Unlock()
}

// Turn implements runtime.Loop.
func (l *loop) Turn(now time.Time) runtime.Next {
	again := l.forward.look() // finds something only while a handler overstays
	l.mu.Lock()
	defer l.mu.Unlock()
	l.latest = now
	l.core.EndBurst(now)
	if t, early := l.core.PollWindow(); !t.IsZero() && !t.After(now.Add(early)) {
		l.core.HandleTimeout(now)
	}
	l.flush(now)
	if l.closed && len(l.sockets) > 0 {
		l.closeSockets()
	}
	var early time.Duration
	l.armed, early = l.core.PollWindow()
	if l.dispatching && l.core.HasEvents() {
		l.queued.broadcast()
	}
	if again && (l.armed.IsZero() || l.armed.After(now.Add(lookAgain))) {
		l.armed, early = now.Add(lookAgain), 0
	}
	return runtime.Next{
		At:     l.armed,
		Early:  early,
		Events: !l.dispatching && l.core.HasEvents(),
		Done:   l.closed && !l.dispatching && !l.core.HasEvents(),
	}
}

// SocketFailed implements runtime.Loop.
func (l *loop) SocketFailed(now time.Time, s runtime.UDPSocket, err error) {
	l.pc.log.Warnf("socket %v failed: %v", s.LocalAddr(), err)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dropSocket(now, s)
	l.settle(now)
}

// Released implements runtime.Loop.
func (l *loop) Released() {
	l.mu.Lock()
	l.core.Release()
	l.released, l.channels, l.recent, l.waiting, l.sockets = true, nil, nil, nil, nil
	l.transceivers, l.tracks, l.live, l.packet = nil, nil, nil, nil
	l.mu.Unlock()
	l.pc.release()
	l.mu.Lock()
	l.done.reach()
	l.mu.Unlock()
}

// reached is closed when m, of l, is reached.
func (l *loop) reached(m *milestone) <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return m.wait()
}

// update lets f, called by a user's goroutine or inside a handler, change the core, and sees to what follows from it.
func (l *loop) update(f func(c *peer.Core, now time.Time) error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return errClosed()
	}
	now := l.tick()
	err := f(l.core, now)
	if err != nil {
		return w3cError(err)
	}
	l.settle(now)
	return nil
}

// view lets f look at the core.
func (l *loop) view(f func(c *peer.Core)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f(l.core)
}

// settle sends what a change has made ready, or sees that the loop does, and tells the host until when the loop waits.
func (l *loop) settle(now time.Time) {
	if l.dispatching && !l.closed {
		// A handler may make many changes: they leave together when it has returned, or when the host takes over because it stays.
		l.dirty = true
		l.host.Wake()
		return
	}
	l.flush(now)
	l.rearm()
}

// rearm tells the host about a deadline that is earlier than the one it knows, and about events.
func (l *loop) rearm() {
	if l.closed || !l.dispatching && l.core.HasEvents() {
		l.host.Wake()
		return
	}
	if t := l.core.PollTimeout(); !t.IsZero() && (l.armed.IsZero() || t.Before(l.armed)) {
		l.armed = t
		l.host.WakeAt(t)
	}
}

// sent decides when a message that was just queued leaves. What fills packets, or has an idle path before it, leaves at once on the sender's
// goroutine; small messages that follow others in flight wait for the loop, which is woken, and share packets.
func (l *loop) sent(dc *DataChannel) {
	if l.dispatching {
		l.settle(l.latest)
		return
	}
	if unsent, inFlight := l.core.Unsent(dc.handle); inFlight && unsent < flushAtOnce {
		if !l.dirty {
			l.dirty = true
			l.host.Wake()
		}
		return
	}
	l.flush(l.tick())
	l.rearm()
}

// written sees that a packet with this payload leaves, which was just written: at once, on the writer's goroutine, unless the loop is to flush anyway
// or it is part of a burst.
func (l *loop) written(now time.Time, payload []byte) {
	if l.dirty {
		return
	}
	if l.dispatching {
		l.settle(now)
		return
	}
	if b := forwarded(payload); b != nil {
		if l.burst != b {
			l.burst = b
			b.add(l)
		}
		return
	}
	l.burst = nil
	l.flush(now)
	l.rearm()
}

// flushAtOnce is the amount of queued data that is worth the sender's own flush: about what one send call carries.
const flushAtOnce = 16 << 10

// maxMessageSize is the largest message that the peer takes.
func (l *loop) maxMessageSize() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return min(l.core.MaxSendMessageSize(), l.pc.builder.sctp.SendBuffer)
}

// close ends the connection: the peer is told by the flush, then nothing can be sent or received any more.
func (l *loop) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	now := l.tick()
	l.core.Close(now)
	l.flush(now)
	l.rearm()
}

// closeSockets is left to the Turn after the end: whoever calls that waits in no read, which a Close would have to end first. It lets go of
// mu, as the system takes its time.
func (l *loop) closeSockets() {
	open := l.sockets
	l.sockets = nil
	l.mu.Unlock()
	defer l.mu.Lock()
	for _, s := range open {
		s.Close()
	}
}

// end lets go of the world, once the core is closed and everything was sent.
func (l *loop) end() {
	l.closed = true
	l.pc.connectionState.Store(int32(PeerConnectionStateClosed))
	l.wakeWaiting()
	for _, s := range l.subscribers {
		s.changed.broadcast()
	}
	l.host.Wake()
}
