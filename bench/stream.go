package main

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// bulk sends messages of one size one way as fast as they go.
type bulk struct {
	size        int
	connections int  // at once; 0 is one
	apart       bool // sender and receiver are two processes
	settings    settings
}

func (b bulk) measure(m measurement) (figures, error) {
	u, err := b.stream(m)
	if err != nil {
		return nil, err
	}
	bytes := float64(u.Bytes)
	return figures{
		"Mbit/s":     bytes * 8 / 1e6 / u.At.Seconds(),
		"CPU s/Gbit": u.CPU.Seconds() / (bytes * 8 / 1e9),
		"allocs/MiB": float64(u.Mallocs) / (bytes / (1 << 20)),
	}, nil
}

func small(m measurement) (figures, error) {
	u, err := bulk{size: 64}.stream(m)
	if err != nil {
		return nil, err
	}
	n := float64(u.Messages)
	return figures{
		"messages/s":     n / u.At.Seconds(),
		"CPU µs/message": micros(u.CPU) / n,
		"allocs/message": float64(u.Mallocs) / n,
	}, nil
}

// stream is what arrived while it measured, and what that cost.
func (b bulk) stream(m measurement) (spent usage, err error) {
	var received counter
	var pairs []*pair
	if b.apart {
		p, err := connectApart(m.stack, counts)
		if err != nil {
			return spent, err
		}
		pairs = append(pairs, p)
	} else {
		s, err := newStack(m.stack, b.settings)
		if err != nil {
			return spent, err
		}
		for range max(b.connections, 1) {
			p, err := connect(s, counts, &received)
			if err != nil {
				return spent, err
			}
			pairs = append(pairs, p)
		}
	}
	total := func() (usage, error) {
		u := received.add(used())
		for _, p := range pairs {
			far, err := p.used()
			if err != nil {
				return u, err
			}
			u = u.add(far)
		}
		return u, nil
	}

	var stop atomic.Bool
	var senders sync.WaitGroup
	failed := make(chan error, len(pairs))
	for _, p := range pairs {
		senders.Go(func() {
			message := make([]byte, b.size)
			for !stop.Load() {
				if err := p.sendWait(message); err != nil {
					failed <- err
					return
				}
			}
		})
	}
	time.Sleep(m.span(500 * ms))
	from, err := total()
	if err != nil {
		return spent, err
	}
	for waited := time.Duration(0); spent.Messages == 0; waited += m.span(2500 * ms) { // a stack that stalls is slow, not broken
		if waited > patience {
			return spent, fmt.Errorf("nothing arrived in %v", waited)
		}
		time.Sleep(m.span(2500 * ms))
		to, err := total()
		if err != nil {
			return spent, err
		}
		spent = to.since(from)
	}
	stop.Store(true)
	senders.Wait()
	for _, p := range pairs {
		p.close()
	}
	close(failed)
	if err := <-failed; err != nil {
		return spent, err
	}
	if spent.Bytes != spent.Messages*uint64(b.size) {
		return spent, fmt.Errorf("%d messages have %d bytes", spent.Messages, spent.Bytes)
	}
	return spent, nil
}

// pingPong sends a message back and forth.
func pingPong(apart bool) func(m measurement) (figures, error) {
	return func(m measurement) (figures, error) {
		var p *pair
		if apart {
			var err error
			if p, err = connectApart(m.stack, echoes); err != nil {
				return nil, err
			}
		} else {
			s, err := newStack(m.stack, settings{})
			if err != nil {
				return nil, err
			}
			if p, err = connect(s, echoes, new(counter)); err != nil {
				return nil, err
			}
		}
		defer p.close()
		back := make(chan struct{}, 1)
		p.onMessage(func([]byte) { back <- struct{}{} })
		message := make([]byte, 64)
		var times []time.Duration
		for until := time.Now().Add(m.span(3 * time.Second)); len(times) == 0 || time.Now().Before(until); {
			start := time.Now()
			if err := p.send(message); err != nil {
				return nil, err
			}
			<-back
			times = append(times, time.Since(start))
		}
		times = times[len(times)/7:] // the warm-up's share
		return figures{"p50 µs": micros(percentile(times, 50)), "p99 µs": micros(percentile(times, 99))}, nil
	}
}
