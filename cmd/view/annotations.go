package view

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/edgeward/edgeward/planner"
	"github.com/hashicorp/hcl/v2"
)

// annotationsShown is how many annotations of one severity GitHub shows for a
// step of a job; what comes after them is dropped without a word
// [github.com/actions/toolkit, docs/problem-matchers.md, Limitations].
const annotationsShown = 10

// titleShown is how many characters of an annotation's title GitHub keeps
// [REST API, Check runs: annotations[].title, 255], with room for "…".
const titleShown = 250

// Annotation is something to show beside a line of the configuration, in the
// files of a pull request.
type Annotation struct {
	Severity planner.Severity
	// At is where it stands; without a file name it stands at no line.
	At     hcl.Range
	Title  string
	Detail string
}

// places finds the block of a bucket by its address; the instances of a block
// with for_each share one.
type places = map[string]hcl.Range

// PlanAnnotations are the findings of p at the blocks of their buckets. One that
// many instances of a block share is one annotation, which counts them. What is
// about the plan as a whole stands at no line.
func PlanAnnotations(p planner.Plan, at places) []Annotation {
	type key struct {
		severity planner.Severity
		code     string
		at       hcl.Range
	}
	var order []key
	found := map[key][]string{}
	first := map[key]planner.Finding{}
	for _, bp := range p.Buckets {
		for _, f := range bp.Findings {
			k := key{f.Severity, f.Code, at[bp.Address]}
			if found[k] == nil {
				order = append(order, k)
				first[k] = f
			}
			if !slices.Contains(found[k], bp.Address) {
				found[k] = append(found[k], bp.Address)
			}
		}
	}
	var all []Annotation
	for _, f := range p.Findings {
		all = append(all, Annotation{Severity: f.Severity, Title: f.Summary, Detail: f.Detail})
	}
	for _, k := range order {
		all = append(all, shared(k.severity, k.at, found[k], first[k].Summary, first[k].Detail))
	}
	return all
}

// ReportAnnotations are the buckets that did not end as they should, at their
// blocks. Blocked and held ones are left out: the plan's findings say why.
func ReportAnnotations(r planner.Report, at places) []Annotation {
	type key struct {
		outcome planner.Outcome
		stage   planner.Kind
		at      hcl.Range
	}
	var order []key
	found := map[key][]string{}
	first := map[key]planner.Result{}
	for _, res := range r.Results {
		switch res.Outcome {
		case planner.OutcomeFailed, planner.OutcomeStale, planner.OutcomeWaiting, planner.OutcomeSkipped:
		case planner.OutcomeRolled:
			if r.Goal == planner.Rollback {
				continue
			}
		default:
			continue
		}
		k := key{res.Outcome, res.Stage, at[res.Address]}
		if found[k] == nil {
			order = append(order, k)
			first[k] = res
		}
		found[k] = append(found[k], res.Address)
	}
	var all []Annotation
	for _, k := range order {
		res, what := first[k], string(k.outcome)
		if k.stage != "" {
			what += " at " + string(k.stage)
		}
		detail := res.Why
		if res.Until != nil && !strings.Contains(detail, "until ") {
			detail += ", until " + res.Until.UTC().Format("2006-01-02 15:04:05 UTC")
		}
		if res.Hint != "" {
			detail += "\nhint: " + res.Hint
		}
		all = append(all, shared(outcomeSeverity(k.outcome), k.at, found[k], what, detail))
	}
	return all
}

// StatusAnnotations are what was changed by hand, at the blocks of the buckets; what
// instances of a block share is one annotation. With unseen, also why buckets could
// not be looked at.
func StatusAnnotations(r planner.StatusReport, at places, unseen bool) []Annotation {
	type key struct {
		what string
		at   hcl.Range
	}
	var order []key
	found, detail := map[key][]string{}, map[key]string{}
	add := func(address, what, why string) {
		k := key{what, at[address]}
		if found[k] == nil {
			order = append(order, k)
			detail[k] = why
		}
		found[k] = append(found[k], address)
	}
	cannot := r.Unseen()
	for _, b := range r.Buckets {
		for _, d := range b.Drift {
			why := fmt.Sprintf("expected %s, is %s\nto mend: %s", orAbsent(d.Expected), orAbsent(d.Live), d.Mend)
			if len(b.Ask) > 0 {
				why += "\nask: " + strings.Join(b.Ask, ", ")
			}
			add(b.Address, d.Path+" was changed by hand", why)
		}
		if unseen && slices.Contains(cannot, b.Address) {
			for _, f := range worst(b.Findings)[:min(len(b.Findings), 1)] {
				add(b.Address, f.Summary, f.Detail)
			}
		}
	}
	var all []Annotation
	for _, k := range order {
		all = append(all, shared(planner.Error, k.at, found[k], k.what, detail[k]))
	}
	return all
}

func outcomeSeverity(o planner.Outcome) planner.Severity {
	switch o {
	case planner.OutcomeWaiting:
		return planner.Note
	case planner.OutcomeSkipped:
		return planner.Warning
	}
	return planner.Error
}

// namedShown is how many further buckets an annotation names.
const namedShown = 20

// shared is one annotation for all of addresses.
func shared(s planner.Severity, at hcl.Range, addresses []string, what, detail string) Annotation {
	title := addresses[0]
	if rest := addresses[1:]; len(rest) > 0 {
		title += fmt.Sprintf(" and %d more", len(rest))
		named := rest[:min(len(rest), namedShown)]
		detail += "\nAlso: " + strings.Join(named, ", ")
		if more := len(rest) - len(named); more > 0 {
			detail += fmt.Sprintf(" and %d more", more)
		}
	}
	return Annotation{Severity: s, At: at, Title: title + ": " + what, Detail: strings.TrimPrefix(detail, "\n")}
}

