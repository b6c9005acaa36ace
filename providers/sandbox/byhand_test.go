package sandbox

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/edgeward/edgeward/providers"
)

const handed = "dns_provider.manual.hand"

// handZone is a zone that a person changes.
func handZone(o *Options) {
	o.DNS = append(o.DNS, Provider{Address: handed, Zones: []string{"example.net"}, Features: providers.Features{Provider: "manual", ByHand: true},
		Records: []NamedRecord{{Name: "www.example.net", Record: cname("s3.amazonaws.com", time.Hour)}}})
}

func TestByHandIsAskedForUntilItStands(t *testing.T) {
	inBubble(t, handZone, func(t *testing.T, w *World) {
		d := w.Providers().DNS[handed]
		old, want := []providers.Record{cname("s3.amazonaws.com", time.Hour)}, []providers.Record{cname("d111.cloudfront.net", time.Minute)}
		const name = "www.example.net"
		var hand *providers.ByHandError
		if err := d.Replace(t.Context(), name, old, want); !errors.As(err, &hand) || !strings.Contains(hand.Record, `"www.example.net. 60 IN CNAME d111.cloudfront.net."`) {
			t.Fatalf("error %v", err)
		}
		if !providers.SameRecords(w.Records(name), old) {
			t.Error("something was written")
		}
		w.SetRecords(handed, name, want)
		differed := false
		for range 100 {
			_, lookErr := d.Look(t.Context(), name)
			err := d.Replace(t.Context(), name, old, want)
			if err == nil {
				break
			}
			if !errors.As(err, &hand) {
				t.Fatalf("error %v", err)
			}
			differed = differed || lookErr != nil && strings.Contains(lookErr.Error(), "do not answer alike")
			if err := w.clock.Sleep(t.Context(), time.Second); err != nil {
				t.Fatal(err)
			}
		}
		set, err := d.Look(t.Context(), name)
		if err != nil || !providers.SameRecords(set.Records, want) || !differed {
			t.Errorf("%v, %v; the servers differed for a while: %t", set.Records, err, differed)
		}
		if err := d.Replace(t.Context(), name, old, old); !errors.Is(err, providers.ErrConflict) {
			t.Errorf("error %v, want a conflict", err)
		}
	})
}

func TestByHandEnsureAndPerson(t *testing.T) {
	inBubble(t, func(o *Options) {
		handZone(o)
		o.DNS[len(o.DNS)-1].Person = Span{time.Hour, 2 * time.Hour}
	}, func(t *testing.T, w *World) {
		d := w.Providers().DNS[handed]
		r := cname("_y.acm-validations.aws", 5*time.Minute)
		begin := w.clock.Now()
		for {
			err := d.Ensure(t.Context(), r, "_x.www.example.net")
			if err == nil {
				break
			}
			var hand *providers.ByHandError
			if !errors.As(err, &hand) {
				t.Fatalf("error %v", err)
			}
			if err := w.clock.Sleep(t.Context(), time.Minute); err != nil {
				t.Fatal(err)
			}
		}
		if took := w.clock.Now().Sub(begin); took < time.Hour || took > 130*time.Minute {
			t.Errorf("the person took %s", took)
		}
		if err := d.Ensure(t.Context(), cname("example.org", time.Minute), "_x.www.example.net"); !errors.Is(err, providers.ErrConflict) {
			t.Errorf("error %v, want a conflict", err)
		}
	})
}

func TestCAARecords(t *testing.T) {
	inBubble(t, func(o *Options) {
		handZone(o)
		z := &o.DNS[len(o.DNS)-1]
		z.Records = append(z.Records, NamedRecord{Name: "example.net", Other: "CAA", Value: `0 issue "letsencrypt.org"`},
			NamedRecord{Name: "example.net", Other: "CAA", Value: `0 iodef "mailto:x@example.net"`},
			NamedRecord{Name: "a.example.net", Other: "CAA", Value: `0 issue "amazon.com"`})
	}, func(t *testing.T, w *World) {
		as, err := w.Providers().Resolver.Resolve(t.Context(), "example.net", "CAA")
		if err != nil || len(as[0].Records) != 2 || as[0].Records[0].Type != "CAA" {
			t.Errorf("%+v, %v", as, err)
		}
		for name, want := range map[string]bool{"www.example.net": true, "a.example.net": false, "x.a.example.net": false, "assets.example.com": false} {
			if got := w.forbidden(name); got != want {
				t.Errorf("%s: forbidden %t", name, got)
			}
		}
		// ACM finds out when it would issue.
		certs := w.Providers().Accounts[""].Certificates
		arn, err := certs.Request(t.Context(), []string{"www.example.net"}, "t", nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.clock.Sleep(t.Context(), time.Minute); err != nil {
			t.Fatal(err)
		}
		c, err := certs.Certificate(t.Context(), arn)
		if err != nil {
			t.Fatal(err)
		}
		w.SetRecords(handed, c.Validation[0].RecordName, []providers.Record{cname(c.Validation[0].RecordValue, time.Minute)})
		if err := w.clock.Sleep(t.Context(), time.Hour); err != nil {
			t.Fatal(err)
		}
		if c, err := certs.Certificate(t.Context(), arn); err != nil || c.Status != "FAILED" || c.FailureReason != "CAA_ERROR" {
			t.Errorf("%+v, %v", c, err)
		}
		w.SetOther(handed, "example.net", "CAA")
		if w.forbidden("www.example.net") {
			t.Error("the records are still there")
		}
	})
}

func TestFlattenedCNAMEs(t *testing.T) {
	for what, tc := range map[string]struct {
		flatten, all bool
		name         string
		flat         bool
	}{
		"an apex":                  {true, false, "example.net", true},
		"below it":                 {true, false, "www.example.net", false},
		"below it, all":            {true, true, "www.example.net", true},
		"a provider that does not": {false, false, "www.example.net", false},
	} {
		t.Run(what, func(t *testing.T) {
			inBubble(t, func(o *Options) {
				o.DNS = append(o.DNS, Provider{Address: handed, Zones: []string{"example.net"}, FlattenAll: tc.all,
					Features: providers.Features{Provider: "cloudflare", Flatten: tc.flatten}})
			}, func(t *testing.T, w *World) {
				h := w.Providers()
				if err := h.DNS[handed].Replace(t.Context(), tc.name, nil, []providers.Record{cname("s3-website-eu-west-1.amazonaws.com", time.Minute)}); err != nil {
					t.Fatal(err)
				}
				for _, typ := range []string{"CNAME", "A"} {
					as, err := h.Resolver.Authoritative(t.Context(), "example.net", nil, tc.name, typ)
					if err != nil {
						t.Fatal(err)
					}
					for _, a := range as {
						shown := len(a.Records) > 0 && a.Records[0].Type == "CNAME"
						address := len(a.Records) > 0 && a.Records[0].Type == "A" && a.Records[0].Name == tc.name
						if shown == tc.flat || address != (tc.flat && typ == "A") {
							t.Errorf("%s is answered with %v", typ, a.Records)
						}
					}
				}
			})
		})
	}
}

func TestCNAMEAtAnApexIsRefused(t *testing.T) {
	inBubble(t, func(o *Options) {
		o.DNS = append(o.DNS, Provider{Address: handed, Zones: []string{"example.net"}, Features: providers.Features{Provider: "other"}})
	}, func(t *testing.T, w *World) {
		err := w.Providers().DNS[handed].Replace(t.Context(), "example.net", nil, []providers.Record{cname("s3.amazonaws.com", time.Minute)})
		if !errors.Is(err, providers.ErrInvalid) {
			t.Errorf("error %v", err)
		}
	})
}
