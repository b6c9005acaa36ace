package view

import (
	"fmt"
	"strings"

	"github.com/edgeward/edgeward/planner"
	"github.com/edgeward/edgeward/planner/proof"
)

// markdownBuckets is how many buckets the summary table of a Markdown report
// lists; those that are not as they should be come first.
const markdownBuckets = 100

// VerifyMarkdown is the report for a comment on a pull request: the summary
// first, each bucket folded, at most MarkdownLimit characters. What is cut is
// counted and named.
func VerifyMarkdown(r planner.VerifyReport) string {
	p := newMarkdownPage("verify")
	p.end("## edgeward verify: " + verifyVerdict(r) + "\n\n" + markdownText(VerifySummary(r)) + "\n")
	blocks := worstFirst(proofBlocks(r))
	markdownSummary(p, blocks)
	var cut cutProofs
	for _, b := range blocks {
		cut.bucket(p, b)
	}
	cut.say(p)
	return p.String()
}

// verifyVerdict is the verdict of a report, or that there is none.
func verifyVerdict(r planner.VerifyReport) string {
	for _, b := range r.Buckets {
		if b.Compared {
			return string(r.Verdict)
		}
	}
	return "nothing compared"
}

// worstFirst orders blocks by what a reader has to act on; else their order
// stays.
func worstFirst(blocks []proofBlock) []proofBlock {
	var sorted []proofBlock
	take := func(match func(proofBlock) bool) {
		for _, b := range blocks {
			if match(b) {
				sorted = append(sorted, b)
			}
		}
	}
	take(func(b proofBlock) bool { return b.Compared && b.Verdict == proof.Broken })
	take(func(b proofBlock) bool { return !b.Compared && b.Failed })
	take(func(b proofBlock) bool { return b.Compared && b.Verdict == proof.Changed })
	take(func(b proofBlock) bool { return !b.Compared && !b.Failed })
	take(func(b proofBlock) bool { return b.Compared && b.Verdict.Passes() })
	return sorted
}

func markdownSummary(p *markdownPage, blocks []proofBlock) {
	if len(blocks) == 0 {
		return
	}
	what := "bucket"
	if blocks[0].Address == "" {
		what = "sites"
	}
	p.end("\n" + markdownRow(what, "verdict", "broken", "changed", "expected", "paths", "requests") +
		markdownRow("---", "---", "---:", "---:", "---:", "---:", "---:"))
	for i, b := range blocks {
		row := markdownRow(markdownCode(short(b.title())), markdownVerdict(b), fmt.Sprint(b.counts[proof.Broken]),
			fmt.Sprint(b.counts[proof.Changed]), fmt.Sprint(b.counts[proof.Expected]), fmt.Sprint(len(b.Targets)), fmt.Sprint(b.Requests))
		// Half of the page is for the differences.
		if i == markdownBuckets || p.count > MarkdownLimit/2 || !p.add(row, "") {
			p.end(fmt.Sprintf("\nAnd %s.\n", Count(len(blocks)-i, "more bucket")))
			return
		}
	}
}

func markdownVerdict(b proofBlock) string {
	if b.Compared && b.Verdict.Passes() {
		return b.word()
	}
	return "**" + b.word() + "**"
}

// cutProofs counts what did not fit.
type cutProofs struct {
	buckets     []string
	findings    int
	differences map[proof.Verdict]int
}

const markdownFold = "\n</details>\n"

