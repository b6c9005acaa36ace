package planner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/providers"
)

// How a switched bucket is watched: a look a minute; a test link that fails is
// looked at again after a moment, more often the less it shows; an error rate is judged over at most
// longestWindow, and the newest minutes are left out of it.
const (
	everyWatch    = time.Minute
	secondLook    = 15 * time.Second
	longestWindow = 5 * time.Minute
	rateLag       = 2 * time.Minute
)

// checkWatch: visitors are no worse off than before, for the time of the watch
// since the world answered (rule 15).
func checkWatch(b config.Bucket, a Actual) Verdict {
	switch {
	case a.finished():
		return done("an earlier run ended the watch")
	case b.Watch.For == 0:
		return done("it is not watched")
	}
	v := waiting(watchWhy(b, a))
	v.Expect = b.Watch.For
	if !a.switched() {
		return v
	}
	since, ok := a.Crumbs.answeredAt()
	if !ok || since.After(a.Now.Add(meanwhile)) {
		v.Status = Todo
		return v
	}
	v.Until, v.Look = since.Add(b.Watch.For), everyWatch
	if !a.has(partTraffic) {
		return v
	}
	if u := a.Watched.unhealthy(b, a); u != nil {
		return todo("looking again: " + u.Why)
	}
	if a.Watched.failing(b) {
		return todo("looking whether S3 itself fails: " + a.Watched.says())
	}
	if !a.Now.Before(v.Until) {
		v = done("healthy for " + shortDuration(b.Watch.For) + ": " + a.Watched.says())
		v.Traffic = a.Watched.share
		return v
	}
	v.Why = "until " + writeTime(v.Until) + ": " + a.Watched.says()
	return v
}

func watchWhy(b config.Bucket, a Actual) string {
	why := fmt.Sprintf("healthy for %s: test links where the resolvers send visitors, and at most %g%% errors of at least %s", shortDuration(b.Watch.For), b.Watch.MaxErrorRate, plural(b.Watch.MinRequests, "request", "requests"))
	if b.Watch.Rollback && !sendsToHTTPS(b, a) {
		return why + "; else back to S3"
	}
	return why + "; else apply ends and says so"
}

// watchTraffic writes down since when the world answers, and looks once more at
// what does not seem right.
func watchTraffic(ctx context.Context, s scene) error {
	since, ok := s.a.Crumbs.answeredAt()
	if !ok || since.After(s.a.Now.Add(meanwhile)) {
		return beginWatch(ctx, s)
	}
	if s.a.Watched.unhealthy(s.b, s.a) == nil && !s.a.Watched.failing(s.b) {
		return notYet("looking again")
	}
	u, err := surely(ctx, s.w, s.b, s.a)
	var yet notYet
	switch {
	case errors.As(err, &yet): // the watch begins anew, for what CloudWatch has counted until now was S3's
		switched, _ := s.a.Crumbs.switchedAt()
		baseline, known := s.a.Crumbs.baseline()
		if !known {
			baseline = -1
		}
		if err := s.setTags(ctx, map[string]string{crumbSwitched: writeSwitched(switched, s.w.Clock.Now(), baseline)}); err != nil {
			return err
		}
		return yet
	case err != nil:
		return err
	case u == nil:
		return notYet("one look or one window is no verdict: " + s.a.Watched.says())
	}
	return u
}

// surely looks once more at what makes a bucket unhealthy; nil is no proof of health.
// An error can be S3's own, which CloudFront only passes on: then visitors would gain
// nothing there, and lose what CloudFront has in its caches. The error is ctx's, or
// says that nothing can be told yet.
func surely(ctx context.Context, w providers.World, b config.Bucket, a Actual) (*UnhealthyError, error) {
	u := a.Watched.unhealthy(b, a)
	if u != nil && u.Code == codeLinks { // two windows in a row say the others
		var err error
		if u, err = lookAgain(ctx, w, b, a); err != nil {
			return nil, err
		}
	}
	if u == nil && !a.Watched.failing(b) || u != nil && u.Code == codeErrors4xx {
		return u, nil
	}
	if why, err := failsItself(ctx, w, b, a); why != "" || err != nil {
		return nil, cmp.Or(err, error(notYet(why)))
	}
	return u, nil
}

