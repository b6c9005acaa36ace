package view

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/edgeward/edgeward/planner"
)

// recordPage is what the template of the HTML of a record reads.
type recordPage struct {
	Summary, Times string
	Notes          []string
	GoOn           [][2]string
	Table          htmlTable
	Runs           []recordPart
}

// recordPart is a run there.
type recordPart struct {
	planPage
	Head             []fact
	Changes, Answers htmlTable
	// Owns are, of many buckets, each one's own times and values.
	Owns []togetherOwn
}

// RecordHTML is a record as one self-contained HTML file: how it ended for each
// bucket, then each run with who approved it, what it found before it began, all
// that it changed and what the servers answered. Its error is a fault of the
// program.
func RecordHTML(rec Record) (string, error) {
	page := recordPage{Summary: upper(rec.outcomes()) + ".", Times: rec.times(), Notes: rec.Notes, GoOn: rec.further()}
	page.Table.Head = htmlHead("bucket", "names", "ended", "why", "switched", "went back", "run")
	for _, row := range rec.rows() {
		b, why := row.first, row.why.String()
		end := outlined{Result: &b.Result}
		page.Table.Rows = append(page.Table.Rows, []htmlCell{{Text: b.Result.Address, Code: true, And: row.and()}, {Text: strings.Join(b.CNAMEs, ", "), Code: true},
			{Text: end.headline(), Class: end.class()}, {Text: why}, {Text: row.switched.words()}, {Text: row.back.words()}, {Text: b.File}})
	}
	for _, r := range rec.Runs {
		page.Runs = append(page.Runs, newRecordPart(r))
	}
	return htmlFile("edgeward report", recordTemplate, page)
}

// newRecordPart is a run of a record.
func newRecordPart(r RecordRun) recordPart {
	part := recordPart{planPage: planPage{Title: r.File, Findings: worst(r.Run.Plan.Findings), Waves: htmlWaves(r.Run.Plan, &r.Run.Report), Quotas: htmlQuotas(r.Run.Plan)}}
	for _, h := range r.head() {
		part.Head = append(part.Head, fact{h[0], h[1], h[0] == "configuration"})
	}
	items := grouped(outline(r.Run.Plan, &r.Run))
	if changes, answers := changesOf(r.Run), answersOf(r.Run); len(r.Run.Plan.Buckets) >= manyBuckets {
		part.together(changes, answers, namesOf(r.Run.Plan))
	} else {
		part.each(changes, answers)
	}
	part.parts(r.Run.Plan.Goal, items, &r.Run.Report)
	if part.Owns != nil {
		for i := range part.Parts { // they stand with the run
			part.Parts[i].Owns = nil
		}
	}
	return part
}

// each has a row for every change and every answer.
func (part *recordPart) each(changes, answers []planner.Event) {
	part.Changes.Head = htmlHead("time", "bucket", "stage", "what", "before", "after")
	for _, c := range changes {
		before, after := beforeAfter(c.Changes)
		part.Changes.Rows = append(part.Changes.Rows, []htmlCell{{Text: moment(c.Time), Class: "number"}, {Text: c.Address, Code: true},
			{Text: string(c.Kind)}, {Text: happened(c)}, {Text: before, Code: true}, {Text: after, Code: true}})
	}
	part.Answers.Head = htmlHead("time", "bucket", "stage", "what was found")
	for _, e := range answers {
		part.Answers.Rows = append(part.Answers.Rows, []htmlCell{{Text: moment(e.Time), Class: "number"}, {Text: e.Address, Code: true},
			{Text: string(e.Kind)}, {Text: happened(e)}})
	}
}

// together has a row for what many buckets have alike, and a line for each bucket
// with the times and the values that are its own.
func (part *recordPart) together(changes, answers []planner.Event, names map[string][]string) {
	changed := joined(changes, names, func(e planner.Event) []string {
		before, after := beforeAfter(e.Changes)
		return []string{happened(e), before, after}
	})
	found := joined(answers, names, func(e planner.Event) []string { return []string{happened(e)} })
	part.Changes, part.Answers = changed.table("what", "before", "after"), found.table("what was found")
	both := together{moments: append(changed.moments, found.moments...)}
	both.each()
	part.Owns = both.owns
}

// recordRow is a row of a record's table: a bucket, or of many all that ended
// alike.
type recordRow struct {
	first          RecordBucket
	n              int
	why            likeCell
	switched, back timeSpan
}

// timeSpan is from the first of some times to the last; the zero value has none.
type timeSpan struct{ from, to time.Time }

func (s *timeSpan) add(t time.Time) {
	if t.IsZero() {
		return
	}
	if s.from.IsZero() || t.Before(s.from) {
		s.from = t
	}
	if t.After(s.to) {
		s.to = t
	}
}

// words are it, "" for none.
func (s timeSpan) words() string {
	from, to := stamp(s.from), stamp(s.to)
	switch {
	case from == to:
		return from
	case from[:10] == to[:10]:
		return from + " to " + to[11:]
	}
	return from + " to " + to
}

