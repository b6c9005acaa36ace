package view

import (
	"errors"
	"io"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"golang.org/x/term"
)

// IsTerminal says whether stream is a terminal.
func IsTerminal(stream any) bool {
	f, ok := stream.(interface{ Fd() uintptr })
	return ok && term.IsTerminal(int(f.Fd()))
}

// StyleOf is the style for w: plain in DefaultWidth when it is no terminal.
// plain switches colours off.
func StyleOf(w io.Writer, plain bool) Style {
	if !IsTerminal(w) {
		return Style{}
	}
	s := Style{Color: !plain}
	if f, ok := w.(interface{ Fd() uintptr }); ok {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil {
			s.Width = min(width, 120)
		}
	}
	return s
}

// Diagnostics writes findings about configuration with their source lines.
// What is about a file as a whole, or about one that does not exist, names no
// line.
func Diagnostics(w io.Writer, files map[string]*hcl.File, diags hcl.Diagnostics, s Style) error {
	var shown hcl.Diagnostics
	for _, d := range diags {
		if d.Subject != nil && d.Subject.End.Byte == 0 && files[d.Subject.Filename] == nil {
			whole := *d
			whole.Subject, whole.Context = nil, nil
			d = &whole
		}
		shown = append(shown, d)
	}
	diags = shown
	return hcl.NewDiagnosticTextWriter(w, files, uint(s.width()), s.Color).WriteDiagnostics(diags)
}

// Error is an error as people read it, with the hints of its chain on lines of
// their own, without a newline at its end.
func Error(err error, s Style) string {
	var b strings.Builder
	b.WriteString(s.paint(red, "error:") + " " + err.Error())
	for _, hint := range Hints(err) {
		b.WriteString("\n" + s.paint(cyan, "hint:") + " " + hint)
	}
	return b.String()
}

// Hints are those of err and of all it wraps, outermost first, each once.
func Hints(err error) []string {
	var found []string
	seen := map[string]bool{}
	var walk func(error)
	walk = func(err error) {
		if err == nil {
			return
		}
		if h, ok := err.(interface{ Hint() string }); ok && h.Hint() != "" && !seen[h.Hint()] {
			seen[h.Hint()] = true
			found = append(found, h.Hint())
		}
		if many, ok := err.(interface{ Unwrap() []error }); ok {
			for _, e := range many.Unwrap() {
				walk(e)
			}
			return
		}
		walk(errors.Unwrap(err))
	}
	walk(err)
	return found
}

// Size is how many columns and rows the terminal of stream has; 80 by 24 where it
// does not say.
func Size(stream any) (columns, rows int) {
	if f, ok := stream.(interface{ Fd() uintptr }); ok {
		if columns, rows, err := term.GetSize(int(f.Fd())); err == nil && columns > 0 && rows > 0 {
			return columns, rows
		}
	}
	return DefaultWidth, 24
}
