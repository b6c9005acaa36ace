package config

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files of testdata")

// TestValid loads every configuration without a finding and compares the
// result with testdata/golden/NAME.json.
func TestValid(t *testing.T) {
	for _, path := range inputs(t, "testdata/valid/*") {
		name := strings.TrimSuffix(filepath.Base(path), ".hcl")
		t.Run(name, func(t *testing.T) {
			in := readInput(t, path)
			dir := write(t, in.files)
			c, files, diags := Load(dir, in.o)
			if len(diags) > 0 {
				t.Fatal(text(files, diags))
			}
			got := golden(t, c, dir)
			file := filepath.Join("testdata", "golden", name+".json")
			if *update {
				if err := os.WriteFile(file, got, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", file, diff)
			}
		})
	}
}

// golden is a Config as JSON, without ranges and the test's folder.
func golden(t *testing.T, c *Config, dir string) []byte {
	t.Helper()
	for _, b := range c.Buckets {
		if b.Range.Filename == "" {
			t.Errorf("%s has no range", b.Address)
		}
	}
	raw, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	raw = regexp.MustCompile(`,"Range":\{"Filename":[^{}]*\{[^{}]*\}[^{}]*\{[^{}]*\}\}`).ReplaceAll(raw, nil)
	var out bytes.Buffer
	if err := json.Indent(&out, raw, "", "  "); err != nil {
		t.Fatal(err)
	}
	return []byte(strings.ReplaceAll(out.String(), dir, "DIR") + "\n")
}

func TestAddresses(t *testing.T) {
	in := readInput(t, "testdata/valid/full")
	c, _, _ := Load(write(t, in.files), in.o)
	var got []string
	for _, b := range c.Buckets {
		got = append(got, b.Address)
	}
	want := []string{
		"bucket.assets", `bucket.site["a"]`, `bucket.site["b"]`, `bucket["plain.example.com"]["plain.example.com"]`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
