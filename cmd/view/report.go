package view

import (
	"fmt"
	"strings"
	"time"

	"github.com/edgeward/edgeward/planner"
)

// outcomeOrder is the order in which a report counts the outcomes.
func outcomeOrder() []planner.Outcome {
	return []planner.Outcome{
		planner.OutcomeFinished, planner.OutcomeRolled, planner.OutcomeUnlocked, planner.OutcomeNothing, planner.OutcomeStopped,
		planner.OutcomeWaiting, planner.OutcomeHeld, planner.OutcomeBlocked, planner.OutcomeFailed,
		planner.OutcomeStale, planner.OutcomeSkipped, planner.OutcomeInterrupted,
	}
}

// outcomeWord is an outcome as the last line counts it.
func outcomeWord(o planner.Outcome) string {
	switch o {
	case planner.OutcomeNothing:
		return "had nothing to do"
	case planner.OutcomeStopped:
		return "stopped where asked"
	}
	return string(o)
}

// Commands are the commands that a report may tell the reader to type; each
// is whole, with the flags of the run that is reported.
type Commands struct {
	// GoOn resumes the run.
	GoOn string `json:"go_on"`
	// Retry is the command without its addresses: they are appended as
	// -retry=ADDR.
	Retry string `json:"retry"`
	// Further does what the run was asked to leave; "" when it was asked nothing
	// of the kind.
	Further string `json:"further,omitempty"`
	// Simulated: the world of the run is gone, so that nothing goes on.
	Simulated bool `json:"-"`
}

// Report is the end of a run as people read it: what is left of each bucket
// that is not finished, the counts, and the command to go on.
func Report(r planner.Report, c Commands, s Style) string {
	var b strings.Builder
	s.results(&b, r)
	if b.Len() > 0 {
		b.WriteByte('\n')
	}
	for _, w := range r.Waves {
		head := waveTitle(w.Name) + ": "
		text := Count(w.Buckets, "bucket") + ", " + waveEnd(w)
		if took := w.Ended.Sub(w.Started); !w.Started.IsZero() && took > 0 {
			text += ", took " + Duration(took)
		}
		s.hang(&b, head, len(head), text)
	}
	b.WriteString(s.paint(bold, title(r.Goal)+": "+ReportSummary(r)) + "\n")
	b.WriteString(goOn(r, c))
	return b.String()
}

// ReportSummary counts the outcomes of a run and says how long it took.
func ReportSummary(r planner.Report) string {
	counts := map[planner.Outcome]int{}
	for _, res := range r.Results {
		counts[res.Outcome]++
	}
	var parts []string
	for _, o := range outcomeOrder() {
		if n := counts[o]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, outcomeWord(o)))
		}
	}
	if len(parts) == 0 {
		parts = []string{"no buckets"}
	}
	took := ""
	if d := r.Ended.Sub(r.Started); d > 0 {
		took = " in " + Duration(d)
	}
	return strings.Join(parts, ", ") + took + "."
}

func title(g planner.Goal) string {
	switch g {
	case planner.Rollback:
		return "Rollback"
	case planner.UnlockBucket:
		return "Unlock"
	}
	return "Apply"
}

// settled outcomes need no line of their own, unless they have a cause: as a bucket
// that an apply took back to S3 by itself.
func settled(o planner.Outcome) bool {
	switch o {
	case planner.OutcomeFinished, planner.OutcomeNothing, planner.OutcomeRolled, planner.OutcomeUnlocked, planner.OutcomeStopped:
		return true
	}
	return false
}

// results are the buckets that are not settled: of many, those that ended alike
// together, with all names.
func (s Style) results(b *strings.Builder, r planner.Report) {
	type group struct {
		first planner.Result
		why   likeCell
		who   []string
	}
	at := map[string]*group{}
	var order []*group
	n := 0
	for _, res := range r.Results {
		if settled(res.Outcome) && res.Why == "" {
			continue
		}
		n++
		res = withoutHeldStage(res)
		names := []string{res.Address}
		if _, key, ok := strings.Cut(res.Address, `["`); ok { // mostly the bucket's name
			names = append(names, strings.TrimSuffix(key, `"]`))
		}
		words, key := likeCellWords(res.Why, names)
		key = strings.Join([]string{string(res.Outcome), string(res.Stage), key, strings.ReplaceAll(res.Hint, res.Address, own)}, "\x01")
		if at[key] == nil {
			at[key] = &group{first: res}
			order = append(order, at[key])
		}
		g := at[key]
		g.why.add(words)
		g.who = append(g.who, res.Address)
		if u := res.Until; u != nil && (g.first.Until == nil || u.After(*g.first.Until)) {
			g.first.Until = u
		}
	}
	if n < manyBuckets {
		for _, res := range r.Results {
			s.result(b, res, r.Ended)
		}
		return
	}
	for _, g := range order {
		if len(g.who) == 1 {
			s.result(b, g.first, r.Ended)
			continue
		}
		g.first.Why = g.why.String()
		g.first.Address = fmt.Sprintf("%d buckets", len(g.who))
		s.result(b, g.first, r.Ended)
		s.listed(b, 4, g.who)
	}
}

