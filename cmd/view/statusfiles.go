package view

import (
	"fmt"
	"html/template"
	"slices"
	"strings"

	"github.com/edgeward/edgeward/planner"
)

// StatusMarkdown is a status for a comment on a pull request or an issue, at most
// MarkdownLimit characters; what is cut is counted and named.
func StatusMarkdown(r planner.StatusReport) string {
	p := newMarkdownPage("status")
	p.end("## edgeward status: " + statusCounts(r) + "\n")
	if len(r.Buckets) == 0 {
		return p.String()
	}
	p.end("\n" + markdownRow("bucket", "standing", "stage", "served by", "drift") + markdownRow("---", "---", "---", "---", "---"))
	ordered := driftedFirst(r.Buckets)
	var left []string
	for _, b := range ordered {
		loud := b.Standing == planner.StandBlocked || b.Standing == planner.StandHeld
		drift := ""
		if n := len(b.Drift); n > 0 {
			drift = fmt.Sprintf("**%d**", n)
		}
		row := markdownRow(markdownCode(short(b.Address)), strong(string(b.Standing), loud), markdownText(short(string(b.Stage))), servedBy(b), drift)
		if left == nil && p.count+len(row) < tableShare && p.add(row, "") {
			continue
		}
		left = append(left, b.Address)
	}
	if left != nil {
		p.name("\nAnd "+Count(len(left), "more bucket")+": ", left, nameShare, ".\n")
	}
	p.limit = MarkdownLimit - nameShare
	var cut cutParts
	for _, b := range ordered {
		if text := statusPart(b); text != "" && !p.add(text, "") {
			cut.buckets = append(cut.buckets, b.Address)
		}
	}
	p.limit = 0
	cut.say(p)
	return p.String()
}

// statusPart is one bucket, folded.
func statusPart(b planner.BucketStatus) string {
	if len(b.Names)+len(b.Findings)+len(b.Drift) == 0 && b.Why == "" && b.Traffic == nil {
		return ""
	}
	var t strings.Builder
	fmt.Fprintf(&t, "\n<details><summary>%s: %s</summary>\n\n", htmlCode(short(b.Address)), markdownText(short(statusHeadline(b))))
	if b.Why != "" {
		t.WriteString(markdownText(short(b.Why)) + "\n\n")
	}
	for _, d := range b.Drift {
		fmt.Fprintf(&t, "- **drift** %s was changed by hand. To mend it: %s\n", markdownText(short(d.Path)), markdownText(short(d.Mend)))
		t.WriteString(indented(fence("diff", diffLines([]planner.ValueChange{{Path: d.Path, Before: orAbsent(d.Expected), After: orAbsent(d.Live)}}))))
	}
	if len(b.Drift) > 0 && len(b.Ask) > 0 {
		fmt.Fprintf(&t, "- ask: %s\n", markdownText(clip(strings.Join(b.Ask, ", "))))
	}
	for _, f := range worst(b.Findings) {
		t.WriteString(markdownFinding(f))
	}
	for _, n := range b.Names {
		fmt.Fprintf(&t, "- %s is served by %s: %s\n", markdownCode(short(n.Name)), markdownText(short(n.Serves)), markdownCode(short(orAbsent(n.Record))))
		for _, x := range slices.Concat(n.Authoritative, n.Resolvers) {
			fmt.Fprintf(&t, "  - %s: %s\n", markdownText(short(x.Server)), markdownText(short(answerWords(x))))
		}
	}
	t.WriteString(markdownTraffic(b.Traffic))
	return t.String() + markdownFold
}

// markdownTraffic is what was measured, and the curves.
func markdownTraffic(t *planner.Traffic) string {
	if t == nil {
		return ""
	}
	text := "\n" + markdownText(clip(t.Says)) + "\n"
	for _, u := range t.Unknown {
		text += "\n- not known: " + markdownText(clip(u)) + "\n"
	}
	return text + markdownCurves(t)
}

func orAbsent(v string) string {
	if v == "" {
		return "absent"
	}
	return v
}

func statusHeadline(b planner.BucketStatus) string {
	text := string(b.Standing)
	if b.Stage != "" {
		text += " at " + string(b.Stage)
	}
	if n := len(b.Drift); n > 0 {
		text += ", drifted"
	}
	if f := findingCounts(b.Findings); f != "" {
		text += ", " + f
	}
	return text
}

