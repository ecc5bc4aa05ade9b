package rtc_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sansrtc/rtc"
	"github.com/sansrtc/rtc/runtime/sim"
)

const (
	smallReceiveBuffer = 256 << 10
	smallSendBuffer    = 512 << 10
)

func smallBuffers(_ int, b rtc.Builder) rtc.Builder {
	return b.SCTP(rtc.SCTPOptions{MaxMessageSize: 128 << 10, ReceiveBuffer: smallReceiveBuffer, SendBuffer: smallSendBuffer})
}

// bulk is what a test sends: messages of random bytes, and what they hash to, with their lengths.
type bulk struct {
	rng  *rand.ChaCha8
	dice *rand.Rand
	size int // of a message; 0: from 1 byte to 16 KiB
	sum  hash.Hash
	n    int // messages
	sent int // bytes
}

func newBulk(seed uint64, size int) *bulk {
	return &bulk{rng: rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)}), dice: rand.New(rand.NewPCG(seed, 5)), size: size, sum: sha256.New()}
}

func (b *bulk) next() []byte {
	n := b.size
	if n == 0 {
		n = 1 + b.dice.IntN(16<<10)
	}
	m := make([]byte, n)
	b.rng.Read(m)
	return m
}

func (b *bulk) took(m []byte) {
	fmt.Fprintf(b.sum, "%d:", len(m))
	b.sum.Write(m)
	b.n++
	b.sent += len(m)
}

// tally is what was taken. A goroutine that waits for a channel of Go, as iterators do, runs beside the simulation, so there is a lock.
type tally struct {
	mu    sync.Mutex
	sum   hash.Hash
	n     int
	last  string
	far   *rtc.DataChannel // where it comes from
	err   error
	ended bool
}

func newTally() *tally { return &tally{sum: sha256.New()} }

func (c *tally) take(m []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	fmt.Fprintf(c.sum, "%d:", len(m))
	c.sum.Write(m)
	c.n++
	c.last = string(m)
}

func (c *tally) from(dc *rtc.DataChannel) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.far = dc
}

func (c *tally) end(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err, c.ended = err, true
}

func (c *tally) taken() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n
}

func (c *tally) source() *rtc.DataChannel {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.far
}

func (c *tally) over() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ended
}

// fill sends until the buffer is full and time changes nothing about it any more, and returns how much has left the sender.
func (b *bulk) fill(p *pair, dc *rtc.DataChannel) int {
	p.t.Helper()
	m := b.next()
	for full := 0; full < 4; {
		switch err := dc.Send(m); {
		case err == nil:
			full = 0
			b.took(m)
			m = b.next()
		default:
			var operation *rtc.OperationError
			if !errors.Is(err, rtc.ErrBufferFull) || !errors.As(err, &operation) {
				p.t.Fatalf("Send into a full buffer: %v", err)
			}
			if full++; full < 4 {
				p.pass(4 * time.Second)
			}
		}
		if b.sent > 8<<20 {
			p.t.Fatal("the sender is not stopped")
		}
	}
	n := int(dc.BufferedAmount())
	if n > smallSendBuffer || n+len(m) <= smallSendBuffer {
		p.t.Fatalf("%d bytes are buffered when the buffer is full", n)
	}
	return b.sent - n
}

// Promise 4, never dropped: a receiver that does not take its messages stops its sender, whose Send says ErrBufferFull, and holds no more than
// its receive buffer. When it takes them again the window opens, and nothing is lost or out of order. However they are taken, whatever their
// size, also over a bad path.
func TestReceiverThatDoesNotTake(t *testing.T) { everywhere(t, testReceiverThatDoesNotTake) }

