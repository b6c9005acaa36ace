package view

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/edgeward/edgeward/planner"
)

// sampleTraffic is an hour in which CloudFront takes over, with five minutes that
// nobody counted.
func sampleTraffic() *planner.Traffic {
	t := &planner.Traffic{From: liveStart, Until: liveStart.Add(time.Hour), Method: planner.ByMetrics, Says: "CloudFront serves 96 to 100 % of the requests, by CloudWatch, of the hour until 13:00 UTC",
		Share: &planner.Bounds{Least: 96, Most: 100}, Unknown: []string{"S3 does not count requests of this bucket <b>"}}
	for i := range 60 {
		p := planner.TrafficPoint{Time: liveStart.Add(time.Duration(i) * time.Minute)}
		if i < 30 || i >= 35 {
			moved := 1 / (1 + math.Exp(float64(20-i)/4))
			cloudFront, s3 := 1000*moved, 1000*(1-moved)
			p.CloudFront, p.S3 = &cloudFront, &s3
		}
		t.Curve = append(t.Curve, p)
	}
	return t
}

func TestCurves(t *testing.T) {
	r := planner.StatusReport{Buckets: []planner.BucketStatus{{Address: "bucket.assets", Standing: planner.StandDone, Traffic: sampleTraffic(),
		Names: []planner.NameStatus{{Name: "assets.example.com", Record: "CNAME d1.cloudfront.net TTL 60s", Serves: "CloudFront"}}}}}
	page, err := StatusHTML(r)
	if err != nil {
		t.Fatal(err)
	}
	_, picture, _ := strings.Cut(page, "<body>")
	golden(t, "curves.txt", Status(r, Style{})+"----\n"+StatusMarkdown(r)+"----\n"+picture)
	for width := 40; width < 130; width += 7 {
		for _, l := range strings.Split(Status(r, Style{Width: width}), "\n") {
			if Columns(l) > width && strings.ContainsAny(l, "█▁·") {
				t.Errorf("width %d: %s", width, l)
			}
		}
	}
	if strings.Contains(page, "<b>S3") || strings.Contains(page, "bucket <b>") {
		t.Error("a text is markup")
	}
}

// What is not known is never drawn as nothing.
func TestCurvesOfNothing(t *testing.T) {
	if curves(nil) || curves(&planner.Traffic{}) {
		t.Error("there is something to draw")
	}
	zero := 0.0
	tr := &planner.Traffic{Curve: []planner.TrafficPoint{{Time: liveStart}, {Time: liveStart.Add(time.Minute), S3: &zero}}}
	if md := markdownCurves(tr); strings.Count(md, "not known") != 3 || !strings.Contains(md, "| 0 |") {
		t.Error(md)
	}
	if svg := string(svgCurves(tr)); strings.Contains(svg, "NaN") || !strings.Contains(svg, `s3" d="M720.0 180.0"`) {
		t.Error(svg)
	}
	if got := shareWords([]*planner.Traffic{nil, {}, {Share: &planner.Bounds{Least: 40, Most: 50}}, {Share: &planner.Bounds{Least: 96, Most: 100}}}); got != "CloudFront serves 40–100 % of the requests, share of 1 not known" {
		t.Error(got)
	}
}

// Slots keep sums: however many there are, the requests of all minutes are those of
// the curve.
func TestSlots(t *testing.T) {
	curve := sampleTraffic().Curve[:30]
	total := 0.0
	for _, p := range curve {
		total += *p.CloudFront
	}
	for _, n := range []int{1, 3, 10, 30, 200} {
		all := slots(curve, n)
		got := 0.0
		for _, s := range all {
			got += *s.cloudFront * float64(len(curve)) / float64(len(all))
		}
		if len(all) > n || math.Abs(got-total) > 1e-6 {
			t.Errorf("%d slots of %d: %s of %s", len(all), n, fmt.Sprint(got), fmt.Sprint(total))
		}
	}
}
