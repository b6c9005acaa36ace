package cmd

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/edgeward/edgeward/config"
)

// normalise turns the long flags with one dash, as Terraform's users type
// them, into the two dashes that cobra reads; what is a flag's value or stands
// behind -- stays as it is. dashed is true when a shell asks for the completion
// of a word with one dash: its answers must have one dash as well.
func normalise(root *cobra.Command, args []string) (normal []string, dashed bool) {
	known := allFlags(root)
	completing := len(args) > 0 && (args[0] == cobra.ShellCompRequestCmd || args[0] == cobra.ShellCompNoDescRequestCmd)
	value, rest := false, false
	for i, arg := range args {
		last := completing && i > 0 && i == len(args)-1
		switch {
		case rest || value:
			value = false
		case arg == "--":
			rest = true
		case arg == "-" && last:
			arg, dashed = "--", true
		case isLong(arg):
			if !strings.HasPrefix(arg, "--") {
				arg = "-" + arg
				dashed = dashed || last
			}
			value = takesNext(known, arg)
		}
		normal = append(normal, arg)
	}
	return normal, dashed
}

// isLong says whether arg is a long flag, with one dash or two. Negative
// numbers and -h are not.
func isLong(arg string) bool {
	name := strings.TrimPrefix(strings.TrimPrefix(arg, "-"), "-")
	return len(arg)-len(name) > 0 && len(name) > 1 && (name[0] >= 'a' && name[0] <= 'z' || name[0] >= 'A' && name[0] <= 'Z')
}

// takesNext says whether the argument behind flag, which has two dashes, is
// its value.
func takesNext(known map[string]*pflag.Flag, flag string) bool {
	name, _, inline := strings.Cut(strings.TrimPrefix(flag, "--"), "=")
	f := known[name]
	return f != nil && !inline && f.NoOptDefVal == ""
}

// allFlags are the flags of all commands by name; a name means the same
// everywhere.
func allFlags(root *cobra.Command) map[string]*pflag.Flag {
	known := map[string]*pflag.Flag{}
	add := func(f *pflag.Flag) { known[f.Name] = f }
	root.PersistentFlags().VisitAll(add)
	for _, c := range root.Commands() {
		c.Flags().VisitAll(add)
	}
	return known
}

// unknownCommand is the error for a first word that is no command. cobra would
// complain of the flags behind it first.
func unknownCommand(root *cobra.Command, args []string) error {
	known := allFlags(root)
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if arg == "--" {
			return nil
		}
		if strings.HasPrefix(arg, "-") {
			if takesNext(known, arg) {
				i++
			}
			continue
		}
		if arg == cobra.ShellCompRequestCmd || arg == cobra.ShellCompNoDescRequestCmd {
			return nil
		}
		var names []string
		for _, c := range root.Commands() {
			if c.Name() == arg {
				return nil
			}
			if !c.Hidden {
				names = append(names, c.Name())
			}
		}
		if arg == "help" {
			return nil
		}
		hint := "edgeward -help lists the commands"
		if near := nearest(arg, names); near != "" {
			hint = "did you mean edgeward " + near + "?"
		}
		return refuse(hint, "unknown command %q", arg)
	}
	return nil
}

// flagError is pflag's complaint in our words: flags with one dash, and what
// the user may have meant.
func flagError(c *cobra.Command, err error) error {
	hint := c.CommandPath() + " -help lists its flags"
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) {
		name := unknown.GetSpecifiedName()
		var names []string
		c.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
		if near := nearest(name, names); near != "" {
			hint = "did you mean -" + near + "?"
		}
		return refuse(hint, "unknown flag -%s for %s", name, c.CommandPath())
	}
	var bad *pflag.InvalidValueError
	if errors.As(err, &bad) {
		f := bad.GetFlag()
		return refuse("-"+f.Name+" is "+kindOf(f), "invalid value %q for -%s", bad.GetValue(), f.Name)
	}
	var missing *pflag.ValueRequiredError
	if errors.As(err, &missing) {
		f := missing.GetFlag()
		value, _ := pflag.UnquoteUsage(f)
		return refuse("type -"+f.Name+"="+value, "-%s needs a value", missing.GetSpecifiedName())
	}
	return hinted{err: err, hint: hint}
}

func kindOf(f *pflag.Flag) string {
	switch f.Value.Type() {
	case "bool":
		return "true or false"
	case "int":
		return "a whole number"
	case "float64":
		return "a number such as 20 or 0.5"
	case "duration":
		return "a duration such as 90s, 1h30m or 7d"
	}
	return "a " + f.Value.Type()
}

// nearest is the name that word was likely meant to be, misspelt or begun, or "".
func nearest(word string, names []string) string {
	if near := config.DidYouMean(word, names); near != "" {
		return near
	}
	for _, name := range names {
		if len(word) > 1 && strings.HasPrefix(name, word) {
			return name
		}
	}
	return ""
}

// singleDash writes the answers of a completion with one dash in place of two.
type singleDash struct{ w io.Writer }

func (s *singleDash) Write(p []byte) (int, error) {
	lines := bytes.SplitAfter(p, []byte("\n"))
	for i, line := range lines {
		if bytes.HasPrefix(line, []byte("--")) {
			lines[i] = line[1:]
		}
	}
	if _, err := s.w.Write(bytes.Join(lines, nil)); err != nil {
		return 0, fmt.Errorf("write completion: %w", err)
	}
	return len(p), nil
}
