package dns

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"github.com/edgeward/edgeward/providers"
	"github.com/edgeward/edgeward/providers/providertest"
)

func TestRoute53Conforms(t *testing.T) {
	for name, settle := range map[string]time.Duration{"INSYNC at once": 0, "INSYNC after a while": 30 * time.Second} {
		t.Run(name, func(t *testing.T) {
			providertest.DNS(t, providertest.DNSSuite{Wrap: synctest.Test,
				New: func(t *testing.T, zone string, rows []providertest.Row) (providers.DNS, providertest.Zone) {
					s := newServer()
					s.settle = settle
					s.add("Z1", zone, false)
					v := view{s, "Z1", zone}
					for _, r := range rows {
						v.Put(t, r)
					}
					return newProvider(t, s.options(zone)), v
				}})
		})
	}
}

// A read that began before a write of the name and ends after it is no answer.
func TestRoute53OverlappingRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, d := zoneOf(t, 1500)
		s.settle = 0
		s.delay = func(op string, n int) time.Duration {
			if op == "ListResourceRecordSets" && n == 1 {
				return 20 * time.Second
			}
			return 0
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			set, err := d.Look(t.Context(), nth(0))
			if err != nil || set.Records[0].Value != "new.example.net" {
				t.Errorf("Look gives %v, error %v", set.Records, err)
			}
		})
		time.Sleep(time.Second)
		if err := d.Replace(t.Context(), nth(0), target("old.example.net"), target("new.example.net")); err != nil {
			t.Error(err)
		}
		wg.Wait()
		if n := s.count("ListResourceRecordSets"); n != 3 {
			t.Errorf("%d requests for records, want 3", n)
		}
	})
}

// zoneOf is a server with zone example.com of n CNAMEs n0, n1, …, and a
// provider.
func zoneOf(t *testing.T, n int) (*server, *route53DNS) {
	s := newServer()
	var sets []xmlSet
	for i := range n {
		sets = append(sets, simple(nth(i), "CNAME", 3600, "old.example.net"))
	}
	s.add("Z1", "example.com", false, sets...)
	return s, newProvider(t, s.options("example.com"))
}

func nth(i int) string { return fmt.Sprintf("n%d.example.com", i) }

func target(v string) []providers.Record {
	return []providers.Record{{Type: "CNAME", Value: v, TTL: time.Hour}}
}

// together calls f(0) to f(n-1), at most limit at once, and gives their errors.
func together(n, limit int, f func(i int) error) []error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	slots := make(chan struct{}, limit)
	for i := range n {
		wg.Go(func() {
			slots <- struct{}{}
			errs[i] = f(i)
			<-slots
		})
	}
	wg.Wait()
	return errs
}

func none(t *testing.T, errs []error) {
	t.Helper()
	for i, err := range errs {
		if err != nil {
			t.Errorf("%s: %v", nth(i), err)
		}
	}
}

func atMost(t *testing.T, s *server, op string, most int) {
	t.Helper()
	if n := s.count(op); n > most {
		t.Errorf("%d requests of %q, want at most %d: %v", n, op, most, s.counts)
	}
}

func TestRoute53LooksShareRequests(t *testing.T) {
	for name, c := range map[string]struct{ size, names, most int }{
		"two hundred names of one page":  {200, 200, 2},
		"one name of a long zone":        {1500, 1, 2},
		"some names of a long zone":      {1500, 3, 4},
		"hundreds of names, a long zone": {1500, 400, 1 + 6 + 6 + 6},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, d := zoneOf(t, c.size)
				none(t, together(c.names, 10, func(i int) error {
					set, err := d.Look(t.Context(), nth(i))
					if err == nil && len(set.Records) != 1 {
						t.Errorf("Look(%s) has %v", nth(i), set.Records)
					}
					return err
				}))
				atMost(t, s, "", c.most)
			})
		})
	}
}

