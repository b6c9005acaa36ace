package planner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/providers"
	"github.com/edgeward/edgeward/providers/sandbox"
)

const (
	route53 = "dns_provider.route53.main"
	swapped = "dns_provider.other.brand"
)

var worldSite = &providers.Website{IndexDocument: "index.html", ErrorDocument: "404.html"}

func worldObjects() []sandbox.Object {
	return []sandbox.Object{
		{Key: "index.html", Body: []byte("<h1>hello</h1>"), ContentType: "text/html"},
		{Key: "img/a b.png", Body: []byte("png"), ContentType: "image/png", CacheControl: "max-age=60"},
		{Key: "404.html", Body: []byte("nothing"), ContentType: "text/html"},
		{Key: "private.txt", Body: []byte("secret"), Private: true},
	}
}

func cname(name, value string, ttl time.Duration) sandbox.NamedRecord {
	return sandbox.NamedRecord{Name: name, Record: providers.Record{Type: "CNAME", Value: value, TTL: ttl}}
}

// lab is a world and the configuration that fits it.
type lab struct {
	options sandbox.Options
	config  *config.Config
}

// newLab has five buckets that differ in what matters: REST with a long TTL and
// an added name; a website at a provider that cannot swap; an apex with an
// alias record; a low TTL already; CORS.
func newLab(seed int64) *lab {
	l := &lab{config: &config.Config{Rollout: config.Rollout{Parallelism: 4, MaxFailures: -1}, Limits: config.NoLimits()}}
	l.options = sandbox.Options{Clock: providers.RealClock{}, Seed: seed, DNS: []sandbox.Provider{
		{Address: route53, Zones: []string{"example.com"}, Features: providers.Features{Provider: "route53", Alias: true, Swap: true}},
		{Address: swapped, Zones: []string{"example.org"}, Features: providers.Features{Provider: "other", MinTTL: 30 * time.Second}},
	}}
	l.bucket("assets.example.com", route53, nil, cname("assets.example.com", "assets.example.com.s3.eu-west-1.amazonaws.com", time.Hour))
	l.config.Buckets[0].CNAMEs = append(l.config.Buckets[0].CNAMEs, config.CNAME{Name: "static.example.com", DNSProvider: route53, Zone: "example.com"})
	l.bucket("www.example.org", swapped, worldSite, cname("www.example.org", "www.example.org.s3-website-eu-west-1.amazonaws.com", 30*time.Minute))
	l.bucket("example.com", route53, worldSite, sandbox.NamedRecord{Name: "example.com", Record: providers.Record{
		Type: "A", Value: "s3-website-eu-west-1.amazonaws.com", Alias: true, AliasZone: "Z1BKCTXD74EZPE"}})
	l.bucket("low.example.com", route53, nil, cname("low.example.com", "s3.dualstack.eu-west-1.amazonaws.com", 30*time.Second))
	l.bucket("fonts.example.com", route53, nil, cname("fonts.example.com", "s3-eu-west-1.amazonaws.com", 5*time.Minute))
	l.options.Buckets[4].CORS = anyOrigin()
	return l
}

// anyOrigin are CORS rules as most buckets have them.
func anyOrigin() []providers.CORSRule {
	return []providers.CORSRule{{Origins: []string{"*"}, Methods: []string{"GET", "HEAD"}}}
}

func (l *lab) bucket(name, provider string, site *providers.Website, r sandbox.NamedRecord) {
	zone := strings.TrimPrefix(name, strings.SplitN(name, ".", 2)[0]+".")
	if strings.Count(name, ".") == 1 {
		zone = name
	}
	l.options.Buckets = append(l.options.Buckets, sandbox.Bucket{Name: name, Region: "eu-west-1", Website: site, Objects: worldObjects()})
	for i := range l.options.DNS {
		if l.options.DNS[i].Address == provider {
			l.options.DNS[i].Records = append(l.options.DNS[i].Records, r)
		}
	}
	l.config.Buckets = append(l.config.Buckets, config.Bucket{
		Address: fmt.Sprintf("bucket[%q]", name), Name: name, Origin: "auto",
		CNAMEs: []config.CNAME{{Name: name, DNSProvider: provider, Zone: zone}},
		Verify: config.Verify{Paths: []string{"/index.html"}, Sample: 5, MaxAge: 15 * time.Minute},
		DNS:    config.DNS{LowTTL: time.Minute},
	})
}

