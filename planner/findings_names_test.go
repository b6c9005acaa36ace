package planner

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/providers"
	"github.com/edgeward/edgeward/providers/sandbox"
)

// visit is what a visitor gets who asks resolver 1 and then the address it answers.
func (s *session) visit(name, path string) string {
	s.t.Helper()
	w := s.w.Providers()
	as, err := w.Resolver.Resolve(s.t.Context(), name, "A")
	if err != nil {
		s.t.Fatal(err)
	}
	for _, r := range as[0].Records {
		if r.Type != "A" {
			continue
		}
		got, err := w.Web.Fetch(s.t.Context(), providers.Request{URL: "http://" + name + path, Dial: r.Value, Keep: 40})
		if err != nil {
			return err.Error()
		}
		return fmt.Sprintf("%d %q", got.Status, got.Body)
	}
	return "no address: " + as[0].RCode
}

// found is the plan's finding of that code about its only bucket.
func (s *session) found(p Plan, code string) Finding {
	s.t.Helper()
	i := slices.IndexFunc(p.Buckets[0].Findings, func(f Finding) bool { return f.Code == code })
	if i < 0 {
		s.t.Fatalf("no finding %s, only %+v", code, p.Buckets[0].Findings)
	}
	return p.Buckets[0].Findings[i]
}

// obey writes the record "NAME CNAME TARGET" that a finding names after "before".
func (s *session) obey(f Finding, before, provider string) {
	s.t.Helper()
	_, after, ok := strings.Cut(f.Detail, before)
	words := strings.Fields(after)
	if !ok || len(words) < 3 || words[1] != "CNAME" {
		s.t.Fatalf("no record in %q", f.Detail)
	}
	s.w.SetRecords(provider, words[0], []providers.Record{{Type: "CNAME", Value: strings.TrimSuffix(words[2], "."), TTL: time.Minute}})
	pause1(s.t, 10*time.Minute)
}

// TestWildcardLeadsToS3: a name that only a wildcard record answers is not switched
// with an endpoint that nobody looked at; with the record that the plan names it is,
// and every visitor gets what he got.
func TestWildcardLeadsToS3(t *testing.T) {
	const www, low = "www.example.org", "low.example.com"
	tests := map[string]struct {
		name, provider string
		record         sandbox.NamedRecord
	}{
		"a CNAME":  {www, swapped, cname("*.example.org", "s3-website-eu-west-1.amazonaws.com", 5*time.Minute)},
		"an alias": {low, route53, aliasAt("*.example.com", "s3-website-eu-west-1.amazonaws.com")},
	}
	for what, tc := range tests {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab(1).only(tc.name)
				for i := range l.options.Buckets {
					if l.options.Buckets[i].Name == tc.name {
						l.options.Buckets[i].Website = worldSite
					}
				}
				for i := range l.options.DNS {
					if l.options.DNS[i].Address == tc.provider {
						l.options.DNS[i].Records = []sandbox.NamedRecord{tc.record}
					}
				}
				s := l.start(t).wholly()
				root, gone := s.visit(tc.name, "/"), s.visit(tc.name, "/nothing")
				if !strings.HasPrefix(root, "200") {
					t.Fatalf("the wildcard does not lead there: %s", root)
				}
				p := s.plan(t.Context(), Migrate)
				f := s.found(p, "record-wildcard")
				if f.Severity != Error || p.Buckets[0].Standing != StandBlocked || !strings.Contains(f.Summary, "the wildcard record "+tc.record.Name) {
					t.Fatalf("%s: %+v", p.Buckets[0].Standing, f)
				}
				s.want(s.run(t.Context(), p, nil), OutcomeBlocked)
				s.obey(f, "Write it first: ", tc.provider)
				if got := s.visit(tc.name, "/"); got != root {
					t.Errorf("the record itself changes %s into %s", root, got)
				}
				s.want(s.apply(t.Context(), Migrate), OutcomeFinished)
				pause1(t, time.Hour)
				if d := s.w.Distributions()[0].Settings.OriginKind; d != providers.WebsiteOrigin {
					t.Errorf("origin %s", d)
				}
				if r, g := s.visit(tc.name, "/"), s.visit(tc.name, "/nothing"); r != root || g != gone {
					t.Errorf("visitors get %s and %s, not %s and %s", r, g, root, gone)
				}
			})
		})
	}
}