func TestRoute53ListingAges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, d := zoneOf(t, 2)
		v := view{s, "Z1", "example.com"}
		look := func() string {
			set, err := d.Look(t.Context(), nth(0))
			if err != nil {
				t.Fatal(err)
			}
			return set.Records[0].Value
		}
		look()
		v.Put(t, providertest.Row{Name: nth(0), Type: "CNAME", TTL: time.Hour, Values: []string{"edited.example.net"}})
		time.Sleep(4 * time.Second)
		if got := look(); got != "old.example.net" {
			t.Errorf("a fresh listing was not used: %s", got)
		}
		time.Sleep(time.Second)
		if got := look(); got != "edited.example.net" {
			t.Errorf("an old listing was used: %s", got)
		}
		atMost(t, s, "ListResourceRecordSets", 2)
	})
}

func TestRoute53Zones(t *testing.T) {
	const name = "a.sub.example.com"
	for what, c := range map[string]struct {
		zones   []hostedZone
		ask     []string
		ids     []string
		want    string // the zone's id
		wantErr error
		text    []string
	}{
		"found": {zones: []hostedZone{{"Z1", "example.com", false}}, ask: []string{"example.com"}, want: "Z1"},
		"longest": {zones: []hostedZone{{"Z1", "example.com", false}, {"Z2", "sub.example.com", false}},
			ask: []string{"example.com", "sub.example.com"}, want: "Z2"},
		"longest of those given": {zones: []hostedZone{{"Z1", "example.com", false}, {"Z2", "sub.example.com", false}},
			ask: []string{"Example.COM."}, want: "Z1"},
		"label boundary": {zones: []hostedZone{{"Z1", "b.example.com", false}, {"Z2", "example.com", false}},
			ask: []string{"b.example.com", "example.com"}, want: "Z2"},
		"private one skipped": {zones: []hostedZone{{"Z0", "example.com", true}, {"Z1", "example.com", false}},
			ask: []string{"example.com"}, want: "Z1"},
		"only private": {zones: []hostedZone{{"Z0", "example.com", true}}, ask: []string{"example.com"},
			wantErr: providers.ErrNotFound, text: []string{"zone example.com is private (Z0)"}},
		"two public": {zones: []hostedZone{{"Z8", "example.com", false}, {"Z9", "example.com", false}}, ask: []string{"example.com"},
			wantErr: providers.ErrInvalid, text: []string{"Z8, Z9", `zone_ids = ["Z8"]`}},
		"two public, one pinned": {zones: []hostedZone{{"Z8", "example.com", false}, {"Z9", "example.com", false}},
			ask: []string{"example.com"}, ids: []string{"Z9"}, want: "Z9"},
		"pinned without zones": {zones: []hostedZone{{"Z1", "example.com", false}, {"Z2", "sub.example.com", false}},
			ids: []string{"/hostedzone/Z1", "Z2"}, want: "Z2"},
		"pinned private": {zones: []hostedZone{{"Z0", "example.com", true}}, ids: []string{"Z0"},
			wantErr: providers.ErrNotFound, text: []string{"zone example.com is private (Z0)"}},
		"pinned twice": {zones: []hostedZone{{"Z8", "example.com", false}, {"Z9", "example.com", false}}, ids: []string{"Z8", "Z9"},
			wantErr: providers.ErrInvalid, text: []string{"Z8 and Z9 are both zone example.com"}},
		"pinned but not listed": {zones: []hostedZone{{"Z1", "example.net", false}}, ask: []string{"example.com"}, ids: []string{"Z1"},
			wantErr: providers.ErrInvalid, text: []string{"Z1 is zone example.net", "example.com"}},
		"pinned id unknown": {ask: []string{"example.com"}, ids: []string{"ZX"},
			wantErr: providers.ErrNotFound, text: []string{"ZX", "NoSuchHostedZone"}},
		"none in the account": {zones: []hostedZone{{"Z1", "example.net", false}}, ask: []string{"example.com"},
			wantErr: providers.ErrNotFound, text: []string{"no hosted zone of this name"}},
		"none given that holds it": {zones: []hostedZone{{"Z1", "example.com", false}}, ask: []string{"example.net", "ample.com"},
			wantErr: providers.ErrNotFound, text: []string{"example.net", "a.sub.example.com"}},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer()
				for _, z := range c.zones {
					s.add(z.id, z.name, z.private)
				}
				o := s.options(c.ask...)
				if c.ids != nil {
					o.Settings = map[string]any{"zone_ids": c.ids}
				}
				d := newProvider(t, o)
				z, err := d.zone(t.Context(), name)
				if !errors.Is(err, c.wantErr) || c.wantErr == nil && z.id != c.want {
					t.Fatalf("zone is %+v, error %v; want %q, %v", z, err, c.want, c.wantErr)
				}
				_, err = d.Look(t.Context(), name)
				if !errors.Is(err, c.wantErr) {
					t.Errorf("Look: %v, want %v", err, c.wantErr)
				}
				for _, text := range c.text {
					if !strings.Contains(err.Error(), text) {
						t.Errorf("%q does not say %q", err, text)
					}
				}
			})
		})
	}
}