// only keeps the buckets with these names.
func (l *lab) only(names ...string) *lab {
	var bs []config.Bucket
	for _, b := range l.config.Buckets {
		for _, n := range names {
			if b.Name == n {
				bs = append(bs, b)
			}
		}
	}
	l.config.Buckets = bs
	return l
}

// session is one process of edgeward on a world.
type session struct {
	t      *testing.T
	w      *sandbox.World
	c      *config.Config
	o      Options
	mu     sync.Mutex
	events []Event
	// early collects switches that came too early; nil fails the test.
	early *string
}

func (l *lab) start(t *testing.T) *session {
	w := sandbox.New(l.options)
	return &session{t: t, w: w, c: l.config, o: Options{brief: true}}
}

// wholly has the links compared with the whole matrix of requests, as a user
// has; most tests are about what goes on around it.
func (s *session) wholly() *session {
	s.o.brief = false
	return s
}

func (s *session) plan(ctx context.Context, g Goal) Plan {
	s.t.Helper()
	o := s.o
	o.Goal = g
	p, err := Make(ctx, s.w.Providers(), s.c, o)
	if err != nil {
		s.t.Fatalf("plan: %v", err)
	}
	return p
}

func (s *session) run(ctx context.Context, p Plan, change func(*Executor)) Report {
	x := &Executor{World: s.w.Providers(), Config: s.c, Options: s.o, WaitTimeout: 100 * time.Hour, Events: func(e Event) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.events = append(s.events, e)
		switch why := s.tooEarly(e); {
		case why != "" && s.early == nil:
			s.t.Error(why)
		case why != "":
			*s.early += why
		}
	}}
	if change != nil {
		change(x)
	}
	return x.Apply(ctx, p)
}

func (s *session) apply(ctx context.Context, g Goal) Report {
	s.t.Helper()
	return s.run(ctx, s.plan(ctx, g), nil)
}

func (s *session) want(r Report, o Outcome) {
	s.t.Helper()
	for _, x := range r.Results {
		if x.Outcome != o {
			s.t.Errorf("%s: %s at %s: %s, want %s", x.Address, x.Outcome, x.Stage, x.Why, o)
		}
	}
	if o == OutcomeFinished { // visitors may count on added names from then on
		s.w.Rely()
	}
}

// served: no visitor has missed anything, and there were visitors.
func (s *session) served() {
	s.t.Helper()
	if v := s.w.Visitors(); v.Failed > 0 || v.Requests == 0 {
		s.t.Errorf("%d of %d visits failed:\n%v", v.Failed, v.Requests, v.Failures)
	}
}

func (s *session) said() string {
	var b strings.Builder
	for _, e := range s.events {
		fmt.Fprintf(&b, "%s %s %s %s %s\n", e.Time.Format(time.TimeOnly), e.Address, e.Kind, e.Status, e.Why)
	}
	return b.String()
}

