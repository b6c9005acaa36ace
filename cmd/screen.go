package cmd

import (
	"bytes"
	"slices"
	"sync"

	"github.com/edgeward/edgeward/cmd/view"
)

// screen is a frame at the end of a stream that goes to a terminal. What else is
// written to the stream stands above it.
type screen struct {
	out   *output
	lines func(columns, rows int) []string

	mu      sync.Mutex
	repaint view.Repaint
	last    []string // the frame that stands there
	closed  bool
}

// newScreen is a screen of lines at the end of out, which knows of it until it is
// closed.
func newScreen(out *output, lines func(columns, rows int) []string) *screen {
	s := &screen{out: out, lines: lines}
	out.below(s)
	return s
}

// draw shows the lines of now.
func (s *screen) draw() {
	columns, rows := view.Size(s.out.w)
	lines := s.lines(columns, rows)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.last = lines
		_ = s.out.write([]byte(s.repaint.Draw(lines, columns))) // the stream remembers its fault
	}
}

// above writes text where the frame stood, and the frame below it; behind a line
// that is not ended only the next frame stands.
func (s *screen) above(text []byte) error {
	columns, rows := view.Size(s.out.w)
	s.mu.Lock()
	defer s.mu.Unlock()
	all := append([]byte(s.repaint.Erase(columns)), text...)
	fits := len(s.last) < rows && !slices.ContainsFunc(s.last, func(l string) bool { return view.Columns(l) >= columns })
	if fits && !s.closed && bytes.HasSuffix(text, []byte("\n")) {
		all = append(all, s.repaint.Draw(s.last, columns)...)
	}
	return s.out.write(all)
}

// close takes the frame away, for good.
func (s *screen) close() {
	columns, _ := view.Size(s.out.w)
	s.end(func() string { return s.repaint.Erase(columns) })
}

// leave has the last frame stand as it is.
func (s *screen) leave() { s.end(func() string { return "" }) }

func (s *screen) end(last func() string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.closed = true
	_ = s.out.write([]byte(last()))
	s.out.below(nil)
}
