package lint

//lint:file-ignore SA1019 the parser's objects tell enough here: whether a name is the package's own

import (
	"fmt"
	"go/ast"
	"go/token"
	"slices"
	"strconv"
	"testing"
)

const core = "internal/sansio"

// toldNeverAsking: the core has no socket, goroutine, lock, channel, clock or
// randomness of its own, and no state outside its machines.
func toldNeverAsking(files []*file) []string {
	vars := packageVars(files)
	var offences []string
	for _, f := range files {
		if !f.under(core) || f.test() {
			continue
		}
		names := f.imports()
		for _, spec := range f.ast.Imports {
			imported, _ := strconv.Unquote(spec.Path.Value)
			if asks(imported) || spec.Name != nil && spec.Name.Name == "." {
				offences = append(offences, fmt.Sprintf("%s: the core imports %s", f.at(spec), spec.Path.Value))
			}
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			what := ""
			switch n := n.(type) {
			case *ast.GoStmt:
				what = "starts a goroutine"
			case *ast.ChanType:
				what = "has a channel"
			case *ast.SendStmt:
				what = "sends on a channel"
			case *ast.SelectStmt:
				what = "selects"
			case *ast.UnaryExpr:
				if n.Op == token.ARROW {
					what = "receives from a channel"
				}
			case *ast.SelectorExpr:
				from, member, ok := f.imported(names, n)
				switch {
				case ok && from == "time" && slices.Contains(clock, member):
					what = "asks for the time: time." + member
				case ok && from == "math/rand/v2" && !slices.Contains(seeded, member):
					what = "uses global randomness: rand." + member
				}
			}
			if what != "" {
				offences = append(offences, f.at(n)+": the core "+what)
			}
			return true
		})
		offences = append(offences, globalWrites(f, names, vars[f.dir()])...)
	}
	return sorted(offences)
}

// asks lists what a machine must not import.
func asks(imported string) bool {
	switch imported {
	case "net/netip":
		return false
	case "math/rand", "crypto/rand":
		return true
	}
	for _, dir := range []string{"sync", "net", "os", "context", "log", "syscall", "runtime", "plugin", "golang.org/x/net/ipv4", "golang.org/x/net/ipv6", "golang.org/x/sys", "golang.org/x/sync"} {
		if within(imported, dir) {
			return true
		}
	}
	return false
}

var (
	clock  = []string{"Now", "Since", "Until", "After", "AfterFunc", "NewTimer", "NewTicker", "Tick", "Sleep"}
	seeded = []string{"New", "NewPCG", "NewChaCha8", "NewZipf", "Rand", "PCG", "ChaCha8", "Zipf", "Source"}
)

// packageVars finds the variables of each package, by folder.
func packageVars(files []*file) map[string]map[string]bool {
	vars := map[string]map[string]bool{}
	for _, f := range files {
		if f.test() {
			continue
		}
		for _, decl := range f.ast.Decls {
			gen, ok := decl.(*ast.GenDecl)
			if !ok || gen.Tok != token.VAR {
				continue
			}
			for _, spec := range gen.Specs {
				for _, name := range spec.(*ast.ValueSpec).Names {
					if vars[f.dir()] == nil {
						vars[f.dir()] = map[string]bool{}
					}
					vars[f.dir()][name.Name] = true
				}
			}
		}
	}
	return vars
}

// globalWrites finds what a function other than init writes to a variable of a
// package, its own or another. Tables and errors that are only read are no state.
// It does not follow pointers: a table may be read through one.
func globalWrites(f *file, names map[string]string, vars map[string]bool) []string {
	top := map[*ast.Object]bool{}
	for _, obj := range f.ast.Scope.Objects {
		top[obj] = true
	}
	// global says whether an expression is a part of a package's variable.
	var global func(ast.Expr) bool
	global = func(e ast.Expr) bool {
		switch e := e.(type) {
		case *ast.Ident:
			return vars[e.Name] && (e.Obj == nil || top[e.Obj])
		case *ast.SelectorExpr:
			if _, _, ok := f.imported(names, e); ok {
				return true
			}
			return global(e.X)
		case *ast.IndexExpr:
			return global(e.X)
		case *ast.SliceExpr:
			return global(e.X)
		case *ast.StarExpr:
			return global(e.X)
		case *ast.ParenExpr:
			return global(e.X)
		}
		return false
	}
	var offences []string
	written := func(n ast.Node, e ast.Expr) {
		if e != nil && global(e) {
			offences = append(offences, f.at(n)+": the core writes a variable of a package")
		}
	}
	for _, decl := range f.ast.Decls {
		if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
			continue
		}
		ast.Inspect(decl, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.AssignStmt:
				if n.Tok != token.DEFINE {
					for _, e := range n.Lhs {
						written(n, e)
					}
				}
			case *ast.IncDecStmt:
				written(n, n.X)
			case *ast.RangeStmt:
				if n.Tok == token.ASSIGN {
					written(n, n.Key)
					written(n, n.Value)
				}
			case *ast.CallExpr:
				if fn, ok := n.Fun.(*ast.Ident); ok && fn.Obj == nil && len(n.Args) > 0 && slices.Contains([]string{"delete", "clear", "copy"}, fn.Name) {
					written(n, n.Args[0])
				}
			}
			return true
		})
	}
	return offences
}

