package cmd

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/edgeward/edgeward/planner"
)

// TestExitCodeOrder: of all codes that hold for a run, the first of 130, 5, 4, 3,
// 6 and 0 is its exit code, whatever the buckets' order. Going back is what a
// rollback is for, and a failure of an apply.
func TestExitCodeOrder(t *testing.T) {
	outcomes := []planner.Outcome{
		planner.OutcomeFinished, planner.OutcomeNothing, planner.OutcomeStopped, planner.OutcomeWaiting, planner.OutcomeHeld, planner.OutcomeBlocked,
		planner.OutcomeFailed, planner.OutcomeStale, planner.OutcomeSkipped, planner.OutcomeRolled, planner.OutcomeInterrupted,
	}
	for set := range 1 << (len(outcomes) + 2) {
		switched := set&1 == 1
		r := planner.Report{Goal: planner.Migrate}
		if set>>(len(outcomes)+1) == 1 {
			r.Goal = planner.Rollback
		}
		has := func(os ...planner.Outcome) bool {
			return slices.ContainsFunc(os, func(o planner.Outcome) bool { return set>>(1+slices.Index(outcomes, o))&1 == 1 })
		}
		for i, o := range outcomes {
			if has(o) {
				r.Results = append(r.Results, planner.Result{Address: string(o), Outcome: o, Switched: switched && i == 3})
			}
		}
		progress := switched && has(planner.OutcomeWaiting) || has(planner.OutcomeFinished) || r.Goal == planner.Rollback && has(planner.OutcomeRolled)
		bad := has(planner.OutcomeFailed, planner.OutcomeBlocked) || r.Goal == planner.Migrate && has(planner.OutcomeRolled)
		want := 0
		for _, row := range []struct { // from the last to the first
			code  int
			holds bool
		}{
			{6, has(planner.OutcomeWaiting, planner.OutcomeSkipped)},
			{3, has(planner.OutcomeStale)},
			{4, bad && !progress},
			{5, bad && progress},
			{130, has(planner.OutcomeInterrupted)},
		} {
			if row.holds {
				want = row.code
			}
		}
		if got := r.ExitCode(); got != want {
			t.Fatalf("exit code %d, want %d for %+v", got, want, r.Results)
		}
		slices.Reverse(r.Results)
		if got := r.ExitCode(); got != want {
			t.Fatalf("exit code %d, want %d for %+v", got, want, r.Results)
		}
	}
}

// TestInRepository: GitHub wants paths from the top of the repository, whichever
// folder the step runs in.
func TestInRepository(t *testing.T) {
	top := t.TempDir()
	if err := os.MkdirAll(filepath.Join(top, "infra", "dns"), 0o700); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(top, link); err != nil {
		t.Skip("no symbolic links:", err)
	}
	t.Chdir(filepath.Join(top, "infra"))
	outside := filepath.Join(t.TempDir(), "x.hcl")
	for name, tc := range map[string]struct{ workspace, file, want string }{
		"below the folder":     {top, "dns/edgeward.hcl", "infra/dns/edgeward.hcl"},
		"with a dot":           {top, "./edgeward.hcl", "infra/edgeward.hcl"},
		"above the folder":     {top, "../edgeward.hcl", "edgeward.hcl"},
		"by another way":       {link, "dns", "infra/dns"},
		"outside":              {top, outside, filepath.ToSlash(outside)},
		"beside, a like name":  {filepath.Join(top, "inf"), "edgeward.hcl", "edgeward.hcl"},
		"no workspace is told": {"", "edgeward.hcl", "edgeward.hcl"},
	} {
		t.Run(name, func(t *testing.T) {
			a := &app{env: func(n string) (string, bool) { return tc.workspace, n == "GITHUB_WORKSPACE" }}
			if got := a.inRepository(tc.file); got != tc.want {
				t.Errorf("%s, want %s", got, tc.want)
			}
		})
	}
}

// TestStepSummary: only the file that GitHub names is added to.
func TestStepSummary(t *testing.T) {
	t.Chdir(t.TempDir())
	summary := filepath.Join(t.TempDir(), "summary")
	t.Setenv("GITHUB_STEP_SUMMARY", summary)
	i := into{md: summary}
	for _, text := range []string{"one\n", "two\n"} {
		if err := i.write(nil, func() string { return text }, nil); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(summary); err != nil || string(got) != "one\n\ntwo\n" {
		t.Errorf("%q, %v", got, err)
	}
	t.Setenv("GITHUB_STEP_SUMMARY", "")
	if err := i.write(nil, func() string { return "three\n" }, nil); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(summary); err != nil || string(got) != "three\n" {
		t.Errorf("%q, %v", got, err)
	}
	t.Setenv("GITHUB_STEP_SUMMARY", filepath.Join("nowhere", "summary"))
	if err := (into{md: "nowhere/summary"}).write(nil, func() string { return "" }, nil); err == nil || !strings.HasPrefix(err.Error(), "write nowhere/summary: no such file") {
		t.Error(err)
	}
}