// withName adds a name to the lab's only bucket.
func (l *lab) withName(name string) *lab {
	l.config.Buckets[0].CNAMEs = append(l.config.Buckets[0].CNAMEs, config.CNAME{Name: name, DNSProvider: route53, Zone: "example.com"})
	return l
}

// TestAddedNameUnderAWildcard: whoever is served by a wildcard keeps what serves him.
func TestAddedNameUnderAWildcard(t *testing.T) {
	const added = "shop.example.com"
	tests := map[string]struct {
		record sandbox.NamedRecord
		bucket bool
		sev    Severity
		says   string
		name   string // added if ""
	}{
		"S3 has no such bucket": {cname("*.example.com", "s3-eu-west-1.amazonaws.com", time.Minute), false, Warning, "S3 has no bucket of that name", ""},
		"S3 has such a bucket":  {cname("*.example.com", "s3-eu-west-1.amazonaws.com", time.Minute), true, Error, "give it a bucket block of its own, and the record shop.example.com CNAME shop.example.com.s3.eu-west-1.amazonaws.com", ""},
		"another host":          {cname("*.example.com", "web.example.net", time.Minute), false, Error, "take the name out of cnames", ""},
		"far above":             {cname("*.example.com", "web.example.net", time.Minute), false, Error, "take the name out of cnames", "new.shop.example.com"},
		"addresses":             {sandbox.NamedRecord{Name: "*.example.com", Record: providers.Record{Type: "AAAA", Value: "2001:db8::1", TTL: time.Minute}}, false, Error, "AAAA 2001:db8::1", ""},
	}
	for what, tc := range tests {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab(1).only("low.example.com").withName(cmp.Or(tc.name, added))
				l.options.DNS[0].Records = append(l.options.DNS[0].Records, tc.record)
				if tc.bucket {
					l.options.Buckets = append(l.options.Buckets, sandbox.Bucket{Name: added, Region: "eu-west-1", Objects: worldObjects()})
				}
				s := l.start(t)
				p := s.plan(t.Context(), Migrate)
				if f := s.found(p, "record-wildcard"); f.Severity != tc.sev || !strings.Contains(f.Detail, tc.says) {
					t.Errorf("%+v", f)
				}
				if (p.Buckets[0].Standing == StandBlocked) != (tc.sev == Error) {
					t.Errorf("it is %s", p.Buckets[0].Standing)
				}
			})
		})
	}
}

// TestAliasTakesNobody: a name whose visitors another distribution serves by its
// wildcard is not given to a new one, which would have them at once.
func TestAliasTakesNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const shop = "shop.example.com"
		s := newLab(1).only("low.example.com").withName(shop).start(t)
		s.w.EditBucket("fonts.example.com", func(b *sandbox.Bucket) {
			b.Objects = append(b.Objects, sandbox.Object{Key: "cart.html", Body: []byte("the cart"), ContentType: "text/html"})
		})
		old := s.w.AddDistribution("", providers.Settings{Enabled: true, Aliases: []string{"*.example.com"}, OriginDomain: "fonts.example.com.s3.eu-west-1.amazonaws.com", OriginKind: providers.RESTOrigin,
			Methods: []string{"GET", "HEAD"}, ViewerProtocol: "allow-all", CachePolicyID: "4135ea2d-6df8-44a3-9df3-4b5a84be39ad", PriceClass: "PriceClass_100", HTTPVersion: "http2", MinimumTLS: "TLSv1.2_2021"}, nil)
		p := s.plan(t.Context(), Migrate)
		if f := s.found(p, "alias-wildcard"); f.Severity != Note {
			t.Errorf("nobody is led there yet: %+v", f)
		}
		s.w.SetRecords(route53, "*.example.com", []providers.Record{{Type: "CNAME", Value: old.Domain, TTL: time.Minute}})
		pause1(t, 10*time.Minute)
		before := s.visit(shop, "/cart.html")
		p = s.plan(t.Context(), Migrate)
		f := s.found(p, "alias-wildcard")
		if f.Severity != Error || !strings.Contains(f.Summary, shop) {
			t.Errorf("%+v", f)
		}
		s.want(s.run(t.Context(), p, nil), OutcomeBlocked)
		if got := s.visit(shop, "/cart.html"); got != before || !strings.HasPrefix(got, "200") {
			t.Errorf("%s, was %s", got, before)
		}
	})
}