func TestRoute53AsksOnceForAMissingZone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer()
		d := newProvider(t, s.options("example.com"))
		for _, err := range together(50, 10, func(i int) error { _, err := d.Look(t.Context(), nth(i)); return err }) {
			if !errors.Is(err, providers.ErrNotFound) {
				t.Errorf("error is %v", err)
			}
		}
		atMost(t, s, "", 1)
		s.add("Z1", "example.com", false)
		time.Sleep(fresh)
		if _, err := d.Look(t.Context(), nth(0)); err != nil {
			t.Errorf("Look after the zone was made: %v", err)
		}
	})
}

func TestRoute53SharesBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, d := zoneOf(t, 200)
		began := time.Now()
		none(t, together(200, 200, func(i int) error {
			return d.Replace(t.Context(), nth(i), target("old.example.net"), target("new.example.net"))
		}))
		if took := time.Since(began); took < s.settle {
			t.Errorf("Replace took %s, but a change is INSYNC after %s", took, s.settle)
		}
		atMost(t, s, "ChangeResourceRecordSets", 1)
		atMost(t, s, "ListResourceRecordSets", 2)
		atMost(t, s, "GetChange", 8)
	})
}

func TestRoute53OneStaleAmongFifty(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, d := zoneOf(t, 50)
		v := view{s, "Z1", "example.com"}
		// Somebody edits one name between the read and the write.
		s.fault = func(op string, n int) (string, bool) {
			if op == "ChangeResourceRecordSets" && n == 1 {
				for i, x := range s.sets["Z1"] {
					if x.Name == nth(7) {
						s.sets["Z1"][i] = simple(nth(7), "CNAME", 3600, "edited.example.net")
					}
				}
			}
			return "", false
		}
		errs := together(50, 50, func(i int) error {
			return d.Replace(t.Context(), nth(i), target("old.example.net"), target("new.example.net"))
		})
		if err := errs[7]; !errors.Is(err, providers.ErrConflict) || !strings.Contains(err.Error(), "edited.example.net") ||
			!strings.Contains(err.Error(), "do not match the current values") {
			t.Errorf("the stale one: %v", err)
		}
		none(t, append(errs[:7:7], errs[8:]...))
		atMost(t, s, "ChangeResourceRecordSets", 2)
		for _, r := range v.Rows(t) {
			if want := "new.example.net"; r.Type == "CNAME" && r.Name != nth(7) && r.Values[0] != want {
				t.Errorf("%s is %v", r.Name, r.Values)
			}
		}
	})
}

