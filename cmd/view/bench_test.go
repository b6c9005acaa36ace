package view

import (
	"fmt"
	"runtime"
	"strconv"
	"testing"

	"github.com/edgeward/edgeward/planner"
)

// manyPlanned is a plan of n buckets: most alike, every tenth with a note, every
// hundredth blocked.
func manyPlanned(n int) planner.Plan {
	p := samplePlan()
	p.Buckets = nil
	p.Summary = planner.Summary{ToMigrate: n, Switches: n}
	for i := range n {
		b := newBucket()
		name := fmt.Sprintf("b%05d.example.com", i)
		b.Address, b.Bucket, b.CNAMEs = fmt.Sprintf("bucket.site[%q]", name), name, []string{name}
		if i%10 > 0 {
			b.Findings = nil
		}
		if i%100 == 99 {
			b.Standing, b.Steps = planner.StandBlocked, nil
			b.Findings = []planner.Finding{{Severity: planner.Error, Code: "name-elsewhere", Summary: name + " is not the bucket's", Detail: "it points to " + name}}
		}
		p.Buckets = append(p.Buckets, b)
	}
	return p
}

// BenchmarkRender writes plans in each form: what a bucket costs should not grow
// with how many there are.
func BenchmarkRender(b *testing.B) {
	forms := []struct {
		name  string
		write func(planner.Plan) (int, error)
	}{
		{"text", func(p planner.Plan) (int, error) { return len(Plan(p, Style{})), nil }},
		{"json", func(p planner.Plan) (int, error) { text, err := JSON(p); return len(text), err }},
		{"markdown", func(p planner.Plan) (int, error) { return len(PlanMarkdown(p)), nil }},
		{"html", func(p planner.Plan) (int, error) { text, err := PlanHTML(p); return len(text), err }},
	}
	for _, f := range forms {
		for _, n := range []int{100, 1000, 10000} {
			b.Run(f.name+"/"+strconv.Itoa(n), func(b *testing.B) {
				p := manyPlanned(n)
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				for b.Loop() {
					if _, err := f.write(p); err != nil {
						b.Fatal(err)
					}
				}
				runtime.ReadMemStats(&after)
				each := float64(b.N * n)
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/each, "ns/bucket")
				b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/each, "B/bucket")
			})
		}
	}
}
