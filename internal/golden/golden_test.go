package golden

import (
	"os"
	"strings"
	"testing"
)

// Promise: what goes as recorded passes, and -update records what does not.
func TestStories(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.Mkdir("testdata", 0o755); err != nil {
		t.Fatal(err)
	}
	const file = "testdata/one.txt"
	if err := os.WriteFile(file, []byte("command\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	played := 0
	play := func(_ *testing.T, story string) string {
		played++
		command, _, _ := strings.Cut(story, "\n")
		return command + "\n  what it led to\n"
	}
	*update = true
	Stories(t, play)
	*update = false
	Stories(t, play)
	b, err := os.ReadFile(file)
	if want := "command\n  what it led to\n"; string(b) != want || err != nil || played != 2 {
		t.Errorf("recorded %q after %d, %v", b, played, err)
	}
}
