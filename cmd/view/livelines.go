package view

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/edgeward/edgeward/planner"
)

// liveLine is a line of the screen: a head in a colour of its own, then text.
type liveLine struct{ head, color, text string }

// section is a part of the screen.
type section struct {
	lines []liveLine
	// more says what the last line says when not all lines fit; n are left out.
	more func(n int) liveLine
	// brief stands in when not all lines fit, nil where lines are left out instead.
	brief []liveLine
	// least is how many lines it keeps on a small screen, give is in which order
	// sections get more, 0 first.
	least, give int
}

// fit is the section in n lines.
func (s section) fit(n int) []liveLine {
	switch {
	case n <= 0:
		return nil
	case len(s.lines) <= n:
		return s.lines
	case s.brief != nil:
		return s.brief[:min(n, len(s.brief))]
	case n == 1 && s.more != nil && len(s.lines) > 1:
		first := s.lines[0]
		first.text = fmt.Sprintf("  (1 of %d)%s", len(s.lines), first.text)
		return []liveLine{first}
	}
	out := slices.Clone(s.lines[:n-1])
	return append(out, s.more(len(s.lines)-n+1))
}

// Lines is the screen at the time now, for a terminal of columns and rows: never
// more lines than rows less one, and none wider than columns less one. What a
// person has to act on stands first and is left out last.
func (l *Live) Lines(now time.Time, rates []LiveRate, columns, rows int) []string {
	if columns < 2 || rows < 2 {
		return nil
	}
	width := columns - 1
	sections := []section{l.head(now, rates, width), l.failures(width), l.hand(width, rows), l.waveLines(now)}
	table := []section{l.waitLines(now), l.stageTable(width), rateLines(rates)}
	if each := l.each(); each != nil {
		all := slices.Concat(sections, []section{*each, rateLines(rates)})
		if height(all) < rows {
			sections, table = all, nil
		}
	}
	sections = append(sections, table...)
	return l.draw(sections, width, rows-1)
}

// height is how many lines sections take with an empty line between them.
func height(sections []section) int {
	n := -1
	for _, s := range sections {
		if len(s.lines) > 0 {
			n += len(s.lines) + 1
		}
	}
	return n
}

// draw shares rows among the sections and paints them.
func (l *Live) draw(sections []section, width, rows int) []string {
	spaced := height(sections) <= rows
	share := make([]int, len(sections))
	left := rows
	give := func(most func(section) int) {
		for g := range len(sections) {
			for i, s := range sections {
				if s.give != g {
					continue
				}
				n := max(min(most(s), len(s.lines))-share[i], 0)
				n = min(n, left)
				share[i] += n
				left -= n
			}
		}
	}
	give(func(s section) int { return s.least })
	give(func(s section) int { return len(s.lines) })
	var out []string
	for i, s := range sections {
		lines := s.fit(share[i])
		if spaced && len(out) > 0 && len(lines) > 0 {
			out = append(out, "")
		}
		for _, line := range lines {
			out = append(out, l.paint(line, width))
		}
	}
	return out
}

func (l *Live) paint(line liveLine, width int) string {
	plain := clipped(visible(line.head+line.text), width)
	if n := len(line.head); line.color != "" && strings.HasPrefix(plain, line.head) {
		return l.style.paint(line.color, plain[:n]) + plain[n:]
	}
	return plain
}

// head says how far the run is and how long it still takes.
func (l *Live) head(now time.Time, rates []LiveRate, width int) section {
	n := l.counts()
	text := fmt.Sprintf("%d of %d done", n[liveDone], len(l.buckets))
	for _, state := range []string{liveFailed, liveBack, liveHand, liveWaits, liveDoing, liveToCome} {
		if n[state] > 0 {
			text += fmt.Sprintf(", %d %s", n[state], plural(state, n[state]))
		}
	}
	first := strings.ToLower(title(l.goal)) + ": " + text
	second := Duration(now.Sub(l.started).Truncate(time.Second)) + " so far, " + l.remaining(now, rates).words(now)
	// On a narrow screen both go on below, where there is room.
	s := section{least: 2, brief: []liveLine{{head: first, color: bold}, {text: "  " + second}}}
	for i, line := range Wrap(first, width) {
		if i > 0 {
			line = "  " + line
		}
		s.lines = append(s.lines, liveLine{head: line, color: bold})
	}
	for _, line := range Wrap(second, width-2) {
		s.lines = append(s.lines, liveLine{text: "  " + line})
	}
	return s
}

func plural(state string, n int) string {
	if state == liveWaits && n != 1 {
		return "wait"
	}
	return state
}

