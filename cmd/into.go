package cmd

import (
	"path/filepath"

	"github.com/edgeward/edgeward/cmd/view"
	"github.com/spf13/cobra"
)

// into are the files that a report is written to, besides standard output.
type into struct{ json, md, html string }

// register adds the flags to c.
func (i *into) register(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&i.json, "json-into", "", "write it as JSON to `FILE` too")
	f.StringVar(&i.md, "md-into", "", "write it as Markdown for a comment on a pull request to `FILE` too; $GITHUB_STEP_SUMMARY is added to")
	f.StringVar(&i.html, "html-into", "", "write it as one HTML page to `FILE` too")
}

// files are those that were asked for, by flag.
func (i into) files() [][2]string {
	var files [][2]string
	for _, f := range [][2]string{{"json-into", i.json}, {"md-into", i.md}, {"html-into", i.html}} {
		if f[1] != "" {
			files = append(files, f)
		}
	}
	return files
}

// check says at once what would keep a report from being written in the end;
// others are files that the run writes besides, by flag.
func (i into) check(others ...[2]string) error {
	seen := map[string]string{}
	for _, f := range append(i.files(), others...) {
		flag, name := f[0], f[1]
		if name == "" {
			continue
		}
		if name == "-" {
			return refuse("name a file; -json writes JSON to standard output", "-%s=- is no file", flag)
		}
		path, err := filepath.Abs(name)
		if err != nil {
			return err
		}
		if before := seen[path]; before != "" {
			return refuse("name two files", "-%s and -%s name the same file, %s", before, flag, name)
		}
		seen[path] = flag
	}
	for _, f := range i.files() {
		if err := writable(f[1]); err != nil {
			return err
		}
	}
	return nil
}

// write writes the files that were asked for: value as JSON, and what the two
// functions make of the report. All are tried; the first fault is returned.
func (i into) write(value any, md func() string, html func() (string, error)) error {
	var first error
	put := func(name string, text []byte, err error) {
		if err == nil {
			err = writeFile(name, text, 0o644)
		}
		if first == nil {
			first = err
		}
	}
	if i.json != "" {
		text, err := view.JSON(value)
		put(i.json, text, err)
	}
	if i.md != "" {
		if stepSummary(i.md) {
			if err := appendFile(i.md, md()); first == nil {
				first = err
			}
		} else {
			put(i.md, []byte(md()), nil)
		}
	}
	if i.html != "" {
		text, err := html()
		put(i.html, []byte(text), err)
	}
	return first
}