func testReceiverThatDoesNotTake(t *testing.T, w *world) {
	type consumer struct {
		name    string
		handler bool
		read    func(dc *rtc.DataChannel, take func([]byte)) // an actor; nil: the handler takes
	}
	consumers := []consumer{
		{"handler", true, nil},
		{"Messages", true, func(dc *rtc.DataChannel, take func([]byte)) {
			for m, err := range dc.Messages(context.Background()) {
				if err != nil {
					return
				}
				take(m.Data)
			}
		}},
		{"no handler", false, func(dc *rtc.DataChannel, take func([]byte)) {
			for m := range dc.Messages(context.Background()) {
				take(m.Data)
			}
		}},
		{"Detach", true, func(dc *rtc.DataChannel, take func([]byte)) {
			s, buf := dc.Detach(), make([]byte, 128<<10)
			for {
				n, err := s.Read(buf)
				if err != nil {
					return
				}
				take(bytes.Clone(buf[:n]))
			}
		}},
	}
	for _, c := range consumers {
		for _, size := range []int{0, 16 << 10, 128 << 10} {
			for _, loss := range []float64{0, 0.03} {
				if loss > 0 && !w.simulated() {
					continue
				}
				t.Run(fmt.Sprintf("%s/size=%d/loss=%v", c.name, size, loss), func(t *testing.T) {
					cfg := sim.Config{Seed: uint64(size), Handoff: time.Millisecond, Link: sim.Link{Delay: 10 * time.Millisecond, Loss: loss, Reorder: loss}}
					if c.read == nil {
						cfg.Handoff = -1
					}
					p := w.newPair(t, cfg, func(i int, b rtc.Builder) rtc.Builder {
						if b = smallBuffers(i, b); i == 1 && !c.handler {
							b = b.Handler(nil)
						}
						return b
					})
					got, release := newTally(), false
					wait := func() {
						for !release {
							p.sleep(100 * time.Millisecond)
						}
					}
					p.rec[1].on = func(kind string, _ *rtc.PeerConnection, dc *rtc.DataChannel, msg rtc.DataChannelMessage) {
						switch {
						case kind == "channel":
							if got.from(dc); c.read != nil {
								dc.Messages(context.Background()) // from here on pulled
							}
						case kind == "message" && c.read == nil:
							wait()
							got.take(msg.Data)
						case kind == "message":
							t.Error("a message of a channel that is pulled is told to the handler")
						}
					}
					if !c.handler {
						p.actAside("channels", func() {
							for dc := range p.pc[1].DataChannels(context.Background()) {
								got.from(dc)
								return
							}
						})
					}
					a, err := p.pc[0].CreateDataChannel("bulk", nil)
					p.must(err)
					p.negotiate(0)
					p.until("open", func() bool { return got.source() != nil && a.ReadyState() == rtc.DataChannelStateOpen })

					b := newBulk(uint64(size)+7, size)
					left := b.fill(p, a)
					if left > smallReceiveBuffer+32<<10 || left < smallReceiveBuffer/2-16<<10 && w.simulated() { // sockets may have stood still
						t.Errorf("%d bytes have left for a receiver that takes nothing", left)
					}
					if s := p.rec[0].state(); s != rtc.PeerConnectionStateConnected {
						t.Errorf("the sender is %v", s)
					}
					release = true
					if c.read != nil {
						p.actAside("reader", func() { c.read(got.source(), got.take) })
					}
					// The sender goes on where it was stopped.
					p.act("sender", func() {
						for range 1 << 20 / max(size, 8<<10) {
							m := b.next()
							for a.Send(m) != nil {
								p.sleep(5 * time.Millisecond)
							}
							b.took(m)
						}
						a.Close()
					})
					p.until("all is taken and closed", func() bool { return a.ReadyState() == rtc.DataChannelStateClosed && got.taken() == b.n })
					if !bytes.Equal(got.sum.Sum(nil), b.sum.Sum(nil)) {
						t.Errorf("what was taken is not what was sent, or in another order")
					}
				})
			}
		}
	}
}

// SendContext waits for room, honours its context, and prefers what is ready to a context that has ended; so does Messages.
func TestContexts(t *testing.T) { everywhere(t, testContexts) }

