package rtc

import (
	"context"
	"errors"
	"io"
	"iter"
	"slices"

	"github.com/pion/rtp"

	"github.com/sansrtc/rtc/internal/sansio/peer"
)

// TrackRemote is one source of media that the peer sends: W3C's MediaStreamTrack of a receiver, or with simulcast one encoding of it. It is
// told by OnTrack when its first packet comes. Its methods may be called from any goroutine and inside every handler; none but ReadRTP, Read
// and Packets waits for anything.
type TrackRemote struct {
	receiver *RTPReceiver
	stream   peer.StreamID
	id, rid  string
	streams  []string

	// Guarded by loop.mu.
	ssrc   SSRC
	codec  RTPCodecParameters
	levels audioLevels
	muted  bool
	ended  bool
	pulled bool // packets go to inbox, not to the handler
	inbox  packets

	chain *remoteStream // with interceptors
}

func (t *TrackRemote) loop() *loop { return t.receiver.transceiver.loop }

// view lets f look at what mu guards.
func (t *TrackRemote) view(f func()) {
	l := t.loop()
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
}

// ID is the track's name in the peer's description (a=msid); the mid when it has none. The encodings of simulcast share it.
func (t *TrackRemote) ID() string { return t.id }

// RID is the encoding's name with simulcast (RFC 8852), else empty.
func (t *TrackRemote) RID() string { return t.rid }

// StreamIDs are the names of the media streams that the track is in.
func (t *TrackRemote) StreamIDs() []string { return slices.Clone(t.streams) }

// StreamID is the first of StreamIDs, or empty.
func (t *TrackRemote) StreamID() string {
	if len(t.streams) == 0 {
		return ""
	}
	return t.streams[0]
}

// Msid is StreamID and ID, as a=msid has them.
func (t *TrackRemote) Msid() string { return t.StreamID() + " " + t.ID() }

// Kind is audio or video.
func (t *TrackRemote) Kind() RTPCodecType { return t.receiver.transceiver.Kind() }

// Receiver is the receiver that the track belongs to.
func (t *TrackRemote) Receiver() *RTPReceiver { return t.receiver }

// SSRC is the source that the packets are of.
func (t *TrackRemote) SSRC() (ssrc SSRC) {
	t.view(func() { ssrc = t.ssrc })
	return ssrc
}

// RtxSSRC is the source of retransmissions, or zero. Retransmitted packets are given as what they were at first.
func (t *TrackRemote) RtxSSRC() (ssrc SSRC) {
	t.loop().view(func(c *peer.Core) {
		if counts, ok := c.StreamCounts(t.stream); ok {
			ssrc = SSRC(counts.RTXSSRC)
		}
	})
	return ssrc
}

// Codec is what the packets are encoded in. A peer may change it, among those that were negotiated, from one packet to the next.
func (t *TrackRemote) Codec() (c RTPCodecParameters) {
	t.view(func() { c = t.codec })
	return c
}

// PayloadType is the one of Codec.
func (t *TrackRemote) PayloadType() PayloadType { return t.Codec().PayloadType }

// Muted tells that the peer sends nothing now: it has said so, or it was negotiated. [TrackMuteHandler] hears of it. https://w3c.github.io/webrtc-pc/#dfn-process-the-removal-of-a-remote-track
func (t *TrackRemote) Muted() (muted bool) {
	t.view(func() { muted = t.muted })
	return muted
}

// Ended tells that OnTrackEnded was told: nothing comes any more.
func (t *TrackRemote) Ended() (ended bool) {
	t.view(func() { ended = t.ended })
	return ended
}

// RequestKeyframe asks the peer for a picture that needs no earlier one (PLI, RFC 4585 section 6.3.1). Requests that follow each other
// within a moment are sent once. It does nothing for audio, and when the track has ended.
func (t *TrackRemote) RequestKeyframe() {
	l := t.loop()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || t.ended {
		return
	}
	now := l.tick()
	l.core.RequestKeyframe(now, t.stream)
	l.settle(now)
}

