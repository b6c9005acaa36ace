//go:build peers

package planner

import (
	"encoding/json"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/providers"
	"github.com/edgeward/edgeward/providers/aws"
	"github.com/edgeward/edgeward/providers/providertest/motolab"
)

// What stands in moto's CloudWatch is read back as a share.
func TestMotoMetricsAsShares(t *testing.T) {
	l := motolab.Start(t)
	l.Setenv(t)
	account := aws.New(aws.Options{Clock: providers.RealClock{}, Limits: aws.Limits{}.Times(100)}).Account()
	now := time.Now().UTC()
	until := now.Add(-shareLag).Truncate(time.Minute)
	put := func(region, space, name, dimensions string, v float64) {
		var data []map[string]any
		var dims []map[string]string
		if err := json.Unmarshal([]byte(dimensions), &dims); err != nil {
			t.Fatal(err)
		}
		for i := 1; i <= 5; i++ {
			if i == 3 && name == "HeadRequests" {
				continue // a minute without a value
			}
			data = append(data, map[string]any{"MetricName": name, "Dimensions": dims, "Value": v, "Timestamp": until.Add(-time.Duration(i) * time.Minute).Format(time.RFC3339)})
		}
		text, err := json.Marshal(data)
		if err != nil {
			t.Fatal(err)
		}
		l.AWS(t, "--region", region, "cloudwatch", "put-metric-data", "--namespace", space, "--metric-data", string(text))
	}
	const cf = `[{"Name":"DistributionId","Value":"E1"},{"Name":"Region","Value":"Global"}]`
	s3 := fmt.Sprintf(`[{"Name":"BucketName","Value":"assets.example.com"},{"Name":"FilterId","Value":%q}]`, countID)
	put("us-east-1", spaceCloudFront, "Requests", cf, 80)
	put("us-east-1", spaceCloudFront, "5xxErrorRate", cf, 2.5)
	put("us-east-1", spaceCloudFront, "4xxErrorRate", cf, 10)
	put("eu-west-1", spaceS3, "GetRequests", s3, 90)
	put("eu-west-1", spaceS3, "HeadRequests", s3, 10)

	b := config.Bucket{Name: "assets.example.com", Region: "eu-west-1", CNAMEs: []config.CNAME{{Name: "assets.example.com"}}}
	a := Actual{Dist: &providers.Distribution{ID: "E1"}, Crumbs: crumbs{crumbFinished: "2026-01-01T00:00:00Z"}, Names: []NameActual{{CNAME: b.CNAMEs[0], Serves: servesOurs}}}
	got, err := measureTraffic(t.Context(), account, b, a, now.Add(-time.Hour), now, false, false)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s; 5xx %v, unknown %v", got.Says, got.Errors5xx, got.Unknown)
	near := func(x, y float64) bool { return math.Abs(x-y) < 0.01 }
	if got.Method != ByMetrics || got.CloudFront == nil || *got.CloudFront != 400 || got.S3 == nil || *got.S3 != 490 ||
		!near(got.Direct.Least, 90) || !near(got.Direct.Most, 490) || !near(got.Share.Least, 100*400.0/890) || !near(got.Share.Most, 100*400.0/490) ||
		!near(*got.Errors5xx, 2.5) || !near(*got.Errors4xx, 10) || len(got.Curve) != 5 {
		t.Errorf("got %+v", got)
	}
}
