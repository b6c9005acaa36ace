package sandbox

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeward/edgeward/providers"
	"github.com/edgeward/edgeward/providers/providertest"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// TestDNSKeepsThePromises runs the conformance suite on a provider that swaps
// and on one that does not.
func TestDNSKeepsThePromises(t *testing.T) {
	for title, features := range map[string]providers.Features{
		"swap":    {Provider: "route53", Alias: true, Swap: true},
		"no swap": {Provider: "other"},
	} {
		t.Run(title, func(t *testing.T) {
			providertest.DNS(t, providertest.DNSSuite{
				Wrap: synctest.Test,
				New: func(t *testing.T, zone string, rows []providertest.Row) (providers.DNS, providertest.Zone) {
					p := Provider{Address: "dns", Zones: []string{zone}, Features: features}
					for _, r := range rows {
						p.Records = append(p.Records, fromRow(r)...)
					}
					w := New(Options{Clock: providers.RealClock{}, DNS: []Provider{p}})
					return w.Providers().DNS["dns"], zoneView{w, w.dns["dns"]}
				},
			})
		})
	}
}

func addressType(typ string) bool { return typ == "A" || typ == "AAAA" || typ == "CNAME" }

func fromRow(r providertest.Row) []NamedRecord {
	routing := ""
	if r.Weighted {
		routing = "it is one of several weighted sets"
	}
	switch {
	case r.AliasTo != "":
		return []NamedRecord{{Name: r.Name, Routing: routing, Record: providers.Record{Type: r.Type, Value: r.AliasTo, Alias: true}}}
	case !addressType(r.Type):
		return []NamedRecord{{Name: r.Name, Other: r.Type}}
	}
	var out []NamedRecord
	for _, v := range r.Values {
		out = append(out, NamedRecord{Name: r.Name, Routing: routing, Record: providers.Record{Type: r.Type, Value: v, TTL: r.TTL}})
	}
	return out
}

// zoneView is somebody else's view of the only zone of a world.
type zoneView struct {
	w *World
	p *provider
}

func (v zoneView) Rows(*testing.T) []providertest.Row {
	v.w.mu.Lock()
	defer v.w.mu.Unlock()
	var out []providertest.Row
	z := v.p.zones[0]
	for _, name := range sortedKeys(z.nodes) {
		at := z.latest(name)
		for _, typ := range at.other {
			out = append(out, providertest.Row{Name: name, Type: typ})
		}
		for _, r := range at.records {
			n := len(out) - 1
			switch {
			case r.Alias:
				out = append(out, providertest.Row{Name: name, Type: r.Type, AliasTo: r.Value})
			case n >= 0 && out[n].Name == name && out[n].Type == r.Type:
				out[n].Values = append(out[n].Values, r.Value)
			default:
				out = append(out, providertest.Row{Name: name, Type: r.Type, TTL: r.TTL, Values: []string{r.Value}, Weighted: at.routing != ""})
			}
		}
	}
	return out
}

func (v zoneView) Put(_ *testing.T, row providertest.Row) {
	rs := slices.DeleteFunc(v.w.Records(row.Name), func(r providers.Record) bool { return r.Type == row.Type })
	for _, n := range fromRow(row) {
		rs = append(rs, n.Record)
	}
	v.w.SetRecords("dns", row.Name, rs)
}

func (v zoneView) Remove(_ *testing.T, name, typ string) {
	v.w.SetRecords("dns", name, slices.DeleteFunc(v.w.Records(name), func(r providers.Record) bool { return r.Type == typ }))
}

