// Package view turns the planner's values into what people and programs read:
// text, JSON lines and the live screen of the demo. Its functions take values
// and return text; they know no clock, no file and no terminal but the Style
// they are given.
package view

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// DefaultWidth is the width of text that does not go to a terminal.
const DefaultWidth = 80

// Style is how text is to look. The zero value is plain text of DefaultWidth.
type Style struct {
	// Color allows ANSI colours; never set it for output that is not a terminal.
	Color bool
	// Width is the number of columns; 0 means DefaultWidth.
	Width int
}

// The ANSI colours in use [ECMA-48, SGR].
const (
	bold   = "1"
	dim    = "2"
	red    = "31"
	green  = "32"
	yellow = "33"
	cyan   = "36"
)

func (s Style) paint(code, text string) string {
	if !s.Color || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (s Style) width() int {
	if s.Width <= 0 {
		return DefaultWidth
	}
	return max(s.Width, 40)
}

// Wrap breaks text into lines of at most width columns. A word that is longer
// than a line stays whole, so that names and commands can be copied, and so does
// a row of a zone file between quotes.
func Wrap(text string, width int) []string {
	var lines []string
	for _, paragraph := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
		line := ""
		for _, word := range words(paragraph) {
			if line == "" {
				line = word
				continue
			}
			if utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width {
				lines = append(lines, line)
				line = word
				continue
			}
			line += " " + word
		}
		lines = append(lines, line)
	}
	return lines
}

// words parts a paragraph at its spaces, but not within quotes that hold a row
// of a zone file, such as "www.example.com. 60 IN CNAME example.net.".
func words(paragraph string) []string {
	var all []string
	parts := strings.Split(paragraph, `"`)
	quoted := func(i int) bool { return i%2 == 1 && i+1 < len(parts) && strings.Contains(parts[i], " IN ") }
	open := false // the last word goes on: no space has followed it
	for i, part := range parts {
		if i > 0 && !quoted(i) && !quoted(i-1) {
			part = `"` + part
		}
		fields := strings.Fields(part)
		if quoted(i) {
			fields = []string{`"` + part + `"`}
		}
		if open && len(fields) > 0 && strings.TrimLeftFunc(part, unicode.IsSpace) == part {
			all[len(all)-1] += fields[0]
			fields = fields[1:]
		}
		all = append(all, fields...)
		if part != "" {
			open = len(all) > 0 && strings.TrimRightFunc(part, unicode.IsSpace) == part
		}
	}
	return all
}

// hang writes text behind first, wrapped to the style's width; the further
// lines are indented by as many columns as first has. plain is the number of
// columns of first, which may hold colour codes.
func (s Style) hang(b *strings.Builder, first string, plain int, text string) {
	lines := Wrap(text, max(s.width()-plain, 20))
	for i, line := range lines {
		if i == 0 {
			b.WriteString(strings.TrimRight(first+line, " "))
		} else {
			b.WriteString(strings.Repeat(" ", plain) + line)
		}
		b.WriteByte('\n')
	}
}

// pad fills text with spaces up to n columns.
func pad(text string, n int) string {
	if missing := n - utf8.RuneCountInString(text); missing > 0 {
		return text + strings.Repeat(" ", missing)
	}
	return text
}
