package sandbox

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeward/edgeward/providers"
	"github.com/google/go-cmp/cmp"
)

const (
	route53 = "dns_provider.route53.main"
	plain   = "dns_provider.cloudflare.brand"
)

func cname(to string, ttl time.Duration) providers.Record {
	return providers.Record{Type: "CNAME", Value: to, TTL: ttl}
}

func objects() []Object {
	return []Object{
		{Key: "index.html", Body: []byte("<h1>hello</h1>"), ContentType: "text/html"},
		{Key: "a b/ö.txt", Body: []byte("odd key"), ContentType: "text/plain"},
		{Key: "docs/index.html", Body: []byte("docs"), ContentType: "text/html"},
		{Key: "404.html", Body: []byte("nothing here"), ContentType: "text/html"},
		{Key: "old", Body: []byte("moved"), Redirect: "/docs/"},
		{Key: "cached.css", Body: []byte("p{}"), ContentType: "text/css", CacheControl: "public, max-age=600"},
		{Key: "secret", Body: []byte("s"), Private: true},
	}
}

// options has a REST bucket at a CNAME, a website at a CNAME of a provider
// without swap, and a website at an apex.
func options(seed int64) Options {
	site := &providers.Website{IndexDocument: "index.html", ErrorDocument: "404.html"}
	return Options{
		Clock: providers.RealClock{}, Seed: seed,
		Buckets: []Bucket{
			{Name: "assets.example.com", Region: "eu-west-1", CORS: []providers.CORSRule{{Origins: []string{"*"}, Methods: []string{"GET", "HEAD"}}}, Objects: objects()},
			{Name: "www.example.org", Region: "eu-central-1", Website: site, Objects: objects()},
			{Name: "example.com", Region: "us-east-1", Website: site, Objects: objects()},
			{Name: "foreign.example.com", Foreign: true},
		},
		DNS: []Provider{
			{
				Address: route53, Zones: []string{"example.com"},
				Features: providers.Features{Provider: "route53", Alias: true, Swap: true},
				Records: []NamedRecord{
					{Name: "assets.example.com", Record: cname("assets.example.com.s3.eu-west-1.amazonaws.com", time.Hour)},
					{Name: "example.com", Record: providers.Record{
						Type: "A", Value: "s3-website-us-east-1.amazonaws.com", Alias: true, AliasZone: "Z3AQBSTGFYJSTF",
					}},
					{Name: "example.com", Other: "MX"},
					{Name: "weighted.example.com", Record: cname("x.example.net", time.Minute), Routing: "it is one of several weighted records"},
					{Name: "text.example.com", Other: "TXT"},
				},
			},
			{
				Address: plain, Zones: []string{"example.org"},
				Features: providers.Features{Provider: "cloudflare", MinTTL: time.Minute},
				Records: []NamedRecord{
					{Name: "www.example.org", Record: cname("www.example.org.s3-website.eu-central-1.amazonaws.com", 30*time.Minute)},
				},
			},
		},
	}
}

// inBubble runs f in a bubble with a world.
func inBubble(t *testing.T, change func(*Options), f func(t *testing.T, w *World)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		o := options(1)
		if change != nil {
			change(&o)
		}
		f(t, New(o))
	})
}

