package providers

import (
	"context"
	"time"
)

// Metrics is Amazon CloudWatch as far as the traffic of a migration is read from
// it.
type Metrics interface {
	// Series reads the values of one metric, one a period, from its beginning until
	// its end; both are whole periods. Questions asked at the same time share
	// requests (GetMetricData: 500 a request). A period without a value is absent
	// from the answer and is not 0. ErrDenied.
	Series(ctx context.Context, q MetricQuery) ([]MetricValue, error)
	// RequestMetrics says whether S3 counts the requests of a whole bucket, and under
	// which filter ID; "" when it does not [GetBucketMetricsConfiguration, without a
	// filter]. ErrNotFound, ErrDenied.
	RequestMetrics(ctx context.Context, bucket, region string) (id string, err error)
	// CountRequests lets S3 count the requests of a whole bucket under the filter ID
	// id; StopCounting ends that. S3 bills what is counted as custom metrics.
	// ErrNotFound (no such bucket, and for StopCounting no such filter), ErrDenied.
	CountRequests(ctx context.Context, bucket, region, id string) error
	StopCounting(ctx context.Context, bucket, region, id string) error
}

// MetricQuery is one question to CloudWatch.
type MetricQuery struct {
	// Region is where it is asked: us-east-1 for CloudFront's, the bucket's for S3's.
	Region string
	// Namespace is AWS/CloudFront or AWS/S3, Name such as Requests, Statistic Sum or
	// Average.
	Namespace, Name, Statistic string
	// Dimensions are pairs of a name and a value, sorted by name.
	Dimensions [][2]string
	// Period is whole minutes.
	Period      time.Duration
	From, Until time.Time
}

// MetricValue is the value of one period, which began at Time.
type MetricValue struct {
	Time  time.Time
	Value float64
}
