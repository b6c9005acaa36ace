package view

import (
	"fmt"
	"strings"

	"github.com/edgeward/edgeward/planner"
)

// How the characters of a Markdown page are shared: the summary table may fill
// tableShare, and nameShare is kept for the names of what was left out.
const (
	tableShare = MarkdownLimit / 2
	nameShare  = 3_000
)

// PlanMarkdown is a plan for a comment on a pull request: the counts and a table
// first, each bucket folded, at most MarkdownLimit characters. Buckets that are
// alike are said once; what is cut is counted and named, and what blocks stays
// longest.
func PlanMarkdown(p planner.Plan) string {
	page := newMarkdownPage("plan")
	page.end("## edgeward plan: " + planCounts(p) + "\n")
	if p.Goal == planner.Rollback {
		page.end("\nThe way back to S3.\n")
	}
	if text := meaning(p); text != "" {
		page.end("\n" + markdownText(text) + "\n")
	}
	for _, f := range worst(p.Findings) {
		page.add("\n**"+markdownText(short(string(f.Severity)))+"**: "+markdownText(short(f.Summary))+". "+markdownText(upper(short(f.Detail)))+".\n", "")
	}
	markdownWaves(page, p, nil)
	markdownQuotas(page, p)
	items := alike(outline(p, nil))
	page.table(items, []string{"bucket", "names", "standing", "what would happen", "takes", "findings"}, func(o outlined) []string {
		takes := ""
		if o.Expect > 0 {
			takes = Duration(o.Expect.Duration())
		}
		return []string{markdownNames(o.CNAMEs), strong(o.word(), o.rank() < 2), markdownText(short(doing(o.BucketPlan))), takes, findingCounts(o.Findings)}
	})
	page.parts(p.Goal, items)
	return page.String()
}

// planCounts are the counts of a plan, without the word before them.
func planCounts(p planner.Plan) string {
	return strings.TrimSuffix(strings.TrimPrefix(Summary(p), "Plan: "), ".")
}

// RunMarkdown is a run of apply or rollback for a comment on a pull request: how
// it ended, the commands to go on, a table, and for each bucket what happened
// when and what was planned; at most MarkdownLimit characters.
func RunMarkdown(r Run) string {
	page := newMarkdownPage(r.command())
	page.end("## edgeward " + r.command() + ": " + strings.TrimSuffix(ReportSummary(r.Report), ".") + "\n\n" + r.times() + "\n")
	if r.Approval != nil {
		page.end("\nApproved " + markdownText(clip(r.Approval.words())) + ".\n")
	}
	for _, line := range goOnLines(r.Report, r.Commands) {
		text := "\n" + line[0] + ":\n\n" + fence("sh", line[1]+"\n")
		switch {
		case line[1] == "":
			text = "\n" + line[0] + "\n"
		case len(text) > nameShare:
			text = "\n" + line[0] + ": the command names too many buckets for a comment; the end of the run printed it, and `-html-into=FILE` has it.\n"
		}
		page.end(text)
	}
	markdownWaves(page, r.Plan, &r.Report)
	markdownQuotas(page, r.Plan)
	items := alike(outline(r.Plan, &r))
	page.table(items, []string{"bucket", "names", "outcome", "stage", "why"}, func(o outlined) []string {
		if o.Result == nil {
			return []string{markdownNames(o.CNAMEs), "", "", ""}
		}
		why, _ := resultWords(*o.Result)
		return []string{markdownNames(o.CNAMEs), strong(o.word(), !settled(o.Result.Outcome)), markdownText(short(string(withoutHeldStage(*o.Result).Stage))), markdownText(short(why))}
	})
	page.parts(r.Plan.Goal, items)
	return page.String()
}

func strong(word string, loud bool) string {
	word = markdownText(short(word))
	if loud {
		return "**" + word + "**"
	}
	return word
}

// namesShown is how many of a bucket's names a row of a table shows.
const namesShown = 3

