package cmd

import (
	"testing"
	"time"
)

// Visitors of a small sandbox come as ever; of a large one less often, but often
// enough for a watch of ten minutes to have the hundred requests that it asks for.
func TestVisitsEvery(t *testing.T) {
	for buckets, want := range map[int]time.Duration{1: 10 * time.Second, 50: 10 * time.Second, 100: 20 * time.Second, 150: 30 * time.Second, 10_000: 30 * time.Second} {
		if got := visitsEvery(buckets); got != want {
			t.Errorf("%d buckets: each %s, want %s", buckets, got, want)
		}
	}
}
