package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// Bulk senders stop above bulkHigh bytes of bufferedAmount and go on at bulkLow.
const (
	bulkHigh = 1 << 20
	bulkLow  = 512 << 10
)

// row is one thing that is measured.
type row struct {
	name    string
	figures []figure
	measure func(s stack, d duration) (figures, error)
}

type figure struct {
	name   string
	higher bool // is better
}

// duration is how long a row measures.
type duration struct {
	warmup, measured time.Duration
	count            int // of pairs, for rows that count
	// settle is how long connections are left alone before what an idle one spends is measured, for idle: until the timers of their setup have
	// passed, and for several rounds of consent checks.
	settle, idle time.Duration
}

var (
	bulkFigures  = []figure{{"Mbit/s", true}, {"CPU s/Gbit", false}, {"allocs/MiB", false}}
	smallFigures = []figure{{"messages/s", true}, {"CPU µs/message", false}, {"allocs/message", false}}
	pingFigures  = []figure{{"p50 µs", false}, {"p99 µs", false}}
	setupFigures = []figure{{"p50 ms", false}, {"p99 ms", false}, {"CPU ms/pair", false}, {"allocs/pair", false}}
	idleFigures  = []figure{{"goroutines/connection", false}, {"KiB/connection", false}, {"idle CPU ms/connection/min", false}}
)

var allRows = []row{
	{"bulk-1KiB", bulkFigures, bulk(1 << 10)},
	{"bulk-16KiB", bulkFigures, bulk(16 << 10)},
	{"bulk-64KiB", bulkFigures, bulk(64 << 10)},
	{"small-64B", smallFigures, small},
	{"ping-pong-64B", pingFigures, pingPong},
	{"setup", setupFigures, setup},
	{"idle", idleFigures, idle},
}

