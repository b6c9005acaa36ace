package view

import (
	"fmt"

	"github.com/edgeward/edgeward/planner"
	"github.com/edgeward/edgeward/planner/proof"
)

// verifyPage is what the template of the HTML report reads.
type verifyPage struct {
	Summary, Verdict string
	Table            htmlTable
	Blocks           []verifyBlock
}

// verifyBlock is a bucket there.
type verifyBlock struct {
	Title, Class, Headline string
	Facts                  []fact
	Findings               []planner.Finding
	Groups                 []verifyGroup
	Expected               htmlTable
	Targets                htmlTable
}

// verifyGroup are the causes of one verdict.
type verifyGroup struct {
	Title, Class string
	Causes       []verifyCause
}

// verifyCause is a cause with its differences.
type verifyCause struct {
	cause
	Table htmlTable
}

// VerifyHTML is the report as one self-contained HTML file. Its error is a
// fault of the program.
func VerifyHTML(r planner.VerifyReport) (string, error) {
	page := verifyPage{Summary: VerifySummary(r), Verdict: verifyVerdict(r)}
	what := "bucket"
	for _, b := range worstFirst(proofBlocks(r)) {
		if b.Address == "" {
			what = "sites"
		}
		page.Table.Rows = append(page.Table.Rows, []htmlCell{{Text: b.title(), Code: true}, {Text: b.word(), Class: b.class()},
			number(b.counts[proof.Broken]), number(b.counts[proof.Changed]), number(b.counts[proof.Expected]), number(len(b.Targets)), number(b.Requests)})
		page.Blocks = append(page.Blocks, htmlBlock(b))
	}
	page.Table.Head = []htmlCell{{Text: what}, {Text: "verdict"}}
	for _, word := range []string{"broken", "changed", "expected", "paths", "requests"} {
		page.Table.Head = append(page.Table.Head, htmlCell{Text: word, Class: "number"})
	}
	return htmlFile("edgeward verify: "+page.Verdict, verifyTemplate, page)
}

func number(n int) htmlCell { return htmlCell{Text: fmt.Sprint(n), Class: "number"} }

// class is the page's class for the verdict of a block.
func (b proofBlock) class() string {
	switch {
	case b.Compared:
		return string(b.Verdict)
	case b.Failed:
		return string(proof.Broken)
	}
	return string(proof.Changed)
}

func htmlBlock(b proofBlock) verifyBlock {
	block := verifyBlock{Title: b.title(), Class: b.class(), Headline: b.headline(), Facts: b.facts(), Findings: b.Findings}
	for _, g := range []struct {
		title  string
		class  proof.Verdict
		causes []cause
	}{{"Broken: a visitor does not get what S3 gives", proof.Broken, b.Broken},
		{"Changed: visitors see it, and still get the object", proof.Changed, b.Changed}} {
		if len(g.causes) == 0 {
			continue
		}
		group := verifyGroup{Title: g.title, Class: string(g.class)}
		for _, c := range g.causes {
			x := verifyCause{cause: c, Table: htmlTable{Head: []htmlCell{{Text: "path"}, {Text: "request"}, {Text: "left"}, {Text: "right"}}}}
			for _, d := range c.Items {
				x.Table.Rows = append(x.Table.Rows, []htmlCell{{Text: d.Path, Code: true}, {Text: requestWords(d)},
					{Text: orNone(d.Left), Code: true}, {Text: orNone(d.Right), Code: true}})
			}
			group.Causes = append(group.Causes, x)
		}
		block.Groups = append(block.Groups, group)
	}
	if len(b.Expected) > 0 {
		block.Expected.Head = []htmlCell{{Text: "aspect"}, {Text: "times", Class: "number"}, {Text: "first path"}, {Text: "expected because"}}
	}
	for _, k := range b.Expected {
		block.Expected.Rows = append(block.Expected.Rows, []htmlCell{{Text: string(k.Aspect)}, number(k.Count), {Text: k.Path, Code: true}, {Text: k.Source}})
	}
	if len(b.Targets) > 0 {
		block.Targets.Head = []htmlCell{{Text: "path"}, {Text: "chosen because"}, {Text: "size", Class: "number"}}
	}
	for _, t := range b.Targets {
		size := ""
		if t.Size >= 0 {
			size = Bytes(t.Size)
		}
		block.Targets.Rows = append(block.Targets.Rows, []htmlCell{{Text: t.Path, Code: true}, {Text: t.Why}, {Text: size, Class: "number"}})
	}
	return block
}

const verifyTemplate = `<h1>edgeward verify: <span class="word {{.Verdict}}">{{.Verdict}}</span></h1>
<p>{{text .Summary}}</p>
{{if .Table.Rows}}{{template "table" .Table}}{{end -}}
{{range .Blocks}}<section>
<h2>{{code .Title}}</h2>
<p><span class="word {{.Class}}">{{text .Headline}}</span></p>
<dl>
{{range .Facts}}<dt>{{.Label}}</dt><dd>{{if .Code}}{{code .Text}}{{else}}{{text .Text}}{{end}}</dd>
{{end}}</dl>
{{range .Findings}}<article class="{{.Severity}}"><h4><span class="word {{.Severity}}">{{.Severity}}</span> {{text .Summary}}</h4>
<p>{{text .Detail}}</p></article>
{{end}}{{range .Groups}}<h3>{{.Title}}</h3>
{{$class := .Class}}{{range .Causes}}<article class="{{$class}}"><h4>{{.Aspect}}</h4>
<p>{{text .Means}}</p>
{{with .Mend}}<p><b>To mend it:</b> {{text .}}</p>
{{end}}{{template "table" .Table}}</article>
{{end}}{{end}}{{if .Expected.Rows}}<details><summary>Expected differences, named with their source</summary>
{{template "table" .Expected}}</details>
{{end}}{{if .Targets.Rows}}<details><summary>The paths, and why each was chosen</summary>
{{template "table" .Targets}}</details>
{{end}}</section>
{{end}}`