func TestDNSRefuses(t *testing.T) {
	alias := providers.Record{Type: "A", Value: "d1.cloudfront.net", Alias: true, AliasZone: cloudFrontZone}
	wrongZone := alias
	wrongZone.AliasZone = "Z3AQBSTGFYJSTF"
	noZone := alias
	noZone.Value, noZone.AliasZone = "s3-website-us-east-1.amazonaws.com", ""
	timed := alias
	timed.TTL = time.Minute
	cases := map[string]struct {
		provider, name string
		want           []providers.Record
		class          error
		says           string
	}{
		"CNAME at an apex":         {route53, "example.com", []providers.Record{cname("d1.cloudfront.net", 60)}, providers.ErrInvalid, "apex"},
		"CNAME beside another":     {route53, "text.example.com", []providers.Record{cname("d1.cloudfront.net", 60)}, providers.ErrInvalid, "beside TXT"},
		"CNAME and address":        {route53, "x.example.com", []providers.Record{cname("d1.cloudfront.net", 60), {Type: "A", Value: "192.0.2.1"}}, providers.ErrInvalid, "only record"},
		"weighted set":             {route53, "weighted.example.com", nil, providers.ErrConflict, "weighted"},
		"alias, but it has none":   {plain, "x.example.org", []providers.Record{alias}, providers.ErrInvalid, "no alias records"},
		"alias in a wrong zone":    {route53, "x.example.com", []providers.Record{wrongZone}, providers.ErrInvalid, "not the hosted zone"},
		"alias without a zone":     {route53, "x.example.com", []providers.Record{noZone}, providers.ErrInvalid, "no hosted zone"},
		"alias with a TTL":         {route53, "x.example.com", []providers.Record{timed}, providers.ErrInvalid, "TTL"},
		"address that is none":     {route53, "x.example.com", []providers.Record{{Type: "A", Value: "2001:db8::1"}}, providers.ErrInvalid, "2001:db8::1"},
		"no such zone":             {route53, "www.example.org", nil, providers.ErrNotFound, "no public zone"},
		"target that is no target": {route53, "x.example.com", []providers.Record{cname("http://example.net/", 60)}, providers.ErrInvalid, "target"},
	}
	for title, c := range cases {
		t.Run(title, func(t *testing.T) {
			inBubble(t, nil, func(t *testing.T, w *World) {
				before := w.Dump()
				err := w.Providers().DNS[c.provider].Replace(t.Context(), c.name, w.Records(c.name), c.want)
				if !errors.Is(err, c.class) || !strings.Contains(err.Error(), c.says) {
					t.Errorf("error is %v, want one that is %q and says %q", err, c.class, c.says)
				}
				if diff := cmp.Diff(before, w.Dump()); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

// TestEditWithinTheWriteIsLost: without a swap, what somebody writes between the
// comparison and the write is overwritten; with one it is a conflict.
func TestEditWithinTheWriteIsLost(t *testing.T) {
	theirs := []providers.Record{cname("theirs.example.net", 5*time.Minute)}
	ours := []providers.Record{cname("ours.example.net", 5*time.Minute)}
	for provider, name := range map[string]string{route53: "assets.example.com", plain: "www.example.org"} {
		var w *World
		inBubble(t, func(o *Options) {
			o.Latency = Span{time.Second, time.Second}
			o.Hook = func(c Call) error {
				if c.Op == "DNS.Replace" && !c.After || c.Op == "DNS.Replace.read" && c.After {
					w.SetRecords(provider, name, theirs)
				}
				return nil
			}
		}, func(t *testing.T, made *World) {
			w = made
			err := w.Providers().DNS[provider].Replace(t.Context(), name, w.Records(name), ours)
			if got := w.Records(name); provider == route53 && (!errors.Is(err, providers.ErrConflict) || !cmp.Equal(got, theirs)) {
				t.Errorf("with a swap: %v, %v", err, got)
			} else if provider == plain && (err != nil || !cmp.Equal(got, ours)) {
				t.Errorf("without a swap: %v, %v", err, got)
			}
		})
	}
}

func TestTTLFloorsAndIgnoredTTLs(t *testing.T) {
	inBubble(t, func(o *Options) { o.DNS[0].KeepTTL = true }, func(t *testing.T, w *World) {
		h := w.Providers()
		for _, c := range []struct {
			provider, name string
			want           time.Duration
		}{{plain, "www.example.org", time.Minute}, {route53, "assets.example.com", time.Hour}} {
			old := w.Records(c.name)
			if err := h.DNS[c.provider].Replace(t.Context(), c.name, old, []providers.Record{cname(old[0].Value, 10*time.Second)}); err != nil {
				t.Fatal(err)
			}
			if got := w.Records(c.name)[0].TTL; got != c.want {
				t.Errorf("%s has a TTL of %s, not %s", c.name, got, c.want)
			}
		}
	})
}

// TestNameServersLearnLate: Replace returns when all name servers answer the new
// record; before, some have the old one.
func TestNameServersLearnLate(t *testing.T) {
	inBubble(t, func(o *Options) { o.InSync = Span{30 * time.Second, 40 * time.Second} }, func(t *testing.T, w *World) {
		const name = "assets.example.com"
		h := w.Providers()
		answers := func() string {
			var out []string
			for _, a := range must[[]providers.Answer](t)(h.Resolver.Authoritative(t.Context(), "example.com", nil, name, "CNAME")) {
				out = append(out, a.Records[0].Value)
			}
			slices.Sort(out)
			return strings.Join(slices.Compact(out), " ")
		}
		old := w.Records(name)
		began := time.Now()
		mixed := false
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := h.DNS[route53].Replace(t.Context(), name, old, []providers.Record{cname("new.example.net", time.Minute)}); err != nil {
				t.Error(err)
			}
		})
		for range 60 {
			mixed = mixed || strings.Contains(answers(), " ")
			time.Sleep(500 * time.Millisecond)
		}
		wg.Wait()
		if took := time.Since(began); took < 30*time.Second || took > 45*time.Second {
			t.Errorf("it took %s", took)
		}
		if got := answers(); got != "new.example.net" || !mixed {
			t.Errorf("in the end %s; name servers differed on the way: %t", got, mixed)
		}
		if err := h.DNS[route53].Ensure(t.Context(), cname("_v.acm-validations.aws", time.Minute), "_n.example.com"); err != nil {
			t.Fatal(err)
		}
		for _, a := range must[[]providers.Answer](t)(h.Resolver.Authoritative(t.Context(), "example.com", nil, "_n.example.com", "CNAME")) {
			if len(a.Records) != 1 {
				t.Errorf("after Ensure %s answers %s %v", a.Server, a.RCode, a.Records)
			}
		}
	})
}

func TestResolversCache(t *testing.T) {
	inBubble(t, func(o *Options) { o.InSync = Span{1, 1} }, func(t *testing.T, w *World) {
		const name = "assets.example.com"
		h := w.Providers()
		ask := func(name, typ string) providers.Answer {
			t.Helper()
			return must[[]providers.Answer](t)(h.Resolver.Resolve(t.Context(), name, typ))[3]
		}
		w.SetRecords(route53, name, []providers.Record{cname("s3.eu-west-1.amazonaws.com", 5*time.Minute)})
		time.Sleep(2 * time.Hour)
		first := ask(name, "CNAME").Records[0]
		if first.Value != "s3.eu-west-1.amazonaws.com" || first.TTL < 290 || first.TTL > 300 {
			t.Errorf("first %+v", first)
		}
		time.Sleep(2 * time.Minute)
		w.SetRecords(route53, name, []providers.Record{cname("s3-eu-west-1.amazonaws.com", time.Minute)})
		time.Sleep(time.Minute)
		if got := ask(name, "CNAME").Records[0]; got.Value != first.Value || got.TTL > 121 || got.TTL < 110 {
			t.Errorf("three minutes later %+v: a cache keeps it for five", got)
		}
		if held := w.MayHold(name); held < 3*time.Minute || held > 5*time.Minute {
			t.Errorf("may be held for %s", held)
		}
		time.Sleep(130 * time.Second)
		if got := ask(name, "CNAME").Records[0]; got.Value != "s3-eu-west-1.amazonaws.com" {
			t.Errorf("after five minutes %+v", got)
		}
		chain := ask(name, "A").Records
		if len(chain) != 2 || chain[0].Type != "CNAME" || chain[1].Type != "A" || chain[1].Name != "s3-eu-west-1.amazonaws.com" {
			t.Errorf("the chain is %+v", chain)
		}
		// An absence is cached too.
		if got := ask("new.example.com", "A"); got.RCode != "NXDOMAIN" || len(got.Records) > 0 {
			t.Errorf("absent: %+v", got)
		}
		w.SetRecords(route53, "new.example.com", []providers.Record{{Type: "A", Value: "192.0.2.1", TTL: time.Minute}})
		if got := ask("new.example.com", "A"); got.RCode != "NXDOMAIN" {
			t.Errorf("absent a moment ago: %+v", got)
		}
		time.Sleep(2 * time.Minute)
		if got := ask("new.example.com", "A"); got.RCode != "NOERROR" || got.Records[0].Value != "192.0.2.1" {
			t.Errorf("not absent any more: %+v", got)
		}
		if got := ask("new.example.com", "AAAA"); got.RCode != "NOERROR" || len(got.Records) > 0 {
			t.Errorf("no such type: %+v", got)
		}
	})
}

func TestResolverThatKeepsTooLong(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *World) {
		w.SetResolver(2, Resolving{Floor: 24 * time.Hour})
		w.SetRecords(route53, "new.example.com", []providers.Record{cname("one.example.net", time.Minute)})
		time.Sleep(time.Minute)
		h := w.Providers()
		h.Resolver.Resolve(t.Context(), "new.example.com", "CNAME")
		w.SetRecords(route53, "new.example.com", []providers.Record{cname("two.example.net", time.Minute)})
		time.Sleep(time.Hour)
		var got []string
		for _, a := range must[[]providers.Answer](t)(h.Resolver.Resolve(t.Context(), "new.example.com", "CNAME")) {
			got = append(got, a.Records[0].Value)
		}
		if diff := cmp.Diff([]string{"two.example.net", "two.example.net", "one.example.net", "two.example.net"}, got); diff != "" {
			t.Error(diff)
		}
	})
}

// TestAliasAnswersAddresses: an alias shows as addresses only, and each of them
// can be dialled with the name's SNI.
func TestAliasAnswersAddresses(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *World) {
		arn := w.AddCertificate("", providers.Certificate{Names: []string{"example.com"}})
		d := w.AddDistribution("", settings("example.com.s3-website-us-east-1.amazonaws.com", providers.WebsiteOrigin, disabled, arn, "example.com"), nil)
		w.SetRecords(route53, "example.com", []providers.Record{
			{Type: "A", Value: d.Domain, Alias: true, AliasZone: cloudFrontZone},
			{Type: "AAAA", Value: d.Domain, Alias: true, AliasZone: cloudFrontZone},
		})
		time.Sleep(10 * time.Minute)
		h := w.Providers()
		for _, typ := range []string{"A", "AAAA"} {
			for _, a := range must[[]providers.Answer](t)(h.Resolver.Resolve(t.Context(), "example.com", typ)) {
				if len(a.Records) != 4 {
					t.Fatalf("%+v", a)
				}
				for _, r := range a.Records {
					if r.Type != typ || r.Name != "example.com" || r.TTL > 60 {
						t.Errorf("%+v", r)
					}
					got := must[providers.Response](t)(h.Web.Fetch(t.Context(), providers.Request{Method: "GET", URL: "https://example.com/docs/", Dial: r.Value}))
					if got.Status != 200 || got.Header.Get("X-Amz-Cf-Id") == "" || got.SHA256 != digest([]byte("docs")) {
						t.Errorf("dialled at %s: %+v", r.Value, got)
					}
				}
			}
		}
		if a := must[[]providers.Answer](t)(h.Resolver.Resolve(t.Context(), "example.com", "CNAME"))[0]; a.RCode != "NOERROR" || len(a.Records) > 0 {
			t.Errorf("CNAME of an alias: %+v", a)
		}
		served(t, w)
	})
}

