package view

import (
	"fmt"
	"strings"
	"time"
)

// Duration is d in at most two units, rounded up to the second: "1m",
// "1h10m", "2d3h". Zero and less is "0s".
func Duration(d time.Duration) string {
	if d <= 0 {
		return "0s"
	}
	seconds := int64((d + time.Second - 1) / time.Second)
	units := []struct {
		name string
		size int64
	}{{"d", 86400}, {"h", 3600}, {"m", 60}, {"s", 1}}
	var b strings.Builder
	for i, u := range units {
		n := seconds / u.size
		if n == 0 {
			continue
		}
		fmt.Fprintf(&b, "%d%s", n, u.name)
		if i+1 < len(units) {
			if rest := seconds % u.size / units[i+1].size; rest > 0 {
				fmt.Fprintf(&b, "%d%s", rest, units[i+1].name)
			}
		}
		break
	}
	return b.String()
}

// Count is "1 bucket", "2 buckets".
func Count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// Quote is an argument as a POSIX shell takes it, in single quotes only when
// it has characters that a shell would read.
func Quote(arg string) string {
	safe := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./=:,@+%", r)
	}
	if arg != "" && strings.IndexFunc(arg, func(r rune) bool { return !safe(r) }) < 0 {
		return arg
	}
	return "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
}