func markdownNames(names []string) string {
	var shown []string
	for _, n := range names[:min(len(names), namesShown)] {
		shown = append(shown, markdownCode(short(n)))
	}
	text := strings.Join(shown, ", ")
	if more := len(names) - namesShown; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// table is a row for each bucket, or for all that are alike. The first column is
// the bucket; cells are the others, in Markdown.
func (p *markdownPage) table(items []outlined, head []string, cells func(outlined) []string) {
	if len(items) == 0 {
		return
	}
	rule := make([]string, len(head))
	for i := range rule {
		rule[i] = "---"
	}
	p.end("\n" + markdownRow(head...) + markdownRow(rule...))
	var left []string
	for _, o := range items {
		first := markdownCode(short(o.Address))
		if n := len(o.Alike); n > 0 {
			first += fmt.Sprintf(" and %d alike", n)
		}
		row := markdownRow(append([]string{first}, cells(o)...)...)
		if left == nil && p.count+len(row) < tableShare && p.add(row, "") {
			continue
		}
		left = append(append(left, o.Address), o.Alike...)
	}
	if left != nil {
		p.name("\nAnd "+Count(len(left), "more bucket")+": ", left, nameShare, ".\n")
	}
}

// name says the names in code as far as share characters reach, and counts the
// others.
func (p *markdownPage) name(before string, names []string, share int, after string) {
	var b strings.Builder
	b.WriteString(before)
	for i, n := range names {
		word := markdownCode(cut(n, 80))
		if i > 0 {
			word = ", " + word
		}
		if b.Len()+len(word) > share {
			fmt.Fprintf(&b, " and %d not named here", len(names)-i)
			break
		}
		b.WriteString(word)
	}
	p.end(b.String() + after)
}

// cutParts counts what did not fit into the parts of a page.
type cutParts struct {
	buckets                 []string
	steps, findings, events int
}

// parts are the buckets, each folded, and what was left out.
func (p *markdownPage) parts(g planner.Goal, items []outlined) {
	var cut cutParts
	p.limit = MarkdownLimit - nameShare
	for _, o := range items {
		if len(o.Steps)+len(o.Findings)+len(o.Events)+len(o.Alike) == 0 && (o.Result == nil || settled(o.Result.Outcome)) {
			continue // the table says all of it
		}
		cut.bucket(p, g, o)
	}
	p.limit = 0
	cut.say(p)
}

func (c *cutParts) bucket(p *markdownPage, g planner.Goal, o outlined) {
	var b strings.Builder
	fmt.Fprintf(&b, "\n<details><summary>%s", htmlCode(short(o.Address)))
	if n := len(o.Alike); n > 0 {
		fmt.Fprintf(&b, " and %d alike", n)
	}
	b.WriteString(": " + markdownText(short(o.headline())) + "</summary>\n\n")
	if o.Result != nil {
		why, hint := resultWords(*o.Result)
		if why != "" {
			b.WriteString(strong(o.word(), true) + ": " + markdownText(short(why)) + "\n\n")
		}
		if hint != "" {
			b.WriteString("hint: " + markdownText(short(hint)) + "\n\n")
		}
	}
	if !p.add(b.String(), markdownFold) {
		c.buckets = append(append(c.buckets, o.Address), o.Alike...)
		return
	}
	if len(o.Alike) > 0 {
		c.alike(p, o)
	}
	for _, f := range worst(o.Findings) {
		if !p.add(markdownFinding(f), markdownFold) {
			c.findings++
		}
	}
	c.happened(p, o)
	if o.Result != nil {
		p.add(markdownTraffic(o.Result.Traffic), markdownFold)
	}
	if o.shares != "" {
		p.add("\n"+upper(o.shares)+".\n", markdownFold)
	}
	if o.Result != nil && len(o.Steps) > 0 {
		p.add("\n**What was planned**\n\n", markdownFold)
	}
	p.outlook(g, o)
	for _, s := range o.Steps {
		if !p.add(markdownStep(s), markdownFold) {
			c.steps++
		}
	}
	p.end(markdownFold)
}

// alike names the buckets that a part is about besides its own, those of one place
// together, and says what differs.
func (c *cutParts) alike(p *markdownPage, o outlined) {
	names := ranges(o.Alike)
	first, all := o.places()
	var b strings.Builder
	closing := markdownFold
	b.WriteString(sameWords(o))
	fold := len(names) > namesInLine || first != ""
	if fold {
		fmt.Fprintf(&b, ":\n\n<details><summary>%d more</summary>\n\n", len(o.Alike))
		closing += markdownFold
	} else {
		b.WriteString(": ")
	}
	if first != "" {
		b.WriteString(markdownText(whereWords(o, first)) + ":\n\n")
	}
	left := 0
	for _, at := range all {
		left += markdownAlike(&b, at, fold)
	}
	if left > 0 {
		fmt.Fprintf(&b, "\nand %d not named here", left)
	}
	end := ".\n\n"
	if fold {
		end = "\n" + markdownFold + "\n"
	}
	if lines := o.patterns(); len(lines) > 0 {
		end += "The records of each, of which `NAME` is its own name:\n\n"
		for _, line := range lines {
			end += "- " + markdownText(clip(line)) + "\n"
		}
		end += "\n"
	}
	if !p.add(b.String()+end, closing) {
		c.buckets = append(c.buckets, o.Alike...)
	}
}

// markdownAlike lists buckets of one place: a line each, or, where they share a line
// with their place, beside each other. It counts those for which there is no room.
func markdownAlike(b *strings.Builder, at alikeAt, fold bool) (left int) {
	if at.Where != "" {
		fmt.Fprintf(b, "- %s: ", markdownText(at.Where))
	}
	for i, a := range ranges(at.Names) {
		word := markdownCode(cut(a, 200))
		switch {
		case fold && at.Where == "":
			word = "- " + word + "\n"
		case i > 0:
			word = ", " + word
		}
		if left > 0 || b.Len()+len(word) > MarkdownLimit*2/5 {
			left++
			continue
		}
		b.WriteString(word)
	}
	if at.Where != "" {
		b.WriteByte('\n')
	}
	return left
}

// namesInLine is how many names, or ranges of them, a sentence holds; more are a
// list of their own, folded.
const namesInLine = 5

func markdownFinding(f planner.Finding) string {
	return fmt.Sprintf("- %s %s. %s (%s)\n", strong(string(f.Severity), true), markdownText(short(f.Summary)), markdownText(clip(f.Detail)), markdownCode(short(f.Code)))
}

// outlook is how long a bucket should take, with the mixed time, and the way
// back.
func (p *markdownPage) outlook(g planner.Goal, o outlined) {
	text := ""
	if words := outlookWords(g, o.BucketPlan); words != "" {
		text += markdownText(clip(words)) + "\n\n"
	}
	if command, words := wayBack(g, o.BucketPlan); command != "" {
		text += "Way back: " + markdownCode(short(command))
		if words != "" {
			text += ": " + markdownText(short(words))
		}
		text += "\n\n"
	}
	if text != "" && len(o.Findings) > 0 && o.Result == nil {
		text = "\n" + text
	}
	p.add(text, markdownFold)
}

// markdownStep is a step as an item of a list, with its values before and after
// in a block that GitHub colours.
func markdownStep(s planner.Step) string {
	var b strings.Builder
	fmt.Fprintf(&b, "- %s %s: %s\n", markdownCode(actionSign(s.Action)), strong(string(s.Kind), true), markdownText(clip(stepWords(s))))
	if len(s.Changes) > 0 {
		b.WriteString(indented(fence("diff", diffLines(s.Changes))))
	}
	if len(s.ByHand) > 0 {
		rows := ""
		for _, row := range s.ByHand {
			rows += visible(clip(row)) + "\n"
		}
		b.WriteString("  by hand:\n" + indented(fence("text", rows)))
	}
	if links := s.Links; len(links) > 0 {
		var shown []string
		for _, l := range links[:min(len(links), linksShown)] {
			shown = append(shown, markdownCode(short(l)))
		}
		fmt.Fprintf(&b, "  - links: %s", strings.Join(shown, ", "))
		if more := len(links) - linksShown; more > 0 {
			fmt.Fprintf(&b, " and %d more", more)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// diffLines are values before and after, as lines of a diff.
func diffLines(changes []planner.ValueChange) string {
	var b strings.Builder
	for _, c := range changes {
		path := visible(short(c.Path))
		if c.Before != "" {
			fmt.Fprintf(&b, "- %s: %s\n", path, visible(clip(c.Before)))
		}
		if c.After != "" {
			fmt.Fprintf(&b, "+ %s: %s\n", path, visible(clip(c.After)))
		}
		if c.Before == "" && c.After == "" {
			fmt.Fprintf(&b, "  %s: (none)\n", path)
		}
	}
	return b.String()
}

// fence is text in a code block that nothing in it can end: the fence is longer
// than any run of backticks in it [CommonMark 0.31 section 4.5].
func fence(language, text string) string {
	marks := "```"
	for strings.Contains(text, marks) {
		marks += "`"
	}
	return marks + language + "\n" + text + marks + "\n"
}

// indented puts lines into an item of a list.
func indented(text string) string {
	lines := strings.SplitAfter(text, "\n")
	for i, l := range lines {
		if l != "" {
			lines[i] = "  " + l
		}
	}
	return strings.Join(lines, "")
}

// happened is what happened to a bucket when, as a table.
func (c *cutParts) happened(p *markdownPage, o outlined) {
	if len(o.Events) == 0 {
		return
	}
	head := "\n**What happened**\n\n"
	if len(o.Alike) > 0 {
		head = "\n**What happened to " + markdownCode(short(o.Address)) + "**\n\n"
	}
	if !p.add(head+markdownRow("time", "step", "what happened")+markdownRow("---", "---", "---"), markdownFold) {
		c.events += len(o.Events)
		return
	}
	for _, e := range o.Events {
		if !p.add(markdownRow(moment(e.Time), markdownText(short(string(e.Kind))), markdownText(short(happened(e)))), markdownFold) {
			c.events++
		}
	}
}

// say names what was cut, in less than what a page keeps for its end.
func (c *cutParts) say(p *markdownPage) {
	var left []string
	for _, x := range []struct {
		n    int
		noun string
	}{{c.findings, "finding"}, {c.steps, "step"}, {c.events, "event"}} {
		if x.n > 0 {
			left = append(left, Count(x.n, x.noun))
		}
	}
	if len(left)+len(c.buckets) == 0 {
		return
	}
	p.end("\nA comment may not be longer. `-html-into=FILE` and `-json-into=FILE` have all.")
	if len(left) > 0 {
		p.end(" Left out here: " + strings.Join(left, ", ") + ".")
	}
	p.end("\n")
	if len(c.buckets) > 0 {
		p.name("\nWithout a part of their own here, "+Count(len(c.buckets), "bucket")+": ", c.buckets, nameShare, ".\n")
	}
}

// clip bounds a long text.
func clip(text string) string {
	const most = 2_000
	if len(text) <= most {
		return text
	}
	return cut(text, most)
}
