package view

import (
	"fmt"
	"html/template"
	"slices"
	"strings"
	"time"

	"github.com/edgeward/edgeward/planner"
)

// openParts is how many buckets a page shows unfolded; on a page with more, only
// those are that a reader has to act on.
const openParts = 3

// planPage is what the template of the HTML of a plan and of a run reads.
type planPage struct {
	Title, Summary, Times string
	Approved              string
	Meaning               string
	GoOn                  [][2]string
	Findings              []planner.Finding
	Waves, Quotas, Table  htmlTable
	Parts                 []planPart
}

// planPart is a bucket there.
type planPart struct {
	Title, Class, Headline string
	// And counts the buckets that are alike.
	And         string
	Open        bool
	Facts       []fact
	Findings    []planner.Finding
	StepsTitle  string
	Steps       []planStep
	Timelines   []timeline
	EventsTitle string
	Events      htmlTable
	Traffic     *planner.Traffic
	Curves      template.HTML
	// More are the other buckets of which the same is said, Where in what their
	// places differ, Records what is alike of their records, Shared the names of
	// each certificate that they share, Owns what was each one's own in a run.
	More    []alikeName
	Where   string
	Records []string
	Shared  []string
	Owns    []togetherOwn
}

// alikeName is a bucket that is named with others: its address, its names as far as
// the address does not have them, and its place where that differs.
type alikeName struct{ Address, Names string }

// planStep is a step there.
type planStep struct {
	planner.Step
	Sign, Words string
	// Shown are the test links that the page lists, More counts the others.
	Shown []string
	More  int
}

// timeline is bars under each other, from 0 to Length.
type timeline struct {
	Title  string
	Length string
	Bars   []bar
}

// bar is one of them: Left and Width are in percent of the length.
type bar struct {
	Label, Words, Class string
	Left, Width         float64
}

// PlanHTML is a plan as one self-contained HTML file. Its error is a fault of the
// program.
func PlanHTML(p planner.Plan) (string, error) {
	title := "edgeward plan"
	if p.Goal == planner.Rollback {
		title += ": the way back to S3"
	}
	page := planPage{Title: title, Summary: Summary(p), Meaning: meaning(p), Findings: worst(p.Findings), Waves: htmlWaves(p, nil), Quotas: htmlQuotas(p)}
	items := grouped(outline(p, nil))
	page.Table.Head = htmlHead("bucket", "names", "standing", "what would happen", "takes", "findings")
	for _, o := range items {
		takes := ""
		if o.Expect > 0 {
			takes = Duration(o.Expect.Duration())
		}
		page.Table.Rows = append(page.Table.Rows, []htmlCell{{Text: o.Address, Code: true, And: o.and()}, {Text: strings.Join(o.CNAMEs, ", "), Code: true},
			{Text: o.word(), Class: o.class()}, {Text: doing(o.BucketPlan)}, {Text: takes}, {Text: findingCounts(o.Findings)}})
	}
	page.parts(p.Goal, items, nil)
	return htmlFile(title, planTemplate+partsTemplate, page)
}

// RunHTML is a run of apply or rollback as one self-contained HTML file: how it
// ended, what happened when, what was planned. Its error is a fault of the
// program.
func RunHTML(r Run) (string, error) {
	title := "edgeward " + r.command()
	page := planPage{Title: title, Summary: upper(ReportSummary(r.Report)), Times: r.times(), GoOn: goOnLines(r.Report, r.Commands), Waves: htmlWaves(r.Plan, &r.Report), Quotas: htmlQuotas(r.Plan)}
	if r.Approval != nil {
		page.Approved = "Approved " + r.Approval.words() + "."
	}
	items := grouped(outline(r.Plan, &r))
	page.Table.Head = htmlHead("bucket", "names", "outcome", "stage", "why")
	for _, o := range items {
		row := []htmlCell{{Text: o.Address, Code: true, And: o.and()}, {Text: strings.Join(o.CNAMEs, ", "), Code: true}, {Text: o.word(), Class: o.class()}, {}, {}}
		if o.Result != nil {
			row[3].Text = string(withoutHeldStage(*o.Result).Stage)
			row[4].Text, _ = resultWords(*o.Result)
		}
		page.Table.Rows = append(page.Table.Rows, row)
	}
	page.parts(r.Plan.Goal, items, &r.Report)
	return htmlFile(title, planTemplate+partsTemplate, page)
}

func htmlHead(words ...string) []htmlCell {
	var head []htmlCell
	for _, w := range words {
		head = append(head, htmlCell{Text: w})
	}
	return head
}

