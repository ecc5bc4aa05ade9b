package rtc_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
	"testing/iotest"
	"time"

	"github.com/sansrtc/rtc"
	"github.com/sansrtc/rtc/runtime/sim"
)

// Detached channels are streams for io.Copy: five mebibytes each way at once over sockets come out as they went in, and end by io.EOF.
func TestDetachCopies(t *testing.T) { overSockets(t, testDetachCopies) }

func testDetachCopies(t *testing.T, w *world) {
	const size = 5 << 20
	pc, rec := w.realPair(t, w.runtimes(t), nil)
	var sums [2][32]byte // of what each end has sent
	results := make(chan error, 4)
	streams := [2]io.ReadWriteCloser{rec[0].channel(0).Detach(), rec[1].channel(0).Detach()} // both before there is something to hear
	var data [2][]byte
	for i := range data {
		data[i] = make([]byte, size)
		rand.NewChaCha8([32]byte{byte(i)}).Read(data[i])
		sums[i] = sha256.Sum256(data[i])
	}
	for i, s := range streams {
		go func() {
			n, err := io.Copy(s, struct{ io.Reader }{bytes.NewReader(data[i])})
			if err == nil && n != size {
				err = fmt.Errorf("copied %d bytes", n)
			}
			results <- err
		}()
		go func() {
			h := sha256.New()
			n, err := io.Copy(h, io.LimitReader(s, size))
			if err == nil && (n != size || [32]byte(h.Sum(nil)) != sums[1-i]) {
				err = fmt.Errorf("%d bytes arrived, sum %x", n, h.Sum(nil))
			}
			results <- err
		}()
	}
	for range 4 {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	if err := streams[0].Close(); err != nil {
		t.Error(err)
	}
	if rest, err := io.ReadAll(streams[1]); err != nil || len(rest) > 0 {
		t.Errorf("after Close %d bytes and %v", len(rest), err)
	}
	for i := range pc {
		pc[i].Close()
		<-pc[i].Done()
	}
	if rec[0].received()+rec[1].received() > 0 {
		t.Error("handlers heard messages of detached channels")
	}
}

// Read gives the bytes of at most one message, in pieces as small as is asked for, and skips empty messages.
func TestDetachReads(t *testing.T) { everywhere(t, testDetachReads) }

func testDetachReads(t *testing.T, w *world) {
	p, a, b := w.connected(t, sim.Config{Link: sim.Link{Delay: time.Millisecond}}, nil, nil)
	s := b.Detach()
	for _, text := range []string{"hello", "", "world", "!"} {
		p.must(a.SendText(text))
	}
	p.must(a.Close())
	p.until("the end", func() bool { return b.ReadyState() == rtc.DataChannelStateClosed })
	buf := make([]byte, 100)
	if n, err := s.Read(nil); n != 0 || err != nil {
		t.Errorf("an empty Read: %d, %v", n, err)
	}
	for _, c := range []struct {
		size int
		want string
	}{{2, "he"}, {1, "l"}, {100, "lo"}, {4, "worl"}, {100, "d"}, {100, "!"}} {
		n, err := s.Read(buf[:c.size])
		if err != nil || string(buf[:n]) != c.want {
			t.Errorf("Read of %d: %q, %v, want %q", c.size, buf[:n], err, c.want)
		}
	}
	for range 2 {
		if n, err := s.Read(buf); n != 0 || err != io.EOF {
			t.Errorf("at the end: %d, %v", n, err)
		}
	}
}

// A detached channel behaves as readers do, by the standard library's own test of them.
func TestDetachIsAReader(t *testing.T) { everywhere(t, testDetachIsAReader) }

func testDetachIsAReader(t *testing.T, w *world) {
	p, a, b := w.connected(t, sim.Config{}, nil, nil)
	s := b.Detach()
	var content []byte
	for i := range 50 {
		m := bytes.Repeat([]byte{byte(i)}, i*i)
		content = append(content, m...)
		p.must(a.Send(m))
	}
	p.must(a.Close())
	p.until("the end", func() bool { return b.ReadyState() == rtc.DataChannelStateClosed })
	if err := iotest.TestReader(s, content); err != nil {
		t.Error(err)
	}
}

// Write cuts what is longer than the peer's max-message-size into messages, and waits for room when the buffer is full.
func TestDetachWrites(t *testing.T) { everywhere(t, testDetachWrites) }

func testDetachWrites(t *testing.T, w *world) {
	const limit = 5000
	for _, size := range []int{0, 1, limit - 1, limit, limit + 1, 2 * limit, 1_000_000} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			p, a, _ := w.connected(t, sim.Config{Handoff: time.Millisecond, Link: sim.Link{Delay: time.Millisecond}}, nil, func(i int, b rtc.Builder) rtc.Builder {
				if i == 0 {
					return b.SCTP(rtc.SCTPOptions{SendBuffer: 100_000, MaxMessageSize: 10})
				}
				return b.SCTP(rtc.SCTPOptions{MaxMessageSize: limit})
			})
			data := make([]byte, size)
			rand.NewChaCha8([32]byte{}).Read(data)
			var shared beside
			written := -1
			p.actAside("writer", func() {
				n, err := a.Detach().Write(data)
				if err != nil {
					t.Error(err)
				}
				shared.do(func() { written = n })
			})
			messages := max(1, (size+limit-1)/limit)
			p.until("messages", shared.is(func() bool { return p.rec[1].received() == messages && written >= 0 }))
			if written != size {
				t.Errorf("Write returned %d", written)
			}
			var got []byte
			for i, m := range p.rec[1].messages {
				if m.IsString || len(m.Data) > limit || i < messages-1 && len(m.Data) < limit {
					t.Errorf("message %d of %d has %d bytes, text %v", i, messages, len(m.Data), m.IsString)
				}
				got = append(got, m.Data...)
			}
			if !bytes.Equal(got, data) {
				t.Error("other bytes arrived")
			}
		})
	}
}

