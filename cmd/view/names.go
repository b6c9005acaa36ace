package view

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// rangeFrom is from how many on names that count up are said as a range.
const rangeFrom = 4

// ranges are names in their order, of which those that only count up, such as
// s01.example.com to s40.example.com, share an entry.
func ranges(names []string) []string {
	var out []string
	for i := 0; i < len(names); {
		n := run(names[i:])
		if n < rangeFrom {
			out = append(out, names[i])
			i++
			continue
		}
		out = append(out, fmt.Sprintf("%s … %s (%d)", names[i], names[i+n-1], n))
		i += n
	}
	return out
}

// run is how many of the first names count up by one, all else being the same.
func run(names []string) int {
	n := 1
	at := -1 // where the number stands that counts
	for ; n < len(names); n++ {
		i, ok := counts(names[n-1], names[n])
		if !ok || at >= 0 && i != at {
			return n
		}
		at = i
	}
	return n
}

// counts says that b is a with one number in it raised by one, and where that
// number begins.
func counts(a, b string) (at int, ok bool) {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	digit := func(s string, i int) bool { return i < len(s) && s[i] >= '0' && s[i] <= '9' }
	for i > 0 && digit(a, i-1) {
		i--
	}
	x, y := i, i
	for digit(a, x) {
		x++
	}
	for digit(b, y) {
		y++
	}
	n, err := strconv.Atoi(a[i:x])
	m, err2 := strconv.Atoi(b[i:y])
	return i, err == nil && err2 == nil && m == n+1 && a[x:] == b[y:]
}

// listed writes names below each other, as many to a line as fit; a name stays
// whole.
func (s Style) listed(b *strings.Builder, indent int, names []string) {
	line := ""
	for i, n := range ranges(names) {
		if i > 0 {
			line += ","
		}
		if line != "" && indent+utf8.RuneCountInString(line)+1+utf8.RuneCountInString(n)+1 > s.width() {
			b.WriteString(strings.Repeat(" ", indent) + line + "\n")
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += n
	}
	if line != "" {
		b.WriteString(strings.Repeat(" ", indent) + line + "\n")
	}
}
