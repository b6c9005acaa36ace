package view

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/edgeward/edgeward/planner"
	"github.com/edgeward/edgeward/planner/proof"
)

// differencesShown is how many differences of one cause the text lists for a
// bucket; the others are counted, and JSON and HTML have them.
const differencesShown = 20

// valueShown is how many characters of a header or another value are shown.
const valueShown = 160

// proofBlock is one bucket's part of a report, as all outputs show it.
type proofBlock struct {
	planner.BucketProof
	// Broken and Changed are its differences that stop it, by cause; Expected are
	// summed up.
	Broken, Changed []cause
	Expected        []expectedKind
	// counts are of all differences that the report lists.
	counts map[proof.Verdict]int
}

// cause is all differences of one aspect that mean the same and are mended alike.
type cause struct {
	Aspect      proof.Aspect
	Means, Mend string
	Items       []planner.VerifyDifference
}

// byCause adds d to the causes, which stay in the order of their first ones.
func byCause(causes []cause, d planner.VerifyDifference) []cause {
	for i, c := range causes {
		if c.Aspect == d.Aspect && c.Means == d.Means && c.Mend == d.Mend {
			causes[i].Items = append(c.Items, d)
			return causes
		}
	}
	return append(causes, cause{Aspect: d.Aspect, Means: d.Means, Mend: d.Mend, Items: []planner.VerifyDifference{d}})
}

// expectedKind is all expected differences of one aspect from one source.
type expectedKind struct {
	Aspect proof.Aspect
	Source string
	Count  int
	// Path is that of the first.
	Path string
}

// proofBlocks are the buckets of r with their differences.
func proofBlocks(r planner.VerifyReport) []proofBlock {
	at := map[string]int{}
	var blocks []proofBlock
	for _, b := range r.Buckets {
		at[b.Address] = len(blocks)
		blocks = append(blocks, proofBlock{BucketProof: b, counts: map[proof.Verdict]int{}})
	}
	for _, d := range r.Differences {
		i, ok := at[d.Address]
		if !ok {
			continue
		}
		b := &blocks[i]
		b.counts[d.Verdict]++
		switch d.Verdict {
		case proof.Broken:
			b.Broken = byCause(b.Broken, d)
		case proof.Changed:
			b.Changed = byCause(b.Changed, d)
		default:
			b.expect(d)
		}
	}
	return blocks
}

func (b *proofBlock) expect(d planner.VerifyDifference) {
	for i, k := range b.Expected {
		if k.Aspect == d.Aspect && k.Source == d.Source {
			b.Expected[i].Count++
			return
		}
	}
	b.Expected = append(b.Expected, expectedKind{Aspect: d.Aspect, Source: d.Source, Count: 1, Path: d.Path})
}

// title is what a block is headed with: the bucket, or the two sites.
func (b proofBlock) title() string {
	if b.Address != "" {
		return b.Address
	}
	if len(b.Right) == 0 {
		return b.Left.URL
	}
	return b.Left.URL + " → " + b.Right[0].URL
}

// word is the verdict, or that there is none.
func (b proofBlock) word() string {
	if b.Compared {
		return string(b.Verdict)
	}
	return "not compared"
}

// siteWords names a site and where it was asked.
func siteWords(s proof.Site) string {
	if s.Dial == "" {
		return s.URL
	}
	return s.URL + " at " + s.Dial
}

// rightWords names the ways in which the right was reached: those that share a
// place share its mention.
func rightWords(sites []proof.Site) []string {
	var lines []string
	for i := 0; i < len(sites); {
		urls := []string{sites[i].URL}
		j := i + 1
		for ; j < len(sites) && sites[j].Dial == sites[i].Dial; j++ {
			urls = append(urls, sites[j].URL)
		}
		lines = append(lines, siteWords(proof.Site{URL: strings.Join(urls, ", "), Dial: sites[i].Dial}))
		i = j
	}
	return lines
}

// pathWords counts the targets of a bucket by what made them such.
func (b proofBlock) pathWords() string {
	listed, aside := 0, 0
	for _, t := range b.Targets {
		switch {
		case t.Listed:
			listed++
		case t.Aside:
			aside++
		}
	}
	n := len(b.Targets)
	words := Count(n, "path")
	if b.Address == "" || n == 0 {
		return words
	}
	var parts []string
	for _, p := range []struct {
		n    int
		word string
	}{{listed, "listed"}, {n - listed - aside, "picked"}, {aside, "besides (the root, folders, a missing key)"}} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.word))
		}
	}
	return words + ": " + strings.Join(parts, ", ")
}

