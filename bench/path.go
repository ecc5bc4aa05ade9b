package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pion/logging"
	"github.com/pion/transport/v4"
	"github.com/pion/transport/v4/vnet"

	"github.com/sansrtc/rtc/runtime/sim"
)

// path is a network between two hosts: MTU 1500, a bottleneck, and a queue of one bandwidth-delay product before it.
type path struct {
	rtt  time.Duration
	loss float64 // the probability, in each direction
	rate int     // bit/s
}

func (p path) queue() int { return int(float64(p.rate) / 8 * p.rtt.Seconds()) }

// virtual is a world whose clock waits for whoever computes, so the machine's speed does not show.
type virtual interface {
	Now() time.Time
	Sleep(d time.Duration)
}

// run measures in virtual time over the path: this stack in its simulated network, pion in its own, vnet.
func (p path) run(m measurement, f func(v virtual, s stack) (figures, error)) (result figures, err error) {
	if m.stack == "pion-tuned" {
		inBubble(func() {
			var s stack
			if s, err = p.pion(); err == nil {
				result, err = f(bubble{}, s)
			}
		})
		return result, err
	}
	world := sim.New(sim.Config{
		Seed:    1,
		Link:    sim.Link{Delay: p.rtt / 2, Loss: p.loss, Rate: int64(p.rate), Queue: p.queue(), MTU: 1500},
		Handoff: -1,
	})
	base, err := sansBase()
	if err != nil {
		return nil, err
	}
	s := sansStack{base.Runtime(world.Host("offerer")), base.Runtime(world.Host("answerer"))}
	ended := false
	world.Go("measurement", func() {
		result, err = f(world, s)
		ended = true
	})
	if !world.RunUntil(func() bool { return ended }, time.Hour) {
		return nil, errors.New("the simulation does not end")
	}
	return result, err
}

// bubble is the virtual time of testing/synctest.
type bubble struct{}

func (bubble) Now() time.Time        { return time.Now() }
func (bubble) Sleep(d time.Duration) { time.Sleep(d) }

// inBubble calls f in a bubble of testing/synctest, which wants a test around it. The clock of the bubble stands still afterwards.
func inBubble(f func()) {
	done, never := make(chan struct{}), make(chan struct{})
	go testing.Main(func(string, string) (bool, error) { return true, nil }, []testing.InternalTest{{Name: "virtual time", F: func(t *testing.T) {
		synctest.Test(t, func(*testing.T) {
			f()
			close(done)
			<-never // was made outside, so this is not waiting for time
		})
	}}}, nil, nil)
	<-done
}

// pion is tuned pion with the path between its sides. It lasts as long as the process.
func (p path) pion() (stack, error) {
	nets, _, err := p.vnet()
	if err != nil {
		return nil, err
	}
	return newTunedPion(settings{}, nets)
}

// vnet is the path in pion's virtual network. end stops it.
func (p path) vnet() (nets *[2]transport.Net, end func() error, err error) {
	quiet := logging.NewDefaultLoggerFactory()
	quiet.DefaultLogLevel = logging.LogLevelDisabled
	router, err := vnet.NewRouter(&vnet.RouterConfig{CIDR: "192.0.2.0/24", MinDelay: p.rtt / 2, LoggerFactory: quiet})
	if err != nil {
		return nil, nil, err
	}
	nets = new([2]transport.Net)
	ends := []func() error{router.Stop}
	for side := range nets {
		n, err := vnet.NewNet(&vnet.NetConfig{StaticIPs: []string{fmt.Sprintf("192.0.2.%d", 1+side)}})
		if err != nil {
			return nil, nil, err
		}
		// A datagram that is larger than the burst would stay for ever, and pion retransmits in datagrams that are larger than the MTU.
		const burst = 64 << 10
		// It counts only what UDP carries: 1228 bytes of the 1256 of pion's packets.
		rate := p.rate / 1256 * 1228
		bottleneck, err := vnet.NewQueue(n, vnet.NewTBFQueue(rate, burst, int64(p.queue())))
		if err != nil {
			return nil, nil, err
		}
		if err := router.AddNet(bottleneck); err != nil {
			return nil, nil, err
		}
		nets[side], ends = n, append(ends, bottleneck.Close)
	}
	if p.loss > 0 {
		rng := rand.New(rand.NewPCG(1, 0)) // the router calls filters one at a time
		router.AddChunkFilter(func(vnet.Chunk) bool { return rng.Float64() >= p.loss })
	}
	end = func() (err error) {
		for _, f := range ends {
			err = errors.Join(err, f())
		}
		return err
	}
	return nets, end, router.Start()
}

