package view

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/edgeward/edgeward/planner"
)

// doneShown is how many done buckets a plan lists by a line each; more are
// only counted.
const doneShown = 10

// linksShown is how many test links a plan lists.
const linksShown = 8

// The columns of a bucket's block.
const (
	stepColumn   = 28 // where a step's sentence starts
	changeIndent = 8
	pathWidth    = 20
)

// Plan is a plan as people read it: a block a bucket and the counts as the
// last line. The same plan gives the same text.
func Plan(p planner.Plan, s Style) string {
	var b strings.Builder
	s.legend(&b, p)
	s.quotas(&b, p)
	s.blocks(&b, p)
	if len(p.Findings) > 0 {
		s.findings(&b, p.Findings)
		b.WriteByte('\n')
	}
	b.WriteString(s.paint(bold, Summary(p)) + "\n")
	return b.String()
}

// finished says that a plan has nothing to say of a bucket but that it is done.
func finished(bp planner.BucketPlan) bool {
	return bp.Standing == planner.StandDone && len(bp.Findings) == 0 && len(bp.Steps) == 0
}

// blocks are the buckets in their order, under their waves, each of which is said
// once. Of many buckets those that are alike share a block.
func (s Style) blocks(b *strings.Builder, p planner.Plan) {
	items, done := planned(p)
	listed, next := false, 0
	gap := func() {
		if listed {
			b.WriteByte('\n')
		}
		listed = false
	}
	// heads says the first n waves, as far as they were not said yet.
	busy := slices.ContainsFunc(p.Waves, func(w planner.PlanWave) bool { return w.Buckets > 0 })
	heads := func(n int) {
		for ; busy && next < n; next++ {
			gap()
			head := upper(waveTitle(p.Waves[next].Name)) + ": "
			s.hang(b, s.paint(bold, head), len(head), waveWords(p, next))
			b.WriteByte('\n')
		}
	}
	for _, o := range items {
		isDone := finished(o.BucketPlan)
		if isDone && done > doneShown {
			continue
		}
		heads(1 + waveAt(p, o.Wave))
		if isDone {
			s.doneLine(b, p.Goal, o.BucketPlan)
			listed = true
			continue
		}
		gap()
		s.block(b, p.Goal, o)
		b.WriteByte('\n')
	}
	heads(len(p.Waves))
	gap()
	if done > doneShown {
		fmt.Fprintf(b, "%d buckets are done and not shown.\n\n", done)
	}
}

// waveAt is a wave's place in the plan, -1 where it has none.
func waveAt(p planner.Plan, name string) int {
	return slices.IndexFunc(p.Waves, func(w planner.PlanWave) bool { return w.Name == name })
}

// planned are the buckets of a plan in the order of its waves, of many those that
// are alike together, and how many are done.
func planned(p planner.Plan) (items []outlined, done int) {
	var busy, over []outlined
	said := saidOnce(p)
	for _, bp := range p.Buckets {
		o := outlined{BucketPlan: bp, said: said}
		items = append(items, o)
		if finished(bp) {
			over = append(over, o)
		} else {
			busy = append(busy, o)
		}
	}
	if len(busy) >= manyBuckets {
		items = append(alike(busy), over...)
		slices.SortStableFunc(items, func(a, b outlined) int { return waveAt(p, a.Wave) - waveAt(p, b.Wave) })
	}
	return items, len(over)
}

// Summary is the last line of a plan.
func Summary(p planner.Plan) string {
	n := p.Summary
	line := fmt.Sprintf("Plan: %d to migrate, %d under way, %d done, %d blocked", n.ToMigrate, n.UnderWay, n.Done, n.Blocked)
	if p.Goal == planner.Rollback {
		line = fmt.Sprintf("Plan: %d to roll back, %d with nothing to undo, %d blocked", n.ToMigrate+n.UnderWay, n.Done, n.Blocked)
	}
	if p.Goal == planner.UnlockBucket {
		line = fmt.Sprintf("Plan: %d to unlock, %d not locked, %d blocked", n.ToMigrate+n.UnderWay, n.Done, n.Blocked)
	}
	if n.Held > 0 {
		line += fmt.Sprintf(", %d held", n.Held)
	}
	return line + "."
}

// Undone is how many buckets of p have something left that a run could do or
// wait for; blocked ones count, held ones do not.
func Undone(p planner.Plan) int {
	return p.Summary.ToMigrate + p.Summary.UnderWay + p.Summary.Blocked
}

