package planner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/providers"
)

// Method is by what direct requests were told from CloudFront's own.
type Method string

// The methods, the best first.
const (
	// ByAccessLog: S3's access log says the Host of every request, so what visitors
	// asked S3 for directly is counted. S3 delivers hours late and makes no promise.
	ByAccessLog Method = "access-log"
	// ByMetrics: CloudWatch has what both served; S3's count has CloudFront's own
	// fetches in it, so that what is known are bounds.
	ByMetrics Method = "metrics"
	// ByProbes: no requests are known, only what the resolvers answer.
	ByProbes Method = "probes"
	// ByNothing: nobody could say.
	ByNothing Method = "unknown"
)

// Traffic is what each path served of a bucket's requests in one window. What is
// not known is absent, and never 0.
type Traffic struct {
	// From and Until are whole minutes in UTC; the newest minutes are left out.
	From   time.Time `json:"from"`
	Until  time.Time `json:"until"`
	Method Method    `json:"method"`
	// Says is the whole as a sentence: share, method, window.
	Says string `json:"says"`
	// Share is the part of the visitors' requests that CloudFront served, in
	// percent.
	Share *Bounds `json:"share,omitempty"`
	// CloudFront is how many requests CloudFront served; S3 how many GET and HEAD
	// requests S3 did, those that CloudFront sent it included; Direct those of them
	// that came past CloudFront.
	CloudFront *float64 `json:"cloudfront,omitempty"`
	S3         *float64 `json:"s3,omitempty"`
	Direct     *Bounds  `json:"direct,omitempty"`
	// Errors5xx and Errors4xx are percent of CloudFront's requests.
	Errors5xx *float64 `json:"errors_5xx,omitempty"`
	Errors4xx *float64 `json:"errors_4xx,omitempty"`
	// Resolvers is how many answered with a verdict, and how many of them with
	// CloudFront.
	Resolvers   int `json:"resolvers,omitempty"`
	AtResolvers int `json:"at_resolvers,omitempty"`
	// Drained: nothing shows a direct request in a whole window after the TTL had
	// run out; DrainedAt is when that can be told at the earliest, zero when nobody
	// can say.
	Drained   bool      `json:"drained"`
	DrainedAt time.Time `json:"drained_at,omitzero"`
	// Unknown is what is not known, and why, a sentence each.
	Unknown []string `json:"unknown,omitempty"`
	// Curve has a point a minute, at most 360, none without metrics.
	Curve []TrafficPoint `json:"curve,omitempty"`
}

// Bounds are the least and the most that a number can be; they are equal when it
// is known.
type Bounds struct {
	Least float64 `json:"least"`
	Most  float64 `json:"most"`
}

// TrafficPoint is one minute of a curve, which began at Time.
type TrafficPoint struct {
	Time time.Time `json:"time"`
	// CloudFront and S3 are requests, as in Traffic; absent where there is no value.
	CloudFront *float64 `json:"cloudfront,omitempty"`
	S3         *float64 `json:"s3,omitempty"`
}

// maxCurve is how many minutes a curve has at most.
const maxCurve = 360

// UnhealthyError says that visitors of a switched bucket are worse off than
// before (rule 15). It is the one reason to go back by itself.
type UnhealthyError struct {
	// Code stands in the hold (rule 10): 5xx, 4xx, links or dns.
	Code string
	// Why is a sentence without a full stop.
	Why string
}

func (e *UnhealthyError) Error() string { return e.Why }

// Hint says what to do where the bucket did not go back by itself.
func (e *UnhealthyError) Hint() string {
	return "mend what visitors meet, or go back with edgeward rollback; watch { rollback = true } does that by itself"
}

// The codes of UnhealthyError.
const (
	codeErrors5xx = "5xx"
	codeErrors4xx = "4xx"
	codeLinks     = "links"
)

// errNoMetrics: the world has no CloudWatch.
var errNoMetrics = errors.New("CloudWatch cannot be asked here")

// cloudFrontMinutes reads what CloudWatch has of a distribution; minutes without
// any value are left out.
func cloudFrontMinutes(ctx context.Context, acc providers.Account, id string, from, until time.Time) ([]minute, error) {
	if acc.Metrics == nil {
		return nil, errNoMetrics
	}
	series, err := readSeries(ctx, acc.Metrics, cloudFrontQueries(id, from, until))
	if err != nil {
		return nil, err
	}
	var out []minute
	for at := from.UTC(); at.Before(until); at = at.Add(time.Minute) {
		m := minute{at, value(series[0], at), value(series[1], at), value(series[2], at)}
		if m.requests != nil || m.e5xx != nil || m.e4x != nil {
			out = append(out, m)
		}
	}
	return out, nil
}