// joinVirtual is join that waits in virtual time until all channels are open at both ends, and gives them by label.
func joinVirtual(v virtual, s stack, labels ...string) (from, to map[string]channel, err error) {
	a, b, err := join(s, labels...)
	if err != nil {
		return nil, nil, err
	}
	for range 30_000 {
		if len(a.open) == len(labels) && len(b.open) == len(labels) {
			from, to = map[string]channel{}, map[string]channel{}
			for range labels {
				x, y := <-a.open, <-b.open
				from[x.label], to[y.label] = x, y
			}
			return from, to, nil
		}
		v.Sleep(ms)
	}
	return nil, nil, errors.New("the channels do not open")
}

// pathHigh is the bufferedAmount that is kept on a path. For pion that includes what is on its way, which its receive buffer bounds.
const pathHigh = 12 << 20

// throughput is the rate of one flow of large messages.
type throughput struct{ path }

func (t throughput) measure(m measurement) (figures, error) {
	return t.run(m, func(v virtual, s stack) (figures, error) {
		from, to, err := joinVirtual(v, s, "bulk")
		if err != nil {
			return nil, err
		}
		var received counter
		received.work(counts, to["bulk"])
		message := make([]byte, 16<<10)
		keep := func(d time.Duration) error {
			for end := v.Now().Add(d); v.Now().Before(end); v.Sleep(ms) {
				for from["bulk"].buffered() < pathHigh {
					if err := from["bulk"].send(message); err != nil {
						return err
					}
				}
			}
			return nil
		}
		if err := keep(m.span(2 * time.Second)); err != nil {
			return nil, err
		}
		first, begin := received.bytes.Load(), v.Now()
		if err := keep(m.span(8 * time.Second)); err != nil {
			return nil, err
		}
		return figures{"Mbit/s": float64(received.bytes.Load()-first) * 8 / 1e6 / v.Now().Sub(begin).Seconds()}, nil
	})
}

// besideBulk is the latency of a channel with ten messages a second beside two flows of large messages on the same connection.
type besideBulk struct{ path }

func (t besideBulk) measure(m measurement) (figures, error) {
	return t.run(m, func(v virtual, s stack) (figures, error) {
		from, to, err := joinVirtual(v, s, "bulk 1", "bulk 2", "small")
		if err != nil {
			return nil, err
		}
		var received counter
		received.work(counts, to["bulk 1"])
		var other counter
		other.work(counts, to["bulk 2"])
		var mu sync.Mutex
		var latencies []time.Duration
		to["small"].onMessage(func(b []byte) {
			mu.Lock()
			defer mu.Unlock()
			latencies = append(latencies, time.Duration(v.Now().UnixNano()-int64(binary.BigEndian.Uint64(b))))
		})
		large, message := make([]byte, 16<<10), make([]byte, 64)
		begin := v.Now()
		next := begin.Add(m.span(2 * time.Second)) // by then the flows have their rate
		for end := next.Add(m.span(30 * time.Second)); v.Now().Before(end); v.Sleep(ms) {
			for _, label := range []string{"bulk 1", "bulk 2"} {
				for from[label].buffered() < bulkHigh {
					if err := from[label].send(large); err != nil {
						return nil, err
					}
				}
			}
			if now := v.Now(); !now.Before(next) {
				next = next.Add(100 * ms)
				binary.BigEndian.PutUint64(message, uint64(now.UnixNano()))
				if err := from["small"].send(message); err != nil {
					return nil, err
				}
			}
		}
		bytes, took := received.bytes.Load()+other.bytes.Load(), v.Now().Sub(begin)
		v.Sleep(10 * time.Second) // the last ones arrive
		mu.Lock()
		defer mu.Unlock()
		if len(latencies) == 0 {
			return nil, errors.New("no message arrived")
		}
		return figures{
			"p50 ms":      micros(percentile(latencies, 50)) / 1000,
			"p99 ms":      micros(percentile(latencies, 99)) / 1000,
			"bulk Mbit/s": float64(bytes) * 8 / 1e6 / took.Seconds(),
		}, nil
	})
}