// DiagnosticAnnotations are findings about the configuration at their lines.
func DiagnosticAnnotations(diags hcl.Diagnostics) []Annotation {
	var all []Annotation
	for _, d := range diags {
		a := Annotation{Severity: planner.Error, Title: d.Summary, Detail: d.Detail}
		if d.Severity == hcl.DiagWarning {
			a.Severity = planner.Warning
		}
		if d.Subject != nil {
			a.At = *d.Subject
		}
		all = append(all, a)
	}
	return all
}

// ErrorAnnotation is the error that ended a command, with its hints.
func ErrorAnnotation(err error) Annotation {
	detail := err.Error()
	for _, hint := range Hints(err) {
		detail += "\nhint: " + hint
	}
	return Annotation{Severity: planner.Error, Title: "edgeward", Detail: detail}
}

// Annotations are the lines that make GitHub show all, errors first: at most ten
// of a severity, the last of which then counts those that are left out. file
// turns the name of a file into its path in the repository.
func Annotations(all []Annotation, file func(string) string) string {
	var b strings.Builder
	sorted := slices.Clone(all)
	slices.SortStableFunc(sorted, func(x, y Annotation) int {
		return cmp.Compare(severityRank(x.Severity), severityRank(y.Severity))
	})
	for len(sorted) > 0 {
		severity := sorted[0].Severity
		n := 0
		for n < len(sorted) && sorted[n].Severity == severity {
			n++
		}
		shown := n
		if n > annotationsShown {
			shown = annotationsShown - 1
		}
		for _, a := range sorted[:shown] {
			a.line(&b, file)
		}
		if left := n - shown; left > 0 {
			Annotation{Severity: severity, Title: "edgeward", Detail: fmt.Sprintf(
				"%d more of this kind are in the log: GitHub shows %d for each step.", left, annotationsShown)}.line(&b, file)
		}
		sorted = sorted[n:]
	}
	return b.String()
}

func severityRank(s planner.Severity) int {
	return slices.Index([]planner.Severity{planner.Error, planner.Warning, planner.Note}, s)
}

// line writes one workflow command [GitHub Actions, Workflow commands].
func (a Annotation) line(b *strings.Builder, file func(string) string) {
	command := "error"
	switch a.Severity {
	case planner.Warning:
		command = "warning"
	case planner.Note:
		command = "notice"
	}
	b.WriteString("::" + command + " ")
	if a.At.Filename != "" {
		b.WriteString("file=" + property(file(a.At.Filename)) + ",")
		if a.At.Start.Line > 0 {
			fmt.Fprintf(b, "line=%d,col=%d,", a.At.Start.Line, max(a.At.Start.Column, 1))
		}
	}
	title, detail := []rune(a.Title), a.Detail
	if len(title) > titleShown {
		title = append(title[:titleShown:titleShown], '…')
	}
	if detail == "" {
		detail = a.Title
	}
	b.WriteString("title=" + property(string(title)) + "::" + data(detail) + "\n")
}

// data escapes what stands behind the second "::", property what stands before
// it [github.com/actions/runner, ActionCommand.cs].
func data(text string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(text)
}

func property(text string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C").Replace(text)
}

// foldedFrom is how many blocks of buckets a log has that folds them.
const foldedFrom = 4

// Folded is the text of a plan with each bucket's block in a group that GitHub's
// log folds. Blocked buckets stay open, and so do all when there are few.
func Folded(text string, p planner.Plan) string {
	foldable := map[string]bool{}
	for _, bp := range p.Buckets {
		foldable[bp.Address] = bp.Standing != planner.StandBlocked
	}
	blocks := 0
	heads := func(line string) (fold bool) {
		address, _, ok := strings.Cut(line, "   ")
		may, known := foldable[address]
		if ok && known {
			blocks++
		}
		return ok && may
	}
	var b strings.Builder
	open := false
	for line := range strings.Lines(text) {
		if line == "\n" || strings.HasPrefix(line, " ") {
			b.WriteString(line)
			continue
		}
		if open {
			b.WriteString("::endgroup::\n")
		}
		if open = heads(line); open {
			line = "::group::" + data(strings.TrimSuffix(line, "\n")) + "\n"
		}
		b.WriteString(line)
	}
	if open {
		b.WriteString("::endgroup::\n")
	}
	if blocks < foldedFrom {
		return text
	}
	return b.String()
}

// Inert is text in which nothing is a command of a GitHub runner: it takes lines
// that begin with "::", behind any white space, and "##[" anywhere for commands,
// on both streams [github.com/actions/runner, ActionCommand.cs, ScriptHandler.cs].
// What a bucket or a server answers may not speak to the runner. JSON stays the
// same JSON.
func Inert(text string, json bool) string {
	if strings.Contains(text, "##[") {
		with := "# #["
		if json {
			with = `#\u0023[`
		}
		text = strings.ReplaceAll(text, "##[", with)
	}
	if json || !strings.Contains(text, "::") {
		return text
	}
	var b strings.Builder
	for line := range strings.Lines(text) {
		if rest := strings.TrimLeft(line, "\t\v\f\r \u0085\u00a0"); strings.HasPrefix(rest, "::") {
			line = line[:len(line)-len(rest)] + ": :" + rest[2:]
		}
		b.WriteString(line)
	}
	return b.String()
}
