package cmd

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// fleet is what AWS answers of an account and a zone in which n buckets are
// finished, page by page: ListDistributions and GetResources have 100 rows a
// page, ListResourceRecordSets 300, which is the most that they give
// [CloudFront API Reference, ListDistributions; Resource Groups Tagging API
// Reference, GetResources; Route 53 API Reference, ListResourceRecordSets].
// Anything else is refused.
type fleet struct {
	n   int
	url string

	mu       sync.Mutex
	requests map[string]int
}

const (
	fleetPage        = 100
	fleetRecordsPage = 300
	fleetZone        = "ZFLEET"
	fleetAccount     = "123456789012"
)

func newFleet(t testing.TB, n int) *fleet {
	t.Helper()
	f := &fleet{n: n, requests: map[string]int{}}
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	f.url = s.URL
	return f
}

func (f *fleet) bucket(i int) string { return fmt.Sprintf("site%05d.example.com", i) }

func (f *fleet) id(i int) string { return fmt.Sprintf("E%013d", i) }

func (f *fleet) domain(i int) string { return fmt.Sprintf("d%013d.cloudfront.net", i) }

func (f *fleet) arn(i int) string {
	return "arn:aws:cloudfront::" + fleetAccount + ":distribution/" + f.id(i)
}

// counted are the requests so far by operation; the count starts again.
func (f *fleet) counted() (total int, by string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var parts []string
	for _, op := range slices.Sorted(maps.Keys(f.requests)) {
		total += f.requests[op]
		parts = append(parts, fmt.Sprintf("%s %d", op, f.requests[op]))
	}
	clear(f.requests)
	return total, strings.Join(parts, ", ")
}

// ServeHTTP implements http.Handler.
func (f *fleet) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	op, answer := "", ""
	q := r.URL.Query()
	switch path := r.URL.Path; {
	case r.Method == "POST" && strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".GetResources"):
		op, answer = "GetResources", f.resources(r.Body)
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	case r.Method == "GET" && path == "/2020-05-31/distribution":
		op, answer = "ListDistributions", f.distributions(q)
	case r.Method == "GET" && path == "/2013-04-01/hostedzonesbyname":
		op, answer = "ListHostedZonesByName", f.zones()
	case r.Method == "GET" && path == "/2013-04-01/hostedzone/"+fleetZone+"/rrset":
		op, answer = "ListResourceRecordSets", f.records(q)
	default:
		op = r.Method + " " + r.URL.String()
		w.WriteHeader(http.StatusForbidden)
	}
	f.mu.Lock()
	f.requests[op]++
	f.mu.Unlock()
	_, _ = io.WriteString(w, answer)
}

func (f *fleet) distributions(q url.Values) string {
	from, _ := strconv.Atoi(q.Get("Marker"))
	to := min(from+fleetPage, f.n)
	var b strings.Builder
	fmt.Fprintf(&b, `<DistributionList xmlns="http://cloudfront.amazonaws.com/doc/2020-05-31/"><Marker>%s</Marker><MaxItems>100</MaxItems><IsTruncated>%t</IsTruncated><Quantity>%d</Quantity>`,
		q.Get("Marker"), to < f.n, to-from)
	if to < f.n {
		fmt.Fprintf(&b, "<NextMarker>%d</NextMarker>", to)
	}
	b.WriteString("<Items>")
	for i := from; i < to; i++ {
		name := f.bucket(i)
		fmt.Fprintf(&b, `<DistributionSummary><Id>%s</Id><ARN>%s</ARN><ETag>E%d</ETag><Status>Deployed</Status><LastModifiedTime>2026-11-01T00:00:00Z</LastModifiedTime>
<DomainName>%s</DomainName><Aliases><Quantity>1</Quantity><Items><CNAME>%s</CNAME></Items></Aliases>
<Origins><Quantity>1</Quantity><Items><Origin><Id>s3</Id><DomainName>%s.s3.eu-west-1.amazonaws.com</DomainName><OriginPath></OriginPath><CustomHeaders><Quantity>0</Quantity></CustomHeaders>
<S3OriginConfig><OriginAccessIdentity></OriginAccessIdentity></S3OriginConfig><ConnectionAttempts>3</ConnectionAttempts><ConnectionTimeout>10</ConnectionTimeout></Origin></Items></Origins>
<OriginGroups><Quantity>0</Quantity></OriginGroups><DefaultCacheBehavior><TargetOriginId>s3</TargetOriginId><ViewerProtocolPolicy>allow-all</ViewerProtocolPolicy>
<AllowedMethods><Quantity>2</Quantity><Items><Method>GET</Method><Method>HEAD</Method></Items><CachedMethods><Quantity>2</Quantity><Items><Method>GET</Method><Method>HEAD</Method></Items></CachedMethods></AllowedMethods>
<SmoothStreaming>false</SmoothStreaming><Compress>false</Compress><CachePolicyId>policy-%d</CachePolicyId></DefaultCacheBehavior><CacheBehaviors><Quantity>0</Quantity></CacheBehaviors>
<CustomErrorResponses><Quantity>0</Quantity></CustomErrorResponses><Comment>edgeward: %s</Comment><PriceClass>PriceClass_All</PriceClass><Enabled>true</Enabled>
<ViewerCertificate><CloudFrontDefaultCertificate>false</CloudFrontDefaultCertificate><ACMCertificateArn>arn:aws:acm:us-east-1:%s:certificate/c</ACMCertificateArn>
<SSLSupportMethod>sni-only</SSLSupportMethod><MinimumProtocolVersion>TLSv1.2_2021</MinimumProtocolVersion></ViewerCertificate>
<Restrictions><GeoRestriction><RestrictionType>none</RestrictionType><Quantity>0</Quantity></GeoRestriction></Restrictions><WebACLId></WebACLId><HttpVersion>http2</HttpVersion>
<IsIPV6Enabled>true</IsIPV6Enabled><Staging>false</Staging></DistributionSummary>`,
			f.id(i), f.arn(i), i, f.domain(i), name, name, i/100, name, fleetAccount)
	}
	b.WriteString("</Items></DistributionList>")
	return b.String()
}

func (f *fleet) resources(body io.Reader) string {
	type tag struct{ Key, Value string }
	type row struct {
		ResourceARN string
		Tags        []tag
	}
	var in struct{ PaginationToken string }
	_ = json.NewDecoder(body).Decode(&in)
	from, _ := strconv.Atoi(in.PaginationToken)
	to := min(from+fleetPage, f.n)
	out := struct {
		PaginationToken        string
		ResourceTagMappingList []row
	}{ResourceTagMappingList: []row{}}
	if to < f.n {
		out.PaginationToken = strconv.Itoa(to)
	}
	for i := from; i < to; i++ {
		name := f.bucket(i)
		out.ResourceTagMappingList = append(out.ResourceTagMappingList, row{f.arn(i), []tag{
			{"edgeward:bucket", name}, {"edgeward:was", "CNAME " + name + ".s3.eu-west-1.amazonaws.com"}, {"edgeward:was-ttl", "300"},
			{"edgeward:was-at", "dns_provider.route53.main/example.com"}, {"edgeward:low-since", ""},
			{"edgeward:proof", "2026-11-01T00:00:00Z/E" + strconv.Itoa(i) + "/0123456789ab"}, {"edgeward:finished", "2026-11-01T01:00:00Z"},
		}})
	}
	text, _ := json.Marshal(out)
	return string(text)
}

func (f *fleet) zones() string {
	return fmt.Sprintf(`<ListHostedZonesByNameResponse xmlns="https://route53.amazonaws.com/doc/2013-04-01/"><HostedZones><HostedZone><Id>/hostedzone/%s</Id><Name>example.com.</Name>
<CallerReference>1</CallerReference><Config><PrivateZone>false</PrivateZone></Config><ResourceRecordSetCount>%d</ResourceRecordSetCount></HostedZone></HostedZones>
<DNSName>example.com.</DNSName><IsTruncated>false</IsTruncated><MaxItems>100</MaxItems></ListHostedZonesByNameResponse>`, fleetZone, 2*f.n)
}

// record is the name and the value of a record of the zone in Route 53's order:
// names are compared from the right, so that what is below a name follows it.
func (f *fleet) record(i int) (name, value string) {
	if i%2 == 0 {
		return f.bucket(i/2) + ".", f.domain(i/2) + "."
	}
	return "_x." + f.bucket(i/2) + ".", "_y.acm-validations.aws."
}

func (f *fleet) records(q url.Values) string {
	from, most := 0, fleetRecordsPage
	if m, err := strconv.Atoi(q.Get("maxitems")); err == nil {
		most = min(most, m)
	}
	if name := strings.TrimSuffix(q.Get("name"), "."); name != "" {
		_, _ = fmt.Sscanf(strings.TrimPrefix(name, "_x."), "site%d.example.com", &from)
		from *= 2
		if strings.HasPrefix(name, "_x.") {
			from++
		}
	}
	to := min(from+most, 2*f.n)
	var b strings.Builder
	fmt.Fprintf(&b, `<ListResourceRecordSetsResponse xmlns="https://route53.amazonaws.com/doc/2013-04-01/"><IsTruncated>%t</IsTruncated><MaxItems>%d</MaxItems>`, to < 2*f.n, most)
	if to < 2*f.n {
		next, _ := f.record(to)
		fmt.Fprintf(&b, "<NextRecordName>%s</NextRecordName><NextRecordType>CNAME</NextRecordType>", next)
	}
	b.WriteString("<ResourceRecordSets>")
	for i := from; i < to; i++ {
		name, value := f.record(i)
		fmt.Fprintf(&b, "<ResourceRecordSet><Name>%s</Name><Type>CNAME</Type><TTL>300</TTL><ResourceRecords><ResourceRecord><Value>%s</Value></ResourceRecord></ResourceRecords></ResourceRecordSet>", name, value)
	}
	b.WriteString("</ResourceRecordSets></ListResourceRecordSetsResponse>")
	return b.String()
}

// configure writes the configuration of the fleet into dir.
func (f *fleet) configure(t testing.TB, dir string) {
	t.Helper()
	var b strings.Builder
	b.WriteString("dns_provider \"route53\" \"main\" {\n  zones = [\"example.com\"]\n}\nprobe {\n  resolvers = [\"127.0.0.1:1\"]\n}\nbucket \"site\" {\n  for_each = toset([")
	for i := range f.n {
		fmt.Fprintf(&b, "%q, ", f.bucket(i))
	}
	b.WriteString("])\n  name = each.key\n  region = \"eu-west-1\"\n}\n")
	if err := os.WriteFile(filepath.Join(dir, "edgeward.hcl"), []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
}

// environment is that of a process which asks the fleet only.
func (f *fleet) environment(home string) []string {
	return []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + home, "AWS_ENDPOINT_URL=" + f.url, "AWS_ACCESS_KEY_ID=fleetkey", "AWS_SECRET_ACCESS_KEY=fleetsecret",
		"AWS_REGION=us-east-1", "AWS_CONFIG_FILE=" + os.DevNull, "AWS_SHARED_CREDENTIALS_FILE=" + os.DevNull, "AWS_EC2_METADATA_DISABLED=true",
	}
}

// Aims: a run over a thousand finished buckets of one account and one zone makes
// at most so many requests, and has at most so much memory.
const (
	aimFleetRequests = 40
	aimFleetMemory   = 128 << 20
	// metricPages is what status asks CloudWatch besides: five questions a bucket,
	// 500 a request.
	metricPages = 10
)

func TestFinishedFleetCostsPages(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 1000)
	program := buildProgram(t)
	for _, args := range [][]string{{"plan"}, {"status"}, {"apply", "-auto-approve"}} {
		r := f.run(t, program, args...)
		t.Logf("%s of %d finished buckets: %d requests (%s), %.1f MiB", args[0], f.n, r.requests, r.by, float64(r.memory)/(1<<20))
		aim := aimFleetRequests
		if args[0] == "status" {
			aim += metricPages
		}
		if r.requests > aim {
			t.Errorf("%s of %d finished buckets: %d requests, at most %d: %.2000s", args[0], f.n, r.requests, aim, r.by)
		}
		if r.memory > aimFleetMemory {
			t.Errorf("%s of %d finished buckets: %.1f MiB", args[0], f.n, float64(r.memory)/(1<<20))
		}
	}
}

// BenchmarkFinishedFleet is a plan of finished buckets with the program itself,
// every output written: requests, wall, and the peak of its memory.
func BenchmarkFinishedFleet(b *testing.B) {
	program := buildProgram(b)
	for _, n := range []int{1, 10, 50, 200, 1000, 10000} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			f := newFleet(b, n)
			var r fleetRun
			for b.Loop() {
				r = f.run(b, program, "plan")
			}
			b.ReportMetric(float64(r.requests), "requests")
			b.ReportMetric(float64(r.memory)/(1<<20), "MiB")
			b.ReportMetric(r.cpu.Seconds(), "cpu-s")
			b.Log(r.by)
		})
	}
}

// buildProgram builds edgeward as it is used, without the race detector, under
// which memory says nothing.
func buildProgram(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "edgeward-program")
	if out, err := exec.Command("go", "build", "-o", path, "./edgeward").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return path
}

// fleetRun is what one run took.
type fleetRun struct {
	requests int
	by       string
	cpu      time.Duration
	// memory is the most resident memory, in bytes; 0 where nobody tells.
	memory int64
}

// run runs the program over the fleet, which must succeed.
func (f *fleet) run(t testing.TB, program string, args ...string) fleetRun {
	t.Helper()
	dir := t.TempDir()
	f.configure(t, dir)
	if args[0] == "plan" {
		args = append(args, "-json-into="+filepath.Join(dir, "p.json"), "-md-into="+filepath.Join(dir, "p.md"), "-html-into="+filepath.Join(dir, "p.html"))
	}
	var said bytes.Buffer
	cmd := exec.Command(program, append([]string{"-chdir=" + dir}, args...)...)
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.Env = f.environment(dir)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var r fleetRun
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for tick := time.NewTicker(2 * time.Millisecond); ; {
		r.memory = max(r.memory, mostResident(cmd.Process.Pid))
		select {
		case err := <-ended:
			tick.Stop()
			r.requests, r.by = f.counted()
			if err != nil {
				t.Fatalf("edgeward %s: %v\n%.3000s\n%.2000s", strings.Join(args, " "), err, said.String(), r.by)
			}
			r.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
			return r
		case <-tick.C:
		}
	}
}

// mostResident is the most resident memory that a process has had, 0 when it is
// gone, or where there is no /proc.
func mostResident(pid int) int64 {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kib, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return kib << 10
		}
	}
	return 0
}