// TestChainsToAMovedName: another name that leads to S3 by way of one that is to be
// moved is named with the record that keeps its visitors; with that both are served.
func TestChainsToAMovedName(t *testing.T) {
	const low, cdn = "low.example.com", "cdn.example.com"
	chain := func(l *lab, rs ...sandbox.NamedRecord) {
		l.options.Buckets = append(l.options.Buckets, sandbox.Bucket{Name: cdn, Region: "eu-west-1", Objects: worldObjects()})
		l.options.DNS[0].Records = append(l.options.DNS[0].Records, rs...)
	}
	synctest.Test(t, func(t *testing.T) {
		l := newLab(1).only(low)
		chain(l, cname(cdn, low, time.Minute), cname("www."+cdn, cdn, time.Minute))
		s := l.start(t)
		p := s.plan(t.Context(), Migrate)
		f := s.found(p, "record-chain")
		if f.Severity != Error || len(p.Buckets[0].Findings) != 1 || p.Buckets[0].Standing != StandBlocked {
			t.Fatalf("%+v", p.Buckets[0].Findings)
		}
		s.obey(f, "now: ", route53)
		before := s.visit(cdn, "/index.html")
		s.want(s.apply(t.Context(), Migrate), OutcomeFinished)
		pause1(t, time.Hour)
		if got := s.visit(cdn, "/index.html"); got != before || !strings.HasPrefix(got, "200") {
			t.Errorf("%s, was %s", got, before)
		}
		lists := s.w.CallsByOp()["DNS.List"]
		if lists != 2 {
			t.Errorf("%d listings for two plans", lists)
		}
		s.plan(t.Context(), Migrate)
		if n := s.w.CallsByOp()["DNS.List"]; n != lists {
			t.Errorf("a plan with nothing to switch lists %d zones", n-lists)
		}
	})
	tests := map[string]struct {
		records []sandbox.NamedRecord
		change  func(l *lab)
		says    string
	}{
		"an alias":   {[]sandbox.NamedRecord{{Name: cdn, Record: providers.Record{Type: "A", Alias: true, Value: low}}}, nil, cdn + " CNAME s3.dualstack.eu-west-1.amazonaws.com"},
		"a wildcard": {[]sandbox.NamedRecord{cname("*.cdn.example.com", low, time.Minute)}, nil, "visitors of every name below it"},
		"of another zone": {[]sandbox.NamedRecord{cname("cdn.example.org", low, time.Minute)}, func(l *lab) {
			l.config.DNSProviders = []config.DNSProvider{{Address: swapped, Zones: []string{"example.org"}}}
		}, "cdn.example.org CNAME"},
		"of another block":  {[]sandbox.NamedRecord{cname("fonts.example.com", low, time.Minute)}, func(l *lab) { l.config.Buckets = newLab(1).only(low, "fonts.example.com").config.Buckets }, "fonts.example.com CNAME"},
		"of the same block": {[]sandbox.NamedRecord{cname(cdn, low, time.Minute)}, func(l *lab) { l.withName(cdn) }, ""},
	}
	for what, tc := range tests {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab(1).only(low)
				l.options.DNS[0].Records = slices.DeleteFunc(l.options.DNS[0].Records, func(r sandbox.NamedRecord) bool { return r.Name == tc.records[0].Name })
				if rs := tc.records; strings.HasSuffix(rs[0].Name, ".example.org") {
					l.options.DNS[1].Records = append(l.options.DNS[1].Records, rs...)
				} else {
					chain(l, rs...)
				}
				if tc.change != nil {
					tc.change(l)
				}
				p := l.start(t).plan(t.Context(), Migrate)
				i := slices.IndexFunc(p.Buckets, func(b BucketPlan) bool { return b.Bucket == low })
				var got string
				for _, f := range p.Buckets[i].Findings {
					if f.Code == "record-chain" {
						got = f.Detail
					}
				}
				if p.Buckets[i].Standing != StandBlocked || !strings.Contains(got, tc.says) || (got == "") != (tc.says == "") {
					t.Errorf("%s: %q of %+v", p.Buckets[i].Standing, got, p.Buckets[i].Findings)
				}
			})
		})
	}
}

