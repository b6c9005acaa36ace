package aws

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/edgeward/edgeward/providers"
)

// gatherFor is how long a question waits for others to share its request;
// maxQueries and maxPoints are what one request takes and answers [CloudWatch API
// Reference: GetMetricData].
const (
	gatherFor  = 200 * time.Millisecond
	maxQueries = 500
	maxPoints  = 100_800
)

// metrics is providers.Metrics over CloudWatch, with a client a region, and over
// S3 for what is counted.
type metrics struct {
	c *Client
	b *buckets

	mu      sync.Mutex
	clients map[string]*cloudwatch.Client
	open    map[string]*gathering // by region
}

func newMetrics(c *Client, b *buckets) *metrics {
	return &metrics{c: c, b: b, clients: map[string]*cloudwatch.Client{}, open: map[string]*gathering{}}
}

// gathering is a set of questions to one region that will share requests.
type gathering struct {
	cancel  context.CancelFunc
	asks    []*ask
	waiting int
}

// ask is one question; done is closed when it is answered.
type ask struct {
	q      providers.MetricQuery
	done   chan struct{}
	values []providers.MetricValue
	err    error
}

// Series implements providers.Metrics. One caller's ctx ends its own wait only.
func (m *metrics) Series(ctx context.Context, q providers.MetricQuery) ([]providers.MetricValue, error) {
	if q.Period <= 0 || q.Period%time.Minute != 0 || q.Until.Before(q.From) {
		return nil, m.c.fail("read metric "+q.Name, "", fmt.Errorf("a period is whole minutes and a window ends after its beginning: %w", providers.ErrInvalid))
	}
	if err := ctx.Err(); err != nil || q.Until.Equal(q.From) { // CloudWatch refuses an empty window
		return nil, err
	}
	a := &ask{q: q, done: make(chan struct{})}
	m.mu.Lock()
	g := m.open[q.Region]
	if g == nil {
		g = m.gather(ctx, q.Region)
	}
	g.asks = append(g.asks, a)
	g.waiting++
	m.mu.Unlock()

	defer providers.Idle(ctx)()
	select {
	case <-a.done:
		return a.values, a.err
	case <-ctx.Done():
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if g.waiting--; g.waiting == 0 {
		g.cancel()
		if m.open[q.Region] == g {
			delete(m.open, q.Region)
		}
	}
	return nil, ctx.Err()
}

// gather begins a set; m.mu is held.
func (m *metrics) gather(ctx context.Context, region string) *gathering {
	ctx, cancel := context.WithCancel(providers.WithIdle(context.WithoutCancel(ctx), nil))
	g := &gathering{cancel: cancel}
	m.open[region] = g
	go func() {
		defer cancel()
		err := m.c.opts.Clock.Sleep(ctx, gatherFor)
		m.mu.Lock()
		if m.open[region] == g {
			delete(m.open, region)
		}
		asks := g.asks
		m.mu.Unlock()
		m.answer(ctx, region, asks, err)
	}()
	return g
}

// answer asks all questions, alike ones once, and answers each.
func (m *metrics) answer(ctx context.Context, region string, asks []*ask, err error) {
	var order []string
	alike := map[string][]*ask{}
	for _, a := range asks {
		k := fmt.Sprint(a.q.Namespace, a.q.Name, a.q.Statistic, a.q.Dimensions, a.q.Period, a.q.From.Unix(), a.q.Until.Unix())
		if alike[k] == nil {
			order = append(order, k)
		}
		alike[k] = append(alike[k], a)
	}
	// One request has one window, and CloudWatch counts its periods from the window's
	// beginning: those of one request are alike.
	slices.SortStableFunc(order, func(x, y string) int { return cmp.Compare(alike[x][0].q.Period, alike[y][0].q.Period) })
	for some := range chunks(order, func(k string) time.Duration { return alike[k][0].q.Period }) {
		qs := make([]providers.MetricQuery, len(some))
		for i, k := range some {
			qs[i] = alike[k][0].q
		}
		got := make([]series, len(qs))
		failed := err
		if failed == nil {
			failed = m.read(ctx, region, qs, got)
		}
		for i, k := range some {
			for _, a := range alike[k] {
				a.values, a.err = slices.Clone(got[i].values), failed
				if failed == nil {
					a.err = got[i].err
				}
				if a.err != nil {
					a.values = nil
				}
				close(a.done)
			}
		}
	}
}

// chunks are runs of keys of one period, of at most maxQueries.
func chunks(order []string, period func(string) time.Duration) iter.Seq[[]string] {
	return func(yield func([]string) bool) {
		for len(order) > 0 {
			n := 1
			for n < min(len(order), maxQueries) && period(order[n]) == period(order[0]) {
				n++
			}
			if !yield(order[:n]) {
				return
			}
			order = order[n:]
		}
	}
}

// series is what the pages have of one question.
type series struct {
	values []providers.MetricValue
	err    error
}

// read is one request and its further pages. The window is that of all questions
// together; values outside of a question's own are dropped.
func (m *metrics) read(ctx context.Context, region string, qs []providers.MetricQuery, out []series) error {
	client, err := m.client(ctx, region)
	if err != nil {
		return err
	}
	in := &cloudwatch.GetMetricDataInput{ScanBy: types.ScanByTimestampAscending, MaxDatapoints: sdk.Int32(maxPoints)}
	for i, q := range qs {
		if in.StartTime == nil || q.From.Before(*in.StartTime) {
			in.StartTime = sdk.Time(q.From)
		}
		if in.EndTime == nil || q.Until.After(*in.EndTime) {
			in.EndTime = sdk.Time(q.Until)
		}
		in.MetricDataQueries = append(in.MetricDataQueries, question(i, q))
	}
	// Periods are counted from the beginning of the window.
	in.StartTime = sdk.Time(in.StartTime.Truncate(qs[0].Period))
	last := make([]types.StatusCode, len(qs))
	said := make([]string, len(qs))
	seen := map[string]bool{}
	for {
		page, err := client.GetMetricData(ctx, in)
		if err != nil {
			return m.c.fail("read metrics in "+region, "cloudwatch:GetMetricData", err)
		}
		for _, r := range page.MetricDataResults {
			i, err := strconv.Atoi(strings.TrimPrefix(sdk.ToString(r.Id), "q"))
			if err != nil || i < 0 || i >= len(qs) || len(r.Timestamps) != len(r.Values) {
				return m.c.fail("read metrics in "+region, "", errPartial)
			}
			out[i].add(qs[i], r)
			if last[i] == "" || last[i] == types.StatusCodePartialData { // what is once refused or broken is not made good
				last[i] = r.StatusCode
			}
			for _, msg := range r.Messages {
				said[i] = sdk.ToString(msg.Value)
			}
		}
		next := sdk.ToString(page.NextToken)
		if next == "" {
			break
		}
		if seen[next] {
			return m.c.fail("read metrics in "+region, "", errRepeats)
		}
		seen[next], in.NextToken = true, &next
	}
	for i := range out {
		out[i].err = m.judge(qs[i], last[i], said[i])
		slices.SortFunc(out[i].values, func(x, y providers.MetricValue) int { return x.Time.Compare(y.Time) })
	}
	return nil
}

func question(i int, q providers.MetricQuery) types.MetricDataQuery {
	metric := &types.Metric{Namespace: &q.Namespace, MetricName: &q.Name}
	for _, d := range q.Dimensions {
		metric.Dimensions = append(metric.Dimensions, types.Dimension{Name: &d[0], Value: &d[1]})
	}
	return types.MetricDataQuery{Id: sdk.String("q" + strconv.Itoa(i)), ReturnData: sdk.Bool(true),
		MetricStat: &types.MetricStat{Metric: metric, Period: sdk.Int32(int32(q.Period / time.Second)), Stat: &q.Statistic}}
}

func (s *series) add(q providers.MetricQuery, r types.MetricDataResult) {
	for i, at := range r.Timestamps {
		if !at.Before(q.From) && at.Before(q.Until) {
			s.values = append(s.values, providers.MetricValue{Time: at.UTC(), Value: r.Values[i]})
		}
	}
}

// judge: only what is complete after the last page is an answer [CloudWatch API
// Reference: MetricDataResult, StatusCode]. What was not spoken of is none.
func (m *metrics) judge(q providers.MetricQuery, code types.StatusCode, said string) error {
	op := "read metric " + q.Name + " of " + q.Namespace
	switch code {
	case types.StatusCodeComplete:
		return nil
	case types.StatusCodeForbidden:
		return m.c.fail(op, "cloudwatch:GetMetricData", fmt.Errorf("CloudWatch forbids it: %s: %w", said, providers.ErrDenied))
	case "":
		return m.c.fail(op, "", errPartial)
	}
	return m.c.fail(op, "", errors.New(strings.TrimSuffix(fmt.Sprintf("CloudWatch answers %s: %s", code, said), ": ")))
}

func (m *metrics) client(ctx context.Context, region string) (*cloudwatch.Client, error) {
	cfg, err := m.c.Config(ctx)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if have := m.clients[region]; have != nil {
		return have, nil
	}
	client := cloudwatch.NewFromConfig(cfg, func(o *cloudwatch.Options) {
		o.Region = region
		o.APIOptions = append(o.APIOptions, m.c.limits.of(m.c.limits.cloudWatch))
	})
	m.clients[region] = client
	return client, nil
}

// RequestMetrics implements providers.Metrics.
func (m *metrics) RequestMetrics(ctx context.Context, bucket, region string) (string, error) {
	client, _, err := m.b.in(ctx, bucket, region)
	if err != nil {
		return "", err
	}
	in := &s3.ListBucketMetricsConfigurationsInput{Bucket: &bucket}
	for {
		out, err := client.ListBucketMetricsConfigurations(ctx, in)
		if err != nil {
			return "", m.b.fail(fmt.Sprintf("read the request metrics of bucket %q", bucket), "s3:GetMetricsConfiguration", err)
		}
		for _, c := range out.MetricsConfigurationList {
			if c.Filter == nil && sdk.ToString(c.Id) != "" {
				return *c.Id, nil
			}
		}
		if !sdk.ToBool(out.IsTruncated) {
			return "", nil
		}
		if sdk.ToString(out.NextContinuationToken) == "" || sdk.ToString(out.NextContinuationToken) == sdk.ToString(in.ContinuationToken) {
			return "", m.b.fail(fmt.Sprintf("read the request metrics of bucket %q", bucket), "", errPartial)
		}
		in.ContinuationToken = out.NextContinuationToken
	}
}

// CountRequests implements providers.Metrics. Without a filter it is the whole
// bucket [S3 API Reference: MetricsConfiguration].
func (m *metrics) CountRequests(ctx context.Context, bucket, region, id string) error {
	client, _, err := m.b.in(ctx, bucket, region)
	if err != nil {
		return err
	}
	_, err = client.PutBucketMetricsConfiguration(ctx, &s3.PutBucketMetricsConfigurationInput{
		Bucket: &bucket, Id: &id, MetricsConfiguration: &s3types.MetricsConfiguration{Id: &id}})
	if err != nil {
		return m.b.fail(fmt.Sprintf("have S3 count the requests of bucket %q", bucket), "s3:PutMetricsConfiguration", err)
	}
	return nil
}

// StopCounting implements providers.Metrics.
func (m *metrics) StopCounting(ctx context.Context, bucket, region, id string) error {
	client, _, err := m.b.in(ctx, bucket, region)
	if err != nil {
		return err
	}
	_, err = client.DeleteBucketMetricsConfiguration(ctx, &s3.DeleteBucketMetricsConfigurationInput{Bucket: &bucket, Id: &id})
	if code(err) == "NoSuchConfiguration" {
		err = fmt.Errorf("%w: %w", err, providers.ErrNotFound)
	}
	if err != nil {
		return m.b.fail(fmt.Sprintf("end the request metrics of bucket %q", bucket), "s3:PutMetricsConfiguration", err)
	}
	return nil
}
