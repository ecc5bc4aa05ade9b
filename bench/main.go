package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
)

func main() {
	log.SetFlags(0)
	short := flag.Bool("short", false, "measure for a moment only: fails when something is broken, says nothing about speed")
	runs := flag.Int("runs", 5, "runs of each measurement; the table has their medians")
	only := flag.String("rows", "", "regular expression of the rows to measure")
	stacks := flag.String("stacks", "sansrtc,pion,pion-tuned", "stacks to measure")
	out := flag.String("o", "", "file to write the table to, beside standard output")
	one := flag.String("one", "", "measure one row of one stack in this process, as row@stack, and print its figures as JSON")
	profile := flag.String("cpuprofile", "", "with -one: write a CPU profile to this file")
	heap := flag.String("memprofile", "", "with -one: write a profile of all allocations to this file")
	flag.Parse()

	if *one != "" {
		if err := measureOne(*one, *short, *profile, *heap); err != nil {
			log.Fatal(err)
		}
		return
	}
	if *short {
		*runs = 1
	}
	rows, err := choose(*only)
	if err != nil {
		log.Fatal(err)
	}
	table, err := run(rows, strings.Split(*stacks, ","), *runs, *short)
	if err != nil {
		log.Fatal(err)
	}
	w := io.Writer(os.Stdout)
	if *out != "" {
		f, err := os.Create(*out)
		if err != nil {
			log.Fatal(err)
		}
		defer f.Close()
		w = io.MultiWriter(w, f)
	}
	table.print(w)
}

func choose(only string) ([]row, error) {
	re, err := regexp.Compile(only)
	if err != nil {
		return nil, err
	}
	chosen := slices.DeleteFunc(slices.Clone(allRows), func(r row) bool { return !re.MatchString(r.name) })
	if len(chosen) == 0 {
		return nil, fmt.Errorf("no row matches %q", only)
	}
	return chosen, nil
}

// run measures every row with every stack, taking turns.
func run(rows []row, stacks []string, runs int, short bool) (*table, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	t := &table{stacks: stacks}
	for _, r := range rows {
		samples := make(map[string][]figures)
		for range runs {
			for _, s := range stacks {
				args := []string{"-one", r.name + "@" + s}
				if short {
					args = append(args, "-short")
				}
				cmd := exec.Command(self, args...)
				cmd.Stderr = os.Stderr
				b, err := cmd.Output()
				if err != nil {
					return nil, fmt.Errorf("%s of %s: %w", r.name, s, err)
				}
				var f figures
				if err := json.Unmarshal(b, &f); err != nil {
					return nil, fmt.Errorf("%s of %s: %w", r.name, s, err)
				}
				samples[s] = append(samples[s], f)
			}
		}
		t.add(r, samples)
		fmt.Fprintf(os.Stderr, "%s\n", r.name)
	}
	return t, nil
}
