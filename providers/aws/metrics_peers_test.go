//go:build peers

package aws_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/edgeward/edgeward/providers/providertest"
)

// TestMotoMetricsKeepThePromises: what stands in moto's CloudWatch is read as the
// suite says. What S3 counts is scripted: TestRequestMetrics, TestCountRequests.
func TestMotoMetricsKeepThePromises(t *testing.T) {
	const counts = "moto makes a bucket of a metrics configuration and counts nothing: TestRequestMetrics, TestCountRequests, TestStopCountingTwice"
	l, account := lab(t)
	made := 0
	providertest.Metrics(t, providertest.MetricsSuite{
		Unfaithful: map[string]string{"counting/one": counts, "counting/absent": counts, "counting/foreign": counts, "counting/requests": counts},
		New: func(t *testing.T) providertest.MetricsParty {
			made++
			id := fmt.Sprintf("EMETRICS%d", made)
			return providertest.MetricsParty{
				Metrics: account.Metrics, Bucket: suiteBucket, Region: suiteRegion, Distribution: id,
				Serve: func(t *testing.T, requests ...int) time.Time {
					begin := time.Now().UTC().Truncate(time.Hour).Add(-3 * time.Hour)
					var data []map[string]any
					for i, n := range requests {
						if n == 0 {
							continue
						}
						for name, v := range map[string]int{"Requests": n, "5xxErrorRate": 0} {
							data = append(data, map[string]any{"MetricName": name, "Value": v, "Timestamp": begin.Add(time.Duration(i) * time.Minute).Format(time.RFC3339),
								"Dimensions": []map[string]string{{"Name": "DistributionId", "Value": id}, {"Name": "Region", "Value": "Global"}}})
						}
					}
					text, err := json.Marshal(data)
					if err != nil {
						t.Fatal(err)
					}
					l.AWS(t, "--region", "us-east-1", "cloudwatch", "put-metric-data", "--namespace", "AWS/CloudFront", "--metric-data", string(text))
					return begin
				},
			}
		},
	})
}
