package view

import (
	"fmt"
	"strings"
	"time"

	"github.com/edgeward/edgeward/planner"
)

// How often progress speaks: one line a waiting step in waitEvery, one line
// of counts in countEvery.
const (
	waitEvery  = 30 * time.Second
	countEvery = time.Minute
)

// manyBuckets is from how many on a log has a line a change, and none a wait: what
// the buckets wait for stands with the counts, alike ones together.
const manyBuckets = 11

// waitsCounted is how many reasons to wait stand with the counts.
const waitsCounted = 5

// Progress turns the events of an apply into lines, for a log or a pipe. It is not
// safe for use by several goroutines at once.
type Progress struct {
	style   Style
	total   int
	buckets map[string]*bucketProgress
	waits   map[string]time.Time // the last line of a waiting step
	counted time.Time
	began   time.Time // the first time that was said
	live    *Live
}

type bucketProgress struct {
	left    int
	waiting map[planner.Kind]bool
	ended   bool
	failed  bool
}

// NewProgress begins the progress of p. Buckets with no steps are not counted.
func NewProgress(p planner.Plan, s Style) *Progress {
	pr := &Progress{style: s, buckets: map[string]*bucketProgress{}, waits: map[string]time.Time{}, live: NewLive(p, time.Time{}, s)}
	for _, bp := range p.Buckets {
		if len(bp.Steps) > 0 && bp.Standing != planner.StandBlocked && bp.Standing != planner.StandHeld {
			pr.buckets[bp.Address] = &bucketProgress{left: len(bp.Steps), waiting: map[planner.Kind]bool{}}
			pr.total++
		}
	}
	return pr
}

// Event is the text that e adds to the progress, "" when it adds none.
func (p *Progress) Event(e planner.Event) string {
	if p.counted.IsZero() {
		p.counted = e.Time
	}
	p.count(e)
	p.live.Event(e)
	var b strings.Builder
	if p.speaks(e) {
		p.line(&b, e)
	}
	b.WriteString(p.Tick(e.Time))
	return b.String()
}

// Tick is the line of counts when the last one is a minute old at the time now,
// else "".
func (p *Progress) Tick(now time.Time) string {
	if p.counted.IsZero() {
		p.counted = now.Add(-countEvery)
	}
	if now.Sub(p.counted) < countEvery {
		return ""
	}
	p.counted = now
	return p.Counts(now)
}

func (p *Progress) count(e planner.Event) {
	b := p.buckets[e.Address]
	if b == nil {
		return
	}
	switch e.Status {
	case planner.EventWaiting:
		b.waiting[e.Kind] = true
	case planner.EventDone, planner.EventFailed:
		delete(b.waiting, e.Kind)
		if e.Status == planner.EventFailed {
			b.failed = true
		} else if b.left--; e.Kind == "" || b.left == 0 {
			b.ended = true
		}
	}
}

func (p *Progress) speaks(e planner.Event) bool {
	if e.ByHand != nil || e.Address == "" && e.Status != planner.EventWaiting {
		return true
	}
	if p.total >= manyBuckets && e.Address != "" {
		return p.speaksOfMany(e)
	}
	if e.Status != planner.EventWaiting {
		return true
	}
	key := e.Address + " " + e.Wave + " " + string(e.Kind)
	if last, ok := p.waits[key]; ok && e.Time.Sub(last) < waitEvery {
		return false
	}
	p.waits[key] = e.Time
	return true
}

// speaksOfMany says whether e has a line when there are many buckets: what was
// changed or compared has, what began or is waited for has none.
func (p *Progress) speaksOfMany(e planner.Event) bool {
	switch e.Status {
	case planner.EventStarted, planner.EventWaiting:
		return false
	case planner.EventDone:
		b := p.live.at[e.Address]
		if b == nil || b.steps[e.Kind] == nil {
			return true
		}
		return b.steps[e.Kind].Action != planner.Wait
	}
	return true
}

func (p *Progress) line(b *strings.Builder, e planner.Event) {
	if e.Address == "" {
		p.waveLine(b, e)
		return
	}
	subject := p.style.paint(bold, e.Address)
	if e.Kind != "" {
		subject += " " + string(e.Kind)
	}
	color := ""
	switch e.Status {
	case planner.EventDone:
		color = green
	case planner.EventFailed:
		color = red
	case planner.EventWaiting, planner.EventNote:
		color = dim
	}
	word := string(e.Status)
	if color != "" {
		word = p.style.paint(color, word)
	}
	fmt.Fprintf(b, "%s %s: %s", p.clock(e.Time), subject, word)
	if e.Why != "" {
		b.WriteString(", " + e.Why)
	}
	if e.Until != nil && !strings.Contains(e.Why, "until ") {
		b.WriteString(", until " + day(*e.Until, e.Time))
	}
	b.WriteByte('\n')
}

// waveLine is what happened to a wave. Its reason is mostly a sentence that begins
// with the wave; that is said once.
func (p *Progress) waveLine(b *strings.Builder, e planner.Event) {
	why := e.Why
	for _, subject := range []string{waveTitle(e.Wave), "the " + waveTitle(e.Wave)} {
		if rest, ok := strings.CutPrefix(why, subject); ok {
			for _, verb := range []string{" begins: ", " is ", ": "} {
				rest = strings.TrimPrefix(rest, verb)
			}
			why = rest
		}
	}
	text := string(e.Status)
	if why != "" {
		text += ", " + why
	}
	if e.Until != nil && !strings.Contains(why, "until ") {
		text += ", until " + day(*e.Until, e.Time)
	}
	fmt.Fprintf(b, "%s %s: %s\n", p.clock(e.Time), p.style.paint(bold, waveTitle(e.Wave)), text)
}

// Counts is the line that says how far the run is at the time now.
func (p *Progress) Counts(now time.Time) string {
	done, waiting, failed := 0, 0, 0
	for _, b := range p.buckets {
		switch {
		case b.failed:
			failed++
		case b.ended:
			done++
		case len(b.waiting) > 0:
			waiting++
		}
	}
	line := fmt.Sprintf("%s %d of %d done, %d waiting", p.clock(now), done, p.total, waiting)
	if failed > 0 {
		line += fmt.Sprintf(", %d failed", failed)
	}
	line += "\n"
	if p.total >= manyBuckets {
		groups := p.live.waits()
		for _, g := range groups[:min(len(groups), waitsCounted)] {
			l := g.line(now)
			line += "         " + l.head + l.text + "\n"
		}
		if more := len(groups) - waitsCounted; more > 0 {
			line += fmt.Sprintf("         and %d more reasons to wait\n", more)
		}
	}
	return line
}

// clock is the time of a line, with its day once that is another than the first
// line's.
func (p *Progress) clock(t time.Time) string {
	if p.began.IsZero() {
		p.began = t
	}
	return day(t, p.began)
}

// clockTime is a time of the day where the time came from.
func clockTime(t time.Time) string { return t.Format("15:04:05") }
