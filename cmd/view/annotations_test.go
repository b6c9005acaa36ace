package view

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/edgeward/edgeward/planner"
	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
)

func at(line int) hcl.Range {
	return hcl.Range{Filename: "x/edgeward.hcl", Start: hcl.Pos{Line: line, Column: 1}}
}

func TestAnnotationsAreEscaped(t *testing.T) {
	file := func(name string) string { return "a,b:" + name }
	for name, tc := range map[string]struct {
		a    Annotation
		want string
	}{
		"all": {Annotation{planner.Error, at(7), "100%: a, b", "one: 50%\r\ntwo, ::error::x"},
			"::error file=a%2Cb%3Ax/edgeward.hcl,line=7,col=1,title=100%25%3A a%2C b::one: 50%25%0D%0Atwo, ::error::x\n"},
		"no place":  {Annotation{Severity: planner.Warning, Title: "edgeward", Detail: "x"}, "::warning title=edgeward::x\n"},
		"no detail": {Annotation{Severity: planner.Note, Title: "t"}, "::notice title=t::t\n"},
		"whole file": {Annotation{Severity: planner.Error, At: hcl.Range{Filename: "f"}, Title: "t", Detail: "d"},
			"::error file=a%2Cb%3Af,title=t::d\n"},
		"long title": {Annotation{Severity: planner.Error, Title: strings.Repeat("ä", 251), Detail: "d"},
			"::error title=" + strings.Repeat("ä", 250) + "…::d\n"},
	} {
		t.Run(name, func(t *testing.T) {
			if d := cmp.Diff(tc.want, Annotations([]Annotation{tc.a}, file)); d != "" {
				t.Error(d)
			}
		})
	}
}

// GitHub shows ten of a kind and drops the others without a word: errors come
// first, and the tenth line counts what is left out.
func TestAnnotationsAreBounded(t *testing.T) {
	var all []Annotation
	for i := range 12 {
		all = append(all, Annotation{planner.Note, at(i), "n", "n"}, Annotation{planner.Error, at(i), "e", "e"})
	}
	for i := range 10 {
		all = append(all, Annotation{planner.Warning, at(i), "w", "w"})
	}
	got := Annotations(all, func(s string) string { return s })
	lines := strings.Split(strings.TrimSuffix(got, "\n"), "\n")
	var kinds []string
	for _, l := range lines {
		kinds = append(kinds, l[:3])
	}
	want := strings.Repeat("::e ", 10) + strings.Repeat("::w ", 10) + strings.Repeat("::n ", 10)
	if d := cmp.Diff(want, strings.Join(kinds, " ")+" "); d != "" {
		t.Error(d)
	}
	left := "title=edgeward::3 more of this kind are in the log: GitHub shows 10 for each step."
	if n := strings.Count(got, left); n != 2 || !strings.HasSuffix(lines[9], left) {
		t.Errorf("%d lines count what is left out:\n%s", n, got)
	}
}

