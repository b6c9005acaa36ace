//go:build peers && linux

package cmd_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	r53 "github.com/aws/aws-sdk-go-v2/service/route53/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/miekg/dns"

	"github.com/edgeward/edgeward/providers/providertest/motolab"
)

// awsRates are before moto while figures of apply are taken: those that are
// documented (Route 53, ACM), and for CloudFront, whose are not, five times what
// edgeward begins with, so that it has to find them.
func awsRates() map[string]motolab.Rate {
	return map[string]motolab.Rate{
		"cloudfront writes": {PerSecond: 5, Burst: 10}, "cloudfront reads": {PerSecond: 20, Burst: 20},
		"route53": {PerSecond: 5, Burst: 5}, "acm": {PerSecond: 5, Burst: 5}, "acm reads": {PerSecond: 10, Burst: 10},
		"tagging": {PerSecond: 5, Burst: 10}, "s3": {PerSecond: 100, Burst: 100},
	}
}

// TestApplyFigures plans, applies and plans again, with latency and rates before
// moto, and reports requests, refusals, time, memory, and how near the apply is to
// its bound: the larger of the requests that were served at the rates, and what one
// bucket takes. EDGEWARD_FIGURES has the numbers of buckets, such as 1,10,50,200.
func TestApplyFigures(t *testing.T) {
	t.Parallel()
	sizes := []int{1, 10}
	if text := os.Getenv("EDGEWARD_FIGURES"); text != "" {
		sizes = nil
		for part := range strings.SplitSeq(text, ",") {
			n, err := strconv.Atoi(part)
			if err != nil {
				t.Fatal(err)
			}
			sizes = append(sizes, n)
		}
	}
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "\n\tbuckets\twall\tCPU\tpeak memory\trequests\trefused\tbound\tratio\tby operation")
	var chain time.Duration
	for _, n := range sizes {
		m := newRated(t, n)
		for _, run := range []struct{ what, says string }{
			{"plan of new", fmt.Sprintf("Plan: %d to migrate", n)}, {"apply", fmt.Sprintf("Apply: %d finished", n)}, {"plan of finished", fmt.Sprintf("%d done", n)},
		} {
			m.lab.ResetRequests()
			m.lab.SetRates(awsRates())
			args := []string{"plan"}
			if run.what == "apply" {
				args = []string{"apply", "-auto-approve", "-wait-timeout=1h"}
			}
			f := m.edgeward.measure(t, run.says, args...)
			f.requests = m.lab.Requests()
			if run.what == "apply" && n == 1 {
				chain = f.wall
			}
			refused, bound, ratio := m.bound(run.what == "apply", f.wall, chain)
			fmt.Fprintf(table, "%s\t%d\t%s\t%s\t%.1f MiB\t%d\t%d\t%s\t%s\t%s\n", run.what, n, f.wall.Round(100*time.Millisecond), f.cpu.Round(10*time.Millisecond),
				float64(f.memory)/(1<<20), f.total(), refused, bound, ratio, operations(f.requests))
			if refused*20 > f.total() {
				t.Errorf("%s of %d buckets: %d of %d requests were refused for their rate", run.what, n, refused, f.total())
			}
		}
	}
	_ = table.Flush()
	t.Log(text.String())
}

// bound is how many requests were refused, and of an apply the bound and its ratio.
func (m *many) bound(apply bool, wall, chain time.Duration) (refused int, bound, ratio string) {
	no, yes := m.lab.Throttled()
	most, by := chain, "one bucket"
	for service, rate := range awsRates() {
		refused += no[service]
		if d := time.Duration(float64(yes[service]) / rate.PerSecond * float64(time.Second)); d > most {
			most, by = d, service
		}
	}
	if !apply {
		return refused, "", ""
	}
	return refused, fmt.Sprintf("%s (%s)", most.Round(100*time.Millisecond), by), fmt.Sprintf("%.2f", float64(wall)/float64(most))
}