func (r recordRow) and() string {
	if r.n < 2 {
		return ""
	}
	return fmt.Sprintf("and %d alike", r.n-1)
}

// rows are the buckets of a record in their order, of many those that ended alike
// together.
func (rec Record) rows() (rows []*recordRow) {
	at := map[string]*recordRow{}
	for i, b := range rec.Buckets {
		why, _ := resultWords(b.Result)
		words, key := likeCellWords(why, append([]string{b.Result.Address}, b.CNAMEs...))
		key = strings.Join([]string{string(b.Result.Outcome), string(b.Result.Stage), b.File, fmt.Sprint(b.Switched.IsZero(), b.Back.IsZero()), key}, "\x01")
		if len(rec.Buckets) < manyBuckets {
			words, key = []string{why}, fmt.Sprint(i)
		}
		row := at[key]
		if row == nil {
			row = &recordRow{first: b}
			at[key] = row
			rows = append(rows, row)
		}
		row.n++
		row.why.add(words)
		row.switched.add(b.Switched)
		row.back.add(b.Back)
	}
	slices.SortStableFunc(rows, func(a, b *recordRow) int {
		if len(rec.Buckets) < manyBuckets {
			return 0
		}
		return outlined{Result: &a.first.Result}.rank() - outlined{Result: &b.first.Result}.rank()
	})
	return rows
}

// stamp is a time to the second, "" for none.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return moment(t)
}

// beforeAfter are the values before and after, those of several paths below each
// other.
func beforeAfter(changes []planner.ValueChange) (before, after string) {
	var b, a []string
	for _, c := range changes {
		path := ""
		if len(changes) > 1 {
			path = c.Path + ": "
		}
		b, a = append(b, path+orAbsent(c.Before)), append(a, path+orAbsent(c.After))
	}
	return strings.Join(b, "; "), strings.Join(a, "; ")
}

const recordTemplate = `<h1>edgeward report</h1>
<p><b>{{text .Summary}}</b></p>
<p class="soft">{{text .Times}}</p>
{{range .Notes}}<article class="warning"><h4><span class="word warning">note</span> {{text .}}</h4></article>
{{end}}{{range .GoOn}}<p>{{text (index . 0)}}{{with index . 1}}: {{code .}}{{end}}</p>
{{end}}{{if .Table.Rows}}<div class="cards">{{template "table" .Table}}</div>
{{end}}{{range .Runs}}<section><h2>{{code .Title}}</h2>
<dl>
{{range .Head}}<dt>{{.Label}}</dt><dd>{{if .Code}}{{code .Text}}{{else}}{{text .Text}}{{end}}</dd>
{{end}}</dl>
{{range .Findings}}{{template "finding" .}}{{end}}{{if .Waves.Rows}}<div class="cards">{{template "table" .Waves}}</div>
{{end}}{{if .Quotas.Rows}}<div class="cards">{{template "table" .Quotas}}</div>
{{end}}{{if .Changes.Rows}}<h3>Changes</h3>
<div class="cards">{{template "table" .Changes}}</div>
{{end}}{{if .Answers.Rows}}<details><summary>Checks, and what servers answered</summary>
<div class="cards">{{template "table" .Answers}}</div></details>
{{end}}{{template "owns" .Owns}}` + partsTemplate + `</section>
{{end}}`

// RecordMarkdown is a record for an issue or a change request, at most
// MarkdownLimit characters; what is cut is counted and named.
func RecordMarkdown(rec Record) string {
	p := newMarkdownPage("report")
	p.end("## edgeward report: " + rec.outcomes() + "\n\n" + rec.times() + "\n")
	for _, n := range rec.Notes {
		p.add("\n**note**: "+markdownText(clip(n))+"\n", "")
	}
	for _, line := range rec.further() {
		text := "\n" + line[0] + ":\n\n" + fence("sh", line[1]+"\n")
		if line[1] == "" {
			text = "\n" + line[0] + "\n"
		}
		if len(text) > nameShare {
			text = "\n" + line[0] + ": the command names too many buckets for a comment; `-html-into=FILE` has it.\n"
		}
		p.add(text, "")
	}
	p.recordTable(rec)
	var cut cutParts
	changes, answers := 0, 0
	p.limit = MarkdownLimit - nameShare
	for _, r := range rec.Runs {
		var head strings.Builder
		fmt.Fprintf(&head, "\n### %s\n\n", markdownCode(short(r.File)))
		for _, h := range r.head() {
			fmt.Fprintf(&head, "- %s: %s\n", h[0], markdownText(clip(h[1])))
		}
		if !p.add(head.String(), "") {
			cut.buckets = append(cut.buckets, r.File)
			continue
		}
		cut.findings += p.recordFindings(r.Run.Plan)
		markdownWaves(p, r.Run.Plan, &r.Run.Report)
		markdownQuotas(p, r.Run.Plan)
		changes += p.recordChanges(r.Run)
		answers += p.recordAnswers(r.Run)
		for _, res := range r.Run.Report.Results {
			if res.Traffic != nil && !p.add("\n<details><summary>Traffic of "+htmlCode(short(res.Address))+"</summary>\n"+markdownTraffic(res.Traffic)+markdownFold, "") {
				answers++
			}
		}
	}
	p.limit = 0
	p.recordCut(cut, changes, answers)
	return p.String()
}

