package cmd

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/edgeward/edgeward/planner"
	"github.com/hashicorp/hcl/v2"
)

func TestStatusOfDrift(t *testing.T) {
	r := planner.StatusReport{Buckets: []planner.BucketStatus{{
		Address: "bucket.assets", Standing: planner.StandUnderWay, Stage: planner.DistributionCreate,
		Drift: []planner.Drift{{Path: "price_class", Expected: "PriceClass_All", Live: "", Mend: "edgeward apply -target='bucket.assets'"}},
		Ask:   []string{"team = web"}, Steps: []planner.Step{{Kind: planner.DistributionCreate}, {Kind: planner.DistributionDeployed}},
	}}}
	var stdout, stderr bytes.Buffer
	var end exitError
	if err := testApp(&stdout, &stderr).printStatus(r, nil); !errors.As(err, &end) || end.code != exitUndone {
		t.Errorf("%v, want exit code 2", err)
	}
	const want = `
  drift: price_class was changed by hand
    expected        PriceClass_All
    is              absent
    to mend         edgeward apply -target='bucket.assets'
    ask             team = web
    plan            distribution.create, distribution.deployed

Status: 0 to migrate, 1 under way, 0 done, 0 blocked, 1 drifted.
`
	if !strings.HasSuffix(stdout.String(), want) {
		t.Errorf("got\n%s", stdout.String())
	}
}

// In a job of GitHub drift stands beside the block of its bucket, once for all
// instances that share a block.
func TestStatusAnnotates(t *testing.T) {
	drift := []planner.Drift{{Path: "price_class", Expected: "PriceClass_All", Live: "PriceClass_100", Mend: "edgeward apply"}}
	r := planner.StatusReport{Buckets: []planner.BucketStatus{
		{Address: `bucket.site["a"]`, Standing: planner.StandDone, Drift: drift, Ask: []string{"team = web"}},
		{Address: `bucket.site["b"]`, Standing: planner.StandDone, Drift: drift},
		{Address: "bucket.c", Standing: planner.StandDone},
		{Address: "bucket.d", Standing: planner.StandBlocked, Findings: []planner.Finding{{Severity: planner.Error, Code: "look-failed", Summary: "the bucket could not be looked at", Detail: "timeout"}}},
	}}
	at := hcl.Range{Filename: "edgeward.hcl", Start: hcl.Pos{Line: 4, Column: 1}}
	places := map[string]hcl.Range{`bucket.site["a"]`: at, `bucket.site["b"]`: at, "bucket.d": {Filename: "edgeward.hcl", Start: hcl.Pos{Line: 9, Column: 1}}}
	for job, want := range map[string]string{"": "", "true": "::error file=edgeward.hcl,line=4,col=1,title=bucket.site[\"a\"] and 1 more%3A price_class was changed by hand::" +
		"expected PriceClass_All, is PriceClass_100%0Ato mend: edgeward apply%0Aask: team = web%0AAlso: bucket.site[\"b\"]\n" +
		"::error file=edgeward.hcl,line=9,col=1,title=bucket.d%3A the bucket could not be looked at::timeout\n"} {
		var stdout, stderr bytes.Buffer
		a := testApp(&stdout, &stderr)
		a.env = func(name string) (string, bool) { return job, name == "GITHUB_ACTIONS" }
		a.flags.detailedExitCode = true
		_ = a.printStatus(r, places)
		if got, _, _ := strings.Cut(stderr.String(), "error: "); got != want {
			t.Errorf("GITHUB_ACTIONS=%s: got\n%s\nwant\n%s", job, got, want)
		}
	}
}

// TestStatusUnseen: a bucket that could not be looked at is no success of a look
// for drift, and drift of another one comes first.
func TestStatusUnseen(t *testing.T) {
	unseen := planner.BucketStatus{Address: "bucket.b", Standing: planner.StandBlocked,
		Findings: []planner.Finding{{Severity: planner.Error, Code: "look-failed", Summary: "the bucket could not be looked at"}}}
	drifted := planner.BucketStatus{Address: "bucket.a", Standing: planner.StandDone, Drift: []planner.Drift{{Path: "enabled"}}}
	for name, tt := range map[string]struct {
		buckets []planner.BucketStatus
		detail  bool
		code    int
	}{
		"asked for":     {[]planner.BucketStatus{unseen}, true, exitRefused},
		"not asked for": {[]planner.BucketStatus{unseen}, false, exitDone},
		"and drift":     {[]planner.BucketStatus{drifted, unseen}, true, exitUndone},
	} {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			a := testApp(&stdout, &stderr)
			a.flags.detailedExitCode = tt.detail
			code := a.code(t.Context(), a.printStatus(planner.StatusReport{Buckets: tt.buckets}, nil))
			says := strings.Contains(stderr.String(), "1 bucket could not be looked at, and whether something was changed there is not known: bucket.b")
			if code != tt.code || says != tt.detail {
				t.Errorf("exit code %d, want %d; said %q", code, tt.code, stderr.String())
			}
		})
	}
}

// Without a terminal -watch writes one status below the other, or one a line, and
// goes on after a look that failed.
func TestWatchInAPipe(t *testing.T) {
	for _, asJSON := range []bool{false, true} {
		var stdout, stderr bytes.Buffer
		a := testApp(&stdout, &stderr)
		a.flags.watch, a.flags.json = 1, asJSON
		ctx, cancel := context.WithCancel(t.Context())
		looks := 0
		err := a.watchStatus(ctx, func() (planner.StatusReport, error) {
			switch looks++; looks {
			case 2:
				return planner.StatusReport{}, errors.New("list distributions: timeout")
			case 4:
				cancel()
			}
			return planner.StatusReport{Buckets: []planner.BucketStatus{{Address: "bucket.a", Standing: planner.StandDone}}}, nil
		})
		if !errors.Is(err, context.Canceled) || strings.Count(stdout.String(), "bucket.a") != 2 || !strings.Contains(stderr.String(), "timeout") {
			t.Errorf("%v\n%s%s", err, stdout.String(), stderr.String())
		}
		if lines := strings.Count(stdout.String(), "\n"); asJSON && lines != 2 {
			t.Errorf("%d lines of JSON", lines)
		}
	}
}

func TestWatchable(t *testing.T) {
	for args, want := range map[string]string{
		"-watch=10ms": "less than 1s", "-watch -detailed-exitcode": "leave one of them out", "-watch -md-into=x.md": "leave one of them out",
	} {
		var stdout, stderr bytes.Buffer
		if code := Main(append([]string{"status"}, strings.Fields(args)...), strings.NewReader(""), &stdout, &stderr); code != exitRefused || !strings.Contains(stderr.String(), want) {
			t.Errorf("%s: exit code %d, %s", args, code, stderr.String())
		}
	}
}