func (c *cutProofs) bucket(p *markdownPage, b proofBlock) {
	var head strings.Builder
	fmt.Fprintf(&head, "\n<details><summary>%s: %s</summary>\n\n", htmlCode(short(b.title())), b.headline())
	for _, f := range b.facts() {
		if f.Code {
			fmt.Fprintf(&head, "- %s: %s\n", f.Label, markdownCode(short(f.Text)))
		} else {
			fmt.Fprintf(&head, "- %s: %s\n", f.Label, markdownText(f.Text))
		}
	}
	if !p.add(head.String(), markdownFold) {
		c.buckets = append(c.buckets, b.title())
		return
	}
	for _, f := range b.Findings {
		text := fmt.Sprintf("- %s: %s. %s\n", f.Severity, markdownText(f.Summary), markdownText(f.Detail))
		if !p.add(text, markdownFold) {
			c.findings++
		}
	}
	c.list(p, "Broken", b.Broken)
	c.list(p, "Changed", b.Changed)
	if len(b.Expected) > 0 && p.add("\n**Expected**\n\n", markdownFold) {
		for _, k := range b.Expected {
			if !p.add("- "+markdownText(short(k.words()))+"\n", markdownFold) {
				c.count(proof.Expected, k.Count)
			}
		}
	}
	p.end(markdownFold)
}

func (c *cutProofs) list(p *markdownPage, title string, causes []cause) {
	if len(causes) == 0 {
		return
	}
	fits := p.add("\n**"+title+"**\n\n", markdownFold)
	for _, x := range causes {
		head := fmt.Sprintf("- **%s**: %s", x.Aspect, markdownText(x.Means))
		if x.Mend != "" {
			head += " To mend it: " + markdownText(x.Mend)
		}
		for i, d := range x.Items {
			item := fmt.Sprintf("  - %s, %s: %s → %s\n", markdownCode(short(d.Path)), markdownText(short(requestWords(d))),
				markdownCode(short(orNone(d.Left))), markdownCode(short(orNone(d.Right))))
			if i == 0 {
				item = head + "\n" + item
			}
			fits = fits && p.add(item, markdownFold)
			if !fits {
				c.count(d.Verdict, 1)
			}
		}
	}
}

func (c *cutProofs) count(v proof.Verdict, n int) {
	if c.differences == nil {
		c.differences = map[proof.Verdict]int{}
	}
	c.differences[v] += n
}

// say names what was cut, in less than what a page keeps for its end.
func (c *cutProofs) say(p *markdownPage) {
	var left []string
	if len(c.differences) > 0 {
		left = append(left, differenceCounts(c.differences))
	}
	if c.findings > 0 {
		left = append(left, Count(c.findings, "finding"))
	}
	if len(left) > 0 {
		p.end("\nLeft out here, for a comment may not be longer: " + strings.Join(left, ", ") +
			". The reports of `-json-into=FILE` and `-html-into=FILE` have all.\n")
	}
	if n := len(c.buckets); n > 0 {
		const named = 3
		var names []string
		for _, b := range c.buckets[:min(n, named)] {
			names = append(names, markdownCode(cut(b, 60)))
		}
		more := ""
		if n > named {
			more = fmt.Sprintf(" and %d more", n-named)
		}
		p.end("\nWithout a part of their own here: " + strings.Join(names, ", ") + more + ".\n")
	}
}

// orNone is a value, or that there is none.
func orNone(text string) string {
	if text == "" {
		return "(none)"
	}
	return text
}

// fact is one line about what was compared.
type fact struct {
	Label, Text string
	// Code: an address rather than words.
	Code bool
}

// facts are the lines of a block, in the order of the screen.
func (b proofBlock) facts() []fact {
	var facts []fact
	add := func(label, text string, code bool) {
		if text != "" {
			facts = append(facts, fact{label, text, code})
		}
	}
	add("left", siteWords(b.Left), true)
	for _, words := range rightWords(b.Right) {
		add("right", words, true)
	}
	if b.Compared || b.Requests > 0 {
		add("compared", b.comparedWords(), false)
	}
	for _, note := range b.notes() {
		add("note", note, false)
	}
	add("why", b.Why, false)
	add("hint", b.Hint, false)
	return facts
}

// headline is the verdict of a block and its counts.
func (b proofBlock) headline() string {
	if !b.Compared {
		return b.word()
	}
	return b.word() + ", " + differenceCounts(b.counts)
}
