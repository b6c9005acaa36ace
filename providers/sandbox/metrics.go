package sandbox

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/edgeward/edgeward/providers"
)

// Metering is how CloudWatch behaves. The zero value publishes each minute half a
// minute to three minutes after its end and loses none.
type Metering struct {
	// Lag is how long after the end of a minute its value can be read.
	Lag Span
	// Lose is how many percent of the values never come.
	Lose int
	// HitRate, if above 0, is the part of CloudFront's requests that S3 counts no
	// fetch for, whatever the edges really fetched: 0.9 is one fetch in ten. -1 is no
	// hit at all.
	HitRate float64
}

// SetMetering changes how CloudWatch behaves from now on.
func (w *World) SetMetering(m Metering) {
	w.edit(func(time.Time) { w.metering.Metering = m })
}

// Sicken has CloudFront answer every n-th request to a distribution with status;
// n = 0 ends that. It is what a bad deployment looks like from outside.
func (w *World) Sicken(id string, n, status int) {
	w.edit(func(time.Time) { w.dists[id].sick = sickness{n: n, status: status} })
}

type sickness struct{ n, status, seen int }

// metering is what CloudWatch counts with.
type metering struct {
	Metering
	// fetching: the request at hand is one of CloudFront's own.
	fetching bool
	due      float64
}

// counts are the requests of one minute.
type counts struct{ all, get, head, e4xx, e5xx int }

func (c *counts) add(method string, status int) {
	c.all++
	switch method {
	case "GET":
		c.get++
	case "HEAD":
		c.head++
	}
	switch {
	case status >= 500:
		c.e5xx++
	case status >= 400:
		c.e4xx++
	}
}

// meter counts by minute.
type meter map[time.Time]*counts

func (m meter) at(now time.Time) *counts {
	k := now.UTC().Truncate(time.Minute)
	if m[k] == nil {
		m[k] = &counts{}
	}
	return m[k]
}

// counting is a request metrics configuration of a bucket, for all its objects.
type counting struct {
	since, until time.Time
}

// edge answers as CloudFront does, and counts.
func (w *World) edge(r request, now time.Time) (reply, error) {
	d := w.edgeOf(r.host)
	w.metering.fetching = true
	out, err := w.edgeAnswer(r, now)
	w.metering.fetching = false
	if d == nil || err != nil {
		return out, err
	}
	if d.sick.n > 0 {
		if d.sick.seen++; d.sick.seen%d.sick.n == 0 {
			out = reply{from: fromCloudFront, cache: "Error", at: now}.page(d.sick.status, unsatisfied)
		}
	}
	d.meter.at(now).add(r.method, out.status)
	w.fetched(d, r, now)
	return out, nil
}

// fetched counts at S3 what Metering.HitRate leaves of a request to d.
func (w *World) fetched(d *distribution, r request, now time.Time) {
	m := &w.metering
	if m.HitRate == 0 {
		return
	}
	_, name, ok := s3Host(d.served.OriginDomain)
	if b := w.buckets[name]; ok && b != nil {
		if m.due += 1 - max(0, m.HitRate); m.due >= 1-1e-9 {
			m.due--
			b.meter.at(now).add(r.method, 200)
		}
	}
}

// s3 answers a request that reached an S3 endpoint, and counts it; the bucket is
// named by the Host header, not by the endpoint.
func (w *World) s3(e endpoint, r request, now time.Time) reply {
	out := w.s3Answer(e, r, now)
	name := r.host
	if _, b, ok := s3Host(r.host); ok {
		name = b
	}
	if name == "" && e.kind == restEnd {
		name, _, _ = strings.Cut(strings.TrimPrefix(r.path, "/"), "/")
	}
	b := w.buckets[name]
	if b != nil && (!w.metering.fetching || w.metering.HitRate == 0) {
		b.meter.at(now).add(r.method, out.status)
	}
	if b != nil && !w.metering.fetching {
		b.direct.at(now).add(r.method, out.status)
	}
	return out
}

type metricsPort struct{ accountPort }

func (p metricsPort) Series(ctx context.Context, q providers.MetricQuery) (out []providers.MetricValue, err error) {
	var about []string
	for _, d := range q.Dimensions {
		about = append(about, d[1])
	}
	err = p.w.call(ctx, p.op("Metrics.Series", q.Name+" "+strings.Join(about, " "), false), func(now time.Time) error {
		if q.Period <= 0 || q.Period%time.Minute != 0 || q.Until.Before(q.From) {
			return fmt.Errorf("read %s: a period is whole minutes and a window ends after its beginning: %w", q.Name, providers.ErrInvalid)
		}
		out = p.read(q, now)
		return nil
	})
	return out, err
}

// read gives what is published of the metric.
func (p metricsPort) read(q providers.MetricQuery, now time.Time) []providers.MetricValue {
	m, from, until := p.meterOf(q)
	if m == nil {
		return nil
	}
	var out []providers.MetricValue
	for at := q.From.UTC().Truncate(q.Period); at.Before(q.Until); at = at.Add(q.Period) {
		var sum counts
		known := false
		for k := at; k.Before(at.Add(q.Period)); k = k.Add(time.Minute) {
			c := m[k]
			if c == nil || k.Before(from) || !until.IsZero() && !k.Before(until) || !p.w.published(q, k, now) {
				continue
			}
			known = true
			sum = counts{sum.all + c.all, sum.get + c.get, sum.head + c.head, sum.e4xx + c.e4xx, sum.e5xx + c.e5xx}
		}
		if v, ok := sum.value(q.Name); known && ok {
			out = append(out, providers.MetricValue{Time: at, Value: v})
		}
	}
	return out
}

