package planner

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/providers"
)

// A table a stage: a bucket, what was observed, and the verdict.

var stageNow = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const (
	s3Name = "a.example.com.s3.eu-west-1.amazonaws.com"
	edge   = "d111111abcdef8.cloudfront.net"
)

func stageBucket(change func(*config.Bucket)) config.Bucket {
	b := config.Bucket{Address: "bucket.a", Name: "a.example.com", Origin: "auto",
		CNAMEs: []config.CNAME{{Name: "a.example.com", DNSProvider: "dns_provider.route53.main", Zone: "example.com"}},
		Verify: config.Verify{Paths: []string{"/x"}, MaxAge: 15 * time.Minute}, DNS: config.DNS{LowTTL: time.Minute}}
	if change != nil {
		change(&b)
	}
	return b
}

// stageActual is a bucket at S3 with nothing made yet.
func stageActual(change func(*Actual)) Actual {
	a := Actual{Now: stageNow, read: partAll, Bucket: &providers.Bucket{Name: "a.example.com", Region: "eu-west-1", PolicyPublic: true}}
	a.Names = []NameActual{{CNAME: stageBucket(nil).CNAMEs[0], Features: providers.Features{Provider: "route53", Alias: true, Swap: true},
		Set: providers.RecordSet{Zone: "example.com", Records: []providers.Record{{Type: "CNAME", Value: s3Name, TTL: time.Hour}}}}}
	if change != nil {
		change(&a)
	}
	a.Names[0].Serves, a.Names[0].Endpoint = serves(a.Names[0].Set.Records, a.Dist)
	return a
}

// withDist adds the bucket's own distribution, as edgeward makes it.
func withDist(a *Actual) {
	b := stageBucket(nil)
	s, _ := wantedSettings(b, *a)
	s.CertificateARN, s.CachePolicyID = "arn:cert", "policy"
	a.Dist = &providers.Distribution{ID: "E1", Domain: edge, Status: providers.Deployed, ETag: "V1", Settings: s, Tags: ownTags(b)}
	a.Crumbs = crumbs{}
}

// atEdge points the name at the distribution with a TTL.
func atEdge(ttl time.Duration) func(*Actual) {
	return func(a *Actual) {
		withDist(a)
		a.Names[0].Set.Records = []providers.Record{{Type: "CNAME", Value: edge, TTL: ttl}}
	}
}

func answers(targets ...string) []providers.Answer {
	var as []providers.Answer
	for i, t := range targets {
		a := providers.Answer{Server: string(rune('A' + i)), RCode: "NOERROR"}
		switch t {
		case "SERVFAIL", "NXDOMAIN":
			a.RCode = t
		case "timeout":
			a.RCode, a.Err = "", "timed out"
		default:
			a.Records = []providers.AnswerRecord{{Name: "a.example.com", Type: "CNAME", Value: t, TTL: 60}}
		}
		as = append(as, a)
	}
	return as
}

type stageCase struct {
	bucket func(*config.Bucket)
	actual func(*Actual)
	want   Status
	why    string
	// changes are before and after of each change.
	changes [][2]string
}

func runStage(t *testing.T, k Kind, g Goal, cases map[string]stageCase) {
	t.Helper()
	i := slices.IndexFunc(table(g), func(s stage) bool { return s.kind == k })
	st := table(g)[i]
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			b, a := stageBucket(tc.bucket), stageActual(tc.actual)
			before := cmp.Diff(Actual{}, a, cmp.AllowUnexported(Actual{}, endpoint{}, validationActual{}, watched{}, linkLook{}, linkTry{}, minute{}))
			v := st.check(b, a)
			if v.Status != tc.want || !strings.Contains(v.Why, tc.why) {
				t.Errorf("%s: %q, want %s: …%s…", v.Status, v.Why, tc.want, tc.why)
			}
			var got [][2]string
			for _, c := range v.Changes {
				got = append(got, [2]string{c.Before, c.After})
			}
			if d := cmp.Diff(tc.changes, got); tc.changes != nil && d != "" {
				t.Error(d)
			}
			if after := cmp.Diff(Actual{}, a, cmp.AllowUnexported(Actual{}, endpoint{}, validationActual{}, watched{}, linkLook{}, linkTry{}, minute{})); after != before {
				t.Error("check changed what it judged")
			}
		})
	}
}