// failures are the buckets that failed, those of one cause together.
func (l *Live) failures(width int) section {
	type cause struct {
		said  said
		who   []string
		stage planner.Kind
		word  string
	}
	at := map[string]*cause{}
	var all []*cause
	for _, b := range l.buckets {
		if !b.failed {
			continue
		}
		word := liveFailed
		switch {
		case b.home:
			word = liveBack
		case b.back != "":
			word = "going back"
		}
		words, key := likeWords(b.why, b.names())
		key = word + " " + string(b.stage) + " " + key
		if at[key] == nil {
			at[key] = &cause{stage: b.stage, word: word}
			all = append(all, at[key])
		}
		at[key].said.add(b.why, words)
		at[key].who = append(at[key].who, b.Address)
	}
	slices.SortStableFunc(all, func(a, b *cause) int { return len(b.who) - len(a.who) })
	s := section{least: 2, give: 1, more: func(n int) liveLine {
		return liveLine{head: "  and " + Count(n, "cause") + " more", color: red}
	}}
	for _, c := range all {
		text := "  "
		if c.stage != "" {
			text += string(c.stage) + ": "
		}
		text += c.said.String()
		head := fmt.Sprintf("%d %s", len(c.who), c.word)
		if len(c.who) == 1 {
			head = clipped(c.who[0], max(width/3, 16)) + " " + c.word
		} else {
			text += ": " + someNames(c.who, 3)
		}
		s.lines = append(s.lines, liveLine{head: head, color: red, text: text})
	}
	return s
}

// someNames are the first names, and how many more there are.
func someNames(names []string, most int) string {
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most-1], ", "), len(names)-most+1)
}

// hand is what people have to do, in full where there is room: a row of a zone
// file stays on one line.
func (l *Live) hand(width, rows int) section {
	s := section{least: 2, give: 1, more: func(n int) liveLine {
		return liveLine{head: fmt.Sprintf("  and %d more to do by hand, as said above", n), color: yellow}
	}}
	for _, b := range l.buckets {
		at := b.now()
		if b.state() != liveHand || at == nil {
			continue
		}
		rowsOf := strings.Join(at.byHand, "; ")
		if b.failed || rowsOf == "" {
			rowsOf = at.why
		}
		head := "by hand  " + b.Address + " " + string(at.Kind)
		if text := "  " + rowsOf; Columns(head+text) <= width || rows < 20 {
			s.lines = append(s.lines, liveLine{head: head, color: yellow, text: text})
			continue
		}
		s.lines = append(s.lines, liveLine{head: head, color: yellow})
		wrapped := Wrap(rowsOf, max(width-2, 1))
		if slices.ContainsFunc(wrapped, func(row string) bool { return Columns(row) > width-2 }) {
			wrapped = []string{rowsOf} // it fits in no way; what was written above has all of it
		}
		for _, row := range wrapped {
			s.lines = append(s.lines, liveLine{text: "  " + row})
		}
	}
	return s
}

// waveLines are the waves: those that are done share a line, those to come too
// where there are many.
func (l *Live) waveLines(now time.Time) section {
	s := section{least: 1, give: 2, more: func(n int) liveLine { return liveLine{text: fmt.Sprintf("  and %d more waves", n)} }}
	if len(l.waves) < 2 {
		return s
	}
	var done []string
	var rest []liveLine
	for _, w := range l.waves {
		line, over := l.waveLine(w, now)
		if over {
			done = append(done, waveTitle(w.Name))
			continue
		}
		rest = append(rest, line)
	}
	// The first that is not done is the one to look at.
	s.lines = rest
	if done != nil {
		s.lines = append(s.lines, liveLine{head: strings.Join(done, ", "), color: green, text: "  done"})
	}
	return s
}

func (l *Live) waveLine(w liveWave, now time.Time) (line liveLine, over bool) {
	done, failed, all, begun := 0, 0, 0, false
	for _, b := range l.buckets {
		if b.Wave != w.Name {
			continue
		}
		all++
		switch b.state() {
		case liveDone:
			done++
		case liveFailed, liveBack:
			failed++
		}
		begun = begun || b.state() != liveToCome
	}
	color, word := "", "to come"
	if w.Soak > 0 {
		word += ", soak " + Duration(w.Soak.Duration())
	}
	switch {
	case w.status == planner.EventDone || w.status == "" && all > 0 && done == all:
		return line, true
	case w.status == planner.EventFailed:
		color, word = red, "stopped"
	case w.status == planner.EventWaiting:
		color, word = yellow, "waits"
		if w.why != "" {
			word += ": " + w.why
		}
		if !w.until.IsZero() && !strings.Contains(w.why, "until ") {
			word += ", until " + day(w.until, now)
		}
	case w.status == planner.EventStarted || begun:
		color, word = cyan, "runs"
	}
	text := fmt.Sprintf("  %d of %d done", done, all)
	if failed > 0 {
		text += fmt.Sprintf(", %d failed", failed)
	}
	if w.status == planner.EventFailed && w.why != "" {
		text += ": " + strings.TrimPrefix(w.why, waveTitle(w.Name)+": ")
	}
	return liveLine{head: waveTitle(w.Name) + "  " + word, color: color, text: text}, false
}

// waitLines are what the buckets wait for, alike ones together.
func (l *Live) waitLines(now time.Time) section {
	s := section{least: 2, give: 2, more: func(n int) liveLine { return liveLine{text: fmt.Sprintf("  and %d more reasons to wait", n)} }}
	for _, g := range l.waits() {
		s.lines = append(s.lines, g.line(now))
	}
	return s
}

