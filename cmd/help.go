package cmd

import (
	"fmt"
	"strings"

	"github.com/edgeward/edgeward/cmd/view"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// flagUsages are the flags of c as the help lists them, with one dash.
func flagUsages(c *cobra.Command) string {
	type row struct{ flag, usage string }
	var rows []row
	width := 0
	add := func(f *pflag.Flag) {
		if f.Hidden || f.Name == "chdir" && c.Annotations[noFolder] != "" {
			return
		}
		value, usage := pflag.UnquoteUsage(f)
		name := "-" + f.Name
		if f.Value.Type() != "bool" {
			name += "=" + value
		}
		if f.Name == "help" {
			usage = "say this"
		}
		if shown := defaultOf(f); shown != "" {
			usage += " (default " + shown + ")"
		}
		width = max(width, len(name))
		rows = append(rows, row{name, usage})
	}
	c.Flags().VisitAll(add)
	c.InheritedFlags().VisitAll(func(f *pflag.Flag) {
		if c.LocalFlags().Lookup(f.Name) == nil && !listed(c, f.Name) {
			add(f)
		}
	})
	var b strings.Builder
	for _, r := range rows {
		for i, line := range view.Wrap(r.usage, view.DefaultWidth-width-4) {
			if i > 0 {
				r.flag = ""
			}
			fmt.Fprintf(&b, "  %-*s  %s\n", width, r.flag, line)
		}
	}
	return b.String()
}

// listed says whether c's own set has the flag; once parsed, cobra puts the
// inherited ones there too.
func listed(c *cobra.Command, name string) bool { return c.Flags().Lookup(name) != nil }

func defaultOf(f *pflag.Flag) string {
	switch f.DefValue {
	case "", "0", "false", "[]":
		return ""
	case "0s":
		if f.NoOptDefVal != "" { // the usage says what it is without a value
			return ""
		}
	}
	if strings.HasSuffix(f.DefValue, "0m0s") {
		return strings.TrimSuffix(f.DefValue, "0m0s")
	}
	return f.DefValue
}
