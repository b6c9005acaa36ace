package planner

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/providers"
)

// What a status asks for of how many buckets: an access log costs a dozen
// requests a bucket, a long curve pages of values, and one by whom S3 counts.
const (
	logBuckets   = 5
	curveBuckets = 20
	measuredOnce = 1000
)

// measured are the buckets of a status of which a name is the distribution's.
type measured struct {
	b      config.Bucket
	a      Actual
	status *BucketStatus
}

// measureAll gives each bucket its traffic. They are asked about together, so
// that the questions of all share requests.
func measureAll(ctx context.Context, w providers.World, ms []measured) error {
	now := w.Clock.Now()
	span, log, few := time.Hour, len(ms) <= logBuckets, len(ms) <= curveBuckets
	if few {
		span = maxCurve * time.Minute
	}
	for len(ms) > 0 {
		some := ms[:min(len(ms), measuredOnce)]
		ms = ms[len(some):]
		var wg sync.WaitGroup
		broken := make([]error, len(some))
		for i, m := range some {
			wg.Go(func() {
				defer providers.Recovered(&broken[i])
				since := now.Add(-span)
				if at, ok := m.a.Crumbs.switchedAt(); ok && at.Add(-time.Hour).After(since) {
					since = at.Add(-time.Hour)
				}
				t, err := measureTraffic(ctx, w.Accounts[m.b.Account], m.b, m.a, since, now, log, few)
				if err == nil {
					m.status.Traffic = &t
				}
			})
		}
		wg.Wait()
		if err := cmp.Or(ctx.Err(), errors.Join(broken...)); err != nil {
			return err
		}
	}
	return nil
}
