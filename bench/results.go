package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// figures are what one measurement gives, by the name of the figure.
type figures map[string]float64

// results are all that was measured.
type results struct {
	Environment environment
	Measured    []measured
}

// measured is what a row gave for a stack, a sample for each run.
type measured struct {
	Row, Stack string
	Date       string
	Revision   string // of this module
	Samples    []figures
}

// environment is what the figures depend on besides the code of this module.
type environment struct {
	Go, System, Processor string
	Cores                 int
	Modules               map[string]string
}

func here() environment {
	e := environment{
		Go:        runtime.Version(),
		System:    runtime.GOOS + "/" + runtime.GOARCH,
		Processor: "unknown processor",
		Cores:     runtime.NumCPU(),
		Modules:   map[string]string{},
	}
	if b, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		e.System += ", Linux " + strings.TrimSpace(string(b))
	}
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for l := range strings.Lines(string(b)) {
			if name, value, ok := strings.Cut(l, ":"); ok && strings.TrimSpace(name) == "model name" {
				e.Processor = strings.TrimSpace(value)
				break
			}
		}
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, d := range info.Deps {
			if strings.HasPrefix(d.Path, "github.com/pion/") {
				e.Modules[d.Path] = d.Version
			}
		}
	}
	return e
}

func (e environment) same(f environment) bool {
	return e.Go == f.Go && e.System == f.System && e.Processor == f.Processor && e.Cores == f.Cores && maps.Equal(e.Modules, f.Modules)
}

func (e environment) String() string {
	var rivals []string
	for _, path := range []string{"github.com/pion/webrtc/v4", "github.com/pion/ice/v4", "github.com/pion/dtls/v3", "github.com/pion/sctp", "github.com/pion/transport/v4"} {
		rivals = append(rivals, strings.TrimPrefix(path, "github.com/")+" "+e.Modules[path])
	}
	return fmt.Sprintf("%s, %d cores, %s, %s; %s", e.Processor, e.Cores, e.System, e.Go, strings.Join(rivals, ", "))
}

// revision names the state of the checkout that is measured; empty when git does not know.
func revision() string {
	b, err := exec.Command("git", "rev-parse", "--short=12", "HEAD").Output()
	if err != nil {
		return ""
	}
	r := strings.TrimSpace(string(b))
	if b, err := exec.Command("git", "status", "--porcelain", "--untracked-files=no", "..").Output(); err == nil && len(b) > 0 {
		r += " with changes"
	}
	return r
}

// add puts in what was measured now.
func (r *results) add(rowName, stack, revision string, samples []figures) {
	m := measured{rowName, stack, time.Now().UTC().Format(time.DateOnly), revision, samples}
	if i := r.index(rowName, stack); i >= 0 {
		r.Measured[i] = m
	} else {
		r.Measured = append(r.Measured, m)
	}
	order := func(m measured) int {
		at := slices.IndexFunc(allRows, func(r row) bool { return r.name == m.Row })
		return at*len(stackNames) + slices.Index(stackNames, m.Stack)
	}
	slices.SortStableFunc(r.Measured, func(a, b measured) int { return order(a) - order(b) })
}

func (r *results) index(row, stack string) int {
	return slices.IndexFunc(r.Measured, func(m measured) bool { return m.Row == row && m.Stack == stack })
}

// merge puts newer results into r. What was taken elsewhere cannot be compared, so it cannot be merged.
func (r *results) merge(newer *results) error {
	if len(r.Measured) > 0 && !r.Environment.same(newer.Environment) {
		return fmt.Errorf("there are results of another machine or other versions (%v): measure all anew", r.Environment)
	}
	r.Environment = newer.Environment
	for _, m := range newer.Measured {
		r.Measured = slices.DeleteFunc(r.Measured, func(old measured) bool { return old.Row == m.Row && old.Stack == m.Stack })
		r.add(m.Row, m.Stack, m.Revision, m.Samples)
		r.Measured[r.index(m.Row, m.Stack)].Date = m.Date
	}
	return nil
}

// values are a figure's samples.
func (r *results) values(row, stack, figure string) (v []float64) {
	if i := r.index(row, stack); i >= 0 {
		for _, s := range r.Measured[i].Samples {
			v = append(v, s[figure])
		}
	}
	return v
}

// median is NaN when nothing was measured.
func (r *results) median(row, stack, figure string) float64 {
	return median(r.values(row, stack, figure))
}

func median(v []float64) float64 {
	if len(v) == 0 {
		return math.NaN()
	}
	v = slices.Sorted(slices.Values(v))
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

// spread is how far the samples are apart, of their median.
func spread(v []float64) float64 {
	if len(v) < 2 || median(v) == 0 {
		return 0
	}
	return (slices.Max(v) - slices.Min(v)) / median(v)
}

func load(file string) (*results, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	r := new(results)
	if err := json.Unmarshal(b, r); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	for _, m := range r.Measured {
		if rowNamed(m.Row) == nil || !slices.Contains(stackNames, m.Stack) {
			return nil, fmt.Errorf("%s: there is no row %s of %s", file, m.Row, m.Stack)
		}
	}
	return r, nil
}

func (r *results) save(file string) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	b, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(b, '\n'), 0o644)
}
