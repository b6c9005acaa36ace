package aws_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeward/edgeward/providers"
)

// result is one MetricDataResult of a page [CloudWatch API Reference:
// GetMetricData]; values begin at the window's start, a minute each.
func result(id, status string, from time.Time, values ...float64) string {
	var ts, vs strings.Builder
	for i, v := range values {
		fmt.Fprintf(&ts, "<member>%s</member>", from.Add(time.Duration(i)*time.Minute).Format(time.RFC3339))
		fmt.Fprintf(&vs, "<member>%g</member>", v)
	}
	return fmt.Sprintf("<member><Id>%s</Id><Label>x</Label><Timestamps>%s</Timestamps><Values>%s</Values><StatusCode>%s</StatusCode></member>", id, ts.String(), vs.String(), status)
}

func metricPage(token string, results ...string) (*http.Response, error) {
	if token != "" {
		token = "<NextToken>" + token + "</NextToken>"
	}
	return respond(200, `<GetMetricDataResponse xmlns="http://monitoring.amazonaws.com/doc/2010-08-01/"><GetMetricDataResult><MetricDataResults>`+
		strings.Join(results, "")+`</MetricDataResults>`+token+`</GetMetricDataResult></GetMetricDataResponse>`)
}

var metricIDs = regexp.MustCompile(`MetricDataQueries\.member\.\d+\.Id=(q\d+)`)

func requestsOf(id string, from time.Time) providers.MetricQuery {
	return providers.MetricQuery{Region: "us-east-1", Namespace: "AWS/CloudFront", Name: "Requests", Statistic: "Sum",
		Dimensions: [][2]string{{"DistributionId", id}, {"Region", "Global"}}, Period: time.Minute, From: from, Until: from.Add(5 * time.Minute)}
}

// Questions of many buckets asked at the same time are few requests.
func TestMetricsShareRequests(t *testing.T) {
	for buckets, want := range map[int]int{1: 1, 100: 1, 1000: 6} {
		synctest.Test(t, func(t *testing.T) {
			environment(t, nil)
			from := time.Now().UTC().Truncate(time.Minute)
			w, account := connect(func(c call) (*http.Response, error) {
				var results []string
				for _, m := range metricIDs.FindAllStringSubmatch(c.body, -1) {
					results = append(results, result(m[1], "Complete", from, 1, 2))
				}
				if len(results) > 500 {
					return respond(400, "<ErrorResponse><Error><Code>ValidationError</Code><Message>too many</Message></Error></ErrorResponse>")
				}
				return metricPage("", results...)
			}, fast())
			var wg sync.WaitGroup
			for i := range buckets {
				for _, name := range []string{"Requests", "4xxErrorRate", "5xxErrorRate"} {
					q := requestsOf(fmt.Sprintf("E%d", i), from)
					q.Name = name
					wg.Go(func() {
						if vs, err := account.Metrics.Series(t.Context(), q); err != nil || len(vs) != 2 || vs[1].Value != 2 || !vs[1].Time.Equal(from.Add(time.Minute)) {
							t.Errorf("%v, %v", vs, err)
						}
					})
				}
			}
			wg.Wait()
			if n := len(w.calls); n != want {
				t.Errorf("%d buckets cost %d requests, want %d", buckets, n, want)
			}
		})
	}
}