func TestMigrateEndToEnd(t *testing.T) {
	for seed := range int64(20) {
		synctest.Test(t, func(t *testing.T) {
			s := newLab(seed).start(t)
			if seed%5 == 0 {
				s.wholly()
			}
			s.w.StartVisitors(t.Context(), 20*time.Second)
			r := s.apply(t.Context(), Migrate)
			s.want(r, OutcomeFinished)
			s.served()
			if p := s.plan(t.Context(), Migrate); p.Summary.Done != len(p.Buckets) {
				t.Errorf("seed %d: the plan after apply is not empty: %+v", seed, p)
			}
			for _, b := range s.c.Buckets {
				for _, n := range b.Names() {
					for _, rec := range s.w.Records(n) {
						if !strings.HasSuffix(rec.Value, ".cloudfront.net") {
							t.Errorf("%s is %s", n, rec)
						}
					}
				}
			}
			if t.Failed() {
				t.Log(s.said())
			}
		})
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func TestRollbackEndToEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(3)
		s := l.start(t)
		before := map[string][]providers.Record{}
		for _, b := range s.c.Buckets {
			for _, n := range b.Names() {
				before[n] = s.w.Records(n)
			}
		}
		s.w.StartVisitors(t.Context(), 20*time.Second)
		s.want(s.apply(t.Context(), Migrate), OutcomeFinished)
		s.want(s.apply(t.Context(), Rollback), OutcomeRolled)
		s.served()
		for n, rs := range before {
			if len(rs) > 0 && !providers.SameRecords(rs, s.w.Records(n)) || len(s.w.Records(n)) == 0 { // an added name stays
				t.Errorf("%s is %v, was %v", n, s.w.Records(n), rs)
			}
		}
		if p := s.plan(t.Context(), Migrate); p.Summary.Held != len(p.Buckets) {
			t.Errorf("rolled back buckets are not held: %+v", p.Summary)
		}
		s.want(s.apply(t.Context(), Migrate), OutcomeHeld)
		s.o.Retry = []string{"*"}
		s.want(s.apply(t.Context(), Migrate), OutcomeFinished)
		s.o.Retry = nil
		s.served()
		if p := s.plan(t.Context(), Migrate); p.Summary.Done != len(p.Buckets) {
			t.Errorf("the plan after the second apply is not empty: %+v", p.Summary)
		}
		if t.Failed() {
			t.Log(s.said())
		}
	})
}

var errKilled = errors.New("killed")

// killing counts the points at which a run can die: every call, though of links
// that are fetched one after the other not each, but one, the nth time another:
// nothing is written between them.
type killing struct {
	mu     sync.Mutex
	points int
	// run is how many links were fetched since another call.
	run int
	// n is the point to die at, 0 for none; call is the one that it fell on.
	n, call int
}

const opFetch = "Web.Fetch"

// begins counts a call and says whether it is the one to die at.
func (k *killing) begins(c sandbox.Call) bool {
	if c.Op != opFetch && c.Op != "Signed.Fetch" {
		k.run = 0
	} else if k.run++; k.run > 1 && (k.points != k.n || k.run != 1+k.n*7%40) {
		return false
	}
	if k.run <= 1 {
		k.points++
	}
	late := k.points == k.n && k.run > 0 && k.run < 1+k.n*7%40
	if k.call == 0 && k.n > 0 && k.points >= k.n && !late {
		k.call = c.N
	}
	return k.call == c.N
}

// killedAt has the process die at its nth point once it is armed, before or
// after the effect of the call: that call and all later ones fail, and the
// context ends.
func killedAt(l *lab, n int, after bool) (opts sandbox.Options, arm func(context.CancelFunc)) {
	var cancel context.CancelFunc
	armed, dead := false, false
	k := &killing{n: n}
	opts = l.options
	opts.Hook = func(c sandbox.Call) error {
		k.mu.Lock()
		defer k.mu.Unlock()
		if !armed {
			return nil
		}
		now := c.After && c.N == k.call
		if !c.After {
			now = k.begins(c)
		}
		if now && c.After == after && !dead {
			dead = true
			cancel()
		}
		if dead {
			return errKilled
		}
		return nil
	}
	return opts, func(c context.CancelFunc) {
		k.mu.Lock()
		defer k.mu.Unlock()
		cancel, armed, dead = c, c != nil, false
	}
}

// calls counts the points of a whole undisturbed migration.
func (l *lab) calls(t *testing.T) int {
	k := &killing{}
	opts := *l
	opts.options.Hook = func(c sandbox.Call) error {
		k.mu.Lock()
		defer k.mu.Unlock()
		if !c.After {
			k.begins(c)
		}
		return nil
	}
	synctest.Test(t, func(t *testing.T) {
		s := opts.start(t)
		s.apply(t.Context(), Migrate)
	})
	return k.points
}

