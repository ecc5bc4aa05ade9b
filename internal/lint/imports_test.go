package lint

import (
	"fmt"
	"go/ast"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// importTable: imports point one way, root → runtime, root → peer → machines.
// Tests may look at what they need.
func importTable(files []*file) []string {
	var offences []string
	for _, f := range files {
		if f.test() {
			continue
		}
		for _, spec := range f.ast.Imports {
			imported, _ := strconv.Unquote(spec.Path.Value)
			ours, ok := strings.CutPrefix(imported, module)
			switch {
			case ok && !mayImport(f.dir(), path.Clean("."+ours)):
				offences = append(offences, fmt.Sprintf("%s: %s imports %s", f.at(spec), f.dir(), imported))
			case within(imported, "github.com/pion/webrtc/v4") && !f.mayUsePion() && f.dir() != ".":
				offences = append(offences, fmt.Sprintf("%s: %s imports %s, which is for the root package", f.at(spec), f.dir(), imported))
			}
		}
	}
	return sorted(offences)
}

// mayUsePion: programs that show or measure compare us with pion itself.
func (f *file) mayUsePion() bool {
	return f.under("examples") || f.under("bench")
}

// mayImport is the table. Both are folders of the module.
func mayImport(from, to string) bool {
	machines, peer := core, core+"/peer"
	machine := func(dir string) string { // the folder of the machine that dir belongs to
		name, _, _ := strings.Cut(strings.TrimPrefix(dir, machines+"/"), "/")
		return machines + "/" + name
	}
	switch {
	case from == ".":
		return to == "runtime" || to == "runtime/std" || to == peer
	case from == "runtime":
		return false
	case within(from, "runtime/sim"):
		return to == "runtime" || to == "internal/simnet" || within(to, "runtime/sim")
	case within(from, "runtime"):
		// A world may have parts of its own, and std's sockets serve others.
		own, _, _ := strings.Cut(strings.TrimPrefix(from, "runtime/"), "/")
		return to == "runtime" || within(to, "runtime/"+own) || within(to, "runtime/internal")
	case within(from, peer):
		return within(to, machines)
	case within(from, machines):
		return from != machines && within(to, machine(from)) && to != peer
	case within(from, "internal"):
		return false
	}
	// Examples, benchmarks and the like are users: they see what everybody sees.
	return !within(to, "internal")
}

func TestImportTable(t *testing.T) { hold(t, importTable) }

func TestImportTableCatches(t *testing.T) {
	imports := func(name, from, to, want string) snippet {
		return snippet{name, path.Join(from, "x.go"), `import _ "` + path.Join(module, to) + `"`, want}
	}
	catches(t, importTable, []snippet{
		imports("root on runtime", ".", "runtime", ""),
		imports("root on its default world", ".", "runtime/std", ""),
		imports("root on peer", ".", "internal/sansio/peer", ""),
		imports("root on a machine", ".", "internal/sansio/ice", "imports"),
		imports("root on sim", ".", "runtime/sim", "imports"),
		imports("root on simnet", ".", "internal/simnet", "imports"),
		imports("peer on a machine", "internal/sansio/peer", "internal/sansio/sctp", ""),
		imports("peer on root", "internal/sansio/peer", ".", "imports"),
		imports("peer on runtime", "internal/sansio/peer", "runtime", "imports"),
		imports("machine on sibling", "internal/sansio/channel", "internal/sansio/sctp", "imports"),
		imports("part of a machine on sibling", "internal/sansio/ice/codec", "internal/sansio/dtls", "imports"),
		imports("machine on its part", "internal/sansio/ice", "internal/sansio/ice/codec", ""),
		imports("machine on a sibling of like name", "internal/sansio/ice", "internal/sansio/icelite", "imports"),
		imports("machine on peer", "internal/sansio/media", "internal/sansio/peer", "imports"),
		imports("machine on runtime", "internal/sansio/turn", "runtime", "imports"),
		imports("machine on simnet", "internal/sansio/turn", "internal/simnet", "imports"),
		imports("the core's doc", "internal/sansio", "internal/sansio/ice", "imports"),
		imports("runtime", "runtime", "internal/simnet", "imports"),
		imports("runtime on a world", "runtime", "runtime/std", "imports"),
		imports("world", "runtime/std", "runtime", ""),
		imports("world on root", "runtime/std", ".", "imports"),
		imports("world on world", "runtime/mux", "runtime/std", "imports"),
		imports("world on the core", "runtime/mux", "internal/sansio/ice", "imports"),
		imports("world on simnet", "runtime/std", "internal/simnet", "imports"),
		imports("sim on simnet", "runtime/sim", "internal/simnet", ""),
		imports("sim on std", "runtime/sim", "runtime/std", "imports"),
		imports("simnet on the core", "internal/simnet", "internal/sansio/ice", "imports"),
		imports("example", "examples/x", ".", ""),
		imports("example on the core", "examples/x", "internal/sansio/ice", "imports"),
		{"pion/webrtc in root", "x.go", `import _ "github.com/pion/webrtc/v4"`, ""},
		{"pion/webrtc in an example", "examples/x/x.go", `import _ "github.com/pion/webrtc/v4"`, ""},
		{"pion/webrtc in the core", "internal/sansio/peer/x.go", `import _ "github.com/pion/webrtc/v4"`, "for the root"},
		{"part of pion/webrtc in a world", "runtime/std/x.go", `import _ "github.com/pion/webrtc/v4/pkg/rtcerr"`, "for the root"},
		{"test", "internal/sansio/ice/x_test.go", `import _ "` + module + `/internal/simnet"`, ""},
	})
}

// engines are the parts of pion that bring goroutines, timers and clocks.
var engines = map[string][]string{
	"github.com/pion/dtls/v3":   {"Client", "Server", "Dial", "Listen", "NewListener", "Resume"},
	"github.com/pion/ice/v4":    {"NewAgent", "NewMultiUDPMux", "NewUDPMux", "NewUniversalUDPMux", "NewTCPMux"},
	"github.com/pion/sctp":      {"Client", "Server", "CreateAssociation"},
	"github.com/pion/turn/v5":   {"NewClient", "NewServer"},
	"github.com/pion/mdns/v2":   {"Client", "Server"},
	"github.com/pion/webrtc/v4": {"NewPeerConnection", "NewAPI", "NewICEGatherer", "NewICETransport"},
	"github.com/pion/stun/v4":   {"Dial", "NewClient", "NewAgent"},
}

// engineReader reads pion's MediaEngine, which an API shows and nothing else; it makes no connection of it.
const engineReader = "mediaengine.go"

// noEngines: pion's engines never run inside ours. They are interop peers in tests
// and rivals in benchmarks.
func noEngines(files []*file) []string {
	var offences []string
	for _, f := range files {
		if f.test() || f.mayUsePion() {
			continue
		}
		names := f.imports()
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if from, member, ok := f.imported(names, n); ok {
				started := slices.ContainsFunc(engines[from], func(prefix string) bool { return strings.HasPrefix(member, prefix) })
				if started && !(f.path == engineReader && member == "NewAPI") {
					offences = append(offences, fmt.Sprintf("%s: pion's engine: %s.%s", f.at(n), from, member))
				}
			}
			return true
		})
	}
	return sorted(offences)
}

