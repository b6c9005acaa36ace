package view

import (
	"slices"
	"strings"

	"github.com/edgeward/edgeward/planner"
)

// outlined is a bucket of a plan or of a run, as Markdown and HTML show it.
type outlined struct {
	planner.BucketPlan
	// Result and Events are its part of a run; Result is nil when it was only
	// planned.
	Result *planner.Result
	Events []planner.Event
	// Alike are the addresses of other buckets, of which the same would be said,
	// each with its own names; others are those buckets.
	Alike  []string
	others []outlined
	// shares is what CloudFront serves of all of them, in a few words.
	shares string
	// said are the validation records of the whole plan where it has many buckets, at
	// where this one is, masked its steps without its own names and place, and first
	// its steps where it speaks for others.
	said   validated
	at     place
	masked []planner.Step
	first  []planner.Step
}

// outline is every bucket of a plan, and of what happened to it when run is not
// nil: first what a reader has to act on, else in the plan's order.
func outline(p planner.Plan, run *Run) []outlined {
	results := map[string]*planner.Result{}
	events := map[string][]planner.Event{}
	if run != nil {
		for i, r := range run.Report.Results {
			results[r.Address] = &run.Report.Results[i]
		}
		for _, e := range run.Events {
			events[e.Address] = append(events[e.Address], e)
		}
	}
	var all []outlined
	said := saidOnce(p)
	for _, bp := range p.Buckets {
		all = append(all, outlined{BucketPlan: bp, Result: results[bp.Address], Events: events[bp.Address], said: said})
	}
	slices.SortStableFunc(all, func(a, b outlined) int { return a.rank() - b.rank() })
	return all
}

// rank is small for what a reader has to act on.
func (o outlined) rank() int {
	if o.Result != nil {
		order := []planner.Outcome{
			planner.OutcomeFailed, planner.OutcomeStale, planner.OutcomeBlocked, planner.OutcomeInterrupted, planner.OutcomeWaiting,
			planner.OutcomeSkipped, planner.OutcomeHeld, planner.OutcomeStopped, planner.OutcomeRolled, planner.OutcomeFinished,
		}
		if i := slices.Index(order, o.Result.Outcome); i >= 0 {
			return i
		}
		return len(order)
	}
	warns := slices.ContainsFunc(o.Findings, func(f planner.Finding) bool { return f.Severity == planner.Warning })
	switch {
	case o.Standing == planner.StandBlocked:
		return 0
	case o.Standing == planner.StandHeld:
		return 1
	case warns:
		return 2
	case o.Standing != planner.StandDone:
		return 3
	}
	return 4
}

// word is where the bucket stands, or how the run ended for it.
func (o outlined) word() string {
	if o.Result != nil {
		return outcomeWord(o.Result.Outcome)
	}
	return string(o.Standing)
}

// alike joins the buckets of which the same would be said but for their own
// names. The first of them speaks for all.
func alike(all []outlined) []outlined {
	at := map[string]int{}
	var out []outlined
	for _, o := range all {
		var key string
		key, o.at, o.masked = o.likeness()
		if i, ok := at[key]; ok {
			out[i].Alike = append(out[i].Alike, o.Address)
			out[i].others = append(out[i].others, o)
			continue
		}
		at[key] = len(out)
		out = append(out, o)
	}
	for i := range out {
		out[i].first = out[i].Steps
		out[i].speaks()
		out[i].joinResults()
	}
	return out
}

// joinResults has the first of buckets that are alike end in the words that fit
// all of them: what differs is left open, and the last time until which one waits.
func (o *outlined) joinResults() {
	if o.Result == nil || len(o.others) == 0 {
		return
	}
	end := *o.Result
	end.Traffic = nil
	var why likeCell
	for _, x := range append([]outlined{*o}, o.others...) {
		words, _ := likeCellWords(x.Result.Why, append([]string{x.Address, x.Bucket}, x.CNAMEs...))
		why.add(words)
		if u := x.Result.Until; u != nil && (end.Until == nil || u.After(*end.Until)) {
			end.Until = u
		}
	}
	end.Why = why.String()
	o.shares = shareWords(o.traffics())
	o.Result = &end
}

