package rtc

import (
	"net/netip"
	"slices"

	"github.com/pion/webrtc/v4"

	"github.com/sansrtc/rtc/internal/sansio/peer"
)

// Dispatch implements runtime.Loop: it tells the handler all that has happened, in order.
func (l *loop) Dispatch() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dispatching {
		return
	}
	l.dispatching = true
	defer func() { // also when a handler ends its goroutine, as testing's FailNow does: the connection goes on
		l.endBurst()
		l.dispatching = false
		l.flush(l.tick()) // what handlers have sent, and what Taken has made of the receive window
		l.rearm()
	}()
	for {
		if m, ok := l.core.PollMessage(); ok {
			l.endBurst()
			l.dispatchMessage(m)
			continue
		}
		ev, ok := l.core.PollEvent()
		if !ok {
			return
		}
		if ev.Kind != peer.EventRTP || l.forward.told >= maxBurst {
			l.endBurst()
		}
		l.dispatch(&ev)
	}
}

// tell runs f, which is user code, without mu.
func (l *loop) tell(f func(h EventHandler)) {
	h := l.pc.builder.handler
	if h == nil {
		return
	}
	l.mu.Unlock()
	defer l.mu.Lock()
	f(h)
}

// dispatch tells one event. It is called with mu held and lets go of it for the handler.
func (l *loop) dispatch(ev *peer.Event) {
	pc := l.pc
	switch ev.Kind {
	case peer.EventRTP:
		l.dispatchRTP(ev)
	case peer.EventChannelIncoming, peer.EventChannelOpen, peer.EventBufferedAmountLow, peer.EventChannelClosing,
		peer.EventChannelError, peer.EventChannelClosed:
		l.dispatchChannel(ev)
	case peer.EventNegotiationNeeded:
		if l.core.ConfirmNegotiation() {
			l.publish(Event{Kind: EventNegotiationNeeded})
			l.tell(func(h EventHandler) { h.OnNegotiationNeeded(pc) })
		}
	case peer.EventSignalingState:
		s := signalingState(peer.SignalingState(ev.State))
		if pc.logs() {
			pc.log.Debugf("signaling state: %v", s)
		}
		l.publish(Event{Kind: EventSignalingStateChange, SignalingState: s})
		l.tell(func(h EventHandler) { h.OnSignalingStateChange(pc, s) })
	case peer.EventGatheringState:
		s := gatheringState(peer.GatheringState(ev.State))
		if s != ICEGatheringStateComplete {
			l.candidates = nil // of another generation
		}
		l.publish(Event{Kind: EventICEGatheringStateChange, ICEGatheringState: s})
		l.tell(func(h EventHandler) { h.OnICEGatheringStateChange(pc, s) })
	case peer.EventCandidate:
		var c *ICECandidate
		var told toldCandidate
		if ev.Candidate != nil {
			c = iceCandidate(ev.Candidate)
			told = toldCandidate{c.line, ev.Candidate.Mid, ev.Candidate.MLineIndex}
		}
		l.candidates = append(l.candidates, told)
		l.publish(Event{Kind: EventICECandidate, ICECandidate: c})
		l.tell(func(h EventHandler) { h.OnICECandidate(pc, c) })
	case peer.EventServerUnused:
		// "If no host candidate can reach the server, errorCode will be set to the value 701", and a text that says why.
		e := ICECandidateError{URL: ev.Server, ErrorCode: 701, ErrorText: "server-reflexive and relayed candidates are not gathered"}
		l.publish(Event{Kind: EventICECandidateError, ICECandidateError: e})
		l.tell(func(h EventHandler) { h.OnICECandidateError(pc, e) })
	case peer.EventICEState:
		s := iceState(peer.ICEState(ev.State))
		if pc.logs() {
			pc.log.Debugf("ICE connection state: %v", s)
		}
		pc.iceState.Store(int32(s))
		l.publish(Event{Kind: EventICEConnectionStateChange, ICEConnectionState: s})
		l.tell(func(h EventHandler) { h.OnICEConnectionStateChange(pc, s) })
	case peer.EventConnectionState:
		s := connectionState(peer.ConnectionState(ev.State))
		if pc.logs() {
			pc.log.Infof("connection state: %v", s)
		}
		if !l.closed {
			pc.connectionState.Store(int32(s))
		}
		if s == PeerConnectionStateConnected || s == PeerConnectionStateClosed {
			l.carriesMedia = s == PeerConnectionStateConnected
			l.bindAll()
		}
		l.publish(Event{Kind: EventConnectionStateChange, ConnectionState: s})
		l.tell(func(h EventHandler) { h.OnConnectionStateChange(pc, s) })
	default:
		l.dispatchMedia(ev)
	}
}

