package sctp

//lint:file-ignore SA1019 one Config for both roles says what pion is told

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/pion/logging"
	pion "github.com/pion/sctp"
)

// pipeConn is a net.Conn of whole packets in memory, which never loses one.
type pipeConn struct {
	in, out chan []byte
	done    chan struct{}
}

func (c *pipeConn) Read(b []byte) (int, error) {
	select {
	case p := <-c.in:
		return copy(b, p), nil
	case <-c.done:
		return 0, io.EOF
	}
}

func (c *pipeConn) Write(b []byte) (int, error) {
	select {
	case c.out <- append([]byte(nil), b...):
		return len(b), nil
	case <-c.done:
		return 0, io.ErrClosedPipe
	}
}

func (c *pipeConn) Close() error {
	select {
	case <-c.done:
	default:
		close(c.done)
	}
	return nil
}
func (c *pipeConn) LocalAddr() net.Addr              { return &net.UDPAddr{} }
func (c *pipeConn) RemoteAddr() net.Addr             { return &net.UDPAddr{} }
func (c *pipeConn) SetDeadline(time.Time) error      { return nil }
func (c *pipeConn) SetReadDeadline(time.Time) error  { return nil }
func (c *pipeConn) SetWriteDeadline(time.Time) error { return nil }

// withPion is one of our associations and one of pion's. Ours runs on the test's goroutine, in real time.
type withPion struct {
	t      *testing.T
	ours   *Association
	conn   *pipeConn
	events []Event
	theirs *pion.Association
	change func(c *pion.Config) // what is other than usual on pion's side
}

func newWithPion(t *testing.T, cfg Config) *withPion {
	cfg.Rand = testRand(1, 9)
	a, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	w := &withPion{t: t, ours: a, conn: &pipeConn{make(chan []byte, 1<<16), make(chan []byte, 1<<16), make(chan struct{})}}
	t.Cleanup(func() {
		if w.theirs != nil {
			w.theirs.Abort("end of test")
		}
		w.conn.Close()
	})
	return w
}

func (w *withPion) config() pion.Config {
	f := logging.NewDefaultLoggerFactory()
	f.DefaultLogLevel = logging.LogLevelDisabled
	c := pion.Config{NetConn: w.conn, LoggerFactory: f, MaxReceiveBufferSize: 1 << 20, MaxMessageSize: 256 << 10}
	if w.change != nil {
		w.change(&c)
	}
	return c
}

// until runs our side until done or until ready is readable.
func (w *withPion) until(what string, done func() bool) {
	w.t.Helper()
	deadline := time.After(30 * time.Second)
	for {
		now := time.Now()
		for b, ok := w.ours.AppendPacket(now, nil); ok; b, ok = w.ours.AppendPacket(now, nil) {
			w.conn.in <- b
		}
		for e, ok := w.ours.PollEvent(); ok; e, ok = w.ours.PollEvent() {
			w.events = append(w.events, e)
			if e.Kind == EventMessage {
				w.ours.Consume(now, len(e.Data))
			}
		}
		w.ours.check()
		if done() {
			return
		}
		wait := 10 * time.Millisecond // done may depend on what pion does by itself
		if at := w.ours.PollTimeout(); !at.IsZero() {
			wait = min(wait, max(at.Sub(now), 0))
		}
		select {
		case b := <-w.conn.out:
			now = time.Now()
			for more := true; more; {
				w.ours.HandlePacket(now, b)
				select {
				case b = <-w.conn.out:
				default:
					more = false
				}
			}
			w.ours.HandleBurstEnd(now)
		case <-time.After(wait):
			w.ours.HandleTimeout(time.Now())
		case <-deadline:
			w.t.Fatalf("%s: timeout, %v %+v", what, w.ours.State(), w.ours.Stats())
		}
	}
}

// connect establishes the association, with us, pion or both starting.
func (w *withPion) connect(we, they bool) {
	w.t.Helper()
	result := make(chan error, 1)
	go func() {
		var err error
		if they {
			w.theirs, err = pion.Client(w.config())
		} else {
			w.theirs, err = pion.Server(w.config())
		}
		result <- err
	}()
	if we {
		w.ours.Start(time.Now(), time.Millisecond)
	}
	w.wait("connect", result)
	w.until("established", func() bool { return w.ours.State() == StateEstablished })
}