// measureOne measures in this process and prints the figures.
func measureOne(name string, short bool, cpuProfile, memProfile string) error {
	rowName, stackName, _ := strings.Cut(name, "@")
	i := slices.IndexFunc(allRows, func(r row) bool { return r.name == rowName })
	if i < 0 || stacks[stackName] == nil {
		return fmt.Errorf("no such row and stack: %q", name)
	}
	s, err := stacks[stackName]()
	if err != nil {
		return err
	}
	d := duration{500 * time.Millisecond, 3 * time.Second, 100, 12 * time.Second, 30 * time.Second}
	if short {
		d = duration{50 * time.Millisecond, 100 * time.Millisecond, 5, 50 * time.Millisecond, 100 * time.Millisecond}
	}
	if memProfile != "" {
		runtime.MemProfileRate = 1 << 10
	}
	if cpuProfile != "" {
		f, err := os.Create(cpuProfile)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	f, err := allRows[i].measure(s, d)
	if err != nil {
		return err
	}
	if memProfile != "" {
		out, err := os.Create(memProfile)
		if err != nil {
			return err
		}
		defer out.Close()
		if err := pprof.Lookup("allocs").WriteTo(out, 0); err != nil {
			return err
		}
	}
	return json.NewEncoder(os.Stdout).Encode(f)
}

// usage is what the process has spent.
type usage struct {
	at      time.Time
	cpu     time.Duration
	mallocs uint64
}

func used() usage {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return usage{time.Now(), processCPU(), m.Mallocs}
}

// bulk sends messages of size bytes one way as fast as they go, and counts at the receiver.
func bulk(size int) func(s stack, d duration) (figures, error) {
	return func(s stack, d duration) (figures, error) {
		got, spent, err := stream(s, d, size)
		if err != nil {
			return nil, err
		}
		bytes := float64(got) * float64(size)
		return figures{
			"Mbit/s":     bytes * 8 / 1e6 / spent.at.Sub(time.Time{}).Seconds(),
			"CPU s/Gbit": spent.cpu.Seconds() / (bytes * 8 / 1e9),
			"allocs/MiB": float64(spent.mallocs) / (bytes / (1 << 20)),
		}, nil
	}
}

func small(s stack, d duration) (figures, error) {
	got, spent, err := stream(s, d, 64)
	if err != nil {
		return nil, err
	}
	return figures{
		"messages/s":     float64(got) / spent.at.Sub(time.Time{}).Seconds(),
		"CPU µs/message": float64(spent.cpu.Microseconds()) / float64(got),
		"allocs/message": float64(spent.mallocs) / float64(got),
	}, nil
}

// stream returns how many messages arrived while it measured, and what that cost; spent.at is a duration from the zero time.
func stream(s stack, d duration, size int) (got uint64, spent usage, err error) {
	a, b, ca, cb, err := connectPair(s)
	if err != nil {
		return 0, spent, err
	}
	defer b.close()
	defer a.close()
	var received atomic.Uint64
	cb.onMessage(func(m []byte) {
		if len(m) != size {
			panic("a message of another size")
		}
		received.Add(1)
	})
	var stop atomic.Bool
	sent := make(chan error, 1)
	go func() {
		message := make([]byte, size)
		for !stop.Load() {
			if err := ca.sendWait(message); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	time.Sleep(d.warmup)
	from, first := used(), received.Load()
	time.Sleep(d.measured)
	for i := 0; i < 1000 && received.Load() == first; i++ {
		time.Sleep(10 * time.Millisecond) // a stack that stalls is slow, not broken
	}
	to, last := used(), received.Load()
	stop.Store(true)
	if err := <-sent; err != nil {
		return 0, spent, err
	}
	if last == first {
		return 0, spent, fmt.Errorf("nothing arrived in %v", to.at.Sub(from.at))
	}
	return last - first, usage{time.Time{}.Add(to.at.Sub(from.at)), to.cpu - from.cpu, to.mallocs - from.mallocs}, nil
}

func pingPong(s stack, d duration) (figures, error) {
	a, b, ca, cb, err := connectPair(s)
	if err != nil {
		return nil, err
	}
	defer b.close()
	defer a.close()
	cb.onMessage(func(m []byte) {
		if err := cb.send(m); err != nil {
			panic(err)
		}
	})
	back := make(chan struct{}, 1)
	ca.onMessage(func([]byte) { back <- struct{}{} })
	message := make([]byte, 64)
	var times []time.Duration
	for until := time.Now().Add(d.warmup + d.measured); time.Now().Before(until); {
		start := time.Now()
		if err := ca.send(message); err != nil {
			return nil, err
		}
		<-back
		times = append(times, time.Since(start))
	}
	times = times[len(times)/7:] // the warm-up's share
	return figures{"p50 µs": micros(percentile(times, 50)), "p99 µs": micros(percentile(times, 99))}, nil
}

func setup(s stack, d duration) (figures, error) {
	var times []time.Duration
	var from usage
	const warmup = 3
	for i := range d.count + warmup {
		if i == warmup {
			runtime.GC()
			from = used()
		}
		start := time.Now()
		a, b, _, _, err := connectPair(s)
		if err != nil {
			return nil, err
		}
		if i >= warmup {
			times = append(times, time.Since(start))
		}
		a.close()
		b.close()
	}
	to := used()
	return figures{
		"p50 ms":      micros(percentile(times, 50)) / 1000,
		"p99 ms":      micros(percentile(times, 99)) / 1000,
		"CPU ms/pair": float64((to.cpu - from.cpu).Microseconds()) / 1000 / float64(d.count),
		"allocs/pair": float64(to.mallocs-from.mallocs) / float64(d.count),
	}, nil
}

// idle holds pairs that do nothing and looks at what they cost.
func idle(s stack, d duration) (figures, error) {
	before := settled()
	goroutines := runtime.NumGoroutine()
	var peers []peer
	for range d.count {
		a, b, _, _, err := connectPair(s)
		if err != nil {
			return nil, err
		}
		peers = append(peers, a, b)
	}
	connections := float64(len(peers))
	after := settled()
	f := figures{
		"goroutines/connection": float64(runtime.NumGoroutine()-goroutines) / connections,
		"KiB/connection":        float64(after-before) / 1024 / connections,
	}
	time.Sleep(d.settle)
	from := used()
	time.Sleep(d.idle)
	to := used()
	f["idle CPU ms/connection/min"] = (to.cpu - from.cpu).Seconds() * 1000 / connections * float64(time.Minute) / float64(to.at.Sub(from.at))
	for _, p := range peers {
		p.close()
	}
	return f, nil
}

// settled is heap and stack in use after garbage is gone.
func settled() uint64 {
	for range 3 {
		runtime.GC()
		time.Sleep(50 * time.Millisecond)
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse + m.StackInuse
}

func percentile(v []time.Duration, p int) time.Duration {
	slices.Sort(v)
	return v[min(len(v)*p/100, len(v)-1)]
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }
