// Simulation makes a thousand calls in one process, over a network that is bad and does not exist: 2 % of the datagrams are lost and a
// round trip takes 80 ms. Each call is two connections that set up ICE, DTLS and SCTP and send a stream of messages over a data channel.
// The calls are the same code as over real sockets; only the runtime is another one, package sim, whose clock jumps from event to event.
// So nobody waits for the network, and chance is a seed: two runs with the same flags print the same, down to a hash over the time and
// the bytes of every datagram. The real time that it took is the one thing that differs, and goes to standard error.
//
//	go run ./examples/simulation -n 1000 -loss 0.02 -delay 40ms -seed 1
package main

import (
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"os"
	"slices"
	"time"

	"github.com/sansrtc/rtc"
	"github.com/sansrtc/rtc/runtime/sim"
)

const (
	messages = 50                    // that one call sends
	size     = 1000                  // bytes of a message
	interval = 20 * time.Millisecond // between messages
	arrivals = 30 * time.Second      // within which all calls begin
	limit    = 10 * time.Minute      // until all calls must have ended, in virtual time
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("simulation: ")
	n := flag.Int("n", 1000, "number of calls")
	loss := flag.Float64("loss", 0.02, "probability that a datagram is lost")
	delay := flag.Duration("delay", 40*time.Millisecond, "one way, half a round trip")
	seed := flag.Uint64("seed", 1, "chooses everything that is left to chance")
	flag.Parse()
	if *n < 1 || *loss < 0 || *loss >= 1 || *delay < 0 {
		log.Fatal("want -n of 1 or more, -loss from 0 to less than 1, -delay of 0 or more")
	}
	begin := time.Now()
	if err := run(*n, *loss, *delay, *seed, os.Stdout); err != nil {
		log.Fatal(err)
	}
	fmt.Fprintf(os.Stderr, "real time     %.1f s\n", time.Since(begin).Seconds())
}

// simulation is what the calls share. It has no lock: in a simulated world one handler or actor runs at a time.
type simulation struct {
	world *sim.World
	delay time.Duration

	setups     []time.Duration // from the offer to the open channel, signaling included
	deliveries []time.Duration // from Send to the other side's handler
	over       int             // calls that have ended
	failed     int             // calls among them that ended because their connection failed
	err        error           // a mistake of this program
}

func run(n int, loss float64, delay time.Duration, seed uint64, out io.Writer) error {
	world := sim.New(sim.Config{
		Seed:    seed,
		Link:    sim.Link{Delay: delay, Loss: loss},
		Handoff: -1, // no handler waits for anything but virtual time, so the simulation need never go on without one
	})
	defer world.Close()
	trace := world.Trace()
	epoch := world.Now()

	s := &simulation{world: world, delay: delay}
	rng := rand.New(rand.NewPCG(seed, 0))
	calls := make([]*call, n)
	for i := range calls {
		c := &call{
			simulation: s,
			hosts:      [2]*sim.Host{world.Host(fmt.Sprint("caller ", i)), world.Host(fmt.Sprint("callee ", i))},
			begin:      time.Duration(rng.Int64N(int64(arrivals))),
		}
		calls[i] = c
		world.Go("call", c.run)
	}
	// Here the time passes.
	if !world.RunUntil(func() bool { return s.over == n || s.err != nil }, limit) {
		return fmt.Errorf("%d of %d calls have not ended after %v", n-s.over, n, limit)
	}
	if s.err != nil {
		return s.err
	}
	took := world.Now().Sub(epoch)
	world.Run(time.Second) // for the connections to let go of what they have
	if loops, sockets := world.Open(); loops+sockets > 0 {
		return fmt.Errorf("%d loops and %d sockets are left after all connections were closed", loops, sockets)
	}

	var net sim.Counters
	for _, c := range calls {
		for i := range c.hosts {
			one := world.Counters(c.hosts[i], c.hosts[1-i])
			net.Sent += one.Sent
			net.SentBytes += one.SentBytes
			net.Lost += one.Lost
		}
	}
	fmt.Fprintf(out, "%d calls, %d messages of %d bytes each, %.4g %% loss, round trips of %v, seed %d\n\n", n, messages, size, 100*loss, 2*delay, seed)
	fmt.Fprintf(out, "%-12s %10s %10s %10s %10s %10s\n", "virtual ms", "number", "p50", "p90", "p99", "max")
	percentiles(out, "setup", s.setups)
	percentiles(out, "delivery", s.deliveries)
	fmt.Fprintf(out, "\ndatagrams     %d, %.1f MB\n", net.Sent, float64(net.SentBytes)/1e6)
	fmt.Fprintf(out, "lost          %d, %.2f %%\n", net.Lost, 100*float64(net.Lost)/float64(net.Sent))
	fmt.Fprintf(out, "trace         %s\n", trace.Digest())
	fmt.Fprintf(out, "virtual time  %.1f s\n", took.Seconds())
	if s.failed > 0 {
		return fmt.Errorf("%d calls failed", s.failed)
	}
	if got, want := len(s.deliveries), n*messages; got != want {
		return fmt.Errorf("%d messages arrived, want %d", got, want)
	}
	return nil
}

func percentiles(out io.Writer, name string, d []time.Duration) {
	fmt.Fprintf(out, "%-12s %10d", name, len(d))
	slices.Sort(d)
	for _, p := range []int{50, 90, 99, 100} {
		if len(d) == 0 {
			fmt.Fprintf(out, " %10s", "-")
			continue
		}
		fmt.Fprintf(out, " %10.1f", d[(len(d)*p+99)/100-1].Seconds()*1000)
	}
	fmt.Fprintln(out)
}

// call is a caller, a callee, and what they say to each other. It is the handler of both connections: each method is told which one it is
// called for.
type call struct {
	rtc.BaseHandler
	*simulation
	hosts [2]*sim.Host
	begin time.Duration // since the simulation's

	offered  time.Time // when the caller made its offer
	pc       [2]*rtc.PeerConnection
	received int  // messages
	ended    bool // was counted in over
}

// run is the call until both sides know each other's descriptions. Signaling takes as long as a datagram does.
func (c *call) run() {
	c.world.Sleep(c.begin)
	if err := c.connect(); err != nil {
		c.err = err
	}
}

func (c *call) connect() (err error) {
	for i := range c.pc {
		if c.pc[i], err = rtc.NewBuilder().Runtime(c.hosts[i]).Handler(c).Build(context.Background()); err != nil {
			return err
		}
	}
	caller, callee := c.pc[0], c.pc[1]
	c.offered = c.world.Now()
	if _, err := caller.CreateDataChannel("stream", nil); err != nil {
		return err
	}
	if err := caller.SetLocalDescription(rtc.SessionDescription{}); err != nil { // the zero value: an offer, as is due
		return err
	}
	c.world.Sleep(c.delay)
	if err := errors.Join(
		callee.SetRemoteDescription(*caller.LocalDescription()),
		callee.SetLocalDescription(rtc.SessionDescription{}), // an answer
	); err != nil {
		return err
	}
	c.world.Sleep(c.delay)
	return caller.SetRemoteDescription(*callee.LocalDescription())
}

// OnDataChannelOpen lets the caller begin to send.
func (c *call) OnDataChannelOpen(pc *rtc.PeerConnection, dc *rtc.DataChannel) {
	if pc != c.pc[0] {
		return
	}
	c.setups = append(c.setups, c.world.Now().Sub(c.offered))
	c.world.Go("stream", func() {
		msg := make([]byte, size)
		for range messages {
			binary.BigEndian.PutUint64(msg, uint64(c.world.Now().UnixNano()))
			if dc.Send(msg) != nil {
				return // the call has failed
			}
			c.world.Sleep(interval)
		}
	})
}

// OnDataChannelMessage notes how long the message took, and hangs up after the last one.
func (c *call) OnDataChannelMessage(_ *rtc.PeerConnection, _ *rtc.DataChannel, msg rtc.DataChannelMessage) {
	sent := time.Unix(0, int64(binary.BigEndian.Uint64(msg.Data)))
	c.deliveries = append(c.deliveries, c.world.Now().Sub(sent))
	if c.received++; c.received == messages && !c.ended {
		c.hangUp()
	}
}

// OnConnectionStateChange hears when more datagrams are lost than ICE bears, OnDataChannelClose also when they are more than SCTP bears.
func (c *call) OnConnectionStateChange(_ *rtc.PeerConnection, s rtc.PeerConnectionState) {
	if s == rtc.PeerConnectionStateFailed {
		c.fail()
	}
}

func (c *call) OnDataChannelClose(*rtc.PeerConnection, *rtc.DataChannel) { c.fail() }

func (c *call) fail() {
	if !c.ended {
		c.failed++
		c.hangUp()
	}
}

func (c *call) hangUp() {
	c.ended = true
	c.over++
	c.pc[0].Close()
	c.pc[1].Close()
}
