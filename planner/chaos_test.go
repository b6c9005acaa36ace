package planner

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/providers"
	"github.com/edgeward/edgeward/providers/sandbox"
)

// chaos is a company in a bad week: buckets of three accounts in zones of three
// DNS providers, in waves, half of them with a shared certificate; APIs that
// throttle and hang up, a provider that is down for ten minutes, distributions
// that turn out sick, and a person or a CI that kills the process again and again.
// Nothing is kept from one run to the next but the world.
type chaos struct {
	*session
	l      *lab
	random *rand.Rand
	sick   map[string]bool // by bucket
	before map[string][]providers.Record

	mu   sync.Mutex // guards what the hook reads
	dead bool
	calm bool
	hook *rand.Rand

	ended map[string]bool // by address, as some plan saw it

	kills, runs int
	rolled      map[string]string // why, by address, as a report said
	bad         []string
}

var errDown = errors.New("connection refused")

func chaosLab(n int, seed int64) *lab {
	const third = "dns_provider.other.third"
	l := newLab(seed).only()
	l.options.Accounts = []string{"", "two", "three"}
	l.options.Buckets, l.options.DNS[0].Records, l.options.DNS[1].Records = nil, nil, nil
	l.options.DNS = append(l.options.DNS, sandbox.Provider{Address: third, Zones: []string{"example.net"},
		Features: providers.Features{Provider: "third", Atomic: true, InPlace: true}})
	l.options.MaxDistributions = 2 * n
	places := []struct{ provider, zone string }{{route53, "example.com"}, {swapped, "example.org"}, {third, "example.net"}}
	for i := range n {
		at, account := places[i/3%3], l.options.Accounts[i%3]
		name := fmt.Sprintf("b%04d.%s", i, at.zone)
		ttl := []time.Duration{30 * time.Second, 2 * time.Minute, 10 * time.Minute, time.Hour}[i%4]
		l.bucket(name, at.provider, nil, cname(name, "s3.eu-west-1.amazonaws.com", ttl))
		l.options.Buckets[i].Account = account
		l.options.Buckets[i].Objects = l.options.Buckets[i].Objects[:2]
		b := &l.config.Buckets[i]
		b.Account, b.ShareCertificate, b.Watch.Rollback = account, i%2 == 0, true
		b.Verify.Paths, b.Verify.Sample = nil, 1
		b.Wave = map[bool]string{true: "canary"}[i%10 == 0]
		if i%10 > 4 {
			b.Wave = "rest"
		}
	}
	// A look that fails and a bucket that goes back must not stop the waves here.
	l.config.Rollout = config.Rollout{Parallelism: 20, MaxFailures: n, Waves: []config.Wave{
		{Name: "canary", MaxFailures: n}, {Name: "rest", Soak: 10 * time.Minute, MaxFailures: n},
	}}
	return l
}

// newChaos starts the world of a lab with its faults.
func newChaos(t *testing.T, l *lab, seed int64) *chaos {
	c := &chaos{l: l, random: rand.New(rand.NewPCG(uint64(seed), 1)), hook: rand.New(rand.NewPCG(uint64(seed), 2)),
		sick: map[string]bool{}, before: map[string][]providers.Record{}, rolled: map[string]string{}, ended: map[string]bool{}}
	l.options.Hook = c.fault
	c.session = l.start(t)
	var names []string
	for i, b := range l.config.Buckets {
		c.before[b.Name] = c.w.Records(b.Name)
		if i%31 == 7 {
			c.sick[b.Name] = true
			names = append(names, b.Name)
		}
	}
	c.o.stages = sick(DNSPropagated, "5xx", names...)
	c.w.SetThrottle(40)
	return c
}

// fault is what calls meet: nothing works for a process that was killed, and one
// call in a hundred hangs up before its effect or after it.
func (c *chaos) fault(call sandbox.Call) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.dead:
		return errKilled
	case c.calm, strings.HasPrefix(call.Op, "Resolver."), call.Op == opFetch:
		return nil
	case c.hook.IntN(200) == 0:
		return errHung
	}
	return nil
}