// must fails the test on an error.
func must[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func served(t *testing.T, w *World) {
	t.Helper()
	r := w.Visitors()
	if r.Failed > 0 || r.Requests == 0 {
		t.Errorf("%d of %d visits failed:\n%v", r.Failed, r.Requests, r.Failures)
	}
}

func settings(origin string, kind providers.OriginKind, policy, cert string, aliases ...string) providers.Settings {
	return providers.Settings{
		Enabled: true, Aliases: aliases, CertificateARN: cert, MinimumTLS: "TLSv1.2_2021",
		OriginDomain: origin, OriginKind: kind, ViewerProtocol: "allow-all",
		Methods: []string{"GET", "HEAD", "OPTIONS"}, PriceClass: "PriceClass_All", HTTPVersion: "http2", IPv6: true,
		CachePolicyID: policy,
	}
}

const disabled = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"

// wait polls until done says so.
func wait(ctx context.Context, w *World, every time.Duration, done func() (bool, error)) error {
	for {
		if ok, err := done(); ok || err != nil {
			return err
		}
		if err := w.clock.Sleep(ctx, every); err != nil {
			return err
		}
	}
}

// migrate is the procedure by hand, for one name: what a planner does, without
// its checks.
func migrate(ctx context.Context, w *World, h providers.World, provider, name string, kind providers.OriginKind) (providers.Distribution, error) {
	a, dns := h.Accounts[""], h.DNS[provider]
	arn, err := a.Certificates.Request(ctx, []string{name}, "t"+strings.ReplaceAll(name, ".", "_"), nil)
	if err != nil {
		return providers.Distribution{}, err
	}
	var v providers.Validation
	err = wait(ctx, w, 2*time.Second, func() (bool, error) {
		c, err := a.Certificates.Certificate(ctx, arn)
		if err == nil {
			v = c.Validation[0]
		}
		return v.RecordName != "", err
	})
	if err != nil {
		return providers.Distribution{}, err
	}
	if err := dns.Ensure(ctx, cname(v.RecordValue, time.Minute), v.RecordName); err != nil {
		return providers.Distribution{}, err
	}
	err = wait(ctx, w, 10*time.Second, func() (bool, error) {
		c, err := a.Certificates.Certificate(ctx, arn)
		return c.Status == providers.CertificateIssued, err
	})
	if err != nil {
		return providers.Distribution{}, err
	}
	b, err := a.Buckets.Bucket(ctx, name, "")
	if err != nil {
		return providers.Distribution{}, err
	}
	origin := name + ".s3." + b.Region + ".amazonaws.com"
	if kind == providers.WebsiteOrigin {
		origin = name + ".s3-website." + b.Region + ".amazonaws.com"
	}
	d, err := a.Distributions.Create(ctx, "ref-"+name, settings(origin, kind, disabled, arn, name), map[string]string{providers.TagBucket: name})
	if err != nil {
		return d, err
	}
	return d, turn(ctx, w, h, provider, name, d)
}

// turn lowers the TTL, waits for the deployment and the old TTL, and switches.
func turn(ctx context.Context, w *World, h providers.World, provider, name string, d providers.Distribution) error {
	dns := h.DNS[provider]
	set, err := dns.Look(ctx, name)
	if err != nil {
		return err
	}
	have := set.Records
	if !have[0].Alias {
		low := cname(have[0].Value, time.Minute)
		if err := dns.Replace(ctx, name, have, []providers.Record{low}); err != nil {
			return err
		}
		if err := w.clock.Sleep(ctx, have[0].TTL); err != nil {
			return err
		}
		have = []providers.Record{low}
	}
	err = wait(ctx, w, 20*time.Second, func() (bool, error) {
		d, err := h.Accounts[""].Distributions.Distribution(ctx, d.ID)
		return d.Status == providers.Deployed, err
	})
	if err != nil {
		return err
	}
	to := []providers.Record{cname(d.Domain, time.Minute)}
	if have[0].Alias {
		to = []providers.Record{
			{Type: "A", Value: d.Domain, Alias: true, AliasZone: cloudFrontZone},
			{Type: "AAAA", Value: d.Domain, Alias: true, AliasZone: cloudFrontZone},
		}
	}
	return dns.Replace(ctx, name, have, to)
}

func TestMigrationByHandServesEveryVisitor(t *testing.T) {
	for seed := range int64(8) {
		synctest.Test(t, func(t *testing.T) {
			w := New(options(seed))
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			w.StartVisitors(ctx, 10*time.Second)
			h := w.Providers()
			var wg sync.WaitGroup
			for name, p := range map[string]struct {
				provider string
				kind     providers.OriginKind
			}{
				"assets.example.com": {route53, providers.RESTOrigin},
				"www.example.org":    {plain, providers.WebsiteOrigin},
				"example.com":        {route53, providers.WebsiteOrigin},
			} {
				wg.Go(func() {
					if _, err := migrate(ctx, w, h, p.provider, name, p.kind); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			time.Sleep(4 * time.Minute)
			r := w.Visitors()
			served(t, w)
			if s3, cf := r.Share(); s3 != 0 || cf != 100 {
				t.Errorf("seed %d: the share of S3 is %d, of CloudFront %d", seed, s3, cf)
			}
			if diff := cmp.Diff([]string{"assets.example.com", "example.com", "www.example.org"}, r.Names); diff != "" {
				t.Error(diff)
			}
			if r.S3 == 0 || r.CloudFront == 0 || r.S3+r.CloudFront != r.Requests {
				t.Errorf("%+v", r)
			}
		})
	}
}

// TestVisitorsSeeWhatGoesWrong: each fault is seen by the visitors; the promise
// that nobody misses an object rests on this.
func TestVisitorsSeeWhatGoesWrong(t *testing.T) {
	const name = "assets.example.com"
	origin := name + ".s3.eu-west-1.amazonaws.com"
	cases := map[string]struct {
		do  func(t *testing.T, w *World)
		why string
	}{
		"switched before it is deployed": {func(t *testing.T, w *World) {
			time.Sleep(58 * time.Minute) // the old answers run out soon
			h := w.Providers()
			arn := w.AddCertificate("", providers.Certificate{Names: []string{name}})
			d := must[providers.Distribution](t)(h.Accounts[""].Distributions.Create(t.Context(), "r", settings(origin, providers.RESTOrigin, disabled, arn, name), nil))
			if err := h.DNS[route53].Replace(t.Context(), name, w.Records(name), []providers.Record{cname(d.Domain, time.Minute)}); err != nil {
				t.Fatal(err)
			}
		}, "has no address"},
		"the alias is missing": {func(t *testing.T, w *World) {
			d := w.AddDistribution("", settings(origin, providers.RESTOrigin, disabled, ""), nil)
			w.SetRecords(route53, name, []providers.Record{cname(d.Domain, time.Minute)})
		}, "CloudFront answers 403"},
		"the certificate does not cover": {func(t *testing.T, w *World) {
			arn := w.AddCertificate("", providers.Certificate{Names: []string{"other.example.com"}})
			d := w.AddDistribution("", settings(origin, providers.RESTOrigin, disabled, arn, name), nil)
			w.SetRecords(route53, name, []providers.Record{cname(d.Domain, time.Minute)})
		}, "x509"},
		"the name is deleted": {func(t *testing.T, w *World) {
			w.SetRecords(route53, name, nil)
		}, "has no address: NXDOMAIN"},
		"the name is deleted and created again": {func(t *testing.T, w *World) {
			old := w.Records(name)
			time.Sleep(58 * time.Minute)
			w.SetRecords(route53, name, nil)
			time.Sleep(2 * time.Minute)
			w.SetRecords(route53, name, old)
		}, "has no address: NXDOMAIN"},
		"the name leads to somebody else": {func(t *testing.T, w *World) {
			w.SetRecords(route53, name, []providers.Record{{Type: "A", Value: "203.0.113.9", TTL: time.Minute}})
		}, "connection refused"},
		"an edge gives wrong bytes": {func(t *testing.T, w *World) {
			arn := w.AddCertificate("", providers.Certificate{Names: []string{name}})
			d := w.AddDistribution("", settings(origin, providers.RESTOrigin, disabled, arn, name), nil)
			w.BreakEdge(d.ID, "/index.html", []byte("wrong"))
			w.SetRecords(route53, name, []providers.Record{cname(d.Domain, time.Minute)})
		}, "CloudFront gives the wrong bytes"},
		"a website is reached as REST": {func(t *testing.T, w *World) {
			w.SetRecords(plain, "www.example.org", []providers.Record{cname("s3.eu-central-1.amazonaws.com", time.Minute)})
		}, "S3 answers 403"},
		"the bucket is made private": {func(t *testing.T, w *World) {
			w.EditBucket(name, func(b *Bucket) { b.Private = true })
		}, "S3 answers 403"},
		"the bucket is deleted": {func(t *testing.T, w *World) {
			w.DeleteBucket(name)
		}, "S3 answers 404 NoSuchBucket"},
		"the distribution is deleted after the switch": {func(t *testing.T, w *World) {
			arn := w.AddCertificate("", providers.Certificate{Names: []string{name}})
			d := w.AddDistribution("", settings(origin, providers.RESTOrigin, disabled, arn, name), nil)
			w.SetRecords(route53, name, []providers.Record{cname(d.Domain, time.Minute)})
			time.Sleep(2 * time.Hour)
			served(t, w)
			w.DeleteDistribution(d.ID)
		}, "CloudFront answers 403"},
		"the certificate expires": {func(t *testing.T, w *World) {
			arn := w.AddCertificate("", providers.Certificate{Names: []string{name}, NotAfter: time.Now().Add(2 * time.Hour)})
			d := w.AddDistribution("", settings(origin, providers.RESTOrigin, disabled, arn, name), nil)
			w.SetRecords(route53, name, []providers.Record{cname(d.Domain, time.Minute)})
		}, "x509"},
	}
	for title, c := range cases {
		t.Run(title, func(t *testing.T) {
			inBubble(t, nil, func(t *testing.T, w *World) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				w.StartVisitors(ctx, 5*time.Second)
				time.Sleep(time.Minute)
				served(t, w)
				c.do(t, w)
				time.Sleep(3 * time.Hour)
				r := w.Visitors()
				if r.Failed == 0 || !strings.Contains(fmt.Sprint(r.Failures), c.why) {
					t.Errorf("%d failed, not because %q: %v", r.Failed, c.why, r.Failures)
				}
			})
		})
	}
}

func TestVisitorsFollowARedirectToHTTPS(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *World) {
		const name = "assets.example.com"
		arn := w.AddCertificate("", providers.Certificate{Names: []string{"*.example.com"}})
		s := settings(name+".s3.eu-west-1.amazonaws.com", providers.RESTOrigin, disabled, arn, name)
		s.ViewerProtocol = "redirect-to-https"
		d := w.AddDistribution("", s, nil)
		w.SetRecords(route53, name, []providers.Record{cname(d.Domain, time.Minute)})
		w.StartVisitors(t.Context(), time.Minute)
		time.Sleep(3 * time.Hour)
		served(t, w)
		if r := w.Visitors(); r.CloudFront == 0 {
			t.Errorf("%+v", r)
		}
	})
}

// TestVisitorsOfAddedNames: a name that was not there is visited once it is; its
// absence is no failure, a wrong answer is one.
func TestVisitorsOfAddedNames(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *World) {
		const name = "cdn.example.com"
		arn := w.AddCertificate("", providers.Certificate{Names: []string{"*.example.com"}})
		d := w.AddDistribution("", settings("assets.example.com.s3.eu-west-1.amazonaws.com", providers.RESTOrigin, disabled, arn, name), nil)
		w.StartVisitors(t.Context(), 10*time.Second)
		time.Sleep(time.Minute)
		w.SetRecords(route53, name, []providers.Record{cname(d.Domain, time.Minute)})
		time.Sleep(10 * time.Minute)
		served(t, w)
		if r := w.Visitors(); !slices.Contains(r.Names, name) || r.CloudFront == 0 {
			t.Errorf("%+v", r)
		}
		w.SetRecords(route53, name, nil)
		time.Sleep(10 * time.Minute)
		served(t, w)
		w.SetRecords(route53, name, []providers.Record{cname("s3.eu-west-1.amazonaws.com", time.Minute)})
		time.Sleep(10 * time.Minute)
		if r := w.Visitors(); r.Failed == 0 || !strings.Contains(r.Failures[0].Why, "NoSuchBucket") {
			t.Errorf("an added name that leads to no bucket: %+v", r)
		}
	})
}