// comparedWords says how much was compared.
func (b proofBlock) comparedWords() string {
	words := b.pathWords() + "; " + Count(b.Requests, "request") + ", " + Bytes(b.Bytes)
	if b.Seed != "" {
		words += ", seed " + b.Seed
	}
	return words
}

// notes are what else there is to know about what was compared.
func (b proofBlock) notes() []string {
	var notes []string
	if n := b.NoCacheControl; n > 0 {
		notes = append(notes, fmt.Sprintf("%s without Cache-Control and Expires", Count(n, "object")))
	}
	if n := b.Refused; n > 0 {
		notes = append(notes, fmt.Sprintf("%s not publicly readable, so no test link", countIs(n, "picked object")))
	}
	if n := b.Repeated; n > 0 {
		notes = append(notes, fmt.Sprintf("%s looked at again, and then the same", countWas(n, "path")))
	}
	if len(b.Archived) > 0 {
		keys := strings.Join(b.Archived, ", ")
		if b.MoreArchived > 0 {
			keys += fmt.Sprintf(" and %d more", b.MoreArchived)
		}
		notes = append(notes, "archived, so S3 cannot serve it before it is restored: "+keys)
	}
	return notes
}

func countIs(n int, noun string) string {
	if n == 1 {
		return "1 " + noun + " is"
	}
	return Count(n, noun) + " are"
}

func countWas(n int, noun string) string {
	if n == 1 {
		return "1 " + noun + " was"
	}
	return Count(n, noun) + " were"
}

// requestWords is the request of a difference, and how many more showed it.
func requestWords(d planner.VerifyDifference) string {
	if d.Also == 0 {
		return d.Request
	}
	return fmt.Sprintf("%s and %d more", d.Request, d.Also)
}

// words says what was expected, of how many paths, and why.
func (k expectedKind) words() string {
	where := k.Path
	if k.Count > 1 {
		where = Count(k.Count, "time")
	}
	words := string(k.Aspect) + ", " + where
	if k.Source != "" {
		words += ": " + k.Source
	}
	return words
}

// Verify is what verify found as people read it: a block a bucket, the worst
// differences first, and the counts as the last line.
func Verify(r planner.VerifyReport, s Style) string {
	var b strings.Builder
	for _, block := range proofBlocks(r) {
		s.proof(&b, block)
		b.WriteByte('\n')
	}
	b.WriteString(s.paint(bold, VerifySummary(r)) + "\n")
	return b.String()
}

// VerifySummary is the last line of verify: the worst verdict and the counts.
func VerifySummary(r planner.VerifyReport) string {
	counts := map[proof.Verdict]int{}
	for _, d := range r.Differences {
		counts[d.Verdict]++
	}
	compared, failed, later := 0, 0, 0
	for _, b := range r.Buckets {
		switch {
		case b.Compared:
			compared++
		case b.Failed:
			failed++
		default:
			later++
		}
	}
	parts := []string{Count(r.Paths, "path"), Count(r.Requests, "request"), Bytes(r.Bytes), differenceCounts(counts)}
	word := string(r.Verdict)
	switch {
	case compared == 0:
		word, parts = "nothing compared", nil
	case r.Verdict == proof.NotCompared:
		word = "not all compared"
	}
	if r.More > 0 {
		parts = append(parts, fmt.Sprintf("%d more not listed", r.More))
	}
	if failed > 0 {
		parts = append(parts, Count(failed, "bucket")+" not compared because of an error")
	}
	if later > 0 {
		parts = append(parts, Count(later, "bucket")+" with nothing to compare yet")
	}
	if len(parts) == 0 {
		return "Verify: " + word + "."
	}
	return "Verify: " + word + ": " + strings.Join(parts, ", ") + "."
}

// differenceCounts is "1 broken, 2 changed", or "no differences".
func differenceCounts(counts map[proof.Verdict]int) string {
	var parts []string
	for _, v := range []proof.Verdict{proof.Broken, proof.Changed, proof.Expected} {
		if n := counts[v]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, v))
		}
	}
	if len(parts) == 0 {
		return "no differences"
	}
	return strings.Join(parts, ", ")
}