// TestZonesThatCannotBeListed: it is said, once.
func TestZonesThatCannotBeListed(t *testing.T) {
	for err, sev := range map[error]Severity{providers.ErrUnlistable: Note, providers.ErrDenied: Warning} {
		synctest.Test(t, func(t *testing.T) {
			l := newLab(1)
			l.options.Hook = func(c sandbox.Call) error {
				if c.Op == "DNS.List" && c.Name == "example.com" {
					return fmt.Errorf("list: %w", err)
				}
				return nil
			}
			p := l.start(t).plan(t.Context(), Migrate)
			if len(p.Findings) != 1 || p.Findings[0].Code != "chains-unknown" || p.Findings[0].Severity != sev || p.Summary.Blocked > 0 {
				t.Errorf("%v: %+v %+v", err, p.Findings, p.Summary)
			}
		})
	}
}

// TestProxyAndHTTPS: a redirect behind a proxy that fetches by http never ends.
func TestProxyAndHTTPS(t *testing.T) {
	for protocol, want := range map[string]bool{"redirect-to-https": true, "https-only": true, "allow-all": false} {
		synctest.Test(t, func(t *testing.T) {
			l := newLab(1).only("www.example.org")
			l.options.DNS[1].Features = providers.Features{Provider: "cloudflare", Flatten: true, InPlace: true}
			l.options.DNS[1].Records = []sandbox.NamedRecord{{Name: "www.example.org", Record: providers.Record{Type: "CNAME", Value: "www.example.org.s3-website-eu-west-1.amazonaws.com", Proxied: true}}}
			l.config.Buckets[0].Distribution.ViewerProtocol = &protocol
			s := l.start(t)
			p := s.plan(t.Context(), Migrate)
			if blocked := p.Buckets[0].Standing == StandBlocked; blocked != want {
				t.Fatalf("%s: %s, %+v", protocol, p.Buckets[0].Standing, p.Buckets[0].Findings)
			}
			if want && !strings.Contains(s.found(p, "proxied-https").Detail, "mode to Full") {
				t.Errorf("%+v", p.Buckets[0].Findings)
			}
		})
	}
}

// TestIPv6IsKept: who has no IPv4 is not lost without a word.
func TestIPv6IsKept(t *testing.T) {
	no := false
	for name, want := range map[string]bool{"low.example.com": true, "fonts.example.com": false} {
		synctest.Test(t, func(t *testing.T) {
			l := newLab(1).only(name)
			l.config.Buckets[0].Distribution.IPv6 = &no
			p := l.start(t).plan(t.Context(), Migrate)
			if got := slices.ContainsFunc(p.Buckets[0].Findings, func(f Finding) bool { return f.Code == "visitors-ipv6" }); got != want {
				t.Errorf("%s: %+v", name, p.Buckets[0].Findings)
			}
		})
	}
}

