package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"time"
)

func main() {
	log.SetFlags(0)
	short := flag.Bool("short", false, "every row of every stack for a moment: fails when something is broken, says nothing about speed")
	runs := flag.Int("runs", 5, "runs of each measurement; the table has their medians")
	only := flag.String("rows", "", "regular expression of the rows to measure")
	stacks := flag.String("stacks", "", "stacks to measure, separated by commas, of "+strings.Join(stackNames, ", "))
	all := flag.Bool("all", false, "measure the other runtimes too")
	docs := flag.String("docs", "", "root of the checkout whose docs/performance and README.md get the results")
	merge := flag.Bool("merge", false, "with -docs: keep what is there of rows and stacks that are not measured now")
	draw := flag.Bool("draw", false, "with -docs: measure nothing, write table and plots anew")
	list := flag.Bool("list", false, "say what would be measured, and how long it takes")
	one := flag.String("one", "", "measure one row of one stack in this process, as row@stack, and print its figures as JSON")
	answer := flag.String("answer", "", "be the other process of a measurement")
	profile := flag.String("cpuprofile", "", "with -one: write a CPU profile to this file")
	heap := flag.String("memprofile", "", "with -one: write a profile of all allocations to this file")
	flag.Parse()

	var err error
	switch {
	case *answer != "":
		err = answerRemotely(*answer, os.Stdin, os.Stdout)
	case *one != "":
		err = measureOne(*one, *short, *profile, *heap)
	case *draw:
		err = redraw(*docs)
	default:
		var p plan
		if p, err = choose(*only, *stacks, *all, *short, *runs); err != nil {
			break
		}
		partial := *only != "" || *stacks != ""
		switch {
		case *list:
			p.list()
		case *docs != "" && *short:
			err = errors.New("-short measures nothing that could be written down")
		case *docs != "" && partial && !*merge:
			err = errors.New("-docs with -rows or -stacks would forget the rest: add -merge")
		default:
			err = p.run(*docs, *merge)
		}
	}
	if err != nil {
		log.Fatal(err)
	}
}

// plan is what is measured.
type plan struct {
	rows  []planned
	short bool
}

type planned struct {
	row
	stacks []string
	runs   int
}

func choose(only, stacks string, all, short bool, runs int) (p plan, err error) {
	re, err := regexp.Compile(only)
	if err != nil {
		return p, err
	}
	var wanted []string
	if stacks != "" {
		wanted = strings.Split(stacks, ",")
		for _, s := range wanted {
			if !slices.Contains(stackNames, s) {
				return p, fmt.Errorf("no such stack: %q", s)
			}
		}
	}
	p.short = short
	for _, r := range allRows {
		if !re.MatchString(r.name) {
			continue
		}
		x := planned{row: r, stacks: r.stacks, runs: runs}
		if all || short || wanted != nil {
			x.stacks = slices.Concat(r.stacks, r.others)
		}
		if wanted != nil {
			x.stacks = slices.DeleteFunc(x.stacks, func(s string) bool { return !slices.Contains(wanted, s) })
		}
		if r.once || short {
			x.runs = 1
		}
		if len(x.stacks) > 0 {
			p.rows = append(p.rows, x)
		}
	}
	if len(p.rows) == 0 {
		return p, fmt.Errorf("no row and stack match")
	}
	return p, nil
}

func (p planned) duration() time.Duration {
	d := time.Duration(p.runs) * p.takes
	if p.quiet {
		return d
	}
	return d * time.Duration(len(p.stacks))
}

func (p plan) duration() (d time.Duration) {
	for _, r := range p.rows {
		d += r.duration()
	}
	return d
}

func (p plan) list() {
	for _, r := range p.rows {
		fmt.Printf("%-22s %5.0f s  %d × %s\n", r.name, r.duration().Seconds(), r.runs, strings.Join(r.stacks, ", "))
	}
	fmt.Printf("%-22s %5.0f min\n", "together", p.duration().Minutes())
}

// run measures, prints the table, and writes the documents.
func (p plan) run(docs string, merge bool) error {
	r := &results{Environment: here()}
	var old *results
	if docs != "" && merge {
		var err error
		if old, err = load(resultsFile(docs)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if old != nil {
			if err := old.merge(r); err != nil { // now, not when all is measured
				return err
			}
		}
	}
	if !p.short {
		log.Printf("%d rows, about %.0f minutes", len(p.rows), p.duration().Minutes())
	}
	rev := revision()
	for _, row := range p.rows {
		begin := time.Now()
		samples, err := row.measure(p.short)
		if err != nil {
			return err
		}
		for _, s := range row.stacks {
			r.add(row.name, s, rev, samples[s])
		}
		log.Printf("%-22s %4.0f s", row.name, time.Since(begin).Seconds())
	}
	if p.short {
		r.documents() // their figures mean nothing
		return nil
	}
	r.table(os.Stdout)
	if docs == "" {
		return nil
	}
	if old != nil {
		if err := old.merge(r); err != nil {
			return err
		}
		r = old
	}
	return errors.Join(r.save(resultsFile(docs)), r.document(docs))
}

// measure measures a row with every stack, taking turns, each time in a new process.
func (p planned) measure(short bool) (map[string][]figures, error) {
	samples := make(map[string][]figures)
	var mu sync.Mutex
	var failed error
	for range p.runs {
		var turn sync.WaitGroup
		for _, s := range p.stacks {
			one := func() {
				f, err := inProcess(p.name+"@"+s, short)
				mu.Lock()
				defer mu.Unlock()
				failed = errors.Join(failed, err)
				samples[s] = append(samples[s], f)
			}
			if p.quiet {
				turn.Go(one)
			} else {
				one()
			}
		}
		turn.Wait()
		if failed != nil {
			return nil, failed
		}
	}
	return samples, nil
}

func inProcess(what string, short bool) (f figures, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	args := []string{"-one", what}
	if short {
		args = append(args, "-short")
	}
	cmd := exec.Command(self, args...)
	cmd.Stderr = os.Stderr
	b, err := cmd.Output()
	if err == nil {
		err = json.Unmarshal(b, &f)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	return f, nil
}

// measureOne measures in this process and prints the figures.
func measureOne(name string, short bool, cpuProfile, memProfile string) error {
	rowName, stack, _ := strings.Cut(name, "@")
	row := rowNamed(rowName)
	if row == nil || !slices.Contains(slices.Concat(row.stacks, row.others), stack) {
		return fmt.Errorf("no such row and stack: %q", name)
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
	f, err := row.measure(measurement{stack, short})
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
