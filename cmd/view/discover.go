package view

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/edgeward/edgeward/planner"
)

// unnamedShown is how many buckets without a name the text names.
const unnamedShown = 20

// Discovery is what discover found, as people read it: what is dangerous first, then
// what needs a person, a line for what is ready, what nothing leads to, and the
// counts. Notes stand only in the other forms.
func Discovery(d planner.Discovery, s Style) string {
	var b strings.Builder
	alike := alikeNames(d)
	for _, n := range d.Names {
		if names := alike[n.Name]; n.Verdict != planner.Ready && (names == nil || names[0] == n.Name) {
			s.foundName(&b, n, names)
		}
	}
	s.readyNames(&b, d)
	s.unnamed(&b, d)
	if b.Len() > 0 {
		b.WriteByte('\n')
	}
	s.searched(&b, d)
	s.findings(&b, d.Findings)
	b.WriteString("\n" + s.paint(bold, "Discover: "+DiscoveryCounts(d)+".") + "\n")
	return b.String()
}

// readyNames has a line for each name that needs nobody.
func (s Style) readyNames(b *strings.Builder, d planner.Discovery) {
	var ready []planner.FoundName
	width := 0
	for _, n := range d.Names {
		if n.Verdict == planner.Ready {
			ready = append(ready, n)
			width = max(width, utf8.RuneCountInString(visible(n.Name)))
		}
	}
	if ready == nil {
		return
	}
	b.WriteString(s.paint(bold, "Ready: "+Count(len(ready), "name")) + "\n")
	for _, n := range ready {
		name := pad(visible(n.Name), min(width, 40))
		s.hang(b, "  "+s.paint(green, name)+"  ", utf8.RuneCountInString(name)+4, bucketWords(n))
	}
	b.WriteByte('\n')
}

// DiscoveryCounts are the counts of a search, as the last line has them.
func DiscoveryCounts(d planner.Discovery) string {
	n := d.Summary
	line := fmt.Sprintf("%d ready, %d with a question, %d by hand", n.Ready, n.NeedsAnswer, n.ByHand)
	if n.Takeovers > 0 {
		line += fmt.Sprintf(" (%d open to a takeover)", n.Takeovers)
	}
	line += fmt.Sprintf(", %d already configured", n.Configured)
	if n.Unnamed > 0 {
		line += ", " + Count(n.Unnamed, "bucket") + " without a name"
	}
	return line
}

// foundWord is the verdict, and what is louder than it.
func foundWord(n planner.FoundName) string {
	if n.Takeover {
		return "TAKEOVER RISK"
	}
	return string(n.Verdict)
}

// alikeFrom is from how many names on what is found of them alike is said once.
const alikeFrom = 3

// alikeNames are, for each name of which the very same is said as of others but for
// the name itself, all of them in their order.
func alikeNames(d planner.Discovery) map[string][]string {
	groups := map[string][]string{}
	for _, n := range d.Names {
		key := foundWord(n)
		for _, f := range n.Findings {
			if f.Severity != planner.Note {
				key += "\n" + f.Code + strings.ReplaceAll(f.Summary+f.Detail, n.Name, "\x00")
			}
		}
		groups[key] = append(groups[key], n.Name)
	}
	alike := map[string][]string{}
	for _, names := range groups {
		if len(names) >= alikeFrom {
			for _, name := range names {
				alike[name] = names
			}
		}
	}
	return alike
}

// foundName is what is said of a name, and of those alike, of which it is the first.
func (s Style) foundName(b *strings.Builder, n planner.FoundName, alike []string) {
	color := green
	switch {
	case n.Verdict == planner.ByHand:
		color = red
	case n.Verdict == planner.NeedsAnswer:
		color = yellow
	}
	b.WriteString(s.paint(bold, visible(n.Name)) + "   " + s.paint(color, foundWord(n)) + "\n")
	s.hang(b, "  record   ", 11, visible(n.Record)+", at "+n.DNSProvider)
	if n.Via != nil {
		s.hang(b, "  by way of ", 12, visible(strings.Join(n.Via, " → ")))
	}
	s.hang(b, "  bucket   ", 11, bucketWords(n))
	var fs []planner.Finding
	for _, f := range n.Findings {
		if f.Severity != planner.Note {
			f.Summary, f.Detail = visible(f.Summary), visible(f.Detail)
			fs = append(fs, f)
		}
	}
	s.findings(b, fs)
	if alike != nil {
		names := alike[1:]
		more := ""
		if len(names) > unnamedShown {
			more = fmt.Sprintf(" and %d more: -json names all", len(names)-unnamedShown)
			names = names[:unnamedShown]
		}
		s.hang(b, "  alike    ", 11, visible(strings.Join(names, ", "))+more)
	}
	b.WriteByte('\n')
}

// bucketWords says which bucket answers, and how.
func bucketWords(n planner.FoundName) string {
	if n.Takeover {
		return "there is none of this name"
	}
	how := "REST endpoint"
	if n.Endpoint == "website" {
		how = "website endpoint"
	}
	text := "through its " + how
	if n.Region != "" {
		text = "in " + visible(n.Region) + ", " + text
	}
	if n.Account != "" {
		text += ", aws." + n.Account
	}
	return text
}