func TestNoPionEngines(t *testing.T) { hold(t, noEngines) }

func TestNoPionEnginesCatches(t *testing.T) {
	calls := func(imported, call string) string { return "import \"" + imported + "\"\nvar _ = " + call }
	at := "internal/sansio/x/x.go"
	catches(t, noEngines, []snippet{
		{"dtls client", at, calls("github.com/pion/dtls/v3", "dtls.Client(nil, nil, nil)"), "dtls/v3.Client"},
		{"dtls server with options", at, calls("github.com/pion/dtls/v3", "dtls.ServerWithOptions"), "dtls/v3.ServerWithOptions"},
		{"ice agent", at, calls("github.com/pion/ice/v4", "ice.NewAgentWithOptions()"), "ice/v4.NewAgent"},
		{"sctp", at, calls("github.com/pion/sctp", "sctp.Client(sctp.Config{})"), "pion/sctp.Client"},
		{"webrtc", "x.go", calls("github.com/pion/webrtc/v4", "webrtc.NewPeerConnection(webrtc.Configuration{})"), "NewPeerConnection"},
		{"renamed", "x.go", "import pion \"github.com/pion/webrtc/v4\"\nvar _ = pion.NewAPI()", "NewAPI"},
		{"media engine", "mediaengine.go", calls("github.com/pion/webrtc/v4", "webrtc.NewAPI()"), ""},
		{"connection beside it", "mediaengine.go", calls("github.com/pion/webrtc/v4", "webrtc.NewPeerConnection(webrtc.Configuration{})"), "NewPeerConnection"},
		{"types", at, calls("github.com/pion/ice/v4", "ice.UnmarshalCandidate"), ""},
		{"our own", at, calls(module+"/internal/sansio/sctp", "sctp.Client"), ""},
		{"test", "internal/sansio/x/x_test.go", calls("github.com/pion/sctp", "sctp.Client(sctp.Config{})"), ""},
		{"benchmark", "bench/x.go", calls("github.com/pion/webrtc/v4", "webrtc.NewAPI()"), ""},
	})
}