func pending(status string) func(*Actual) {
	return func(a *Actual) {
		a.Chosen = &providers.Certificate{ARN: "arn:c", Status: status, Names: []string{"a.example.com"}, NotAfter: stageNow.AddDate(0, 1, 0),
			Validation: []providers.Validation{{Name: "a.example.com", RecordName: "_x.a.example.com", RecordValue: "_y.acm-validations.aws"}}}
	}
}

func TestStageCertificate(t *testing.T) {
	runStage(t, CertificateRequest, Migrate, map[string]stageCase{
		"none":     {want: Todo, changes: [][2]string{{"", "a.example.com"}}},
		"pending":  {actual: pending(providers.CertificatePending), want: Done},
		"issued":   {actual: pending(providers.CertificateIssued), want: Done},
		"switched": {actual: atEdge(time.Minute), want: Done},
	})
	validation := func(stands bool, targets ...string) func(*Actual) {
		return func(a *Actual) {
			pending(providers.CertificatePending)(a)
			a.Validations = []validationActual{{Validation: a.Chosen.Validation[0], provider: "p", zone: "example.com", stands: stands, answers: answers(targets...)}}
		}
	}
	runStage(t, CertificateValidate, Migrate, map[string]stageCase{
		"no certificate yet":       {want: Todo, changes: [][2]string{{"", "CNAME in zone example.com at dns_provider.route53.main (known after certificate.request)"}}},
		"issued":                   {actual: pending(providers.CertificateIssued), want: Done},
		"no record":                {actual: validation(false, "NXDOMAIN", "NXDOMAIN"), want: Todo},
		"not at every server":      {actual: validation(true, "_y.acm-validations.aws", "NXDOMAIN"), want: Waiting, why: "B answers"},
		"a server does not answer": {actual: validation(true, "_y.acm-validations.aws", "timeout"), want: Waiting, why: "timed out"},
		"its servers do not answer alike": {actual: func(a *Actual) {
			validation(false, "NXDOMAIN", "_y.acm-validations.aws")(a)
			a.Validations[0].unseen = providers.ErrUnsettled
		}, want: Waiting, why: "not settled"},
		"answers":                 {actual: validation(true, "_y.acm-validations.aws", "_Y.acm-validations.aws."), want: Done},
		"ACM has named no record": {actual: func(a *Actual) { pending(providers.CertificatePending)(a); a.Chosen.Validation = nil }, want: Waiting, why: "not named"},
	})
	runStage(t, CertificateIssued, Migrate, map[string]stageCase{
		"none":    {want: Waiting},
		"pending": {actual: pending(providers.CertificatePending), want: Waiting, why: "a.example.com (by _x.a.example.com)"},
		"issued":  {actual: pending(providers.CertificateIssued), want: Done},
		"failed":  {actual: pending("FAILED"), want: Failed, why: "FAILED"},
	})
}