func (s Style) unnamed(b *strings.Builder, d planner.Discovery) {
	if len(d.Unnamed) == 0 {
		return
	}
	b.WriteString(s.paint(bold, "No name of the zones leads to "+Count(len(d.Unnamed), "bucket")) + "\n")
	for i, u := range d.Unnamed {
		if i == unnamedShown {
			fmt.Fprintf(b, "  and %d more: -json names all\n", len(d.Unnamed)-i)
			break
		}
		s.hang(b, "  ", 2, visible(u.Name)+": "+unnamedWhy(u))
	}
}

// unnamedWhy says what stands at a bucket's name instead.
func unnamedWhy(u planner.UnnamedBucket) string {
	switch {
	case u.Record != "":
		return "its name has " + visible(u.Record)
	case u.Zone != "":
		return "its name has no record in " + u.Zone
	case strings.Contains(u.Name, "."):
		return "its name is in no zone of the configuration; add the zone if visitors use it"
	}
	return "its name is no DNS name"
}

// searched says what was listed, and what was not.
func (s Style) searched(b *strings.Builder, d planner.Discovery) {
	names, buckets := 0, 0
	for _, z := range d.Zones {
		names += z.Names
	}
	for _, a := range d.Accounts {
		buckets += a.Buckets
	}
	s.hang(b, "", 0, fmt.Sprintf("Listed: %s in %s, %s with addresses in %s.", Count(buckets, "bucket"), Count(len(d.Accounts), "account"), Count(names, "name"), Count(len(d.Zones), "zone")))
	for _, line := range unlisted(d) {
		s.hang(b, "  "+s.paint(yellow, "warning")+": ", 11, line)
	}
}

// unlisted says what could not be listed, and what that means.
func unlisted(d planner.Discovery) []string {
	var lines []string
	for _, z := range d.Zones {
		switch {
		case z.OneByOne:
			lines = append(lines, fmt.Sprintf("zone %s cannot be listed, so only the names of the buckets were looked at there: names whose bucket is gone, or is somebody else's, were not seen (%s)", z.Name, visible(z.Why)))
		case z.Why != "":
			lines = append(lines, fmt.Sprintf("zone %s was NOT searched: %s", z.Name, visible(z.Why)))
		}
	}
	for _, a := range d.Accounts {
		if a.Why != "" {
			label := "the default credentials"
			if a.Name != "" {
				label = "aws." + a.Name
			}
			lines = append(lines, fmt.Sprintf("the buckets of %s were NOT listed: %s", label, visible(a.Why)))
		}
	}
	return lines
}

// DiscoveryMarkdown is what discover found, for a comment on a pull request or an
// issue, at most MarkdownLimit characters; what is cut is counted and named.
func DiscoveryMarkdown(d planner.Discovery) string {
	p := newMarkdownPage("discover")
	p.end("## edgeward discover: " + DiscoveryCounts(d) + "\n")
	for _, line := range unlisted(d) {
		p.add("\n**warning**: "+markdownText(clip(line))+"\n", "")
	}
	for _, f := range d.Findings {
		p.add("\n"+markdownFinding(f), "")
	}
	if len(d.Names) > 0 {
		p.end("\n" + markdownRow("name", "verdict", "record", "bucket", "why") + markdownRow("---", "---", "---", "---", "---"))
	}
	var left []string
	for _, n := range d.Names {
		row := markdownRow(markdownCode(short(n.Name)), strong(foundWord(n), n.Verdict == planner.ByHand), markdownCode(short(n.Record)),
			markdownText(short(bucketWords(n))), markdownText(short(foundWhy(n))))
		if left == nil && p.count+len(row) < tableShare && p.add(row, "") {
			continue
		}
		left = append(left, n.Name)
	}
	if left != nil {
		p.name("\nAnd "+Count(len(left), "more name")+": ", left, nameShare, ".\n")
	}
	p.limit = MarkdownLimit - 2*nameShare
	var cut cutParts
	for _, n := range d.Names {
		if len(n.Findings) > 0 && !p.add(foundPart(n), "") {
			cut.buckets = append(cut.buckets, n.Name)
		}
	}
	p.limit = 0
	cut.say(p)
	if len(d.Unnamed) > 0 {
		var names []string
		for _, u := range d.Unnamed {
			names = append(names, u.Name)
		}
		p.name("\nNo name of the zones leads to "+Count(len(names), "bucket")+": ", names, nameShare, ".\n")
	}
	return p.String()
}

// foundWhy is the first reason for a verdict.
func foundWhy(n planner.FoundName) string {
	for _, f := range n.Findings {
		if f.Severity != planner.Note {
			return f.Summary
		}
	}
	return ""
}

