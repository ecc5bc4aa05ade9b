package main

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// Promise: each row measures figures that it names, of stacks that there are, and its name is its own.
func TestRows(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range allRows {
		if seen[r.name] || len(r.figures) == 0 || len(r.stacks) < 2 || r.stacks[0] != stackNames[0] || r.takes == 0 {
			t.Errorf("row %q is not whole", r.name)
		}
		seen[r.name] = true
	}
}

// Promise: a plan has the rows and stacks that were asked for; what tells all in one run runs once.
func TestChoose(t *testing.T) {
	all, err := choose("", "", true, false, 5)
	if err != nil {
		t.Fatal(err)
	}
	few, err := choose("^setup$|^path-20ms$", "sansrtc-loop,pion-tuned", false, false, 5)
	if err != nil {
		t.Fatal(err)
	}
	if len(all.rows) != len(allRows) || len(few.rows) != 2 {
		t.Fatalf("%d and %d rows", len(all.rows), len(few.rows))
	}
	if r := few.rows[0]; r.runs != 5 || len(r.stacks) != 2 || r.stacks[0] != "pion-tuned" || r.stacks[1] != "sansrtc-loop" {
		t.Errorf("%s: %d runs of %v", r.name, r.runs, r.stacks)
	}
	if r := few.rows[1]; r.runs != 1 || len(r.stacks) != 1 {
		t.Errorf("%s: %d runs of %v", r.name, r.runs, r.stacks)
	}
	if minutes := all.duration().Minutes(); minutes > 40 {
		t.Errorf("everything takes %.0f minutes", minutes)
	}
	for _, bad := range []struct{ rows, stacks string }{{"(", ""}, {"no such row", ""}, {"", "no such stack"}, {"^path", "pion"}} {
		if _, err := choose(bad.rows, bad.stacks, false, false, 5); err == nil {
			t.Errorf("%+v is a plan", bad)
		}
	}
}

// Promise: the table, the plots and README's figures are those of results.json.
func TestDocuments(t *testing.T) {
	const root = ".."
	r, err := load(resultsFile(root))
	if err != nil {
		t.Fatal(err)
	}
	made := map[string][]byte{}
	for name, text := range r.documents() {
		made[filepath.Join(root, "docs", "performance", name)] = text
	}
	readme := filepath.Join(root, "README.md")
	old, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	if made[readme], err = r.readme(old); err != nil {
		t.Fatal(err)
	}
	for file, want := range made {
		got, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) || !bytes.Equal(got, want) {
			t.Errorf("%s is not that of results.json: run bench with -draw", file)
		}
	}
}