func (s Style) legend(b *strings.Builder, p planner.Plan) {
	used := map[planner.Action]bool{}
	for _, bp := range p.Buckets {
		for _, step := range bp.Steps {
			used[step.Action] = true
		}
	}
	if len(used) == 0 {
		return
	}
	b.WriteString("What edgeward would do, in this order for each bucket:\n")
	for _, l := range []struct {
		action planner.Action
		word   string
	}{
		{planner.Create, "create"}, {planner.Change, "change"}, {planner.Remove, "remove"},
		{planner.Check, "check"}, {planner.Wait, "wait"},
	} {
		if used[l.action] {
			fmt.Fprintf(b, "  %s %s\n", s.sign(l.action), l.word)
		}
	}
	b.WriteByte('\n')
}

func (s Style) sign(a planner.Action) string {
	switch a {
	case planner.Create:
		return s.paint(green, "+")
	case planner.Change:
		return s.paint(yellow, "~")
	case planner.Remove:
		return s.paint(red, "-")
	case planner.Check:
		return s.paint(cyan, "?")
	case planner.Wait:
		return s.paint(dim, "…")
	}
	return " "
}

func (s Style) doneLine(b *strings.Builder, g planner.Goal, bp planner.BucketPlan) {
	what := "done"
	if g == planner.Rollback {
		what = "nothing to roll back"
	}
	if g == planner.UnlockBucket {
		what = "not locked"
	}
	fmt.Fprintf(b, "%s  %s: %s\n", s.paint(bold, bp.Address), what, strings.Join(bp.CNAMEs, ", "))
}

func (s Style) block(b *strings.Builder, g planner.Goal, o outlined) {
	bp := o.BucketPlan
	head := strings.Join(bp.CNAMEs, ", ")
	if len(bp.CNAMEs) != 1 || bp.CNAMEs[0] != bp.Bucket {
		head = "bucket " + bp.Bucket + ": " + head
	}
	if bp.Region != "" {
		head += " (" + bp.Region + ")"
	}
	if bp.Standing == planner.StandBlocked || bp.Standing == planner.StandHeld {
		head += ", " + s.paint(red, string(bp.Standing))
	}
	if n := len(o.Alike); n > 0 {
		head = fmt.Sprintf("and %d alike: %s", n, head)
	}
	fmt.Fprintf(b, "%s   %s\n\n", s.paint(bold, bp.Address), head)
	for _, step := range bp.Steps {
		s.step(b, step)
	}
	if len(bp.Steps) > 0 && len(bp.Findings) > 0 {
		b.WriteByte('\n')
	}
	s.findings(b, bp.Findings)
	if tail := s.outlook(g, bp); tail != "" {
		b.WriteByte('\n')
		b.WriteString(tail)
	}
	if len(o.Alike) > 0 {
		b.WriteByte('\n')
		s.alike(b, o)
	}
}

// alike names the other buckets of a block, those of one place together, and says
// what differs.
func (s Style) alike(b *strings.Builder, o outlined) {
	first, all := o.places()
	s.hang(b, "  ", 2, sameWords(o)+":")
	if first != "" {
		s.hang(b, "  ", 2, whereWords(o, first)+":")
	}
	for _, at := range all {
		indent := 4
		if first != "" {
			s.hang(b, "    ", 4, fmt.Sprintf("%s (%d):", at.Where, len(at.Names)))
			indent = 6
		}
		s.listed(b, indent, at.Names)
	}
	if lines := o.patterns(); len(lines) > 0 {
		b.WriteString("  The records of each, of which NAME is its own name:\n")
		for _, l := range lines {
			s.hang(b, "    ", 6, l)
		}
	}
	if shared := o.sharedCertificates(); len(shared) > 0 {
		b.WriteString("  " + upper(sharedWords(shared)) + ":\n")
		for _, names := range shared {
			s.hang(b, "    - ", 6, strings.Join(ranges(names), ", "))
		}
	}
}

// sameWords say of how many more buckets the same is said.
func sameWords(o outlined) string {
	return fmt.Sprintf("The same, each with its own names, IDs and links, for %d more", len(o.Alike))
}

// whereWords say in what others differ from the first, which is at the place first.
func whereWords(o outlined, first string) string {
	return fmt.Sprintf("Each name is in its own zone, and where %s has %s they have", o.Address, first)
}

func sharedWords(shared [][]string) string {
	return Count(len(shared), "shared certificate") + ", each with its names"
}

