package main

import (
	"math"
	"strconv"
)

// charts are the plots, by the name of their file.
func (r *results) charts() map[string]chart {
	return map[string]chart{
		"throughput-by-message-size.svg": r.bySize(),
		"throughput-by-rtt.svg":          r.byRTT(),
		"throughput-by-loss.svg":         r.byLoss(),
		"memory-by-connections.svg":      r.byConnections(),
	}
}

// line is a series of the medians of a figure in several rows, where they were measured.
func (r *results) line(name, stack, figure string, color int, dashed bool, rows map[float64]string) series {
	s := series{name: name, color: color, dashed: dashed}
	for x, row := range rows {
		if y := r.median(row, stack, figure); !math.IsNaN(y) {
			s.points = append(s.points, point{x, y})
		}
	}
	return s
}

// Colours stand for stacks in all plots.
const (
	colorSans = iota
	colorPion
	colorTuned
	colorLoop
	colorMux
)

func (r *results) bySize() chart {
	c := chart{
		title: "Throughput by message size, one connection over loopback", x: "message size", y: "Mbit/s", logY: true,
		ticks: []tick{{6, "64 B"}, {10, "1 KiB"}, {14, "16 KiB"}, {16, "64 KiB"}},
	}
	one := map[float64]string{10: "bulk-1KiB", 14: "bulk-16KiB", 16: "bulk-64KiB"}
	two := map[float64]string{10: "bulk-1KiB-2proc", 14: "bulk-16KiB-2proc", 16: "bulk-64KiB-2proc"}
	for i, stack := range rivals {
		s := r.line(stack, stack, "Mbit/s", i, false, one)
		if n := r.median("small-64B", stack, "messages/s"); !math.IsNaN(n) {
			s.points = append(s.points, point{6, n * 64 * 8 / 1e6})
		}
		c.series = append(c.series, s, r.line(stack+", 2 processes", stack, "Mbit/s", i, true, two))
	}
	return c
}

func (r *results) byRTT() chart {
	c := chart{
		title: "Throughput by round-trip time, path of 1 Gbit/s", x: "round-trip time, ms", y: "Mbit/s",
		ticks: []tick{{20, "20"}, {50, "50"}, {100, "100"}},
	}
	clean := map[float64]string{20: "path-20ms", 50: "path-50ms", 100: "path-100ms"}
	lossy := map[float64]string{20: "path-20ms-loss0.1%", 50: "path-50ms-loss0.1%", 100: "path-100ms-loss0.1%"}
	for i, stack := range tuned {
		color := []int{colorSans, colorTuned}[i]
		c.series = append(c.series,
			r.line(stack, stack, "Mbit/s", color, false, clean),
			r.line(stack+", 0.1 % loss", stack, "Mbit/s", color, true, lossy))
	}
	return c
}

func (r *results) byLoss() chart {
	c := chart{
		title: "Throughput by loss, path of 1 Gbit/s and 50 ms", x: "datagrams lost, %", y: "Mbit/s", logY: true,
		ticks: []tick{{0, "0"}, {1, "0.01"}, {2, "0.1"}, {3, "1"}},
	}
	rows := map[float64]string{0: "path-50ms", 1: "path-50ms-loss0.01%", 2: "path-50ms-loss0.1%", 3: "path-50ms-loss1%"}
	for i, stack := range tuned {
		c.series = append(c.series, r.line(stack, stack, "Mbit/s", []int{colorSans, colorTuned}[i], false, rows))
	}
	return c
}

func (r *results) byConnections() chart {
	c := chart{title: "Heap and stack of a connection that is idle", x: "connections in the process", y: "KiB per connection"}
	rows := map[float64]string{}
	for _, n := range []int{100, 1000, 10000} {
		x := math.Log10(float64(n))
		c.ticks = append(c.ticks, tick{x, strconv.Itoa(n)})
		rows[x] = "memory-" + strconv.Itoa(n)
	}
	for i, stack := range servers {
		c.series = append(c.series, r.line(stack, stack, "KiB/connection", []int{colorSans, colorLoop, colorMux, colorTuned}[i], false, rows))
	}
	return c
}
