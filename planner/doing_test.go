package planner

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// Adapters say verb and object of a call themselves; providers.Doing says what both
// say once, so no error here is wrapped in another way.
func TestErrorsAreSaidOnce(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) < 20 {
		t.Fatal(len(files), err)
	}
	wraps := regexp.MustCompile(`^[a-z%].*: %w$`)
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, name, src, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) < 2 {
				return true
			}
			fun, ok := call.Fun.(*ast.SelectorExpr)
			format, literal := call.Args[0].(*ast.BasicLit)
			last, plain := call.Args[len(call.Args)-1].(*ast.Ident)
			if !ok || !literal || !plain || fun.Sel.Name != "Errorf" {
				return true
			}
			if text, err := strconv.Unquote(format.Value); err == nil && last.Name == "err" && wraps.MatchString(text) {
				t.Errorf("%s: %s: use providers.Doing, which does not repeat what the adapter says", fset.Position(n.Pos()), text)
			}
			return true
		})
	}
}