// TestKilledAtEveryCall: whatever call a run dies at, before or after its
// effect, a second apply reaches the end, and a rollback instead of it brings
// the names back; no visitor misses anything. Each bucket of the lab by itself,
// so that call n is the same call each time.
func TestKilledAtEveryCall(t *testing.T) {
	for i, b := range newLab(0).config.Buckets {
		t.Run(b.Name, func(t *testing.T) {
			t.Parallel()
			runs, ways := 0, 4
			if raceDetector {
				ways = 16
			}
			one := func() *lab { return newLab(int64(i + 1)).only(b.Name) }
			for n := range one().calls(t) {
				for k, after := range []bool{false, true} {
					for j, then := range []Goal{Migrate, Rollback} {
						if !killAll && (n+k+2*j)%ways != 0 { // each n in one of the four ways
							continue
						}
						runs++
						if bad := killThen(t, one(), n+1, after, then, nil); bad != "" {
							t.Fatalf("killed at call %d (after its effect: %t), then %s: %s", n+1, after, then, bad)
						}
					}
				}
			}
			t.Logf("%d runs", runs)
		})
	}
}

// killThen has a run die at call n, comes back after a while for another, and
// says what is wrong in the end; "" is nothing.
func killThen(t *testing.T, l *lab, n int, after bool, then Goal, stages func(Goal) []stage) (bad string) {
	synctest.Test(t, func(t *testing.T) {
		opts, arm := killedAt(l, n, after)
		l.options = opts
		s := l.start(t)
		s.o.stages = stages
		s.early = &bad
		name := l.config.Buckets[0].Name
		before := s.w.Records(name)
		s.w.StartVisitors(t.Context(), 5*time.Minute)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		arm(cancel)
		o := s.o
		o.Goal = Migrate
		if p, err := Make(ctx, s.w.Providers(), s.c, o); err == nil && ctx.Err() == nil {
			s.run(ctx, p, nil)
		}
		arm(nil)
		_ = providers.RealClock{}.Sleep(t.Context(), time.Duration(n*97%3600)*time.Second)
		r := s.apply(t.Context(), then)
		if byHand := slices.ContainsFunc(l.options.DNS, func(p sandbox.Provider) bool { return p.Features.ByHand }); byHand && r.Results[0].Outcome == OutcomeStale {
			r = s.apply(t.Context(), then) // the person did what was asked for, between plan and act
		}
		say := func(format string, args ...any) {
			bad += fmt.Sprintf(format+"\n", args...)
		}
		for _, x := range r.Results {
			if ok := x.Outcome == OutcomeFinished || x.Outcome == OutcomeRolled || x.Outcome == OutcomeNothing; !ok {
				say("%s: %s at %s: %s", x.Address, x.Outcome, x.Stage, x.Why)
			}
		}
		if v := s.w.Visitors(); v.Failed > 0 || v.Requests == 0 {
			say("%d of %d visits failed: %v", v.Failed, v.Requests, v.Failures)
		}
		got := s.w.Records(name)
		switch then {
		case Migrate:
			if p := s.plan(t.Context(), Migrate); p.Summary.Done != 1 {
				say("not done: %+v", p.Buckets[0])
			}
			if ds := s.w.Distributions(); len(ds) != 1 {
				say("%d distributions", len(ds))
			}
			if got[0].TTL != before[0].TTL {
				say("the TTL is %s, was %s", got[0].TTL, before[0].TTL)
			}
		case Rollback:
			if !providers.SameRecords(before, got) {
				say("%s is %v, was %v", name, got, before)
			}
		}
		if bad != "" {
			bad += s.said()
		}
	})
	return bad
}

// tooEarly says that a bucket is switched while some resolver may still hold
// its record for longer than the low TTL.
func (s *session) tooEarly(e Event) string {
	if e.Kind != DNSSwitch || e.Status != EventStarted {
		return ""
	}
	for _, b := range s.c.Buckets {
		rs := s.w.Records(b.Name)
		_, has := (NameActual{Set: providers.RecordSet{Records: rs}}).ttl()
		if b.Address != e.Address || !has || strings.HasSuffix(rs[0].Value, ".cloudfront.net") { // a run before has switched it, and not all names
			continue
		}
		if d := s.w.MayHold(b.Name); d > b.DNS.LowTTL {
			return fmt.Sprintf("%s is switched while a resolver may hold its old record for %s\n", b.Name, d)
		}
	}
	return ""
}

