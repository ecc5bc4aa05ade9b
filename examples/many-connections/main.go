// Many-connections holds thousands of connections in one process and tells what they cost: how fast they are set up, memory and goroutines
// for each at 100, 1 000, 10 000 pairs, processor time while they are idle and while all exchange messages. The runtime is chosen by a
// flag; nothing else changes.
//
//	go run ./examples/many-connections -n 10000 -runtime mux
//
// A pair is two connections, a client that sends and a server that answers, both in this process, over loopback. With -runtime std and
// loop each has a socket of its own, which is a file descriptor: -n 10000 wants 20000 of them. With -runtime mux all clients share a
// few UDP ports, and so do all servers: as many as tell all pairs apart, about 170 on each side for 10000. Clients that have an address each
// need one port only: -runtime server is that, with the servers on one port and the clients on the runtime loop.
//
// The times are of setting up one pair, from making its connections until its channel is open, beside the others.
//
// Memory is in KiB for each connection: the heap after a garbage collection, stacks, and what the kernel keeps for a socket. Beside it is by
// how much the process has grown, which contains what the heap's allocator cannot give back.
package main

import (
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"math"
	"net/netip"
	"os"
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
	settle      time.Duration // before memory is measured
	idle, talk  time.Duration // how long each is measured
	every, give time.Duration // a pair's messages; patience for all that must happen
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("many-connections: ")
	var c config
	flag.IntVar(&c.n, "n", 200, "number of pairs of connections")
	flag.StringVar(&c.runtime, "runtime", "mux", "mux, server, loop or std")
	flag.IntVar(&c.atOnce, "at-once", 32, "number of pairs that are set up at a time")
	flag.DurationVar(&c.settle, "settle", 10*time.Second, "how long connections are left alone before memory is measured: idle ones give back what they keep for speed")
	flag.DurationVar(&c.idle, "idle", 10*time.Second, "how long idle connections are measured")
	flag.DurationVar(&c.talk, "talk", 5*time.Second, "how long they exchange messages")
	flag.DurationVar(&c.every, "every", time.Second, "how often each pair exchanges a message of 100 bytes")
	flag.DurationVar(&c.give, "timeout", 5*time.Minute, "how long the whole may take")
	flag.Parse()
	if c.n < 1 || c.atOnce < 1 || c.every <= 0 {
		log.Fatal("want -n, -at-once and -every greater than 0")
	}
	if err := run(c, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// worlds makes the runtimes of n clients and of as many servers.
func worlds(name string, n int) (clients, servers runtime.Runtime, end func(), err error) {
	end = func() {}
	sockets := 2 * n
	switch name {
	case "std":
		clients = std.New(std.Config{})
		servers = clients
	case "loop":
		clients = loop.New(loop.Config{})
		servers = clients
	case "mux", "server":
		// Two ports tell connections apart, and while ICE looks for a path a connection may hold two.
		ports := int(math.Ceil(math.Sqrt(3 * float64(n))))
		if name == "server" {
			ports = 1
		}
		cfg := mux.Config{Addr: netip.MustParseAddrPort("127.0.0.1:0"), Ports: ports}
		rt, err := mux.New(cfg)
		if err != nil {
			return nil, nil, nil, err
		}
		if name == "server" {
			sockets = n
			clients, servers, end = loop.New(loop.Config{}), rt, func() { rt.Close() }
			break
		}
		other, err := mux.New(cfg)
		if err != nil {
			rt.Close()
			return nil, nil, nil, err
		}
		sockets = 0
		clients, servers, end = other, rt, func() { rt.Close(); other.Close() }
	default:
		return nil, nil, nil, fmt.Errorf("unknown runtime %q: want mux, server, loop or std", name)
	}
	if most := maxFiles() - 50; sockets > most {
		end()
		return nil, nil, nil, fmt.Errorf("%d sockets are wanted and %d files may be open (ulimit -n): take fewer pairs, or -runtime mux", sockets, most)
	}
	return clients, servers, end, nil
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
	took           time.Duration // until dc was open
}

func run(c config, out io.Writer) error {
	ctx, cancel := context.WithTimeout(context.Background(), c.give)
	defer cancel()
	clean := measure()
	clients, servers, end, err := worlds(c.runtime, c.n)
	if err != nil {
		return err
	}
	defer func() { end() }()
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
	var pairs []*pair
	defer func() { closeAll(pairs) }()

	fmt.Fprintf(out, "runtime %s; memory in KiB for each connection\n", c.runtime)
	header(out)
	before := measure()
	for _, n := range steps(c.n) {
		begin, cpu := time.Now(), processorTime()
		made := n - len(pairs)
		more, err := setUp(ctx, made, c.atOnce, func() (*pair, error) {
			return newPair(ctx, base.Runtime(clients), base.Runtime(servers), stats)
		})
		pairs = append(pairs, more...)
		if err != nil {
			return err
		}
		took, cpu := time.Since(begin), processorTime()-cpu
		if err := wait(ctx, c.settle); err != nil {
			return err
		}
		row(out, n, more, took, cpu, before, measure())
	}

	from := measure()
	if err := wait(ctx, c.idle); err != nil {
		return err
	}
	rested := measure()
	fmt.Fprintf(out, "idle        %.1f %% of a processor\n", percent(from, rested))
	messages, err := talk(ctx, c, pairs)
	if err != nil {
		return err
	}
	talked := measure()
	closeAll(pairs) // from here no handler runs
	var rtts []time.Duration
	for _, p := range pairs {
		rtts = append(rtts, p.handler.rtts...)
	}
	slices.Sort(rtts)
	if len(rtts) == 0 {
		return errors.New("no message was answered")
	}
	fmt.Fprintf(out, "messages    %d sent, %d answered in %.2f ms (median), %.2f ms (99 %%), %.0f %% of a processor\n",
		messages, len(rtts), ms(rtts[len(rtts)/2]), ms(rtts[len(rtts)*99/100]), percent(rested, talked))
	end()
	pairs, rtts, end = nil, nil, func() {} // nothing refers to them any more
	left := measure()
	for range 100 { // the workers are ending
		if left.goroutines <= clean.goroutines {
			break
		}
		if err := wait(ctx, 10*time.Millisecond); err != nil {
			return err
		}
		left = measure()
	}
	fmt.Fprintf(out, "closed      %d goroutines and %.0f KiB of heap are left\n", left.goroutines-clean.goroutines, max(0, left.heap-clean.heap)/1024)
	if n := stats.disturbed.Load(); n > 0 {
		fmt.Fprintf(out, "disturbed   %d times a connection heard nothing for 5 s: this machine is too busy\n", n)
	}
	if n := stats.failed.Load(); n > 0 {
		return fmt.Errorf("%d connections failed", n)
	}
	return nil
}

// steps are the numbers of pairs at which memory is measured: powers of ten from 100, and n.
func steps(n int) (list []int) {
	for i := 100; i < n; i *= 10 {
		list = append(list, i)
	}
	return append(list, n)
}

// setUp makes left pairs, some at a time.
func setUp(ctx context.Context, left, atOnce int, one func() (*pair, error)) (pairs []*pair, err error) {
	var mu sync.Mutex
	var all sync.WaitGroup
	for range min(atOnce, left) {
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
	begin := time.Now()
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
		p.took = time.Since(begin)
		return p, nil
	case <-ctx.Done():
		return p, errors.New("a pair does not connect")
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
