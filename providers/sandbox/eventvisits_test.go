package sandbox

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// After an event as many visitors come as are asked for, each in its turn, so that
// all of them come in the end; without a bound all come.
func TestEventVisits(t *testing.T) {
	for most, want := range map[int][]int{0: {12, 12, 12}, 5: {5, 5, 2}, 12: {12, 12, 12}} {
		inBubble(t, func(o *Options) { o.EventVisits = most }, func(t *testing.T, w *World) {
			var came []int
			before := make([]int, len(w.visitors.list))
			for i, v := range w.visitors.list {
				before[i] = v.n
			}
			for range 3 {
				last := w.visitors.report.Requests
				w.visitAfter(w.clock.Now())
				came = append(came, w.visitors.report.Requests-last)
			}
			if diff := cmp.Diff(want, came); diff != "" {
				t.Errorf("at most %d after an event: %s", most, diff)
			}
			for i, v := range w.visitors.list {
				if v.n == before[i] {
					t.Errorf("at most %d after an event: visitor %d of %d never came", most, i, len(w.visitors.list))
				}
			}
		})
	}
}