// foundPart is one name's findings, folded.
func foundPart(n planner.FoundName) string {
	var t strings.Builder
	fmt.Fprintf(&t, "\n<details><summary>%s: %s</summary>\n\n", htmlCode(short(n.Name)), markdownText(foundWord(n)))
	for _, f := range n.Findings {
		t.WriteString(markdownFinding(f))
	}
	if n.Via != nil {
		t.WriteString("- by way of " + markdownText(short(strings.Join(n.Via, " → "))) + "\n")
	}
	return t.String() + markdownFold
}

// discoveryPage is what the template of the HTML of a search reads.
type discoveryPage struct {
	Summary  string
	Warnings []string
	Findings []planner.Finding
	Table    htmlTable
	Parts    []foundHTML
	Unnamed  htmlTable
	Searched htmlTable
}

type foundHTML struct {
	planner.FoundName
	Word, Class string
}

// DiscoveryHTML is what discover found as one self-contained HTML file. Its error is
// a fault of the program.
func DiscoveryHTML(d planner.Discovery) (string, error) {
	page := discoveryPage{Summary: "Discover: " + DiscoveryCounts(d) + ".", Warnings: unlisted(d), Findings: d.Findings}
	page.Table.Head = htmlHead("name", "verdict", "record", "bucket", "why")
	for _, n := range d.Names {
		f := foundHTML{n, foundWord(n), map[planner.Readiness]string{planner.Ready: "same", planner.NeedsAnswer: "changed", planner.ByHand: "broken"}[n.Verdict]}
		page.Table.Rows = append(page.Table.Rows, []htmlCell{{Text: n.Name, Code: true}, {Text: f.Word, Class: f.Class}, {Text: n.Record, Code: true},
			{Text: bucketWords(n)}, {Text: foundWhy(n)}})
		if len(n.Findings) > 0 {
			page.Parts = append(page.Parts, f)
		}
	}
	page.Unnamed.Head = htmlHead("bucket", "account", "why nothing leads to it")
	for _, u := range d.Unnamed {
		page.Unnamed.Rows = append(page.Unnamed.Rows, []htmlCell{{Text: u.Name, Code: true}, {Text: u.Account}, {Text: unnamedWhy(u)}})
	}
	page.Searched.Head = htmlHead("listed", "found", "remark")
	for _, a := range d.Accounts {
		name := "default credentials"
		if a.Name != "" {
			name = "aws." + a.Name
		}
		page.Searched.Rows = append(page.Searched.Rows, []htmlCell{{Text: name}, {Text: Count(a.Buckets, "bucket")}, {Text: a.Why}})
	}
	for _, z := range d.Zones {
		page.Searched.Rows = append(page.Searched.Rows, []htmlCell{{Text: "zone " + z.Name + " of " + z.DNSProvider}, {Text: Count(z.Names, "name")}, {Text: z.Why}})
	}
	return htmlFile("edgeward discover", discoveryTemplate, page)
}

const discoveryTemplate = `<h1>edgeward discover</h1>
<p><b>{{text .Summary}}</b></p>
{{range .Warnings}}<article class="warning"><p>{{text .}}</p></article>
{{end}}{{range .Findings}}{{template "finding" .}}{{end -}}
{{if .Table.Rows}}<div class="cards">{{template "table" .Table}}</div>
{{end -}}
{{range .Parts}}<section>
<h2>{{code .Name}} <span class="word {{.Class}}">{{text .Word}}</span></h2>
{{range .Via}}<p class="soft">by way of {{code .}}</p>
{{end}}{{range .Findings}}{{template "finding" .}}{{end}}</section>
{{end -}}
{{if .Unnamed.Rows}}<h2>Buckets without a name</h2>
<div class="cards">{{template "table" .Unnamed}}</div>
{{end -}}
<h2>What was searched</h2>
<div class="cards">{{template "table" .Searched}}</div>
`

// DiscoveryWritten says which names a written file has, and what to type next.
func DiscoveryWritten(d planner.Discovery, files []string) string {
	live := d.Summary.Ready + d.Summary.NeedsAnswer
	text := "Wrote " + strings.Join(files, " and ") + ": " + Count(live, "bucket")
	off := len(d.Found()) - live
	if live == 0 {
		return text + fmt.Sprintf(", and %d as comments, which would not plan. Next: do what the comments ask for, then edgeward discover again, into another file", off)
	}
	if off > 0 {
		text += fmt.Sprintf(", and %d as comments, which would not plan", off)
	}
	if slices.ContainsFunc(d.Names, func(n planner.FoundName) bool { return n.Verdict == planner.NeedsAnswer }) {
		text += ". Read the questions above the blocks first"
	}
	return text + ". Next: edgeward plan"
}

// DiscoveryUnwritten says what to do when there was no block to write to file.
func DiscoveryUnwritten(d planner.Discovery, file string) string {
	text := "There is nothing to write; " + file + " was not made. "
	switch {
	case len(d.Names) > 0:
		return text + "Of what was found nothing has a block: see the reasons above"
	case d.Summary.Configured > 0:
		return text + "What leads to S3 is configured already. Next: edgeward plan"
	}
	return text + "No name that was looked at leads to S3: look whether the zones and aws blocks, and -target and -exclude, leave out what you mean"
}