// TestUsesThatEnd: without a log settings hint at uses that CloudFront refuses; with
// one they stop the bucket, unless they are accepted.
func TestUsesThatEnd(t *testing.T) {
	accept := func(b *config.Bucket) { b.Verify.Accept = []string{config.AcceptUses} }
	part := `{"Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b.example/public/*"}]}`
	whole := `{"Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b.example/*"}]}`
	denied := `{"Statement":[{"Effect":"Deny","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b.example/secret/*"}]}`
	tests := map[string]struct {
		bucket providers.Bucket
		log    logLook
		change func(*config.Bucket)
		want   string
	}{
		"posts":              {providers.Bucket{Policy: whole, CORS: []providers.CORSRule{{Methods: []string{"POST"}}}}, logLook{}, nil, "warning uses-unknown"},
		"deletes":            {providers.Bucket{Policy: whole, CORS: []providers.CORSRule{{Methods: []string{"DELETE"}}}}, logLook{}, nil, "warning uses-unknown"},
		"uploads, accepted":  {providers.Bucket{Policy: whole, CORS: []providers.CORSRule{{Methods: []string{"PUT"}}}}, logLook{}, accept, ""},
		"a part is denied":   {providers.Bucket{Policy: denied}, logLook{}, nil, ""},
		"a log of others":    {providers.Bucket{Policy: part, Log: providers.BucketLog{Bucket: "logs"}}, logLook{Err: providers.ErrDenied}, nil, "note log-unread,warning uses-unknown"},
		"accepted signed":    {providers.Bucket{Policy: whole, Log: providers.BucketLog{Bucket: "logs"}}, logLook{Requests: 5, Signed: 1}, accept, "warning log-signed"},
		"no hint":            {providers.Bucket{Policy: whole, CORS: anyOrigin()}, logLook{}, nil, ""},
		"uploads":            {providers.Bucket{Policy: whole, CORS: []providers.CORSRule{{Methods: []string{"GET", "PUT"}}}}, logLook{}, nil, "warning uses-unknown"},
		"a part is public":   {providers.Bucket{Policy: part}, logLook{}, nil, "warning uses-unknown"},
		"a log without any":  {providers.Bucket{Policy: part, Log: providers.BucketLog{Bucket: "logs"}}, logLook{Requests: 5}, nil, ""},
		"a log with uploads": {providers.Bucket{Policy: whole, Log: providers.BucketLog{Bucket: "logs"}}, logLook{Requests: 5, Writes: map[string]int{"PUT": 1}}, nil, "error log-methods"},
		"accepted uploads":   {providers.Bucket{Policy: whole, Log: providers.BucketLog{Bucket: "logs"}}, logLook{Requests: 5, Writes: map[string]int{"PUT": 1}}, accept, "warning log-methods"},
		"signed":             {providers.Bucket{Policy: whole, Log: providers.BucketLog{Bucket: "logs"}}, logLook{Requests: 5, Signed: 1}, nil, "error log-signed"},
	}
	for what, tc := range tests {
		t.Run(what, func(t *testing.T) {
			b := config.Bucket{Name: "b.example"}
			if tc.change != nil {
				tc.change(&b)
			}
			a := Actual{Bucket: &tc.bucket, Looks: looks{Log: tc.log}}
			var got []string
			for _, f := range slices.Concat(logFindings(b, a), useFindings(b, a)) {
				got = append(got, string(f.Severity)+" "+f.Code)
			}
			if strings.Join(got, ",") != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}

// TestExpiringCertificates: one that ends within days is not taken, one that ends
// within weeks is told.
func TestExpiringCertificates(t *testing.T) {
	const day = 24 * time.Hour
	for left, want := range map[time.Duration]string{2 * time.Hour: "requested", 10 * day: "told", 60 * day: "taken"} {
		synctest.Test(t, func(t *testing.T) {
			s := newLab(1).only("low.example.com").start(t)
			s.w.AddCertificate("", providers.Certificate{Names: []string{"*.example.com"}, NotAfter: time.Now().Add(left)})
			p := s.plan(t.Context(), Migrate)
			got := "taken"
			if p.Buckets[0].Steps[0].Kind == CertificateRequest {
				got = "requested"
			}
			if slices.ContainsFunc(p.Buckets[0].Findings, func(f Finding) bool { return f.Code == "certificate-expires" }) {
				got = "told"
			}
			if got != want {
				t.Errorf("%s left: %s, want %s: %+v", left, got, want, p.Buckets[0])
			}
		})
	}
}

// TestProxiedZoneThatMoved: the way back of a proxied record at a provider that has
// no proxy is a plain record, and it is said.
func TestProxiedZoneThatMoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(1).only("www.example.org")
		l.options.DNS[1].Features = providers.Features{Provider: "cloudflare", Flatten: true, InPlace: true}
		l.options.DNS[1].Records = []sandbox.NamedRecord{{Name: "www.example.org", Record: providers.Record{Type: "CNAME", Value: "www.example.org.s3-website-eu-west-1.amazonaws.com", Proxied: true}}}
		s := l.start(t)
		s.want(s.apply(t.Context(), Migrate), OutcomeFinished)
		w := s.w.Providers()
		moved := plainDNS{w.DNS[swapped]}
		s.w.SetRecords(swapped, "www.example.org", []providers.Record{{Type: "CNAME", Value: s.w.Distributions()[0].Domain, TTL: time.Minute}})
		pause1(t, time.Hour)
		w.DNS[swapped] = moved
		p, err := Make(t.Context(), w, s.c, Options{Goal: Rollback})
		if err != nil {
			t.Fatal(err)
		}
		if f := s.found(p, "unproxied"); f.Severity != Warning || blocked(p.Buckets[0].Findings) {
			t.Errorf("%+v", p.Buckets[0].Findings)
		}
		r := s.run(t.Context(), p, func(x *Executor) { x.World = w })
		s.want(r, OutcomeRolled)
		if got := showRecords(s.w.Records("www.example.org")); got != "CNAME www.example.org.s3-website-eu-west-1.amazonaws.com TTL 300s" {
			t.Error(got)
		}
	})
}