func TestStagePolicyAndDistribution(t *testing.T) {
	settings := cacheSettings(false)
	have := func(a *Actual) {
		a.Policies = []providers.CachePolicy{{ID: "p1", Name: policyStem(settings) + "-1", Settings: settings}}
	}
	mine := "658327ea-f89d-4fab-a63d-7e88639e58f6"
	runStage(t, PolicyEnsure, Migrate, map[string]stageCase{
		"none":  {want: Todo, changes: [][2]string{{"", policyStem(settings)}}},
		"there": {actual: have, want: Done},
		"CORS needs another": {actual: func(a *Actual) {
			have(a)
			a.Bucket.CORS = []providers.CORSRule{{Origins: []string{"*"}, Methods: []string{"GET"}}}
		}, want: Todo, why: "Origin"},
		"the user's own": {bucket: func(b *config.Bucket) { b.Distribution.CachePolicy = &mine }, want: Done},
		"no bucket seen": {actual: func(a *Actual) { a.Bucket = nil }, want: Waiting},
	})
	h3 := "http2and3"
	runStage(t, DistributionCreate, Migrate, map[string]stageCase{
		"none":                    {want: Todo, why: "bucket as origin"},
		"there":                   {actual: withDist, want: Done},
		"a field changed by hand": {actual: func(a *Actual) { withDist(a); a.Dist.Settings.Compress = true }, want: Todo, changes: [][2]string{{"true", "false"}}},
		"disabled by hand":        {actual: func(a *Actual) { withDist(a); a.Dist.Settings.Enabled = false }, want: Todo, changes: [][2]string{{"false", "true"}}},
		"a setting is new":        {bucket: func(b *config.Bucket) { b.Distribution.HTTPVersion = &h3 }, actual: withDist, want: Todo, changes: [][2]string{{"http2", "http2and3"}}},
		"a tag is new":            {bucket: func(b *config.Bucket) { b.Distribution.Tags = map[string]string{"team": "web"} }, actual: withDist, want: Todo, changes: [][2]string{{"", "web"}}},
		"an alias of somebody's stays": {actual: func(a *Actual) {
			withDist(a)
			a.Dist.Settings.Aliases = []string{"a.example.com", "extra.example.com"}
		}, want: Done},
		"an alias is missing": {actual: func(a *Actual) {
			withDist(a)
			a.Dist.Settings.Aliases = nil
		}, want: Todo, changes: [][2]string{{"", "a.example.com"}, {"arn:cert", "(known after certificate.request)"}}},
		"an adopted one keeps what is not set": {bucket: func(b *config.Bucket) { b.Distribution.Adopt = "E1" }, actual: func(a *Actual) {
			withDist(a)
			a.Dist.Settings.Compress, a.Dist.Settings.PriceClass, a.Dist.Settings.ViewerProtocol = true, "PriceClass_100", "https-only"
		}, want: Done},
	})
	runStage(t, DistributionDeployed, Migrate, map[string]stageCase{
		"none":        {want: Waiting},
		"in progress": {actual: func(a *Actual) { withDist(a); a.Dist.Status = providers.InProgress }, want: Waiting, why: "InProgress"},
		"deployed":    {actual: withDist, want: Done},
	})
}

func TestStageLinks(t *testing.T) {
	proof := func(age time.Duration, etag string) func(*Actual) {
		return func(a *Actual) {
			withDist(a)
			a.Crumbs[crumbProof] = writeTime(stageNow.Add(-age)) + "/" + etag + "/" + askedOf(stageBucket(nil).Verify) + "/abc"
		}
	}
	runStage(t, LinksVerify, Migrate, map[string]stageCase{
		"never":               {actual: withDist, want: Todo},
		"just now":            {actual: proof(time.Minute, "V1"), want: Done},
		"too long ago":        {actual: proof(16*time.Minute, "V1"), want: Todo},
		"for another version": {actual: proof(time.Minute, "V0"), want: Todo},
		"switched":            {actual: atEdge(time.Minute), want: Done},
	})
}