func (w *withPion) wait(what string, result chan error) {
	w.t.Helper()
	w.until(what, func() bool {
		select {
		case err := <-result:
			if err != nil {
				w.t.Fatalf("%s: %v", what, err)
			}
			return true
		default:
			return false
		}
	})
}

func (w *withPion) has(kind EventKind) bool {
	for _, e := range w.events {
		if e.Kind == kind {
			return true
		}
	}
	return false
}

// Promise: an association with pion carries messages of all sizes both ways, whoever starts, and streams can be reset and reused.
func TestInteropWithPion(t *testing.T) {
	for _, c := range []struct {
		name     string
		we, they bool
	}{{"we start", true, false}, {"pion starts", false, true}, {"both start", true, true}} {
		t.Run(c.name, func(t *testing.T) {
			w := newWithPion(t, Config{})
			w.connect(c.we, c.they)
			stream, err := w.theirs.OpenStream(7, pion.PayloadTypeWebRTCBinary)
			if err != nil {
				t.Fatal(err)
			}
			const count = 200
			size := func(i int) int { return 1 + i*i*i%60000 }
			result := make(chan error, 2)
			go func() {
				for i := range count {
					if _, err := stream.WriteSCTP(body(uint64(i), size(i)), pion.PayloadTypeWebRTCBinary); err != nil {
						result <- err
						return
					}
				}
				result <- nil
			}()
			go func() {
				buf := make([]byte, 256<<10)
				for i := range count {
					n, _, err := stream.ReadSCTP(buf)
					if err != nil {
						result <- err
						return
					}
					if !bytes.Equal(buf[:n], body(uint64(i), size(i))) {
						result <- errors.New("message is damaged")
						return
					}
				}
				result <- nil
			}()
			for i := range count {
				if err := w.ours.Send(time.Now(), 7, 53, body(uint64(i), size(i)), reliable); err != nil {
					t.Fatal(err)
				}
			}
			w.wait("one way", result)
			w.wait("other way", result)
			n := 0
			messages := func() int {
				for ; len(w.events) > 0; w.events = w.events[1:] {
					if e := w.events[0]; e.Kind == EventMessage {
						if !bytes.Equal(e.Data, body(uint64(n), size(n))) {
							t.Fatalf("message %d is damaged", n)
						}
						n++
					}
				}
				return n
			}
			w.until("all messages", func() bool { return messages() == count })

			w.events = nil
			w.ours.ResetStream(time.Now(), 7)
			w.until("our reset", func() bool { return w.has(EventOutgoingReset) })
			if _, err := stream.Read(make([]byte, 1)); err != io.EOF {
				t.Fatalf("pion's stream ends with %v", err)
			}
			if err := stream.Close(); err != nil {
				t.Fatal(err)
			}
			w.until("pion's reset", func() bool { return w.has(EventIncomingReset) })
			for _, e := range w.events {
				if e.Err != nil {
					t.Fatalf("%+v", e)
				}
			}
			w.ours.Release(7)
			w.events = nil
			again, err := w.theirs.OpenStream(7, pion.PayloadTypeWebRTCBinary)
			if err != nil {
				t.Fatal(err)
			}
			go func() {
				buf := make([]byte, 10)
				n, _, err := again.ReadSCTP(buf)
				if err == nil {
					_, err = again.WriteSCTP(buf[:n], pion.PayloadTypeWebRTCBinary)
				}
				result <- err
			}()
			if err := w.ours.Send(time.Now(), 7, 53, []byte("again"), reliable); err != nil {
				t.Fatal(err)
			}
			w.wait("reuse", result)
			w.until("the answer", func() bool { return w.has(EventMessage) })
			w.ours.Abort(time.Now(), "done")
			w.until("abort is sent", func() bool { return w.ours.State() == StateClosed })
		})
	}
}
