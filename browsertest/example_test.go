package browsertest

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// buildFlags are how the examples are built; with the race detector when the tests are.
var buildFlags []string

// programs builds the examples once, in scratch.
var programs = sync.OnceValues(func() (string, error) {
	dir := filepath.Join(scratch, "examples") + string(filepath.Separator)
	cmd := exec.Command("go", slices.Concat([]string{"build", "-o", dir}, buildFlags, []string{"./examples/..."})...)
	cmd.Dir = ".."
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build ./examples/...: %w\n%s", err, out)
	}
	return dir, nil
})

// startExample starts an example and gives the address that it prints. At the end of the test it must end by an interrupt, having said
// nothing on its standard error.
func startExample(t *testing.T, name string, args ...string) (url string) {
	t.Helper()
	url, _ = startProgram(t, name, args...)
	return url
}

// startProgram gives the lines before the address as well.
func startProgram(t *testing.T, name string, args ...string) (url, before string) {
	t.Helper()
	dir, err := programs()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(dir, name), append([]string{"-addr", "127.0.0.1:0"}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var rest sync.WaitGroup
	t.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt)
		late := time.AfterFunc(patience, func() { cmd.Process.Signal(syscall.SIGQUIT) }) // its goroutines are printed
		defer late.Stop()
		rest.Wait()
		if err := cmd.Wait(); err != nil || stderr.Len() > 0 {
			t.Errorf("%s ended with %v and said:\n%s", name, err, stderr.String())
		}
	})
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatalf("%s printed no address: %v", name, err)
		}
		if address, ok := strings.CutPrefix(strings.TrimSpace(line), name+": http"); ok {
			rest.Go(func() { io.Copy(io.Discard, lines) })
			return "http" + address, before
		}
		before += line
	}
}