// A batch may be refused for a name that looks right: the others go on, by
// halves.
func TestRoute53Halves(t *testing.T) {
	for what, c := range map[string]struct {
		script func(*server)
		value  string
		want   error
	}{
		"a name that a policy forbids": {func(s *server) { s.denied = nth(3) }, "new.example.net", providers.ErrDenied},
		"a value that is no value":     {func(*server) {}, "refused.example.net", providers.ErrInvalid},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, d := zoneOf(t, 20)
				c.script(s)
				errs := together(20, 20, func(i int) error {
					want := target("new.example.net")
					if i == 3 {
						want = target(c.value)
					}
					return d.Replace(t.Context(), nth(i), target("old.example.net"), want)
				})
				if !errors.Is(errs[3], c.want) || !strings.Contains(errs[3].Error(), nth(3)) {
					t.Errorf("the bad one: %v, want %v", errs[3], c.want)
				}
				errs[3] = nil
				none(t, errs)
				atMost(t, s, "ChangeResourceRecordSets", 2*6)
			})
		})
	}
}

func TestRoute53BatchLimits(t *testing.T) {
	for what, c := range map[string]struct {
		names, batches int
		value          string
	}{
		"records":    {1200, 5, "t.example.net"},
		"characters": {400, 5, strings.Repeat("a123456789.", 14) + "example.net"},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, d := zoneOf(t, c.names)
				none(t, together(c.names, c.names, func(i int) error {
					return d.Replace(t.Context(), nth(i), target("old.example.net"), target(c.value))
				}))
				atMost(t, s, "ChangeResourceRecordSets", c.batches)
			})
		})
	}
}

func TestRoute53LostAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, d := zoneOf(t, 10)
		s.fault = func(op string, n int) (string, bool) {
			if op == "ChangeResourceRecordSets" && n == 1 {
				return "reset", true
			}
			return "", false
		}
		none(t, together(10, 10, func(i int) error {
			return d.Replace(t.Context(), nth(i), target("old.example.net"), target("new.example.net"))
		}))
		atMost(t, s, "ChangeResourceRecordSets", 2)
		s.counts["ChangeResourceRecordSets"] = 0
		err := d.Ensure(t.Context(), providers.Record{Type: "CNAME", Value: "_v.acm-validations.aws", TTL: time.Minute}, "_h.example.com")
		if err != nil {
			t.Errorf("Ensure whose answer was lost: %v", err)
		}
	})
}

// The record that Ensure wants, made by another one between its look and its
// write, is as good as its own, with any TTL; another record is a conflict.
func TestRoute53EnsureRace(t *testing.T) {
	for value, want := range map[string]error{"_v.acm-validations.aws": nil, "other.example.net": providers.ErrConflict} {
		synctest.Test(t, func(t *testing.T) {
			s, d := zoneOf(t, 0)
			s.fault = func(op string, n int) (string, bool) {
				if op == "ChangeResourceRecordSets" && n == 1 {
					s.sets["Z1"] = append(s.sets["Z1"], simple("_h.example.com", "CNAME", 300, value+"."))
				}
				return "", false
			}
			err := d.Ensure(t.Context(), providers.Record{Type: "CNAME", Value: "_v.acm-validations.aws", TTL: time.Minute}, "_h.example.com")
			if !errors.Is(err, want) || want != nil && !strings.Contains(err.Error(), value) {
				t.Errorf("beside %s: error is %v, want %v", value, err, want)
			}
			if got := s.sets["Z1"][2].values()[0]; got != value {
				t.Errorf("%s was overwritten with %s", value, got)
			}
		})
	}
}

// A DELETE has the values as they were read, and if only their spelling was
// changed since, the new spelling.
func TestRoute53Spelling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, d := zoneOf(t, 0)
		s.sets["Z1"] = append(s.sets["Z1"], simple(nth(0), "CNAME", 3600, "OLD.example.net"))
		s.fault = func(op string, n int) (string, bool) {
			if op == "ChangeResourceRecordSets" && n == 1 {
				s.sets["Z1"][2] = simple(nth(0), "CNAME", 3600, "Old.Example.Net.")
			}
			return "", false
		}
		if err := d.Replace(t.Context(), nth(0), target("old.example.net"), target("new.example.net")); err != nil {
			t.Error(err)
		}
	})
}

