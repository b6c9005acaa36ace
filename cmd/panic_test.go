package cmd

import (
	"bytes"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestPanicEndsWithOne: a fault of the program is one line, and no outcome of a plan.
func TestPanicEndsWithOne(t *testing.T) {
	t.Parallel()
	for _, debug := range []string{"", "1"} {
		var out, said bytes.Buffer
		a := newApp(strings.NewReader(""), &out, &said, func(error) {})
		a.env = func(name string) (string, bool) { return debug, name == "EDGEWARD_DEBUG" && debug != "" }
		err := execute(t.Context(), &cobra.Command{Use: "x", Args: cobra.ArbitraryArgs, RunE: func(*cobra.Command, []string) error { panic("a test breaks down") }})
		a.debug(err)
		code := a.code(t.Context(), err)
		if text := said.String(); code != exitRefused || !strings.Contains(text, "internal error: a test breaks down at cmd/panic_test.go:") || !strings.Contains(text, "run it again") || strings.Contains(text, "goroutine") != (debug != "") {
			t.Errorf("%d: %s", code, text)
		}
	}
}