func TestStageTTL(t *testing.T) {
	lowered := func(since string, ttl time.Duration, auth ...string) func(*Actual) {
		return func(a *Actual) {
			withDist(a)
			a.Crumbs[crumbWas], a.Crumbs[crumbWasTTL], a.Crumbs[crumbLowSince] = "CNAME "+s3Name, "3600", since
			a.Names[0].Set.Records[0].TTL = ttl
			a.Names[0].Authoritative = answers(auth...)
		}
	}
	at := func(ago time.Duration) string { return writeTime(stageNow.Add(-ago)) + "/60" }
	runStage(t, TTLLower, Migrate, map[string]stageCase{
		"long":                    {actual: withDist, want: Todo, changes: [][2]string{{"CNAME " + s3Name + " TTL 3600s", "CNAME " + s3Name + " TTL 60s"}}},
		"low from the beginning":  {actual: func(a *Actual) { withDist(a); a.Names[0].Set.Records[0].TTL = 30 * time.Second }, want: Done},
		"lowered, not seen":       {actual: lowered("", time.Minute, s3Name, "timeout"), want: Waiting, why: "timed out"},
		"lowered, seen by all":    {actual: lowered("", time.Minute, s3Name, s3Name), want: Todo, why: "starts to run out"},
		"the old TTL runs":        {actual: lowered(at(59*time.Minute), time.Minute), want: Waiting, why: "2026-03-01T12:01:00Z"},
		"the old TTL has run out": {actual: lowered(at(time.Hour), time.Minute), want: Done},
		"raised again by hand":    {actual: lowered(at(2*time.Hour), 5*time.Minute), want: Todo, changes: [][2]string{{"CNAME " + s3Name + " TTL 300s", "CNAME " + s3Name + " TTL 60s"}}},
		"kept by the provider":    {actual: lowered("asked/3600", time.Hour), want: Done},
		"floored by the provider": {actual: lowered("asked/600", 10*time.Minute, s3Name), want: Todo, why: "starts to run out"},
		"an alias record": {actual: func(a *Actual) {
			withDist(a)
			a.Names[0].Set.Records = []providers.Record{{Type: "A", Value: "s3-website-eu-west-1.amazonaws.com", Alias: true}}
		}, want: Done, why: "no TTL of its own"},
		"switched": {actual: atEdge(time.Minute), want: Done},
		"a flattened one has its target's TTL too": {actual: func(a *Actual) {
			lowered("", 30*time.Second)(a)
			a.Crumbs[crumbLowSince] = "asked/30"
			a.Names[0].Flattened = true
			a.Names[0].Authoritative = []providers.Answer{{Server: "A", RCode: "NOERROR", Records: []providers.AnswerRecord{{Name: "a.example.com", Type: "A", Value: "192.0.2.1", TTL: 60}}}}
		}, want: Todo, why: "starts to run out"},
	})
	finished := func(a *Actual) { atEdge(time.Hour)(a); a.Crumbs[crumbFinished] = writeTime(stageNow) }
	hour := func(b *config.Bucket) { b.DNS.TTL = 2 * time.Hour }
	runStage(t, TTLRestore, Migrate, map[string]stageCase{
		"before the switch":          {actual: withDist, want: Todo, changes: [][2]string{{"CNAME " + edge + " TTL 60s", "CNAME " + edge + " TTL 3600s"}}},
		"the old TTL":                {actual: func(a *Actual) { atEdge(time.Minute)(a); a.Crumbs[crumbWasTTL] = "300/3600" }, want: Todo, changes: [][2]string{{"CNAME " + edge + " TTL 60s", "CNAME " + edge + " TTL 300s"}}},
		"restored, not written down": {actual: func(a *Actual) { atEdge(time.Hour)(a); a.Crumbs[crumbWasTTL] = "3600" }, want: Todo, why: "written down"},
		"finished":                   {actual: finished, want: Done},
		"the configured TTL":         {bucket: hour, actual: finished, want: Todo, changes: [][2]string{{"CNAME " + edge + " TTL 3600s", "CNAME " + edge + " TTL 7200s"}}},
	})
}