func TestRoute53RestoresAnAliasExactly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, d := zoneOf(t, 0)
		old := xmlSet{Name: "example.com", Type: "A", AliasTarget: &aliasTarget{HostedZoneID: "Z1BKCTXD74EZPE",
			DNSName: "s3-website-eu-west-1.amazonaws.com.", EvaluateTargetHealth: true}}
		s.sets["Z1"] = append(s.sets["Z1"], old)
		set, err := d.Look(t.Context(), "example.com")
		if err != nil {
			t.Fatal(err)
		}
		want := []providers.Record{{Type: "A", Value: "s3-website-eu-west-1.amazonaws.com", Alias: true,
			AliasZone: "Z1BKCTXD74EZPE", EvaluateHealth: true}}
		if diff := cmp.Diff(want, set.Records); diff != "" {
			t.Fatal(diff)
		}
		ours := []providers.Record{{Type: "A", Value: "d1.cloudfront.net", Alias: true}, {Type: "AAAA", Value: "d1.cloudfront.net", Alias: true}}
		if err := d.Replace(t.Context(), "example.com", set.Records, ours); err != nil {
			t.Fatal(err)
		}
		if z := s.sets["Z1"][3].AliasTarget.HostedZoneID; z != cloudFrontZone {
			t.Errorf("the alias has the hosted zone %s", z)
		}
		// The caller may leave the known zone out.
		if err := d.Replace(t.Context(), "example.com", ours, set.Records); err != nil {
			t.Fatal(err)
		}
		if got := s.sets["Z1"][2]; got.Type != "A" || !got.equal(old) {
			t.Errorf("restored: %+v", got)
		}
	})
}

func TestRoute53Contexts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, d := zoneOf(t, 4)
		early, cancelEarly := context.WithCancel(t.Context())
		late, cancelLate := context.WithCancel(t.Context())
		errs := make([]error, 4)
		var wg sync.WaitGroup
		for i, ctx := range []context.Context{early, late, t.Context(), t.Context()} {
			wg.Go(func() {
				errs[i] = d.Replace(ctx, nth(i), target("old.example.net"), target("new.example.net"))
			})
		}
		// The reads of all are done, the change is not sent.
		for s.count("ListResourceRecordSets") < 1 {
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(s.latency + gather/2)
		cancelEarly()
		time.Sleep(5 * time.Second)
		cancelLate()
		began := time.Now()
		wg.Wait()
		if !errors.Is(errs[0], context.Canceled) || !errors.Is(errs[1], context.Canceled) {
			t.Errorf("ended contexts: %v, %v", errs[0], errs[1])
		}
		none(t, []error{nil, nil, errs[2], errs[3]})
		if time.Since(began) < s.settle-6*time.Second {
			t.Error("the others did not wait for INSYNC")
		}
		got := map[string]string{}
		for _, x := range s.sets["Z1"][2:] {
			got[x.Name] = x.values()[0]
		}
		want := map[string]string{nth(0): "old.example.net", nth(1): "new.example.net", nth(2): "new.example.net", nth(3): "new.example.net"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("zone (-want +got):\n%s", diff)
		}
	})
}

// One caller whose context ends during the shared read or zone search leaves
// the others an answer.
func TestRoute53LeaderLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, after := range []time.Duration{40 * time.Millisecond, 240 * time.Millisecond} {
			_, d := zoneOf(t, 3)
			ctx, cancel := context.WithCancel(t.Context())
			errs := make([]error, 3)
			var wg sync.WaitGroup
			wg.Go(func() { _, errs[0] = d.Look(ctx, nth(0)) })
			synctest.Wait()
			wg.Go(func() { _, errs[1] = d.Look(t.Context(), nth(1)) })
			wg.Go(func() { _, errs[2] = d.Look(t.Context(), nth(2)) })
			time.Sleep(after)
			cancel()
			wg.Wait()
			if !errors.Is(errs[0], context.Canceled) || errs[1] != nil || errs[2] != nil {
				t.Errorf("cancelled after %s: %v", after, errs)
			}
		}
	})
}

