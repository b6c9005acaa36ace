package view

import (
	"fmt"
	"strings"
	"testing"

	"github.com/edgeward/edgeward/planner"
)

// A status of 500 buckets is one screen, and what needs a look stands first, by
// name.
func TestStatusOfMany(t *testing.T) {
	var r planner.StatusReport
	for i := range 500 {
		name := fmt.Sprintf("s%03d.example.com", i)
		b := planner.BucketStatus{Address: fmt.Sprintf("bucket.site[%q]", name), Standing: planner.StandDone,
			Names: []planner.NameStatus{{Name: name, Serves: "CloudFront"}}}
		if i < 20 {
			b.Wave = "canary"
		}
		switch {
		case i%100 == 7:
			b.Drift = []planner.Drift{{Path: "price_class"}}
		case i%50 == 9:
			b.Standing, b.Why = planner.StandBlocked, "bucket "+name+" is not public"
			b.Names[0].Serves = "S3"
		case i%3 == 0:
			b.Standing, b.Stage, b.Names[0].Serves = planner.StandNew, planner.CertificateRequest, "S3"
			b.Why = "ACM in us-east-1 has no certificate for " + name
		case i%5 == 0:
			b.Standing, b.Stage = planner.StandUnderWay, planner.DNSPropagated
			b.Why = fmt.Sprintf("%s: %d of 4 resolvers have the record: resolver 1 answers %s.s3.amazonaws.com; resolver 2 answers nothing", name, i%4, name)
		}
		r.Buckets = append(r.Buckets, b)
	}
	got := Status(r, Style{Width: 100})
	golden(t, "status-500.txt", got)
	if n := strings.Count(got, "\n"); n > 40 {
		t.Errorf("%d lines", n)
	}
	for _, size := range [][2]int{{40, 10}, {60, 24}, {2, 2}} {
		lines := Fit(Status(r, Style{Width: size[0] - 1, Color: true}), size[0], size[1])
		if len(lines) >= size[1] {
			t.Errorf("%v: %d lines", size, len(lines))
		}
		if last := lines[len(lines)-1]; size[0] > 20 && !strings.Contains(last, "Status: ") {
			t.Errorf("%v: the counts are cut: the last line is %q", size, last)
		}
		for _, l := range lines {
			if Columns(l) >= size[0] {
				t.Errorf("%v: %q", size, l)
			}
		}
	}
}
