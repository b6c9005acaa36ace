package view

import (
	"fmt"
	"strings"

	"github.com/edgeward/edgeward/planner"
)

// waveTitle names a wave where it begins a line.
func waveTitle(name string) string {
	if name == "" {
		return "buckets of no wave"
	}
	return "wave " + name
}

// waveWords are how many buckets a wave has to do, when it starts, and how it goes.
func waveWords(p planner.Plan, i int) string {
	w := p.Waves[i]
	if w.Buckets == 0 {
		return "nothing to do"
	}
	text := waveToDo(p, w)
	if w.Switches > 0 {
		text += ", " + counted(w.Switches, "switch", "switches")
	}
	text += "; " + waveStarts(i, w.Soak)
	if w.Parallelism > 0 {
		text += fmt.Sprintf("; %d at the same time", w.Parallelism)
	}
	return text + "; " + waveStops(w)
}

// waveToDo is how many of a wave's buckets have something to do, and of how many
// where that is not all.
func waveToDo(p planner.Plan, w planner.PlanWave) string {
	if all := len(waveBuckets(p, w.Name)); all > w.Buckets {
		return fmt.Sprintf("%d of %s to do", w.Buckets, Count(all, "bucket"))
	}
	return Count(w.Buckets, "bucket") + " to do"
}

// waveBuckets are the addresses of a wave's buckets in a plan.
func waveBuckets(p planner.Plan, name string) (addresses []string) {
	for _, b := range p.Buckets {
		if b.Wave == name {
			addresses = append(addresses, b.Address)
		}
	}
	return addresses
}

// waveStops says after how many failed buckets a wave begins and switches no
// further one.
func waveStops(w planner.PlanWave) string {
	switch {
	case w.MaxFailures == nil:
		return "any number may fail"
	case *w.MaxFailures == 0:
		return "stops when one fails"
	}
	return fmt.Sprintf("stops when more than %d fail", *w.MaxFailures)
}

func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strings.Replace(Count(n, "x"), "xs", many, 1)
}

// waveStarts says when the wave at place i starts.
func waveStarts(i int, soak planner.Seconds) string {
	switch {
	case i == 0:
		return "runs first"
	case soak > 0:
		return "starts when those before are done and have been healthy for " + Duration(soak.Duration())
	}
	return "starts when those before are done"
}

// waveEnd is how a run ended for a wave, in a few words.
func waveEnd(w planner.WaveResult) string {
	text := outcomeWord(w.Outcome)
	if w.Failed > 0 {
		text += ", " + Count(w.Failed, "bucket") + " failed or went back"
	}
	if w.Why != "" {
		text += ": " + w.Why
	}
	return text
}

// waveTimes say when a wave ran, "" when it did not.
func waveTimes(w planner.WaveResult) string {
	if w.Started.IsZero() {
		return ""
	}
	if w.Ended.IsZero() {
		return "from " + moment(w.Started)
	}
	return moment(w.Started) + " to " + moment(w.Ended)
}

// waveNamed is how many names, or ranges of them, a row of a wave shows.
const waveNamed = 6

// waveTable is the waves of a plan, or of the run r of it, for Markdown and HTML:
// the head, then a row a wave; nil without waves.
func waveTable(p planner.Plan, r *planner.Report) (head []string, rows [][]string) {
	if r != nil && len(r.Waves) > 0 {
		for _, w := range r.Waves {
			rows = append(rows, []string{upper(waveTitle(w.Name)), Count(w.Buckets, "bucket"), waveEnd(w), waveTimes(w)})
		}
		return []string{"wave", "has", "ended", "ran"}, rows
	}
	for i, w := range p.Waves {
		at := ""
		if w.Parallelism > 0 {
			at = fmt.Sprintf("%d at the same time, ", w.Parallelism)
		}
		rows = append(rows, []string{upper(waveTitle(w.Name)), waveToDo(p, w) + ", " + counted(w.Switches, "switch", "switches"),
			upper(waveStarts(i, w.Soak)), at + waveStops(w), someNames(ranges(waveBuckets(p, w.Name)), waveNamed)})
	}
	return []string{"wave", "has", "starts", "goes", "buckets"}, rows
}

// markdownWaves is that table in Markdown.
func markdownWaves(page *markdownPage, p planner.Plan, r *planner.Report) {
	head, rows := waveTable(p, r)
	if rows == nil {
		return
	}
	rule := make([]string, len(head))
	for i := range rule {
		rule[i] = "---"
	}
	text := "\n" + markdownRow(head...) + markdownRow(rule...)
	for _, row := range rows {
		for i := range row {
			row[i] = markdownText(short(row[i]))
		}
		text += markdownRow(row...)
	}
	page.add(text, "")
}

// htmlWaves is that table in HTML.
func htmlWaves(p planner.Plan, r *planner.Report) htmlTable {
	head, rows := waveTable(p, r)
	var t htmlTable
	if rows == nil {
		return t
	}
	t.Head = htmlHead(head...)
	for _, row := range rows {
		var cells []htmlCell
		for _, text := range row {
			cells = append(cells, htmlCell{Text: text})
		}
		t.Rows = append(t.Rows, cells)
	}
	return t
}