func TestRoute53Rate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, d := zoneOf(t, 1500)
		// Of requests 200 ms apart, a second counted from anywhere may have six.
		const most = route53Rate + 1
		s.rate = most
		none(t, together(40, 40, func(i int) error { _, err := d.Look(t.Context(), nth(i*7)); return err }))
		for second, n := range s.seconds {
			if n > most {
				t.Errorf("%d requests in second %d", n, second)
			}
		}
		// Retries count too: here they are all throttled for a while.
		busy := time.Now().Add(20 * time.Second)
		s.fault = func(string, int) (string, bool) {
			if time.Now().Before(busy) {
				return "Throttling", false
			}
			return "", false
		}
		clear(s.seconds)
		time.Sleep(fresh)
		none(t, together(40, 40, func(i int) error { _, err := d.Look(t.Context(), nth(i*7)); return err }))
		for second, n := range s.seconds {
			if n > most {
				t.Errorf("%d requests in second %d of throttling", n, second)
			}
		}
	})
}

func TestRoute53RateAdapts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, d := zoneOf(t, 1)
		s.fault = func(op string, n int) (string, bool) {
			if op == "ListResourceRecordSets" && n == 1 {
				return "Throttling", false
			}
			return "", false
		}
		var rates []float64
		for range 12 {
			if _, err := d.Look(t.Context(), nth(0)); err != nil {
				t.Fatal(err)
			}
			rates = append(rates, d.turns.limiter(t.Context()).Rate().PerSecond)
			time.Sleep(fresh)
		}
		if rates[0] >= route53Rate*0.9 || rates[11] != route53Rate {
			t.Errorf("rates after one refusal: %v, want less, then the full rate", rates)
		}
	})
}

func TestRoute53Retries(t *testing.T) {
	for _, code := range []string{"PriorRequestNotComplete", "Throttling", "InternalError", "reset"} {
		t.Run(code, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, d := zoneOf(t, 1)
				s.fault = func(op string, n int) (string, bool) {
					if op == "ChangeResourceRecordSets" && n < attempts {
						return code, false
					}
					return "", false
				}
				none(t, []error{d.Replace(t.Context(), nth(0), target("old.example.net"), target("new.example.net"))})
				if n := s.count("ChangeResourceRecordSets"); n != attempts {
					t.Errorf("%d attempts, want %d", n, attempts)
				}
			})
		})
	}
}

func TestRoute53Errors(t *testing.T) {
	for code, c := range map[string]struct {
		want error
		not  string
	}{
		"AccessDenied":          {want: providers.ErrDenied},
		"NoSuchHostedZone":      {want: providers.ErrNotFound},
		"Throttling":            {want: providers.ErrThrottled},
		"ExpiredToken":          {want: providers.ErrCredentials, not: "scripted"},
		"SignatureDoesNotMatch": {want: providers.ErrCredentials, not: "scripted"},
		"InvalidInput":          {want: providers.ErrInvalid},
		"InternalError":         {},
	} {
		for _, op := range []string{"ListHostedZonesByName", "ListResourceRecordSets", "ChangeResourceRecordSets", "GetChange"} {
			t.Run(code+"/"+op, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s, d := zoneOf(t, 1)
					s.fault = func(o string, n int) (string, bool) {
						if o == op {
							return code, false
						}
						return "", false
					}
					err := d.Replace(t.Context(), nth(0), target("old.example.net"), target("new.example.net"))
					if err == nil {
						t.Fatal("no error")
					}
					for _, class := range []error{providers.ErrDenied, providers.ErrNotFound, providers.ErrThrottled,
						providers.ErrCredentials, providers.ErrInvalid, providers.ErrConflict} {
						if errors.Is(err, class) != (class == c.want) {
							t.Errorf("%q is %q: %v", err, class, errors.Is(err, class))
						}
					}
					for _, text := range []string{"example.com", nth(0), code} {
						if !strings.Contains(err.Error(), text) {
							t.Errorf("%q does not say %q", err, text)
						}
					}
					for _, text := range []string{"RequestID", "AKIDEXAMPLE", c.not} {
						if text != "" && strings.Contains(err.Error(), text) {
							t.Errorf("%q says %q", err, text)
						}
					}
					var api smithy.APIError
					if !errors.As(err, &api) {
						t.Errorf("%v has lost its cause", err)
					}
				})
			})
		}
	}
}

