// Quickstart connects two peers in one process over real UDP sockets: they greet each other by text and by bytes, and one sends the other a 64 MiB
// file. It prints what each handler heard, in order, and what it cost. It needs no server and no network but loopback.
package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"hash"
	"io"
	"log"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/sansrtc/rtc"
)

func main() {
	size := flag.Int64("size", 64<<20, "bytes of the file that is sent")
	flag.Parse()
	if err := run(*size); err != nil {
		log.Fatal(err)
	}
}

// peer is the handler of one side. All its methods run on the connection's event loop, one at a time, so its fields need no lock.
type peer struct {
	rtc.BaseHandler // no-ops for the events that this program does not need

	name    string
	started time.Time
	signal  func(rtc.ICECandidateInit) // gives a candidate to the other side
	events  []string                   // what was heard, in order

	connected chan struct{} // closed when the connection is there
	opened    chan *rtc.DataChannel
	greeted   chan string // what the other side said
	file      *received   // the file that arrives, if one does
}

// received is a file on its way in.
type received struct {
	hash hash.Hash
	size int64
	want int64
	done chan struct{}
}

func (p *peer) heard(format string, args ...any) {
	p.events = append(p.events, fmt.Sprintf("%8.2f ms  %s", float64(time.Since(p.started).Microseconds())/1000, fmt.Sprintf(format, args...)))
}

// OnICECandidate tells an address where this peer can be reached. A real program sends it over its signaling channel.
func (p *peer) OnICECandidate(_ *rtc.PeerConnection, c *rtc.ICECandidate) {
	if c == nil {
		p.heard("candidates: that was all")
		return
	}
	p.heard("candidate: %v", c)
	p.signal(c.ToJSON())
}

func (p *peer) OnSignalingStateChange(_ *rtc.PeerConnection, s rtc.SignalingState) {
	p.heard("signaling: %v", s)
}

func (p *peer) OnConnectionStateChange(_ *rtc.PeerConnection, s rtc.PeerConnectionState) {
	p.heard("connection: %v", s)
	if s == rtc.PeerConnectionStateConnected {
		close(p.connected)
	}
}

func (p *peer) OnDataChannel(_ *rtc.PeerConnection, dc *rtc.DataChannel) {
	p.heard("the other side made channel %q", dc.Label())
}

func (p *peer) OnDataChannelOpen(_ *rtc.PeerConnection, dc *rtc.DataChannel) {
	p.heard("channel %q is open", dc.Label())
	p.opened <- dc
}

func (p *peer) OnDataChannelMessage(_ *rtc.PeerConnection, dc *rtc.DataChannel, msg rtc.DataChannelMessage) {
	switch {
	case dc.Label() == "file":
		p.file.hash.Write(msg.Data)
		if p.file.size += int64(len(msg.Data)); p.file.size == p.file.want {
			p.heard("channel \"file\": all %d bytes are here", p.file.size)
			close(p.file.done)
		}
	case msg.IsString:
		p.heard("channel %q: text %q", dc.Label(), msg.Data)
		p.greeted <- string(msg.Data)
	default:
		p.heard("channel %q: bytes % x", dc.Label(), msg.Data)
		p.greeted <- "bytes"
	}
}

func (p *peer) OnDataChannelClose(_ *rtc.PeerConnection, dc *rtc.DataChannel) {
	p.heard("channel %q is closed", dc.Label())
}

