package view

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/edgeward/edgeward/planner"
)

// together is what events of many buckets say when those that are alike are said
// once: a moment for each, in the order of time, and what is each bucket's own.
type together struct {
	moments []*togetherMoment
	// owns are in the order of the buckets.
	owns []togetherOwn
}

// togetherMoment is one thing that happened to buckets in the same words.
type togetherMoment struct {
	kind     planner.Kind
	status   planner.EventStatus
	from, to time.Time
	cells    []likeCell
	// who, times and differs have an element for each event: the address, when it
	// was, and the words that are not those of all others.
	who     []string
	times   []time.Time
	differs [][]string
}

// togetherOwn is one bucket's part: when each of its moments was, with what was
// its own in it.
type togetherOwn struct {
	Address string
	Words   string
}

// likeCell joins texts that are alike but for the words that differ.
type likeCell struct {
	first []string
	same  []bool
}

// likeCellWords are the words of a text without the bucket's own names, and a key
// that is the same for texts that are alike.
func likeCellWords(text string, names []string) (words []string, key string) {
	text = visible(text)
	for _, n := range longestFirst(names) {
		text = replaceWord(text, n, own)
	}
	words = strings.Fields(text)
	keys := slices.Clone(words)
	for i, w := range words {
		if sign(w) {
			keys[i] = own
		}
		words[i] = strings.ReplaceAll(w, own, "…")
	}
	return words, strings.Join(keys, " ")
}

func longestFirst(names []string) []string {
	names = slices.Clone(names)
	slices.SortStableFunc(names, func(a, b string) int { return len(b) - len(a) })
	return names
}

// add takes in a text of which the key is that of the others.
func (c *likeCell) add(words []string) {
	if c.first == nil {
		c.first, c.same = words, make([]bool, len(words))
		for i := range c.same {
			c.same[i] = true
		}
	}
	for i := range c.first {
		c.same[i] = c.same[i] && i < len(words) && words[i] == c.first[i]
	}
}

// String is what the texts share, with "…" for what differs.
func (c *likeCell) String() string {
	words := slices.Clone(c.first)
	for i, same := range c.same {
		if !same {
			_, tail := unpunctuated(words[i])
			words[i] = "…" + tail
		}
	}
	return strings.Join(words, " ")
}

// joined joins events of the buckets. cells are the texts that are said of an
// event; names are the bucket's own, by address.
func joined(events []planner.Event, names map[string][]string, cells func(planner.Event) []string) together {
	var all together
	at := map[string]*togetherMoment{}
	words := map[*togetherMoment][][][]string{}
	for _, e := range events {
		var said [][]string
		key := string(e.Kind) + "\x01" + string(e.Status)
		for _, text := range cells(e) {
			w, k := likeCellWords(text, names[e.Address])
			said = append(said, w)
			key += "\x01" + k
		}
		m := at[key]
		if m == nil {
			m = &togetherMoment{kind: e.Kind, status: e.Status, from: e.Time, to: e.Time, cells: make([]likeCell, len(said))}
			at[key] = m
			all.moments = append(all.moments, m)
		}
		for i, w := range said {
			m.cells[i].add(w)
		}
		words[m] = append(words[m], said)
		m.who = append(m.who, e.Address)
		m.times = append(m.times, e.Time)
		if e.Time.Before(m.from) {
			m.from = e.Time
		}
		if e.Time.After(m.to) {
			m.to = e.Time
		}
	}
	slices.SortStableFunc(all.moments, func(a, b *togetherMoment) int { return a.from.Compare(b.from) })
	for _, m := range all.moments {
		for _, said := range words[m] {
			m.differs = append(m.differs, m.differing(said))
		}
	}
	all.each()
	return all
}

// differing are the words of one event that are not those of all others.
func (m *togetherMoment) differing(said [][]string) (out []string) {
	for i, words := range said {
		for j, w := range words {
			if j >= len(m.cells[i].same) || !m.cells[i].same[j] {
				w, _ = unpunctuated(w)
				out = append(out, w)
			}
		}
	}
	return slices.Compact(out)
}

// each finds what is each bucket's own: what is over or failed, not what was
// begun or waited for. The date stands where it changes, and a word once.
func (t *together) each() {
	type part struct {
		m *togetherMoment
		i int
	}
	parts := map[string][]part{}
	for _, m := range t.moments {
		if m.status == planner.EventStarted || m.status == planner.EventWaiting {
			continue
		}
		for i, a := range m.who {
			parts[a] = append(parts[a], part{m, i})
		}
	}
	for _, a := range slices.Sorted(maps.Keys(parts)) {
		all := parts[a]
		slices.SortStableFunc(all, func(x, y part) int { return x.m.times[x.i].Compare(y.m.times[y.i]) })
		seen := map[string]bool{}
		var said []string
		day := ""
		for _, p := range all {
			date, clock, _ := strings.Cut(moment(p.m.times[p.i]), " ")
			if date != day {
				day, clock = date, date+" "+clock
			}
			text := strings.TrimSpace(string(p.m.kind) + " " + clock)
			if p.m.status != planner.EventDone {
				text += " " + string(p.m.status)
			}
			words := slices.DeleteFunc(slices.Clone(p.m.differs[p.i]), func(w string) bool { return seen[w] })
			for _, w := range words {
				seen[w] = true
			}
			if len(words) > 0 {
				text += " (" + strings.Join(words, " ") + ")"
			}
			said = append(said, text)
		}
		t.owns = append(t.owns, togetherOwn{a, strings.Join(said, ", ")})
	}
}

// when is the time of a moment, from the first bucket to the last.
func (m *togetherMoment) when() string {
	from, to := moment(m.from), moment(m.to)
	switch {
	case from == to:
		return from
	case from[:10] == to[:10]:
		return from + " to " + to[11:]
	}
	return from + " to " + to
}

// buckets are whose moment it was: by name where they are few.
func (m *togetherMoment) buckets() string {
	who := slices.Clone(m.who)
	slices.Sort(who)
	who = slices.Compact(who)
	if len(who) <= 3 {
		return strings.Join(who, ", ")
	}
	return fmt.Sprintf("%d buckets", len(who))
}

// table is a table of the moments: time, buckets, stage, then the cells.
func (t together) table(head ...string) htmlTable {
	table := htmlTable{Head: htmlHead(append([]string{"time", "buckets", "stage"}, head...)...)}
	for _, m := range t.moments {
		row := []htmlCell{{Text: m.when()}, {Text: m.buckets()}, {Text: string(m.kind)}}
		for i := range m.cells {
			row = append(row, htmlCell{Text: m.cells[i].String()})
		}
		table.Rows = append(table.Rows, row)
	}
	return table
}

// namesOf are the own names of the buckets of a plan, by address.
func namesOf(p planner.Plan) map[string][]string {
	names := map[string][]string{}
	for _, bp := range p.Buckets {
		names[bp.Address] = append([]string{bp.Address, bp.Bucket}, bp.CNAMEs...)
	}
	return names
}