type noCredentials struct{}

func (noCredentials) Retrieve(context.Context) (aws.Credentials, error) {
	return aws.Credentials{}, errors.New("the SSO session has expired")
}

func TestRoute53Credentials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := zoneOf(t, 1)
		for what, f := range map[string]func(context.Context) (aws.Config, error){
			"SSO session": func(context.Context) (aws.Config, error) {
				return aws.Config{HTTPClient: &http.Client{Transport: s}, Credentials: noCredentials{}}, nil
			},
			"no such profile": func(context.Context) (aws.Config, error) { return aws.Config{}, errors.New("no such profile: x") },
		} {
			o := s.options("example.com")
			o.AWS = f
			_, err := newProvider(t, o).Look(t.Context(), nth(0))
			if !errors.Is(err, providers.ErrCredentials) || !strings.Contains(err.Error(), what) {
				t.Errorf("error is %v, want one about credentials that says %q", err, what)
			}
		}
	})
}

func TestRoute53EndpointFromEnvironment(t *testing.T) {
	for _, variable := range []string{"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_ROUTE_53"} {
		s, _ := zoneOf(t, 1)
		s.latency = 0
		web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			answer, err := s.RoundTrip(r)
			if err != nil {
				t.Error(err)
				return
			}
			w.WriteHeader(answer.StatusCode)
			_, _ = io.Copy(w, answer.Body)
		}))
		t.Setenv("AWS_CONFIG_FILE", filepath.Join(t.TempDir(), "none"))
		t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(t.TempDir(), "none"))
		t.Setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
		t.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
		t.Setenv("AWS_REGION", "")
		t.Setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
		t.Setenv(variable, web.URL)
		o := s.options("example.com")
		o.AWS = func(ctx context.Context) (aws.Config, error) { return config.LoadDefaultConfig(ctx) }
		if _, err := newProvider(t, o).Look(t.Context(), nth(0)); err != nil {
			t.Errorf("%s: %v", variable, err)
		}
		web.Close()
	}
}

