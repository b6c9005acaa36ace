package sandbox

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeward/edgeward/providers"
	"github.com/edgeward/edgeward/providers/providertest"
)

// TestMetricsKeepThePromises runs the conformance suite.
func TestMetricsKeepThePromises(t *testing.T) {
	providertest.Metrics(t, providertest.MetricsSuite{Wrap: synctest.Test, New: func(t *testing.T) providertest.MetricsParty {
		w := New(options(5))
		arn := w.AddCertificate("", providers.Certificate{Names: []string{"assets.example.com"}})
		d := w.AddDistribution("", settings("assets.example.com.s3.eu-west-1.amazonaws.com", providers.RESTOrigin, disabled, arn, "assets.example.com"), nil)
		sleep := func(until time.Time) {
			if err := (providers.RealClock{}).Sleep(t.Context(), time.Until(until)); err != nil {
				t.Fatal(err)
			}
		}
		return providertest.MetricsParty{
			Metrics: w.Providers().Accounts[""].Metrics, Bucket: "assets.example.com", Region: "eu-west-1", Distribution: d.ID,
			Serve: func(t *testing.T, requests ...int) time.Time {
				begin := time.Now().UTC().Truncate(time.Hour).Add(time.Hour)
				for i, n := range requests {
					sleep(begin.Add(time.Duration(i)*time.Minute + time.Second))
					for range n {
						r, err := w.Providers().Web.Fetch(t.Context(), providers.Request{URL: "http://assets.example.com/index.html", Dial: d.Domain})
						if err != nil || r.Status != 200 {
							t.Fatalf("%+v, %v", r, err)
						}
					}
				}
				sleep(begin.Add(time.Duration(len(requests))*time.Minute + 5*time.Minute)) // CloudWatch is late
				return begin
			},
		}
	}})
}
