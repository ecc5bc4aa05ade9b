package rtc

import (
	"context"
	"errors"
	"io"
	"iter"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/pion/webrtc/v4/pkg/rtcerr"

	"github.com/sansrtc/rtc/internal/sansio/peer"
)

// DataChannel is W3C's RTCDataChannel. Its methods may be called from any goroutine and from inside every handler; none but SendContext,
// and the Read and Write of Detach, waits for anything. https://w3c.github.io/webrtc-pc/#rtcdatachannel
type DataChannel struct {
	loop   *loop
	handle peer.Handle
	params peer.Params // all but ID and HasID, which are in id
	state  atomic.Int32
	id     atomic.Int32 // -1: not known yet

	// Guarded by loop.mu.
	pulled    bool // messages go to inbox, not to the handler
	remote    bool // the peer has made it
	inbox     inbox
	room      signal
	threshold int
	err       error // what the channel ended by
	wasOpen   bool
	ended     bool // the core has forgotten it
}

func newDataChannel(l *loop, h peer.Handle, p peer.Params) *DataChannel {
	dc := &DataChannel{loop: l, handle: h, params: p}
	dc.state.Store(int32(DataChannelStateConnecting))
	dc.id.Store(-1)
	if p.HasID {
		dc.id.Store(int32(p.ID))
	}
	return dc
}

func (dc *DataChannel) opened(p *peer.Params) {
	dc.id.Store(int32(p.ID))
	dc.state.CompareAndSwap(int32(DataChannelStateConnecting), int32(DataChannelStateOpen))
}

// Label is the name that the channel was made with.
func (dc *DataChannel) Label() string { return dc.params.Label }

// Ordered tells whether messages arrive in the order in which they were sent.
func (dc *DataChannel) Ordered() bool { return dc.params.Ordered }

// MaxPacketLifeTime is how many milliseconds a message may be on its way, or nil.
func (dc *DataChannel) MaxPacketLifeTime() *uint16 {
	if dc.params.MaxLifetime < 0 {
		return nil
	}
	ms := uint16(dc.params.MaxLifetime / time.Millisecond)
	return &ms
}

// MaxRetransmits is how often a message may be sent again, or nil.
func (dc *DataChannel) MaxRetransmits() *uint16 {
	if dc.params.MaxRetransmits < 0 {
		return nil
	}
	n := uint16(dc.params.MaxRetransmits)
	return &n
}

// Protocol is the subprotocol that the channel was made with.
func (dc *DataChannel) Protocol() string { return dc.params.Protocol }

// Negotiated tells whether the application has made the channel at both ends.
func (dc *DataChannel) Negotiated() bool { return dc.params.Negotiated }

// ID is the SCTP stream, or nil while it is not known.
func (dc *DataChannel) ID() *uint16 {
	v := dc.id.Load()
	if v < 0 {
		return nil
	}
	id := uint16(v)
	return &id
}

// ReadyState is the state that the handler was told last, and closing from Close on.
func (dc *DataChannel) ReadyState() DataChannelState { return DataChannelState(dc.state.Load()) }

// BufferedAmount is the number of bytes that Send has taken and that were not yet transmitted for the first time.
func (dc *DataChannel) BufferedAmount() (n uint64) {
	dc.loop.view(func(c *peer.Core) {
		if !dc.ended {
			n = uint64(c.BufferedAmount(dc.handle))
		}
	})
	return n
}

// BufferedAmountLowThreshold is what SetBufferedAmountLowThreshold has set; 0 at first.
func (dc *DataChannel) BufferedAmountLowThreshold() (n uint64) {
	dc.loop.view(func(*peer.Core) { n = uint64(dc.threshold) })
	return n
}

// SetBufferedAmountLowThreshold sets the amount at which OnDataChannelBufferedAmountLow comes, when BufferedAmount falls to it from above.
func (dc *DataChannel) SetBufferedAmountLowThreshold(n uint64) {
	dc.loop.view(func(c *peer.Core) {
		dc.threshold = int(min(n, 1<<40))
		if !dc.ended {
			c.SetBufferedAmountLowThreshold(dc.handle, dc.threshold)
		}
	})
}

// Send sends a binary message; data may be used again when it returns. It never waits. Errors: InvalidStateError with
// ErrDataChannelNotOpen, TypeError with ErrMessageTooLarge, OperationError with ErrBufferFull. Nothing was taken when there is an error.
// https://w3c.github.io/webrtc-pc/#dom-rtcdatachannel-send
func (dc *DataChannel) Send(data []byte) error {
	return dc.send(data, false)
}

// SendText sends a text message; s should be UTF-8. Otherwise it is like Send.
func (dc *DataChannel) SendText(s string) error {
	return dc.send(unsafe.Slice(unsafe.StringData(s), len(s)), true)
}

// SendContext is Send that waits for room in the buffer, until ctx ends. It returns ctx.Err() then, and otherwise what Send would.
func (dc *DataChannel) SendContext(ctx context.Context, data []byte) error {
	return dc.sendContext(ctx, data, false)
}

// SendTextContext is SendText that waits like SendContext.
func (dc *DataChannel) SendTextContext(ctx context.Context, s string) error {
	return dc.sendContext(ctx, unsafe.Slice(unsafe.StringData(s), len(s)), true)
}

