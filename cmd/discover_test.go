package cmd

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A file that appeared since the search began is not replaced, and nothing is left
// beside it.
func TestCreateFileReplacesNothing(t *testing.T) {
	t.Parallel()
	for name, create := range map[string]func(string, []byte) error{"by a link": createFile, "in its place": createHere} {
		dir := t.TempDir()
		file := filepath.Join(dir, "found.edgeward.hcl")
		if err := create(file, []byte("first")); err != nil {
			t.Fatal(name, err)
		}
		if err := create(file, []byte("second")); err == nil || !strings.Contains(err.Error(), "exists") {
			t.Errorf("%s: written twice: %v", name, err)
		}
		text, err := os.ReadFile(file)
		left, errDir := os.ReadDir(dir)
		if err != nil || errDir != nil || string(text) != "first" || len(left) != 1 {
			t.Errorf("%s: %q, %v", name, text, left)
		}
	}
}