// week runs until nothing is left to do.
func (c *chaos) week(ctx context.Context) {
	c.w.StartVisitors(ctx, 2*time.Minute)
	for c.runs = 1; c.runs <= 200; c.runs++ {
		if c.oneRun(ctx) {
			return
		}
		_ = providers.RealClock{}.Sleep(ctx, time.Duration(c.random.IntN(int(10*time.Minute))))
	}
	c.bad = append(c.bad, fmt.Sprintf("not at the end after %d runs", c.runs))
}

// oneRun plans and applies as a new process, which is killed at some moment; true
// when nothing is left to do.
func (c *chaos) oneRun(ctx context.Context) (end bool) {
	rctx, cancel := context.WithCancel(ctx)
	over := make(chan struct{})
	var killer sync.WaitGroup
	life := 2*time.Minute + time.Duration(c.random.IntN(int(40*time.Minute)))
	if c.runs%6 == 0 {
		life = 3 * time.Hour // one that may come to its end
	}
	killer.Go(func() {
		select {
		case <-over:
			return
		case <-time.After(life):
		}
		c.mu.Lock()
		c.dead = true
		c.kills++
		c.mu.Unlock()
		cancel()
	})
	outage := time.Duration(c.random.IntN(int(life)))
	if c.runs == 2 {
		killer.Go(func() {
			_ = providers.RealClock{}.Sleep(ctx, outage)
			c.w.Fail(swapped, errDown)
			_ = providers.RealClock{}.Sleep(ctx, 10*time.Minute)
			c.w.Fail(swapped, nil)
		})
	}
	o := c.o
	o.Goal = Migrate
	p, err := Make(rctx, c.w.Providers(), c.c, o)
	if err == nil && rctx.Err() == nil {
		for _, b := range p.Buckets {
			if b.Standing == StandDone || b.Standing == StandHeld {
				c.ended[b.Address] = true
			}
		}
		if end = len(c.ended) == len(c.c.Buckets); !end {
			c.report(c.run(rctx, p, func(x *Executor) { x.Events = c.see }))
		}
	}
	close(over)
	killer.Wait()
	cancel()
	c.mu.Lock()
	c.dead = false
	c.mu.Unlock()
	return end
}

func (c *chaos) report(r Report) {
	for _, x := range r.Results {
		if x.Outcome == OutcomeRolled || x.Outcome == OutcomeFailed && c.rolled[x.Address] == "" || x.Outcome == OutcomeHeld {
			c.rolled[x.Address] += x.Why + ";"
		}
	}
}

// see looks at each switch as it begins: no resolver may hold the old record for
// longer than the low TTL.
func (c *chaos) see(e Event) {
	if e.Kind != DNSSwitch || e.Status != EventStarted {
		return
	}
	name := strings.Split(e.Address, `"`)[1]
	if d := c.w.MayHold(name); d > time.Minute {
		c.mu.Lock()
		c.bad = append(c.bad, fmt.Sprintf("%s is switched while a resolver may hold its old record for %s", name, d))
		c.mu.Unlock()
	}
}

