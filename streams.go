package rtc

import (
	"context"
	"iter"
	"maps"
	"slices"
)

// EventKind says which method of [EventHandler] an [Event] stands for.
type EventKind uint8

// The kinds of events.
const (
	EventNegotiationNeeded EventKind = iota + 1
	EventICECandidate
	EventICECandidateError
	EventSignalingStateChange
	EventICEGatheringStateChange
	EventICEConnectionStateChange
	EventConnectionStateChange
	EventDataChannel
	EventDataChannelOpen
	EventDataChannelBufferedAmountLow
	EventDataChannelClosing
	EventDataChannelError
	EventDataChannelClose
	EventTrack
	EventTrackEnded
	EventKeyframeRequest   // of KeyframeHandler
	EventBandwidthEstimate // of BandwidthHandler
	EventTrackMute         // of TrackMuteHandler
)

// Event is what a handler hears, as a value: the field that Kind is about is set. Messages and packets are not among them: see
// [DataChannel.Messages] and [TrackRemote.Packets].
type Event struct {
	Kind               EventKind
	ICECandidate       *ICECandidate // nil: gathering has ended
	ICECandidateError  ICECandidateError
	SignalingState     SignalingState
	ICEGatheringState  ICEGatheringState
	ICEConnectionState ICEConnectionState
	ConnectionState    PeerConnectionState
	DataChannel        *DataChannel
	Err                error
	Track              *TrackRemote
	Muted              bool       // Track, from now on
	Sender             *RTPSender // that a keyframe is asked for,
	RID                string     // and its encoding with simulcast
	BitsPerSecond      int
}

// subscriptionLimit is how many events wait for one iterator before it holds the connection's events up, as a slow handler would.
const subscriptionLimit = 256

// subscriber is one iterator's place in the order of events. Its fields are guarded by loop.mu.
type subscriber struct {
	queue   []Event
	changed signal // something was queued, or taken, or it has ended
	ended   bool
}

// publish gives ev to all iterators. It lets go of mu and waits while one of them is full, but not behind Close: few events are left then, and
// Done shall not depend on a reader.
func (l *loop) publish(ev Event) {
	for i := 0; i < len(l.subscribers); i++ {
		s := l.subscribers[i]
		for len(s.queue) >= subscriptionLimit && !s.ended && !l.closed {
			taken := s.changed.wait()
			l.mu.Unlock()
			<-taken
			l.mu.Lock()
		}
		if !s.ended {
			s.queue = append(s.queue, ev)
			s.changed.broadcast()
		}
	}
	last := ev.Kind == EventConnectionStateChange && ev.ConnectionState == PeerConnectionStateClosed
	l.told = l.told || last
	l.subscribers = slices.DeleteFunc(l.subscribers, func(s *subscriber) bool {
		if last {
			s.ended = true
			s.changed.broadcast()
		}
		return s.ended
	})
}

// subscribe joins the order of events, after those that first returns.
func (l *loop) subscribe(first func() []Event) *subscriber {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := &subscriber{}
	if first != nil {
		s.queue = first()
	}
	if l.told {
		s.ended = true
	} else {
		l.subscribers = append(l.subscribers, s)
	}
	return s
}

// events iterates over s until it, or ctx, ends.
func (l *loop) events(ctx context.Context, s *subscriber, yield func(Event) bool) {
	defer func() {
		l.mu.Lock()
		s.ended, s.queue = true, nil
		s.changed.broadcast()
		l.mu.Unlock()
	}()
	for {
		l.mu.Lock()
		queue, ended := s.queue, s.ended
		s.queue = nil
		s.changed.broadcast()
		var changed <-chan struct{}
		if len(queue) == 0 && !ended {
			changed = s.changed.wait()
		}
		l.mu.Unlock()
		for _, ev := range queue {
			if !yield(ev) {
				return
			}
		}
		if changed == nil {
			if ended {
				return
			}
			continue
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// Events gives what a handler hears, but for messages and packets, in the same order, from the call on. It ends after ConnectionState closed, or when ctx
// ends. An iterator that is not read holds up the connection's events when 256 wait, like a slow handler, until ctx ends, its loop is
// left, or the connection is closed; so read it, or let ctx end.
func (pc *PeerConnection) Events(ctx context.Context) iter.Seq[Event] {
	l := &pc.loop
	s := l.subscribe(nil)
	stop := context.AfterFunc(ctx, func() {
		l.mu.Lock()
		s.ended = true
		s.changed.broadcast()
		l.mu.Unlock()
	})
	return func(yield func(Event) bool) {
		defer stop()
		l.events(ctx, s, yield)
	}
}

// ICECandidates gives the local candidates of the current gathering, also those that were gathered before the call, and ends when it is
// complete, when the connection closes, or when ctx ends.
func (pc *PeerConnection) ICECandidates(ctx context.Context) iter.Seq[*ICECandidate] {
	l := &pc.loop
	return func(yield func(*ICECandidate) bool) {
		s := l.subscribe(func() (past []Event) {
			for i := range l.candidates {
				past = append(past, Event{Kind: EventICECandidate, ICECandidate: l.candidates[i].candidate()})
			}
			return past
		})
		l.events(ctx, s, func(ev Event) bool {
			return ev.Kind != EventICECandidate || ev.ICECandidate != nil && yield(ev.ICECandidate)
		})
	}
}

// ConnectionStates gives the state of the connection at the call and then each change, and ends after closed or when ctx ends.
func (pc *PeerConnection) ConnectionStates(ctx context.Context) iter.Seq[PeerConnectionState] {
	l := &pc.loop
	return func(yield func(PeerConnectionState) bool) {
		s := l.subscribe(func() []Event {
			return []Event{{Kind: EventConnectionStateChange, ConnectionState: pc.ConnectionState()}}
		})
		l.events(ctx, s, func(ev Event) bool {
			// From Close on the state is closed, though earlier changes may not have been told yet.
			return ev.Kind != EventConnectionStateChange || yield(ev.ConnectionState) && ev.ConnectionState != PeerConnectionStateClosed
		})
	}
}

// DataChannels gives the channels that the peer has made, also those that were made before the call and have not closed, and ends when the
// connection closes or ctx ends.
func (pc *PeerConnection) DataChannels(ctx context.Context) iter.Seq[*DataChannel] {
	l := &pc.loop
	return func(yield func(*DataChannel) bool) {
		s := l.subscribe(func() (past []Event) {
			for _, h := range slices.Sorted(maps.Keys(l.channels)) {
				if dc := l.channels[h]; dc.remote {
					past = append(past, Event{Kind: EventDataChannel, DataChannel: dc})
				}
			}
			return past
		})
		l.events(ctx, s, func(ev Event) bool {
			return ev.Kind != EventDataChannel || yield(ev.DataChannel)
		})
	}
}
