package planner

import (
	"context"
	"errors"
	"slices"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/providers"
)

// countID is the filter ID of what edgeward has S3 count: by it, what is ours is
// known.
const countID = "edgeward"

// counted reads whether S3 counts the bucket's requests. Where edgeward is not to
// have it do so, the answer only shows what was left on, and does without.
func (o *observer) counted(ctx context.Context) error {
	if o.acc.Metrics == nil {
		return nil
	}
	region := regionOf(o.b, o.a)
	if region == "" {
		return nil
	}
	id, err := o.acc.Metrics.RequestMetrics(ctx, o.b.Name, region)
	if err != nil && !errors.Is(err, providers.ErrNotFound) && (ctx.Err() != nil || o.b.Watch.S3Metrics && !o.a.begun()) {
		return providers.Doing(err, "read whether S3 counts the requests of %s", o.b.Name)
	}
	o.a.Counted = id
	return nil
}

// pathCounting is the change of what S3 counts.
const pathCounting = "s3 request metrics"

// checkCount: S3 counts the bucket's requests, where that is wanted, and does not
// on our account where nothing needs it any more. It is early so that there is
// something to compare with after the switch.
func checkCount(b config.Bucket, a Actual) Verdict {
	switch ours := a.Counted == countID; {
	case ours && !b.Watch.S3Metrics, a.finished() && a.Crumbs[crumbCounting] != "" && !(b.Watch.S3Metrics && lockByMetrics(b) && !a.Crumbs.lock().ended()):
		v := todo("S3 ends its count, which edgeward began and nothing needs any more; AWS bills it by the hour", ValueChange{pathCounting, countID, ""})
		v.Action = Remove
		return v
	case !b.Watch.S3Metrics:
		return done("it is not wanted")
	case a.begun():
		return done("the names are switched: nothing can be counted before that any more")
	case a.Counted != "":
		return done("S3 counts the bucket's requests under " + a.Counted)
	}
	v := todo("S3 counts the bucket's requests until the migration is finished; AWS bills that as custom metrics, up to 16 a bucket, by the hour",
		ValueChange{pathCounting, "", countID})
	v.Undo = "edgeward takes its own away again with " + string(TTLRestore)
	return v
}

// ended says that a lock needs no evidence any more.
func (m lockMark) ended() bool {
	return m.state == lockDone || m.state == lockFailed || m.state == lockLifted
}

// checkCountEnded, on the way back: S3 does not count on our account.
func checkCountEnded(_ config.Bucket, a Actual) Verdict {
	if a.Counted != countID {
		return done("S3 counts no requests for edgeward")
	}
	return todo("S3 ends its count, which edgeward began; AWS bills it by the hour", ValueChange{pathCounting, countID, ""})
}

// leftCounting says that a way back has ended, and S3 counts on though nothing
// needs it: the run died, or S3 did not answer.
func (a Actual) leftCounting() bool {
	return a.Counted == countID && !a.begun() && a.Crumbs.heldSince()
}

// changeCount begins or ends S3's count, whichever the look has shown.
func changeCount(ctx context.Context, s scene) error {
	if s.a.Counted == countID || s.a.finished() {
		if err := endCounting(ctx, s); ctx.Err() == nil && err != nil {
			return &leftError{err}
		}
		return ctx.Err()
	}
	return startCounting(ctx, s)
}

// leftError says that something was left undone which no visitor notices; the next
// run tries again.
type leftError struct{ error }

func (e *leftError) Unwrap() error { return e.error }

func startCounting(ctx context.Context, s scene) error {
	region := regionOf(s.b, s.a)
	if region == "" {
		return notYet("the bucket's region is not known")
	}
	if s.acc.Metrics == nil {
		return errNoMetrics
	}
	if err := s.acc.Metrics.CountRequests(ctx, s.b.Name, region, countID); err != nil {
		return providers.Doing(err, "have S3 count the requests of %s", s.b.Name)
	}
	return nil
}

// endCounting ends what startCounting began, and nobody else's.
func endCounting(ctx context.Context, s scene) error {
	region := regionOf(s.b, s.a)
	if s.acc.Metrics == nil || region == "" {
		return nil
	}
	id, err := s.acc.Metrics.RequestMetrics(ctx, s.b.Name, region)
	if err == nil && id == countID {
		err = s.acc.Metrics.StopCounting(ctx, s.b.Name, region, countID)
	}
	switch {
	case err != nil && !errors.Is(err, providers.ErrNotFound):
		return providers.Doing(err, "the request metrics %s of bucket %s stay, and AWS bills them", countID, s.b.Name)
	case s.a.Crumbs[crumbCounting] != "":
		return s.setTags(ctx, map[string]string{crumbCounting: ""})
	}
	return nil
}

// stopCounting is endCounting for a stage that ends the need of the count. Without
// the right to, the count stays, and that is said.
func stopCounting(ctx context.Context, s scene) error {
	if !s.b.Watch.S3Metrics {
		return nil
	}
	err := endCounting(ctx, s)
	if errors.Is(err, providers.ErrDenied) {
		s.note(err.Error())
		return nil
	}
	return err
}

// lockByMetrics: the proof before the lock needs S3's counts.
func lockByMetrics(b config.Bucket) bool {
	return b.Lock != nil && slices.Contains(b.Lock.Evidence, "metrics")
}