func (l *loop) dispatchMessage(m peer.Message) {
	dc := l.recent
	if dc == nil || dc.handle != m.Channel {
		if dc = l.channels[m.Channel]; dc == nil {
			panic("BUG: rtc: message for a channel that was not announced")
		}
		l.recent = dc
	}
	msg := DataChannelMessage{IsString: m.IsString, Data: m.Data}
	if dc.pulled {
		dc.inbox.push(msg, m.Charge)
		return
	}
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		l.taken(m.Charge)
	}()
	l.pc.builder.handler.OnDataChannelMessage(l.pc, dc, msg)
}

// taken opens the receive window for what the application has got, and sees to it that the peer hears of it when it has to: the next handler
// may stay for long.
func (l *loop) taken(charge int) {
	if l.core.Taken(l.latest, charge) {
		l.settle(l.tick())
	}
}

func (l *loop) dispatchChannel(ev *peer.Event) {
	pc := l.pc
	dc := l.channels[ev.Channel]
	if dc == nil {
		if ev.Kind != peer.EventChannelIncoming {
			panic("BUG: rtc: event of a channel that was not announced")
		}
		dc = l.addChannel(ev.Channel, *ev.Params)
	}
	switch ev.Kind {
	case peer.EventChannelIncoming:
		dc.opened(ev.Params)
		dc.wasOpen = true
		l.channelsOpened++
		dc.remote = true
		l.publish(Event{Kind: EventDataChannel, DataChannel: dc})
		l.tell(func(h EventHandler) { h.OnDataChannel(pc, dc) })
		l.publish(Event{Kind: EventDataChannelOpen, DataChannel: dc})
		l.tell(func(h EventHandler) { h.OnDataChannelOpen(pc, dc) })
		l.taken(ev.Charge)
	case peer.EventChannelOpen:
		dc.opened(ev.Params)
		dc.wasOpen = true
		l.channelsOpened++
		l.publish(Event{Kind: EventDataChannelOpen, DataChannel: dc})
		l.tell(func(h EventHandler) { h.OnDataChannelOpen(pc, dc) })
	case peer.EventBufferedAmountLow:
		l.publish(Event{Kind: EventDataChannelBufferedAmountLow, DataChannel: dc})
		l.tell(func(h EventHandler) { h.OnDataChannelBufferedAmountLow(pc, dc) })
	case peer.EventChannelClosing:
		dc.state.Store(int32(DataChannelStateClosing))
		dc.room.broadcast()
		l.publish(Event{Kind: EventDataChannelClosing, DataChannel: dc})
		l.tell(func(h EventHandler) { h.OnDataChannelClosing(pc, dc) })
	case peer.EventChannelError:
		dc.err = ev.Err
		l.publish(Event{Kind: EventDataChannelError, DataChannel: dc, Err: ev.Err})
		l.tell(func(h EventHandler) { h.OnDataChannelError(pc, dc, ev.Err) })
	case peer.EventChannelClosed:
		l.forgetChannel(dc)
		l.publish(Event{Kind: EventDataChannelClose, DataChannel: dc})
		l.tell(func(h EventHandler) { h.OnDataChannelClose(pc, dc) })
	}
}

