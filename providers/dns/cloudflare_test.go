package dns

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/edgeward/edgeward/providers"
	"github.com/edgeward/edgeward/providers/providertest"
)

const (
	cfName = "assets.example.com"
	cfOld  = "assets.example.com.s3.eu-west-1.amazonaws.com"
	cfNew  = "d111111abcdef8.cloudfront.net"
)

func TestCloudflareConforms(t *testing.T) {
	providertest.DNS(t, providertest.DNSSuite{Wrap: synctest.Test,
		New: func(t *testing.T, zone string, rows []providertest.Row) (providers.DNS, providertest.Zone) {
			s := &cfServer{}
			v := cfView{s, s.add(zone)}
			for _, r := range rows {
				v.Put(t, r)
			}
			return cfProvider(t, s, zone), v
		},
		Unfaithful: map[string]string{
			"replace/several records": "three records cannot become one CNAME in place; TestCloudflareTypes shows the refusal",
		}})
}

func cfProvider(t *testing.T, s http.RoundTripper, zones ...string) *cloudflareDNS {
	t.Helper()
	d, err := newCloudflare(Options{Zones: zones, Clock: providers.RealClock{}, Settings: map[string]any{"api_token": cfCanary}}, s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// inCloudflare runs f with a server that has zone example.com, in a bubble.
func inCloudflare(t *testing.T, f func(t *testing.T, s *cfServer, z *cfZoneState, d *cloudflareDNS)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &cfServer{}
		z := s.add("example.com")
		f(t, s, z, cfProvider(t, s, "example.com"))
	})
}

func cnameOf(target string, ttl time.Duration) []providers.Record {
	return []providers.Record{{Type: "CNAME", Value: target, TTL: ttl}}
}

// lookup is what the provider says of name; it must not fail.
func lookup(t *testing.T, d providers.DNS, name string) providers.RecordSet {
	t.Helper()
	set, err := d.Look(t.Context(), name)
	if err != nil {
		t.Fatalf("Look(%s): %v", name, err)
	}
	return set
}

// wantError checks the class of an error and what it says, and that the token
// is not in it.
func wantError(t *testing.T, err, class error, says ...string) {
	t.Helper()
	if err == nil || class != nil && !errors.Is(err, class) {
		t.Errorf("error is %v, want one that is %v", err, class)
		return
	}
	text := err.Error()
	var advice interface{ Hint() string }
	switch {
	case errors.As(err, &advice):
		text += "; " + advice.Hint()
	case errors.Is(err, providers.ErrCredentials):
		t.Errorf("%q does not say what to do", err)
	}
	for _, w := range says {
		if !strings.Contains(text, w) {
			t.Errorf("%q does not say %q", text, w)
		}
	}
	noCanary(t, err)
}

// watched fails the test when a name of the zone that had an address record has
// none, or two CNAMEs, or a CNAME beside addresses, after any single change.
func watched(t *testing.T, s *cfServer, names ...string) {
	s.watch = func(z *cfZoneState) {
		for _, name := range names {
			cnames, addresses := 0, 0
			for _, r := range z.records {
				switch {
				case r["name"] != name:
				case r["type"] == "CNAME":
					cnames++
				case r["type"] == "A", r["type"] == "AAAA":
					addresses++
				}
			}
			if cnames+addresses == 0 || cnames > 1 || cnames > 0 && addresses > 0 {
				t.Errorf("%s has %d CNAMEs and %d addresses in the midst of a change", name, cnames, addresses)
			}
		}
	}
}

