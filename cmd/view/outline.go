package view

import (
	"encoding/json"
	"fmt"
	"regexp"
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
	for _, bp := range p.Buckets {
		all = append(all, outlined{BucketPlan: bp, Result: results[bp.Address], Events: events[bp.Address]})
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
		key := o.likeness()
		if i, ok := at[key]; ok {
			out[i].Alike = append(out[i].Alike, o.Address)
			out[i].others = append(out[i].others, o)
			continue
		}
		at[key] = len(out)
		out = append(out, o)
	}
	for i := range out {
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

// likeness is all that is said of a bucket, with a sign for each of its own
// names. What its steps say of its own distribution and certificate, and of times,
// is no difference, nor are some minutes more or less; the test links differ from
// bucket to bucket and are none; the times of a run are none either.
func (o outlined) likeness() string {
	bp := o.BucketPlan
	bp.Fingerprint = ""
	bp.Expect, bp.Switch, bp.Mixed = roughly(bp.Expect), roughly(bp.Switch), roughly(bp.Mixed)
	bp.Steps = slices.Clone(bp.Steps)
	for i, s := range bp.Steps {
		s.Links, s.Expect = nil, roughly(s.Expect)
		s.Why, s.Undo = ownThings.ReplaceAllString(s.Why, own), ownThings.ReplaceAllString(s.Undo, own)
		s.Changes = slices.Clone(s.Changes)
		for j, c := range s.Changes {
			s.Changes[j].Before, s.Changes[j].After = ownThings.ReplaceAllString(c.Before, own), ownThings.ReplaceAllString(c.After, own)
		}
		bp.Steps[i] = s
	}
	var end *planner.Result
	if o.Result != nil {
		r := *o.Result
		r.Until, r.Traffic = nil, nil
		r.Why = ownThings.ReplaceAllString(r.Why, own)
		end = &r
	}
	text, err := json.Marshal([]any{bp, end})
	if err != nil {
		return o.Address
	}
	key := string(text)
	seen := map[string]bool{}
	names := append([]string{o.Address, o.Bucket}, o.CNAMEs...)
	slices.SortStableFunc(names, func(a, b string) int { return len(b) - len(a) })
	for i, name := range names {
		own, err := json.Marshal(name)
		if err != nil || name == "" || seen[name] {
			continue
		}
		seen[name] = true
		// JSON has no byte 0, so the sign stands for nothing else.
		key = replaceWord(key, string(own[1:len(own)-1]), fmt.Sprintf("\x00%d\x00", i))
	}
	return key
}

// ownThings are what AWS has made for one bucket, and times: the ID and the domain
// of a distribution, a certificate, the record that validates one.
var ownThings = regexp.MustCompile(`\bE[0-9A-Z]{9,}\b|\bd[0-9a-z]{8,}\.cloudfront\.net\b|\barn:aws[a-z-]*:acm:[0-9a-z:/-]+|` +
	`\b_[0-9a-z]{8,}\.|\b[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]+Z`)

// roughly is a time in which some minutes are no difference.
func roughly(s planner.Seconds) planner.Seconds {
	to := planner.Seconds(60)
	if s > 20*60 {
		to = 10 * 60
	}
	return (s + to - 1) / to * to
}

// replaceWord replaces word in text where it is no part of a longer one.
func replaceWord(text, word, by string) string {
	inner := func(s string, i int) bool {
		return i >= 0 && i < len(s) && (s[i] == '-' || s[i] == '_' || s[i] >= '0' && s[i] <= '9' || s[i]|0x20 >= 'a' && s[i]|0x20 <= 'z')
	}
	if word == "" {
		return text
	}
	var b strings.Builder
	from := 0
	for {
		i := strings.Index(text[from:], word)
		if i < 0 {
			b.WriteString(text[from:])
			return b.String()
		}
		i += from
		end := i + len(word)
		b.WriteString(text[from:i])
		if inner(text, i-1) || inner(text, end) {
			b.WriteString(word)
		} else {
			b.WriteString(by)
		}
		from = end
	}
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
	if o.Result != nil && o.Result.Stage != "" {
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
		return "edgeward rollback " + Quote(bp.Address), words
	}
	return "", ""
}