// beginWatch writes the crumb, with what is known of the time before the switch.
func beginWatch(ctx context.Context, s scene) error {
	switched, ok := s.a.Crumbs.switchedAt()
	if !ok { // by hand, or by another version
		switched = s.a.Now
	}
	baseline, err := measureBaseline(ctx, s.acc, s.b, s.a, switched)
	if err != nil {
		return err
	}
	return s.setTags(ctx, map[string]string{crumbSwitched: writeSwitched(switched, s.w.Clock.Now(), baseline)})
}

// watched is what one look at a switched bucket saw.
type watched struct {
	links   linkLook
	minutes []minute
	// noMetrics is why no error rate is known, or "".
	noMetrics string
	share     *Traffic
}

// minute is what CloudWatch has of a distribution for one minute; nil is not
// known. Rates are percent.
type minute struct {
	at                  time.Time
	requests, e5xx, e4x *float64
}

// watch is the look of the stage.
func (o *observer) watch(ctx context.Context) error {
	links, err := probeLinks(ctx, o.w, o.acc, o.b, o.a)
	if err != nil {
		return err
	}
	o.a.Watched.links = links
	since, ok := o.a.Crumbs.answeredAt()
	if !ok {
		since = o.a.Now.Add(-3 * longestWindow)
		if at, known := o.a.Crumbs.switchedAt(); known && at.After(since) {
			since = at
		}
	}
	if err := o.rates(ctx, since); err != nil {
		return err
	}
	if now := o.a.Now; ok && !o.a.finished() && !now.Before(since.Add(o.b.Watch.For)) {
		t, err := measureTraffic(ctx, o.acc, o.b, o.a, since.Add(-time.Hour), now, false, true)
		if err != nil {
			return err
		}
		o.a.Watched.share = &t
	}
	return nil
}

// rates reads the error rates since then, of the last minutes that count.
func (o *observer) rates(ctx context.Context, since time.Time) error {
	until := o.a.Now.Add(-rateLag).Truncate(time.Minute)
	from := since.Truncate(time.Minute).Add(time.Minute)
	if early := until.Add(-2 * longestWindow); early.After(from) {
		from = early
	}
	w := &o.a.Watched
	if !from.Before(until) {
		w.noMetrics = "no minute is old enough yet for CloudWatch to have counted it"
		return nil
	}
	ms, err := cloudFrontMinutes(ctx, o.acc, o.a.Dist.ID, from, until)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		w.noMetrics = err.Error()
	case len(ms) == 0:
		w.noMetrics = "CloudWatch has no value of the distribution yet"
	}
	w.minutes = ms
	return nil
}

// unhealthy is what this look shows that would be a reason to go back; nil is no
// proof of health.
func (w watched) unhealthy(b config.Bucket, a Actual) *UnhealthyError {
	if u := w.rates(b, a); u != nil {
		return u
	}
	u, _ := brokenLink([]linkLook{w.links})
	return u
}

// failing says that the newest window alone has too many 5xx.
func (w watched) failing(b config.Bucket) bool {
	newest, _, ok := window(w.minutes, b.Watch.MinRequests)
	return ok && newest.e5xx > b.Watch.MaxErrorRate
}