// The instances of one block are one annotation each finding, and each outcome.
func TestAnnotationsOfInstances(t *testing.T) {
	var p planner.Plan
	var r planner.Report
	where := map[string]hcl.Range{}
	for i := range 25 {
		address := fmt.Sprintf("bucket.site[%q]", fmt.Sprint(i))
		where[address] = at(9)
		p.Buckets = append(p.Buckets, planner.BucketPlan{Address: address, Findings: []planner.Finding{
			{Severity: planner.Warning, Code: "delegation", Summary: "servers differ", Detail: "ask them"},
			{Severity: planner.Warning, Code: "other", Summary: "other", Detail: "x"}}})
		r.Results = append(r.Results, planner.Result{Address: address, Outcome: planner.OutcomeFailed, Stage: planner.LinksVerify, Why: "403"})
	}
	p.Buckets = append(p.Buckets, planner.BucketPlan{Address: "bucket.a", Findings: p.Buckets[0].Findings[:1]})
	r.Results = append(r.Results, planner.Result{Address: "bucket.a", Outcome: planner.OutcomeHeld},
		planner.Result{Address: "bucket.a", Outcome: planner.OutcomeSkipped, Why: "too many", Hint: "do x"})
	where["bucket.a"] = at(3)
	var got []string
	for _, a := range append(PlanAnnotations(p, where), ReportAnnotations(r, where)...) {
		got = append(got, fmt.Sprintf("%s %d %s: %s", a.Severity, a.At.Start.Line, a.Title, a.Detail))
	}
	var also []string
	for i := 1; i <= 20; i++ {
		also = append(also, fmt.Sprintf("bucket.site[%q]", fmt.Sprint(i)))
	}
	rest := "\nAlso: " + strings.Join(also, ", ") + " and 4 more"
	want := []string{
		`warning 9 bucket.site["0"] and 24 more: servers differ: ask them` + rest,
		`warning 9 bucket.site["0"] and 24 more: other: x` + rest,
		"warning 3 bucket.a: servers differ: ask them",
		`error 9 bucket.site["0"] and 24 more: failed at links.verify: 403` + rest,
		"warning 3 bucket.a: not started: too many\nhint: do x",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestErrorAnnotation(t *testing.T) {
	got := Annotations([]Annotation{ErrorAnnotation(fmt.Errorf("plan: %w", errors.New("x\ny")))}, nil)
	if want := "::error title=edgeward::plan: x%0Ay\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// Only what edgeward means as a command is one, whatever a server answers.
func TestInert(t *testing.T) {
	for text, want := range map[string]string{
		"a ::error::b\nc":                     "a ::error::b\nc",
		"::set-output name=x::y\n":            ": :set-output name=x::y\n",
		"why:\n \t\u00a0::stop-commands::z\n": "why:\n \t\u00a0: :stop-commands::z\n",
		"x ##[set-output name=x]y":            "x # #[set-output name=x]y",
		"no command":                          "no command",
	} {
		if got := Inert(text, false); got != want {
			t.Errorf("Inert(%q) = %q, want %q", text, got, want)
		}
	}
	if got := Inert(`{"a": "##[x]", "b": "::error::"}`, true); got != `{"a": "#\u0023[x]", "b": "::error::"}` {
		t.Error("JSON:", got)
	}
}

func TestFolded(t *testing.T) {
	p := samplePlan()
	text := Plan(p, Style{})
	folded := Folded(text, p)
	var plain strings.Builder
	depth, blocked := 0, false
	for line := range strings.Lines(folded) {
		switch {
		case strings.HasPrefix(line, "::group::"):
			depth++
			line = strings.TrimPrefix(line, "::group::")
		case line == "::endgroup::\n":
			depth--
			continue
		case strings.Contains(line, ", blocked\n"):
			blocked = depth == 0
		case strings.HasPrefix(line, "Plan: ") && depth != 0:
			t.Error("the last line is folded")
		}
		if depth < 0 || depth > 1 {
			t.Fatalf("groups do not fit:\n%s", folded)
		}
		plain.WriteString(line)
	}
	if d := cmp.Diff(text, plain.String()); d != "" || !blocked || folded == text {
		t.Errorf("blocked block open: %v; -text +folded without its commands:\n%s", blocked, d)
	}
	p.Buckets = p.Buckets[:1]
	if one := Plan(p, Style{}); Folded(one, p) != one {
		t.Error("a plan of one bucket is folded")
	}
}

// What limits would refuse is about no bucket: it is shown, at no line.
func TestPlanAnnotationsOfTheWhole(t *testing.T) {
	p := planner.Plan{Findings: []planner.Finding{{Severity: planner.Error, Code: "limit-switches", Summary: "apply refuses this plan", Detail: "plan fewer"}}}
	want := []Annotation{{Severity: planner.Error, Title: "apply refuses this plan", Detail: "plan fewer"}}
	if d := cmp.Diff(want, PlanAnnotations(p, nil)); d != "" {
		t.Error(d)
	}
}