func testContexts(t *testing.T, w *world) {
	p, a, b := w.connected(t, sim.Config{Handoff: time.Millisecond, Link: sim.Link{Delay: 10 * time.Millisecond}}, nil, smallBuffers)
	if err := a.SendContext(canceled(), []byte("room")); err != nil {
		t.Errorf("SendContext with room and a context that has ended: %v", err)
	}
	p.until("it arrives", func() bool { return p.rec[1].received() == 1 })
	b.Messages(canceled()) // pulled, and not read
	bulk := newBulk(1, 16<<10)
	bulk.fill(p, a)
	if err := a.SendContext(canceled(), make([]byte, 64<<10)); !errors.Is(err, context.Canceled) {
		t.Errorf("SendContext without room and a context that has ended: %v", err)
	}
	if err := a.SendContext(t.Context(), make([]byte, smallSendBuffer+1)); !errors.Is(err, rtc.ErrBufferFull) && !errors.Is(err, rtc.ErrMessageTooLarge) {
		t.Errorf("SendContext of a message that never has room: %v", err)
	}
	waited := strings.Repeat("waited", 4000)
	first, second, third := newTally(), newTally(), newTally()
	ctx, cancel := context.WithCancel(t.Context())
	message := bulk.next()
	p.actAside("canceled", func() { first.end(a.SendContext(ctx, message)) })
	p.actAside("waits", func() { second.end(a.SendTextContext(t.Context(), waited)) })
	p.pass(time.Second)
	if first.over() || second.over() {
		t.Errorf("SendContext without room returns %v, %v", first.err, second.err)
	}
	cancel()
	p.until("SendContext ends with its context", first.over)
	if !errors.Is(first.err, context.Canceled) || second.over() {
		t.Errorf("SendContext whose context ended: %v; the other has returned: %v", first.err, second.over())
	}
	got := newTally()
	for m, err := range b.Messages(canceled()) {
		if err != nil {
			if !errors.Is(err, context.Canceled) {
				t.Errorf("Messages with a context that has ended: %v", err)
			}
			break
		}
		got.take(m.Data)
	}
	if got.n == 0 {
		t.Error("Messages prefers its context's end to messages that are there")
	}
	n := bulk.n + 1
	p.actAside("reader", func() {
		for m := range b.Messages(context.Background()) {
			if got.take(m.Data); got.taken() == n {
				break
			}
		}
	})
	p.until("all is read", func() bool { return got.taken() == n && second.over() })
	if second.err != nil || got.last != waited {
		t.Errorf("SendContext that waited: %v; the last message is %.10q", second.err, got.last)
	}
	// Nobody waits for ever on a connection that ends.
	bulk.fill(p, a)
	p.actAside("closed", func() { third.end(a.SendContext(context.Background(), message)) })
	p.pass(time.Millisecond)
	p.must(p.pc[0].Close())
	p.until("SendContext ends with the connection", third.over)
	if !errors.Is(third.err, rtc.ErrDataChannelNotOpen) {
		t.Errorf("SendContext on a connection that closes: %v", third.err)
	}
}

