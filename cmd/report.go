package cmd

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/edgeward/edgeward/cmd/view"
	"github.com/spf13/cobra"
)

func (a *app) reportCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "report [FLAGS] FILE|DIR…", GroupID: groupMove,
		Short: "Join the files of runs into one record",
		Long: `report reads what edgeward apply -json-into=FILE and rollback -json-into=FILE wrote,
and makes one record of it that can be filed: who approved what and how, what was
found before the first change, every change with its time and its value before and
after, what was compared and what servers answered, the traffic, how it ended for
each bucket, what is left to do and how to go back. Shards, and runs that went on
where others ended, are joined: for each bucket the last run counts.

Of a folder it reads all *.json in it and below it that are runs, and names those
that are not. It says which runs are of another configuration than the last one,
and which buckets two runs had at the same time. It asks nobody: the same files
give the same record at any time.

Exit codes:
  0    the record was made
  1    a file is no run, or cannot be read; a folder has none`,
		Example: `  edgeward report run.json
  edgeward report -html-into=record.html runs/
  edgeward report -json -md-into=record.md shard-1.json shard-2.json`,
		Annotations: map[string]string{noFolder: "yes"},
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return refuse("type edgeward report FILE; "+runWritten, "report takes the files of runs, or folders of them, and got none")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error { return a.reportRun(args) },
	}
	a.jsonFlag(c)
	a.flags.into.register(c)
	return c
}

func (a *app) reportRun(args []string) error {
	if err := a.flags.into.check(); err != nil {
		return err
	}
	var runs []view.RecordRun
	for _, name := range args {
		found, err := a.readRuns(name)
		if err != nil {
			return err
		}
		runs = append(runs, found...)
	}
	rec := view.NewRecord(runs)
	err := a.flags.into.write(rec, func() string { return view.RecordMarkdown(rec) }, func() (string, error) { return view.RecordHTML(rec) })
	if err != nil {
		return err
	}
	if a.flags.json {
		return a.printJSON(rec)
	}
	_, err = fmt.Fprint(a.stdout, view.RecordText(rec, a.out))
	return err
}

// runWritten says what a run's file is and how there comes to be one.
const runWritten = "report reads the record of a run, which edgeward apply and edgeward rollback write with -json-into=FILE, such as edgeward apply -json-into=run.json"

// readRuns reads a file, or all of a folder that are runs; what the folder has
// besides is said.
func (a *app) readRuns(name string) ([]view.RecordRun, error) {
	if info, err := os.Stat(name); err == nil && !info.IsDir() {
		r, err := readRun(name)
		if err != nil {
			hint := ""
			if errors.Is(err, view.ErrNoRun) {
				hint = runWritten
			}
			return nil, refuse(hint, "read the run %s: %v", name, err)
		}
		return []view.RecordRun{{File: filepath.ToSlash(name), Run: r}}, nil
	}
	var runs []view.RecordRun
	err := filepath.WalkDir(name, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.EqualFold(filepath.Ext(path), ".json") || a.writes(path) {
			return err
		}
		r, err := readRun(path)
		switch {
		case errors.Is(err, view.ErrNoRun):
			fmt.Fprintf(a.stderr, "left out: %s: %v\n", path, err)
		case err != nil:
			return fmt.Errorf("%s: %w", path, err)
		default:
			runs = append(runs, view.RecordRun{File: filepath.ToSlash(path), Run: r})
		}
		return nil
	})
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, refuse(runWritten, "read the run %s: there is no such file or folder", name)
	case err != nil:
		return nil, refuse("", "read the runs of %s: %v", name, bareError(err))
	case runs == nil:
		return nil, refuse(runWritten, "%s has no run", name)
	}
	return runs, nil
}

// writes says whether path is a file that this command writes itself.
func (a *app) writes(path string) bool {
	for _, f := range a.flags.into.files() {
		if samePath(f[1], path) {
			return true
		}
	}
	return false
}

func readRun(name string) (view.Run, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return view.Run{}, bareError(err)
	}
	return view.ReadRun(text)
}