// Everything that a PATCH does not name is kept: id, comment, tags, settings,
// proxied, and "automatic".
func TestCloudflareInPlace(t *testing.T) {
	cases := map[string]struct {
		ttl     int
		proxied bool
		stands  providers.Record
		want    []providers.Record
		after   providers.Record
		rawTTL  int
	}{
		"another target": {3600, false, providers.Record{Type: "CNAME", Value: cfOld, TTL: time.Hour},
			cnameOf(cfNew, time.Hour), providers.Record{Type: "CNAME", Value: cfNew, TTL: time.Hour}, 3600},
		"another target and TTL": {3600, false, providers.Record{Type: "CNAME", Value: cfOld, TTL: time.Hour},
			cnameOf(cfNew, time.Minute), providers.Record{Type: "CNAME", Value: cfNew, TTL: time.Minute}, 60},
		"automatic TTL stays automatic": {1, false, providers.Record{Type: "CNAME", Value: cfOld, TTL: 5 * time.Minute},
			cnameOf(cfNew, 5*time.Minute), providers.Record{Type: "CNAME", Value: cfNew, TTL: 5 * time.Minute}, 1},
		"automatic TTL lowered": {1, false, providers.Record{Type: "CNAME", Value: cfOld, TTL: 5 * time.Minute},
			cnameOf(cfOld, time.Minute), providers.Record{Type: "CNAME", Value: cfOld, TTL: time.Minute}, 60},
		"proxied": {1, true, providers.Record{Type: "CNAME", Value: cfOld, Proxied: true},
			[]providers.Record{{Type: "CNAME", Value: cfNew, Proxied: true}}, providers.Record{Type: "CNAME", Value: cfNew, Proxied: true}, 1},
		"proxied is kept, whoever forgets it": {1, true, providers.Record{Type: "CNAME", Value: cfOld, Proxied: true},
			cnameOf(cfNew, time.Minute), providers.Record{Type: "CNAME", Value: cfNew, Proxied: true}, 1},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			inCloudflare(t, func(t *testing.T, s *cfServer, z *cfZoneState, d *cloudflareDNS) {
				watched(t, s, cfName)
				before := s.record(z, cfName, "CNAME", cfOld, c.ttl, c.proxied)
				before["comment"], before["tags"] = "asked for by shop", []any{"team:shop"}
				before["settings"] = map[string]any{"ipv4_only": true}
				have := lookup(t, d, cfName).Records
				if diff := cmp.Diff([]providers.Record{c.stands}, have); diff != "" {
					t.Fatalf("wrong record (-want +got):\n%s", diff)
				}
				if err := d.Replace(t.Context(), cfName, have, c.want); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff([]providers.Record{c.after}, lookup(t, d, cfName).Records); diff != "" {
					t.Errorf("wrong record (-want +got):\n%s", diff)
				}
				want := before
				want["content"], want["ttl"] = c.after.Value, c.rawTTL
				if diff := cmp.Diff(want, z.records[0]); diff != "" || len(z.records) != 1 {
					t.Errorf("wrong record at Cloudflare (-want +got):\n%s", diff)
				}
				if n := s.count("PATCH"); n != 1 || s.count("POST")+s.count("DELETE") > 0 {
					t.Errorf("the requests were %q", s.log)
				}
			})
		})
	}
}