// ReadRTP waits for the next packet, which is the caller's; from the first call on the track's packets are not told to [RTPHandler]. It may be
// called inside a handler. While nobody reads, packets wait; past [MediaOptions].ReceiveQueue the oldest are dropped. It returns io.EOF when
// the track has ended and all was read, and ctx.Err() when ctx ends.
func (t *TrackRemote) ReadRTP(ctx context.Context) (*rtp.Packet, error) {
	b, err := t.receive(ctx)
	if err != nil {
		return nil, err
	}
	p := new(rtp.Packet)
	if err := p.Unmarshal(b); err != nil {
		return nil, err
	}
	return p, nil
}

// Read is ReadRTP that copies the next packet, with its header, to b, and allocates nothing. It returns io.ErrShortBuffer when b is smaller than
// the packet, which is gone then.
func (t *TrackRemote) Read(b []byte) (n int, err error) {
	p, err := t.receive(context.Background())
	if err != nil {
		return 0, err
	}
	if n = copy(b, p); n < len(p) {
		err = io.ErrShortBuffer
	}
	t.view(func() { t.loop().freeRTP(p) })
	return n, err
}

// Packets gives the track's packets as ReadRTP does, until the track has ended; it yields an error, and ends, when ctx ends.
func (t *TrackRemote) Packets(ctx context.Context) iter.Seq2[*rtp.Packet, error] {
	t.view(func() { t.pulled = true })
	return func(yield func(*rtp.Packet, error) bool) {
		for {
			p, err := t.ReadRTP(ctx)
			if errors.Is(err, io.EOF) {
				return
			}
			if !yield(p, err) || err != nil {
				return
			}
		}
	}
}

// receive takes the next packet; io.EOF when the track has ended.
func (t *TrackRemote) receive(ctx context.Context) ([]byte, error) {
	l := t.loop()
	for {
		l.mu.Lock()
		t.pulled = true
		if p, ok := t.inbox.pop(); ok {
			t.receiver.heard.record(l.latest, p, t.levels)
			l.mu.Unlock()
			return p, nil
		}
		ended := t.ended
		var queued <-chan struct{}
		if l.dispatching && !ended {
			// The caller may be the handler that all events wait for: it takes the track's own from behind it.
			switch ev, ok := l.core.TakeRTP(t.stream); {
			case ok && ev.Kind == peer.EventRTP:
				t.receiver.heard.record(l.latest, ev.Data, t.levels)
				l.mu.Unlock()
				if t.chain == nil {
					return ev.Data, nil
				}
				if data, ok := t.chain.readRTP(ev.Data); ok {
					return data, nil
				}
				continue
			case ok:
				ended = true
			}
			queued = l.queued.wait()
		}
		arrived := t.inbox.arrived.wait()
		l.mu.Unlock()
		if ended {
			return nil, io.EOF
		}
		select {
		case <-arrived:
		case <-queued:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// packets are those of a track that wait to be read.
type packets struct {
	ring    [][]byte // len is zero or a power of two
	head, n int
	dropped uint64
	arrived signal
}

// push adds b. When limit packets wait the oldest is taken out, and returned.
func (q *packets) push(b []byte, limit int) (oldest []byte) {
	if q.n >= limit {
		oldest, _ = q.pop()
		q.dropped++
	}
	if q.n == len(q.ring) {
		ring := make([][]byte, max(8, 2*len(q.ring)))
		for i := range q.n {
			ring[i] = q.ring[(q.head+i)&(len(q.ring)-1)]
		}
		q.ring, q.head = ring, 0
	}
	q.ring[(q.head+q.n)&(len(q.ring)-1)] = b
	q.n++
	q.arrived.broadcast()
	return oldest
}

func (q *packets) pop() (b []byte, ok bool) {
	if q.n == 0 {
		return nil, false
	}
	b, q.ring[q.head] = q.ring[q.head], nil
	q.head = (q.head + 1) & (len(q.ring) - 1)
	q.n--
	return b, true
}