func TestVisitorsEndWithContext(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *World) {
		ctx, cancel := context.WithCancel(t.Context())
		w.StartVisitors(ctx, time.Second)
		time.Sleep(time.Minute)
		n := w.Visitors().Requests
		if want := 61 * 3 * 4; n != want {
			t.Errorf("%d requests in a minute, not %d", n, want)
		}
		cancel()
		time.Sleep(time.Hour)
		if got := w.Visitors().Requests; got != n {
			t.Errorf("%d more visits after the end", got-n)
		}
	})
}

func TestVisitorsGoToAnotherResolver(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *World) {
		w.SetResolver(0, Resolving{RCode: "SERVFAIL"})
		w.SetResolver(1, Resolving{TimesOut: true})
		w.StartVisitors(t.Context(), time.Minute)
		time.Sleep(2 * time.Hour)
		served(t, w)
		answers := must[[]providers.Answer](t)(w.Providers().Resolver.Resolve(t.Context(), "assets.example.com", "CNAME"))
		if len(answers) != 4 || answers[0].RCode != "SERVFAIL" || answers[1].Err == "" || answers[1].RCode != "" || answers[2].RCode != "NOERROR" {
			t.Errorf("%+v", answers)
		}
		for i := range 4 {
			w.SetResolver(i, Resolving{TimesOut: true})
		}
		time.Sleep(2 * time.Hour)
		if r := w.Visitors(); r.Failed == 0 || r.Failures[0].Why != "no resolver answers" {
			t.Errorf("with no resolver: %+v", r)
		}
	})
}