func TestProxiedRecords(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *World) {
		const name = "www.example.org"
		old := w.Records(name)[0]
		old.Proxied, old.TTL = true, 0
		w.SetRecords(plain, name, []providers.Record{old})
		time.Sleep(time.Hour)
		h := w.Providers()
		a := must[[]providers.Answer](t)(h.Resolver.Resolve(t.Context(), name, "A"))[0]
		if len(a.Records) != 2 || a.Records[0].Type != "A" {
			t.Fatalf("%+v", a)
		}
		got := must[providers.Response](t)(h.Web.Fetch(t.Context(), providers.Request{Method: "GET", URL: "https://" + name + "/", Dial: a.Records[0].Value}))
		if got.Status != http.StatusOK || got.SHA256 != digest([]byte("<h1>hello</h1>")) {
			t.Errorf("%+v", got)
		}
		served(t, w)
	})
}

func TestAuthoritative(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, w *World) {
		h := w.Providers()
		if _, err := h.Resolver.Authoritative(t.Context(), "example.net", nil, "www.example.net", "A"); err == nil {
			t.Error("no error for a zone that is not delegated")
		}
		answers := must[[]providers.Answer](t)(h.Resolver.Authoritative(t.Context(), "example.com", []string{"127.0.0.1:5301", "127.0.0.1:5302"}, "assets.example.com", "CNAME"))
		want := []providers.AnswerRecord{{Name: "assets.example.com", Type: "CNAME", Value: "assets.example.com.s3.eu-west-1.amazonaws.com", TTL: 3600}}
		if len(answers) != 2 || answers[1].Server != "127.0.0.1:5302" || !cmp.Equal(want, answers[1].Records) {
			t.Errorf("%+v", answers)
		}
		for name, rcode := range map[string]string{"none.example.com": "NXDOMAIN", "text.example.com": "NOERROR", "www.example.org": "REFUSED"} {
			answers := must[[]providers.Answer](t)(h.Resolver.Authoritative(t.Context(), "example.com", nil, name, "CNAME"))
			for _, a := range answers {
				if a.RCode != rcode || len(a.Records) > 0 {
					t.Errorf("%s: %+v", name, a)
				}
			}
			if len(answers) < 2 || len(answers) > 4 {
				t.Errorf("%d name servers", len(answers))
			}
		}
		set := must[providers.RecordSet](t)(h.DNS[route53].Look(t.Context(), "example.com"))
		if diff := cmp.Diff(providers.RecordSet{Name: "example.com", Zone: "example.com", Other: []string{"MX", "NS", "SOA"}}, set, cmpopts.IgnoreFields(providers.RecordSet{}, "Records", "ZoneID", "IDs")); diff != "" {
			t.Error(diff)
		}
		if got := fmt.Sprint(set.Records); got != "[A alias s3-website-us-east-1.amazonaws.com]" {
			t.Error(got)
		}
	})
}

