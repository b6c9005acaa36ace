package view

import (
	"strings"
	"testing"
)

// A frame is drawn over the one before, whose lines the terminal may have folded
// since, and the last one can be taken away.
func TestRepaint(t *testing.T) {
	var r Repaint
	if got := r.Erase(80); got != "" {
		t.Errorf("nothing to take away: %q", got)
	}
	bare := func(text string) string {
		return strings.NewReplacer(frameBegin, "", frameEnd, "", clearLine, "", clearBelow, "[clear]").Replace(text)
	}
	wide := strings.Repeat("x", 39)
	for _, step := range []struct {
		lines   []string
		columns int
		want    string
	}{
		{[]string{"a", wide}, 40, "\ra\n" + wide + "\n[clear]"},
		{[]string{"b", "c"}, 40, "\r\x1b[2Ab\nc\n[clear]"},
		{[]string{wide, wide}, 40, "\r\x1b[2A" + wide + "\n" + wide + "\n[clear]"},
		{[]string{"d"}, 20, "\r\x1b[4Ad\n[clear]"},
		{nil, 20, "\r\x1b[1A[clear]"},
		{[]string{"e"}, 20, "\re\n[clear]"},
	} {
		if got := bare(r.Draw(step.lines, step.columns)); got != step.want {
			t.Errorf("%q in %d columns: %q, want %q", step.lines, step.columns, got, step.want)
		}
	}
	if got := bare(r.Erase(20)); got != "\r\x1b[1A[clear]" {
		t.Errorf("taken away: %q", got)
	}
}

func TestColumns(t *testing.T) {
	for text, want := range map[string]int{"": 0, "abc": 3, "\x1b[31mab\x1b[0m": 2, "界": 2, "…": 1, "é": 1} {
		if got := Columns(text); got != want {
			t.Errorf("Columns(%q) = %d, want %d", text, got, want)
		}
	}
	for _, tc := range []struct {
		text, want string
		columns    int
	}{{"abcdef", "abc…", 4}, {"abcd", "abcd", 4}, {"界界界", "界…", 4}, {"abc", "", 0}} {
		if got := clipped(tc.text, tc.columns); got != tc.want {
			t.Errorf("clipped(%q, %d) = %q, want %q", tc.text, tc.columns, got, tc.want)
		}
	}
}
