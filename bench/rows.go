package main

import (
	"slices"
	"time"
)

// row is one thing that is measured.
type row struct {
	name    string
	part    part
	figures []figure
	stacks  []string // that are measured
	others  []string // and with -all
	takes   time.Duration
	once    bool // one run tells it: it is reproducible, or steady
	quiet   bool // it leaves the machine to others, so all stacks are measured at the same time
	measure func(m measurement) (figures, error)
}

// part is a part of the table.
type part int

const (
	beside part = iota
	paths
	memory
	forwarding
)

// figure is a number that a row gives.
type figure struct {
	name   string
	higher bool // is better
}

var (
	bulkFigures   = []figure{{"Mbit/s", true}, {"CPU s/Gbit", false}, {"allocs/MiB", false}}
	smallFigures  = []figure{{"messages/s", true}, {"CPU µs/message", false}, {"allocs/message", false}}
	pingFigures   = []figure{{"p50 µs", false}, {"p99 µs", false}}
	setupFigures  = []figure{{"p50 ms", false}, {"p99 ms", false}, {"CPU ms/pair", false}, {"allocs/pair", false}}
	idleFigures   = []figure{{"goroutines/connection", false}, {"just used CPU ms/connection/min", false}, {"idle CPU ms/connection/min", false}}
	memoryFigures = []figure{{"KiB/connection", false}, {"heap KiB/connection", false}, {"live KiB/connection", false}, {"stack KiB/connection", false}}
	pathFigures   = []figure{{"Mbit/s", true}}
	fanoutFigures = []figure{{"CPU µs/packet", false}, {"allocs/packet", false}, {"most packets/s", true}, {"CPU µs/packet at most", false}, {"lost %", false}, {"goroutines/connection", false}}
	smallInBulk   = []figure{{"p50 ms", false}, {"p99 ms", false}, {"bulk Mbit/s", true}}
)

var (
	rivals   = []string{"sansrtc", "pion", "pion-tuned"}
	tuned    = []string{"sansrtc", "pion-tuned"}
	runtimes = []string{"sansrtc-loop", "sansrtc-mux"}
	servers  = []string{"sansrtc", "sansrtc-loop", "sansrtc-mux", "pion-tuned"}
)

const (
	rate = 1e9 // bit/s of the paths
	ms   = time.Millisecond
)