// heap is the memory in use.
func heap() int {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

// Promise 4, bounded: a peer that opens channels faster than they are heard of is stopped by the window, like one that sends messages.
func TestFloodOfChannels(t *testing.T) { everywhere(t, testFloodOfChannels) }

func testFloodOfChannels(t *testing.T, w *world) {
	p, _, _ := w.connected(t, sim.Config{Handoff: -1, Link: sim.Link{Delay: time.Millisecond}}, nil, smallBuffers)
	opened, release := 0, false
	p.rec[1].on = func(kind string, _ *rtc.PeerConnection, _ *rtc.DataChannel, _ rtc.DataChannelMessage) {
		for !release {
			p.sleep(100 * time.Millisecond)
		}
		if kind == "open" {
			opened++
		}
	}
	const total = 3000
	label := strings.Repeat("l", 250)
	for i := range total {
		_, err := p.pc[0].CreateDataChannel(fmt.Sprint(label, i), nil)
		p.must(err)
		if i%100 == 0 {
			p.pass(10 * time.Millisecond)
		}
	}
	held, most := 0, 1+smallReceiveBuffer/(250+64)+100
	p.until("the window is full", func() bool {
		held = len(rtc.ReportOf(p.pc[1]).Channels)
		return held >= most/3
	})
	p.pass(5 * time.Second)
	if held = len(rtc.ReportOf(p.pc[1]).Channels); held > most {
		t.Errorf("%d channels wait to be heard of; there is room for %d", held, most)
	}
	release = true
	p.until("all channels are open", func() bool { return opened == total })
}

// Detach gives a stream of bytes: what is written comes out, in order and complete, and then io.EOF, however reads and messages are cut.
func TestDetachedStream(t *testing.T) { everywhere(t, testDetachedStream) }

func testDetachedStream(t *testing.T, w *world) {
	p := w.newPair(t, sim.Config{Handoff: time.Millisecond, Link: sim.Link{Delay: 5 * time.Millisecond, Loss: 0.02}}, smallBuffers)
	in, out := newTally(), newTally()
	var written, read bytes.Buffer
	p.rec[1].on = func(kind string, _ *rtc.PeerConnection, dc *rtc.DataChannel, _ rtc.DataChannelMessage) {
		if kind == "channel" {
			s := dc.Detach()
			p.actAside("reader", func() {
				_, err := io.CopyBuffer(struct{ io.Writer }{&read}, struct{ io.Reader }{s}, make([]byte, 1000))
				out.end(err)
			})
		}
	}
	dc, err := p.pc[0].CreateDataChannel("stream", nil)
	p.must(err)
	p.negotiate(0)
	p.until("open", func() bool { return dc.ReadyState() == rtc.DataChannelStateOpen })
	p.actAside("writer", func() {
		s, b := dc.Detach(), newBulk(1, 300_000)
		for range 5 {
			m := b.next()
			written.Write(m)
			if _, err := s.Write(m); err != nil {
				in.end(err)
				return
			}
		}
		in.end(s.Close())
	})
	p.until("the end of the stream", func() bool { return in.over() && out.over() })
	if in.err != nil || out.err != nil || !bytes.Equal(written.Bytes(), read.Bytes()) {
		t.Errorf("%d bytes were written, %v; %d were read, %v", written.Len(), in.err, read.Len(), out.err)
	}
}

// Empty messages fill the buffer too: Send says so, SendContext waits, and all that were taken arrive.
func TestEmptyMessagesHaveBackPressure(t *testing.T) {
	everywhere(t, testEmptyMessagesHaveBackPressure)
}

func testEmptyMessagesHaveBackPressure(t *testing.T, w *world) {
	p, a, b := w.connected(t, sim.Config{Handoff: time.Millisecond, Link: sim.Link{Delay: 10 * time.Millisecond}}, nil, smallBuffers)
	b.Messages(canceled()) // pulled, and not read
	sent := 0
	for full := 0; full < 4; {
		switch err := a.Send(nil); {
		case err == nil:
			full = 0
			sent++
		case !errors.Is(err, rtc.ErrBufferFull):
			t.Fatal(err)
		default:
			full++
			p.pass(4 * time.Second)
		}
		if sent > (smallReceiveBuffer+smallSendBuffer)/32 {
			t.Fatal("the sender is not stopped")
		}
	}
	var waits *tally
	for tries := 1; ; tries++ {
		one := newTally()
		waits = one
		p.actAside("waits", func() { one.end(a.SendContext(t.Context(), nil)) })
		p.pass(time.Second)
		if !waits.over() {
			break
		}
		// Over sockets the first probe of a window that has closed, which takes a message along, may leave only now.
		if w.simulated() || waits.err != nil || tries == 5 {
			t.Fatalf("SendContext without room returns %v", waits.err)
		}
		sent++
	}
	got := newTally()
	p.actAside("reads", func() {
		for m, err := range b.Messages(t.Context()) {
			if err != nil || len(m.Data) > 0 {
				got.end(fmt.Errorf("%d bytes, %w", len(m.Data), err))
				return
			}
			if sent--; sent < 0 {
				got.end(nil)
				return
			}
		}
	})
	p.until("all arrive", got.over)
	if got.err != nil || !waits.over() || waits.err != nil {
		t.Errorf("read: %v; SendContext has returned: %v, %v", got.err, waits.over(), waits.err)
	}
}

// A sender that has stopped for a full window hears at once that a reader goes on. It does not find out by its next probe, which may be seconds
// away.
func TestReaderOpensTheWindow(t *testing.T) {
	p, a, b := connected(t, sim.Config{Seed: 1, Link: sim.Link{Delay: 5 * time.Millisecond}}, nil, smallBuffers)
	stream := b.Detach()
	m := make([]byte, 4<<10)
	for range 2 {
		for a.Send(m) == nil {
		}
		p.pass(10 * time.Second)
	}
	waiting := a.BufferedAmount()
	if waiting == 0 {
		t.Fatal("nothing waits")
	}
	for range smallReceiveBuffer / len(m) / 2 {
		_, err := stream.Read(m)
		p.must(err)
	}
	p.pass(50 * time.Millisecond)
	if a.BufferedAmount() == waiting {
		t.Error("the sender has not heard of it")
	}
}
