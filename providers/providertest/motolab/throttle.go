//go:build peers

package motolab

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/edgeward/edgeward/providers"
)

// Rate is a token bucket as AWS has them before its APIs: requests a second, and
// how many at once when none came for a while.
type Rate struct {
	PerSecond float64
	Burst     int
}

// SetRates refuses requests beyond the rates from now on, by service: "cloudfront
// reads", "cloudfront writes", "route53", "acm", "acm reads" (one certificate), "tagging", "s3". What is not named
// has no rate; nil takes all away. It also lets Route 53 refuse a change of a zone
// while another change of it is under way.
func (l *Lab) SetRates(rates map[string]Rate) {
	l.throttle.mu.Lock()
	defer l.throttle.mu.Unlock()
	l.throttle.rates, l.throttle.buckets = maps.Clone(rates), map[string]*tokens{}
	l.throttle.refused, l.throttle.served = map[string]int{}, map[string]int{}
	l.throttle.changing = map[string]bool{}
}

// Throttled counts the requests that were refused for their rate since SetRates,
// and those that were let through, by service.
func (l *Lab) Throttled() (refused, served map[string]int) {
	l.throttle.mu.Lock()
	defer l.throttle.mu.Unlock()
	return maps.Clone(l.throttle.refused), maps.Clone(l.throttle.served)
}

type throttle struct {
	mu              sync.Mutex
	rates           map[string]Rate
	buckets         map[string]*tokens
	refused, served map[string]int
	changing        map[string]bool // zones of Route 53, by path
}

type tokens struct {
	left float64
	at   time.Time
}

// serviceOf is whose rate a request counts for.
func serviceOf(r *http.Request) string {
	target := r.Header.Get("X-Amz-Target")
	switch {
	case target == "CertificateManager.DescribeCertificate", target == "CertificateManager.ListTagsForCertificate":
		return "acm reads"
	case strings.HasPrefix(target, "CertificateManager."):
		return "acm"
	case strings.HasPrefix(target, "ResourceGroupsTaggingAPI_"):
		return "tagging"
	case strings.HasPrefix(r.URL.Path, "/2020-05-31/") && r.Method == http.MethodGet:
		return "cloudfront reads"
	case strings.HasPrefix(r.URL.Path, "/2020-05-31/"):
		return "cloudfront writes"
	case strings.HasPrefix(r.URL.Path, "/2013-04-01/"):
		return "route53"
	case target == "" && r.Header.Get("Content-Type") != "application/x-www-form-urlencoded":
		return "s3"
	}
	return ""
}

// take takes a token; code is what the request is refused with, "" for nothing.
// done ends it.
func (t *throttle) take(r *http.Request, op string) (code string, done func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	done = func() {}
	service := serviceOf(r)
	rate, ok := t.rates[service]
	if !ok {
		return "", done
	}
	now := providers.RealClock{}.Now()
	b := t.buckets[service]
	if b == nil {
		b = &tokens{left: float64(rate.Burst), at: now}
		t.buckets[service] = b
	}
	b.left = min(b.left+now.Sub(b.at).Seconds()*rate.PerSecond, float64(rate.Burst))
	b.at = now
	zone := ""
	if op == "ChangeResourceRecordSets" {
		zone = r.URL.Path
	}
	switch {
	case b.left < 1:
		code = "Throttling"
	case t.changing[zone]:
		code = "PriorRequestNotComplete"
	}
	if code != "" {
		t.refused[service]++
		return code, done
	}
	b.left--
	t.served[service]++
	if zone != "" {
		t.changing[zone] = true
		done = func() {
			t.mu.Lock()
			defer t.mu.Unlock()
			delete(t.changing, zone)
		}
	}
	return "", done
}

// refuseForRate answers a request beyond its rate, in the words of its service [Common
// Errors of the CloudFront API Reference; Route 53 API Reference: Common Errors,
// ChangeResourceRecordSets; ACM API Reference: RequestCertificate; Resource Groups
// Tagging API Reference: GetResources; S3 API Reference: Error responses].
func refuseForRate(w http.ResponseWriter, r *http.Request, code string) {
	switch serviceOf(r) {
	case "acm", "acm reads", "tagging":
		kind := map[string]string{"acm": "ThrottlingException", "acm reads": "ThrottlingException", "tagging": "ThrottledException"}[serviceOf(r)]
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = fmt.Fprintf(w, `{"__type":%q,"message":"Rate exceeded"}`, kind)
	case "s3":
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = fmt.Fprint(w, `<?xml version="1.0" encoding="UTF-8"?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message><RequestId>lab</RequestId></Error>`)
	default:
		refuse(w, http.StatusBadRequest, code, "Rate exceeded")
	}
}
