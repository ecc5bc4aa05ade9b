package lint

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/sansrtc/rtc"

// file is a Go file of the module.
type file struct {
	path string // from the root, with slashes
	text string
	set  *token.FileSet
	ast  *ast.File
}

// dir is the package's folder, "." for the root.
func (f *file) dir() string { return path.Dir(f.path) }

func (f *file) test() bool { return strings.HasSuffix(f.path, "_test.go") }

// at says where a node is.
func (f *file) at(n ast.Node) string {
	return fmt.Sprintf("%s:%d", f.path, f.set.Position(n.Pos()).Line)
}

// under says whether the file is in a folder or below it.
func (f *file) under(dir string) bool { return within(f.dir(), dir) }

func within(dir, parent string) bool {
	return dir == parent || strings.HasPrefix(dir, parent+"/")
}

// imports gives the local name of each imported path. Names that are not given
// are guessed as the last element that is no version.
func (f *file) imports() map[string]string {
	names := map[string]string{}
	for _, spec := range f.ast.Imports {
		imported, _ := strconv.Unquote(spec.Path.Value)
		name := path.Base(imported)
		if len(name) > 1 && name[0] == 'v' && name[1] >= '0' && name[1] <= '9' {
			name = path.Base(path.Dir(imported))
		}
		if spec.Name != nil {
			name = spec.Name.Name
		}
		names[name] = imported
	}
	return names
}

// imported gives the path and member that an expression like pkg.Member names.
func (f *file) imported(names map[string]string, n ast.Node) (from, member string, ok bool) {
	sel, isSelector := n.(*ast.SelectorExpr)
	if !isSelector {
		return "", "", false
	}
	id, isIdent := sel.X.(*ast.Ident)
	if !isIdent || id.Obj != nil { // a local variable hides the package
		return "", "", false
	}
	from, ok = names[id.Name]
	return from, sel.Sel.Name, ok
}

func parse(name, text string) (*file, error) {
	f := &file{path: name, text: text, set: token.NewFileSet()}
	var err error
	f.ast, err = parser.ParseFile(f.set, name, text, parser.ParseComments)
	return f, err
}

// source is the whole module, without other modules inside it.
func source(t *testing.T) []*file {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if mod, err := os.ReadFile(filepath.Join(root, "go.mod")); err != nil || !strings.HasPrefix(string(mod), "module "+module+"\n") {
		t.Fatalf("%s is not the root of the module: %v", root, err)
	}
	var files []*file
	err = filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name == root {
				return nil
			}
			_, err := os.Stat(filepath.Join(name, "go.mod"))
			if err == nil || d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") || strings.HasPrefix(d.Name(), "_") {
				return filepath.SkipDir
			}
			return nil
		}
		if filepath.Ext(name) != ".go" {
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		f, err := parse(filepath.ToSlash(rel), string(text))
		if err != nil {
			return err
		}
		files = append(files, f)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// rule looks at all files together and says what offends it.
type rule func(files []*file) []string

// hold applies a rule to the module.
func hold(t *testing.T, r rule) {
	t.Helper()
	for _, offence := range r(source(t)) {
		t.Error(offence)
	}
}

// snippet is source that a rule must find fault with, or must not.
type snippet struct {
	name string
	path string
	text string
	want string // part of the one offence; "": none
}

// catches proves that a rule sees the offence in each snippet.
func catches(t *testing.T, r rule, snippets []snippet) {
	t.Helper()
	for _, s := range snippets {
		f, err := parse(s.path, "package p\n"+s.text)
		if err != nil {
			t.Errorf("%s: %v", s.name, err)
			continue
		}
		offences := r([]*file{f})
		switch {
		case s.want == "" && len(offences) > 0:
			t.Errorf("%s: falsely accused: %q", s.name, offences)
		case s.want != "" && (len(offences) != 1 || !strings.Contains(offences[0], s.want)):
			t.Errorf("%s: found %q, want %q", s.name, offences, s.want)
		}
	}
}

// sorted gives offences an order that does not depend on the walk.
func sorted(offences []string) []string {
	slices.Sort(offences)
	return slices.Compact(offences)
}