// A change of type is one PATCH where one record becomes one; else it is
// refused, if a CNAME is in it; addresses change in one batch.
func TestCloudflareTypes(t *testing.T) {
	of := func(typ string) func(string) providers.Record {
		return func(v string) providers.Record { return providers.Record{Type: typ, Value: v, TTL: time.Hour} }
	}
	a, aaaa := of("A"), of("AAAA")
	cname := cnameOf(cfNew, time.Hour)[0]
	type rs = []providers.Record
	cases := map[string]struct {
		have, want rs
		requests   []string
		kept       int
		err        string
	}{
		"A to CNAME":             {rs{a("192.0.2.1")}, rs{cname}, []string{"PATCH"}, 1, ""},
		"CNAME to A":             {rs{cname}, rs{a("192.0.2.1")}, []string{"PATCH"}, 1, ""},
		"A to AAAA":              {rs{a("192.0.2.1")}, rs{aaaa("2001:db8::1")}, []string{"PATCH"}, 1, ""},
		"two addresses to CNAME": {rs{a("192.0.2.1"), aaaa("2001:db8::1")}, rs{cname}, nil, 2, "the 2 address records of assets.example.com cannot become 1"},
		"CNAME to two addresses": {rs{cname}, rs{a("192.0.2.1"), aaaa("2001:db8::1")}, nil, 1, "the 1 address records"},
		"two addresses changed":  {rs{a("192.0.2.1"), a("192.0.2.2")}, rs{a("192.0.2.3"), a("192.0.2.4")}, []string{"POST"}, 2, ""},
		"one of three changed":   {rs{a("192.0.2.1"), a("192.0.2.2"), aaaa("2001:db8::1")}, rs{a("192.0.2.1"), a("192.0.2.9"), aaaa("2001:db8::1")}, []string{"PATCH"}, 3, ""},
		"an address more":        {rs{a("192.0.2.1")}, rs{a("192.0.2.1"), aaaa("2001:db8::1")}, []string{"POST"}, 1, ""},
		"an address less":        {rs{a("192.0.2.1"), aaaa("2001:db8::1")}, rs{a("192.0.2.1")}, []string{"DELETE"}, 1, ""},
		"one changed, one less":  {rs{a("192.0.2.1"), a("192.0.2.2")}, rs{a("192.0.2.3")}, []string{"POST"}, 1, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			inCloudflare(t, func(t *testing.T, s *cfServer, z *cfZoneState, d *cloudflareDNS) {
				watched(t, s, cfName)
				ids := map[any]bool{}
				for _, r := range c.have {
					ids[s.record(z, cfName, r.Type, r.Value, 3600, false)["id"]] = true
				}
				err := d.Replace(t.Context(), cfName, c.have, c.want)
				final := c.want
				if c.err != "" {
					wantError(t, err, providers.ErrInvalid, c.err)
					final = c.have
				} else if err != nil {
					t.Fatal(err)
				}
				if got := lookup(t, d, cfName).Records; !providers.SameRecords(got, final) {
					t.Errorf("%v stands, want %v", got, final)
				}
				kept := 0
				for _, r := range z.records {
					if ids[r["id"]] {
						kept++
					}
				}
				if diff := cmp.Diff(c.requests, s.writes(), cmpopts.EquateEmpty()); diff != "" || kept != c.kept {
					t.Errorf("%d records kept their id, want %d; wrong writes (-want +got):\n%s", kept, c.kept, diff)
				}
			})
		})
	}
}

// A batch that Cloudflare refuses changes nothing.
func TestCloudflareBatchRefused(t *testing.T) {
	inCloudflare(t, func(t *testing.T, s *cfServer, z *cfZoneState, d *cloudflareDNS) {
		s.record(z, cfName, "A", "192.0.2.1", 3600, false)
		s.record(z, cfName, "A", "192.0.2.2", 3600, false)
		s.before = func(req *http.Request) {
			if strings.HasSuffix(req.URL.Path, "/batch") {
				s.record(z, cfName, "A", "192.0.2.4", 3600, false) // somebody else
			}
		}
		have := lookup(t, d, cfName).Records
		want := []providers.Record{{Type: "A", Value: "192.0.2.3", TTL: time.Hour}, {Type: "A", Value: "192.0.2.4", TTL: time.Hour}}
		wantError(t, d.Replace(t.Context(), cfName, have, want), providers.ErrConflict, "81058", "192.0.2.4")
		if got := lookup(t, d, cfName).Records; len(got) != 3 || got[0].Value != "192.0.2.1" || got[1].Value != "192.0.2.2" {
			t.Errorf("%v stands", got)
		}
	})
}

// At the top of the zone a CNAME stands beside MX and TXT, for it is flattened;
// elsewhere it does not come to stand beside others.
func TestCloudflareBeside(t *testing.T) {
	inCloudflare(t, func(t *testing.T, s *cfServer, z *cfZoneState, d *cloudflareDNS) {
		for _, name := range []string{"example.com", "sub.example.com"} {
			s.record(z, name, "MX", "mx.example.net", 3600, false)
			s.record(z, name, "TXT", `"v=spf1 -all"`, 3600, false)
		}
		s.record(z, "example.com", "CNAME", cfOld, 3600, false)
		set := lookup(t, d, "example.com")
		if diff := cmp.Diff(providers.RecordSet{Name: "example.com", Zone: "example.com", Records: cnameOf(cfOld, time.Hour),
			Other: []string{"MX", "TXT"}, ZoneID: z.id, IDs: []string{z.records[4]["id"].(string)}}, set); diff != "" {
			t.Errorf("wrong answer (-want +got):\n%s", diff)
		}
		if err := d.Replace(t.Context(), "example.com", set.Records, cnameOf(cfNew, time.Minute)); err != nil {
			t.Error(err)
		}
		if err := d.Replace(t.Context(), "example.com", cnameOf(cfNew, time.Minute), nil); err != nil {
			t.Error(err)
		}
		if err := d.Replace(t.Context(), "example.com", nil, cnameOf(cfNew, time.Minute)); err != nil {
			t.Error(err)
		}
		wantError(t, d.Replace(t.Context(), "sub.example.com", nil, cnameOf(cfNew, time.Minute)), providers.ErrInvalid, "beside its MX, TXT")
		if got := lookup(t, d, "example.com").Records; !providers.SameRecords(got, cnameOf(cfNew, time.Minute)) || len(z.records) != 5 {
			t.Errorf("%v stands, and %d records in all", got, len(z.records))
		}
	})
}

