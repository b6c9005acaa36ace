package cmd

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const module = "github.com/edgeward/edgeward/"

// mayImport is what each package may import besides the standard library:
// packages of this module by their folder, others by a prefix.
func mayImport() map[string][]string {
	const (
		hcl  = "github.com/hashicorp/hcl/v2"
		aws  = "github.com/aws/"
		rate = "golang.org/x/time/rate"
		sync = "golang.org/x/sync/errgroup"
	)
	return map[string][]string{
		"cmd/edgeward": {"cmd"},
		"cmd": {"cmd/view", "config", "planner", "planner/proof", "providers", "providers/aws", "providers/dns", "providers/probe", "providers/sandbox",
			"github.com/spf13/", hcl, "github.com/rogpeppe/go-internal/diff"},
		"cmd/view":          {"planner", "planner/proof", "providers", "config", hcl, "github.com/zclconf/", "golang.org/x/term", "golang.org/x/text/width"},
		"config":            {hcl, "github.com/zclconf/"},
		"planner":           {"config", "providers", "planner/proof", sync},
		"planner/proof":     {"providers", rate, sync},
		"providers":         {},
		"providers/aws":     {"providers", aws, sync},
		"providers/dns":     {"providers", aws, "github.com/libdns/", "github.com/miekg/dns", "golang.org/x/oauth2", sync},
		"providers/probe":   {"providers", "github.com/miekg/dns", sync},
		"providers/sandbox": {"providers"},
		// Only tests import it.
		"providers/providertest":         {"providers", "github.com/google/go-cmp/"},
		"providers/providertest/motolab": {},
		"providers/providertest/dnslab":  {},
	}
}

func TestImports(t *testing.T) {
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", module+"...").Output()
	if err != nil {
		t.Fatal(err)
	}
	allowed := mayImport()
	for dec := json.NewDecoder(strings.NewReader(string(out))); dec.More(); {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := dec.Decode(&p); err != nil {
			t.Fatal(err)
		}
		name := strings.TrimPrefix(p.ImportPath, module)
		may, known := allowed[name]
		if !known {
			t.Errorf("package %s is not in the house; give it a row in mayImport", name)
		}
		for _, i := range p.Imports {
			if !importOK(may, i) {
				t.Errorf("%s may not import %s", name, i)
			}
		}
	}
}

func importOK(may []string, path string) bool {
	if first, _, _ := strings.Cut(path, "/"); !strings.Contains(first, ".") {
		return true // the standard library
	}
	if own, ok := strings.CutPrefix(path, module); ok {
		return slices.Contains(may, own)
	}
	return slices.ContainsFunc(may, func(prefix string) bool { return strings.HasPrefix(path, prefix) })
}

// reserved are the names that stand in few places, by prefixes of the paths of
// those. Test files may use them all.
func reserved() map[string][]string {
	timed := []string{"providers/clock.go", "providers/probe/", "providers/sandbox/clock.go"}
	printed := []string{"cmd/"}
	m := map[string][]string{
		"context.Background": {"cmd/main.go"},
		"context.TODO":       {},
		"os.Exit":            {"cmd/edgeward/main.go"},
		"os.Stdout":          printed, "os.Stderr": printed,
		"fmt.Print": printed, "fmt.Printf": printed, "fmt.Println": printed,
		"context.WithTimeout": timed, "context.WithDeadline": timed,
	}
	for _, name := range []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "NewTimer", "NewTicker", "Tick"} {
		m["time."+name] = timed
	}
	return m
}

func TestHouse(t *testing.T) {
	root := ".."
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".go" {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		for _, fault := range faults(t, path, filepath.ToSlash(name)) {
			t.Error(fault)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// faults are the breaches of the house's rules in one file.
func faults(t *testing.T, path, name string) []string {
	t.Helper()
	set := token.NewFileSet()
	f, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	add := func(n ast.Node, form string, args ...any) {
		found = append(found, fmt.Sprintf("%s:%d: ", name, set.Position(n.Pos()).Line)+fmt.Sprintf(form, args...))
	}
	if lines := set.File(f.Pos()).LineCount(); lines >= 800 {
		add(f, "the file has %d lines, 800 is too long", lines)
	}
	test := strings.HasSuffix(name, "_test.go") || strings.HasPrefix(name, "providers/providertest/")
	if test {
		return found
	}
	rules := reserved()
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			if n.Name.Name == "init" && n.Recv == nil {
				add(n, "func init")
			}
			if lines := set.Position(n.End()).Line - set.Position(n.Pos()).Line + 1; lines > 60 {
				add(n, "func %s has %d lines, more than 60", n.Name.Name, lines)
			}
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok {
				places, ruled := rules[x.Name+"."+n.Sel.Name]
				if ruled && !slices.ContainsFunc(places, func(p string) bool { return strings.HasPrefix(name, p) }) {
					add(n, "%s.%s may not stand here", x.Name, n.Sel.Name)
				}
			}
		}
		return true
	})
	return found
}

// README's table of findings has the code of every finding that the planner
// makes, and no other. Codes are literals: the second value of a Finding, or
// the first argument of a local function that makes one.
func TestFindingCodesInREADME(t *testing.T) {
	files, err := filepath.Glob("../planner/*.go")
	if err != nil || len(files) == 0 {
		t.Fatal("no planner", err)
	}
	made := regexp.MustCompile(`(?:\{(?:Error|Warning|Note|lostUse\(b\)), |\b(?:bad|warn|note)\(|\bconst code\w+ = )"([a-z]+(?:-[a-z]+)*)"`)
	want := map[string]bool{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		src, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range made.FindAllStringSubmatch(string(src), -1) {
			want[m[1]] = true
		}
	}
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(readme), "\n| code |")
	table, _, _ = strings.Cut(table, "\n\n")
	got := map[string]bool{}
	for _, row := range strings.Split(table, "\n") {
		if cells := strings.Split(row, "|"); len(cells) > 1 {
			for _, m := range regexp.MustCompile("`([a-z-]+)`").FindAllStringSubmatch(cells[1], -1) {
				got[m[1]] = true
			}
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("codes of findings in the planner (-) and in README.md (+):\n%s", d)
	}
}