// A value that is absent is not 0, and what is not complete is no answer.
func TestMetricsAnswers(t *testing.T) {
	from := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	page := func(token string, results ...string) func() (*http.Response, error) {
		return func() (*http.Response, error) { return metricPage(token, results...) }
	}
	tests := map[string]struct {
		pages []func() (*http.Response, error)
		want  []float64
		class error
		says  string
	}{
		"complete":               {[]func() (*http.Response, error){page("", result("q0", "Complete", from, 1, 0, 3))}, []float64{1, 0, 3}, nil, ""},
		"no value":               {[]func() (*http.Response, error){page("", result("q0", "Complete", from))}, nil, nil, ""},
		"pages":                  {[]func() (*http.Response, error){page("n", result("q0", "PartialData", from, 1)), page("", result("q0", "Complete", from.Add(time.Minute), 2))}, []float64{1, 2}, nil, ""},
		"outside the window":     {[]func() (*http.Response, error){page("", result("q0", "Complete", from.Add(4*time.Minute), 1, 2, 3))}, []float64{1}, nil, ""},
		"a part alone":           {[]func() (*http.Response, error){page("", result("q0", "PartialData", from, 1))}, nil, nil, "PartialData"},
		"refused, then complete": {[]func() (*http.Response, error){page("n", result("q0", "Forbidden", from, 1)), page("", result("q0", "Complete", from.Add(time.Minute), 2))}, nil, providers.ErrDenied, "forbids"},
		"broken, then complete":  {[]func() (*http.Response, error){page("n", result("q0", "InternalError", from, 1)), page("", result("q0", "Complete", from.Add(time.Minute), 2))}, nil, nil, "InternalError"},
		"a part, then refused":   {[]func() (*http.Response, error){page("n", result("q0", "PartialData", from, 1)), page("", result("q0", "Forbidden", from.Add(time.Minute)))}, nil, providers.ErrDenied, "forbids"},
		"a part, then silence":   {[]func() (*http.Response, error){page("n", result("q0", "PartialData", from, 1)), page("")}, nil, nil, "PartialData"},
		"pages without end":      {[]func() (*http.Response, error){page("n", result("q0", "PartialData", from, 1)), page("n", result("q0", "PartialData", from, 1))}, nil, nil, "read metrics"},
		"a page that is lost": {[]func() (*http.Response, error){page("n", result("q0", "PartialData", from, 1)), func() (*http.Response, error) {
			return respond(400, "<ErrorResponse><Error><Type>Sender</Type><Code>InvalidNextToken</Code><Message>no</Message></Error></ErrorResponse>")
		}}, nil, nil, "InvalidNextToken"},
		"no number for a time": {[]func() (*http.Response, error){func() (*http.Response, error) {
			return metricPage("", strings.Replace(result("q0", "Complete", from, 1, 2), "<member>2</member>", "", 1))
		}}, nil, nil, "read metrics"},
		"internal error": {[]func() (*http.Response, error){page("", result("q0", "InternalError", from))}, nil, nil, "InternalError"},
		"forbidden":      {[]func() (*http.Response, error){page("", result("q0", "Forbidden", from))}, nil, providers.ErrDenied, "forbids"},
		"not spoken of":  {[]func() (*http.Response, error){page("")}, nil, nil, "read metric"},
		"another's id":   {[]func() (*http.Response, error){page("", result("q7", "Complete", from, 1))}, nil, nil, "read metrics"},
		"denied": {[]func() (*http.Response, error){func() (*http.Response, error) {
			return respond(403, "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>no</Message></Error></ErrorResponse>")
		}}, nil, providers.ErrDenied, "allow cloudwatch:GetMetricData"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			environment(t, nil)
			_, account := connect(func(c call) (*http.Response, error) {
				return tc.pages[min(c.n, len(tc.pages))-1]()
			}, fast())
			vs, err := account.Metrics.Series(t.Context(), requestsOf("E1", from))
			var got []float64
			for _, v := range vs {
				got = append(got, v.Value)
			}
			if fmt.Sprint(got) != fmt.Sprint(tc.want) || (err != nil) != (tc.says != "") || tc.class != nil && !errors.Is(err, tc.class) {
				t.Fatalf("got %v, %v", got, err)
			}
			if err != nil && !strings.Contains(err.Error()+" "+hint(err), tc.says) {
				t.Errorf("it says %q, hint %q", err, hint(err))
			}
		})
	}
}

// Questions of one request are of one period, and its window begins where a period
// does: CloudWatch counts them from there. Each question gets its own values alone.
func TestMetricsWindows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		environment(t, nil)
		hour := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
		w, account := connect(func(c call) (*http.Response, error) {
			form, err := url.ParseQuery(c.body)
			if err != nil {
				return nil, err
			}
			begin, err := time.Parse(time.RFC3339, form.Get("StartTime"))
			if err != nil {
				return nil, err
			}
			var out []string
			for i := 1; form.Has(fmt.Sprintf("MetricDataQueries.member.%d.Id", i)); i++ {
				member := fmt.Sprintf("MetricDataQueries.member.%d.", i)
				period, err := time.ParseDuration(form.Get(member+"MetricStat.Period") + "s")
				if err != nil {
					return nil, err
				}
				text := result(form.Get(member+"Id"), "Complete", begin, 1, 2, 3, 4)
				for n := 3; n > 0; n-- { // a minute each as it stands
					text = strings.Replace(text, begin.Add(time.Duration(n)*time.Minute).Format(time.RFC3339), begin.Add(time.Duration(n)*period).Format(time.RFC3339), 1)
				}
				out = append(out, text)
			}
			return metricPage("", out...)
		}, fast())
		minutes, hours, late := requestsOf("E1", hour.Add(7*time.Minute)), requestsOf("E1", hour), requestsOf("E2", hour.Add(9*time.Minute))
		hours.Period, hours.Until = time.Hour, hour.Add(3*time.Hour)
		var wg sync.WaitGroup
		for q, want := range map[*providers.MetricQuery]string{&minutes: "[12:07 12:08 12:09 12:10]", &hours: "[12:00 13:00 14:00]", &late: "[12:09 12:10]"} {
			wg.Go(func() {
				vs, err := account.Metrics.Series(t.Context(), *q)
				var at []string
				for _, v := range vs {
					at = append(at, v.Time.Format("15:04"))
				}
				if fmt.Sprint(at) != want || err != nil {
					t.Errorf("%v, %v, want %s", at, err, want)
				}
			})
		}
		wg.Wait()
		if n := len(w.calls); n != 2 {
			t.Errorf("%d requests, want one a period", n)
		}
	})
}