func TestStageSwitch(t *testing.T) {
	alias := func(a *Actual) {
		withDist(a)
		a.Names[0].Set.Records = []providers.Record{{Type: "A", Value: "s3-website-eu-west-1.amazonaws.com", Alias: true}}
	}
	runStage(t, DNSSwitch, Migrate, map[string]stageCase{
		"no distribution yet": {want: Todo, changes: [][2]string{{"CNAME " + s3Name + " TTL 3600s", "CNAME (known after distribution.create) TTL 60s"}}},
		"to do":               {actual: withDist, want: Todo, changes: [][2]string{{"CNAME " + s3Name + " TTL 3600s", "CNAME " + edge + " TTL 60s"}}},
		"an alias stays one":  {actual: alias, want: Todo, changes: [][2]string{{"A alias s3-website-eu-west-1.amazonaws.com", "A alias " + edge + " + AAAA alias " + edge}}},
		"without IPv6":        {actual: func(a *Actual) { alias(a); a.Dist.Settings.IPv6 = false }, want: Todo, changes: [][2]string{{"A alias s3-website-eu-west-1.amazonaws.com", "A alias " + edge}}},
		"not atomic":          {actual: func(a *Actual) { withDist(a); a.Names[0].Features.Swap = false }, want: Todo, why: "can be lost"},
		"done":                {actual: atEdge(time.Minute), want: Done},
	})
	world := func(auth, res []string) func(*Actual) {
		return func(a *Actual) {
			atEdge(time.Minute)(a)
			a.Names[0].Authoritative, a.Names[0].Resolved = answers(auth...), answers(res...)
		}
	}
	runStage(t, DNSPropagated, Migrate, map[string]stageCase{
		"not switched":           {actual: withDist, want: Waiting},
		"all answer":             {actual: world([]string{edge, edge}, []string{edge, edge, edge}), want: Done},
		"one server is behind":   {actual: world([]string{edge, s3Name}, []string{edge, edge, edge}), want: Waiting, why: "B answers CNAME " + s3Name},
		"one server is silent":   {actual: world([]string{edge, "timeout"}, []string{edge, edge, edge}), want: Waiting, why: "timed out"},
		"no server":              {actual: world(nil, []string{edge, edge, edge}), want: Waiting},
		"a resolver is behind":   {actual: world([]string{edge}, []string{edge, edge, s3Name}), want: Done},
		"half of the resolvers":  {actual: world([]string{edge}, []string{edge, s3Name}), want: Waiting, why: "1 of 2"},
		"SERVFAIL is no success": {actual: world([]string{edge}, []string{"SERVFAIL", "SERVFAIL", edge}), want: Waiting, why: "SERVFAIL"},
		"no resolver":            {actual: world([]string{edge}, nil), want: Waiting},
	})
}

func TestStageRollback(t *testing.T) {
	switched := func(a *Actual) {
		atEdge(time.Minute)(a)
		a.Crumbs[crumbWas], a.Crumbs[crumbWasTTL] = "CNAME "+s3Name, "3600"
	}
	back := func(a *Actual) {
		withDist(a)
		a.Crumbs[crumbWas], a.Crumbs[crumbWasTTL], a.Crumbs[crumbHold] = "CNAME "+s3Name, "3600", writeTime(stageNow)+"/manual"
	}
	runStage(t, DNSRestore, Rollback, map[string]stageCase{
		"nothing was made":  {want: Done},
		"switched":          {actual: switched, want: Todo, changes: [][2]string{{"CNAME " + edge + " TTL 60s", "CNAME " + s3Name + " TTL 3600s"}}},
		"only lowered":      {actual: func(a *Actual) { back(a); a.Names[0].Set.Records[0].TTL = time.Minute }, want: Todo, changes: [][2]string{{"CNAME " + s3Name + " TTL 60s", "CNAME " + s3Name + " TTL 3600s"}}},
		"restored and held": {actual: back, want: Done},
		"an old TTL that the provider would not keep again": {actual: func(a *Actual) { back(a); a.Names[0].Features.MinTTL = 2 * time.Hour }, want: Done},
		"restored with the TTL that it keeps": {actual: func(a *Actual) {
			back(a)
			a.Names[0].Features.MinTTL, a.Names[0].Set.Records[0].TTL = 2*time.Hour, 2*time.Hour
		}, want: Done},
		"restored, not held": {actual: func(a *Actual) { back(a); a.Crumbs[crumbHold] = "" }, want: Todo},
		"no crumb":           {actual: atEdge(time.Minute), want: Failed, why: "edgeward:was"},
		"somebody else's":    {actual: func(a *Actual) { back(a); a.Names[0].Set.Records[0].Value = "example.net" }, want: Failed, why: "not touched"},
	})
	runStage(t, DNSRestored, Rollback, map[string]stageCase{
		"still switched": {actual: switched, want: Waiting},
		"answers": {actual: func(a *Actual) {
			back(a)
			a.Names[0].Authoritative, a.Names[0].Resolved = answers(s3Name), answers(s3Name, s3Name, edge)
		}, want: Done},
		"caches hold the distribution": {actual: func(a *Actual) {
			back(a)
			a.Names[0].Authoritative, a.Names[0].Resolved = answers(s3Name), answers(s3Name, edge, edge)
		}, want: Waiting, why: "1 of 3"},
	})
}