func (s Style) result(b *strings.Builder, res planner.Result, now time.Time) {
	if settled(res.Outcome) && res.Why == "" {
		return
	}
	if res = withoutHeldStage(res); res.Why == string(res.Outcome) {
		res.Why = ""
	}
	color := yellow
	switch res.Outcome {
	case planner.OutcomeRolled, planner.OutcomeFailed, planner.OutcomeStale, planner.OutcomeBlocked:
		color = red
	}
	text := ""
	if res.Stage != "" && res.Outcome != planner.OutcomeBlocked && !strings.HasPrefix(res.Why, string(res.Stage)) {
		text = "at " + string(res.Stage)
	}
	if res.Why != "" {
		if text != "" {
			text += ": "
		}
		text += res.Why
	}
	if res.Until != nil && !strings.Contains(res.Why, "until ") {
		text += ", until " + day(*res.Until, now)
	}
	head := res.Address + ": " + string(res.Outcome)
	if text != "" {
		head += ", "
	}
	lines := Wrap(head+text, s.width())
	if len(lines) > 1 { // the further ones are indented
		lines = append(lines[:1], Wrap(strings.Join(lines[1:], " "), s.width()-2)...)
	}
	lines[0] = strings.Replace(lines[0], string(res.Outcome), s.paint(color, string(res.Outcome)), 1)
	b.WriteString(lines[0] + "\n")
	for _, l := range lines[1:] {
		b.WriteString("  " + l + "\n")
	}
	if res.Hint != "" {
		s.hang(b, "  hint: ", 8, res.Hint)
	}
}

// day is t with its date when that is not the one of now.
func day(t, now time.Time) string {
	if t.Format(time.DateOnly) == now.Format(time.DateOnly) {
		return t.Format("15:04:05")
	}
	return t.Format("2006-01-02 15:04:05")
}

func goOn(r planner.Report, c Commands) string {
	var held, again []string
	var until *time.Time
	waits, stopped := false, false
	for _, res := range r.Results {
		switch res.Outcome {
		case planner.OutcomeStopped:
			stopped = true
		case planner.OutcomeRolled:
			if r.Goal == planner.Migrate {
				held = append(held, res.Address)
			}
		case planner.OutcomeHeld:
			held = append(held, res.Address)
		case planner.OutcomeWaiting, planner.OutcomeInterrupted, planner.OutcomeFailed,
			planner.OutcomeStale, planner.OutcomeBlocked, planner.OutcomeSkipped:
			again = append(again, res.Address)
		}
		if res.Outcome == planner.OutcomeWaiting {
			waits = true
			if res.Until != nil && (until == nil || res.Until.Before(*until)) {
				until = res.Until
			}
		}
	}
	var b strings.Builder
	if c.Simulated {
		if stopped || again != nil || held != nil {
			return "A sandbox is made anew each run, so none goes on from here; against the real world the next run would.\n"
		}
		return ""
	}
	if len(again) > 0 {
		when := ""
		if waits && until != nil {
			when = ", from " + day(*until, r.Ended)
		}
		fmt.Fprintf(&b, "To go on%s: %s\n", when, c.GoOn)
	}
	if stopped && c.Further != "" {
		fmt.Fprintf(&b, "To go further: %s\n", c.Further)
	}
	if len(held) > 0 {
		command := c.Retry
		var all []string
		for _, res := range r.Results {
			all = append(all, res.Address)
		}
		for _, a := range retryPatterns(held, all) {
			command += " " + Quote("-retry="+a)
		}
		fmt.Fprintf(&b, "To try the held again: %s\n", command)
	}
	return b.String()
}