func (l *loop) addChannel(h peer.Handle, p peer.Params) *DataChannel {
	dc := newDataChannel(l, h, p)
	// Nobody hears the messages of a connection without a handler: they wait until they are pulled.
	dc.pulled = l.pc.builder.handler == nil
	l.channels[h] = dc
	return dc
}

func (l *loop) forgetChannel(dc *DataChannel) {
	if dc.wasOpen {
		l.channelsClosed++
	}
	dc.ended = true
	dc.state.Store(int32(DataChannelStateClosed))
	dc.room.broadcast()
	dc.inbox.arrived.broadcast()
	l.core.ForgetChannel(dc.handle)
	delete(l.channels, dc.handle)
	l.recent = nil
}

// waitForRoom registers dc to be woken when its buffer has room.
func (l *loop) waitForRoom(dc *DataChannel) <-chan struct{} {
	if !slices.Contains(l.waiting, dc) {
		l.waiting = append(l.waiting, dc)
	}
	return dc.room.wait()
}

// wakeWaiting wakes who waits for room, where there is some now.
func (l *loop) wakeWaiting() {
	l.waiting = slices.DeleteFunc(l.waiting, func(dc *DataChannel) bool {
		if !l.closed && !dc.ended && dc.room.waited() && l.core.SendCharge(dc.handle) > l.pc.builder.sctp.SendBuffer/2 {
			return false
		}
		dc.room.broadcast()
		return true
	})
}

// toldCandidate is what is kept of a candidate that was told. The zero value is the end of candidates.
type toldCandidate struct {
	line, mid  string
	mLineIndex int
}

// candidate is what handlers got; nil: the end of candidates.
func (t *toldCandidate) candidate() *ICECandidate {
	if t.line == "" {
		return nil
	}
	c, err := peer.ParseCandidate(t.line)
	if err != nil {
		panic("BUG: rtc: own candidate: " + err.Error())
	}
	return iceCandidate(&peer.LocalCandidate{Candidate: c, Mid: t.mid, MLineIndex: t.mLineIndex})
}

func iceCandidate(c *peer.LocalCandidate) *ICECandidate {
	out := &ICECandidate{
		ICECandidate: webrtc.ICECandidate{
			Foundation:    c.Foundation,
			Priority:      c.Priority,
			Address:       c.Addr.Addr().WithZone("").String(),
			Protocol:      ICEProtocolUDP,
			Port:          c.Addr.Port(),
			Component:     c.Component,
			Typ:           ICECandidateTypeHost,
			SDPMid:        c.Mid,
			SDPMLineIndex: uint16(c.MLineIndex),
		},
		UsernameFragment: c.Ufrag,
		line:             c.String(),
	}
	if c.Related != (netip.AddrPort{}) {
		out.RelatedAddress, out.RelatedPort = c.Related.Addr().WithZone("").String(), c.Related.Port()
	}
	return out
}

// signal wakes goroutines that wait for a change. Its owner's mutex guards it.
type signal struct{ ch chan struct{} }

func (s *signal) wait() <-chan struct{} {
	if s.ch == nil {
		s.ch = make(chan struct{})
	}
	return s.ch
}

func (s *signal) waited() bool { return s.ch != nil }

func (s *signal) broadcast() {
	if s.ch != nil {
		close(s.ch)
		s.ch = nil
	}
}

// milestone is something that happens once. Mostly nobody waits for it, so the channel is made for who asks. Its owner's mutex guards it.
type milestone struct{ ch chan struct{} }

// passed is the channel of all milestones that are reached.
var passed = func() chan struct{} {
	ch := make(chan struct{})
	close(ch)
	return ch
}()

func (m *milestone) wait() <-chan struct{} {
	if m.ch == nil {
		m.ch = make(chan struct{})
	}
	return m.ch
}

func (m *milestone) reach() {
	if m.ch != nil && m.ch != passed {
		close(m.ch)
	}
	m.ch = passed
}