// TestHooks: the hook sees every call before and after its effect, and its error
// takes the answer's place, the effect notwithstanding.
func TestHooks(t *testing.T) {
	boom := errors.New("the cable is cut")
	var seen []Call
	var broken string
	hook := func(c Call) error {
		c.Context = nil // differs
		seen = append(seen, c)
		if broken == fmt.Sprint(c.Op, c.After) {
			return boom
		}
		return nil
	}
	inBubble(t, func(o *Options) { o.Hook = hook }, func(t *testing.T, w *World) {
		h := w.Providers()
		name := "assets.example.com"
		low := []providers.Record{cname("s3.eu-west-1.amazonaws.com", time.Minute)}
		old := w.Records(name)
		broken = "DNS.Replacefalse"
		if err := h.DNS[route53].Replace(t.Context(), name, old, low); !errors.Is(err, boom) || !cmp.Equal(w.Records(name), old) {
			t.Errorf("broken before: %v, %v", err, w.Records(name))
		}
		broken = "DNS.Replacetrue"
		if err := h.DNS[route53].Replace(t.Context(), name, old, low); !errors.Is(err, boom) || !cmp.Equal(w.Records(name), low) {
			t.Errorf("broken after: %v, %v", err, w.Records(name))
		}
		want := []Call{
			{N: 1, Op: "DNS.Replace", Account: route53, Name: name, Write: true},
			{N: 2, Op: "DNS.Replace", Account: route53, Name: name, Write: true},
			{N: 2, Op: "DNS.Replace", Account: route53, Name: name, Write: true, After: true},
		}
		if diff := cmp.Diff(want, seen); diff != "" {
			t.Error(diff)
		}
		if w.Calls() != 2 || !maps.Equal(w.CallsByOp(), map[string]int{"DNS.Replace": 2}) {
			t.Errorf("%d calls, %v", w.Calls(), w.CallsByOp())
		}
	})
}