// A proxied record is made anew as it was.
func TestCloudflareProxiedLife(t *testing.T) {
	inCloudflare(t, func(t *testing.T, s *cfServer, z *cfZoneState, d *cloudflareDNS) {
		proxied := []providers.Record{{Type: "CNAME", Value: cfOld, Proxied: true}}
		if err := d.Replace(t.Context(), cfName, nil, proxied); err != nil {
			t.Fatal(err)
		}
		if got := lookup(t, d, cfName).Records; !providers.SameRecords(got, proxied) || z.records[0]["ttl"] != 1 {
			t.Errorf("%v stands", got)
		}
		if err := d.Replace(t.Context(), cfName, proxied, nil); err != nil || len(z.records) != 0 {
			t.Errorf("%v; %d records stand", err, len(z.records))
		}
		s.record(z, cfName, "CNAME", cfOld, 300, false)
		wantError(t, d.Replace(t.Context(), cfName, cnameOf(cfOld, 5*time.Minute), []providers.Record{{Type: "CNAME", Value: cfNew, Proxied: true}}),
			providers.ErrInvalid, "without proxy")
	})
}

// What libdns cannot say is sent without it: names that repeat the zone, which
// the API would take for shorter ones, and targets that libdns proxies.
func TestCloudflareWithoutLibdns(t *testing.T) {
	const twice = "example.com.example.com"
	inCloudflare(t, func(t *testing.T, s *cfServer, z *cfZoneState, d *cloudflareDNS) {
		s.record(z, "example.com", "CNAME", cfOld, 300, false)
		const tunnel = "6ff42ae2.cfargotunnel.com"
		for _, want := range [][]providers.Record{cnameOf(tunnel, 5*time.Minute), cnameOf(cfNew, time.Minute), nil} {
			have := lookup(t, d, twice).Records
			if err := d.Replace(t.Context(), twice, have, want); err != nil {
				t.Fatal(err)
			}
			if got := lookup(t, d, twice).Records; !providers.SameRecords(got, want) {
				t.Errorf("%v stands, want %v", got, want)
			}
		}
		if got := lookup(t, d, "example.com").Records; !providers.SameRecords(got, cnameOf(cfOld, 5*time.Minute)) {
			t.Errorf("%v stands at the top", got)
		}
	})
}

