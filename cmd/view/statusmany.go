package view

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/edgeward/edgeward/planner"
)

// A status of many buckets names at most so many that need a look, and so many
// groups of others.
const (
	statusNamed  = 8
	statusGroups = 16
)

// statusGroup is buckets of which a status says the same.
type statusGroup struct {
	first  planner.BucketStatus
	said   said
	who    []string
	serves string
	// traffic is what was measured of each.
	traffic []*planner.Traffic
	buckets []planner.BucketStatus
}

// statusMany is a status that is one screen: what needs a look by name and with
// its reason, then the others, alike ones together.
func (s Style) statusMany(b *strings.Builder, r planner.StatusReport) {
	all, groups := statusParts(r)
	loud := heldAlike(all)
	width := 0
	for _, l := range loud[:min(len(loud), statusNamed)] {
		width = max(width, utf8.RuneCountInString(l.line().Address))
	}
	width = min(width, 40)
	for _, l := range loud[:min(len(loud), statusNamed)] {
		s.statusLine(b, l.line(), width)
	}
	if len(loud) > statusNamed {
		var names []string
		for _, l := range loud[statusNamed:] {
			names = append(names, l.who...)
		}
		s.hang(b, fmt.Sprintf("and %d more: ", len(names)), 4, someNames(names, 4))
	}
	if len(loud) > 0 && len(groups) > 0 {
		b.WriteByte('\n')
	}
	s.statusTable(b, groups)
	if len(r.Buckets) > 0 {
		b.WriteByte('\n')
		s.hang(b, "", 0, "What each server answers for a bucket: edgeward status -target=ADDR; for all: -html-into=FILE.")
	}
}

// loudly puts drift and the worst finding where a line says why.
func loudly(bs planner.BucketStatus) planner.BucketStatus {
	if n := len(bs.Drift); n > 0 {
		bs.Why = Count(n, "drift") + ": " + bs.Drift[0].Path + " was changed by hand"
		return bs
	}
	if bs.Why == "" && len(bs.Findings) > 0 {
		bs.Why = worst(bs.Findings)[0].Summary
	}
	return bs
}

// statusParts are the buckets that need a look, and the groups of the others in
// the order of the standings, the most first.
func statusParts(r planner.StatusReport) (loud []planner.BucketStatus, groups []*statusGroup) {
	at := map[string]*statusGroup{}
	for _, bs := range driftedFirst(r.Buckets) {
		if len(bs.Drift) > 0 || bs.Standing == planner.StandBlocked || bs.Standing == planner.StandHeld {
			loud = append(loud, bs)
			continue
		}
		names := []string{bs.Address}
		var serves []string
		for _, n := range bs.Names {
			names = append(names, n.Name)
			if !slices.Contains(serves, n.Serves) {
				serves = append(serves, n.Serves)
			}
		}
		words, key := likeWords(bs.Why, names)
		who := strings.Join(serves, ", ")
		key = strings.Join([]string{bs.Wave, string(bs.Standing), string(bs.Stage), who, key}, "\x01")
		if at[key] == nil {
			at[key] = &statusGroup{first: bs, serves: who}
			groups = append(groups, at[key])
		}
		at[key].said.add(bs.Why, words)
		at[key].who = append(at[key].who, bs.Address)
		at[key].traffic = append(at[key].traffic, bs.Traffic)
		at[key].buckets = append(at[key].buckets, bs)
	}
	order := []planner.Standing{planner.StandUnderWay, planner.StandNew, planner.StandDone}
	slices.SortStableFunc(groups, func(a, b *statusGroup) int {
		if d := slices.Index(order, a.first.Standing) - slices.Index(order, b.first.Standing); d != 0 {
			return d
		}
		return len(b.who) - len(a.who)
	})
	return loud, groups
}

// statusTable is a row a group: how many, where they stand, who serves them, then
// why and which they are.
func (s Style) statusTable(b *strings.Builder, groups []*statusGroup) {
	if len(groups) == 0 {
		return
	}
	const count, standing, stage = 7, 11, 22
	serves := len("served by")
	for _, g := range groups {
		serves = max(serves, utf8.RuneCountInString(g.serves))
	}
	waves := slices.ContainsFunc(groups, func(g *statusGroup) bool { return g.first.Wave != "" })
	row := func(n, a, c, d, wave string) string {
		text := fmt.Sprintf("%*s  %s  %s  %s", count, n, pad(a, standing), pad(c, stage), pad(d, serves))
		if waves {
			text += "  " + wave
		}
		return strings.TrimRight(text, " ")
	}
	b.WriteString(s.paint(dim, row("buckets", "standing", "stage", "served by", "wave")) + "\n")
	for _, g := range groups[:min(len(groups), statusGroups)] {
		color := yellow
		if g.first.Standing == planner.StandDone {
			color = green
		}
		line := row(fmt.Sprint(len(g.who)), string(g.first.Standing), string(g.first.Stage), g.serves, g.first.Wave)
		word := pad(string(g.first.Standing), standing)
		b.WriteString(strings.Replace(line, word, s.paint(color, word), 1) + "\n")
		text := someNames(g.who, 3)
		if why := g.said.String(); why != "" {
			text = gist(why) + ": " + text
		}
		if share := shareWords(g.traffic); share != "" {
			text = share + "; " + text
		}
		s.hang(b, strings.Repeat(" ", count+2), count+2, text)
	}
	if more := len(groups) - statusGroups; more > 0 {
		n := 0
		for _, g := range groups[statusGroups:] {
			n += len(g.who)
		}
		fmt.Fprintf(b, "%*d  in %s\n", count, n, Count(more, "more group"))
	}
}

// Fit is text as the lines of a terminal of that size: lines that are too wide end
// early, and of lines that are too many one says how many are left out, before the
// last one, which has the counts.
func Fit(text string, columns, rows int) []string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	if most := rows - 1; len(lines) > most && most > 0 {
		last := lines[len(lines)-1]
		left := len(lines) - most + 1
		if most < 3 {
			lines = append(lines[:most-1:most-1], last)
		} else {
			lines = append(lines[:most-2:most-2], fmt.Sprintf("and %d more lines, on a higher terminal", left), last)
		}
	}
	for i, l := range lines {
		lines[i] = clippedColors(l, columns-1)
	}
	return lines
}

// clippedColors is clipped for a line with colours.
func clippedColors(line string, columns int) string {
	if Columns(line) <= columns {
		return line
	}
	n, escape, out := 0, false, strings.Builder{}
	for _, r := range line {
		switch {
		case r == '\x1b':
			escape = true
		case escape:
			escape = r != 'm'
		default:
			if n += runeColumns(r); n >= columns {
				out.WriteString("…")
				if strings.Contains(line, "\x1b") {
					out.WriteString("\x1b[0m")
				}
				return out.String()
			}
		}
		out.WriteRune(r)
	}
	return out.String()
}