func TestRoute53Refuses(t *testing.T) {
	a := func(v string) providers.Record { return providers.Record{Type: "A", Value: v, TTL: time.Minute} }
	alias := providers.Record{Type: "A", Value: "d1.cloudfront.net", Alias: true}
	for what, c := range map[string]struct {
		name string
		want []providers.Record
		text string
	}{
		"CNAME at the apex":     {"example.com", target("x.example.net"), "top of its zone"},
		"CNAME beside MX":       {"mail.example.com", target("x.example.net"), "MX"},
		"two CNAMEs":            {nth(9), append(target("x.example.net"), target("y.example.net")...), "together"},
		"CNAME and address":     {nth(9), append(target("x.example.net"), a("192.0.2.1")), "beside"},
		"two TTLs":              {nth(9), []providers.Record{a("192.0.2.1"), {Type: "A", Value: "192.0.2.2", TTL: time.Hour}}, "together"},
		"alias and address":     {nth(9), []providers.Record{alias, a("192.0.2.1")}, "together"},
		"alias of unknown zone": {nth(9), []providers.Record{{Type: "A", Value: "x.example.net", Alias: true}}, "hosted zone"},
		"proxied":               {nth(9), []providers.Record{{Type: "A", Value: "192.0.2.1", Proxied: true}}, "proxied"},
		"another type":          {nth(9), []providers.Record{{Type: "TXT", Value: "x", TTL: time.Hour}}, "address record"},
		"no value":              {nth(9), target(""), "no value"},
	} {
		t.Run(what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, d := zoneOf(t, 0)
				s.sets["Z1"] = append(s.sets["Z1"], simple("mail.example.com", "MX", 60, "10 mx.example.net."))
				err := d.Replace(t.Context(), c.name, nil, c.want)
				if !errors.Is(err, providers.ErrInvalid) || !strings.Contains(err.Error(), c.text) || !strings.Contains(err.Error(), c.name) {
					t.Errorf("error is %v, want one that says %q", err, c.text)
				}
				atMost(t, s, "ChangeResourceRecordSets", 0)
			})
		})
	}
}

func TestRoutingSentences(t *testing.T) {
	for want, set := range map[string]types.ResourceRecordSet{
		"weighted":      {Weight: aws.Int64(0), SetIdentifier: aws.String("a")},
		"latency":       {Region: types.ResourceRecordSetRegionEuWest1, SetIdentifier: aws.String("a")},
		"failover":      {Failover: types.ResourceRecordSetFailoverPrimary, SetIdentifier: aws.String("a")},
		"location":      {GeoLocation: &types.GeoLocation{CountryCode: aws.String("DE")}, SetIdentifier: aws.String("a")},
		"multivalue":    {MultiValueAnswer: aws.Bool(true), SetIdentifier: aws.String("a")},
		"address range": {CidrRoutingConfig: &types.CidrRoutingConfig{}, SetIdentifier: aws.String("a")},
		"identifiers":   {SetIdentifier: aws.String("a")},
		"policy":        {TrafficPolicyInstanceId: aws.String("a")},
		"health check":  {HealthCheckId: aws.String("a")},
	} {
		set.Name, set.Type = aws.String("a.example.com."), types.RRTypeA
		got := recordSet("example.com", "a.example.com", []types.ResourceRecordSet{set}).Routing
		if !strings.Contains(got, want) || !strings.Contains(got, "A a.example.com") {
			t.Errorf("%s: the sentence is %q", want, got)
		}
	}
}

func TestUnescape(t *testing.T) {
	for in, want := range map[string]string{
		`\052.example.com`: "*.example.com", `a\100b.example.com`: "a@b.example.com", "plain.example.com": "plain.example.com",
		`end\05`: `end\05`, `\400.example.com`: `\400.example.com`, `\101.example.com`: "a.example.com", `\`: `\`,
	} {
		if got := unescape(in); got != want {
			t.Errorf("unescape(%s) = %s, want %s", in, got, want)
		}
	}
}

func TestTypes(t *testing.T) {
	var names []string
	for _, typ := range Types() {
		names = append(names, typ.Name)
		if typ.Features.Provider != typ.Name {
			t.Errorf("%s: Features.Provider is %q", typ.Name, typ.Features.Provider)
		}
		for _, s := range typ.Settings {
			if s.Doc == "" {
				t.Errorf("%s: setting %s has no documentation", typ.Name, s.Name)
			}
		}
		if _, err := typ.New(Options{}); err == nil {
			t.Errorf("%s: made from nothing", typ.Name)
		}
	}
	if !slices.IsSorted(names) {
		t.Errorf("types are not sorted: %v", names)
	}
	for what, v := range map[string]any{"list of strings": "Z1", "empty": []string{""}} {
		o := newServer().options("example.com")
		o.Settings = map[string]any{"zone_ids": v}
		if _, err := newRoute53(o); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("zone_ids = %v: error is %v", v, err)
		}
	}
}