// libdns is let send the one write of the step, and nothing else.
func TestCloudflareOnlyTheStep(t *testing.T) {
	inCloudflare(t, func(t *testing.T, s *cfServer, z *cfZoneState, d *cloudflareDNS) {
		s.record(z, cfName, "CNAME", cfOld, 300, false)
		lookup(t, d, cfName)
		asked := len(s.log)
		zone := d.found["example.com"]
		o := &cloudflareOnly{z: zone, step: cloudflareStep{method: "PATCH", stands: cloudflareRecord{ID: "rec1"}}}
		for _, r := range []string{"DELETE " + zone.path() + "/rec1", "PATCH " + zone.path() + "/rec2", "POST " + zone.path(), "GET /zones/other/dns_records"} {
			method, path, _ := strings.Cut(r, " ")
			req, err := http.NewRequestWithContext(t.Context(), method, "https://"+cloudflareHost+cloudflarePath+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := o.Do(req); err == nil || !strings.Contains(err.Error(), "not what is to be done") {
				t.Errorf("%s: error is %v", r, err)
			}
		}
		if len(s.log) != asked {
			t.Errorf("%q were sent", s.log[asked:])
		}
	})
}

// A flattened CNAME cannot be proved by a look-up; a zone may flatten all.
func TestCloudflareFlattening(t *testing.T) {
	inCloudflare(t, func(t *testing.T, s *cfServer, z *cfZoneState, d *cloudflareDNS) {
		s.record(z, cfName, "CNAME", cfOld, 3600, false)["settings"] = map[string]any{"flatten_cname": true}
		s.record(z, "www.example.com", "CNAME", cfOld, 3600, false)
		if r := lookup(t, d, cfName).Routing; !strings.Contains(r, "flattened") {
			t.Errorf("Routing of a flattened record is %q", r)
		}
		if r := lookup(t, d, "www.example.com").Routing; r != "" {
			t.Errorf("Routing of an ordinary record is %q", r)
		}
		z.flattenAll = true
		again := cfProvider(t, s, "example.com")
		if r := lookup(t, again, "www.example.com").Routing; !strings.Contains(r, "flattens every CNAME") {
			t.Errorf("Routing in a zone that flattens all is %q", r)
		}
		if r := lookup(t, again, "example.com").Routing; r != "" {
			t.Errorf("Routing at the top is %q", r)
		}
		wantError(t, again.Ensure(t.Context(), cnameOf("x.acm-validations.aws", time.Minute)[0], "_x.example.com"), providers.ErrInvalid, "flattens every CNAME")
	})
}

func TestCloudflareEnsure(t *testing.T) {
	const name, value = "_x1.assets.example.com", "_y2.acm-validations.aws"
	r := providers.Record{Type: "CNAME", Value: value, TTL: time.Minute}
	cases := map[string]struct {
		stands func(s *cfServer, z *cfZoneState)
		class  error
		says   string
	}{
		"the same":     {func(s *cfServer, z *cfZoneState) { s.record(z, name, "CNAME", value, 1, false) }, nil, ""},
		"nothing":      {func(s *cfServer, z *cfZoneState) {}, nil, ""},
		"proxied":      {func(s *cfServer, z *cfZoneState) { s.record(z, name, "CNAME", value, 1, true) }, providers.ErrConflict, "proxied"},
		"another":      {func(s *cfServer, z *cfZoneState) { s.record(z, name, "CNAME", "_z3.acm-validations.aws", 1, false) }, providers.ErrConflict, "_z3.acm-validations.aws"},
		"two accounts": {func(s *cfServer, z *cfZoneState) { s.record(z, name, "TXT", `"x"`, 1, false) }, providers.ErrConflict, "TXT"},
		"flattened": {func(s *cfServer, z *cfZoneState) {
			s.record(z, name, "CNAME", value, 1, false)["settings"] = map[string]any{"flatten_cname": true}
		}, providers.ErrConflict, "flattened"},
		"made by somebody else meanwhile": {func(s *cfServer, z *cfZoneState) {
			s.before = func(req *http.Request) {
				if req.Method == "POST" {
					s.record(z, name, "CNAME", value, 1, false)
				}
			}
		}, nil, ""},
		"another made meanwhile": {func(s *cfServer, z *cfZoneState) {
			s.before = func(req *http.Request) {
				if req.Method == "POST" {
					s.record(z, name, "CNAME", "_z3.acm-validations.aws", 1, false)
				}
			}
		}, providers.ErrConflict, "_z3.acm-validations.aws"},
	}
	for what, c := range cases {
		t.Run(what, func(t *testing.T) {
			inCloudflare(t, func(t *testing.T, s *cfServer, z *cfZoneState, d *cloudflareDNS) {
				c.stands(s, z)
				err := d.Ensure(t.Context(), r, name)
				if c.class != nil {
					wantError(t, err, c.class, c.says, name)
				} else if err != nil {
					t.Error(err)
				}
				if len(z.records) != 1 || c.class == nil && (z.records[0]["content"] != value || z.records[0]["proxied"] != false) {
					t.Errorf("%v stands", z.records)
				}
			})
		})
	}
	inCloudflare(t, func(t *testing.T, s *cfServer, z *cfZoneState, d *cloudflareDNS) {
		wantError(t, d.Ensure(t.Context(), r, "example.com"), providers.ErrInvalid, "top of its zone")
		wantError(t, d.Ensure(t.Context(), providers.Record{Type: "A", Value: "192.0.2.1"}, name), providers.ErrInvalid, "ordinary CNAME")
	})
}

// A write whose answer is lost is read back.
func TestCloudflareLostAnswer(t *testing.T) {
	lost := func(s *cfServer, method string, times int) {
		done := 0
		s.script = func(_ int, req *http.Request) (*http.Response, error) {
			if req.Method != method || done == times {
				return nil, nil
			}
			done++
			body := s.bodies[len(s.bodies)-1]
			s.answer(req, []byte(body))
			return cfResponse(502, htmlPage), nil
		}
	}
	for name, c := range map[string]struct {
		method     string
		have, want []providers.Record
		requests   int
	}{
		"PATCH":  {"PATCH", cnameOf(cfOld, time.Hour), cnameOf(cfNew, time.Minute), 2},
		"POST":   {"POST", nil, cnameOf(cfNew, time.Minute), 1},
		"DELETE": {"DELETE", cnameOf(cfOld, time.Hour), nil, 2},
	} {
		t.Run(name, func(t *testing.T) {
			inCloudflare(t, func(t *testing.T, s *cfServer, z *cfZoneState, d *cloudflareDNS) {
				for _, r := range c.have {
					s.record(z, cfName, r.Type, r.Value, 3600, false)
				}
				lost(s, c.method, 1)
				if err := d.Replace(t.Context(), cfName, c.have, c.want); err != nil {
					t.Error(err)
				}
				if got := lookup(t, d, cfName).Records; !providers.SameRecords(got, c.want) || s.count(c.method) != c.requests {
					t.Errorf("%v stands after %d of %s", got, s.count(c.method), c.method)
				}
			})
		})
	}
}

// Cloudflare has no condition for a write: an edit between the comparison and
// the write is lost, one after the write is seen.
func TestCloudflareEditMeanwhile(t *testing.T) {
	edit := func(z *cfZoneState) { z.records[0] = with(z.records[0], "content", "elsewhere.example.net") }
	inCloudflare(t, func(t *testing.T, s *cfServer, z *cfZoneState, d *cloudflareDNS) {
		s.record(z, cfName, "CNAME", cfOld, 3600, false)
		s.after = func(req *http.Request) {
			if req.Method == "PATCH" {
				edit(z)
			}
		}
		err := d.Replace(t.Context(), cfName, cnameOf(cfOld, time.Hour), cnameOf(cfNew, time.Hour))
		wantError(t, err, providers.ErrConflict, "elsewhere.example.net", "somebody else", cfName)
	})
	inCloudflare(t, func(t *testing.T, s *cfServer, z *cfZoneState, d *cloudflareDNS) {
		s.record(z, cfName, "CNAME", cfOld, 3600, false)
		lookup(t, d, cfName)
		edit(z)
		err := d.Replace(t.Context(), cfName, cnameOf(cfOld, time.Hour), cnameOf(cfNew, time.Hour))
		wantError(t, err, providers.ErrConflict, "elsewhere.example.net", cfName)
		if s.count("PATCH") != 0 {
			t.Error("a PATCH was sent")
		}
	})
}

// Of several changes of one name from one value one is made, and the others
// are told.
func TestCloudflareOneAtATime(t *testing.T) {
	inCloudflare(t, func(t *testing.T, s *cfServer, z *cfZoneState, d *cloudflareDNS) {
		s.record(z, cfName, "CNAME", cfOld, 3600, false)
		s.after = func(*http.Request) { time.Sleep(time.Second) }
		won := 0
		for _, err := range together(5, 5, func(i int) error {
			return d.Replace(t.Context(), cfName, cnameOf(cfOld, time.Hour), cnameOf(fmt.Sprintf("d%d.cloudfront.net", i), time.Hour))
		}) {
			if err == nil {
				won++
			} else {
				wantError(t, err, providers.ErrConflict)
			}
		}
		if won != 1 || s.count("PATCH") != 1 {
			t.Errorf("%d of 5 changes succeeded with %d PATCHes, want 1", won, s.count("PATCH"))
		}
	})
}

func with(r map[string]any, key string, value any) map[string]any {
	out := map[string]any{}
	for k, v := range r {
		out[k] = v
	}
	out[key] = value
	return out
}

// What the API shows late is looked at again.
func TestCloudflareStaleRead(t *testing.T) {
	inCloudflare(t, func(t *testing.T, s *cfServer, z *cfZoneState, d *cloudflareDNS) {
		s.record(z, cfName, "CNAME", cfOld, 3600, false)
		s.after = func(req *http.Request) {
			if req.Method == "PATCH" {
				z.stale = 3
			}
		}
		if err := d.Replace(t.Context(), cfName, cnameOf(cfOld, time.Hour), cnameOf(cfNew, time.Hour)); err != nil {
			t.Error(err)
		}
		s.after = func(req *http.Request) {
			if req.Method == "PATCH" {
				z.stale = 99
			}
		}
		err := d.Replace(t.Context(), cfName, cnameOf(cfNew, time.Hour), cnameOf(cfOld, time.Hour))
		wantError(t, err, nil, "still shows CNAME "+cfNew)
	})
}

// The comparison and the write stand together, however long the queue is, and
// the documented rate is kept.
func TestCloudflareRate(t *testing.T) {
	for _, n := range []int{1, 10, 100, 700} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			inCloudflare(t, func(t *testing.T, s *cfServer, z *cfZoneState, d *cloudflareDNS) {
				var names []string
				for i := range n {
					names = append(names, nth(i))
					s.record(z, nth(i), "CNAME", cfOld, 3600, false)
				}
				watched(t, s, names[:min(n, 10)]...)
				var mu sync.Mutex
				reads, at := map[string]time.Time{}, []time.Time{}
				var window time.Duration
				s.before = func(req *http.Request) {
					mu.Lock()
					defer mu.Unlock()
					at = append(at, time.Now())
					if name := req.URL.Query().Get("name"); name != "" && reads[name].IsZero() {
						reads[name] = time.Now()
					}
					if req.Method == "PATCH" {
						s.mu.Lock()
						defer s.mu.Unlock()
						i := slices.IndexFunc(z.records, func(r map[string]any) bool { return strings.HasSuffix(req.URL.Path, r["id"].(string)) })
						window = max(window, time.Since(reads[z.records[i]["name"].(string)]))
					}
				}
				lookup(t, d, nth(0))
				start, asked := time.Now(), len(s.log)
				none(t, together(n, n, func(i int) error {
					return d.Replace(t.Context(), nth(i), cnameOf(cfOld, time.Hour), cnameOf(cfNew, time.Minute))
				}))
				t.Logf("%d names: %d requests in %s", n, len(s.log)-asked, time.Since(start))
				if window != 0 {
					t.Errorf("a write came %s after its comparison", window)
				}
				for i := range at {
					if j := i + 1200; j < len(at) && at[j].Sub(at[i]) < 5*time.Minute {
						t.Fatalf("more than 1200 requests in %s", at[j].Sub(at[i]))
					}
				}
				if limit := 3*n + 2; len(s.log)-asked > limit {
					t.Errorf("%d requests, want at most %d", len(s.log)-asked, limit)
				}
			})
		})
	}
}