// Close of either end, or of the connection, ends a Read and a Write that wait; what was written before the Close is read first.
func TestDetachClose(t *testing.T) { everywhere(t, testDetachClose) }

func testDetachClose(t *testing.T, w *world) {
	for name, c := range map[string]struct {
		end    func(p *pair, a, b *rtc.DataChannel)
		normal bool // Read gives all that was written
	}{
		"own channel":     {func(_ *pair, a, _ *rtc.DataChannel) { a.Detach().Close() }, true},
		"peer's channel":  {func(_ *pair, _, b *rtc.DataChannel) { b.Close() }, true},
		"own connection":  {func(p *pair, _, _ *rtc.DataChannel) { p.pc[0].Close() }, false},
		"peer connection": {func(p *pair, _, _ *rtc.DataChannel) { p.pc[1].Close() }, false},
	} {
		t.Run(name, func(t *testing.T) {
			p, a, b := w.connected(t, sim.Config{Handoff: time.Millisecond, Link: sim.Link{Delay: time.Millisecond}}, nil, smallBuffers)
			s := a.Detach()
			p.must(b.SendText("before"))
			var shared beside
			var readErr, writeErr error
			var read []byte
			written, done := 0, 0
			p.actAside("reader", func() {
				all, err := io.ReadAll(s)
				shared.do(func() { read, readErr = all, err; done++ })
			})
			p.actAside("writer", func() {
				for ok := true; ok; {
					n, err := s.Write(make([]byte, 100_000))
					shared.do(func() {
						written += n
						if err != nil {
							writeErr, ok = err, false
							done++
						}
					})
				}
			})
			b.Detach() // and nobody reads, so Write has to wait
			p.until("the buffer is full", shared.is(func() bool { return written >= smallSendBuffer-200_000 }))
			p.pass(5 * time.Second)
			if shared.is(func() bool { return done > 0 })() {
				t.Fatalf("%d have ended, %d bytes are written: %v %v", done, written, readErr, writeErr)
			}
			c.end(p, a, b)
			if name == "own channel" || name == "peer's channel" {
				p.pass(time.Second)
				n, ended := 0, b.ReadyState() == rtc.DataChannelStateClosed
				for !ended {
					texts := ready(t, b) // what was written goes out first
					for _, m := range texts {
						n += len(m)
					}
					p.pass(time.Second)
					ended = len(texts) > 0 && texts[len(texts)-1] == "end"
				}
				if n -= len("end"); name == "own channel" && shared.is(func() bool { return n != written })() {
					t.Errorf("%d bytes were written, %d read", written, n)
				}
			}
			p.until("the ends", shared.is(func() bool { return done == 2 }))
			if string(read) != "before" || readErr != nil && c.normal {
				t.Errorf("ReadAll: %q, %v", read, readErr)
			}
			if !errors.Is(writeErr, rtc.ErrDataChannelNotOpen) {
				t.Errorf("Write: %v", writeErr)
			}
			if n, err := s.Write([]byte("late")); n != 0 || !errors.Is(err, rtc.ErrDataChannelNotOpen) {
				t.Errorf("Write after the end: %d, %v", n, err)
			}
			if n, err := s.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
				t.Errorf("Read after the end: %d, %v", n, err)
			}
			if err := s.Close(); err != nil {
				t.Errorf("Close after the end: %v", err)
			}
		})
	}
}
