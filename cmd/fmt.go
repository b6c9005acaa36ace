package cmd

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/edgeward/edgeward/config"
	"github.com/hashicorp/hcl/v2"
	"github.com/rogpeppe/go-internal/diff"
	"github.com/spf13/cobra"
)

// The exit codes of fmt are terraform fmt's.
const (
	exitUnreadable  = 2
	exitUnformatted = 3
)

func (a *app) fmtCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "fmt [FLAGS] [FILE|FOLDER…]", GroupID: groupConfig,
		Short: "Format the configuration; no network",
		Long: `fmt puts configuration files into the canonical layout and prints the names of
those that it changed. It takes files, folders, and - for standard input;
without one, the folder of the configuration.

Exit codes, which are terraform fmt's:
  0  every file is formatted now; with -check: was
  1  nothing was attempted: wrong flags, no such file
  2  a file could not be read, parsed or written; the others were formatted
  3  only with -check: a file is not formatted`,
		Example: `  edgeward fmt
  edgeward fmt -check -diff
  edgeward fmt - < edgeward.hcl`,
		Args: cobra.ArbitraryArgs,
		RunE: func(_ *cobra.Command, args []string) error { return a.fmtRun(args) },
	}
	c.Flags().BoolVar(&a.flags.check, "check", false, "write nothing; exit with 3 when a file is not formatted")
	c.Flags().BoolVar(&a.flags.diff, "diff", false, "print what changes")
	c.Flags().BoolVar(&a.flags.write, "write", true, "write the files; -write=false prints names only")
	return c
}

func (a *app) fmtRun(args []string) error {
	names, err := a.filesToFormat(args)
	if err != nil {
		return err
	}
	failed, changed := false, false
	for _, name := range names {
		c, err := a.formatFile(name)
		if errors.As(err, new(exitError)) {
			failed = true
		} else if err != nil {
			failed = true
			fmt.Fprintln(a.stderr, "error:", err)
		}
		changed = changed || c
	}
	switch {
	case failed:
		return exit(exitUnreadable)
	case changed && a.flags.check:
		return exit(exitUnformatted)
	}
	return nil
}

// filesToFormat are the files that args name, folders opened; - is kept.
func (a *app) filesToFormat(args []string) ([]string, error) {
	if len(args) == 0 {
		args = []string{"."}
	}
	var names []string
	for _, arg := range args {
		if arg == "-" {
			names = append(names, arg)
			continue
		}
		path := arg
		if !filepath.IsAbs(path) && a.flags.chdir != "" {
			path = filepath.Join(a.flags.chdir, path)
		}
		info, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, refuse("fmt takes files and folders", "%s does not exist", path)
		} else if err != nil {
			return nil, fmt.Errorf("look for files: %w", err)
		}
		if !info.IsDir() {
			if filepath.Ext(path) != ".hcl" {
				return nil, refuse("the names of configuration files end in .hcl", "%s is no configuration file", path)
			}
			names = append(names, path)
			continue
		}
		found, err := config.FileNames(path)
		if err != nil {
			return nil, err
		}
		names = append(names, found...)
	}
	return names, nil
}

// formatFile formats one file and says whether that changes it.
func (a *app) formatFile(name string) (changed bool, err error) {
	var src []byte
	if name == "-" {
		src, err = io.ReadAll(a.stdin)
	} else {
		src, err = os.ReadFile(name)
	}
	if err != nil {
		return false, fmt.Errorf("read configuration: %w", err)
	}
	if err := a.diagnostics(map[string]*hcl.File{name: {Bytes: src}}, config.Parse(name, src)); err != nil {
		return false, err
	}
	out := config.Format(src)
	changed = !bytes.Equal(src, out)
	if changed && name != "-" {
		if _, err := fmt.Fprintln(a.stdout, name); err != nil {
			return changed, err
		}
	}
	if changed && a.flags.diff {
		text := string(diff.Diff("old/"+filepath.ToSlash(name), src, "new/"+filepath.ToSlash(name), out))
		_, text, _ = strings.Cut(text, "\n") // the line "diff OLD NEW"
		if _, err := io.WriteString(a.stdout, text); err != nil {
			return changed, err
		}
	}
	switch {
	case a.flags.check:
		return changed, nil
	case name == "-":
		if !a.flags.diff {
			_, err = a.stdout.Write(out)
		}
		return changed, err
	case changed && a.flags.write:
		return changed, overwrite(name, out)
	}
	return changed, nil
}

// overwrite replaces the contents of a file. It is written beside it first, so
// that a full disk loses nothing, and keeps its permissions.
func overwrite(name string, text []byte) error {
	target, err := filepath.EvalSymlinks(name)
	if err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	info, err := os.Stat(target)
	if err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	if info.Mode().Perm()&0o200 == 0 {
		return fmt.Errorf("write configuration: %s is read-only", name)
	}
	return writeFile(target, text, info.Mode().Perm())
}
