package view

import (
	"fmt"
	"html/template"
	"strings"
)

// htmlCell is a cell of an htmlTable. Its text is escaped.
type htmlCell struct {
	Text string
	// Code is for what can be typed or copied. Class is one of the page's classes:
	// a verdict, or "number".
	Code  bool
	Class string
	// And is a word behind it, such as how many more are alike.
	And string
}

// htmlTable is a table of a page; the template "table" draws it.
type htmlTable struct {
	Head []htmlCell
	Rows [][]htmlCell
}

// htmlFile is one self-contained HTML file: no script, no font, no picture and
// nothing fetched. body is a template in the sense of html/template, which
// escapes data where it stands; it may use {{template "table" x}} with an
// htmlTable, {{code x}} for text that must be shown exactly as it is, and
// {{text x}} for sentences.
func htmlFile(title, body string, data any) (string, error) {
	t := template.New("page").Funcs(template.FuncMap{
		"text": visible,
		"code": func(s string) template.HTML { return template.HTML(htmlCode(s)) },
	})
	for _, part := range []string{htmlPage, htmlTableTemplate, htmlFindingTemplate, ownsTemplate, `{{define "body"}}` + body + `{{end}}`} {
		var err error
		if t, err = t.Parse(part); err != nil {
			return "", fmt.Errorf("read template of %s: %w", title, err)
		}
	}
	var b strings.Builder
	err := t.Execute(&b, map[string]any{"Title": title, "Style": template.CSS(htmlStyle), "Data": data})
	if err != nil {
		return "", fmt.Errorf("write page %s: %w", title, err)
	}
	return b.String(), nil
}

// htmlCode is text shown exactly as it is, in HTML.
func htmlCode(text string) string {
	return "<code>" + template.HTMLEscapeString(visible(text)) + "</code>"
}

const htmlPage = `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="generator" content="edgeward">
<title>{{.Title}}</title>
<style>{{.Style}}</style>
</head>
<body>
<main>
{{template "body" .Data -}}
</main>
</body>
</html>
`

const htmlTableTemplate = `{{define "cell"}}{{if .Code}}{{code .Text}}{{else}}{{text .Text}}{{end}}{{with .And}} {{text .}}{{end}}{{end -}}
{{define "table"}}<div class="wide"><table>
<thead><tr>{{range .Head}}<th scope="col"{{with .Class}} class="{{.}}"{{end}}>{{template "cell" .}}</th>{{end}}</tr></thead>
<tbody>
{{$head := .Head}}{{range .Rows}}<tr>{{range $i, $c := .}}{{with $c}}<td{{with .Class}} class="{{.}}"{{end}} data-label="{{(index $head $i).Text}}">{{template "cell" .}}</td>{{end}}{{end}}</tr>
{{end}}</tbody>
</table></div>
{{end}}`

// htmlFindingTemplate is a finding of a plan.
const htmlFindingTemplate = `{{define "finding"}}<article class="{{.Severity}}"><h4><span class="word {{.Severity}}">{{.Severity}}</span> {{text .Summary}}</h4>
<p>{{text .Detail}}</p>
<p class="soft">{{code .Code}}</p></article>
{{end}}`

