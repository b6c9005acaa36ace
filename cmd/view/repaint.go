package view

import (
	"fmt"
	"strings"

	"golang.org/x/text/width"
)

// Repaint draws frames over each other on a terminal, below all that was written
// before. It sets no mode of the terminal that would have to be taken back, so
// whatever ends the process, the screen is only a frame longer. The zero value
// has drawn nothing. It is not safe for use by several goroutines at once.
type Repaint struct {
	drawn []int // the columns of each line
}

// The control functions in use [ECMA-48: CUU, EL, ED]; what lies between begin and
// end is shown at once where the terminal can do that (DEC private mode 2026,
// which the others pass over).
const (
	frameBegin = "\x1b[?2026h"
	frameEnd   = "\x1b[?2026l"
	clearLine  = "\x1b[K"
	clearBelow = "\x1b[J"
)

// Draw is what a terminal that is now columns wide is to be sent to show lines in
// place of those before. No line may be wider than the terminal.
func (r *Repaint) Draw(lines []string, columns int) string {
	var b strings.Builder
	b.WriteString(frameBegin + r.up(columns))
	r.drawn = r.drawn[:0]
	for _, l := range lines {
		b.WriteString(l + clearLine + "\n")
		r.drawn = append(r.drawn, Columns(l))
	}
	b.WriteString(clearBelow + frameEnd)
	return b.String()
}

// Erase is what it is to be sent to show nothing in place of the last frame, ""
// when there is none.
func (r *Repaint) Erase(columns int) string {
	if len(r.drawn) == 0 {
		return ""
	}
	text := r.up(columns) + clearBelow
	r.drawn = nil
	return text
}

// up goes back to the first line of the frame. Terminals fold lines anew when they
// become narrower, so a line may have become several.
func (r *Repaint) up(columns int) string {
	rows := 0
	for _, n := range r.drawn {
		rows++
		if columns > 0 && n > columns {
			rows += (n - 1) / columns
		}
	}
	if rows == 0 {
		return "\r"
	}
	return fmt.Sprintf("\r\x1b[%dA", rows)
}

// Columns is how many columns of a terminal text takes, its colours left out.
func Columns(text string) int {
	n := 0
	escape := false
	for _, r := range text {
		switch {
		case r == '\x1b':
			escape = true
		case escape:
			escape = r != 'm'
		default:
			n += runeColumns(r)
		}
	}
	return n
}

// runeColumns is 2 for what East Asian terminals draw wide [Unicode UAX #11]. What
// combines counts as 1: a line that is too short harms nothing.
func runeColumns(r rune) int {
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}

// clipped is plain text of at most so many columns.
func clipped(text string, columns int) string {
	if Columns(text) <= columns {
		return text
	}
	n, out := 0, strings.Builder{}
	for _, r := range text {
		if n += runeColumns(r); n >= columns {
			break
		}
		out.WriteRune(r)
	}
	if columns <= 0 {
		return ""
	}
	return out.String() + "…"
}