func TestToldNeverAsking(t *testing.T) { hold(t, toldNeverAsking) }

func TestToldNeverAskingCatches(t *testing.T) {
	in := func(text string) string {
		return "import (\"time\"; \"math/rand/v2\")\nvar table = []int{1}\nvar m map[int]int\n" + text
	}
	at := core + "/x/x.go"
	var snippets []snippet
	for _, imported := range []string{"sync", "sync/atomic", "net", "net/http", "os", "os/exec", "context", "log", "log/slog", "math/rand", "crypto/rand", "golang.org/x/sys/unix"} {
		snippets = append(snippets,
			snippet{"import " + imported, at, `import _ "` + imported + `"`, "imports"},
			snippet{"test imports " + imported, core + "/x/x_test.go", `import _ "` + imported + `"`, ""},
			snippet{"import elsewhere " + imported, "runtime/std/x.go", `import _ "` + imported + `"`, ""})
	}
	for _, name := range clock {
		snippets = append(snippets,
			snippet{name, at, in("var _ = time." + name), "time." + name},
			snippet{"renamed " + name, at, "import clock \"time\"\nvar _ = clock." + name, "time." + name})
	}
	catches(t, toldNeverAsking, append(snippets,
		snippet{"dot import", at, `import . "time"`, "imports"},
		snippet{"netip", at, `import _ "net/netip"`, ""},
		snippet{"durations", at, in("var _ = time.Second; func f(now time.Time) { now.After(now); now.Sub(now) }"), ""},
		snippet{"hidden package", at, in("func f(time struct{Now int}) int { return time.Now }"), ""},
		snippet{"go", at, "func f() { go f() }", "goroutine"},
		snippet{"make", at, "var _ = make(chan int)", "channel"},
		snippet{"field", at, "type t struct { c <-chan int }", "channel"},
		snippet{"send", at, "func f() { c <- 1 }", "sends"},
		snippet{"receive", at, "func f() { <-c }", "receives"},
		snippet{"select", at, "func f() { select {} }", "selects"},
		snippet{"global randomness", at, in("var _ = rand.IntN(3)"), "rand.IntN"},
		snippet{"seeded randomness", at, in("var _ = rand.New(rand.NewPCG(1, 2)); func f(r *rand.Rand) { r.IntN(3) }"), ""},
		snippet{"assignment", at, in("func f() { table = nil }"), "writes"},
		snippet{"element", at, in("func f() { table[0] = 1 }"), "writes"},
		snippet{"sum", at, in("func f() { table[0] += 1 }"), "writes"},
		snippet{"increment", at, in("func f() { m[1]++ }"), "writes"},
		snippet{"method", at, in("type t int; func (t) init() { m[1] = 1 }"), "writes"},
		snippet{"range", at, in("func f() { for table[0] = range 3 {} }"), "writes"},
		snippet{"delete", at, in("func f() { delete(m, 1) }"), "writes"},
		snippet{"copy", at, in("func f() { copy(table[1:], table) }"), "writes"},
		snippet{"pointer into a table", at, in("func f() *int { return &table[0] }"), ""},
		snippet{"function value", at, in("var g = func() { table = nil }"), "writes"},
		snippet{"another package", at, "import \"io\"\nfunc f() { io.EOF = nil }", "writes"},
		snippet{"reading", at, in("func f() int { return table[0] + m[1] }"), ""},
		snippet{"init", at, in("func init() { m = map[int]int{}; table[0] = 2 }"), ""},
		snippet{"local of the same name", at, in("func f(table []int) { table[0] = 1; m := map[int]int{}; m[1]++ }"), ""},
		snippet{"field of the same name", at, in("type t struct{ m int }; func (x *t) f() { x.m++; x.m = 2 }"), ""},
	))
	// A variable may be declared in another file of the package.
	a, err := parse(at, "package x; var shared int")
	if err != nil {
		t.Fatal(err)
	}
	b, err := parse(core+"/x/y.go", "package x; func f() { shared = 1 }")
	if err != nil {
		t.Fatal(err)
	}
	if got := toldNeverAsking([]*file{a, b}); len(got) != 1 {
		t.Errorf("variable of another file: %q", got)
	}
}
