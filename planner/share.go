package planner

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/edgeward/edgeward/providers"
)

// shareLag is how many of the newest minutes are left out: no delay of
// publication is documented, for CloudFront nor for S3.
const shareLag = 5 * time.Minute

// quietWindow is how long nothing may show a direct request before a bucket is
// called drained.
const quietWindow = 5 * time.Minute

// sample is what was read of one bucket for a window of whole minutes. The maps
// are by the beginning of the minute; a minute without a value is absent. A nil
// map was not read at all, for the reason beside it.
type sample struct {
	// since is where the curve begins; from and until are the window.
	since, from, until time.Time
	cf, s3             map[time.Time]float64
	e5xx, e4xx         map[time.Time]float64
	noCF, noS3         string
	// log has the requests by one of the names, and all other GET and HEAD requests;
	// nil when there is no log or it says nothing of the window.
	log   *logSample
	noLog string
	// uncached: the distribution keeps nothing, so every request of CloudFront's is
	// a fetch from S3 too.
	uncached bool
	// resolvers answered with a verdict, atCF of them with CloudFront.
	resolvers, atCF int
	// dry is when the TTL has run out everywhere; zero when nobody knows.
	dry time.Time
	now time.Time
}

// logSample counts requests of an access log by minute.
type logSample struct {
	direct, fetched map[time.Time]float64
	newest          time.Time
}

// shareOf judges a sample (domain: direct <= S3 GET+HEAD; direct >= S3 GET+HEAD -
// CloudFront's requests, since CloudFront fetches at most once a request; with a
// distribution that keeps nothing it fetches once a request). Only minutes of which
// both counts are known are compared, and those of the whole window together: a
// request and its fetch may stand in two minutes.
func shareOf(s sample) Traffic {
	t := Traffic{From: s.from.UTC(), Until: s.until.UTC(), Method: ByNothing, Resolvers: s.resolvers, AtResolvers: s.atCF}
	t.Curve = s.curve()
	s.cf, s.s3 = s.within(s.cf), s.within(s.s3)
	t.CloudFront, t.S3 = total(s.cf), total(s.s3)
	t.Errors5xx, t.Errors4xx = weighted(s.e5xx, s.cf), weighted(s.e4xx, s.cf)
	for _, why := range []string{s.noCF, s.noS3, s.noLog} {
		if why != "" {
			t.Unknown = append(t.Unknown, why)
		}
	}
	switch direct, visits, ok := s.bounds(); {
	case s.log != nil && t.CloudFront != nil:
		t.Method = ByAccessLog
		d := sum(s.within(s.log.direct))
		t.Direct = &Bounds{d, d}
		t.Share = shareBounds(*t.CloudFront, *t.Direct)
	case s.log != nil:
		t.Method = ByAccessLog
		d := sum(s.within(s.log.direct))
		t.Direct = &Bounds{d, d}
	case ok:
		t.Method = ByMetrics
		t.Direct, t.Share = &direct, shareBounds(visits, direct)
	case s.resolvers > 0:
		t.Method = ByProbes
	}
	t.drain(s)
	t.Says = t.sentence() + t.drainWords(s)
	return t
}

// bounds are those on the direct requests of the minutes of which both counts
// are known, and CloudFront's requests in them.
func (s sample) bounds() (direct Bounds, cf float64, ok bool) {
	for at, s3 := range s.s3 {
		c, known := s.cf[at]
		if !known {
			continue
		}
		ok = true
		cf += c
		direct.Most += s3
	}
	direct.Least = max(0, direct.Most-cf)
	if s.uncached && ok { // once a request: what is over is direct
		direct.Most = direct.Least
	}
	return direct, cf, ok
}

func shareBounds(cf float64, direct Bounds) *Bounds {
	if cf+direct.Most == 0 {
		return nil
	}
	share := func(d float64) float64 {
		if cf+d == 0 {
			return 0
		}
		return 100 * cf / (cf + d)
	}
	return &Bounds{share(direct.Most), share(direct.Least)}
}

// drain: a window without a direct request after the TTL had run out, as far as
// each method that knows anything shows.
func (t *Traffic) drain(s sample) {
	if s.dry.IsZero() {
		return
	}
	t.DrainedAt = s.dry.Add(quietWindow).UTC()
	known := s.resolvers > 0
	if s.cf != nil || s.s3 != nil || s.log != nil {
		t.DrainedAt, known = t.DrainedAt.Add(shareLag), true
	}
	quiet := t.Direct == nil || t.Direct.Least == 0
	t.Drained = known && quiet && s.atCF == s.resolvers && !s.from.Before(s.dry) && t.Method != ByNothing && !s.now.Before(t.DrainedAt)
}

func (t Traffic) sentence() string {
	window := fmt.Sprintf("from %s to %s UTC", t.From.Format("15:04"), t.Until.Format("15:04"))
	var b strings.Builder
	switch {
	case t.Share != nil && t.Share.Most-t.Share.Least < 0.05:
		fmt.Fprintf(&b, "CloudFront served %s of the requests", percent(t.Share.Least))
	case t.Share != nil:
		fmt.Fprintf(&b, "CloudFront served between %s and %s of the requests", percent(t.Share.Least), percent(t.Share.Most))
	case t.Direct != nil && t.Direct.Most == 0:
		b.WriteString("no request came to S3 directly")
	case t.Direct != nil:
		fmt.Fprintf(&b, "%.0f requests came to S3 directly", t.Direct.Most)
	case t.CloudFront != nil:
		fmt.Fprintf(&b, "CloudFront served %.0f requests, the share is unknown", *t.CloudFront)
	default:
		b.WriteString("the share is unknown")
	}
	switch t.Method {
	case ByAccessLog:
		b.WriteString(", by S3's access log " + window)
	case ByMetrics:
		b.WriteString(", by CloudWatch " + window)
	case ByProbes:
		fmt.Fprintf(&b, "; %d of %d resolvers answer with CloudFront", t.AtResolvers, t.Resolvers)
	}
	return b.String()
}

