package view

import (
	"fmt"
	"strings"
	"time"

	"github.com/edgeward/edgeward/planner"
)

// RunKind tells the JSON of a Run from other JSON.
const RunKind = "edgeward run"

// Run is everything about one run of apply or rollback: what was planned, what
// happened when, how it ended. `apply -json-into` writes it.
type Run struct {
	Kind          string `json:"kind"` // RunKind
	FormatVersion string `json:"format_version"`
	// Edgeward is the version of the program that ran.
	Edgeward string `json:"edgeward"`
	// Plan is what was approved and could run; Events are in the order of time.
	Plan   planner.Plan    `json:"plan"`
	Events []planner.Event `json:"events"`
	Report planner.Report  `json:"report"`
	// Commands go on from where the run ended.
	Commands Commands `json:"commands"`
	// Configuration is the digest of that which was run, Shard the part of its buckets,
	// such as "1/4"; "" in files of before, and without shards.
	Configuration string `json:"configuration,omitempty"`
	Shard         string `json:"shard,omitempty"`
	// Sandbox: the world was simulated.
	Sandbox bool `json:"sandbox,omitempty"`
	// Approval is absent in files of before, and when there was nothing to approve.
	Approval *Approval `json:"approval,omitempty"`
}

// Approval is how a plan was approved.
type Approval struct {
	How ApprovedHow `json:"how"`
	// By is who ran edgeward: the name that the CI job gives, else the machine's
	// USER@HOST; "" when neither is known, and in a simulated world.
	By string `json:"by,omitempty"`
	// At is when it was approved.
	At time.Time `json:"at"`
	// Plan is the file of the saved plan.
	Plan string `json:"plan,omitempty"`
}

// ApprovedHow is in which way a plan was approved.
type ApprovedHow string

// The ways.
const (
	ApprovedByYes  ApprovedHow = "yes"           // typed at a terminal
	ApprovedByFlag ApprovedHow = "-auto-approve" // by whoever wrote the command
	ApprovedSaved  ApprovedHow = "saved plan"    // by whoever gave the reviewed plan to apply
)

// words say it; a nil one too.
func (a *Approval) words() string {
	if a == nil {
		return "nothing was to be approved, or the file is of an edgeward that did not write it down"
	}
	text := ""
	switch a.How {
	case ApprovedByYes:
		text = "by a person, who read the plan and typed yes"
	case ApprovedByFlag:
		text = "by -auto-approve"
	case ApprovedSaved:
		text = "as the saved plan " + a.Plan
	default:
		text = string(a.How)
	}
	if a.By != "" {
		text += ", run by " + a.By
	}
	return text + ", at " + moment(a.At) + " UTC"
}

// NewRun is a run that ended with r; edgeward is the version of the program.
func NewRun(edgeward string, p planner.Plan, events []planner.Event, r planner.Report, c Commands) Run {
	if events == nil {
		events = []planner.Event{}
	}
	return Run{Kind: RunKind, FormatVersion: planner.FormatVersion, Edgeward: edgeward, Plan: p, Events: events, Report: r, Commands: c}
}

// command is the run's, "apply" or "rollback".
func (r Run) command() string { return commandOf(r.Report.Goal) }

func commandOf(g planner.Goal) string {
	switch g {
	case planner.Rollback:
		return "rollback"
	case planner.UnlockBucket:
		return "unlock-bucket"
	}
	return "apply"
}

// times says when the run was.
func (r Run) times() string {
	return fmt.Sprintf("From %s to %s; all times are UTC.", moment(r.Report.Started), moment(r.Report.Ended))
}

// moment is a time that is read elsewhere and later, to the second.
func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") }

// goOnLines are what to type after a run, each a sentence's beginning and a
// command, or a whole sentence and none.
func goOnLines(r planner.Report, c Commands) [][2]string {
	var lines [][2]string
	for _, line := range strings.Split(strings.TrimSpace(goOn(r, c)), "\n") {
		if words, command, ok := strings.Cut(line, ": "); ok || c.Simulated && line != "" {
			lines = append(lines, [2]string{words, command})
		}
	}
	return lines
}

// sign of an event in a table.
func happened(e planner.Event) string {
	text := string(e.Status)
	if e.Why != "" {
		text += ", " + e.Why
	}
	if e.Until != nil && !strings.Contains(e.Why, "until ") {
		text += ", until " + moment(*e.Until)
	}
	return text
}

// resultWords are how the run ended for a bucket, and what to do about it.
func resultWords(res planner.Result) (why, hint string) {
	why = res.Why
	if res.Until != nil && !strings.Contains(why, "until ") {
		if why != "" {
			why += ", "
		}
		why += "until " + moment(*res.Until)
	}
	return why, res.Hint
}