// A long zone is read by pages; pages that moved are read anew.
func TestCloudflareLongZone(t *testing.T) {
	inCloudflare(t, func(t *testing.T, s *cfServer, z *cfZoneState, d *cloudflareDNS) {
		for i := range 12000 {
			s.record(z, nth(i), "CNAME", cfOld, 3600, false)
		}
		s.after = func(req *http.Request) {
			if req.URL.Query().Get("page") == "1" && s.count("GET /zones/"+z.id+"/dns_records") == 1 {
				// The first record goes, so that one moves from page 2 to page 1.
				z.records = z.records[1:]
			}
			if req.URL.Query().Get("page") == "1" && s.count("GET /zones/"+z.id+"/dns_records") == 3 {
				// And again, with a new one at the end, so that the number stays.
				z.records = z.records[1:]
				s.put(z, map[string]any{"name": "new.example.com", "type": "CNAME", "content": cfOld, "ttl": 1, "proxied": false})
			}
		}
		for _, moved := range []string{nth(5000), nth(5001)} {
			if set := lookup(t, d, moved); len(set.Records) != 1 {
				t.Errorf("the record that moved is gone: %v", set)
			}
		}
		if set := lookup(t, d, nth(11999)); len(set.Records) != 1 {
			t.Errorf("the last record is gone: %v", set)
		}
		if n := s.count("GET /zones/" + z.id + "/dns_records"); n != 6 {
			t.Errorf("%d requests for records, want 6", n)
		}
		time.Sleep(time.Minute)
		if set := lookup(t, d, nth(3)); len(set.Records) != 1 || s.count("GET /zones/"+z.id+"/dns_records") != 7 {
			t.Errorf("one name of a long zone took %d requests", s.count("GET /zones/"+z.id+"/dns_records")-6)
		}
	})
	inCloudflare(t, func(t *testing.T, s *cfServer, z *cfZoneState, d *cloudflareDNS) {
		s.script = func(_ int, req *http.Request) (*http.Response, error) {
			if strings.HasSuffix(req.URL.Path, "/dns_records") {
				return cfResponse(200, cfOK([]any{})), nil
			}
			return nil, nil
		}
		_, err := d.Look(t.Context(), cfName)
		wantError(t, err, nil, "result_info is missing")
	})
}

