//go:build peers && linux

package cmd_test

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"text/tabwriter"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	r53 "github.com/aws/aws-sdk-go-v2/service/route53/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/miekg/dns"
	"golang.org/x/sync/errgroup"

	"github.com/edgeward/edgeward/providers"
	"github.com/edgeward/edgeward/providers/aws"
	"github.com/edgeward/edgeward/providers/providertest/motolab"
)

// A plan of 200 finished buckets has to stay under so many requests. Times and
// memory are only reported: they are this machine's.
const (
	figureLatency = 80 * time.Millisecond
	aimRequests   = 15
)

// figures are what one run of edgeward took.
type figures struct {
	requests  map[string]int
	wall, cpu time.Duration
	memory    int64 // the peak of its resident memory, bytes
}

func (f figures) total() int {
	n := 0
	for _, k := range f.requests {
		n += k
	}
	return n
}

// TestFigures reports what `plan` costs: of buckets that nothing was done for,
// and of finished ones.
func TestFigures(t *testing.T) {
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "\nplan of\tbuckets\twall\tCPU\tpeak memory\trequests\tby operation")
	for _, n := range []int{1, 10, 200} {
		many := newMany(t, n)
		for _, done := range []bool{false, true} {
			what, says := "new", fmt.Sprintf("Plan: %d to migrate", n)
			if done {
				many.finish(t)
				what, says = "finished", fmt.Sprintf("%d done", n)
			}
			f := many.measure(t, says, done)
			fmt.Fprintf(table, "%s\t%d\t%s\t%s\t%.1f MiB\t%d\t%s\n", what, n, f.wall.Round(time.Millisecond), f.cpu.Round(time.Millisecond),
				float64(f.memory)/(1<<20), f.total(), operations(f.requests))
			if done && f.total() >= aimRequests {
				t.Errorf("a plan of %d finished buckets: %d requests, the aim is under %d", n, f.total(), aimRequests)
			}
		}
	}
	_ = table.Flush()
	t.Log(text.String())
	startUp(t)
}

// startUp reports the size of the program, and how long it takes to begin.
func startUp(t *testing.T) {
	t.Helper()
	b := build(t, nil)
	info, err := os.Stat(b.path)
	if err != nil {
		t.Fatal(err)
	}
	var runs []figures
	for range 9 {
		runs = append(runs, b.measure(t, "edgeward ", "version"))
	}
	f := median(runs)
	t.Logf("edgeward version: %s, CPU %s; the binary has %.1f MiB", f.wall.Round(100*time.Microsecond), f.cpu.Round(100*time.Microsecond), float64(info.Size())/(1<<20))
}

func operations(requests map[string]int) string {
	var parts []string
	for _, op := range slices.Sorted(maps.Keys(requests)) {
		parts = append(parts, fmt.Sprintf("%s %d", op, requests[op]))
	}
	return strings.Join(parts, ", ")
}

// measure runs edgeward once, which must succeed and say want.
func (b *binary) measure(t *testing.T, want string, args ...string) figures {
	t.Helper()
	began := time.Now()
	cmd, wait := b.start(t, args...)
	var watched sync.WaitGroup
	done := make(chan struct{})
	var f figures
	// The kernel counts the memory of the process that was forked from in the
	// usage that wait reports; what the program itself had stands in /proc.
	watched.Go(func() {
		for {
			f.memory = max(f.memory, highWater(cmd.Process.Pid))
			select {
			case <-done:
				return
			case <-time.After(2 * time.Millisecond):
			}
		}
	})
	r := wait()
	f.wall = time.Since(began)
	close(done)
	watched.Wait()
	f.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	if r.code != 0 || !strings.Contains(r.stdout, want) {
		t.Fatalf("edgeward %s: exit %d\n%s\n%s", strings.Join(args, " "), r.code, r.stdout, r.stderr)
	}
	return f
}

// highWater is the most resident memory that a process has had, 0 when it is
// gone.
func highWater(pid int) int64 {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return kib << 10
		}
	}
	return 0
}

// median is that by wall time.
func median(runs []figures) figures {
	slices.SortFunc(runs, func(a, b figures) int { return cmp.Compare(a.wall, b.wall) })
	return runs[len(runs)/2]
}

// many is a lab with n buckets whose names are CNAMEs of S3.
type many struct {
	n        int
	lab      *motolab.Lab
	edgeward *binary
	route53  *route53.Client
	zone     string
	// nameserver stands for the zone's name servers and for a resolver.
	nameserver string
	latency    atomic.Int64 // a time.Duration
}

func (m *many) name(i int) string { return fmt.Sprintf("site%03d.example.com", i) }

func newMany(t *testing.T, n int) *many {
	t.Helper()
	m := &many{n: n, lab: motolab.Start(t)}
	m.lab.SetDeployTime(t, 0)
	m.lab.Setenv(t) // finish goes through the adapters, as the program does
	cfg := m.lab.Config()
	m.route53 = route53.NewFromConfig(cfg)
	zone, err := m.route53.CreateHostedZone(t.Context(), &route53.CreateHostedZoneInput{Name: sdk.String("example.com"), CallerReference: sdk.String("1")})
	if err != nil {
		t.Fatal(err)
	}
	m.zone = *zone.HostedZone.Id
	buckets := s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true })
	m.each(t, func(i int) error {
		s := site{bucket: m.name(i), objects: map[string]string{"index.html": "hello"}}
		s.make(t, buckets)
		return nil
	})
	m.point(t, func(i int) string { return m.name(i) + restSuffix }, "_x1.%s", "_x2.acm-validations.aws")
	m.nameserver = serveDNS(t, dns.HandlerFunc(m.answer))
	m.edgeward = build(t, m.lab.Env())
	var text strings.Builder
	fmt.Fprintf(&text, "dns_provider \"route53\" \"main\" {\n  zones = [\"example.com\"]\n  nameservers = [%q]\n}\nprobe {\n  resolvers = [%q]\n}\n", m.nameserver, m.nameserver)
	text.WriteString("bucket \"site\" {\n  for_each = toset([")
	for i := range n {
		fmt.Fprintf(&text, "%q, ", m.name(i))
	}
	text.WriteString("])\n  name = each.key\n  region = \"" + region + "\"\n}\n")
	m.edgeward.configure(t, text.String())
	return m
}

// answer answers that every name is the CNAME of its bucket, after the latency
// that requests have too.
func (m *many) answer(w dns.ResponseWriter, q *dns.Msg) {
	_ = providers.RealClock{}.Sleep(context.Background(), time.Duration(m.latency.Load()))
	a := new(dns.Msg)
	a.SetReply(q)
	a.Authoritative = true
	if name := q.Question[0].Name; q.Question[0].Qtype == dns.TypeCNAME && strings.HasPrefix(name, "site") {
		a.Answer = []dns.RR{&dns.CNAME{Hdr: header(name, dns.TypeCNAME, 300), Target: dns.Fqdn(strings.TrimSuffix(name, ".") + restSuffix)}}
	}
	_ = w.WriteMsg(a)
}

// setLatency delays every request and every answer of the DNS.
func (m *many) setLatency(d time.Duration) {
	m.lab.SetLatency(d)
	m.latency.Store(int64(d))
}

func (m *many) each(t *testing.T, f func(i int) error) {
	t.Helper()
	g, _ := errgroup.WithContext(t.Context())
	g.SetLimit(4)
	for i := range m.n {
		g.Go(func() error { return f(i) })
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
}

// point writes a CNAME a name, and one beside it as ACM's validation is.
func (m *many) point(t *testing.T, target func(i int) string, beside, proof string) {
	t.Helper()
	var changes []r53.Change
	for i := range m.n {
		for name, value := range map[string]string{m.name(i): target(i), fmt.Sprintf(beside, m.name(i)): proof} {
			changes = append(changes, r53.Change{Action: r53.ChangeActionUpsert, ResourceRecordSet: &r53.ResourceRecordSet{
				Name: sdk.String(name), Type: r53.RRTypeCname, TTL: sdk.Int64(300), ResourceRecords: []r53.ResourceRecord{{Value: sdk.String(value + ".")}}}})
		}
	}
	_, err := m.route53.ChangeResourceRecordSets(t.Context(), &route53.ChangeResourceRecordSetsInput{
		HostedZoneId: &m.zone, ChangeBatch: &r53.ChangeBatch{Changes: changes}})
	if err != nil {
		t.Fatal(err)
	}
}

// finish puts every bucket where an apply would leave it.
func (m *many) finish(t *testing.T) {
	t.Helper()
	account := aws.New(aws.Options{Clock: providers.RealClock{}, Limits: aws.Limits{}.Times(1000)}).Account()
	arn, err := account.Certificates.Request(t.Context(), []string{"*.example.com"}, "t", nil)
	if err != nil {
		t.Fatal(err)
	}
	var policies []string
	for i := range m.n/100 + 1 { // a policy takes 100 distributions
		p, err := account.CachePolicies.CreateCachePolicy(t.Context(), fmt.Sprintf("edgeward-0123456789ab-%d", i+1), providers.CacheSettings{MaxTTL: 31536000, QueryStrings: true})
		if err != nil {
			t.Fatal(err)
		}
		policies = append(policies, p.ID)
	}
	domains := make([]string, m.n)
	m.each(t, func(i int) error {
		d, err := account.Distributions.Create(t.Context(), "edgeward-"+m.name(i), providers.Settings{
			Enabled: true, Aliases: []string{m.name(i)}, CertificateARN: arn, MinimumTLS: "TLSv1.2_2021",
			OriginDomain: m.name(i) + restSuffix, OriginKind: providers.RESTOrigin, ViewerProtocol: "allow-all",
			Methods: []string{"GET", "HEAD"}, PriceClass: "PriceClass_All", HTTPVersion: "http2", IPv6: true, CachePolicyID: policies[i/100],
		}, map[string]string{
			providers.TagBucket: m.name(i), "edgeward:was": "CNAME " + m.name(i) + restSuffix, "edgeward:was-ttl": "300",
			"edgeward:was-at": "dns_provider.route53.main/example.com", "edgeward:low-since": "",
			"edgeward:proof": "2026-11-01T00:00:00Z/ELAB00000001/0123456789ab", "edgeward:finished": "2026-11-01T01:00:00Z",
		})
		domains[i] = d.Domain
		return err
	})
	m.point(t, func(i int) string { return domains[i] }, "_x1.%s", "_x2.acm-validations.aws")
}

// measure is the median of three plans, of one where that takes long; the first
// one, which fills the front's own caches, is not counted.
func (m *many) measure(t *testing.T, want string, quick bool) figures {
	t.Helper()
	times := 1
	if quick || m.n < 100 {
		m.edgeward.measure(t, want, "plan")
		times = 3
	}
	m.setLatency(figureLatency)
	defer m.setLatency(0)
	var runs []figures
	for range times {
		m.lab.ResetRequests()
		f := m.edgeward.measure(t, want, "plan")
		f.requests = m.lab.Requests()
		runs = append(runs, f)
	}
	return median(runs)
}