// traffics are what was measured of each of the buckets that are alike.
func (o outlined) traffics() (all []*planner.Traffic) {
	for _, x := range append([]outlined{o}, o.others...) {
		all = append(all, x.Result.Traffic)
	}
	return all
}

// doing is what would happen to a bucket, in a few words.
func doing(bp planner.BucketPlan) string {
	var words []string
	for _, s := range bp.Steps {
		switch {
		case s.Kind == planner.CertificateRequest:
			words = append(words, "certificate")
		case s.Kind == planner.PolicyEnsure:
			words = append(words, "cache policy")
		case s.Kind == planner.DistributionCreate && s.Action == planner.Create:
			words = append(words, "distribution")
		case s.Kind == planner.DistributionCreate:
			words = append(words, "settings of the distribution")
		case s.Kind == planner.DNSSwitch:
			words = append(words, "DNS switched to CloudFront")
		case s.Kind == planner.DNSRestore:
			words = append(words, "DNS back to S3")
		case s.Kind == planner.BucketLock:
			words = append(words, "bucket locked")
		case s.Kind == planner.BucketUnlock:
			words = append(words, "bucket unlocked")
		}
	}
	switch {
	case words == nil && len(bp.Steps) == 0:
		return "nothing"
	case words == nil:
		return string(bp.Steps[0].Kind)
	}
	return strings.Join(words, ", ")
}

// findingCounts is "1 error, 2 notes", "" for none.
func findingCounts(findings []planner.Finding) string {
	var words []string
	for _, s := range []planner.Severity{planner.Error, planner.Warning, planner.Note} {
		n := 0
		for _, f := range findings {
			if f.Severity == s {
				n++
			}
		}
		if n > 0 {
			words = append(words, Count(n, string(s)))
		}
	}
	return strings.Join(words, ", ")
}

// worst sorts findings by severity, errors first.
func worst(findings []planner.Finding) []planner.Finding {
	sorted := slices.Clone(findings)
	weight := map[planner.Severity]int{planner.Error: -2, planner.Warning: -1}
	slices.SortStableFunc(sorted, func(a, b planner.Finding) int { return weight[a.Severity] - weight[b.Severity] })
	return sorted
}

// headline is what is said of a bucket in one line.
func (o outlined) headline() string {
	text := o.word()
	if n := len(o.Steps); n > 0 && o.Result == nil {
		text += ", " + Count(n, "step")
		if o.Expect > 0 {
			text += ", takes about " + Duration(o.Expect.Duration())
		}
	}
	if o.Result != nil && withoutHeldStage(*o.Result).Stage != "" {
		text += " at " + string(o.Result.Stage)
	}
	if f := findingCounts(o.Findings); f != "" {
		text += ", " + f
	}
	return text
}

// actionSign is an action as the plan on the screen shows it.
func actionSign(a planner.Action) string {
	switch a {
	case planner.Create:
		return "+"
	case planner.Change:
		return "~"
	case planner.Remove:
		return "-"
	case planner.Check:
		return "?"
	}
	return "…"
}

// stepWords is a step's reason, and how long it should take.
func stepWords(s planner.Step) string {
	text := s.Why
	if s.Expect > 0 {
		text += "; about " + Duration(s.Expect.Duration())
	}
	return text
}

// wayBack is the command that goes back from a switch of this plan, and what it
// does where that needs words; "" when nothing is switched.
func wayBack(g planner.Goal, bp planner.BucketPlan) (command, words string) {
	if g == planner.Rollback {
		return "", ""
	}
	for _, step := range bp.Steps {
		if step.Kind != planner.DNSSwitch {
			continue
		}
		if !strings.Contains(step.Undo, "edgeward rollback") {
			words = step.Undo
		}
		if flag := "-accept-https-loss"; strings.Contains(step.Undo, flag) {
			return "edgeward rollback " + flag + " " + Quote(bp.Address), "only with " + flag + ": visitors who were sent to https go on asking by it, and S3 cannot answer them"
		}
		return "edgeward rollback " + Quote(bp.Address), words
	}
	return "", ""
}
