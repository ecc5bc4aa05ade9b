package examples_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// root is the root of the module, where the documents' commands are run.
const root = ".."

// block is a fenced piece of a document.
type block struct {
	file, text string
}

var fence = regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```$")

// blocks gives the pieces of README.md and docs/*.md in one language.
func blocks(t *testing.T, language string) (list []block) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range append(files, filepath.Join(root, "README.md")) {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range fence.FindAllStringSubmatch(string(text), -1) {
			if m[1] == language {
				list = append(list, block{f, m[2]})
			}
		}
	}
	return list
}

// runBy says for each command of the documents who runs it, so that none rots. .ci/run runs those of README.md as they are.
var runBy = map[string]string{
	"go run ./examples/quickstart": "TestQuickstart, with a smaller file",
	"go test ./...":                ".ci/run",
	"cd bench && go run . -short":  ".ci/run",
	// The long form of the same rows, which the former shows to work.
	"cd bench && go run . -all -docs ..": ".ci/run, with -short",
}

// Every command in README.md and docs is run by a test or by .ci/run.
func TestReadmeCommands(t *testing.T) {
	commands := 0
	for _, b := range blocks(t, "sh") {
		for line := range strings.Lines(b.text) {
			line, _, _ = strings.Cut(line, " #")
			if line = strings.TrimSpace(line); line == "" {
				continue
			}
			commands++
			if runBy[line] == "" {
				t.Errorf("%s: %q is run by no test: if there is one, name it in runBy", b.file, line)
			}
		}
	}
	if commands == 0 {
		t.Error("the documents have no commands")
	}
}

// Each whole program in the documents compiles and runs; that of README.md prints what it should.
func TestReadmeProgram(t *testing.T) {
	t.Parallel()
	programs := 0
	for _, b := range blocks(t, "go") {
		if !strings.HasPrefix(b.text, "package main\n") {
			continue
		}
		programs++
		file := filepath.Join(t.TempDir(), "main.go")
		if err := os.WriteFile(file, []byte(b.text), 0o600); err != nil {
			t.Fatal(err)
		}
		// A file that is named on the command line sees the module that the command runs in.
		cmd := command(t, "go", "run", file)
		cmd.Dir = root
		out := ran(t, cmd)
		if filepath.Base(b.file) == "README.md" && out != strings.Repeat("heard: hello from greetings\n", 2) {
			t.Errorf("%s printed %q", b.file, out)
		}
	}
	if programs == 0 {
		t.Error("the documents have no program")
	}
}
