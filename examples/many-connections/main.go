// Many-connections holds thousands of connections in one process and tells what they cost: how fast they are set up, memory and goroutines
// for each, processor time while they are idle and while all exchange messages. The runtime is chosen by a flag; nothing else changes.
//
//	go run ./examples/many-connections -n 1000 -runtime mux
//
// A pair is two connections, a client that sends and a server that answers, both in this process, over loopback. With -runtime std and
// loop each has a socket of its own. With -runtime mux all servers share one UDP port, and the clients, which are to be different addresses
// for it, are on the runtime loop. Each socket is a file descriptor, so the limit of open files has to fit: -n 10000 wants 20000 of
// them, with mux 10000.
package main

import (
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net/netip"
	"os"
	goruntime "runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sansrtc/rtc"
	"github.com/sansrtc/rtc/runtime"
	"github.com/sansrtc/rtc/runtime/loop"
	"github.com/sansrtc/rtc/runtime/mux"
	"github.com/sansrtc/rtc/runtime/std"
)

// config is what the flags say.
type config struct {
	n           int
	runtime     string
	atOnce      int           // pairs that are being set up
	idle, talk  time.Duration // how long each is measured
	every, give time.Duration // a pair's messages; patience for all that must happen
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("many-connections: ")
	var c config
	flag.IntVar(&c.n, "n", 200, "number of pairs of connections")
	flag.StringVar(&c.runtime, "runtime", "mux", "mux, loop or std")
	flag.IntVar(&c.atOnce, "at-once", 32, "number of pairs that are set up at a time")
	flag.DurationVar(&c.idle, "idle", time.Second, "how long the connections are left alone")
	flag.DurationVar(&c.talk, "talk", time.Second, "how long they exchange messages")
	flag.DurationVar(&c.every, "every", 100*time.Millisecond, "how often each pair exchanges a message of 100 bytes")
	flag.DurationVar(&c.give, "timeout", 5*time.Minute, "how long the whole may take")
	flag.Parse()
	if c.n < 1 || c.atOnce < 1 || c.every <= 0 {
		log.Fatal("want -n, -at-once and -every greater than 0")
	}
	if err := run(c, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// worlds makes the runtimes of the clients and of the servers.
func worlds(name string) (clients, servers runtime.Runtime, end func(), err error) {
	end = func() {}
	switch name {
	case "std":
		rt := std.New(std.Config{})
		return rt, rt, end, nil
	case "loop":
		rt := loop.New(loop.Config{})
		return rt, rt, end, nil
	case "mux":
		rt, err := mux.New(mux.Config{Addr: netip.MustParseAddrPort("127.0.0.1:0")})
		if err != nil {
			return nil, nil, nil, err
		}
		return loop.New(loop.Config{}), rt, func() { rt.Close() }, nil
	}
	return nil, nil, nil, fmt.Errorf("unknown runtime %q: want mux, loop or std", name)
}

// client is a client's handler. It measures how long answers take.
type client struct {
	rtc.BaseHandler
	open  chan *rtc.DataChannel
	rtts  []time.Duration
	stats *exchange
}

// exchange is what all clients count together.
type exchange struct {
	answers           atomic.Int64
	disturbed, failed atomic.Int64 // clients that heard nothing for 5 seconds, and that gave up
	begin             time.Time
}

func (c *client) OnDataChannelOpen(_ *rtc.PeerConnection, dc *rtc.DataChannel) { c.open <- dc }

func (c *client) OnDataChannelMessage(_ *rtc.PeerConnection, _ *rtc.DataChannel, msg rtc.DataChannelMessage) {
	sent := time.Duration(binary.BigEndian.Uint64(msg.Data))
	c.rtts = append(c.rtts, time.Since(c.stats.begin)-sent)
	c.stats.answers.Add(1)
}

func (c *client) OnConnectionStateChange(_ *rtc.PeerConnection, s rtc.PeerConnectionState) {
	switch s {
	case rtc.PeerConnectionStateDisconnected:
		c.stats.disturbed.Add(1)
	case rtc.PeerConnectionStateFailed:
		c.stats.failed.Add(1)
	}
}

// server answers each message with itself.
type server struct{ rtc.BaseHandler }

func (server) OnDataChannelMessage(_ *rtc.PeerConnection, dc *rtc.DataChannel, msg rtc.DataChannelMessage) {
	_ = dc.Send(msg.Data) // fails when the connection is being closed
}

// pair is a client and its server.
type pair struct {
	handler        *client
	client, server *rtc.PeerConnection
	dc             *rtc.DataChannel
}

func run(c config, out io.Writer) error {
	ctx, cancel := context.WithTimeout(context.Background(), c.give)
	defer cancel()
	before := measure()
	clients, servers, end, err := worlds(c.runtime)
	if err != nil {
		return err
	}
	defer end()
	certificate, err := rtc.GenerateCertificate() // one for all: only the connections are measured
	if err != nil {
		return err
	}
	// Loopback only: the number of addresses of this machine is not to matter.
	base := rtc.NewBuilder().Certificates(*certificate).ICE(rtc.ICEOptions{
		IncludeLoopback: true,
		IPFilter:        func(a netip.Addr) bool { return a == netip.AddrFrom4([4]byte{127, 0, 0, 1}) },
	})
	stats := &exchange{begin: time.Now()}
	begin := time.Now()
	pairs, err := setUp(ctx, c, func() (*pair, error) {
		return newPair(ctx, base.Runtime(clients), base.Runtime(servers), stats)
	})
	defer closeAll(pairs)
	if err != nil {
		return err
	}
	took := time.Since(begin)
	n := float64(2 * c.n) // connections
	after := measure()
	fmt.Fprintf(out, "%d pairs on runtime %s\n", c.n, c.runtime)
	fmt.Fprintf(out, "setup       %.2f s, %.0f pairs/s, %.2f ms of processor time each\n",
		took.Seconds(), float64(c.n)/took.Seconds(), ms(after.cpu-before.cpu)/float64(c.n))
	fmt.Fprintf(out, "memory      %.1f KiB per connection: heap %.1f, stacks %.1f\n",
		(after.heap-before.heap+after.stacks-before.stacks)/n/1024, (after.heap-before.heap)/n/1024, (after.stacks-before.stacks)/n/1024)
	fmt.Fprintf(out, "goroutines  %d for %d connections\n", after.goroutines-before.goroutines, 2*c.n)

	if err := wait(ctx, c.idle); err != nil {
		return err
	}
	rested := measure()
	fmt.Fprintf(out, "idle        %.1f %% of a processor\n", percent(after, rested))

	messages, err := talk(ctx, c, pairs)
	if err != nil {
		return err
	}
	talked := measure()
	var rtts []time.Duration
	closeAll(pairs) // from here no handler runs
	for _, p := range pairs {
		rtts = append(rtts, p.handler.rtts...)
	}
	slices.Sort(rtts)
	if len(rtts) == 0 {
		return errors.New("no message was answered")
	}
	fmt.Fprintf(out, "messages    %d sent, %d answered in %.2f ms (median), %.2f ms (99 %%), %.0f %% of a processor\n",
		messages, len(rtts), ms(rtts[len(rtts)/2]), ms(rtts[len(rtts)*99/100]), percent(rested, talked))
	if n := stats.disturbed.Load(); n > 0 {
		fmt.Fprintf(out, "disturbed   %d times a connection heard nothing for 5 s: this machine is too busy\n", n)
	}
	if n := stats.failed.Load(); n > 0 {
		return fmt.Errorf("%d connections failed", n)
	}
	return nil
}

// setUp makes all pairs, some at a time.
func setUp(ctx context.Context, c config, one func() (*pair, error)) (pairs []*pair, err error) {
	var mu sync.Mutex
	var all sync.WaitGroup
	left := c.n
	for range min(c.atOnce, c.n) {
		all.Go(func() {
			mu.Lock()
			defer mu.Unlock()
			for left > 0 && err == nil && ctx.Err() == nil {
				left--
				mu.Unlock()
				p, e := one()
				mu.Lock()
				if p != nil {
					pairs = append(pairs, p)
				}
				err = errors.Join(err, e)
			}
		})
	}
	all.Wait()
	return pairs, errors.Join(err, ctx.Err())
}

// newPair connects a client and a server. On an error it returns what there is of them, to be closed.
func newPair(ctx context.Context, clients, servers rtc.Builder, stats *exchange) (p *pair, err error) {
	p = &pair{handler: &client{open: make(chan *rtc.DataChannel, 1), stats: stats}}
	if p.client, err = clients.Handler(p.handler).Build(ctx); err != nil {
		return nil, err
	}
	if p.server, err = servers.Handler(server{}).Build(ctx); err != nil {
		return p, err
	}
	if _, err = p.client.CreateDataChannel("echo", nil); err != nil {
		return p, err
	}
	// The zero description is W3C's implicit offer or answer. Candidates are in the description when SetLocalDescription has returned.
	if err = p.client.SetLocalDescription(rtc.SessionDescription{}); err != nil {
		return p, err
	}
	if err = p.server.SetRemoteDescription(*p.client.LocalDescription()); err != nil {
		return p, err
	}
	if err = p.server.SetLocalDescription(rtc.SessionDescription{}); err != nil {
		return p, err
	}
	if err = p.client.SetRemoteDescription(*p.server.LocalDescription()); err != nil {
		return p, err
	}
	select {
	case p.dc = <-p.handler.open:
		return p, nil
	case <-ctx.Done():
		return p, errors.New("a pair does not connect: is the limit of open files (ulimit -n) too small?")
	}
}

// talk lets each client send a message every so often, spread evenly.
func talk(ctx context.Context, c config, pairs []*pair) (sent int, err error) {
	if c.talk <= 0 {
		return 0, nil
	}
	step := c.every / time.Duration(len(pairs))
	begin := time.Now()
	for i := 0; ; i++ {
		due := time.Duration(i) * step
		if due >= max(c.talk, c.every) {
			break
		}
		if early := due - time.Since(begin); early > time.Millisecond {
			if err := wait(ctx, early); err != nil {
				return sent, err
			}
		}
		p := pairs[i%len(pairs)]
		msg := make([]byte, 100)
		binary.BigEndian.PutUint64(msg, uint64(time.Since(p.handler.stats.begin)))
		if err := p.dc.Send(msg); err != nil {
			return sent, err
		}
		sent++
	}
	for pairs[0].handler.stats.answers.Load() < int64(sent) {
		if err := wait(ctx, time.Millisecond); err != nil {
			stats := pairs[0].handler.stats
			return sent, fmt.Errorf("%d of %d messages were answered, %d connections have failed: %w", stats.answers.Load(), sent, stats.failed.Load(), err)
		}
	}
	return sent, nil
}

// closeAll closes what is open and waits until nothing is left of it.
func closeAll(pairs []*pair) {
	for _, p := range pairs {
		for _, pc := range []*rtc.PeerConnection{p.client, p.server} {
			if pc != nil {
				pc.Close()
			}
		}
	}
	for _, p := range pairs {
		for _, pc := range []*rtc.PeerConnection{p.client, p.server} {
			if pc != nil {
				<-pc.Done()
			}
		}
	}
}

// measurement is what this process uses at a moment.
type measurement struct {
	at           time.Time
	cpu          time.Duration
	heap, stacks float64
	goroutines   int
}

func measure() measurement {
	m := measurement{at: time.Now(), cpu: processorTime(), goroutines: goruntime.NumGoroutine()}
	goruntime.GC()
	goruntime.GC() // what was in pools is gone now
	var s goruntime.MemStats
	goruntime.ReadMemStats(&s)
	m.heap, m.stacks = float64(s.HeapAlloc), float64(s.StackInuse)
	return m
}

// percent is the processor time between two measurements. It contains the garbage collections of the first one.
func percent(from, to measurement) float64 {
	return 100 * (to.cpu - from.cpu).Seconds() / to.at.Sub(from.at).Seconds()
}

func ms(d time.Duration) float64 { return d.Seconds() * 1000 }

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