// Names that ask at once share a search, a listing, and an error.
func TestCloudflareShares(t *testing.T) {
	inCloudflare(t, func(t *testing.T, s *cfServer, z *cfZoneState, d *cloudflareDNS) {
		none(t, together(200, 200, func(i int) error { _, err := d.Look(t.Context(), nth(i)); return err }))
		if len(s.log) != 3 {
			t.Errorf("the requests were %q, want 3", s.log)
		}
		z.name = "example.net"
		other := cfProvider(t, s, "example.com")
		for _, err := range together(50, 50, func(i int) error { _, err := other.Look(t.Context(), nth(i)); return err }) {
			wantError(t, err, providers.ErrNotFound)
		}
		if len(s.log) != 4 {
			t.Errorf("the requests were %q, want 4", s.log)
		}
		z.name = "example.com"
		time.Sleep(fresh)
		lookup(t, other, cfName)
	})
}

// A caller that goes away does not end the others' search or listing.
func TestCloudflareEnded(t *testing.T) {
	inCloudflare(t, func(t *testing.T, s *cfServer, z *cfZoneState, d *cloudflareDNS) {
		s.record(z, cfName, "CNAME", cfOld, 3600, false)
		s.before = func(*http.Request) { time.Sleep(10 * time.Second) }
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := d.Look(ctx, cfName); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("error is %v", err)
			}
		})
		time.Sleep(time.Second)
		wg.Go(func() { lookup(t, d, cfName) })
		wg.Wait()
	})
}