func run(size int64) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	before := runtime.NumGoroutine()

	// Two handlers, and a connection for each.
	started := time.Now()
	alice := newPeer("alice", started)
	bob := newPeer("bob", started)
	bob.file = &received{hash: sha256.New(), want: size, done: make(chan struct{})}

	a, err := rtc.NewBuilder().Handler(alice).Build(ctx)
	if err != nil {
		return err
	}
	defer a.Close()
	b, err := rtc.NewBuilder().Handler(bob).Build(ctx)
	if err != nil {
		return err
	}
	defer b.Close()

	// Candidates may come before the description they belong to has been sent: this program applies the descriptions first.
	ready := make(chan struct{})
	alice.signal = func(c rtc.ICECandidateInit) { go func() { <-ready; b.AddICECandidate(c) }() }
	bob.signal = func(c rtc.ICECandidateInit) { go func() { <-ready; a.AddICECandidate(c) }() }

	// Alice makes a channel and an offer, Bob answers. Descriptions go over the signaling channel too; here it is a variable.
	if _, err := a.CreateDataChannel("chat", nil); err != nil {
		return err
	}
	offer, err := a.CreateOffer(nil)
	if err != nil {
		return err
	}
	if err := a.SetLocalDescription(offer); err != nil {
		return err
	}
	if err := b.SetRemoteDescription(offer); err != nil {
		return err
	}
	answer, err := b.CreateAnswer(nil)
	if err != nil {
		return err
	}
	if err := b.SetLocalDescription(answer); err != nil {
		return err
	}
	if err := a.SetRemoteDescription(answer); err != nil {
		return err
	}
	close(ready)

	chatA, err := wait(ctx, alice.opened)
	if err != nil {
		return fmt.Errorf("channel at alice: %w", err)
	}
	chatB, err := wait(ctx, bob.opened)
	if err != nil {
		return fmt.Errorf("channel at bob: %w", err)
	}
	setup := time.Since(started)

	// Text and bytes, both ways.
	if err := errors.Join(
		chatA.SendText("hello, bob"), chatA.Send([]byte{0xb0, 0xb0}),
		chatB.SendText("hello, alice"), chatB.Send([]byte{0xa1, 0x1c, 0xe0}),
	); err != nil {
		return err
	}
	for _, heard := range []chan string{alice.greeted, bob.greeted} {
		for range 2 {
			if _, err := wait(ctx, heard); err != nil {
				return fmt.Errorf("greetings: %w", err)
			}
		}
	}
	idle := runtime.NumGoroutine() - before

	// The file, on a channel of its own. SendContext waits while the buffer is full, so memory stays small.
	file, err := a.CreateDataChannel("file", nil)
	if err != nil {
		return err
	}
	if _, err := wait(ctx, alice.opened); err != nil {
		return err
	}
	sum, took, err := send(ctx, file, size, bob.file.done)
	if err != nil {
		return err
	}
	if !bytes.Equal(sum, bob.file.hash.Sum(nil)) {
		return errors.New("the file has arrived with another checksum")
	}

	// Close waits for nobody; Done says when handlers have returned and nothing is left.
	a.Close()
	b.Close()
	<-a.Done()
	<-b.Done()

	for _, p := range []*peer{alice, bob} {
		fmt.Printf("\n%s heard\n  %s\n", p.name, strings.Join(p.events, "\n  "))
	}
	fmt.Printf("\nconnected in %.2f ms, %d goroutine(s) per connection\n", float64(setup.Microseconds())/1000, idle/2)
	fmt.Printf("%d MiB in %.2f s: %.0f Mbit/s, SHA-256 %x… is right\n",
		size>>20, took.Seconds(), float64(size)*8/1e6/took.Seconds(), sum[:8])
	return nil
}

func newPeer(name string, started time.Time) *peer {
	return &peer{
		name:      name,
		started:   started,
		connected: make(chan struct{}),
		opened:    make(chan *rtc.DataChannel, 4),
		greeted:   make(chan string, 4),
	}
}

// send sends size pseudo-random bytes, draws a progress bar, and waits until done.
func send(ctx context.Context, dc *rtc.DataChannel, size int64, done <-chan struct{}) (sum []byte, took time.Duration, err error) {
	source := io.LimitReader(rand.NewChaCha8([32]byte{1}), size)
	h := sha256.New()
	chunk := make([]byte, 64<<10)
	started, sent, drawn := time.Now(), int64(0), -1
	for {
		n, err := io.ReadFull(source, chunk)
		if n > 0 {
			h.Write(chunk[:n])
			if err := dc.SendContext(ctx, chunk[:n]); err != nil {
				return nil, 0, err
			}
			sent += int64(n)
			if tenth := int(sent * 40 / size); tenth != drawn {
				drawn = tenth
				fmt.Fprintf(os.Stderr, "\rsending [%-40s] %3d %%", strings.Repeat("=", tenth), sent*100/size)
			}
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			break
		}
		if err != nil {
			return nil, 0, err
		}
	}
	fmt.Fprintln(os.Stderr)
	if _, err := wait(ctx, done); err != nil {
		return nil, 0, fmt.Errorf("file: %w", err)
	}
	return h.Sum(nil), time.Since(started), nil
}

func wait[T any](ctx context.Context, c <-chan T) (v T, err error) {
	select {
	case v = <-c:
	case <-ctx.Done():
		err = ctx.Err()
	}
	return v, err
}