func TestCallsTakeTimeAndEndWithContext(t *testing.T) {
	inBubble(t, func(o *Options) { o.Latency = Span{80 * time.Millisecond, 80 * time.Millisecond} }, func(t *testing.T, w *World) {
		h := w.Providers()
		began := time.Now()
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() { h.Accounts[""].Identity.AccountID(t.Context()) })
		}
		wg.Wait()
		if got := time.Since(began); got != 80*time.Millisecond || w.MaxConcurrent() != 5 {
			t.Errorf("five at once took %s, %d concurrent", got, w.MaxConcurrent())
		}
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
		defer cancel()
		if _, err := h.DNS[route53].Look(ctx, "example.com"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a call whose context ends: %v", err)
		}
		if _, err := h.DNS[route53].Look(ctx, "example.com"); !errors.Is(err, context.DeadlineExceeded) || w.Calls() != 6 {
			t.Errorf("a call whose context has ended: %v, %d calls", err, w.Calls())
		}
	})
}

func TestThrottlingAndCredentials(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *World) {
		h := w.Providers()
		w.SetThrottle(3)
		var refused []int
		for i := range 6 {
			if _, err := h.Accounts[""].Buckets.Bucket(t.Context(), "example.com", ""); errors.Is(err, providers.ErrThrottled) {
				refused = append(refused, i+1)
			}
		}
		if !slices.Equal(refused, []int{3, 6}) {
			t.Errorf("refused %v", refused)
		}
		w.SetThrottle(0)
		w.Fail("", providers.ErrCredentials)
		if _, err := h.Accounts[""].Identity.AccountID(t.Context()); !errors.Is(err, providers.ErrCredentials) {
			t.Errorf("without credentials: %v", err)
		}
		w.Fail("", nil)
		w.Fail(route53, providers.ErrDenied)
		if _, err := h.DNS[route53].Look(t.Context(), "example.com"); !errors.Is(err, providers.ErrDenied) {
			t.Errorf("a denied provider: %v", err)
		}
		if _, err := h.DNS[plain].Look(t.Context(), "example.org"); err != nil {
			t.Errorf("the other provider: %v", err)
		}
	})
}

