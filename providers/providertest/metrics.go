package providertest

import (
	"context"
	"errors"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/edgeward/edgeward/providers"
)

// MetricsSuite says how to try one implementation of providers.Metrics.
type MetricsSuite struct {
	// New makes an account that holds what MetricsParty says; it is called once a
	// case.
	New func(t *testing.T) MetricsParty
	// Wrap runs a case; nil runs it as it is.
	Wrap func(t *testing.T, f func(t *testing.T))
	// Unfaithful are cases that the party cannot be asked, by name, each with what it
	// does wrong. A name that is no case fails the suite.
	Unfaithful map[string]string
}

// MetricsParty is an account to try.
type MetricsParty struct {
	Metrics providers.Metrics
	// Bucket is in Region, and nobody counts its requests. Distribution is the ID of
	// one that has answered nothing.
	Bucket, Region, Distribution string
	// Serve has the distribution answer so many requests in each of some minutes, one
	// after the other from the beginning of an hour, all with 200; of a minute with
	// none CloudWatch has no value. It returns that beginning once all of it can be
	// read.
	Serve func(t *testing.T, requests ...int) time.Time
}

// Metrics checks that an implementation keeps the promises of providers.Metrics.
func Metrics(t *testing.T, s MetricsSuite) {
	cases := map[string]func(*testing.T, MetricsParty){
		"series/values":     seriesValues,
		"series/windows":    seriesWindows,
		"series/periods":    seriesPeriods,
		"series/nothing":    seriesNothing,
		"series/zero":       seriesZero,
		"series/invalid":    seriesInvalid,
		"series/together":   seriesTogether,
		"series/ended":      seriesEnded,
		"counting/one":      countingOne,
		"counting/absent":   countingAbsent,
		"counting/foreign":  countingOthers,
		"counting/requests": countingRequests,
	}
	run(t, suite{"MetricsSuite", s.Wrap, s.Unfaithful}, cases, s.New)
}

// requests asks for the distribution's requests from one minute after begin until
// another, a minute each.
func (p MetricsParty) requests(begin time.Time, from, until int) providers.MetricQuery {
	return providers.MetricQuery{Region: "us-east-1", Namespace: "AWS/CloudFront", Name: "Requests", Statistic: "Sum", Period: time.Minute,
		Dimensions: [][2]string{{"DistributionId", p.Distribution}, {"Region", "Global"}},
		From:       begin.Add(time.Duration(from) * time.Minute), Until: begin.Add(time.Duration(until) * time.Minute)}
}

// series is the answer as minutes since begin and their values.
func (p MetricsParty) series(t *testing.T, begin time.Time, q providers.MetricQuery) map[int]float64 {
	t.Helper()
	got, err := p.Metrics.Series(t.Context(), q)
	if err != nil {
		t.Fatalf("Series(%s): %v", q.Name, err)
	}
	out := map[int]float64{}
	for i, v := range got {
		if i > 0 && !got[i-1].Time.Before(v.Time) {
			t.Errorf("Series(%s) is out of order: %v", q.Name, got)
		}
		if v.Time.Location() != time.UTC {
			t.Errorf("Series(%s): %v is not in UTC", q.Name, v.Time)
		}
		out[int(v.Time.Sub(begin)/time.Minute)] = v.Value
	}
	return out
}

// seriesValues: a minute without a value is absent, and is not 0.
func seriesValues(t *testing.T, p MetricsParty) {
	begin := p.Serve(t, 3, 0, 2, 0, 0, 1)
	same(t, p.series(t, begin, p.requests(begin, 0, 6)), map[int]float64{0: 3, 2: 2, 5: 1})
}

// seriesWindows: a window has its beginning and not its end.
func seriesWindows(t *testing.T, p MetricsParty) {
	begin := p.Serve(t, 3, 0, 2, 4)
	for w, want := range map[[2]int]map[int]float64{
		{0, 1}: {0: 3}, {1, 2}: {}, {1, 3}: {2: 2}, {2, 3}: {2: 2}, {3, 4}: {3: 4}, {2, 2}: {}, {-5, 0}: {}, {-5, 1}: {0: 3},
	} {
		if got := p.series(t, begin, p.requests(begin, w[0], w[1])); !maps.Equal(got, want) {
			t.Errorf("from %d until %d: %v, want %v", w[0], w[1], got, want)
		}
	}
}

// seriesPeriods: longer periods sum up what they have, and those without anything
// are absent as well.
func seriesPeriods(t *testing.T, p MetricsParty) {
	begin := p.Serve(t, 3, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1)
	q := p.requests(begin, 0, 15)
	q.Period = 5 * time.Minute
	same(t, p.series(t, begin, q), map[int]float64{0: 5, 10: 1})
	q.Until, q.Period = begin.Add(time.Hour), time.Hour
	same(t, p.series(t, begin, q), map[int]float64{0: 6})
}

// seriesNothing: what nobody has counted is no value and no error.
func seriesNothing(t *testing.T, p MetricsParty) {
	begin := p.Serve(t, 1)
	other, bucket, elsewhere := p.requests(begin, 0, 5), p.requests(begin, 0, 5), p.requests(begin, 0, 5)
	other.Dimensions = [][2]string{{"DistributionId", "EABSENT"}, {"Region", "Global"}}
	bucket.Region, bucket.Namespace, bucket.Name = p.Region, "AWS/S3", "AllRequests"
	bucket.Dimensions = [][2]string{{"BucketName", p.Bucket}, {"FilterId", "absent"}}
	elsewhere.Dimensions = [][2]string{{"DistributionId", p.Distribution}, {"Region", "eu-west-1"}}
	for _, q := range []providers.MetricQuery{other, bucket, elsewhere} {
		same(t, p.series(t, begin, q), map[int]float64{})
	}
}

