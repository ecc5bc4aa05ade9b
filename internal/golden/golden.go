// Package golden holds what tests produce against the files in which it is recorded. With -update it is recorded anew, to be looked at as a diff.
package golden

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "record anew in testdata what tests produce")

// Stories plays each testdata/*.txt as a test of its own: commands, and among them what each led to when it was recorded. play does what the
// commands say and returns the story as it goes now.
func Stories(t *testing.T, play func(t *testing.T, story string) string) {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			story, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			Check(t, file, play(t, string(story)))
		})
	}
}

// Check holds got against what is recorded in file.
func Check(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("%s goes differently, -update records it (-recorded +now):\n%s", file, diff)
	}
}