// recordTable is a row a bucket, those that ended well and alike together.
func (p *markdownPage) recordTable(rec Record) {
	if len(rec.Buckets) == 0 {
		return
	}
	p.end("\n" + markdownRow("bucket", "ended", "why", "switched", "run") + markdownRow("---", "---", "---", "---", "---"))
	ordered := slices.Clone(rec.Buckets)
	slices.SortStableFunc(ordered, func(a, b RecordBucket) int {
		return outlined{Result: &a.Result}.rank() - outlined{Result: &b.Result}.rank()
	})
	var left []string
	for _, b := range ordered {
		why, _ := resultWords(b.Result)
		when := stamp(b.Switched)
		if !b.Back.IsZero() {
			when += ", back " + stamp(b.Back)
		}
		row := markdownRow(markdownCode(short(b.Result.Address)), strong(outlined{Result: &b.Result}.headline(), !settled(b.Result.Outcome)),
			markdownText(short(why)), when, markdownCode(short(b.File)))
		if left == nil && p.count+len(row) < tableShare && p.add(row, "") {
			continue
		}
		left = append(left, b.Result.Address)
	}
	if left != nil {
		p.name("\nAnd "+Count(len(left), "more bucket")+": ", ranges(left), nameShare, ".\n")
	}
}

// recordFindings are what a plan found before its run, those of several buckets
// once, and how many did not fit.
func (p *markdownPage) recordFindings(plan planner.Plan) (left int) {
	all := slices.Clone(plan.Findings)
	buckets := map[string]int{}
	key := func(f planner.Finding) string { return f.Code + "\x00" + f.Summary }
	for _, bp := range plan.Buckets {
		for _, f := range bp.Findings {
			if buckets[key(f)]++; buckets[key(f)] == 1 {
				all = append(all, f)
			}
		}
	}
	if len(all) > 0 {
		p.add("\n**Found before the first change**\n\n", "")
	}
	for _, f := range worst(all) {
		if n := buckets[key(f)]; n > 1 {
			f.Summary += " (" + Count(n, "bucket") + ")"
		}
		if !p.add(markdownFinding(f), "") {
			left++
		}
	}
	return left
}

// recordChanges is a table of what a run changed, and how many did not fit.
func (p *markdownPage) recordChanges(r Run) (left int) {
	all := changesOf(r)
	if len(all) == 0 {
		return 0
	}
	if !p.add("\n<details><summary>"+Count(len(all), "change")+"</summary>\n\n"+markdownRow("time", "bucket", "stage", "before", "after")+markdownRow("---", "---", "---", "---", "---"), markdownFold) {
		return len(all)
	}
	for _, c := range all {
		before, after := beforeAfter(c.Changes)
		if after == "" {
			after = happened(c)
		}
		if !p.add(markdownRow(moment(c.Time), markdownCode(short(c.Address)), string(c.Kind), markdownCode(short(before)), markdownCode(short(after))), markdownFold) {
			left++
		}
	}
	p.end("\n" + markdownFold)
	return left
}

// recordAnswers is a table of what a run found, and how many did not fit.
func (p *markdownPage) recordAnswers(r Run) (left int) {
	all := answersOf(r)
	if len(all) == 0 {
		return 0
	}
	if !p.add("\n<details><summary>Checks, and what servers answered</summary>\n\n"+markdownRow("time", "bucket", "stage", "what was found")+markdownRow("---", "---", "---", "---"), markdownFold) {
		return len(all)
	}
	for _, e := range all {
		if !p.add(markdownRow(moment(e.Time), markdownCode(short(e.Address)), string(e.Kind), markdownText(short(happened(e)))), markdownFold) {
			left++
		}
	}
	p.end("\n" + markdownFold)
	return left
}

// recordCut says what did not fit.
func (p *markdownPage) recordCut(cut cutParts, changes, answers int) {
	var left []string
	for _, x := range []struct {
		n    int
		noun string
	}{{changes, "change"}, {answers, "answer"}, {cut.findings, "finding"}} {
		if x.n > 0 {
			left = append(left, Count(x.n, x.noun))
		}
	}
	if len(left)+len(cut.buckets) == 0 {
		return
	}
	p.end("\nA comment may not be longer. `-html-into=FILE` and `-json-into=FILE` have all.")
	if left != nil {
		p.end(" Left out here: " + strings.Join(left, ", ") + ".")
	}
	p.end("\n")
	if cut.buckets != nil {
		p.name("\nWithout a part of their own here, "+Count(len(cut.buckets), "run")+": ", cut.buckets, nameShare, ".\n")
	}
}
