package cmd

import (
	"bytes"
	"context"
	"regexp"
	"strings"
	"testing"

	"github.com/edgeward/edgeward/planner"
	"github.com/edgeward/edgeward/providers/sandbox"
)

func testApp(stdout, stderr *bytes.Buffer) *app {
	return newApp(strings.NewReader(""), stdout, stderr, func(error) {})
}

func TestDemo(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if err := testApp(&stdout, &stderr).demoRun(context.Background(), 0); err != nil {
		t.Fatalf("%v\n%s%s", err, stdout.String(), stderr.String())
	}
	lines := strings.Split(strings.TrimSuffix(stdout.String(), "\n"), "\n")
	last := lines[len(lines)-1]
	if ok, _ := regexp.MatchString(`^visitors: [1-9]\d{3,} requests, 0 failed, S3 0%, CloudFront 100%$`, last); !ok {
		t.Errorf("the last line is %q", last)
	}
	for _, want := range []string{
		"S3 100%, CloudFront 0%", "$ edgeward plan", "Plan: 3 to migrate", "Apply: 3 finished", "Status: 0 to migrate, 0 under way, 3 done",
		"A alias s3-website-eu-west-1.amazonaws.com", "www.example.com.s3-website-eu-west-1.amazonaws.com",
	} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("the demo does not show %q", want)
		}
	}
	if !strings.HasSuffix(stderr.String(), demoNext) {
		t.Errorf("standard error ends with %q", stderr.String())
	}
	// The share moves from one to the other and never back.
	before := 0
	for _, m := range regexp.MustCompile(`CloudFront (\d+)%`).FindAllStringSubmatch(stdout.String(), -1) {
		share := len(m[1])*1000 + int(m[1][0]) // orders 0 < 33 < 67 < 100
		if share < before {
			t.Errorf("CloudFront's share falls to %s%%", m[1])
		}
		before = share
	}
}

// The demo succeeds only when nobody missed an object and CloudFront serves all.
func TestDemoEnd(t *testing.T) {
	good := sandbox.VisitorReport{Requests: 10, S3: 5, CloudFront: 5, RecentCloudFront: 5}
	tests := map[string]struct {
		edit func(*sandbox.VisitorReport)
		run  planner.Report
		fine bool
	}{
		"good":       {fine: true},
		"failed":     {edit: func(v *sandbox.VisitorReport) { v.Failed = 1 }},
		"no visits":  {edit: func(v *sandbox.VisitorReport) { *v = sandbox.VisitorReport{} }},
		"S3 serves":  {edit: func(v *sandbox.VisitorReport) { v.RecentS3 = 1 }},
		"unfinished": {run: planner.Report{Results: []planner.Result{{Outcome: planner.OutcomeFailed}}}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			v := good
			if test.edit != nil {
				test.edit(&v)
			}
			var stdout, stderr bytes.Buffer
			err := testApp(&stdout, &stderr).demoEnd(v, test.run)
			if (err == nil) != test.fine {
				t.Errorf("demoEnd: %v", err)
			}
		})
	}
}