// judge says what is wrong in the end.
func (c *chaos) judge(ctx context.Context) []string {
	bad := c.bad
	say := func(format string, args ...any) { bad = append(bad, fmt.Sprintf(format, args...)) }
	if v := c.w.Visitors(); v.Failed > 0 || v.Requests == 0 {
		say("%d of %d visits failed: %v", v.Failed, v.Requests, v.Failures)
	}
	mine := map[string]int{}
	for _, d := range c.w.Distributions() {
		mine[d.Tags[providers.TagBucket]]++
	}
	c.w.SetThrottle(0)
	c.mu.Lock()
	c.calm = true
	c.mu.Unlock()
	o := c.o
	o.Goal = Migrate
	p, err := Make(ctx, c.w.Providers(), c.c, o)
	if err != nil {
		say("plan: %v", err)
	}
	for _, b := range p.Buckets {
		if n := mine[b.Bucket]; n != 1 {
			say("%s has %d distributions", b.Address, n)
		}
		live := c.w.Records(b.Bucket)
		switch {
		case b.Standing == StandDone && !c.sick[b.Bucket] && len(live) == 1 && strings.HasSuffix(live[0].Value, ".cloudfront.net"):
		case b.Standing == StandHeld && c.rolled[b.Address] != "" && providers.SameRecords(live, c.before[b.Bucket]):
		default:
			say("%s is %s at %s, its record %v, reported %q: %v", b.Address, b.Standing, b.Stage, live, c.rolled[b.Address], b.Findings)
		}
	}
	return bad
}

// TestChaos is the whole of it, small; EDGEWARD_CHAOS=1000 says how many buckets.
func TestChaos(t *testing.T) {
	n := 45
	if s := os.Getenv("EDGEWARD_CHAOS"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		c := newChaos(t, chaosLab(n, 7), 7)
		c.week(t.Context())
		for i, why := range c.judge(t.Context()) {
			if i < 10 {
				t.Error(why)
			}
		}
		v := c.w.Visitors()
		t.Logf("%d buckets, %d runs, %d killed, %s of the world; %d calls, %d visits, %d failed; %d buckets rolled back",
			n, c.runs, c.kills, time.Since(start).Round(time.Second), c.w.Calls(), v.Requests, v.Failed, len(c.heldNow()))
	})
}

// heldNow are the buckets that are held.
func (c *chaos) heldNow() (held []string) {
	for _, d := range c.w.Distributions() {
		if d.Tags[crumbHold] != "" {
			held = append(held, d.Tags[providers.TagBucket])
		}
	}
	return held
}

// TestChaosBites plants faults, one of which each promise catches.
func TestChaosBites(t *testing.T) {
	faults := map[string]struct {
		stages func(Goal) []stage
		shows  string
	}{
		"no wait for the old TTL": {faulty(TTLLower, func(s *stage) {
			s.check = func(config.Bucket, Actual) Verdict { return done("planted") }
		}), "may hold its old record"},
		"a distribution for every look": {faulty(DistributionCreate, func(s *stage) {
			right := s.do
			s.do = func(ctx context.Context, sc scene) error {
				want, _ := wantedSettings(sc.b, sc.a)
				want.Aliases, want.CertificateARN = nil, ""
				_, _ = sc.acc.Distributions.Create(ctx, "another-"+sc.b.Name+sc.a.Now.String(), want, map[string]string{providers.TagBucket: sc.b.Name})
				return right(ctx, sc)
			}
		}), "distributions"},
		"switched before the distribution is deployed": {func(g Goal) []stage {
			t := table(g)
			for i := range t {
				switch t[i].kind {
				case DistributionDeployed, LinksVerify, TTLLower:
					t[i].check = func(config.Bucket, Actual) Verdict { return done("planted") }
				case DNSSwitch:
					t[i].do = func(ctx context.Context, s scene) error {
						n := s.a.Names[0]
						return s.w.DNS[n.CNAME.DNSProvider].Replace(ctx, n.CNAME.Name, n.Set.Records, wantedRecords(s.b, s.a, n))
					}
				}
			}
			return t
		}, "visits failed"},
	}
	for name, f := range faults {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := newChaos(t, chaosLab(9, 3), 3)
				c.o.stages = f.stages
				c.w.StartVisitors(t.Context(), 2*time.Minute)
				for c.runs = 1; c.runs <= 6; c.runs++ {
					c.oneRun(t.Context())
				}
				if bad := strings.Join(c.judge(t.Context()), "\n"); !strings.Contains(bad, f.shows) {
					t.Errorf("the fault does not show:\n%s", bad)
				}
			})
		})
	}
}