func cloudFrontQueries(id string, from, until time.Time) []providers.MetricQuery {
	return []providers.MetricQuery{
		cloudFrontMetric(id, "Requests", "Sum", from, until),
		cloudFrontMetric(id, "5xxErrorRate", "Average", from, until),
		cloudFrontMetric(id, "4xxErrorRate", "Average", from, until),
	}
}

// baselineSpan is how much of the time before the switch 4xx are measured over.
const baselineSpan = time.Hour

// measureBaseline is how many percent of the requests S3 answered with a 4xx in
// the hour before the switch; negative when nobody knows, also for want of
// requests. The error is ctx's alone.
func measureBaseline(ctx context.Context, acc providers.Account, b config.Bucket, a Actual, switched time.Time) (float64, error) {
	const unknown = -1
	filter, region, why := countedBy(ctx, acc, b, a)
	if why != "" {
		return unknown, ctx.Err()
	}
	until := switched.Truncate(time.Minute)
	from := until.Add(-baselineSpan)
	series, err := readSeries(ctx, acc.Metrics, []providers.MetricQuery{
		s3Metric(b.Name, region, filter, "AllRequests", from, until),
		s3Metric(b.Name, region, filter, "4xxErrors", from, until),
	})
	all := sum(series[0])
	if err != nil || all < float64(b.Watch.MinRequests) {
		return unknown, ctx.Err()
	}
	return 100 * sum(series[1]) / all, nil
}

// countedBy is the filter under which S3 counts the whole bucket, and its region;
// why says why it does not, or why nobody knows.
func countedBy(ctx context.Context, acc providers.Account, b config.Bucket, a Actual) (filter, region, why string) {
	region = regionOf(b, a)
	switch {
	case acc.Metrics == nil:
		return "", region, errNoMetrics.Error()
	case region == "":
		return "", region, "the region of the bucket is not known, so neither are its requests"
	}
	id, err := acc.Metrics.RequestMetrics(ctx, b.Name, region)
	switch {
	case err != nil:
		return "", region, "whether S3 counts the bucket's requests: " + err.Error()
	case id == "":
		return "", region, "S3 does not count the bucket's requests; watch { s3_metrics = true } has it do so"
	}
	return id, region, ""
}

// regionOf is the bucket's region as the configuration or the distribution's
// origin says it; "" when neither does.
func regionOf(b config.Bucket, a Actual) string {
	if b.Region != "" {
		return b.Region
	}
	if a.Bucket != nil {
		return a.Bucket.Region
	}
	if a.Dist != nil {
		e, _ := parseEndpoint(a.Dist.Settings.OriginDomain)
		return e.region
	}
	return ""
}

// cachingDisabled is CloudFront's managed policy that keeps nothing [CloudFront
// Developer Guide, "Use managed cache policies"].
const cachingDisabled = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"

// measureTraffic reads the curve from since until the newest minute that counts,
// and judges its last window; with a log, that window is the newest one that S3's
// access log reaches to. It is of few buckets when S3 may be asked for what it counts
// of a finished one; of many, only a count of edgeward's own is read. The error is ctx's alone: what cannot be read is unknown.
func measureTraffic(ctx context.Context, acc providers.Account, b config.Bucket, a Actual, since, now time.Time, log, few bool) (Traffic, error) {
	until := now.Add(-shareLag).Truncate(time.Minute).UTC()
	s := sample{since: since.Truncate(time.Minute).UTC(), from: until.Add(-quietWindow), until: until, now: now}
	if early := until.Add(-maxCurve * time.Minute); s.since.Before(early) {
		s.since = early
	}
	if s.since.After(s.from) {
		s.since = s.from
	}
	s.uncached = a.Dist.Settings.CachePolicyID == cachingDisabled
	s.resolvers, s.atCF = asResolved(a)
	if at, ok := a.Crumbs.answeredAt(); ok {
		_, drain, _ := a.Crumbs.wasTTL()
		ttl, has := a.Names[0].ttl()
		if low := lowTarget(b, a.Names[0]); !has || a.finished() || low < ttl {
			ttl = max(low, aliasTTL)
		}
		if a.Crumbs.keeps(drain) {
			ttl = drain
		}
		s.dry = at.Add(ttl + time.Minute - time.Second).Truncate(time.Minute).UTC()
	}
	if err := s.read(ctx, acc, b, a, few); err != nil {
		return Traffic{}, err
	}
	if log {
		bucket, err := acc.Buckets.Bucket(ctx, b.Name, b.Region)
		switch {
		case ctx.Err() != nil:
			return Traffic{}, ctx.Err()
		case err != nil:
			s.noLog = "whether the bucket has an access log: " + err.Error()
		default:
			if err := s.readLog(ctx, acc, bucket, b.Names()); err != nil {
				return Traffic{}, err
			}
		}
	}
	return shareOf(s), nil
}