// drainWords say whether the bucket is drained: how long that takes yet at least,
// or what speaks against it.
func (t Traffic) drainWords(s sample) string {
	left := t.DrainedAt.Sub(s.now)
	switch {
	case t.Drained:
		return "; drained"
	case t.DrainedAt.IsZero():
		return ""
	case left > 0:
		return "; drained in " + shortDuration((left + time.Minute - 1).Truncate(time.Minute)) + " at the earliest"
	case s.atCF < s.resolvers:
		return fmt.Sprintf("; not drained: %s yet", plural(s.resolvers-s.atCF, "resolver does not answer with CloudFront", "resolvers do not answer with CloudFront"))
	case t.Direct != nil && t.Direct.Least > 0:
		return "; not drained: requests come to S3 directly"
	case s.from.Before(s.dry):
		return "; not drained as far as that shows: the window begins before the TTL had run out"
	}
	return "; whether it is drained is not known"
}

func percent(f float64) string {
	switch r := math.Round(f); {
	case r == 0 && f > 0:
		return "less than 1%"
	case r == 100 && f < 100:
		return "more than 99%"
	default:
		return fmt.Sprintf("%.0f%%", r)
	}
}

// curve has a point for each minute of the window of which something is known,
// the newest maxCurve.
func (s sample) curve() []TrafficPoint {
	var out []TrafficPoint
	from := s.since
	if first := s.until.Add(-maxCurve * time.Minute); first.After(from) {
		from = first
	}
	for at := from; at.Before(s.until); at = at.Add(time.Minute) {
		p := TrafficPoint{Time: at.UTC(), CloudFront: value(s.cf, at), S3: value(s.s3, at)}
		if p.CloudFront != nil || p.S3 != nil {
			out = append(out, p)
		}
	}
	return out
}

// within are the minutes of the window.
func (s sample) within(m map[time.Time]float64) map[time.Time]float64 {
	out := map[time.Time]float64{}
	for at, v := range m {
		if !at.Before(s.from) && at.Before(s.until) {
			out[at] = v
		}
	}
	return out
}

func value(m map[time.Time]float64, at time.Time) *float64 {
	if v, ok := m[at]; ok {
		return &v
	}
	return nil
}

func sum(m map[time.Time]float64) float64 {
	var n float64
	for _, v := range m {
		n += v
	}
	return n
}

// total is the sum of what is known, nil when nothing is.
func total(m map[time.Time]float64) *float64 {
	if len(m) == 0 {
		return nil
	}
	n := sum(m)
	return &n
}

// weighted is the mean of rates, each by the requests of its minute; nil when
// nothing is known.
func weighted(rates, requests map[time.Time]float64) *float64 {
	var n, all float64
	for _, at := range slices.SortedFunc(maps.Keys(rates), time.Time.Compare) { // sums of fractions hang on their order
		r := rates[at]
		if c, ok := requests[at]; ok {
			n += r * c
			all += c
		}
	}
	if all == 0 {
		return nil
	}
	n /= all
	return &n
}

// The metrics that are read [CloudFront Developer Guide, "Types of metrics for
// CloudFront"; S3 User Guide, "Amazon S3 request metrics in CloudWatch"].
const (
	spaceCloudFront  = "AWS/CloudFront"
	spaceS3          = "AWS/S3"
	regionCloudFront = "us-east-1"
)

func cloudFrontMetric(id, name, statistic string, from, until time.Time) providers.MetricQuery {
	return providers.MetricQuery{Region: regionCloudFront, Namespace: spaceCloudFront, Name: name, Statistic: statistic,
		Dimensions: [][2]string{{"DistributionId", id}, {"Region", "Global"}}, Period: time.Minute, From: from, Until: until}
}

func s3Metric(bucket, region, filter, name string, from, until time.Time) providers.MetricQuery {
	return providers.MetricQuery{Region: region, Namespace: spaceS3, Name: name, Statistic: "Sum",
		Dimensions: [][2]string{{"BucketName", bucket}, {"FilterId", filter}}, Period: time.Minute, From: from, Until: until}
}

// readSeries asks all questions at the same time, so that they can share a
// request.
func readSeries(ctx context.Context, m providers.Metrics, qs []providers.MetricQuery) ([]map[time.Time]float64, error) {
	type answer struct {
		values []providers.MetricValue
		err    error
	}
	answers := make([]chan answer, len(qs))
	for i, q := range qs {
		answers[i] = make(chan answer, 1)
		go func() {
			var a answer
			defer func() { answers[i] <- a }()
			defer providers.Recovered(&a.err)
			a.values, a.err = m.Series(ctx, q)
		}()
	}
	out := make([]map[time.Time]float64, len(qs))
	var first error
	for i, c := range answers {
		a := <-c
		if a.err != nil && first == nil {
			first = providers.Doing(a.err, "read %s of %s", qs[i].Name, qs[i].Namespace)
		}
		out[i] = map[time.Time]float64{}
		for _, v := range a.values {
			out[i][v.Time.UTC()] = v.Value
		}
	}
	return out, first
}