// toServer sends requests for the API to a server on loopback.
type toServer struct {
	at   *url.URL
	next http.RoundTripper
}

func (s toServer) RoundTrip(req *http.Request) (*http.Response, error) {
	r := req.Clone(req.Context())
	r.URL.Scheme, r.URL.Host = s.at.Scheme, s.at.Host
	return s.next.RoundTrip(r)
}

// The same over sockets.
func TestCloudflareOverHTTP(t *testing.T) {
	s := &cfServer{}
	z := s.add("example.com")
	s.record(z, cfName, "CNAME", cfOld, 3600, false)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.URL.Scheme, r.URL.Host = "https", cloudflareHost
		resp, err := s.RoundTrip(r)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("Content-Type", resp.Header.Get("Content-Type"))
		w.WriteHeader(resp.StatusCode)
		_, _ = io.Copy(w, resp.Body)
	}))
	t.Cleanup(web.Close)
	at, err := url.Parse(web.URL)
	if err != nil {
		t.Fatal(err)
	}
	d := cfProvider(t, toServer{at, web.Client().Transport}, "example.com")
	if err := d.Replace(t.Context(), cfName, cnameOf(cfOld, time.Hour), cnameOf(cfNew, time.Minute)); err != nil {
		t.Fatal(err)
	}
	if err := d.Ensure(t.Context(), cnameOf("_y.acm-validations.aws", time.Minute)[0], "_x.example.com"); err != nil {
		t.Fatal(err)
	}
	if got := lookup(t, d, cfName).Records; !providers.SameRecords(got, cnameOf(cfNew, time.Minute)) {
		t.Errorf("%v stands", got)
	}
}