// verdictColor is the colour of a verdict's word.
func verdictColor(word string) string {
	switch word {
	case string(proof.Same), string(proof.Expected):
		return green
	case string(proof.Broken):
		return red
	}
	return yellow
}

// The columns of a bucket's block in verify.
const (
	proofLabel   = 12
	verdictLabel = 12
)

func (s Style) proof(b *strings.Builder, p proofBlock) {
	word := p.word()
	fmt.Fprintf(b, "%s   %s\n", s.paint(bold, visible(p.title())), s.paint(verdictColor(word), word))
	line := func(label, text string) {
		if text != "" {
			s.hang(b, "  "+s.paint(dim, pad(label, proofLabel-2)), proofLabel, visible(text))
		}
	}
	if p.Left.URL != "" {
		line("left", siteWords(p.Left))
	}
	for i, words := range rightWords(p.Right) {
		line([]string{"right", ""}[min(i, 1)], words)
	}
	if p.Compared || p.Requests > 0 {
		line("compared", p.comparedWords())
	}
	for _, note := range p.notes() {
		line("note", note)
	}
	line("why", p.Why)
	line("hint", p.Hint)
	if len(p.Findings) > 0 {
		b.WriteByte('\n')
		s.findings(b, visibleFindings(p.Findings))
	}
	for _, c := range p.Broken {
		s.cause(b, c)
	}
	for _, c := range p.Changed {
		s.cause(b, c)
	}
	if len(p.Expected) > 0 {
		b.WriteByte('\n')
	}
	for _, k := range p.Expected {
		s.hang(b, "  "+s.paint(dim, pad(string(proof.Expected), verdictLabel-2)), verdictLabel, visible(k.words()))
	}
}

// visibleFindings are findings whose texts are safe on a screen: they may have
// keys and answers in them.
func visibleFindings(findings []planner.Finding) []planner.Finding {
	var out []planner.Finding
	for _, f := range findings {
		f.Summary, f.Detail = visible(f.Summary), visible(f.Detail)
		out = append(out, f)
	}
	return out
}

// cause is a line for each difference, at most so many, then what they mean and
// what would mend them.
func (s Style) cause(b *strings.Builder, c cause) {
	word := string(c.Items[0].Verdict)
	first := "  " + s.paint(verdictColor(word), pad(word, verdictLabel-2))
	b.WriteByte('\n')
	for _, d := range c.Items[:min(len(c.Items), differencesShown)] {
		s.hang(b, first, verdictLabel, fmt.Sprintf("%s, %s, %s: %s → %s",
			visible(short(d.Path)), visible(requestWords(d)), d.Aspect, value(d.Left), value(d.Right)))
	}
	if more := len(c.Items) - differencesShown; more > 0 {
		s.hang(b, first, verdictLabel, fmt.Sprintf("%s: %d more; -json and -html-into=FILE list them", c.Aspect, more))
	}
	indent := strings.Repeat(" ", verdictLabel)
	s.hang(b, indent, verdictLabel, visible(c.Means))
	if c.Mend != "" {
		s.hang(b, indent, verdictLabel, "To mend it: "+visible(c.Mend))
	}
}

// value is what a site answered, for a screen; "" is nothing.
func value(text string) string {
	if text == "" {
		return "(none)"
	}
	return visible(short(text))
}

// short is text of at most valueShown characters; what is left out is counted.
func short(text string) string {
	n := utf8.RuneCountInString(text)
	if n <= valueShown {
		return text
	}
	return fmt.Sprintf("%s… (%d characters)", string([]rune(text)[:valueShown]), n)
}

// visible is text that came from somebody else, with everything that would move
// a cursor, hide or turn text written as an escape.
func visible(text string) string {
	clean := true
	for _, r := range text {
		if r == utf8.RuneError || !strconv.IsPrint(r) {
			clean = false
			break
		}
	}
	if clean {
		return text
	}
	var b strings.Builder
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, text[i])
		case strconv.IsPrint(r):
			b.WriteRune(r)
		default:
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
		i += size
	}
	return b.String()
}

// Bytes is a number of bytes as people read it, in powers of 1000.
func Bytes(n int64) string {
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	size, unit := float64(n), 0
	for size >= 999.5 && unit < 5 {
		size /= 1000
		unit++
	}
	digits := 0
	if size < 9.95 {
		digits = 1
	}
	return strconv.FormatFloat(size, 'f', digits, 64) + " " + []string{"B", "kB", "MB", "GB", "TB", "PB"}[unit]
}
