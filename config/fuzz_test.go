package config

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// seeds adds every configuration of testdata and the examples.
func seeds(f *testing.F) {
	for _, pattern := range []string{"testdata/*/*.hcl", "testdata/*/*/*.hcl", "../examples/*/*.hcl"} {
		paths, err := filepath.Glob(pattern)
		if err != nil || len(paths) == 0 {
			f.Fatal(pattern, err)
		}
		for _, p := range paths {
			src, err := os.ReadFile(p)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(src)
		}
	}
}

// FuzzLoad: no input makes Load panic; every finding has a place, a summary
// and a detail, and can be printed.
func FuzzLoad(f *testing.F) {
	seeds(f)
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, src []byte) {
		path := filepath.Join(dir, MainFile)
		if err := os.WriteFile(path, src, 0o600); err != nil {
			t.Fatal(err)
		}
		c, files, diags := Load(dir, Options{
			DNSTypes: []DNSType{route53, secretive},
			Vars:     []string{"x=" + string(src[:min(len(src), 100)])},
			Env:      environment(map[string]string{"TOKEN": "hunter2"}),
		})
		if c == nil || files == nil {
			t.Fatal("no Config or no Files")
		}
		for _, d := range diags {
			if d.Subject == nil || d.Summary == "" || d.Detail == "" {
				t.Errorf("incomplete finding: %+v", d)
			}
		}
		_ = text(files, diags)
		if diags.HasErrors() {
			return
		}
		for _, b := range c.Buckets {
			if b.Name == "" || len(b.CNAMEs) == 0 || b.CNAMEs[0].Zone == "" || b.Address == "" {
				t.Errorf("incomplete bucket without an error: %+v", b)
			}
		}
	})
}

// FuzzFormat: formatting twice is formatting once, and the result means the
// same tokens.
func FuzzFormat(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, src []byte) {
		once := Format(src)
		if twice := Format(once); !bytes.Equal(once, twice) {
			t.Errorf("formatted once:\n%q\ntwice:\n%q", once, twice)
		}
		if !Parse(MainFile, src).HasErrors() && Parse(MainFile, once).HasErrors() {
			t.Errorf("formatting broke %q: %q", src, once)
		}
	})
}