// servedBy are those who serve the bucket's names.
func servedBy(b planner.BucketStatus) string {
	var who []string
	for _, n := range b.Names {
		if len(who) == 0 || who[len(who)-1] != n.Serves {
			who = append(who, n.Serves)
		}
	}
	return markdownText(short(strings.Join(who, ", ")))
}

// driftedFirst orders buckets by what a reader has to act on.
func driftedFirst(buckets []planner.BucketStatus) []planner.BucketStatus {
	var first, second, rest []planner.BucketStatus
	for _, b := range buckets {
		switch {
		case len(b.Drift) > 0:
			first = append(first, b)
		case b.Standing == planner.StandBlocked || b.Standing == planner.StandHeld:
			second = append(second, b)
		default:
			rest = append(rest, b)
		}
	}
	return append(append(first, second...), rest...)
}

// statusPage is what the template of the HTML of a status reads.
type statusPage struct {
	Summary string
	Table   htmlTable
	Parts   []statusHTML
	Groups  []statusGroupHTML
}

// statusHTML is a bucket there.
type statusHTML struct {
	planner.BucketStatus
	Headline, Class string
	Names           htmlTable
	AskWords        string
	Curves          template.HTML
}

// statusGroupHTML is buckets there of which the same is said.
type statusGroupHTML struct {
	Title, And, Headline, Class string
	Facts                       []fact
	Each                        []togetherOwn
}

// StatusHTML is a status as one self-contained HTML file. Of many buckets those
// that need a look have a part each, and of the others those that are alike. Its
// error is a fault of the program.
func StatusHTML(r planner.StatusReport) (string, error) {
	page := statusPage{Summary: "Status: " + statusCounts(r) + "."}
	single, groups := driftedFirst(r.Buckets), []*statusGroup(nil)
	if len(r.Buckets) >= manyBuckets {
		single, groups = statusParts(r)
	}
	page.Table.Head = htmlHead("bucket", "standing", "stage", "why")
	for _, b := range single {
		page.add(b)
	}
	for _, g := range groups {
		if len(g.who) == 1 {
			page.add(g.first)
			continue
		}
		page.group(g)
	}
	return htmlFile("edgeward status", statusTemplate, page)
}

// standingClass is the page's class for where a bucket stands.
func standingClass(b planner.BucketStatus) string {
	if len(b.Drift) > 0 {
		return "broken"
	}
	return outlined{BucketPlan: planner.BucketPlan{Standing: b.Standing}}.class()
}

// add is a bucket with all that each server answers.
func (page *statusPage) add(b planner.BucketStatus) {
	class := standingClass(b)
	page.Table.Rows = append(page.Table.Rows, []htmlCell{{Text: b.Address, Code: true}, {Text: string(b.Standing), Class: class},
		{Text: string(b.Stage)}, {Text: b.Why}})
	part := statusHTML{BucketStatus: b, Headline: statusHeadline(b), Class: class, AskWords: strings.Join(b.Ask, ", "), Curves: svgCurves(b.Traffic)}
	for _, n := range b.Names {
		part.Names.Rows = append(part.Names.Rows, []htmlCell{{Text: n.Name, Code: true}, {Text: "provider"}, {Text: orAbsent(n.Record), Code: true}, {Text: n.Serves}})
		for _, x := range slices.Concat(n.Authoritative, n.Resolvers) {
			part.Names.Rows = append(part.Names.Rows, []htmlCell{{Text: n.Name, Code: true}, {Text: x.Server}, {Text: x.Answer, Code: true}, {Text: x.Serves}})
		}
	}
	if part.Names.Rows != nil {
		part.Names.Head = htmlHead("name", "asked", "answer", "served by")
	}
	page.Parts = append(page.Parts, part)
}

// group is buckets that are alike: what is the same once, and a line for each.
func (page *statusPage) group(g *statusGroup) {
	b, why := g.first, g.said.String()
	class := standingClass(b)
	and := fmt.Sprintf("and %d alike", len(g.who)-1)
	page.Table.Rows = append(page.Table.Rows, []htmlCell{{Text: b.Address, Code: true, And: and}, {Text: string(b.Standing), Class: class},
		{Text: string(b.Stage)}, {Text: why}})
	part := statusGroupHTML{Title: b.Address, And: and, Class: class, Headline: string(b.Standing)}
	if b.Stage != "" {
		part.Headline += " at " + string(b.Stage)
	}
	for _, f := range []fact{{"why", why, false}, {"wave", b.Wave, false}, {"served by", g.serves, false}, {"traffic", shareWords(g.traffic), false}} {
		if f.Text != "" {
			part.Facts = append(part.Facts, f)
		}
	}
	for _, u := range unknownOf(g.buckets) {
		part.Facts = append(part.Facts, fact{"not known", u, false})
	}
	for _, x := range g.buckets {
		part.Each = append(part.Each, togetherOwn{x.Address, statusEach(x)})
	}
	page.Groups = append(page.Groups, part)
}

