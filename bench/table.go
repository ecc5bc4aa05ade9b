package main

import (
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
)

// figures are what one measurement gives, by the name of the figure.
type figures map[string]float64

// table has a line for each figure of each row.
type table struct {
	stacks []string
	lines  []line
}

type line struct {
	row, figure string
	higher      bool // is better
	medians     []float64
}

func (t *table) add(r row, samples map[string][]figures) {
	for _, f := range r.figures {
		l := line{row: r.name, figure: f.name, higher: f.higher}
		for _, s := range t.stacks {
			var v []float64
			for _, sample := range samples[s] {
				v = append(v, sample[f.name])
			}
			l.medians = append(l.medians, median(v))
		}
		t.lines = append(t.lines, l)
	}
}

func median(v []float64) float64 {
	if len(v) == 0 {
		return math.NaN()
	}
	slices.Sort(v)
	if n := len(v); n%2 == 0 {
		return (v[n/2-1] + v[n/2]) / 2
	}
	return v[len(v)/2]
}

// print writes the table as Markdown. A ratio says how many times better the first stack is than another one.
func (t *table) print(w io.Writer) {
	fmt.Fprintf(w, "%s, %s/%s, %d cores; %s\n\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), versions())
	fmt.Fprintf(w, "| row | figure | %s |", strings.Join(t.stacks, " | "))
	for _, s := range t.stacks[1:] {
		fmt.Fprintf(w, " × %s |", s)
	}
	fmt.Fprintf(w, "\n| --- | --- |%s\n", strings.Repeat(" ---: |", 2*len(t.stacks)-1))
	for _, l := range t.lines {
		fmt.Fprintf(w, "| %s | %s |", l.row, l.figure)
		for _, m := range l.medians {
			fmt.Fprintf(w, " %s |", number(m))
		}
		for _, m := range l.medians[1:] {
			ratio := m / l.medians[0]
			if l.higher {
				ratio = l.medians[0] / m
			}
			fmt.Fprintf(w, " %s |", number(ratio))
		}
		fmt.Fprintln(w)
	}
}

func number(v float64) string {
	switch a := math.Abs(v); {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return "–"
	case a >= 1000:
		return fmt.Sprintf("%.0f", v)
	case a >= 100:
		return fmt.Sprintf("%.0f", v)
	case a >= 10:
		return fmt.Sprintf("%.1f", v)
	default:
		return fmt.Sprintf("%.2f", v)
	}
}

func versions() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	var out []string
	for _, d := range info.Deps {
		switch d.Path {
		case "github.com/pion/webrtc/v4", "github.com/pion/sctp", "github.com/pion/dtls/v3", "github.com/pion/ice/v4":
			out = append(out, strings.TrimPrefix(d.Path, "github.com/")+" "+d.Version)
		}
	}
	out = append(out, machine())
	return strings.Join(out, ", ")
}

func machine() string {
	b, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return ""
	}
	for l := range strings.Lines(string(b)) {
		if name, value, ok := strings.Cut(l, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
