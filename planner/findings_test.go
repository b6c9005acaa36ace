package planner

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/providers"
	"github.com/edgeward/edgeward/providers/sandbox"
)

// TestFindings: what a person gets to read for each way in which the world can
// be wrong. The bucket is assets.example.com, served from S3's REST endpoint.
func TestFindings(t *testing.T) {
	const name = "assets.example.com"
	record := func(rs ...providers.Record) func(*lab, *sandbox.World) {
		return func(_ *lab, w *sandbox.World) { w.SetRecords(route53, name, rs) }
	}
	str := func(s string) *string { return &s }
	yes := true
	tests := map[string]struct {
		change func(l *lab)                   // before the world is made
		meddle func(l *lab, w *sandbox.World) // after
		code   string                         // of the finding
		sev    Severity                       //
		says   string                         // part of summary or detail
	}{
		"the bucket does not exist":       {meddle: func(_ *lab, w *sandbox.World) { w.DeleteBucket(name) }, code: "bucket-missing", sev: Error, says: "S3 knows no bucket of this name"},
		"the bucket is another account's": {change: func(l *lab) { l.options.Buckets[0].Foreign = true }, code: "bucket-denied", sev: Error, says: "aws = aws.NAME"},
		"the bucket is not public":        {change: func(l *lab) { l.options.Buckets[0].Private = true }, code: "bucket-not-public", sev: Error, says: "make it public first"},
		"the requester pays":              {change: func(l *lab) { l.options.Buckets[0].RequesterPays = true }, code: "requester-pays", sev: Error, says: "403"},
		"the record points elsewhere": {meddle: record(providers.Record{Type: "CNAME", Value: "example.net", TTL: time.Minute}),
			code: "record-elsewhere", sev: Error, says: "CNAME example.net TTL 60s"},
		"the record is an address": {meddle: record(providers.Record{Type: "A", Value: "192.0.2.1", TTL: time.Minute}),
			code: "record-elsewhere", sev: Error, says: "192.0.2.1"},
		"the record is another distribution's": {meddle: record(providers.Record{Type: "CNAME", Value: "d111111abcdef8.cloudfront.net", TTL: time.Minute}),
			code: "record-elsewhere", sev: Error, says: "only names that S3 serves today"},
		"the record is one of a weighted set": {change: func(l *lab) { l.options.DNS[0].Records[0].Routing = "it is one of several weighted records" },
			code: "record-routing", sev: Error, says: "weighted"},
		"no record stands": {meddle: record(), code: "record-absent", sev: Note, says: "rollback removes it"},
		"an added name has a record of its own": {change: func(l *lab) {
			l.config.Buckets[0].CNAMEs = append(l.config.Buckets[0].CNAMEs, config.CNAME{Name: "fonts.example.com", DNSProvider: route53, Zone: "example.com"})
		}, code: "added-name-has-record", sev: Error, says: "a visitor asks for bucket fonts.example.com today, not assets.example.com"},
		"the TTL is a day": {meddle: record(providers.Record{Type: "CNAME", Value: "assets.example.com.s3.eu-west-1.amazonaws.com", TTL: 24 * time.Hour}),
			code: "ttl-long", sev: Note, says: "TTL of 1d"},
		"the TTL is 0": {meddle: record(providers.Record{Type: "CNAME", Value: "assets.example.com.s3.eu-west-1.amazonaws.com"}),
			code: "ttl-zero", sev: Note, says: "nothing is lowered"},
		"the record points at another region": {meddle: record(providers.Record{Type: "CNAME", Value: "s3.us-west-2.amazonaws.com", TTL: time.Minute}),
			code: "region-differs", sev: Warning, says: "the bucket is in eu-west-1"},
		"another distribution holds the alias": {meddle: func(_ *lab, w *sandbox.World) { w.AddForeignDistribution("", name) },
			code: "alias-taken", sev: Error, says: "distribution { adopt = "},
		"a wildcard covers the name": {meddle: func(_ *lab, w *sandbox.World) { w.AddForeignDistribution("", "*.example.com") },
			code: "alias-wildcard", sev: Note, says: "more specific alias wins"},
		"a foreign certificate is pending": {meddle: func(_ *lab, w *sandbox.World) {
			w.AddCertificate("", providers.Certificate{Names: []string{"*.example.com"}, Status: providers.CertificatePending})
		}, code: "certificate-pending", sev: Note, says: "requests its own"},
		"the configured certificate does not exist": {change: func(l *lab) {
			l.config.Buckets[0].CertificateARN = "arn:aws:acm:us-east-1:111122223333:certificate/none"
		}, code: "certificate-missing", sev: Error, says: "leave it out"},
		"the configured certificate does not cover": {meddle: func(l *lab, w *sandbox.World) {
			l.config.Buckets[0].CertificateARN = w.AddCertificate("", providers.Certificate{Names: []string{"example.com"}})
		}, code: "certificate-does-not-cover", sev: Error, says: "covers example.com"},
		"the configured certificate is pending": {meddle: func(l *lab, w *sandbox.World) {
			l.config.Buckets[0].CertificateARN = w.AddCertificate("", providers.Certificate{Names: []string{name}, Status: providers.CertificatePending})
		}, code: "certificate-pending", sev: Error, says: "does not touch a certificate it did not request"},
		"the configured certificate is expired": {meddle: func(l *lab, w *sandbox.World) {
			l.config.Buckets[0].CertificateARN = w.AddCertificate("", providers.Certificate{Names: []string{name}, NotAfter: time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC)})
		}, code: "certificate-expired", sev: Error, says: "1999-01-01"},
		"the origin kind is not what visitors use": {change: func(l *lab) { l.config.Buckets[0].Origin = "website" }, code: "origin-kind", sev: Error, says: `origin = "auto"`},
		"a website endpoint without a website": {meddle: record(providers.Record{Type: "CNAME", Value: "assets.example.com.s3-website-eu-west-1.amazonaws.com", TTL: time.Minute}),
			code: "website-missing", sev: Error, says: "configure the website"},
		"more user tags than fit": {change: func(l *lab) {
			l.config.Buckets[0].Distribution.Tags = map[string]string{}
			for i := range 39 {
				l.config.Buckets[0].Distribution.Tags[fmt.Sprint("t", i)] = "x"
			}
		}, code: "too-many-tags", sev: Error, says: "at most 38"},
		"a record that fits no tag": {meddle: record(providers.Record{Type: "CNAME", Value: strings.Repeat("a", 230) + ".s3.eu-west-1.amazonaws.com", TTL: time.Minute}),
			code: "record-does-not-fit", sev: Error, says: "edgeward:was"},
		"a provider that is unsafe": {change: func(l *lab) { l.options.DNS[0].Features.Unsafe = "it deletes the record before it creates the new one" },
			code: "provider-unsafe", sev: Error, says: "deletes the record"},
		"CAA records name others": {change: func(l *lab) {
			l.options.DNS[0].Records = append(l.options.DNS[0].Records, sandbox.NamedRecord{Name: "example.com", Other: "CAA", Value: `0 issue "letsencrypt.org"`})
		}, code: "caa-forbids", sev: Error, says: `Add to zone example.com the record example.com. IN CAA 0 issue "amazon.com"`},
		"nobody answers for CAA": {meddle: func(_ *lab, w *sandbox.World) {
			for i := range 4 {
				w.SetResolver(i, sandbox.Resolving{RCode: "SERVFAIL"})
			}
		}, code: "caa-unknown", sev: Warning, says: "asked for CAA of assets.example.com, resolver 1 (198.51.100.1) answers SERVFAIL"},
		"the zone is delegated to another provider": {change: func(l *lab) {
			other := sandbox.Provider{Address: "dns_provider.other.old", Zones: []string{"example.com"}, Features: providers.Features{Provider: "other"},
				Records: []sandbox.NamedRecord{cname(name, "old.example.net", time.Hour)}}
			l.options.DNS = append([]sandbox.Provider{other}, l.options.DNS...)
		}, code: "zone-not-delegated", sev: Error, says: "dns_provider.route53.main has CNAME assets.example.com.s3.eu-west-1.amazonaws.com TTL 3600s, but ns1.example.com"},
		"the provider has no record, the world answers": {change: func(l *lab) {
			other := sandbox.Provider{Address: "dns_provider.other.old", Zones: []string{"example.com"}, Features: providers.Features{Provider: "other"},
				Records: []sandbox.NamedRecord{cname(name, "old.example.net", time.Hour)}}
			l.options.DNS[0].Records = l.options.DNS[0].Records[1:]
			l.options.DNS = append([]sandbox.Provider{other}, l.options.DNS...)
		}, code: "answers-differ", sev: Error, says: "delegated to somebody else's name servers"},
		"the provider keeps no low TTL": {change: func(l *lab) { l.options.DNS[0].Features.MinTTL = 10 * time.Minute },
			code: "ttl-floor", sev: Note, says: "for 10m, not only for 60s"},
		"the proxy answers": {change: func(l *lab) {
			l.options.DNS[0].Records[0].Record.Proxied, l.options.DNS[0].Records[0].Record.TTL = true, 0
		}, code: "proxied", sev: Note, says: "stays proxied"},
		"a person changes the records": {change: func(l *lab) { l.options.DNS[0].Features = providers.Features{Provider: "manual", ByHand: true} },
			code: "by-hand", sev: Note, says: "Set no row before apply asks for it"},
		"addresses, seen from outside": {change: func(l *lab) {
			l.options.DNS[0].Features = providers.Features{Provider: "manual", ByHand: true}
			l.options.DNS[0].Records[0].Record = providers.Record{Type: "A", Value: "192.0.2.1", TTL: time.Minute}
		}, code: "record-elsewhere", sev: Error, says: "switch the flattening off"},
		"http is to be redirected": {change: func(l *lab) { l.config.Buckets[0].Distribution.ViewerProtocol = str("redirect-to-https") },
			code: "visitors-redirected", sev: Warning, says: "after a rollback S3 has no https"},
		"http is to be refused": {change: func(l *lab) { l.config.Buckets[0].Distribution.ViewerProtocol = str("https-only") },
			code: "visitors-refused", sev: Warning, says: "403"},
		"another cache policy": {change: func(l *lab) {
			l.config.Buckets[0].Distribution.CachePolicy = str("658327ea-f89d-4fab-a63d-7e88639e58f6")
		}, code: "visitors-cached", sev: Warning, says: "3 of 4 sampled objects have no Cache-Control: visitors may see them up to 1d old"},
		"compression":     {change: func(l *lab) { l.config.Buckets[0].Distribution.Compress = &yes }, code: "visitors-compressed", sev: Note, says: "ETag"},
		"a root object":   {change: func(l *lab) { l.config.Buckets[0].Distribution.DefaultRootObject = str("index.html") }, code: "visitors-root", sev: Note, says: "index.html"},
		"a throttled API": {meddle: func(_ *lab, w *sandbox.World) { w.SetThrottle(1) }, code: "look-failed", sev: Error, says: "throttled"},
		"a zone that is not the provider's": {change: func(l *lab) { l.options.DNS[0].Zones = []string{"example.net"}; l.options.DNS[0].Records = nil },
			code: "look-failed", sev: Error, says: "assets.example.com"},
	}
	for what, tc := range tests {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLab(1).only(name)
				l.config.Buckets[0].CNAMEs = l.config.Buckets[0].CNAMEs[:1]
				if tc.change != nil {
					tc.change(l)
				}
				s := l.start(t)
				if tc.meddle != nil {
					tc.meddle(l, s.w)
					pause1(t, 2*time.Minute) // the name servers know
				}
				p := s.plan(t.Context(), Migrate)
				b := p.Buckets[0]
				var got *Finding
				for i := range b.Findings {
					if b.Findings[i].Code == tc.code {
						got = &b.Findings[i]
					}
				}
				switch {
				case got == nil:
					t.Fatalf("no finding %s, only %+v", tc.code, b.Findings)
				case got.Severity != tc.sev || !strings.Contains(got.Summary+" "+got.Detail, tc.says):
					t.Errorf("finding %+v, want %s and %q", *got, tc.sev, tc.says)
				case got.Detail == "":
					t.Error("the finding does not say what to do")
				}
				if blocked := b.Standing == StandBlocked; blocked != (tc.sev == Error) {
					t.Errorf("%s finding, and the bucket is %s", tc.sev, b.Standing)
				}
				if b.Standing == StandBlocked {
					before := s.w.Dump()
					if r := s.run(t.Context(), p, nil); r.Results[0].Outcome != OutcomeBlocked || r.ExitCode() != 4 {
						t.Errorf("apply: %+v", r.Results[0])
					}
					if s.w.Dump() != before {
						t.Error("apply changed the world of a blocked bucket")
					}
				}
			})
		})
	}
}

func TestApexWithoutAlias(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(1).only("www.example.org")
		l.config.Buckets[0].CNAMEs = append(l.config.Buckets[0].CNAMEs, config.CNAME{Name: "example.org", DNSProvider: swapped, Zone: "example.org"})
		s := l.start(t)
		b := s.plan(t.Context(), Migrate).Buckets[0]
		if b.Standing != StandBlocked || b.Findings[0].Code != "apex-without-alias" {
			t.Errorf("%s, %+v", b.Standing, b.Findings)
		}
	})
}

func TestAliasOver(t *testing.T) {
	for alias, want := range map[string]bool{
		"*.example.com": true, "*.b.example.com": true, "*.a.b.example.com": false, "*.example.org": false, "a.b.example.com": false, "*": false,
	} {
		if got := providers.AliasOver(alias, "a.b.example.com"); got != want {
			t.Errorf("%s over a.b.example.com: %t", alias, got)
		}
	}
	if providers.AliasOver("*.example.com", "example.com") {
		t.Error("a wildcard stands for at least one label")
	}
}