func (s Style) step(b *strings.Builder, step planner.Step) {
	first := "  " + s.sign(step.Action) + " " + pad(string(step.Kind), stepColumn-6) + "  "
	why := step.Why
	if step.Action == planner.Wait && step.Expect > 0 {
		why += "; about " + Duration(step.Expect.Duration())
	}
	s.hang(b, first, stepColumn, why)
	for _, c := range step.Changes {
		s.change(b, step, c)
	}
	for _, row := range step.ByHand {
		// A row is long, so it stands as far to the left as the records do.
		b.WriteString(strings.Repeat(" ", changeIndent) + "by hand\n")
		s.hang(b, strings.Repeat(" ", changeIndent+2), changeIndent+2, row)
	}
	if links := step.Links; len(links) > 0 {
		more := ""
		if len(links) > linksShown {
			more = fmt.Sprintf(", and %d more", len(links)-linksShown)
			links = links[:linksShown]
		}
		s.hang(b, strings.Repeat(" ", changeIndent)+pad("links", pathWidth), changeIndent+pathWidth, strings.Join(links, ", ")+more)
	}
}

// change prints one value: a line when it fits, else before and after on
// lines of their own, so that the two can be compared column by column.
func (s Style) change(b *strings.Builder, step planner.Step, c planner.ValueChange) {
	indent := strings.Repeat(" ", changeIndent)
	values := valueWords(c)
	if c.Before == "" || c.After == "" {
		if utf8.RuneCountInString(c.Path) >= pathWidth {
			b.WriteString(indent + c.Path + "\n")
			s.hang(b, indent+"  ", changeIndent+2, values)
			return
		}
		s.hang(b, indent+pad(c.Path, pathWidth), changeIndent+pathWidth, values)
		return
	}
	line := indent + pad(c.Path, pathWidth-1) + " " + values
	if utf8.RuneCountInString(line) <= s.width() {
		b.WriteString(line + "\n")
		return
	}
	deeper := indent
	if !strings.Contains(step.Why, c.Path) {
		b.WriteString(indent + c.Path + "\n")
		deeper += "  "
	}
	b.WriteString(deeper + c.Before + "\n" + deeper + "→ " + c.After + "\n")
}

func valueWords(c planner.ValueChange) string {
	switch {
	case c.Before == "" && c.After == "":
		return "(none)"
	case c.Before == "":
		return c.After
	case c.After == "":
		return c.Before + " → (removed)"
	}
	return c.Before + " → " + c.After
}

func (s Style) findings(b *strings.Builder, findings []planner.Finding) {
	for _, f := range findings {
		color := dim
		switch f.Severity {
		case planner.Error:
			color = red
		case planner.Warning:
			color = yellow
		}
		word := string(f.Severity) + ": "
		s.hang(b, "  "+s.paint(color, word), 2+len(word), f.Summary)
		if f.Detail != "" {
			s.hang(b, strings.Repeat(" ", 4), 4, f.Detail)
		}
	}
}

// outlook says how long the bucket should take and how to go back.
func (s Style) outlook(g planner.Goal, bp planner.BucketPlan) string {
	var b strings.Builder
	if text := outlookWords(g, bp); text != "" {
		s.hang(&b, "  ", 2, text)
	}
	if command, words := wayBack(g, bp); command != "" {
		b.WriteString("  Way back: " + command + "\n")
		if words != "" {
			s.hang(&b, "            ", 12, words)
		}
	}
	return b.String()
}

// meaning says in one sentence what a plan that switches names does, for who
// reviews it and never saw one; "" for any other.
func meaning(p planner.Plan) string {
	if p.Goal == planner.Rollback || p.Summary.Switches == 0 {
		return ""
	}
	return "Each bucket stays as it is and is put behind a CloudFront distribution. Visitors are sent there by dns.switch and not before, " +
		"and only after links.verify found that CloudFront answers them as S3 does, or as the configuration accepts. " +
		"Each bucket below says when that can be, and which command goes back."
}

// outlookWords say how long the bucket should take, and how long the mixed time
// is; "" when it takes no time.
func outlookWords(g planner.Goal, bp planner.BucketPlan) string {
	if bp.Expect <= 0 {
		return ""
	}
	text := "Takes about " + Duration(bp.Expect.Duration()) + "."
	if slices.ContainsFunc(bp.Steps, func(st planner.Step) bool { return st.ByHand != nil }) {
		text = strings.TrimSuffix(text, ".") + ", and as long as people take for what is done by hand."
	}
	from, to := "S3", "CloudFront"
	if g == planner.Rollback {
		from, to = to, from
	}
	if bp.Switch > 0 && g == planner.Migrate {
		text += fmt.Sprintf(" The switch can be after %s", Duration(bp.Switch.Duration()))
		if !bp.NotBefore.IsZero() {
			text += ", but not before " + bp.NotBefore.Format("2006-01-02 15:04 UTC") + ": limits { freeze }"
		}
		text += "."
	}
	if bp.Mixed > 0 {
		text += fmt.Sprintf(" For %s after the switch some visitors reach %s and some %s", Duration(bp.Mixed.Duration()), from, to)
		if bp.MixedWhy != "" {
			text += ": " + bp.MixedWhy
		}
		text += "."
	}
	return text
}
