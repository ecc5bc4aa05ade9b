package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

func resultsFile(root string) string {
	return filepath.Join(root, "docs", "performance", "results.json")
}

// redraw writes the documents anew of what was measured before.
func redraw(root string) error {
	if root == "" {
		return errors.New("-draw wants -docs")
	}
	r, err := load(resultsFile(root))
	if err != nil {
		return err
	}
	return r.document(root)
}

// document writes everything that is made of the results.
func (r *results) document(root string) error {
	var errs []error
	for name, text := range r.documents() {
		errs = append(errs, os.WriteFile(filepath.Join(root, "docs", "performance", name), text, 0o644))
	}
	readme := filepath.Join(root, "README.md")
	old, err := os.ReadFile(readme)
	if err == nil {
		var text []byte
		if text, err = r.readme(old); err == nil {
			err = os.WriteFile(readme, text, 0o644)
		}
	}
	return errors.Join(append(errs, err)...)
}

// documents are the files of docs/performance.
func (r *results) documents() map[string][]byte {
	var table bytes.Buffer
	fmt.Fprint(&table, "# Measured\n\nWritten by `bench`; [Performance](../performance.md) says how to read it.\n\n")
	r.table(&table)
	out := map[string][]byte{"table.md": table.Bytes()}
	for name, c := range r.charts() {
		out[name] = c.svg()
	}
	return out
}

// The part of README.md that is made of the results is between these lines.
const (
	readmeBegin = "<!-- measured: begin -->\n"
	readmeEnd   = "<!-- measured: end -->\n"
)

// readme is README.md with the most telling figures put in.
func (r *results) readme(old []byte) ([]byte, error) {
	before, rest, ok := strings.Cut(string(old), readmeBegin)
	_, after, ok2 := strings.Cut(rest, readmeEnd)
	if !ok || !ok2 {
		return nil, errors.New("README.md has no place for the figures")
	}
	var b strings.Builder
	fmt.Fprint(&b, before, readmeBegin, "| | sansrtc | pion | pion, tuned | × tuned |\n| --- | ---: | ---: | ---: | ---: |\n")
	for _, l := range []struct{ says, row, figure string }{
		{"messages of 16 KiB, Mbit/s", "bulk-16KiB", "Mbit/s"},
		{"… and CPU seconds per Gbit", "bulk-16KiB", "CPU s/Gbit"},
		{"… between two processes, Mbit/s", "bulk-16KiB-2proc", "Mbit/s"},
		{"… in datagrams of 1200 bytes, Mbit/s", "bulk-16KiB-mtu1200", "Mbit/s"},
		{"messages of 64 bytes per second", "small-64B", "messages/s"},
		{"64 bytes there and back, median µs", "ping-pong-64B", "p50 µs"},
		{"setup, median ms", "setup", "p50 ms"},
		{"setup, CPU ms for both ends", "setup", "CPU ms/pair"},
		{"goroutines of a connection", "idle", "goroutines/connection"},
		{"CPU ms per minute of an idle connection", "idle", "idle CPU ms/connection/min"},
		{"KiB of a connection, of 1000", "memory-1000", "KiB/connection"},
		{"1 Gbit/s at 50 ms with 0.1 % loss, Mbit/s", "path-50ms-loss0.1%", "Mbit/s"},
	} {
		row := rowNamed(l.row)
		var f figure
		for _, f = range row.figures {
			if f.name == l.figure {
				break
			}
		}
		fmt.Fprintf(&b, "| %s |", l.says)
		for _, s := range rivals {
			fmt.Fprintf(&b, " %s |", number(r.median(l.row, s, l.figure)))
		}
		fmt.Fprintf(&b, " %s |\n", number(r.ratio(l.row, f, "pion-tuned")))
	}
	fmt.Fprint(&b, readmeEnd, after)
	return []byte(b.String()), nil
}