// newRated is a lab with n buckets that an apply can finish: edges and name
// servers that show what is in moto, and latency.
func newRated(t *testing.T, n int) *many {
	t.Helper()
	m := &many{n: n, lab: motolab.Start(t)}
	m.lab.SetDeployTime(t, 10*time.Second)
	own := m.lab.OwnConfig()
	m.route53 = route53.NewFromConfig(own)
	zone, err := m.route53.CreateHostedZone(t.Context(), &route53.CreateHostedZoneInput{Name: sdk.String("example.com"), CallerReference: sdk.String("1")})
	if err != nil {
		t.Fatal(err)
	}
	m.zone = *zone.HostedZone.Id
	buckets := s3.NewFromConfig(own, func(o *s3.Options) { o.UsePathStyle = true })
	m.each(t, func(i int) error {
		site{bucket: m.name(i), objects: map[string]string{"index.html": "hello"}}.make(t, buckets)
		return nil
	})
	var changes []r53.Change
	for i := range n {
		changes = append(changes, r53.Change{Action: r53.ChangeActionCreate, ResourceRecordSet: site{bucket: m.name(i)}.record()})
	}
	if _, err := m.route53.ChangeResourceRecordSets(t.Context(), &route53.ChangeResourceRecordSetsInput{HostedZoneId: &m.zone, ChangeBatch: &r53.ChangeBatch{Changes: changes}}); err != nil {
		t.Fatal(err)
	}
	places := startFronts(t, own, m.lab.MotoURL)
	// moto takes long to list many distributions and to serve objects: what is to be
	// measured here are the APIs.
	places.relist = 2 * time.Second
	places.rest = serveHTTP(t, http.HandlerFunc(serveHello), nil)
	m.nameserver = serveDNS(t, &zoneCopy{api: m.route53, id: m.zone})
	resolver := serveDNS(t, newResolver(m.nameserver))
	m.edgeward = build(t, m.lab.Env())
	m.edgeward.limit = time.Hour
	var text strings.Builder
	fmt.Fprintf(&text, "dns_provider \"route53\" \"main\" {\n  zones = [\"example.com\"]\n  nameservers = [%q]\n}\n", m.nameserver)
	fmt.Fprintf(&text, "probe {\n  resolvers = [%q]\n  ca_file = %q\n  connect_to = {\n", resolver, places.ca.File)
	for from, to := range places.connectTo() {
		fmt.Fprintf(&text, "    %q = %q\n", from, to)
	}
	text.WriteString("  }\n}\nrollout {\n  parallelism = 50\n}\nbucket \"site\" {\n  for_each = toset([")
	for i := range n {
		fmt.Fprintf(&text, "%q, ", m.name(i))
	}
	text.WriteString("])\n  name = each.key\n  region = \"" + region + "\"\n  dns {\n    low_ttl = \"1s\"\n  }\n  verify {\n    paths = [\"/index.html\"]\n    sample = 1\n  }\n  watch {\n    for = \"0s\"\n  }\n}\n")
	m.edgeward.configure(t, text.String())
	m.lab.SetLatency(figureLatency)
	return m
}

// serveHello answers as S3 does for a bucket with one object, index.html.
func serveHello(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Amz-Request-Id", "LAB0000000000001")
	w.Header().Set("Server", "AmazonS3")
	if r.URL.Path != "/index.html" || r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(http.StatusForbidden)
		if r.Method != http.MethodHead {
			_, _ = w.Write([]byte("<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"))
		}
		return
	}
	w.Header().Set("Content-Type", "text/html")
	w.Header().Set("ETag", `"5d41402abc4b2a76b9719d911017c592"`)
	http.ServeContent(w, r, "", time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), strings.NewReader("hello"))
}

// zoneCopy answers from a copy of a zone in moto that is at most a second old.
type zoneCopy struct {
	api *route53.Client
	id  string

	mu   sync.Mutex
	at   time.Time
	sets map[string][]r53.ResourceRecordSet
}

// ServeDNS implements dns.Handler.
func (z *zoneCopy) ServeDNS(w dns.ResponseWriter, q *dns.Msg) {
	a := new(dns.Msg)
	a.SetReply(q)
	a.Authoritative = true
	name, typ := strings.TrimSuffix(strings.ToLower(q.Question[0].Name), "."), q.Question[0].Qtype
	sets, err := z.now()
	switch {
	case err != nil:
		a.Rcode = dns.RcodeServerFailure
	case len(sets[name]) == 0:
		a.Rcode = dns.RcodeNameError
	}
	for _, s := range sets[name] {
		if own := dns.StringToType[string(s.Type)]; own == typ || own == dns.TypeCNAME {
			a.Answer = append(a.Answer, recordsOf(s, name, own)...)
		}
	}
	if len(a.Answer) == 0 {
		a.Ns = []dns.RR{&dns.SOA{Hdr: header("example.com", dns.TypeSOA, 1), Ns: "ns1.example.com.", Mbox: "admin.example.com.",
			Serial: 1, Refresh: 7200, Retry: 900, Expire: 1209600, Minttl: 1}}
	}
	_ = w.WriteMsg(a)
}

func (z *zoneCopy) now() (map[string][]r53.ResourceRecordSet, error) {
	z.mu.Lock()
	defer z.mu.Unlock()
	if time.Since(z.at) < time.Second {
		return z.sets, nil
	}
	sets := map[string][]r53.ResourceRecordSet{}
	pages := route53.NewListResourceRecordSetsPaginator(z.api, &route53.ListResourceRecordSetsInput{HostedZoneId: &z.id})
	for pages.HasMorePages() {
		page, err := pages.NextPage(context.Background())
		if err != nil {
			return z.sets, err
		}
		for _, s := range page.ResourceRecordSets {
			name := strings.TrimSuffix(strings.ToLower(sdk.ToString(s.Name)), ".")
			sets[name] = append(sets[name], s)
		}
	}
	z.at, z.sets = time.Now(), sets
	return sets, nil
}