// plainDNS is a provider without a proxy.
type plainDNS struct{ providers.DNS }

func (p plainDNS) Features() providers.Features {
	return providers.Features{Provider: "route53", Swap: true}
}

// TestIPv6Findings: which names lose visitors without IPv6.
func TestIPv6Findings(t *testing.T) {
	no := false
	b := config.Bucket{Distribution: config.Distribution{IPv6: &no}}
	record := func(typ, value string, proxied bool) providers.RecordSet {
		return providers.RecordSet{Records: []providers.Record{{Type: typ, Value: value, Proxied: proxied}}}
	}
	const dual = "b.s3.dualstack.eu-west-1.amazonaws.com"
	tests := map[string]struct {
		n    NameActual
		want bool
	}{
		"addresses":      {NameActual{Serves: servesS3, Set: record("AAAA", "2001:db8::1", false)}, true},
		"both kinds":     {NameActual{Serves: servesS3, Set: record("CNAME", dual, false)}, true},
		"IPv4 alone":     {NameActual{Serves: servesS3, Set: record("CNAME", "b.s3.eu-west-1.amazonaws.com", false)}, false},
		"behind a proxy": {NameActual{Serves: servesS3, Set: record("CNAME", dual, true)}, false},
		"not at S3":      {NameActual{Serves: servesOurs, Set: record("AAAA", "2001:db8::1", false)}, false},
	}
	for name, tc := range tests {
		if got := ipv6Findings(b, Actual{Names: []NameActual{tc.n}}) != nil; got != tc.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// TestProxyThatWorks: a live distribution that has the setting is left alone, and
// one that would get it is not.
func TestProxyThatWorks(t *testing.T) {
	for live, want := range map[string]bool{"redirect-to-https": false, "allow-all": true} {
		b := config.Bucket{Distribution: config.Distribution{ViewerProtocol: new("redirect-to-https")}}
		n := NameActual{Serves: servesOurs, Set: providers.RecordSet{Records: []providers.Record{{Type: "CNAME", Value: edge, Proxied: true}}}}
		a := Actual{Dist: &providers.Distribution{Settings: providers.Settings{ViewerProtocol: live}}}
		if got := proxyFindings(b, a, n) != nil; got != want {
			t.Errorf("%s: %t", live, got)
		}
	}
}

// TestPlainRecordAtApex: no CNAME stands at the top of a zone, so no plain record
// takes the place of a proxied one there.
func TestPlainRecordAtApex(t *testing.T) {
	old := []providers.Record{{Type: "CNAME", Value: s3Name, Proxied: true}}
	for flattens, refused := range map[bool]bool{false: true, true: false} {
		n := NameActual{CNAME: config.CNAME{Name: "example.com"}, Set: providers.RecordSet{Zone: "example.com"}, Features: providers.Features{Provider: "x", Flatten: flattens}}
		if got, err := n.fitting(old, nil); (err != nil) != refused || err == nil && got[0].Proxied {
			t.Errorf("flattens %t: %v %v", flattens, got, err)
		}
	}
}

// TestOwnRecordHasARegion: the record that is to be written first names the bucket's
// region, though the wildcard's endpoint is that of none.
func TestOwnRecordHasARegion(t *testing.T) {
	n := NameActual{CNAME: config.CNAME{Name: "b.example"}, Wildcard: &providers.RecordSet{Records: []providers.Record{{Type: "CNAME", Value: "s3.amazonaws.com"}}}}
	e, ok := s3Led(n.led())
	b := config.Bucket{Name: "b.example", CNAMEs: []config.CNAME{n.CNAME}}
	if got := ownRecord(b, Actual{Bucket: &providers.Bucket{Region: "eu-west-3"}}, n, e); !ok || got != "b.example CNAME b.example.s3.eu-west-3.amazonaws.com" {
		t.Errorf("%t %s", ok, got)
	}
}

// TestAnswersThatDiffer: what only some servers answer may be a change on its way,
// and what the distribution answered is one.
func TestAnswersThatDiffer(t *testing.T) {
	n := NameActual{CNAME: config.CNAME{Name: "b.example", DNSProvider: route53}, Instead: []providers.Answer{{Server: "ns1", Records: []providers.AnswerRecord{{Type: "A", Value: "192.0.2.1"}}}}}
	for whole, want := range map[bool]Severity{false: Warning, true: Error} {
		n.Whole = whole
		if f := insteadFindings(config.Bucket{}, Actual{Dist: &providers.Distribution{}}, n); f[0].Code != "answers-differ" || f[0].Severity != want {
			t.Errorf("whole %t: %+v", whole, f)
		}
	}
}

// TestChainsOfNamesThatAreServed: nobody is lost by a name that is switched already,
// or by way of one that the distribution holds; whoever comes by way of that is.
func TestChainsOfNamesThatAreServed(t *testing.T) {
	const name, held, last = "b.example", "held.example", "last.example"
	ch := newChains(providers.World{}, &config.Config{})
	for from, to := range map[string]string{held: name, last: held} {
		ch.add(providers.RecordSet{Name: from, Records: []providers.Record{{Type: "CNAME", Value: to}}})
	}
	b := config.Bucket{Name: name, CNAMEs: []config.CNAME{{Name: name}}}
	n := NameActual{CNAME: b.CNAMEs[0], Serves: servesS3, Set: providers.RecordSet{Name: name, Records: []providers.Record{{Type: "A", Alias: true, Value: "s3-website-eu-west-1.amazonaws.com"}}}}
	a := Actual{Bucket: &providers.Bucket{}, Names: []NameActual{n}, Dist: &providers.Distribution{Settings: providers.Settings{Aliases: []string{held}}}}
	if fs := ch.findings(b, a); len(fs) != 1 || !strings.HasPrefix(fs[0].Summary, last) || !strings.Contains(fs[0].Detail, last+" A alias s3-website-eu-west-1") {
		t.Errorf("%+v", fs)
	}
	a.Names[0].Serves = servesOurs
	if fs := ch.findings(b, a); fs != nil {
		t.Errorf("switched: %+v", fs)
	}
}

// TestWhoRenews: ACM renews no certificate that it did not issue.
func TestWhoRenews(t *testing.T) {
	for imported, want := range map[bool]string{true: "import its successor", false: "validation record"} {
		if f := expiryFinding(providers.Certificate{Imported: imported}); !strings.Contains(f.Detail, want) {
			t.Errorf("%+v", f)
		}
	}
}