// allRows in the order of the table.
var allRows = slices.Concat(
	[]row{
		{name: "bulk-1KiB", figures: bulkFigures, stacks: rivals, takes: 3200 * ms, measure: bulk{size: 1 << 10}.measure},
		{name: "bulk-16KiB", figures: bulkFigures, stacks: rivals, others: runtimes, takes: 3200 * ms, measure: bulk{size: 16 << 10}.measure},
		{name: "bulk-64KiB", figures: bulkFigures, stacks: rivals, takes: 3200 * ms, measure: bulk{size: 64 << 10}.measure},
		{name: "bulk-1KiB-2proc", figures: bulkFigures, stacks: rivals, takes: 3200 * ms, measure: bulk{size: 1 << 10, apart: true}.measure},
		{name: "bulk-16KiB-2proc", figures: bulkFigures, stacks: rivals, takes: 3200 * ms, measure: bulk{size: 16 << 10, apart: true}.measure},
		{name: "bulk-64KiB-2proc", figures: bulkFigures, stacks: rivals, takes: 3200 * ms, measure: bulk{size: 64 << 10, apart: true}.measure},
		{name: "bulk-16KiB-mtu1200", figures: bulkFigures, stacks: rivals, takes: 3200 * ms, measure: bulk{size: 16 << 10, settings: settings{datagram: 1200}}.measure},
		{name: "bulk-16KiB-x10", figures: bulkFigures, stacks: rivals, others: runtimes, takes: 3200 * ms, measure: bulk{size: 16 << 10, connections: 10}.measure},
		{name: "small-64B", figures: smallFigures, stacks: rivals, others: runtimes, takes: 3200 * ms, measure: small},
		{name: "ping-pong-64B", figures: pingFigures, stacks: rivals, others: runtimes, takes: 3200 * ms, measure: pingPong(false)},
		{name: "ping-pong-64B-2proc", figures: pingFigures, stacks: rivals, takes: 3200 * ms, measure: pingPong(true)},
		{name: "setup", figures: setupFigures, stacks: rivals, others: runtimes, takes: 2 * time.Second, measure: setup},
		{name: "idle", figures: idleFigures, stacks: rivals, others: runtimes, takes: 71 * time.Second, quiet: true, measure: idle},
	},
	[]row{
		pathRow("path-20ms", 20*ms, 0), pathRow("path-50ms", 50*ms, 0), pathRow("path-100ms", 100*ms, 0),
		pathRow("path-20ms-loss0.1%", 20*ms, 0.001), pathRow("path-50ms-loss0.1%", 50*ms, 0.001), pathRow("path-100ms-loss0.1%", 100*ms, 0.001),
		pathRow("path-50ms-loss0.01%", 50*ms, 0.0001), pathRow("path-50ms-loss1%", 50*ms, 0.01),
		{name: "small-beside-bulk", part: paths, figures: smallInBulk, stacks: tuned, takes: 12 * time.Second, once: true,
			measure: besideBulk{path{rtt: 50 * ms, rate: 100e6}}.measure},
	},
	[]row{
		{name: "memory-100", part: memory, figures: memoryFigures, stacks: servers, takes: 12 * time.Second, once: true, measure: holding(100)},
		{name: "memory-1000", part: memory, figures: memoryFigures, stacks: servers, takes: 13 * time.Second, once: true, measure: holding(1000)},
		{name: "memory-10000", part: memory, figures: memoryFigures, stacks: servers, takes: 22 * time.Second, once: true, measure: holding(10000)},
	},
	[]row{
		{name: "fanout-20", part: forwarding, figures: fanoutFigures, stacks: tuned, others: runtimes, takes: 8 * time.Second, measure: fanout{20, 1}.measure},
		{name: "fanout-20-burst8", part: forwarding, figures: fanoutFigures, stacks: tuned, others: runtimes, takes: 8 * time.Second, measure: fanout{20, 8}.measure},
		{name: "fanout-200", part: forwarding, figures: fanoutFigures, stacks: tuned, others: runtimes, takes: 9 * time.Second, measure: fanout{200, 1}.measure},
		{name: "fanout-200-burst8", part: forwarding, figures: fanoutFigures, stacks: tuned, others: runtimes, takes: 9 * time.Second, measure: fanout{200, 8}.measure},
		{name: "memory-media-100", part: forwarding, figures: slices.Concat(memoryFigures, idleFigures[:1]), stacks: servers, takes: 7 * time.Second, once: true, measure: talking(100)},
	},
)

func pathRow(name string, rtt time.Duration, loss float64) row {
	takes := 6 * time.Second
	if loss == 0 {
		takes = 30 * time.Second // to compute what is ten virtual ones
	}
	return row{name: name, part: paths, figures: pathFigures, stacks: tuned, takes: takes, once: true,
		measure: throughput{path{rtt: rtt, loss: loss, rate: rate}}.measure}
}

func rowNamed(name string) *row {
	if i := slices.IndexFunc(allRows, func(r row) bool { return r.name == name }); i >= 0 {
		return &allRows[i]
	}
	return nil
}

// measurement is one stack in one row.
type measurement struct {
	stack string
	short bool // only shows that it works
}

// span is how long something lasts.
func (m measurement) span(full time.Duration) time.Duration {
	if m.short {
		return max(full/50, 20*ms)
	}
	return full
}

// count is how many there are of something.
func (m measurement) count(full int) int {
	if m.short {
		return min(full, 10)
	}
	return full
}

func percentile(v []time.Duration, p int) time.Duration {
	slices.Sort(v)
	return v[min(len(v)*p/100, len(v)-1)]
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }
