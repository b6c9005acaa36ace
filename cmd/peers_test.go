//go:build peers

package cmd_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/route53"
	r53 "github.com/aws/aws-sdk-go-v2/service/route53/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/google/go-cmp/cmp"

	"github.com/edgeward/edgeward/planner"
	"github.com/edgeward/edgeward/providers/providertest/motolab"
)

// binary is edgeward as a user runs it: built, in a folder with a
// configuration, with an environment of its own.
type binary struct {
	path, dir string
	env       []string
	// limit bounds one run where the usual one is too short.
	limit time.Duration
}

func build(t testing.TB, env []string) *binary {
	t.Helper()
	b := &binary{path: filepath.Join(t.TempDir(), "edgeward"), dir: t.TempDir(), env: append(env, "HOME="+t.TempDir())}
	if out, err := exec.Command("go", "build", "-o", b.path, "github.com/edgeward/edgeward/cmd/edgeward").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return b
}

func (b *binary) configure(t testing.TB, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(b.dir, "edgeward.hcl"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// ran is how one run ended.
type ran struct {
	stdout, stderr string
	code           int
}

// limit bounds one run, patience its waits, should the test's end not end it.
const (
	limit    = 100 * time.Second
	patience = "-wait-timeout=90s"
)

func (b *binary) start(t testing.TB, args ...string) (*exec.Cmd, func() ran) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), max(b.limit, limit))
	cmd := exec.CommandContext(ctx, b.path, args...)
	cmd.Dir, cmd.Env = b.dir, b.env
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	began := time.Now()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, func() ran {
		defer cancel()
		err := cmd.Wait()
		var ended *exec.ExitError
		if err != nil && !errors.As(err, &ended) {
			t.Fatal(err)
		}
		t.Logf("edgeward %s: exit %d after %s", strings.Join(args, " "), cmd.ProcessState.ExitCode(), time.Since(began).Round(10*time.Millisecond))
		return ran{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
	}
}

// run runs edgeward, which must end with a code and say want on its standard
// output.
func (b *binary) run(t testing.TB, code int, want string, args ...string) ran {
	t.Helper()
	_, wait := b.start(t, args...)
	r := wait()
	if r.code != code || !strings.Contains(r.stdout, want) {
		t.Fatalf("edgeward %s: exit %d, want %d and %q\n%s\n%s", strings.Join(args, " "), r.code, code, want, r.stdout, r.stderr)
	}
	return r
}

// site is a bucket that visitors reach by its name.
type site struct {
	bucket, zone string
	// website: through the website endpoint, else the REST one.
	website bool
	// apex: by an alias record, else by a CNAME.
	apex    bool
	cors    bool
	objects map[string]string // bodies by key
	visits  []page
}

func sites() []site {
	big := strings.Repeat("0123456789abcdef", 4096)
	return []site{
		{bucket: "assets.example.com", zone: "example.com", cors: true,
			objects: map[string]string{"index.html": "<p>assets</p>", "img/logo.bin": big, "a b+c/ä.txt": "odd key"},
			visits:  []page{{"/index.html", 200, "<p>assets</p>"}, {"/img/logo.bin", 200, big}, {"/a%20b%2Bc/%C3%A4.txt", 200, "odd key"}}},
		{bucket: "www.example.com", zone: "example.com", website: true,
			objects: map[string]string{"index.html": "<p>www</p>", "docs/index.html": "<p>docs</p>", "error.html": "<p>no such page</p>"},
			visits:  []page{{"/", 200, "<p>www</p>"}, {"/docs/", 200, "<p>docs</p>"}, {"/missing", 404, "<p>no such page</p>"}}},
		{bucket: "example.org", zone: "example.org", website: true, apex: true,
			objects: map[string]string{"index.html": "<p>apex</p>", "error.html": "<p>gone</p>"},
			visits:  []page{{"/", 200, "<p>apex</p>"}, {"/index.html", 200, "<p>apex</p>"}}},
	}
}

// endpoint is what the name's record points at before the migration.
func (s site) endpoint() string {
	switch {
	case s.apex:
		return strings.TrimPrefix(websiteSuffix, ".")
	case s.website:
		return s.bucket + websiteSuffix
	}
	return s.bucket + restSuffix
}

// record is the name's record before the migration.
func (s site) record() *r53.ResourceRecordSet {
	if s.apex {
		// Z1BKCTXD74EZPE is the hosted zone of the website endpoint of eu-west-1
		// [AWS General Reference: Amazon S3 website endpoints].
		return &r53.ResourceRecordSet{Name: &s.bucket, Type: r53.RRTypeA, AliasTarget: &r53.AliasTarget{
			DNSName: aws.String(s.endpoint() + "."), HostedZoneId: aws.String("Z1BKCTXD74EZPE")}}
	}
	return &r53.ResourceRecordSet{Name: &s.bucket, Type: r53.RRTypeCname, TTL: aws.Int64(3),
		ResourceRecords: []r53.ResourceRecord{{Value: aws.String(s.endpoint() + ".")}}}
}

// make makes the bucket with its objects.
func (s site) make(t testing.TB, api *s3.Client) {
	t.Helper()
	must := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx, bucket := t.Context(), &s.bucket
	must(api.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: bucket, CreateBucketConfiguration: &types.CreateBucketConfiguration{LocationConstraint: region}}))
	must(api.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: bucket, Policy: aws.String(fmt.Sprintf(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::%s/*"}]}`, s.bucket))}))
	if s.website {
		must(api.PutBucketWebsite(ctx, &s3.PutBucketWebsiteInput{Bucket: bucket, WebsiteConfiguration: &types.WebsiteConfiguration{
			IndexDocument: &types.IndexDocument{Suffix: aws.String("index.html")}, ErrorDocument: &types.ErrorDocument{Key: aws.String("error.html")}}}))
	}
	if s.cors {
		must(api.PutBucketCors(ctx, &s3.PutBucketCorsInput{Bucket: bucket, CORSConfiguration: &types.CORSConfiguration{
			CORSRules: []types.CORSRule{{AllowedMethods: []string{"GET"}, AllowedOrigins: []string{"*"}}}}}))
	}
	for key, body := range s.objects {
		kind := "text/html"
		if !strings.HasSuffix(key, ".html") {
			kind = "application/octet-stream"
		}
		must(api.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: &key, Body: strings.NewReader(body), ContentType: &kind, CacheControl: aws.String("max-age=60")}))
	}
}

// world is the lab with the sites in it, DNS, fronts and visitors.
type world struct {
	lab      *motolab.Lab
	sites    []site
	zones    map[string]string // IDs by name
	fronts   *fronts
	visitors *visitors
	edgeward *binary
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{lab: motolab.Start(t), sites: sites(), zones: map[string]string{}}
	w.lab.AtomicChanges()
	w.lab.SetDeployTime(t, 6*time.Second) // long enough for a switch that comes too early to be noticed
	cfg := w.lab.Config()
	buckets := s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true })
	dnsAPI := route53.NewFromConfig(cfg)
	names := map[string][]page{}
	for _, s := range w.sites {
		s.make(t, buckets)
		if w.zones[s.zone] == "" {
			out, err := dnsAPI.CreateHostedZone(t.Context(), &route53.CreateHostedZoneInput{Name: &s.zone, CallerReference: &s.zone})
			if err != nil {
				t.Fatal(err)
			}
			w.zones[s.zone] = strings.TrimPrefix(*out.HostedZone.Id, "/hostedzone/")
		}
		if _, err := dnsAPI.ChangeResourceRecordSets(t.Context(), &route53.ChangeResourceRecordSetsInput{
			HostedZoneId: aws.String(w.zones[s.zone]), ChangeBatch: &r53.ChangeBatch{Changes: []r53.Change{{Action: r53.ChangeActionCreate, ResourceRecordSet: s.record()}}},
		}); err != nil {
			t.Fatal(err)
		}
		names[s.bucket] = s.visits
	}
	w.fronts = startFronts(t, cfg, w.lab.MotoURL)
	nameserver := serveDNS(t, &authority{api: dnsAPI, zones: w.zones})
	resolvers := []string{serveDNS(t, newResolver(nameserver)), serveDNS(t, newResolver(nameserver))}
	w.visitors = startVisitors(t, w.fronts.connectTo(), resolvers, names)
	w.edgeward = build(t, w.lab.Env())
	w.edgeward.configure(t, w.configuration(nameserver, resolvers))
	return w
}

func (w *world) configuration(nameserver string, resolvers []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "dns_provider \"route53\" \"main\" {\n  zones = [\"example.com\", \"example.org\"]\n  nameservers = [%q]\n}\n", nameserver)
	b.WriteString("defaults {\n  watch {\n    for = \"0s\"\n  }\n  dns {\n    low_ttl = \"1s\"\n  }\n  distribution {\n    tags = { team = \"web\" }\n  }\n}\n")
	for _, s := range w.sites {
		fmt.Fprintf(&b, "bucket %q {\n  verify {\n    paths = [%q]\n    sample = 2\n  }\n}\n", s.bucket, s.visits[0].path)
	}
	fmt.Fprintf(&b, "probe {\n  resolvers = [%q, %q]\n  ca_file = %q\n  connect_to = {\n", resolvers[0], resolvers[1], w.fronts.ca.File)
	connect := w.fronts.connectTo()
	for _, from := range slices.Sorted(maps.Keys(connect)) {
		fmt.Fprintf(&b, "    %q = %q\n", from, connect[from])
	}
	b.WriteString("  }\n}\n")
	return b.String()
}

// served fails the test unless all visitors of the next requests are served,
// and by S3 or by an edge alone.
func (w *world) served(t *testing.T, byEdge bool) {
	t.Helper()
	s3, edge := w.visitors.share(t, 60)
	t.Logf("visitors: S3 %d, edge %d", s3, edge)
	if byEdge && (s3 > 0 || edge == 0) || !byEdge && (edge > 0 || s3 == 0) {
		t.Errorf("visitors reach S3 %d times and an edge %d times; by an edge: %t", s3, edge, byEdge)
	}
}

// Three buckets (REST, website, website at an apex) are moved, moved back, held
// and moved again by the program as a user runs it, on an AWS that we did not
// write, while visitors come all the time: none of them misses an object.
func TestEndToEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	e := w.edgeward
	w.served(t, false)
	before := w.records(t)

	e.run(t, 0, "The configuration is valid: 3 buckets, 3 names, 1 DNS provider.", "validate")
	e.run(t, 2, "Plan: 3 to migrate", "plan", "-detailed-exitcode")
	if d := cmp.Diff(before, w.records(t)); d != "" {
		t.Errorf("plan changed records: -before +after\n%s", d)
	}
	t.Log(e.run(t, 0, "Apply: 3 finished", "apply", "-auto-approve", patience).stderr)
	w.served(t, true)
	e.run(t, 0, "3 done", "plan", "-detailed-exitcode")
	w.status(t, planner.StandDone, "CloudFront")
	w.readBack(t)

	e.run(t, 0, "Rollback: 3 rolled back", "rollback", "-auto-approve", patience)
	w.served(t, false)
	if d := cmp.Diff(before, w.records(t)); d != "" {
		t.Errorf("rollback left other records: -before +after\n%s", d)
	}
	w.status(t, planner.StandHeld, "S3")
	held := e.run(t, 0, "3 held", "apply", "-auto-approve", patience)
	if !strings.Contains(held.stdout, "-retry=") {
		t.Errorf("apply of held buckets does not say how to go on:\n%s", held.stdout)
	}
	e.run(t, 0, "3 held", "plan", "-detailed-exitcode")
	w.served(t, false)

	w.interrupt(t)
	e.run(t, 0, "Apply: ", "apply", "-auto-approve", patience, "-retry=bucket*")
	w.served(t, true)
	e.run(t, 0, "3 done", "plan", "-detailed-exitcode")
}

// interrupt starts an apply and ends it by ^C in the middle.
func (w *world) interrupt(t *testing.T) {
	t.Helper()
	w.lab.ResetRequests()
	cmd, wait := w.edgeward.start(t, "apply", "-auto-approve", patience, "-retry=bucket*")
	asked := make(chan struct{})
	go func() { // until the first record is touched
		defer close(asked)
		for range 600 {
			if w.lab.Requests()["ChangeResourceRecordSets"] > 0 {
				break
			}
			time.Sleep(50 * time.Millisecond)
		}
		_ = cmd.Process.Signal(os.Interrupt)
	}()
	r := wait()
	<-asked
	if r.code != 130 || !strings.Contains(r.stderr, "interrupted") {
		t.Errorf("apply that was interrupted: exit %d\n%s\n%s", r.code, r.stdout, r.stderr)
	}
}

// status checks what `status` says of all buckets and their names.
func (w *world) status(t *testing.T, standing planner.Standing, serves string) {
	t.Helper()
	r := w.edgeward.run(t, 0, "", "status", "-json")
	var got planner.StatusReport
	if err := json.Unmarshal([]byte(r.stdout), &got); err != nil {
		t.Fatal(err)
	}
	if len(got.Buckets) != len(w.sites) {
		t.Errorf("status has %d buckets", len(got.Buckets))
	}
	for _, b := range got.Buckets {
		if b.Standing != standing || len(b.Names) != 1 || b.Names[0].Serves != serves {
			t.Errorf("status of %s: %+v", b.Address, b)
			continue
		}
		for _, s := range slices.Concat(b.Names[0].Authoritative, b.Names[0].Resolvers) {
			if s.Serves != serves {
				t.Errorf("status of %s: %+v", b.Address, s)
			}
		}
	}
	w.edgeward.run(t, 0, "Status: ", "status")
}
