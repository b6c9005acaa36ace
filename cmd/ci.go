package cmd

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/edgeward/edgeward/cmd/view"
	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/planner"
	"github.com/hashicorp/hcl/v2"
)

// onGitHub says whether this is a step of a GitHub Actions job.
func (a *app) onGitHub() bool {
	v, _ := a.env("GITHUB_ACTIONS")
	return v == "true"
}

// guardLog keeps what a bucket or a server answers from speaking to GitHub's
// runner, which reads both streams for commands.
func (a *app) guardLog() {
	if !a.onGitHub() {
		return
	}
	a.stdout.inert = func(text string) string { return view.Inert(text, a.flags.json) }
	a.stderr.inert = func(text string) string { return view.Inert(text, false) }
}

// annotate has GitHub show findings beside the lines they are about. They go to
// standard error, which the runner reads for commands as it does standard
// output, so that no result is mixed with them; elsewhere nothing is said.
func (a *app) annotate(all ...view.Annotation) {
	if a.onGitHub() {
		_ = a.stderr.commands(view.Annotations(all, a.inRepository)) // the stream remembers its fault
	}
}

// inRepository is the path of a file from the top of the repository, as GitHub
// wants it; a file outside of it keeps its name.
func (a *app) inRepository(name string) string {
	top, _ := a.env("GITHUB_WORKSPACE")
	path, err := filepath.Abs(name)
	if top == "" || err != nil {
		return filepath.ToSlash(name)
	}
	rel, err := filepath.Rel(resolved(top), resolved(path))
	if err != nil || rel == ".." || strings.HasPrefix(rel, ".."+string(filepath.Separator)) {
		return filepath.ToSlash(name)
	}
	return filepath.ToSlash(rel)
}

// resolved is path without symbolic links, as far as that can be known.
func resolved(path string) string {
	if r, err := filepath.EvalSymlinks(path); err == nil {
		return r
	}
	return path
}

// blocks are where the buckets of c stand, by address.
func blocks(c *config.Config) map[string]hcl.Range {
	at := map[string]hcl.Range{}
	for _, b := range c.Buckets {
		at[b.Address] = b.Range
	}
	return at
}

// printFolded writes the text of a plan, in GitHub's log with its blocks folded.
// A file gets the text as it is.
func (a *app) printFolded(text string, p planner.Plan) error {
	if !a.onGitHub() || isFile(a.stdout.w) {
		_, err := a.stdout.Write([]byte(text))
		return err
	}
	return a.stdout.commands(view.Folded(view.Inert(text, false), p))
}

func isFile(stream any) bool {
	f, ok := stream.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode().IsRegular()
}

// stepSummary says whether name is the file that GitHub shows below a job. All
// commands of a step write to it, so it is added to and never replaced.
func stepSummary(name string) bool {
	summary := os.Getenv("GITHUB_STEP_SUMMARY")
	if summary == "" {
		return false
	}
	x, errX := filepath.Abs(name)
	y, errY := filepath.Abs(summary)
	return errX == nil && errY == nil && resolved(x) == resolved(y)
}

// appendFile adds text to the end of a file, behind an empty line where there is
// something already.
func appendFile(name, text string) error {
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("write %s: %w", name, bareError(err))
	}
	if info, err := f.Stat(); err == nil && info.Size() > 0 {
		text = "\n" + text
	}
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}