// line says it, such as "212 wait  distribution.deployed: until every edge has it".
func (g *waitGroup) line(now time.Time) liveLine {
	head := fmt.Sprintf("%d wait", g.said.n)
	if g.said.n == 1 {
		head = g.addresses[0] + " waits"
	}
	text := "  " + string(g.kind) + ": " + g.said.String()
	switch {
	case g.until.IsZero():
	case g.said.n > 1:
		text += ", the last until " + day(g.until, now)
	default:
		text += ", until " + day(g.until, now)
	}
	return liveLine{head: head, color: yellow, text: text}
}

// stageTable counts the buckets by stage; on a narrow or low screen it only says
// where they are.
func (l *Live) stageTable(width int) section {
	const stage, column = 21, 9
	s := section{least: 1, give: 3}
	count := map[planner.Kind]map[string]int{}
	for _, k := range l.kinds {
		count[k] = map[string]int{}
	}
	for _, b := range l.buckets {
		for k, st := range b.steps {
			switch {
			case st.status == planner.EventDone:
				count[k][liveDone]++
			case b.failed && b.stage == k:
				count[k][liveFailed]++
			case b.failed || b.ended:
			case st.status == planner.EventStarted:
				count[k][liveDoing]++
			case st.status == planner.EventWaiting:
				count[k][liveWaits]++
			default:
				count[k][liveToCome]++
			}
		}
	}
	columns := []string{liveDone, liveDoing, liveWaits, liveToCome, liveFailed}
	row := func(first string, cell func(string) string) string {
		text := pad(first, stage)
		for _, c := range columns {
			text += fmt.Sprintf("%*s", column+1, cell(c))
		}
		return strings.TrimRight(text, " ")
	}
	head := liveLine{head: row("stage", func(c string) string { return c }), color: dim}
	s.lines = append(s.lines, head)
	var at []string
	for _, k := range l.kinds {
		s.lines = append(s.lines, liveLine{text: row(string(k), func(c string) string {
			if n := count[k][c]; n > 0 {
				return fmt.Sprint(n)
			}
			return ""
		})})
		if n := count[k][liveDoing] + count[k][liveWaits]; n > 0 {
			at = append(at, fmt.Sprintf("%s %d", k, n))
		}
	}
	s.brief = []liveLine{}
	if at != nil {
		for _, line := range Wrap("at "+strings.Join(at, ", "), width) {
			s.brief = append(s.brief, liveLine{text: line, color: dim})
		}
	}
	if width < Columns(head.head) {
		s.lines = s.brief
	}
	return s
}

// rateLines are how the APIs are asked: those that were refused for their rate
// first.
func rateLines(rates []LiveRate) section {
	s := section{give: 4, more: func(n int) liveLine { return liveLine{text: fmt.Sprintf("  and %d more APIs", n), color: dim} }}
	rates = slices.Clone(rates)
	rates = slices.DeleteFunc(rates, func(r LiveRate) bool { return r.Requests == 0 && r.Waiting == 0 })
	slices.SortStableFunc(rates, func(a, b LiveRate) int {
		if d := b.Throttled - a.Throttled; d != 0 {
			return d
		}
		return strings.Compare(a.API, b.API)
	})
	for _, r := range rates {
		text := fmt.Sprintf("%s, at most %s a second", Count(r.Requests, "request"), decimal(r.PerSecond))
		if r.Waiting > 0 {
			turn := "%d wait for their turn"
			if r.Waiting == 1 {
				turn = "%d waits for its turn"
			}
			text += ", " + fmt.Sprintf(turn, r.Waiting)
		}
		color := dim
		if r.Throttled > 0 {
			color = yellow
			text += fmt.Sprintf(", %d refused for their rate", r.Throttled)
		}
		s.lines = append(s.lines, liveLine{head: "api  " + pad(r.API, 20), color: color, text: "  " + text})
	}
	return s
}

// decimal is f with one digit behind the point where it has any.
func decimal(f float64) string { return strings.TrimSuffix(fmt.Sprintf("%.1f", f), ".0") }

// each is a line a bucket, of a run of few; nil for many.
func (l *Live) each() *section {
	const most = 40
	if len(l.buckets) > most {
		return nil
	}
	s := &section{least: 1, give: 2}
	width := 0
	for _, b := range l.buckets {
		width = max(width, Columns(b.Address))
	}
	for _, b := range l.buckets {
		color := yellow
		text := ""
		at, state := b.now(), b.state()
		switch {
		case state == liveDone:
			color, text = green, liveDone
		case state == liveFailed || state == liveBack:
			color, text = red, state
		case at != nil:
			text = string(at.Kind)
			if at.status != "" && at.why != "" && state != liveHand {
				text += ": " + at.why
			}
		}
		s.lines = append(s.lines, liveLine{
			head:  pad(b.Address, min(width, 36)) + fmt.Sprintf("  %2d of %-2d", len(b.Steps)-b.left, len(b.Steps)),
			color: color, text: "  " + text})
	}
	return s
}