// TestWildcardsAnswer follows RFC 4592, section 3.3: the wildcard below the closest
// encloser, and no other.
func TestWildcardsAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		row := func(name, value string) NamedRecord {
			return NamedRecord{Name: name, Record: providers.Record{Type: "CNAME", Value: value, TTL: time.Minute}}
		}
		w := New(Options{Clock: providers.RealClock{}, DNS: []Provider{{Address: "dns", Zones: []string{"example.com"}, Records: []NamedRecord{
			row("*.example.com", "wild.example.net"), row("own.example.com", "own.example.net"), row("a.deep.example.com", "deep.example.net"),
			row("*.sub.example.com", "sub.example.net"), {Name: "text.example.com", Other: "TXT"},
			{Name: "*.alias.example.com", Record: providers.Record{Type: "A", Value: "s3-website-eu-west-1.amazonaws.com", Alias: true}},
		}}}})
		for name, want := range map[string]string{
			"x.example.com": "CNAME wild.example.net", "y.x.example.com": "CNAME wild.example.net", "own.example.com": "CNAME own.example.net",
			"text.example.com": "", "deep.example.com": "", "b.deep.example.com": "", "y.own.example.com": "", "sub.example.com": "",
			"x.sub.example.com": "CNAME sub.example.net", "example.com": "",
		} {
			as := must[[]providers.Answer](t)(w.Providers().Resolver.Authoritative(t.Context(), "example.com", nil, name, "A"))
			got := ""
			for _, r := range as[0].Records {
				got = r.Type + " " + r.Value
				if r.Name != name {
					t.Errorf("%s is answered as %s", name, r.Name)
				}
			}
			if got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		if as := must[[]providers.Answer](t)(w.Providers().Resolver.Resolve(t.Context(), "x.alias.example.com", "A")); len(as[0].Records) != 1 || as[0].Records[0].Type != "A" {
			t.Errorf("an alias: %+v", as[0])
		}
	})
}
