package examples_test

import (
	"path/filepath"
	"testing"
)

// Many connections are held on each runtime, only std has a goroutine for each, and nothing is left of them.
func TestManyConnections(t *testing.T) {
	t.Parallel()
	for runtime, goroutines := range map[string]string{"mux": `[0-9]`, "server": `[0-9]`, "loop": `[0-9]`, "std": `[0-9]{2,}`} {
		out := ran(t, command(t, filepath.Join(bin, "many-connections"), "-n", "20", "-runtime", runtime,
			"-settle", "0s", "-idle", "100ms", "-talk", "200ms", "-every", "100ms"))
		want(t, out, `^runtime `+runtime+`; `, `^ +20 +[0-9]+ +[0-9.]+ ms +[0-9]+ ms +[0-9]+ ms \|[0-9. -]+\|[0-9. -]+ `+goroutines+`$`,
			`^idle +[0-9.]+ %`, `^messages +40 sent, 40 answered in `, `^closed +0 goroutines and [0-9]+ KiB of heap are left$`)
	}
}