func (dc *DataChannel) send(data []byte, isString bool) error {
	l := dc.loop
	own := lendCopy(data)
	l.mu.Lock()
	err := dc.sendLocked(data, own, isString)
	l.mu.Unlock()
	if err != nil {
		recycle(own)
	}
	return err
}

// sendLocked sends own, which is given away unless there is an error; or data, if own is nil.
func (dc *DataChannel) sendLocked(data, own []byte, isString bool) error {
	l := dc.loop
	if l.closed || dc.ended {
		return errNotOpen()
	}
	now := l.latest
	if dc.params.MaxLifetime >= 0 {
		now = l.tick() // it begins
	}
	var err error
	if own != nil {
		err = l.core.Send(now, dc.handle, own, isString)
	} else {
		err = l.core.SendCopy(now, dc.handle, data, isString)
	}
	switch {
	case err == nil:
		l.sent(dc)
		return nil
	case errors.Is(err, peer.ErrBufferFull):
		return &rtcerr.OperationError{Err: ErrBufferFull}
	case errors.Is(err, peer.ErrTooLarge):
		return &rtcerr.TypeError{Err: ErrMessageTooLarge}
	default:
		return errNotOpen()
	}
}

func errNotOpen() error { return &rtcerr.InvalidStateError{Err: ErrDataChannelNotOpen} }

func (dc *DataChannel) sendContext(ctx context.Context, data []byte, isString bool) error {
	l := dc.loop
	own := lendCopy(data)
	for {
		l.mu.Lock()
		err := dc.sendLocked(data, own, isString)
		if !errors.Is(err, ErrBufferFull) || len(data) > l.pc.builder.sctp.SendBuffer {
			l.mu.Unlock()
			if err != nil {
				recycle(own)
			}
			return err
		}
		room := l.waitForRoom(dc)
		l.mu.Unlock()
		select {
		case <-room:
		case <-ctx.Done():
			recycle(own)
			return ctx.Err()
		}
	}
}

// Close begins the closing procedure: what was sent before still goes out, then the peer is told; OnDataChannelClose ends it. It is
// idempotent and returns nil. https://w3c.github.io/webrtc-pc/#dom-rtcdatachannel-close
func (dc *DataChannel) Close() error {
	l := dc.loop
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || dc.ended || dc.ReadyState() == DataChannelStateClosed {
		return nil
	}
	dc.state.Store(int32(DataChannelStateClosing))
	now := l.tick()
	l.core.CloseChannel(now, dc.handle)
	l.settle(now)
	return nil
}

// Messages gives the channel's messages, in order, from the call on: they are not told to the handler any more. Call it where the channel
// is made or in OnDataChannel, before the first message. What is not taken counts against the receive window and stops the peer, so nothing
// is lost. The sequence ends when the channel has closed and all was taken; it yields an error, and ends, when ctx ends or the channel has
// failed. Several sequences of one channel share its messages.
func (dc *DataChannel) Messages(ctx context.Context) iter.Seq2[DataChannelMessage, error] {
	dc.pull()
	return func(yield func(DataChannelMessage, error) bool) {
		for {
			msg, err := dc.receive(ctx)
			if errors.Is(err, io.EOF) {
				return
			}
			if !yield(msg, err) || err != nil {
				return
			}
		}
	}
}

func (dc *DataChannel) pull() {
	dc.loop.mu.Lock()
	dc.pulled = true
	dc.loop.mu.Unlock()
}

// receive takes the next message; io.EOF when the channel has closed.
func (dc *DataChannel) receive(ctx context.Context) (DataChannelMessage, error) {
	l := dc.loop
	for {
		l.mu.Lock()
		if msg, charge, ok := dc.inbox.pop(); ok {
			l.taken(charge)
			l.mu.Unlock()
			return msg, nil
		}
		ended, err := dc.ended, dc.err
		var queued <-chan struct{}
		if l.dispatching && !ended {
			// The caller may be the handler that all events wait for: it takes the channel's own from behind it.
			switch ev, ok := l.core.TakeMessage(dc.handle); {
			case ok && ev.Kind == peer.EventMessage:
				l.taken(ev.Charge)
				l.mu.Unlock()
				return DataChannelMessage{IsString: ev.IsString, Data: ev.Data}, nil
			case ok:
				ended, err = true, ev.Err
			}
			queued = l.queued.wait()
		}
		arrived := dc.inbox.arrived.wait()
		l.mu.Unlock()
		switch {
		case ended && err != nil:
			return DataChannelMessage{}, err
		case ended:
			return DataChannelMessage{}, io.EOF
		}
		select {
		case <-arrived:
		case <-queued:
		case <-ctx.Done():
			return DataChannelMessage{}, ctx.Err()
		}
	}
}

// inbox holds the messages of a channel that is pulled. They are charged to the receive window, which bounds it.
type inbox struct {
	messages []charged
	arrived  signal
}

type charged struct {
	msg    DataChannelMessage
	charge int
}

func (b *inbox) push(msg DataChannelMessage, charge int) {
	b.messages = append(b.messages, charged{msg, charge})
	b.arrived.broadcast()
}

func (b *inbox) pop() (msg DataChannelMessage, charge int, ok bool) {
	if len(b.messages) == 0 {
		return msg, 0, false
	}
	m := b.messages[0]
	b.messages[0] = charged{}
	b.messages = b.messages[1:]
	if len(b.messages) == 0 {
		b.messages = nil
	}
	return m.msg, m.charge, true
}
