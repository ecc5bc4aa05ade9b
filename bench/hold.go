package main

import (
	"errors"
	"runtime"
	"sync"
	"time"
)

// setup makes and closes pairs, one at a time.
func setup(m measurement) (figures, error) {
	s, err := newStack(m.stack, settings{})
	if err != nil {
		return nil, err
	}
	var times []time.Duration
	var from usage
	const warmup = 20 // until the heap has its size
	count := m.count(300)
	for i := range count + warmup {
		if i == warmup {
			runtime.GC()
			from = used()
		}
		start := time.Now()
		p, err := connect(s, rests, new(counter))
		if err != nil {
			return nil, err
		}
		if i >= warmup {
			times = append(times, time.Since(start))
		}
		p.close()
	}
	spent := used().since(from)
	return figures{
		"p50 ms":      micros(percentile(times, 50)) / 1000,
		"p99 ms":      micros(percentile(times, 99)) / 1000,
		"CPU ms/pair": micros(spent.CPU) / 1000 / float64(count),
		"allocs/pair": float64(spent.Mallocs) / float64(count),
	}, nil
}

// crowd makes pairs that do nothing, some at a time.
func crowd(s stack, count int) ([]*pair, error) {
	pairs, errs := make([]*pair, count), make([]error, count)
	next := make(chan int)
	var makers sync.WaitGroup
	for range 8 {
		makers.Go(func() {
			for i := range next {
				pairs[i], errs[i] = connect(s, rests, new(counter))
			}
		})
	}
	for i := range pairs {
		next <- i
	}
	close(next)
	makers.Wait()
	return pairs, errors.Join(errs...)
}

// idle is what pairs cost that do nothing.
func idle(m measurement) (figures, error) {
	s, err := newStack(m.stack, settings{})
	if err != nil {
		return nil, err
	}
	goroutines := runtime.NumGoroutine()
	pairs, err := crowd(s, m.count(100))
	if err != nil {
		return nil, err
	}
	connections := float64(2 * len(pairs))
	cost := func(d time.Duration) float64 {
		from := used()
		time.Sleep(m.span(d))
		spent := used().since(from)
		return spent.CPU.Seconds() * 1000 / connections * float64(time.Minute) / float64(spent.At)
	}
	time.Sleep(m.span(12 * time.Second)) // until the timers of their setup have passed
	f := figures{"goroutines/connection": float64(runtime.NumGoroutine()-goroutines) / connections}
	f["just used CPU ms/connection/min"] = cost(15 * time.Second)
	time.Sleep(m.span(12 * time.Second)) // until we ask for consent less often
	f["idle CPU ms/connection/min"] = cost(30 * time.Second)
	runtime.KeepAlive(pairs)
	return f, nil
}

// holding is the memory of connections that do nothing. Who measures it exits, so they are not closed.
func holding(connections int) func(m measurement) (figures, error) {
	return func(m measurement) (figures, error) {
		s, err := newStack(m.stack, settings{})
		if err != nil {
			return nil, err
		}
		// What the first connection brings along is the process's.
		first, err := connect(s, rests, new(counter))
		if err != nil {
			return nil, err
		}
		before := settled()
		pairs, err := crowd(s, m.count(connections)/2)
		if err != nil {
			return nil, err
		}
		time.Sleep(m.span(10 * time.Second)) // until it is idle: what a setup, or the last message, leaves behind goes
		after := settled()
		runtime.KeepAlive(first)
		runtime.KeepAlive(pairs)
		return perConnection(before, after, 2*len(pairs)), nil
	}
}

// perConnection is what each connection of a number has added.
func perConnection(before, after runtime.MemStats, connections int) figures {
	per := func(figure func(s *runtime.MemStats) uint64) float64 {
		return (float64(figure(&after)) - float64(figure(&before))) / 1024 / float64(connections)
	}
	heap := per(func(s *runtime.MemStats) uint64 { return s.HeapInuse })
	stacks := per(func(s *runtime.MemStats) uint64 { return s.StackInuse })
	return figures{
		"KiB/connection":       heap + stacks,
		"heap KiB/connection":  heap,
		"live KiB/connection":  per(func(s *runtime.MemStats) uint64 { return s.HeapAlloc }),
		"stack KiB/connection": stacks,
	}
}

// settled is what is known of memory after garbage is gone. HeapInuse is in whole spans, so with what its fragments waste; HeapAlloc is of
// objects.
func settled() (s runtime.MemStats) {
	for range 3 {
		runtime.GC()
		time.Sleep(50 * ms)
	}
	runtime.ReadMemStats(&s)
	return s
}
