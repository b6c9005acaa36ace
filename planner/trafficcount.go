package planner

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/providers"
)

// countID is the filter ID of what edgeward has S3 count: by it, what is ours is
// known.
const countID = "edgeward"

// counted reads whether S3 counts the bucket's requests, where edgeward is to
// have it do so.
func (o *observer) counted(ctx context.Context) error {
	if o.acc.Metrics == nil {
		return nil
	}
	region := regionOf(o.b, o.a)
	if region == "" {
		return nil
	}
	id, err := o.acc.Metrics.RequestMetrics(ctx, o.b.Name, region)
	if err != nil && !errors.Is(err, providers.ErrNotFound) {
		return fmt.Errorf("read whether S3 counts the requests of %s: %w", o.b.Name, err)
	}
	o.a.Counted = id
	return nil
}

// checkCount: S3 counts the bucket's requests, where that is wanted. It is early
// so that there is something to compare with after the switch.
func checkCount(b config.Bucket, a Actual) Verdict {
	switch {
	case !b.Watch.S3Metrics:
		return done("it is not wanted")
	case a.begun():
		return done("the names are switched: nothing can be counted before that any more")
	case a.Counted != "":
		return done("S3 counts the bucket's requests under " + a.Counted)
	}
	v := todo("S3 counts the bucket's requests until the migration is finished; AWS bills that as custom metrics, up to 16 a bucket, by the hour",
		ValueChange{"s3 request metrics", "", countID})
	v.Undo = "edgeward takes its own away again with " + string(TTLRestore)
	return v
}

func startCounting(ctx context.Context, s scene) error {
	region := regionOf(s.b, s.a)
	if region == "" {
		return notYet("the bucket's region is not known")
	}
	if s.acc.Metrics == nil {
		return errNoMetrics
	}
	if err := s.acc.Metrics.CountRequests(ctx, s.b.Name, region, countID); err != nil {
		return fmt.Errorf("have S3 count the requests of %s: %w", s.b.Name, err)
	}
	return nil
}

// stopCounting ends what startCounting began, and nobody else's. Whoever waits
// for a proof by metrics before the bucket is locked needs them for longer.
func stopCounting(ctx context.Context, s scene) error {
	region := regionOf(s.b, s.a)
	if !s.b.Watch.S3Metrics || s.acc.Metrics == nil || region == "" {
		return nil
	}
	id, err := s.acc.Metrics.RequestMetrics(ctx, s.b.Name, region)
	if err == nil && id == countID {
		err = s.acc.Metrics.StopCounting(ctx, s.b.Name, region, countID)
	}
	switch {
	case errors.Is(err, providers.ErrDenied) || errors.Is(err, providers.ErrNotFound):
		s.note(fmt.Sprintf("the request metrics %s of bucket %s stay, and AWS bills them: %v", countID, s.b.Name, err))
		return nil
	case err != nil:
		return fmt.Errorf("end the request metrics of %s: %w", s.b.Name, err)
	}
	return nil
}

// lockByMetrics: the proof before the lock needs S3's counts.
func lockByMetrics(b config.Bucket) bool {
	return b.Lock != nil && slices.Contains(b.Lock.Evidence, "metrics")
}