// asResolved counts the resolvers' answers about all names.
func asResolved(a Actual) (answered, atCF int) {
	for _, n := range a.Names {
		for _, x := range n.Resolved {
			switch serverSays(n, a.Dist, x).Serves {
			case string(servesOurs):
				answered, atCF = answered+1, atCF+1
			case string(servesUnknown):
			default:
				answered++
			}
		}
	}
	return answered, atCF
}

// read asks CloudWatch for both sides at the same time.
func (s *sample) read(ctx context.Context, acc providers.Account, b config.Bucket, a Actual, few bool) error {
	if acc.Metrics == nil {
		s.noCF = errNoMetrics.Error()
		return ctx.Err()
	}
	qs := cloudFrontQueries(a.Dist.ID, s.since, s.until)
	var filter, region string
	guessed := a.finished() && !few
	if guessed {
		filter, region = countID, regionOf(b, a)
		if region == "" {
			s.noS3 = "the region of the bucket is not known, so neither are its requests"
		}
	} else {
		filter, region, s.noS3 = countedBy(ctx, acc, b, a)
	}
	if s.noS3 == "" {
		for _, name := range []string{"GetRequests", "HeadRequests"} {
			qs = append(qs, s3Metric(b.Name, region, filter, name, s.since, s.until))
		}
	}
	series, err := readSeries(ctx, acc.Metrics, qs)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		s.noCF = err.Error()
		return nil
	}
	s.cf, s.e5xx, s.e4xx = series[0], series[1], series[2]
	if len(s.within(s.cf)) == 0 {
		s.noCF = "CloudWatch has no requests of CloudFront in the window"
	}
	if len(qs) > 3 {
		s.s3 = together(series[3], series[4])
		switch none := len(s.within(s.s3)) == 0 && s.noS3 == ""; {
		case none && guessed:
			s.noS3 = "whether S3 counts the bucket's requests is asked of few buckets only; -target=ADDR chooses some"
		case none:
			s.noS3 = "CloudWatch has no requests of S3 in the window"
		}
	}
	return nil
}

// together adds GET and HEAD requests of a minute; where S3 has counted one kind,
// it has counted the minute, and of the other there was none.
func together(gets, heads map[time.Time]float64) map[time.Time]float64 {
	out := map[time.Time]float64{}
	for _, m := range []map[time.Time]float64{gets, heads} {
		for at, v := range m {
			out[at] += v
		}
	}
	return out
}

// logSpan is the window of an access log: the hour before its newest entry. S3
// delivers late, so that it ends some hours ago.
const logSpan = time.Hour

// readLog counts the requests of S3's access log by who made them.
func (s *sample) readLog(ctx context.Context, acc providers.Account, bucket providers.Bucket, names []string) error {
	if bucket.Log.Bucket == "" {
		s.noLog = "the bucket has no access log"
		return nil
	}
	l := logSample{direct: map[time.Time]float64{}, fetched: map[time.Time]float64{}}
	_, err := acc.Buckets.AccessLog(ctx, bucket, s.since, maxLogFiles, func(e providers.LogEntry) {
		if e.Method != "GET" && e.Method != "HEAD" {
			return
		}
		at := e.Time.UTC().Truncate(time.Minute)
		if at.After(l.newest) {
			l.newest = at
		}
		// CloudFront asks under the origin's own name, and says who it is.
		if slices.Contains(names, e.Host) && !strings.HasPrefix(e.UserAgent, "Amazon CloudFront") {
			l.direct[at]++
			return
		}
		l.fetched[at]++
	})
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		s.noLog = fmt.Sprintf("the access log of %s cannot be read: %v", bucket.Name, err)
	case l.newest.Add(-quietWindow).Before(s.since):
		s.noLog = "the newest access log is not of the time since " + writeTime(s.since)
	default:
		s.log, s.until = &l, l.newest
		s.from = l.newest.Add(-logSpan)
		for _, early := range []time.Time{s.since, s.dry} {
			if early.After(s.from) && !early.After(s.until.Add(-quietWindow)) {
				s.from = early.Truncate(time.Minute)
			}
		}
	}
	return nil
}
