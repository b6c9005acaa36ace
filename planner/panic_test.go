package planner

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/edgeward/edgeward/providers"
	"github.com/edgeward/edgeward/providers/sandbox"
)

// TestPanicIsAnError: wherever the program breaks down, the process goes on to say
// so, since its exit code would mean something else.
func TestPanicIsAnError(t *testing.T) {
	for _, op := range []string{"DNS.Look", "Distributions.Find", "Buckets.Bucket", opFetch, "Distributions.Create"} {
		t.Run(op, func(t *testing.T) {
			inWorld(t, "low.example.com", func(l *lab) {
				l.options.Hook = func(c sandbox.Call) error {
					if c.Op == op && !c.After {
						panic("a test breaks down")
					}
					return nil
				}
			}, func(t *testing.T, s *session) {
				p, err := Make(t.Context(), s.w.Providers(), s.c, s.o)
				if op != opFetch && op != "Distributions.Create" {
					var broken *providers.PanicError
					if !errors.As(err, &broken) || !strings.Contains(err.Error(), "internal error: a test breaks down at planner/panic_test.go:") {
						t.Errorf("%v", err)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				s.o.Goal = Migrate
				x := &Executor{World: s.w.Providers(), Config: s.c, Options: s.o, Events: func(Event) {}}
				if r := one(t, x.Apply(t.Context(), p)); r.Outcome != OutcomeFailed || !strings.Contains(r.Why, "internal error: a test breaks down") || r.Hint == "" {
					t.Errorf("%+v", r)
				}
				s.served()
			})
		})
	}
}

// TestDiscoverWithoutTheDefaultChain: a name whose bucket is in none of the accounts
// is judged as well, whether the default chain is an account or not.
func TestDiscoverWithoutTheDefaultChain(t *testing.T) {
	const hcl = `
aws "shop" { profile = "shop" }
dns_provider "route53" "main" {
  aws   = aws.shop
  zones = ["example.com"]
}
`
	synctest.Test(t, func(t *testing.T) {
		o := discoverOptions()
		o.Accounts, o.DNS = []string{"shop"}, o.DNS[:1]
		for i := range o.Buckets {
			o.Buckets[i].Account = "shop"
		}
		d, _, _, err := discoverIn(t, sandbox.New(o), hcl, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range d.Names {
			switch n.Name {
			case "gone.example.com":
				if n.Verdict != ByHand || !n.Takeover || n.Account != "" {
					t.Errorf("%+v", n)
				}
			case "plain.example.com":
				if n.Verdict != Ready || n.Account != "shop" {
					t.Errorf("%+v", n)
				}
			case "foreign.example.com":
				if n.Verdict != ByHand || n.Findings[0].Code != "bucket-foreign" {
					t.Errorf("%+v", n)
				}
			}
		}
		if d.Summary.Takeovers == 0 || d.Summary.Ready == 0 {
			t.Errorf("%+v", d.Summary)
		}
	})
}