// faulty is the table with one stage changed.
func faulty(k Kind, change func(*stage)) func(Goal) []stage {
	return func(g Goal) []stage {
		t := table(g)
		for i := range t {
			if t[i].kind == k {
				change(&t[i])
			}
		}
		return t
	}
}

// TestPlantedFaultsAreCaught shows that the properties bite: each fault breaks
// one promise, and some kill point makes it visible.
func TestPlantedFaultsAreCaught(t *testing.T) {
	if raceDetector {
		t.Skip("it tests the tests, and is run without the race detector")
	}
	always := func(config.Bucket, Actual) Verdict { return done("planted") }
	bare := func(ctx context.Context, s scene) error { // a switch without gate and crumbs
		n := s.a.Names[0]
		return s.w.DNS[n.CNAME.DNSProvider].Replace(ctx, n.CNAME.Name, n.Set.Records, wantedRecords(s.b, s.a, n))
	}
	faults := map[string]struct {
		bucket string
		then   Goal
		stages func(Goal) []stage
		shows  string
	}{
		"switched before the distribution is deployed": {"low.example.com", Migrate, func(g Goal) []stage {
			t := table(g)
			for i := range t {
				switch t[i].kind {
				case DistributionDeployed, LinksVerify:
					t[i].check = always
				case DNSSwitch:
					t[i].do = bare
				}
			}
			return t
		}, "visits failed"},
		"old record written down after the switch": {"low.example.com", Rollback, faulty(DNSSwitch, func(s *stage) {
			s.do = func(ctx context.Context, sc scene) error {
				if err := bare(ctx, sc); err != nil {
					return err
				}
				return sc.setTags(ctx, sc.a.Crumbs.saveRecord(sc.a.Names[0], time.Minute))
			}
		}), "edgeward:was"},
		"old TTL written down after it was lowered": {"fonts.example.com", Migrate, faulty(TTLLower, func(s *stage) {
			right := s.do
			s.do = func(ctx context.Context, sc scene) error {
				n := sc.a.Names[0]
				if ttl, _ := n.ttl(); ttl <= time.Minute {
					return right(ctx, sc)
				}
				if err := sc.w.DNS[n.CNAME.DNSProvider].Replace(ctx, n.CNAME.Name, n.Set.Records, withTTL(n.Set.Records, time.Minute)); err != nil {
					return err
				}
				return sc.setTags(ctx, sc.a.Crumbs.saveRecord(n, time.Minute))
			}
		}), "the TTL is"},
		"no wait for the old TTL": {"fonts.example.com", Migrate, faulty(TTLLower, func(s *stage) {
			right := s.check
			s.check = func(b config.Bucket, a Actual) Verdict {
				if ttl, _ := a.Names[0].ttl(); ttl <= time.Minute {
					return done("planted")
				}
				return right(b, a)
			}
		}), "may hold its old record"},
		"the old TTL counted from before it was lowered": {"fonts.example.com", Migrate, faulty(TTLLower, func(s *stage) {
			right := s.do
			s.do = func(ctx context.Context, sc scene) error {
				if err := sc.setTags(ctx, map[string]string{crumbLowSince: ""}); err != nil {
					return err
				}
				err := right(ctx, sc)
				early := sc.a.Now.Add(-4 * time.Minute)
				return errors.Join(err, sc.setTags(ctx, map[string]string{crumbLowSince: writeSince(writeTime(early), time.Minute)}))
			}
		}), "may hold its old record"},
		"a distribution for every look": {"low.example.com", Migrate, faulty(DistributionCreate, func(s *stage) {
			s.do = func(ctx context.Context, sc scene) error {
				want, _ := wantedSettings(sc.b, sc.a)
				_, err := sc.acc.Distributions.Create(ctx, "another-"+sc.a.Now.String(), want, nil)
				return err
			}
		}), "distribution.create"},
	}
	for name, f := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			one := func() *lab { return newLab(2).only(f.bucket) }
			for n := 1; n <= 200; n++ {
				for _, after := range []bool{false, true} {
					if bad := killThen(t, one(), n, after, f.then, f.stages); strings.Contains(bad, f.shows) {
						return
					}
				}
			}
			t.Errorf("no kill point shows the fault (%q)", f.shows)
		})
	}
}
