package main

import (
	"math"
	"path/filepath"
	"strings"
	"testing"
)

// some is results with a figure of two stacks.
func some() *results {
	r := &results{Environment: environment{Go: "go1", Cores: 2, Modules: map[string]string{"github.com/pion/sctp": "v1"}}}
	r.add("setup", "pion-tuned", "b", []figures{{"p50 ms": 5}, {"p50 ms": 1}, {"p50 ms": 3}})
	r.add("bulk-1KiB", "pion", "a", []figures{{"Mbit/s": 100}})
	r.add("bulk-1KiB", "sansrtc", "a", []figures{{"Mbit/s": 200}, {"Mbit/s": 240}})
	return r
}

func TestMedian(t *testing.T) {
	v := []float64{9, 1, 5}
	if m := median(v); m != 5 || v[0] != 9 {
		t.Errorf("the median is %v, of what is now %v", m, v)
	}
	if m := median([]float64{4, 1, 3, 2}); m != 2.5 {
		t.Errorf("the median of four is %v", m)
	}
	if m := median(nil); !math.IsNaN(m) {
		t.Errorf("the median of nothing is %v", m)
	}
	if s := spread([]float64{90, 100, 120}); s != 0.3 {
		t.Errorf("the spread is %v", s)
	}
}

// Promise: results are kept in the order of the rows and the stacks, each once, and survive a file.
func TestResults(t *testing.T) {
	r := some()
	r.add("bulk-1KiB", "sansrtc", "c", []figures{{"Mbit/s": 300}, {"Mbit/s": 500}})
	file := filepath.Join(t.TempDir(), "docs", "performance", "results.json")
	if err := r.save(file); err != nil {
		t.Fatal(err)
	}
	r, err := load(file)
	if err != nil {
		t.Fatal(err)
	}
	var order []string
	for _, m := range r.Measured {
		order = append(order, m.Row+"@"+m.Stack+"@"+m.Revision)
	}
	if got := strings.Join(order, " "); got != "bulk-1KiB@sansrtc@c bulk-1KiB@pion@a setup@pion-tuned@b" {
		t.Error(got)
	}
	if m := r.median("bulk-1KiB", "sansrtc", "Mbit/s"); m != 400 {
		t.Errorf("the median is %v", m)
	}
	r.Measured[0].Row = "no such row"
	if err := r.save(file); err != nil {
		t.Fatal(err)
	}
	if _, err := load(file); err == nil {
		t.Error("results of a row that there is not are taken")
	}
}

// Promise: merging replaces what was measured anew and keeps the rest, with its date; results of another machine are refused.
func TestMerge(t *testing.T) {
	old, newer := some(), &results{Environment: some().Environment}
	newer.add("bulk-1KiB", "sansrtc", "new", []figures{{"Mbit/s": 1000}})
	old.Measured[1].Date, newer.Measured[0].Date = "2001-01-01", "2002-02-02"
	if err := old.merge(newer); err != nil {
		t.Fatal(err)
	}
	if len(old.Measured) != 3 {
		t.Fatalf("%d were measured", len(old.Measured))
	}
	for i, want := range []measured{{Stack: "sansrtc", Date: "2002-02-02", Revision: "new"}, {Stack: "pion", Date: "2001-01-01", Revision: "a"}} {
		if m := old.Measured[i]; m.Stack != want.Stack || m.Date != want.Date || m.Revision != want.Revision {
			t.Errorf("%+v, want %+v", m, want)
		}
	}
	if m := old.median("bulk-1KiB", "sansrtc", "Mbit/s"); m != 1000 {
		t.Errorf("the median is %v", m)
	}
	for name, change := range map[string]func(e *environment){
		"Go":        func(e *environment) { e.Go = "go2" },
		"system":    func(e *environment) { e.System = "plan9" },
		"processor": func(e *environment) { e.Processor = "6502" },
		"cores":     func(e *environment) { e.Cores = 3 },
		"modules":   func(e *environment) { e.Modules = map[string]string{"github.com/pion/sctp": "v2"} },
	} {
		other := some()
		change(&other.Environment)
		if err := some().merge(other); err == nil {
			t.Errorf("results with another %s are merged", name)
		}
	}
	if err := new(results).merge(some()); err != nil {
		t.Errorf("results are not merged into none: %v", err)
	}
}

// Promise: the table says for each figure how many times better we are, whichever way is better, and names what is worse.
func TestTable(t *testing.T) {
	r := some()
	r.add("bulk-1KiB", "pion-tuned", "a", []figures{{"Mbit/s": 440, "CPU s/Gbit": 4}})
	r.add("bulk-1KiB", "sansrtc", "a", []figures{{"Mbit/s": 200, "CPU s/Gbit": 0.5}, {"Mbit/s": 240, "CPU s/Gbit": 0.5}})
	r.add("path-50ms", "sansrtc", "a", []figures{{"Mbit/s": 900}})
	r.add("path-50ms", "pion-tuned", "a", []figures{{"Mbit/s": 90}})
	r.add("small-64B", "sansrtc", "a", []figures{{"messages/s": 1e6}})
	r.add("small-64B", "sansrtc-loop", "a", []figures{{"messages/s": 1.2e6}})
	var b strings.Builder
	r.table(&b)
	for _, want := range []string{
		"| bulk-1KiB | Mbit/s | 220 | 100 | 440 | 2.20 | 0.50 | 18 % |\n",
		"| bulk-1KiB | CPU s/Gbit | 0.50 | 0.00 | 4.00 | 0.00 | 8.00 | |\n",
		"## Long paths, in virtual time\n\n| row | figure | sansrtc | pion-tuned | × pion-tuned | spread |\n| --- | --- | ---: | ---: | ---: | ---: |\n| path-50ms | Mbit/s | 900 | 90.0 | 10.0 | |\n",
		"| row | figure | sansrtc | sansrtc-loop | sansrtc-mux | spread |\n| --- | --- | ---: | ---: | ---: | ---: |\n| small-64B | messages/s | 1000000 | 1200000 | – | |\n",
		"\n## Where pion is ahead\n\n- bulk-1KiB, Mbit/s: pion-tuned has 440, sansrtc 220.\n",
		"at revision a, b.\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the table has no %q", want)
		}
	}
	if strings.Contains(b.String(), "## Memory") {
		t.Error("a part without rows is there")
	}
	if t.Failed() {
		t.Log(b.String())
	}
}

// Promise: README.md gets the figures between its marks and keeps the rest.
func TestReadme(t *testing.T) {
	const before, after = "# A title\n\n", "\n## More\n"
	text, err := some().readme([]byte(before + readmeBegin + "old\n" + readmeEnd + after))
	if err != nil {
		t.Fatal(err)
	}
	s := string(text)
	if !strings.HasPrefix(s, before+readmeBegin) || !strings.HasSuffix(s, readmeEnd+after) || strings.Contains(s, "old") ||
		!strings.Contains(s, "| setup, median ms | – | – | 3.00 | – |\n") {
		t.Error(s)
	}
	if _, err := some().readme([]byte(before)); err == nil {
		t.Error("a README without marks is taken")
	}
}
