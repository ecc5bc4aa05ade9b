package lint

import (
	"fmt"
	"go/ast"
	"regexp"
	"strings"
	"testing"
)

// documented: whatever the root package exports has a comment.
func documented(files []*file) []string {
	var offences []string
	for _, f := range files {
		if f.dir() != "." || f.test() {
			continue
		}
		miss := func(n ast.Node, name string) {
			offences = append(offences, fmt.Sprintf("%s: %s has no comment", f.at(n), name))
		}
		for _, decl := range f.ast.Decls {
			switch decl := decl.(type) {
			case *ast.FuncDecl:
				if decl.Name.IsExported() && decl.Doc == nil && (decl.Recv == nil || ast.IsExported(receiver(decl))) {
					miss(decl, decl.Name.Name)
				}
			case *ast.GenDecl:
				for _, spec := range decl.Specs {
					switch spec := spec.(type) {
					case *ast.TypeSpec:
						if !spec.Name.IsExported() {
							continue
						}
						if decl.Doc == nil && spec.Doc == nil && spec.Comment == nil {
							miss(spec, spec.Name.Name)
						}
						if face, ok := spec.Type.(*ast.InterfaceType); ok {
							for _, m := range face.Methods.List {
								if len(m.Names) > 0 && m.Doc == nil && m.Comment == nil {
									miss(m, spec.Name.Name+"."+m.Names[0].Name)
								}
							}
						}
					case *ast.ValueSpec:
						for _, name := range spec.Names {
							if name.IsExported() && decl.Doc == nil && spec.Doc == nil && spec.Comment == nil {
								miss(name, name.Name)
							}
						}
					}
				}
			}
		}
	}
	return sorted(offences)
}

// receiver names the type that a method belongs to.
func receiver(fn *ast.FuncDecl) string {
	e := fn.Recv.List[0].Type
	for {
		switch x := e.(type) {
		case *ast.StarExpr:
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.IndexListExpr:
			e = x.X
		case *ast.Ident:
			return x.Name
		default:
			return ""
		}
	}
}

func TestExportedIsDocumented(t *testing.T) { hold(t, documented) }

func TestExportedIsDocumentedCatches(t *testing.T) {
	catches(t, documented, []snippet{
		{"function", "x.go", "func F() {}", "F has no comment"},
		{"documented function", "x.go", "// F is.\nfunc F() {}", ""},
		{"method", "x.go", "// T is.\ntype T[A any] int\nfunc (*T[A]) M() {}", "M has no comment"},
		{"method of hidden type", "x.go", "type t int\nfunc (*t) M() {}", ""},
		{"type", "x.go", "type T int", "T has no comment"},
		{"type in a group", "x.go", "type (\n// T is.\nT int\nU int)", "U has no comment"},
		{"method of interface", "x.go", "// T is.\ntype T interface { M() }", "T.M has no comment"},
		{"constant", "x.go", "const C = 1", "C has no comment"},
		{"group with a comment", "x.go", "// Numbers.\nconst (\nC = 1\nD = 2)", ""},
		{"comment behind", "x.go", "var V = 1 // V is.", ""},
		{"variable", "x.go", "var v, V = 1, 2", "V has no comment"},
		{"hidden", "x.go", "func f() {}; type t int; var v int", ""},
		{"other package", "runtime/x.go", "func F() {}", ""},
		{"test", "x_test.go", "func F() {}", ""},
	})
}

var unfinishedWord = regexp.MustCompile(`\b(TODO|FIXME|XXX)\b`)

// nothingUnfinished: code that is here is done.
func nothingUnfinished(files []*file) []string {
	var offences []string
	for _, f := range files {
		if f.test() {
			continue
		}
		n := 0
		for line := range strings.Lines(f.text) {
			n++
			if word := unfinishedWord.FindString(line); word != "" {
				offences = append(offences, fmt.Sprintf("%s:%d: %s", f.path, n, word))
			}
		}
	}
	return sorted(offences)
}

func TestNothingUnfinished(t *testing.T) { hold(t, nothingUnfinished) }

func TestNothingUnfinishedCatches(t *testing.T) {
	catches(t, nothingUnfinished, []snippet{
		{"comment", "x.go", "// TODO: all of it\nvar x int", "x.go:2: TODO"},
		{"string", "runtime/std/x.go", "var x = \"FIXME\"", "FIXME"},
		{"name", "x.go", "var XXX int", "XXX"},
		{"part of a word", "x.go", "var XXXL, mastodon, TODOS int", ""},
		{"test", "x_test.go", "// TODO\nvar x int", ""},
	})
}

const longest = 900

// shortFiles: a file of the core is one noun, and that is not a long story.
func shortFiles(files []*file) []string {
	var offences []string
	for _, f := range files {
		if n := f.set.File(f.ast.FileStart).LineCount(); f.under(core) && n > longest {
			offences = append(offences, fmt.Sprintf("%s: %d lines", f.path, n))
		}
	}
	return sorted(offences)
}

func TestShortFiles(t *testing.T) { hold(t, shortFiles) }

func TestShortFilesCatches(t *testing.T) {
	catches(t, shortFiles, []snippet{
		{"long", core + "/x/x.go", strings.Repeat("\n", longest), "lines"},
		{"long test", core + "/x/x_test.go", strings.Repeat("\n", longest), "lines"},
		{"fits", core + "/x/x.go", strings.Repeat("\n", longest-2), ""},
		{"long elsewhere", "x.go", strings.Repeat("\n", longest), ""},
	})
}

// The rules must look at something: the walk finds this very file, and the core.
func TestSourceIsFound(t *testing.T) {
	found := map[string]bool{}
	for _, f := range source(t) {
		found[f.path] = true
	}
	for _, want := range []string{"internal/lint/text_test.go", core + "/doc.go"} {
		if !found[want] {
			t.Errorf("the walk does not find %s", want)
		}
	}
}
