package config

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
)

// route53 is the type as providers/dns will describe it.
var route53 = DNSType{Type: "route53", Settings: []Setting{
	{Name: "aws", Account: true, Doc: "the account of the zones"},
	{Name: "zone_ids", List: true, Doc: "the hosted zones' IDs"},
}}

// secretive is a type with a secret, which no provider has yet.
var secretive = DNSType{Type: "secretive", Settings: []Setting{
	{Name: "token", Required: true, Doc: "the API token."},
}}

// input is a configuration of testdata: the files, and the options that lines
// such as "# -var: a=b" and "# env: A=b" give.
type input struct {
	files map[string]string
	o     Options
}

func readInput(t *testing.T, path string) input {
	t.Helper()
	in := input{files: map[string]string{}}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]string{"edgeward.hcl": path}
	if info.IsDir() {
		clear(names)
		all, err := filepath.Glob(filepath.Join(path, "*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range all {
			names[filepath.Base(f)] = f
		}
	}
	env := map[string]string{}
	for name, file := range names {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		in.files[name] = string(src)
		for line := range strings.Lines(string(src)) {
			line = strings.TrimSpace(line)
			if v, ok := strings.CutPrefix(line, "# -var: "); ok {
				in.o.Vars = append(in.o.Vars, v)
			}
			if v, ok := strings.CutPrefix(line, "# env: "); ok {
				k, v, _ := strings.Cut(v, "=")
				env[k] = v
			}
		}
	}
	in.o.DNSTypes = []DNSType{route53, secretive}
	in.o.Env = environment(env)
	return in
}

func environment(env map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		v, ok := env[name]
		return v, ok
	}
}

// write puts files into a new folder.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, src := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(src), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// text is every diagnostic as a user reads it.
func text(files Files, diags hcl.Diagnostics) string {
	var b bytes.Buffer
	w := hcl.NewDiagnosticTextWriter(&b, files, 100, false)
	_ = w.WriteDiagnostics(diags)
	return b.String()
}

func inputs(t *testing.T, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) == 0 {
		t.Fatalf("%s: %v, %d files", pattern, err, len(paths))
	}
	return paths
}

func TestInvalid(t *testing.T) {
	for _, path := range inputs(t, "testdata/invalid/*") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			in := readInput(t, path)
			dir := write(t, in.files)
			c, files, diags := Load(dir, in.o)
			if c == nil || files == nil {
				t.Fatal("Load returned no Config or no Files")
			}
			if diff := cmp.Diff(wanted(in.files), found(dir, diags)); diff != "" {
				t.Errorf("findings (-want +got):\n%s\n%s", diff, text(files, diags))
			}
			for _, d := range diags {
				if d.Detail == "" || d.Subject == nil || !strings.HasSuffix(strings.TrimSpace(d.Detail), ".") && !strings.HasSuffix(d.Detail, "?") {
					t.Errorf("finding without a full detail: %s; %q", d.Summary, d.Detail)
				}
			}
			if strings.Contains(strings.ToLower(text(files, diags)), "hunter2") {
				t.Errorf("a secret is shown:\n%s", text(files, diags))
			}
		})
	}
}

// wanted are the findings that comments announce, as "FILE:LINE ERROR summary".
func wanted(files map[string]string) []string {
	pattern := regexp.MustCompile(`(ERROR|WARNING): ([^|#]+)`)
	want := []string{}
	for name, src := range files {
		sc := bufio.NewScanner(strings.NewReader(src))
		for n := 1; sc.Scan(); n++ {
			if also, ok := strings.CutPrefix(sc.Text(), "# found: "); ok {
				want = append(want, also)
			}
			_, comment, _ := strings.Cut(sc.Text(), " # ")
			for _, m := range pattern.FindAllStringSubmatch(comment, -1) {
				want = append(want, fmt.Sprintf("%s:%d %s %s", name, n, m[1], strings.TrimSpace(m[2])))
			}
		}
	}
	slices.Sort(want)
	return want
}

func found(dir string, diags hcl.Diagnostics) []string {
	got := []string{}
	for _, d := range diags {
		severity := "ERROR"
		if d.Severity == hcl.DiagWarning {
			severity = "WARNING"
		}
		name := strings.TrimPrefix(strings.TrimPrefix(d.Subject.Filename, dir), string(filepath.Separator))
		got = append(got, fmt.Sprintf("%s:%d %s %s", name, d.Subject.Start.Line, severity, d.Summary))
	}
	slices.Sort(got)
	return got
}
