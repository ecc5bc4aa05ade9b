//go:build ignore

// Summary reads what the Go tools print for programs and prints it for people, for .ci/run.
//
//	go test -json … | go run summary.go tests COUNTS   what failed, a line for each package; adds "passed failed" to the file COUNTS
//	go run summary.go coverage PROFILE                 the coverage of the root package and of internal/; fails below 80 %
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"slices"
	"strconv"
	"strings"
)

const (
	module      = "github.com/sansrtc/rtc"
	minCoverage = 80 // per cent
)

func main() {
	log.SetFlags(0)
	if len(os.Args) != 3 {
		log.Fatal("usage: summary tests COUNTS | summary coverage PROFILE")
	}
	var err error
	switch os.Args[1] {
	case "tests":
		err = tests(os.Args[2])
	case "coverage":
		err = coverage(os.Args[2])
	default:
		err = fmt.Errorf("no such command: %s", os.Args[1])
	}
	if err != nil {
		log.Fatal("summary: ", err)
	}
}

// tests fails when a test or a package failed, and when there was no test at all.
func tests(counts string) error {
	type event struct{ Action, Package, ImportPath, Test, Output string }
	type key struct{ pkg, test string }
	output := map[key]*strings.Builder{}
	passed, failed, brokenPackages := 0, 0, 0
	failedIn := map[string]bool{}
	in := bufio.NewReader(os.Stdin)
	for {
		line, err := in.ReadBytes('\n')
		if len(line) == 0 && err != nil {
			break
		}
		var e event
		if json.Unmarshal(line, &e) != nil {
			os.Stdout.Write(line) // the go command's own words
			continue
		}
		k := key{e.Package, e.Test}
		switch e.Action {
		case "build-output":
			fmt.Print(e.Output)
		case "output":
			if output[k] == nil {
				output[k] = new(strings.Builder)
			}
			output[k].WriteString(e.Output)
		case "skip":
			// Its line says why.
			if e.Test != "" && output[k] != nil {
				fmt.Print(output[k])
			}
		case "pass":
			if e.Test != "" {
				passed++
				delete(output, k)
			} else {
				fmt.Print(lastLine(output[k]))
			}
		case "fail":
			if e.Test != "" {
				failed++
				failedIn[e.Package] = true
			} else if !failedIn[e.Package] {
				brokenPackages++ // it did not build, or panicked, or took too long
			}
			if output[k] != nil {
				fmt.Print(output[k])
			}
		}
	}
	// Whatever tests printed that never ended: a panic, or a deadline.
	var open []key
	for k, b := range output {
		if k.test != "" && brokenPackages > 0 && !strings.Contains(b.String(), "--- ") {
			open = append(open, k)
		}
	}
	slices.SortFunc(open, func(a, b key) int { return strings.Compare(a.pkg+" "+a.test, b.pkg+" "+b.test) })
	for _, k := range open {
		fmt.Printf("did not end: %s %s\n%s", k.pkg, k.test, output[k])
	}
	failed += brokenPackages
	var err error
	switch {
	case failed > 0:
		err = fmt.Errorf("%d failed", failed)
	case passed == 0:
		failed, err = 1, errors.New("no test ran")
	}
	return errors.Join(err, add(counts, passed, failed))
}

func lastLine(b *strings.Builder) string {
	if b == nil {
		return ""
	}
	lines := slices.Collect(strings.Lines(b.String()))
	return lines[len(lines)-1]
}

// add appends a line to the file of counts.
func add(name string, passed, failed int) error {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(f, passed, failed)
	return errors.Join(err, f.Close())
}

// coverage adds a profile up. A block that several test programs report is covered when one of them reached it.
func coverage(profile string) error {
	b, err := os.ReadFile(profile)
	if err != nil {
		return err
	}
	type block struct {
		statements int
		covered    bool
	}
	blocks := map[string]*block{}
	for line := range strings.Lines(string(b)) {
		// path/file.go:1.2,3.4 statements count
		f := strings.Fields(line)
		if len(f) != 3 {
			continue // "mode: atomic"
		}
		n, err := strconv.Atoi(f[1])
		if err != nil {
			return err
		}
		if blocks[f[0]] == nil {
			blocks[f[0]] = &block{statements: n}
		}
		blocks[f[0]].covered = blocks[f[0]].covered || f[2] != "0"
	}
	type sum struct{ all, covered int }
	total, packages := map[string]*sum{}, map[string]*sum{}
	count := func(m map[string]*sum, name string, b *block) {
		if m[name] == nil {
			m[name] = new(sum)
		}
		m[name].all += b.statements
		if b.covered {
			m[name].covered += b.statements
		}
	}
	const root, internal = "root package", "internal/"
	for where, b := range blocks {
		dir := where[:strings.LastIndexByte(where, '/')]
		count(packages, strings.TrimPrefix(strings.TrimPrefix(dir, module), "/"), b)
		if dir == module {
			count(total, root, b)
		} else if strings.HasPrefix(dir, module+"/internal/") {
			count(total, internal, b)
		}
	}
	percent := func(s *sum) float64 { return 100 * float64(s.covered) / float64(s.all) }
	var names []string
	for name := range packages {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Printf("%6.1f %%  %s\n", percent(packages[name]), max(name, "."))
	}
	for _, name := range []string{root, internal} {
		s := total[name]
		if s == nil {
			return fmt.Errorf("the profile has nothing of the %s", name)
		}
		fmt.Printf("%6.1f %%  of all statements of the %s\n", percent(s), name)
		if percent(s) < minCoverage {
			err = errors.Join(err, fmt.Errorf("the coverage of the %s is below %d %%", name, minCoverage))
		}
	}
	return err
}