// unknownOf are what is not known of the traffic of buckets, those that are alike
// once.
func unknownOf(buckets []planner.BucketStatus) (all []string) {
	at := map[string]*likeCell{}
	var order []string
	n := map[string]int{}
	for _, b := range buckets {
		if b.Traffic == nil {
			continue
		}
		names := []string{b.Address}
		for _, x := range b.Names {
			names = append(names, x.Name)
		}
		for _, u := range b.Traffic.Unknown {
			words, key := likeCellWords(u, names)
			if at[key] == nil {
				at[key] = &likeCell{}
				order = append(order, key)
			}
			at[key].add(words)
			n[key]++
		}
	}
	for _, key := range order {
		text := at[key].String()
		if n[key] < len(buckets) {
			text += " (" + Count(n[key], "bucket") + ")"
		}
		all = append(all, text)
	}
	return all
}

// statusEach is what is known of a bucket among many, in a line: the record at the
// provider, who answers with whom, its findings, its traffic.
func statusEach(b planner.BucketStatus) string {
	var parts []string
	for _, n := range b.Names {
		text := orAbsent(n.Record) + answersInAll("name server", n.Authoritative) + answersInAll("resolver", n.Resolvers)
		if !strings.Contains(b.Address, n.Name) {
			text = n.Name + " " + text
		}
		parts = append(parts, text)
	}
	for _, f := range worst(b.Findings) {
		parts = append(parts, string(f.Severity)+": "+f.Summary)
	}
	if b.Traffic != nil {
		parts = append(parts, b.Traffic.Says)
	}
	return strings.Join(parts, "; ")
}

// answersInAll counts servers by whom they send visitors to.
func answersInAll(role string, says []planner.ServerSays) string {
	n := map[string]int{}
	var order []string
	for _, x := range says {
		if n[x.Serves]++; n[x.Serves] == 1 {
			order = append(order, x.Serves)
		}
	}
	text := ""
	for _, who := range order {
		text += ", " + Count(n[who], role) + " → " + who
	}
	return text
}

const statusTemplate = `<h1>edgeward status</h1>
<p><b>{{text .Summary}}</b></p>
{{if .Table.Rows}}<div class="cards">{{template "table" .Table}}</div>
{{end -}}
{{range .Parts}}<section>
<h2>{{code .Address}} <span class="word {{.Class}}">{{text .Headline}}</span></h2>
{{with .Distribution}}<p>distribution {{code .}}</p>
{{end}}{{range .Drift}}<article class="error"><h4><span class="word error">drift</span> {{text .Path}} was changed by hand</h4>
<dl><dt>expected</dt><dd>{{with .Expected}}{{code .}}{{else}}absent{{end}}</dd>
<dt>is</dt><dd>{{with .Live}}{{code .}}{{else}}absent{{end}}</dd>
<dt>to mend</dt><dd>{{text .Mend}}</dd></dl></article>
{{end}}{{if .Drift}}{{with .AskWords}}<p>Ask: {{text .}}</p>
{{end}}{{end}}{{range .Findings}}<article class="{{.Severity}}"><h4><span class="word {{.Severity}}">{{.Severity}}</span> {{text .Summary}}</h4>
<p>{{text .Detail}}</p></article>
{{end}}{{if .Names.Rows}}<div class="cards">{{template "table" .Names}}</div>
{{end}}{{with .Traffic}}<p>{{text .Says}}</p>
{{range .Unknown}}<p class="soft">Not known: {{text .}}</p>
{{end}}{{end}}{{.Curves}}</section>
{{end -}}
{{range .Groups}}<section>
<h2>{{code .Title}} {{.And}} <span class="word {{.Class}}">{{text .Headline}}</span></h2>
<dl>
{{range .Facts}}<dt>{{.Label}}</dt><dd>{{text .Text}}</dd>
{{end}}</dl>
<details><summary>Each of them</summary>
<ul class="owns">
{{range .Each}}<li>{{code .Address}} {{text .Words}}</li>
{{end}}</ul></details>
</section>
{{end}}`