// rates judges the two newest windows (rule 15).
func (w watched) rates(b config.Bucket, a Actual) *UnhealthyError {
	newest, rest, ok := window(w.minutes, b.Watch.MinRequests)
	if !ok {
		return nil
	}
	before, _, ok := window(rest, b.Watch.MinRequests)
	if !ok {
		return nil
	}
	if most := b.Watch.MaxErrorRate; newest.e5xx > most && before.e5xx > most {
		return &UnhealthyError{codeErrors5xx, fmt.Sprintf("CloudFront answered %.1f%% of %.0f requests and before that %.1f%% of %.0f with a 5xx until %s, more than watch { max_error_rate = %g }",
			newest.e5xx, newest.requests, before.e5xx, before.requests, newest.until.Format("15:04 UTC"), most)}
	}
	base, known := a.Crumbs.baseline()
	if most := base + b.Watch.MaxErrorRate; known && newest.e4xx > most && before.e4xx > most {
		return &UnhealthyError{codeErrors4xx, fmt.Sprintf("CloudFront answered %.1f%% of %.0f requests and before that %.1f%% of %.0f with a 4xx until %s; S3 did so with %.2f%% before the switch, and watch { max_error_rate = %g } lets pass that much more",
			newest.e4xx, newest.requests, before.e4xx, before.requests, newest.until.Format("15:04 UTC"), base, b.Watch.MaxErrorRate)}
	}
	return nil
}

// windowed is a window of whole minutes; rates are percent of its requests.
type windowed struct {
	until                time.Time
	requests, e5xx, e4xx float64
}

// window is the shortest one at the end of ms that has enough requests, and what
// is left before it; false when longestWindow has too few. A minute without all
// of its values says nothing and adds nothing.
func window(ms []minute, enough int) (w windowed, rest []minute, ok bool) {
	for i := len(ms) - 1; i >= 0; i-- {
		m := ms[i]
		if w.until.IsZero() {
			w.until = m.at.Add(time.Minute)
		}
		if m.at.Before(w.until.Add(-longestWindow)) {
			return w, nil, false
		}
		if m.requests == nil || m.e5xx == nil || m.e4x == nil {
			continue
		}
		w.requests += *m.requests
		w.e5xx += *m.requests * *m.e5xx
		w.e4xx += *m.requests * *m.e4x
		if w.requests >= float64(enough) {
			w.e5xx, w.e4xx = w.e5xx/w.requests, w.e4xx/w.requests
			return w, ms[:i], true
		}
	}
	return w, nil, false
}

// says is what the look is worth.
func (w watched) says() string {
	var parts []string
	if w.links.none != "" {
		parts = append(parts, "blind for test links ("+w.links.none+")")
	} else {
		parts = append(parts, w.links.says())
	}
	if why := w.links.noHTTPS; why != "" {
		parts = append(parts, "blind for https, which this machine does not get from S3 either ("+why+")")
	}
	switch newest, _, ok := window(w.minutes, 1); {
	case w.noMetrics != "":
		parts = append(parts, "blind for error rates ("+w.noMetrics+")")
	case !ok:
		parts = append(parts, "blind for error rates (CloudWatch has no value of the last minutes)")
	default:
		parts = append(parts, fmt.Sprintf("%.1f%% 5xx, %.1f%% 4xx", newest.e5xx, newest.e4xx))
	}
	return strings.Join(parts, ", ")
}

// CheckHealth looks once at a bucket that is switched and says whether its
// visitors are no worse off than before: nil, or an *UnhealthyError. A test link
// that fails is looked at again. Another error means that nobody can say. It is
// for buckets of waves before, and does not look at what is not switched.
func CheckHealth(ctx context.Context, w providers.World, c *config.Config, b config.Bucket) error {
	b.Watch.For = max(b.Watch.For, healthFor)
	a, err := Observe(ctx, w, c, b, PartTags|partTraffic|partFinished)
	if err != nil || !a.switched() {
		return err
	}
	u, err := surely(ctx, w, b, a)
	var yet notYet
	switch {
	case errors.As(err, &yet): // S3 itself fails
		return nil
	case err != nil || u == nil:
		return err
	}
	return u
}

// healthFor is how long CheckHealth looks back where nothing is watched.
const healthFor = longestWindow