// What is asked is what CloudFront documents: us-east-1, Region=Global.
func TestMetricsQuestion(t *testing.T) {
	environment(t, nil)
	from := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	w, account := connect(func(call) (*http.Response, error) { return metricPage("", result("q0", "Complete", from)) }, fast())
	if _, err := account.Metrics.Series(t.Context(), requestsOf("E1", from)); err != nil {
		t.Fatal(err)
	}
	form, err := url.ParseQuery(w.calls[0].body)
	if err != nil {
		t.Fatal(err)
	}
	for k, want := range map[string]string{
		"Action": "GetMetricData", "StartTime": "2026-01-01T12:00:00Z", "EndTime": "2026-01-01T12:05:00Z", "MaxDatapoints": "100800",
		"MetricDataQueries.member.1.MetricStat.Metric.Namespace":                 "AWS/CloudFront",
		"MetricDataQueries.member.1.MetricStat.Metric.Dimensions.member.2.Name":  "Region",
		"MetricDataQueries.member.1.MetricStat.Metric.Dimensions.member.2.Value": "Global",
		"MetricDataQueries.member.1.MetricStat.Period":                           "60",
		"MetricDataQueries.member.1.MetricStat.Stat":                             "Sum",
	} {
		if form.Get(k) != want {
			t.Errorf("%s is %q, want %q", k, form.Get(k), want)
		}
	}
	if w.calls[0].host != "monitoring.us-east-1.amazonaws.com" {
		t.Errorf("asked at %s", w.calls[0].host)
	}
}

// S3's side, from the documents: moto makes a bucket of the request [S3 API
// Reference: ListBucketMetricsConfigurations, PutBucketMetricsConfiguration].
func TestRequestMetrics(t *testing.T) {
	const list = `<ListMetricsConfigurationsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">`
	one := func(id, filter string) string {
		return "<MetricsConfiguration><Id>" + id + "</Id>" + filter + "</MetricsConfiguration>"
	}
	filter := "<Filter><Prefix>img/</Prefix></Filter>"
	tests := map[string]struct {
		pages []string
		want  string
		bad   bool
	}{
		"none":            {[]string{list + "<IsTruncated>false</IsTruncated></ListMetricsConfigurationsResult>"}, "", false},
		"only a part":     {[]string{list + one("img", filter) + "<IsTruncated>false</IsTruncated></ListMetricsConfigurationsResult>"}, "", false},
		"the whole":       {[]string{list + one("img", filter) + one("EntireBucket", "") + "<IsTruncated>false</IsTruncated></ListMetricsConfigurationsResult>"}, "EntireBucket", false},
		"on a later page": {[]string{list + one("img", filter) + "<IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken></ListMetricsConfigurationsResult>", list + one("edgeward", "") + "<IsTruncated>false</IsTruncated></ListMetricsConfigurationsResult>"}, "edgeward", false},
		"no token":        {[]string{list + "<IsTruncated>true</IsTruncated></ListMetricsConfigurationsResult>"}, "", true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			environment(t, nil)
			n := 0
			_, account := connect(func(call) (*http.Response, error) {
				n++
				return respond(200, tc.pages[min(n, len(tc.pages))-1])
			}, fast())
			got, err := account.Metrics.RequestMetrics(t.Context(), "assets.example.com", "eu-west-1")
			if got != tc.want || (err != nil) != tc.bad {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

func TestCountRequests(t *testing.T) {
	environment(t, nil)
	w, account := connect(func(c call) (*http.Response, error) {
		if strings.HasPrefix(c.op, "DELETE") {
			return respond(204, "")
		}
		return respond(200, "")
	}, fast())
	m := account.Metrics
	if err := errors.Join(m.CountRequests(t.Context(), "assets.example.com", "eu-west-1", "edgeward"), m.StopCounting(t.Context(), "assets.example.com", "eu-west-1", "edgeward")); err != nil {
		t.Fatal(err)
	}
	put := w.calls[0]
	if !strings.HasPrefix(put.op, "PUT ") || !strings.Contains(put.op, "id=edgeward") || !strings.Contains(put.op, "metrics") ||
		!strings.Contains(put.body, "<Id>edgeward</Id>") || strings.Contains(put.body, "Filter") || !strings.Contains(put.host+put.op, "eu-west-1") {
		t.Errorf("sent %s %s %s", put.host, put.op, put.body)
	}
	if del := w.calls[1]; !strings.HasPrefix(del.op, "DELETE ") || !strings.Contains(del.op, "id=edgeward") {
		t.Errorf("sent %s", del.op)
	}
}

// What S3 says of a configuration that is gone [S3 API Reference:
// DeleteBucketMetricsConfiguration; Error responses: NoSuchConfiguration].
func TestStopCountingTwice(t *testing.T) {
	environment(t, nil)
	_, account := connect(func(call) (*http.Response, error) { return s3Refusal(404, "NoSuchConfiguration") }, fast())
	if err := account.Metrics.StopCounting(t.Context(), "assets.example.com", "eu-west-1", "edgeward"); !errors.Is(err, providers.ErrNotFound) {
		t.Errorf("error %v", err)
	}
}
