package view

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/edgeward/edgeward/planner"
)

func screens() []Screen {
	bucket := func(done int, kind planner.Kind, why string) ScreenBucket {
		return ScreenBucket{Name: "assets.example.com", Done: done, Steps: 11, Doing: kind, Why: why}
	}
	return []Screen{
		{Buckets: []ScreenBucket{bucket(0, "", ""), {Name: "example.org", Steps: 9}}},
		{Elapsed: 7 * time.Minute, Requests: 1234, S3: 62, CloudFront: 38, Buckets: []ScreenBucket{
			bucket(5, planner.TTLLower, "until 2026-01-01T01:03:13Z: resolvers may hold the old TTL of 10m until then"),
			{Name: "example.org", Done: 7, Steps: 9, Doing: planner.DNSPropagated, Why: "0 of 4 resolvers have the record"}}},
		{Elapsed: 13 * time.Minute, Requests: 5678, CloudFront: 100, Buckets: []ScreenBucket{
			bucket(11, planner.TTLRestore, "done"), {Name: "example.org", Done: 9, Steps: 9}}},
	}
}

func TestFrame(t *testing.T) {
	var b strings.Builder
	for _, s := range screens() {
		b.WriteString(Frame(s, Style{}) + "----\n")
	}
	golden(t, "frames.txt", b.String())
}

// Frames are drawn over each other: each must have as many lines as the one
// before, and no line may break at the terminal's edge.
func TestFramesFit(t *testing.T) {
	for _, width := range []int{40, 60, 80, 120} {
		for _, s := range screens() {
			frame := Frame(s, Style{Width: width})
			if n := strings.Count(frame, "\n"); n != 6 {
				t.Errorf("width %d: %d lines:\n%s", width, n, frame)
			}
			for _, line := range strings.Split(frame, "\n") {
				if n := utf8.RuneCountInString(line); n >= width {
					t.Errorf("width %d: a line of %d columns: %s", width, n, line)
				}
			}
		}
	}
}

func TestVisitors(t *testing.T) {
	if got, want := Visitors(12, 0, 0, 100), "visitors: 12 requests, 0 failed, S3 0%, CloudFront 100%"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