// htmlStyle is for phones and wide screens, light, dark and on paper.
const htmlStyle = `
:root { color-scheme: light dark; --text: #1b1f24; --soft: #57606a; --ground: #ffffff; --block: #f6f8fa; --line: #d0d7de;
  --good: #1a6e34; --odd: #8a5a00; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --text: #e6edf3; --soft: #9da7b1; --ground: #0d1117; --block: #161b22; --line: #30363d;
  --good: #5fd07d; --odd: #e3b341; --bad: #ff8a80; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--text); font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width: 70rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: .5rem 0; }
h2 { font-size: 1.25rem; line-height: 1.3; margin: 2rem 0 .5rem; padding-top: 1rem; border-top: 1px solid var(--line); overflow-wrap: anywhere; }
h3 { font-size: 1rem; margin: 1.25rem 0 .5rem; overflow-wrap: anywhere; }
p { margin: .4rem 0; overflow-wrap: anywhere; }
code { font: .875em/1.4 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; overflow-wrap: anywhere; white-space: pre-wrap; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; margin: .75rem 0; font-size: .9375rem; }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem; border-bottom: 1px solid var(--line); }
th { color: var(--soft); font-weight: 600; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem .75rem; margin: .5rem 0; }
dt { color: var(--soft); }
dd { margin: 0; min-width: 0; overflow-wrap: anywhere; }
article { background: var(--block); border: 1px solid var(--line); border-left: .3rem solid var(--line); border-radius: .3rem;
  margin: .6rem 0; padding: .6rem .8rem; }
article h4 { font-size: 1rem; margin: 0; font-weight: 600; overflow-wrap: anywhere; }
article.broken, article.error { border-left-color: var(--bad); }
article.changed, article.warning { border-left-color: var(--odd); }
.soft { color: var(--soft); }
.same, .expected { color: var(--good); }
.changed.word, td.changed, .warning.word { color: var(--odd); }
.broken.word, td.broken, .error.word { color: var(--bad); }
.word { font-weight: 700; }
details { margin: .75rem 0; }
summary { cursor: pointer; padding: .25rem 0; }
details.part { border-top: 1px solid var(--line); margin: 0; padding: .5rem 0; }
details.part > summary h2 { display: inline; border: 0; margin: 0; padding: 0; font-size: 1.1rem; }
.steps { padding-left: 1.6rem; }
.steps > li { margin: .9rem 0; }
.steps ul { padding-left: 1.2rem; }
.sign { display: inline-block; width: 1.4em; text-align: center; font-weight: 700; font-family: ui-monospace, Menlo, Consolas, monospace; }
.sign.create, .after span { color: var(--good); }
.sign.change { color: var(--odd); }
.sign.remove, .before span { color: var(--bad); }
.value { display: grid; grid-template-columns: minmax(0, 11rem) minmax(0, 1fr); gap: 0 .8rem; margin: .15rem 0; border-left: .2rem solid var(--line); padding-left: .6rem; }
.value p { margin: .05rem 0; grid-column: 2; }
.value p:first-child { color: var(--soft); font-size: .875rem; grid-column: 1; grid-row: 1 / span 2; }
.cards td { overflow-wrap: anywhere; }
.cards td.number { white-space: nowrap; }
.cards td.same, .cards td.changed, .cards td.broken { overflow-wrap: normal; }
@media screen and (min-width: 40.01rem) { .cards td { max-width: 24rem; } .cards td, .cards td code { overflow-wrap: break-word; } }
.before, .after { padding-left: 1.2em; text-indent: -1.2em; }
.before span, .after span { font-weight: 700; }
.row { padding-left: 1.2em; }
.names { max-height: 18rem; overflow-y: auto; margin: .5rem 0; padding: .5rem .8rem; font-size: .9375rem;
  background: var(--block); border: 1px solid var(--line); border-radius: .3rem; }
.names ul { columns: 20rem; margin: 0; padding: 0; list-style: none; }
.names li, .owns li { overflow-wrap: anywhere; break-inside: avoid; }
.owns { padding-left: 1.2rem; font-size: .9375rem; }
.timeline { margin: .5rem 0; }
.lane { display: grid; grid-template-columns: 11rem minmax(6rem, 1fr) minmax(0, 1.2fr); gap: .1rem .8rem; align-items: center; padding: .15rem 0; font-size: .875rem; }
.lane > * { overflow-wrap: anywhere; min-width: 0; }
.track { display: block; background: var(--block); border: 1px solid var(--line); border-radius: .2rem; height: 1rem; overflow: hidden; }
.bar { display: block; height: 100%; min-width: 3px; max-width: 100%; background: var(--soft); print-color-adjust: exact; -webkit-print-color-adjust: exact; }
.bar.create, .bar.change, .bar.remove, .bar.done { background: var(--good); }
.bar.failed { background: var(--bad); }
.bar.mixed, .bar.waiting, .bar.started { background: repeating-linear-gradient(45deg, var(--odd) 0 4px, transparent 4px 8px); }
.curves svg { width: 100%; height: auto; } .axis { fill: none; stroke: var(--line); }
.curve { fill: none; stroke-width: 2; vector-effect: non-scaling-stroke; } .curve.cloudfront { stroke: var(--good); } .curve.s3 { stroke: var(--odd); stroke-dasharray: 6 4; }
.key.cloudfront { color: var(--good); } .key.s3 { color: var(--odd); }
@media (max-width: 40rem) { th, td { padding: .3rem .35rem; font-size: .875rem; } dl { grid-template-columns: 1fr; } dd { margin-bottom: .3rem; }
  .lane { grid-template-columns: 1fr; padding: .3rem 0; } .track { order: 3; }
  .value { grid-template-columns: minmax(0, 1fr); } .value p, .value p:first-child { grid-column: 1; grid-row: auto; }
  :is(article, .cards) :is(table, tbody, tr, td) { display: block; } :is(article, .cards) thead { display: none; }
  :is(article, .cards) tr { border-bottom: 1px solid var(--line); padding: .3rem 0; }
  :is(article, .cards) td { border: 0; padding: .1rem 0; text-align: left; } .cards td:empty { display: none; }
  :is(article, .cards) td[data-label]::before { content: attr(data-label) " "; color: var(--soft); } }
@media print { :root { color-scheme: light; --text: #000; --soft: #444; --ground: #fff; --block: #fff; --line: #999; --good: #000; --odd: #000; --bad: #000; }
  main { max-width: none; padding: 0; } article { break-inside: avoid; } h2 { break-after: avoid; } .wide { overflow: visible; } .names { max-height: none; overflow: visible; }
  details::details-content { content-visibility: visible; display: block; } }
`