// TestDumpIsTheLastingWorld: two worlds with other times that came to the same
// end have the same dump.
func TestDumpIsTheLastingWorld(t *testing.T) {
	run := func(latency time.Duration) (out string) {
		inBubble(t, func(o *Options) { o.Latency = Span{latency, 2 * latency} }, func(t *testing.T, w *World) {
			d, err := migrate(t.Context(), w, w.Providers(), route53, "assets.example.com", providers.RESTOrigin)
			if err != nil {
				t.Fatal(err)
			}
			err = w.Providers().Accounts[""].Distributions.SetTags(t.Context(), d.ARN, map[string]string{
				"edgeward:low-since": "60 " + time.Now().UTC().Format(time.RFC3339),
				"edgeward:proof":     d.ETag + " " + fmt.Sprint(time.Now().Unix()),
			})
			if err != nil {
				t.Fatal(err)
			}
			out = w.Dump()
		})
		return out
	}
	a, b := run(20*time.Millisecond), run(700*time.Millisecond)
	if diff := cmp.Diff(a, b); diff != "" {
		t.Error(diff)
	}
	for _, s := range []string{"bucket assets.example.com", "record " + route53 + " assets.example.com CNAME d", "distribution E", "tag edgeward:bucket assets.example.com", "certificate arn", "low-since 60 TIME"} {
		if !strings.Contains(a, s) {
			t.Errorf("no %q in\n%s", s, a)
		}
	}
}

// TestFiveBucketsCostLittle logs what the planner's property tests pay for one
// run: two hours of five buckets, visited every ten seconds.
func TestFiveBucketsCostLittle(t *testing.T) {
	const runs = 10
	began := time.Now()
	var visits, calls int
	for range runs {
		synctest.Test(t, func(t *testing.T) {
			w := fiveBuckets(t)
			served(t, w)
			visits, calls = w.Visitors().Requests, w.Calls()
		})
	}
	t.Logf("one run: %s, %d visits, %d calls", time.Since(began)/runs, visits, calls)
}

func fiveBuckets(t *testing.T) *World {
	o := options(1)
	o.Buckets, o.DNS = nil, o.DNS[:1]
	o.DNS[0].Records = nil
	for i := range 5 {
		name := fmt.Sprintf("b%d.example.com", i)
		o.Buckets = append(o.Buckets, Bucket{Name: name, Region: "eu-west-1", Objects: objects()})
		o.DNS[0].Records = append(o.DNS[0].Records, NamedRecord{Name: name, Record: cname(name+".s3.eu-west-1.amazonaws.com", 2*time.Hour)})
	}
	w := New(o)
	w.StartVisitors(t.Context(), 10*time.Second)
	h := w.Providers()
	var wg sync.WaitGroup
	for _, b := range o.Buckets {
		wg.Go(func() {
			if _, err := migrate(t.Context(), w, h, route53, b.Name, providers.RESTOrigin); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	return w
}

// TestVisitsAtEveryEvent: without any background visits, everybody comes after
// each write, each edit and each deployment, and not after reads.
func TestVisitsAtEveryEvent(t *testing.T) {
	inBubble(t, func(o *Options) {
		o.Deploy, o.InSync = Span{time.Hour, time.Hour}, Span{time.Minute, time.Minute}
	}, func(t *testing.T, w *World) {
		const everybody = 3 * 4
		last := 0
		rounds := func(what string, want int) {
			t.Helper()
			n := w.Visitors().Requests
			if n-last != want*everybody {
				t.Errorf("%s: %d visits, want %d rounds of %d", what, n-last, want, everybody)
			}
			last = n
		}
		h := w.Providers()
		name := "assets.example.com"
		must[providers.RecordSet](t)(h.DNS[route53].Look(t.Context(), name))
		rounds("a read", 0)
		old := w.Records(name)
		if err := h.DNS[route53].Replace(t.Context(), name, old, []providers.Record{cname(old[0].Value, time.Minute)}); err != nil {
			t.Fatal(err)
		}
		rounds("a DNS change, and when all name servers know", 2)
		if err := h.DNS[route53].Replace(t.Context(), name, old, nil); err == nil {
			t.Fatal("no conflict")
		}
		rounds("a refused write", 0)
		arn := w.AddCertificate("", providers.Certificate{Names: []string{name}})
		rounds("an edit", 1)
		d := must[providers.Distribution](t)(h.Accounts[""].Distributions.Create(t.Context(), "r", settings(name+".s3.eu-west-1.amazonaws.com", providers.RESTOrigin, disabled, arn, name), nil))
		rounds("a creation", 1)
		time.Sleep(2 * time.Hour)
		rounds("a deployment", 1)
		if err := h.Accounts[""].Distributions.SetTags(t.Context(), d.ARN, map[string]string{"a": "b"}); err != nil {
			t.Fatal(err)
		}
		rounds("a tag", 1)
	})
}