// seriesZero: a value of 0 is one.
func seriesZero(t *testing.T, p MetricsParty) {
	begin := p.Serve(t, 3, 0, 2)
	q := p.requests(begin, 0, 3)
	q.Name, q.Statistic = "5xxErrorRate", "Average"
	same(t, p.series(t, begin, q), map[int]float64{0: 0, 2: 0})
}

func seriesInvalid(t *testing.T, p MetricsParty) {
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, change := range []func(*providers.MetricQuery){
		func(q *providers.MetricQuery) { q.Period = 0 },
		func(q *providers.MetricQuery) { q.Period = -time.Minute },
		func(q *providers.MetricQuery) { q.Period = 30 * time.Second },
		func(q *providers.MetricQuery) { q.Period = 90 * time.Second },
		func(q *providers.MetricQuery) { q.Until = q.From.Add(-time.Minute) },
	} {
		q := p.requests(begin, 0, 5)
		change(&q)
		_, err := p.Metrics.Series(t.Context(), q)
		class(t, err, providers.ErrInvalid)
	}
}

// seriesTogether: questions that share requests get their own answers.
func seriesTogether(t *testing.T, p MetricsParty) {
	begin := p.Serve(t, 1, 2, 3, 4, 5)
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			n := i % 5
			if got := p.series(t, begin, p.requests(begin, n, n+1)); !maps.Equal(got, map[int]float64{n: float64(n + 1)}) {
				t.Errorf("minute %d: %v", n, got)
			}
		})
	}
	wg.Wait()
}

// seriesEnded: one caller's end is nobody else's.
func seriesEnded(t *testing.T, p MetricsParty) {
	begin := p.Serve(t, 2)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := p.Metrics.Series(ended, p.requests(begin, 0, 1)); !errors.Is(err, context.Canceled) {
			t.Errorf("with an ended context: %v", err)
		}
	})
	wg.Go(func() {
		if got := p.series(t, begin, p.requests(begin, 0, 1)); got[0] != 2 {
			t.Errorf("beside an ended one: %v", got)
		}
	})
	wg.Wait()
	if _, err := p.Metrics.RequestMetrics(ended, p.Bucket, p.Region); !errors.Is(err, context.Canceled) {
		t.Errorf("RequestMetrics with an ended context: %v", err)
	}
}

func (p MetricsParty) counted(t *testing.T, want string) {
	t.Helper()
	if id, err := p.Metrics.RequestMetrics(t.Context(), p.Bucket, p.Region); id != want || err != nil {
		t.Errorf("RequestMetrics is %q, %v, want %q", id, err, want)
	}
}

// countingOne: what counts is seen, twice is once, and what has ended is gone.
func countingOne(t *testing.T, p MetricsParty) {
	ctx := t.Context()
	p.counted(t, "")
	for range 2 {
		if err := p.Metrics.CountRequests(ctx, p.Bucket, p.Region, "edgeward"); err != nil {
			t.Fatalf("CountRequests: %v", err)
		}
		p.counted(t, "edgeward")
	}
	if err := p.Metrics.StopCounting(ctx, p.Bucket, p.Region, "edgeward"); err != nil {
		t.Fatalf("StopCounting: %v", err)
	}
	p.counted(t, "")
}

// countingAbsent: what is not there is told.
func countingAbsent(t *testing.T, p MetricsParty) {
	ctx, absent := t.Context(), "absent-"+p.Bucket
	_, err := p.Metrics.RequestMetrics(ctx, absent, p.Region)
	class(t, err, providers.ErrNotFound)
	class(t, p.Metrics.CountRequests(ctx, absent, p.Region, "edgeward"), providers.ErrNotFound)
	class(t, p.Metrics.StopCounting(ctx, absent, p.Region, "edgeward"), providers.ErrNotFound)
	class(t, p.Metrics.StopCounting(ctx, p.Bucket, p.Region, "edgeward"), providers.ErrNotFound)
}

// countingOthers: the end of one filter leaves another.
func countingOthers(t *testing.T, p MetricsParty) {
	ctx := t.Context()
	for _, id := range []string{"EntireBucket", "edgeward"} {
		if err := p.Metrics.CountRequests(ctx, p.Bucket, p.Region, id); err != nil {
			t.Fatalf("CountRequests(%s): %v", id, err)
		}
	}
	if err := p.Metrics.StopCounting(ctx, p.Bucket, p.Region, "edgeward"); err != nil {
		t.Fatalf("StopCounting: %v", err)
	}
	p.counted(t, "EntireBucket")
}

// countingRequests: what S3 counts contains what CloudFront fetches, and begins
// when it was asked to.
func countingRequests(t *testing.T, p MetricsParty) {
	q := func(begin time.Time) providers.MetricQuery {
		q := p.requests(begin, 0, 3)
		q.Region, q.Namespace, q.Name = p.Region, "AWS/S3", "AllRequests"
		q.Dimensions = [][2]string{{"BucketName", p.Bucket}, {"FilterId", "edgeward"}}
		return q
	}
	begin := p.Serve(t, 2)
	same(t, p.series(t, begin, q(begin)), map[int]float64{})
	if err := p.Metrics.CountRequests(t.Context(), p.Bucket, p.Region, "edgeward"); err != nil {
		t.Fatalf("CountRequests: %v", err)
	}
	begin = p.Serve(t, 2, 0, 1)
	same(t, p.series(t, begin, q(begin)), map[int]float64{0: 2, 2: 1})
}