// meterOf is who counts what q asks about, and from when until when it did.
func (p metricsPort) meterOf(q providers.MetricQuery) (m meter, from, until time.Time) {
	dim := map[string]string{}
	for _, d := range q.Dimensions {
		dim[d[0]] = d[1]
	}
	switch q.Namespace {
	case "AWS/CloudFront":
		d := p.w.dists[dim["DistributionId"]]
		if d == nil || d.account != p.a.label || q.Region != "us-east-1" || dim["Region"] != "Global" || strings.Contains(q.Name, "Rate") != (q.Statistic == "Average") {
			return nil, from, until
		}
		return d.meter, from, until
	case "AWS/S3":
		b := p.w.buckets[dim["BucketName"]]
		if b == nil || b.Account != p.a.label || b.Region != q.Region || q.Statistic != "Sum" || b.counting[dim["FilterId"]] == nil {
			return nil, from, until
		}
		c := b.counting[dim["FilterId"]]
		return b.meter, c.since.UTC().Truncate(time.Minute), c.until
	}
	return nil, from, until
}

// published says whether the value of the minute k can be read by now.
func (w *World) published(q providers.MetricQuery, k, now time.Time) bool {
	words := []string{"metric", q.Namespace, strconv.FormatInt(k.Unix(), 10)}
	for _, d := range q.Dimensions {
		words = append(words, d[1])
	}
	if lose := w.metering.Lose; lose > 0 && mix(w.o.Seed, append(words, "lost", q.Name)...)%100 < uint64(lose) {
		return false
	}
	lag := w.draw(w.metering.Lag.or(Span{30 * time.Second, 3 * time.Minute}), words...)
	return !now.Before(k.Add(time.Minute + lag))
}

// value is what a metric has for c. Both rates are percent.
func (c counts) value(metric string) (float64, bool) {
	switch metric {
	case "Requests", "AllRequests":
		return float64(c.all), true
	case "GetRequests":
		return float64(c.get), c.get > 0
	case "HeadRequests":
		return float64(c.head), c.head > 0
	case "4xxErrors":
		return float64(c.e4xx), true
	case "5xxErrors":
		return float64(c.e5xx), true
	case "4xxErrorRate":
		return 100 * float64(c.e4xx) / float64(c.all), true
	case "5xxErrorRate":
		return 100 * float64(c.e5xx) / float64(c.all), true
	}
	return 0, false
}

// mayCount finds the account's own bucket in its region.
func (p metricsPort) mayCount(name, region string) (*bucket, error) {
	switch b := p.w.buckets[name]; {
	case b == nil:
		return nil, fmt.Errorf("request metrics of bucket %s: %w", name, providers.ErrNotFound)
	case b.Foreign || b.Account != p.a.label:
		return nil, fmt.Errorf("request metrics of bucket %s: %w", name, providers.ErrDenied)
	case b.Region != region:
		return nil, fmt.Errorf("request metrics of bucket %s: it is in %s, not in %s: %w", name, b.Region, region, providers.ErrInvalid)
	default:
		return b, nil
	}
}

func (p metricsPort) RequestMetrics(ctx context.Context, name, region string) (id string, err error) {
	err = p.w.call(ctx, p.op("Metrics.RequestMetrics", name, false), func(time.Time) error {
		b, err := p.mayCount(name, region)
		if err != nil {
			return err
		}
		for _, k := range sortedKeys(b.counting) {
			if id == "" && b.counting[k].until.IsZero() {
				id = k
			}
		}
		return nil
	})
	return id, err
}

func (p metricsPort) CountRequests(ctx context.Context, name, region, id string) error {
	return p.w.call(ctx, p.op("Metrics.CountRequests", name, true), func(now time.Time) error {
		b, err := p.mayCount(name, region)
		if err != nil {
			return err
		}
		b.count(id, now)
		return nil
	})
}

func (p metricsPort) StopCounting(ctx context.Context, name, region, id string) error {
	return p.w.call(ctx, p.op("Metrics.StopCounting", name, true), func(now time.Time) error {
		b, err := p.mayCount(name, region)
		switch {
		case err != nil:
			return err
		case b.counting[id] == nil || !b.counting[id].until.IsZero():
			return fmt.Errorf("request metrics %s of bucket %s: %w", id, name, providers.ErrNotFound)
		}
		b.counting[id].until = now
		return nil
	})
}

func (b *bucket) count(id string, now time.Time) {
	if b.counting == nil {
		b.counting = map[string]*counting{}
	}
	if c := b.counting[id]; c == nil || !c.until.IsZero() {
		b.counting[id] = &counting{since: now}
	}
}

// CountRequests has S3 count the requests of a bucket under id, as its owner may
// have asked for long before.
func (w *World) CountRequests(name, id string) {
	w.edit(func(now time.Time) { w.buckets[name].count(id, now) })
}

// Served is the truth about a window of whole minutes: how many requests for a
// bucket's objects came to S3 directly, and how many to its distributions.
func (w *World) Served(name string, from, until time.Time) (direct, cloudFront int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.advance(w.clock.Now())
	total := func(m meter) (n int) {
		for at, c := range m {
			if !at.Before(from) && at.Before(until) {
				n += c.all
			}
		}
		return n
	}
	for _, d := range w.dists {
		if _, b, ok := s3Host(d.settings.OriginDomain); ok && b == name {
			cloudFront += total(d.meter)
		}
	}
	return total(w.buckets[name].direct), cloudFront
}

// Counting are the filters under which S3 counts the requests of a bucket.
func (w *World) Counting(name string) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var ids []string
	for id, c := range w.buckets[name].counting {
		if c.until.IsZero() {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}