// The table itself: needs come before who needs them, and every stage that acts
// has a way to judge.
func TestTables(t *testing.T) {
	for _, g := range []Goal{Migrate, Rollback} {
		seen := []Kind{}
		for _, s := range table(g) {
			for _, n := range s.needs {
				if !slices.Contains(seen, n) {
					t.Errorf("%s needs %s, which comes later or never", s.kind, n)
				}
			}
			looks := s.kind == AccessDeployed // it waits, and looks at links meanwhile
			if s.check == nil || s.every <= 0 || (s.do == nil) != (s.action == Wait) && !looks {
				t.Errorf("%s is incomplete", s.kind)
			}
			seen = append(seen, s.kind)
		}
		if d := cmp.Diff(seen, Kinds(g)); d != "" {
			t.Error(d)
		}
	}
}

func TestFits(t *testing.T) {
	tests := []struct {
		approved, live string
		want           bool
	}{
		{"a", "a", true}, {"a", "b", false},
		{"CNAME (known after distribution.create) TTL 60s", "CNAME d1.cloudfront.net TTL 60s", true},
		{"CNAME (known after distribution.create) TTL 60s", "CNAME d1.cloudfront.net TTL 90s", false},
		{"CNAME (known after distribution.create) TTL 60s", "A d1.cloudfront.net TTL 60s", false},
		{"A x (known after a) + B (known after a)", "A x 1 + B 2", true},
		{"(known after a)", "", false},
	}
	for _, tc := range tests {
		if got := fits(tc.approved, tc.live); got != tc.want {
			t.Errorf("%q for %q: %t", tc.live, tc.approved, got)
		}
	}
}

// Plan, Event and Report survive a round trip through JSON.
func TestJSONRoundTrip(t *testing.T) {
	until := stageNow
	for _, v := range []any{
		&Plan{FormatVersion: "1.0", Goal: Migrate, Buckets: []BucketPlan{{Address: "bucket.a", CNAMEs: []string{"a"}, Standing: StandNew,
			Steps:    []Step{{Kind: DNSSwitch, Action: Change, Needs: []Kind{LinksVerify}, Changes: []ValueChange{{"p", "b", "a"}}, Expect: 60, Links: []string{"/x"}}},
			Findings: []Finding{{Error, "c", "s", "d"}}}}},
		&Event{Time: stageNow, Address: "bucket.a", Kind: TTLLower, Status: EventWaiting, Until: &until},
		&Report{Goal: Rollback, Started: stageNow, Ended: stageNow, Results: []Result{{Address: "bucket.a", Outcome: OutcomeWaiting, Until: &until}}},
	} {
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		switch v := v.(type) {
		case *Plan:
			sameJSON(t, v, text)
		case *Event:
			sameJSON(t, v, text)
		case *Report:
			sameJSON(t, v, text)
		}
	}
}

func sameJSON[T any](t *testing.T, want *T, text []byte) {
	t.Helper()
	var got T
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(*want, got); d != "" {
		t.Error(d)
	}
}
