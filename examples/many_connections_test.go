package examples_test

import (
	"path/filepath"
	"testing"
)

// Many connections are held on each runtime, and only std has a goroutine for each.
func TestManyConnections(t *testing.T) {
	t.Parallel()
	for runtime, goroutines := range map[string]string{"mux": `[0-9]{1,2}`, "loop": `[0-9]{1,2}`, "std": `[0-9]{2,}`} {
		out := ran(t, command(t, filepath.Join(bin, "many-connections"), "-n", "20", "-runtime", runtime, "-idle", "100ms", "-talk", "200ms"))
		want(t, out, `^20 pairs on runtime `+runtime+`$`, `^setup +[0-9.]+ s, [0-9]+ pairs/s, `, `^memory +[0-9.-]+ KiB per connection`,
			`^goroutines +`+goroutines+` for 40 connections$`, `^idle +[0-9.]+ %`, `^messages +40 sent, 40 answered in `)
	}
}
