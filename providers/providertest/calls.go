package providertest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/edgeward/edgeward/providers"
)

// Calls are the operations of AWS that the Go files of a folder can ask for, as
// SERVICE.OPERATION, sorted: whatever makes the input of an operation, its
// paginator or its waiter, or a client that assumes a role. Tests are left out.
func Calls(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatal("no Go files in ", dir, err)
	}
	found := map[string]bool{}
	for _, name := range files {
		if !strings.HasSuffix(name, "_test.go") {
			callsOf(t, name, found)
		}
	}
	return slices.Sorted(maps.Keys(found))
}

func callsOf(t *testing.T, name string, found map[string]bool) {
	t.Helper()
	src, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	file, err := parser.ParseFile(token.NewFileSet(), name, src, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	services := map[string]string{}
	for _, spec := range file.Imports {
		from, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		local := path.Base(from)
		if spec.Name != nil {
			local = spec.Name.Name
		}
		if rest, ok := strings.CutPrefix(from, "github.com/aws/aws-sdk-go-v2/service/"); ok && !strings.Contains(rest, "/") {
			services[local] = rest
		} else if strings.HasSuffix(from, "/stscreds") {
			services[local] = "stscreds"
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		s, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		x, ok := s.X.(*ast.Ident)
		if !ok || services[x.Name] == "" {
			return true
		}
		service, what := services[x.Name], s.Sel.Name
		switch {
		case service == "stscreds" && what == "NewAssumeRoleProvider":
			found["sts.AssumeRole"] = true
		case strings.HasPrefix(what, "New") && strings.HasSuffix(what, "Paginator"):
			found[service+"."+strings.TrimSuffix(what[len("New"):], "Paginator")] = true
		case strings.HasSuffix(what, "Waiter"):
			found[service+"."+what] = true // it polls an operation of another name
		case strings.HasSuffix(what, "Input"):
			found[service+"."+strings.TrimSuffix(what, "Input")] = true
		}
		return true
	})
}

// PermittedCalls are the operations that a table of permissions knows, sorted.
func PermittedCalls(table []providers.Permission) []string {
	found := map[string]bool{}
	for _, p := range table {
		for _, c := range p.Calls {
			found[c] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}
