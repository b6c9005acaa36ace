package view

import (
	"fmt"
	"strings"
	"time"

	"github.com/edgeward/edgeward/planner/proof"
)

// barEvery is how often the bar of a terminal is drawn anew at most.
const barEvery = 100 * time.Millisecond

// VerifyProgress turns the progress of a comparison into a bar on a terminal,
// or into a line a minute elsewhere. It is not safe for use by several
// goroutines at once.
type VerifyProgress struct {
	style   Style
	live    bool
	sites   map[string]proof.Progress
	drawn   bool
	last    time.Time
	started bool
}

// NewVerifyProgress begins a progress at the time now. live is for a terminal
// that understands control sequences, whose width is the style's.
func NewVerifyProgress(s Style, live bool, now time.Time) *VerifyProgress {
	return &VerifyProgress{style: s, live: live, sites: map[string]proof.Progress{}, last: now}
}

// Update takes the progress of one bucket ("" for two sites) and is the text to
// write, "" for none.
func (v *VerifyProgress) Update(now time.Time, address string, p proof.Progress) string {
	v.sites[address] = p
	every := countEvery
	if v.live {
		every = barEvery
	}
	if now.Sub(v.last) < every && (v.started || !v.live) {
		return ""
	}
	v.started, v.last = true, now
	all := proof.Progress{}
	for _, p := range v.sites {
		all.Done += p.Done
		all.Targets += p.Targets
		all.Requests += p.Requests
		all.Bytes += p.Bytes
		all.Differences += p.Differences
	}
	if !v.live {
		return clockTime(now) + " " + progressWords(all) + "\n"
	}
	v.drawn = true
	return "\r\x1b[K" + v.bar(all)
}

// Clear is the text that takes the bar away, "" when there is none [ECMA-48: EL].
func (v *VerifyProgress) Clear() string {
	if !v.drawn {
		return ""
	}
	v.drawn = false
	return "\r\x1b[K"
}

func progressWords(p proof.Progress) string {
	return fmt.Sprintf("%d of %s compared, %s, %s, %s", p.Done, Count(p.Targets, "path"), Count(p.Requests, "request"), Bytes(p.Bytes),
		Count(p.Differences, "difference"))
}

// bar is one line that is shorter than the terminal is wide.
func (v *VerifyProgress) bar(p proof.Progress) string {
	const columns = 20
	full := 0
	if p.Targets > 0 {
		full = min(p.Done*columns/p.Targets, columns)
	}
	done, rest := strings.Repeat("█", full), strings.Repeat("░", columns-full)
	// Differences stand first: the end is cut where the terminal is narrow.
	words := fmt.Sprintf("  %d of %s, %s, %s, %s", p.Done, Count(p.Targets, "path"), Count(p.Differences, "difference"),
		Count(p.Requests, "request"), Bytes(p.Bytes))
	width := v.style.Width
	if width <= 0 {
		width = DefaultWidth
	}
	if room := width - 1 - 2 - columns; room > 20 {
		return "  " + v.style.paint(green, done) + rest + cut(words, room)
	}
	return cut(strings.TrimSpace(words), max(width-1, 1))
}
