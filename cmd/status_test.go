package cmd

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/edgeward/edgeward/planner"
)

func TestStatusOfDrift(t *testing.T) {
	r := planner.StatusReport{Buckets: []planner.BucketStatus{{
		Address: "bucket.assets", Standing: planner.StandUnderWay, Stage: planner.DistributionCreate,
		Drift: []planner.Drift{{Path: "price_class", Expected: "PriceClass_All", Live: "", Mend: "edgeward apply -target='bucket.assets'"}},
		Ask:   []string{"team = web"}, Steps: []planner.Step{{Kind: planner.DistributionCreate}, {Kind: planner.DistributionDeployed}},
	}}}
	var stdout, stderr bytes.Buffer
	var end exitError
	if err := testApp(&stdout, &stderr).printStatus(r); !errors.As(err, &end) || end.code != exitUndone {
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