// upper begins a sentence.
func upper(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

// class is the page's class for where the bucket stands or how it ended.
func (o outlined) class() string {
	if o.Result != nil {
		switch o.Result.Outcome {
		case planner.OutcomeFailed, planner.OutcomeStale, planner.OutcomeBlocked:
			return "broken"
		case planner.OutcomeFinished, planner.OutcomeNothing, planner.OutcomeRolled, planner.OutcomeUnlocked, planner.OutcomeStopped:
			return "same"
		}
		return "changed"
	}
	switch o.Standing {
	case planner.StandBlocked:
		return "broken"
	case planner.StandDone:
		return "same"
	case planner.StandHeld:
		return "changed"
	}
	return ""
}

// grouped are the buckets of a page: of many, those that are alike share a part.
func grouped(items []outlined) []outlined {
	if len(items) < manyBuckets {
		return items
	}
	return alike(items)
}

// and counts the buckets of which the same is said, "" for none.
func (o outlined) and() string {
	if len(o.Alike) == 0 {
		return ""
	}
	return fmt.Sprintf("and %d alike", len(o.Alike))
}

// parts are the buckets of which the table does not say all.
func (page *planPage) parts(g planner.Goal, items []outlined, r *planner.Report) {
	for _, o := range items {
		if len(o.Steps)+len(o.Findings)+len(o.Events)+len(o.Alike) == 0 && (o.Result == nil || settled(o.Result.Outcome)) {
			continue
		}
		part := planPart{Title: o.Address, And: o.and(), Class: o.class(), Headline: o.headline(), Facts: o.facts(g), Findings: worst(o.Findings)}
		part.Open = o.class() == "broken"
		for _, s := range o.Steps {
			part.Steps = append(part.Steps, newPlanStep(s))
		}
		part.StepsTitle = "Steps"
		if r == nil {
			part.Timelines = expected(o.BucketPlan)
		} else {
			part.StepsTitle = "What was planned"
			part.happened(o, *r)
		}
		part.alike(o)
		page.Parts = append(page.Parts, part)
	}
	if len(page.Parts) <= openParts {
		for i := range page.Parts {
			page.Parts[i].Open = true
		}
	}
}

// alike names the other buckets of a part, and says what differs.
func (part *planPart) alike(o outlined) {
	if len(o.others) == 0 {
		return
	}
	first, all := o.places()
	if first != "" {
		part.Where = whereWords(o, first) + " what stands beside their names."
	}
	for _, at := range all {
		for _, x := range at.others {
			words := namesBeside(x.BucketPlan)
			if words != "" && at.Where != "" {
				words += "; "
			}
			part.More = append(part.More, alikeName{x.Address, words + at.Where})
		}
	}
	part.Records = o.patterns()
	for _, names := range o.sharedCertificates() {
		part.Shared = append(part.Shared, strings.Join(ranges(names), ", "))
	}
}

// happened is a bucket's part of a run, or that of all that are alike.
func (part *planPart) happened(o outlined, r planner.Report) {
	events := slices.Clone(o.Events)
	names := map[string][]string{}
	for _, x := range append([]outlined{o}, o.others...) {
		if x.Address != o.Address {
			events = append(events, x.Events...)
		}
		names[x.Address] = append([]string{x.Address, x.Bucket}, x.CNAMEs...)
	}
	slices.SortStableFunc(events, func(a, b planner.Event) int { return a.Time.Compare(b.Time) })
	part.Timelines = actual(events, r)
	if o.Result != nil && len(o.others) == 0 {
		part.Traffic, part.Curves = o.Result.Traffic, svgCurves(o.Result.Traffic)
	}
	if len(events) == 0 {
		return
	}
	if len(o.others) > 0 {
		t := joined(events, names, func(e planner.Event) []string { return []string{happened(e)} })
		part.EventsTitle, part.Events, part.Owns = "What happened to them", t.table("what happened"), t.owns
		return
	}
	part.EventsTitle, part.Events.Head = "All events", htmlHead("time", "step", "what happened")
	for _, e := range events {
		part.Events.Rows = append(part.Events.Rows, []htmlCell{{Text: moment(e.Time), Class: "number"}, {Text: string(e.Kind)}, {Text: happened(e)}})
	}
}

// namesBeside are the names of a bucket that its address does not have.
func namesBeside(bp planner.BucketPlan) string {
	var names []string
	for _, n := range bp.CNAMEs {
		if !strings.Contains(bp.Address, n) {
			names = append(names, n)
		}
	}
	return strings.Join(names, ", ")
}

// facts are the lines at the head of a bucket.
func (o outlined) facts(g planner.Goal) []fact {
	var facts []fact
	add := func(label, text string, code bool) {
		if text != "" {
			facts = append(facts, fact{label, text, code})
		}
	}
	if o.Result != nil {
		why, hint := resultWords(*o.Result)
		add("why", why, false)
		add("hint", hint, false)
	}
	names := strings.Join(o.CNAMEs, ", ")
	add("names", names, true)
	if o.Bucket != names {
		add("bucket", o.Bucket, true)
	}
	add("region", o.Region, true)
	add("wave", o.Wave, false)
	add("traffic", o.shares, false)
	outlook := "outlook"
	if o.Result != nil {
		outlook = "planned"
	}
	add(outlook, outlookWords(g, o.BucketPlan), false)
	command, words := wayBack(g, o.BucketPlan)
	add("way back", command, true)
	add("", words, false)
	return facts
}

func newPlanStep(s planner.Step) planStep {
	x := planStep{Step: s, Sign: actionSign(s.Action), Words: stepWords(s)}
	x.Shown = s.Links[:min(len(s.Links), linksListed)]
	x.More = len(s.Links) - len(x.Shown)
	return x
}

// linksListed is how many test links of a bucket a page lists.
const linksListed = 100

// expected is when the steps of a plan should be, counted from its start, with
// the mixed time; nil when nothing takes time.
func expected(bp planner.BucketPlan) []timeline {
	end := map[planner.Kind]time.Duration{}
	type span struct {
		label, class string
		from, to     time.Duration
	}
	var spans []span
	var total time.Duration
	for _, s := range bp.Steps {
		var from time.Duration
		for _, n := range s.Needs {
			from = max(from, end[n])
		}
		to := from + s.Expect.Duration()
		end[s.Kind] = to
		total = max(total, to)
		spans = append(spans, span{string(s.Kind), string(s.Action), from, to})
		if (s.Kind == planner.DNSSwitch || s.Kind == planner.DNSRestore) && bp.Mixed > 0 {
			mixed := from + bp.Mixed.Duration()
			total = max(total, mixed)
			spans = append(spans, span{"mixed time", "mixed", from, mixed})
		}
	}
	if total <= 0 {
		return nil
	}
	t := timeline{Title: "Expected", Length: Duration(total)}
	for _, s := range spans {
		words := "at " + Duration(s.from)
		if s.to > s.from {
			words = Duration(s.to-s.from) + ", from " + Duration(s.from) + " to " + Duration(s.to)
		}
		if s.class == "mixed" {
			words = "some visitors reach S3, some CloudFront: " + words
		}
		t.Bars = append(t.Bars, newBar(s.label, words, s.class, s.from, s.to, total))
	}
	return []timeline{t}
}

// actual is when the steps of a run were, from its beginning to its end; nil when
// nothing happened.
func actual(events []planner.Event, r planner.Report) []timeline {
	total := r.Ended.Sub(r.Started)
	if total <= 0 || len(events) == 0 {
		return nil
	}
	var order []planner.Kind
	first, last := map[planner.Kind]planner.Event{}, map[planner.Kind]planner.Event{}
	for _, e := range events {
		if e.Kind == "" {
			continue
		}
		if _, ok := first[e.Kind]; !ok {
			order = append(order, e.Kind)
			first[e.Kind] = e
		}
		last[e.Kind] = e
	}
	t := timeline{Title: "What happened when", Length: Duration(total)}
	for _, k := range order {
		class := string(last[k].Status)
		from, to := first[k].Time.Sub(r.Started), last[k].Time.Sub(r.Started)
		if class != string(planner.EventDone) && class != string(planner.EventFailed) {
			to = total // it had not ended
		}
		words := fmt.Sprintf("%s, %s to %s", class, within(r, first[k].Time), within(r, r.Started.Add(to)))
		t.Bars = append(t.Bars, newBar(string(k), words, class, from, to, total))
	}
	if t.Bars == nil {
		return nil
	}
	return []timeline{t}
}

// within is a time of a run, without the date when all of it was on one day.
func within(r planner.Report, t time.Time) string {
	if moment(r.Started)[:10] == moment(r.Ended)[:10] {
		return moment(t)[11:]
	}
	return moment(t)
}

// newBar places a bar; none leaves its track.
func newBar(label, words, class string, from, to, total time.Duration) bar {
	percent := func(d time.Duration) float64 {
		return float64(int64(1000*min(max(float64(d)/float64(total), 0), 1))) / 10
	}
	left := percent(from)
	return bar{Label: label, Words: words, Class: class, Left: left, Width: max(percent(to)-left, 0)}
}

const planTemplate = `<h1>{{.Title}}</h1>
<p><b>{{text .Summary}}</b></p>
{{with .Times}}<p class="soft">{{text .}}</p>
{{end}}{{with .Approved}}<p>{{text .}}</p>
{{end}}{{with .Meaning}}<p>{{text .}}</p>
{{end}}{{range .GoOn}}<p>{{text (index . 0)}}{{with index . 1}}: {{code .}}{{end}}</p>
{{end}}{{range .Findings}}{{template "finding" .}}{{end}}{{if .Waves.Rows}}<div class="cards">{{template "table" .Waves}}</div>
{{end}}{{if .Quotas.Rows}}<div class="cards">{{template "table" .Quotas}}</div>
{{end}}{{if .Table.Rows}}<div class="cards">{{template "table" .Table}}</div>
{{end -}}
`

// ownsTemplate is what was each bucket's own in a run of many.
const ownsTemplate = `{{define "owns"}}{{if .}}<details class="events"><summary>When each step of each bucket was done</summary>
<ul class="owns">
{{range .}}<li>{{code .Address}} {{text .Words}}</li>
{{end}}</ul></details>
{{end}}{{end}}`

// partsTemplate are the buckets of a planPage.
const partsTemplate = `{{range .Parts}}<details class="part"{{if .Open}} open{{end}}><summary><h2>{{code .Title}}{{with .And}} {{.}}{{end}}</h2> <span class="word {{.Class}}">{{text .Headline}}</span></summary>
<dl>
{{range .Facts}}<dt>{{.Label}}</dt><dd>{{if .Code}}{{code .Text}}{{else}}{{text .Text}}{{end}}</dd>
{{end}}</dl>
{{with .More}}<p>The same, each with its own names, IDs and links, for {{len .}} more:</p>
<div class="names" tabindex="0"><ul>
{{range .}}<li>{{code .Address}}{{with .Names}} {{text .}}{{end}}</li>
{{end}}</ul></div>
{{end}}{{with .Where}}<p>{{text .}}</p>
{{end}}{{with .Records}}<p>The records of each, of which NAME is its own name:</p>
<ul>{{range .}}<li>{{text .}}</li>{{end}}</ul>
{{end}}{{with .Shared}}<details><summary>Shared certificates: {{len .}}, each with its names</summary>
<ul>{{range .}}<li>{{text .}}</li>
{{end}}</ul></details>
{{end}}{{range .Findings}}{{template "finding" .}}{{end}}{{range .Timelines}}<h3>{{.Title}}</h3>
<figure class="timeline">
{{range .Bars}}<div class="lane"><span class="label">{{.Label}}</span><span class="track"><span class="bar {{.Class}}" style="margin-left:min({{.Left}}%, 100% - 3px);width:{{.Width}}%"></span></span><span class="soft">{{.Words}}</span></div>
{{end}}<figcaption class="soft">0 to {{.Length}}</figcaption>
</figure>
{{end -}}
{{with .Traffic}}<h3>Traffic</h3>
<p>{{text .Says}}</p>
{{range .Unknown}}<p class="soft">Not known: {{text .}}</p>
{{end}}{{end}}{{.Curves}}{{if .Events.Rows}}<details class="events"><summary>{{.EventsTitle}}</summary>
<div class="cards">{{template "table" .Events}}</div></details>
{{end}}{{template "owns" .Owns}}{{if .Steps}}<h3>{{.StepsTitle}}</h3>
<ol class="steps">
{{range .Steps}}<li><p><span class="sign {{.Action}}">{{.Sign}}</span> <b>{{.Kind}}</b> <span class="soft">{{.Action}}</span></p>
<p>{{text .Words}}</p>
{{range .Changes}}<div class="value"><p>{{text .Path}}</p>
{{if .Before}}<p class="before"><span>−</span> {{code .Before}}</p>
{{end}}{{if .After}}<p class="after"><span>+</span> {{code .After}}</p>
{{end}}</div>
{{end}}{{if .ByHand}}<p>By hand:</p>
{{range .ByHand}}<p class="row">{{code .}}</p>
{{end}}{{end}}{{if .Shown}}<details><summary>Links</summary>
<ul>{{range .Shown}}<li>{{code .}}</li>{{end}}</ul>
{{if .More}}<p>and {{.More}} more</p>{{end}}</details>
{{end}}{{with .Undo}}<p class="soft">Undo: {{text .}}</p>
{{end}}</li>
{{end}}</ol>
{{end}}</details>
{{end}}`
