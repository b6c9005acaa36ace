package planner

import (
	"strconv"
	"strings"
	"time"
)

// The crumb edgeward:switched is TIME at first, when the names were sent to the
// distribution; from the beginning of the watch on TIME/TIME/CODE: since when the
// world has answered with it, and which part of the requests got a 4xx before
// ("4xx=0.42" percent, "4xx=unknown").

// switchedAt is when the names were sent to the distribution, by the crumb; false
// when they never were, or by nobody of ours.
func (c crumbs) switchedAt() (time.Time, bool) {
	at, _, _ := strings.Cut(c[crumbSwitched], "/")
	return readTime(at)
}

// answeredAt is since when the world has answered with the distribution; false
// while that is not written down.
func (c crumbs) answeredAt() (time.Time, bool) {
	f := strings.Split(c[crumbSwitched], "/")
	if len(f) != 3 {
		return time.Time{}, false
	}
	return readTime(f[1])
}

// baseline is how many percent of the requests got a 4xx in the hour before the
// switch; false when nobody knows.
func (c crumbs) baseline() (percent float64, ok bool) {
	f := strings.Split(c[crumbSwitched], "/")
	if len(f) != 3 {
		return 0, false
	}
	percent, err := strconv.ParseFloat(strings.TrimPrefix(f[2], "4xx="), 64)
	return percent, err == nil
}

// writeSwitched is the crumb; a negative baseline is not known.
func writeSwitched(switched, answered time.Time, baseline float64) string {
	code := "unknown"
	if baseline >= 0 {
		code = strconv.FormatFloat(baseline, 'f', 2, 64)
	}
	return writeTime(switched) + "/" + writeTime(answered) + "/4xx=" + code
}
