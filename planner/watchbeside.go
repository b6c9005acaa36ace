package planner

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/providers"
)

// Visitors come from the switch on, and some server may never show the record, so
// the looks of traffic.watch begin beside dns.propagated. Only its time counts from
// when the world answers.

const (
	// codeResolvers is the code of an UnhealthyError: resolvers that answered before
	// the switch do not any more.
	codeResolvers = "dns"
	// Resolvers have to refuse the name in so many looks in a row; where there is
	// only one of them, in more.
	refusedLooks    = 2
	refusedLooksOne = 4
)

// beside is what a bucket's looks beside its steps know of the ones before. Its
// switch writes it, and then those looks alone, one after the other.
type beside struct {
	// answered are the resolvers that answered for a name before this run switched
	// it; nil when it did not.
	answered map[string]map[string]bool
	// baseline is the one of measureBaseline, nil before it is needed.
	baseline *float64
}

// watchesUntil is the stage with whose end nothing is left to watch beside; "" when
// nothing is watched.
func (br *bucketRun) watchesUntil() Kind {
	if br.goal != Migrate || br.b.Watch.For == 0 {
		return ""
	}
	for _, k := range []Kind{TrafficWatch, DNSPropagated} {
		if br.planned(k) {
			return k
		}
	}
	return ""
}

func (br *bucketRun) planned(k Kind) bool {
	return slices.ContainsFunc(br.plan.Steps, func(s Step) bool { return s.Kind == k })
}

func (br *bucketRun) has(k Kind) bool {
	br.mu.Lock()
	defer br.mu.Unlock()
	return br.done[k]
}

// watchBeside looks once a minute until ended is closed, and at least once. What it
// finds unhealthy ends the bucket's run as traffic.watch does; who sees nothing
// says nothing.
func (br *bucketRun) watchBeside(ctx, sctx context.Context, ended <-chan struct{}) {
	pausing, stop := context.WithCancel(sctx)
	defer stop()
	go func() {
		select {
		case <-ended:
			stop()
		case <-pausing.Done():
		}
	}()
	for {
		err := br.lookBeside(ctx, sctx)
		var unhealthy *UnhealthyError
		if errors.As(err, &unhealthy) && sctx.Err() == nil && !br.has(TrafficWatch) {
			br.fail(TrafficWatch, err)
			br.end(TrafficWatch, err)
			return
		}
		if br.r.x.World.Clock.Sleep(pausing, everyWatch) != nil {
			return
		}
	}
}

// lookBeside is one look, and another at what does not seem right.
func (br *bucketRun) lookBeside(ctx, sctx context.Context) error {
	if err := br.take(sctx); err != nil {
		return err
	}
	sit := &seat{br: br, turn: make(chan struct{}, 1), held: true}
	defer sit.end()
	sctx = providers.WithIdle(sctx, sit.leave(ctx))
	parts := PartTags | partTraffic
	if !br.planned(DNSPropagated) || br.has(DNSPropagated) { // traffic.watch looks itself
		if parts = PartTags; !br.anyRefused(sctx) {
			return nil
		}
	}
	a, err := Observe(sctx, br.r.x.World, br.r.x.Config, br.b, parts)
	if err != nil || a.Dist == nil || !a.switched() || a.finished() || a.Crumbs.held() && !retries(br.r.x.Options, br.b) {
		return err // the steps say what it is
	}
	if err := br.refused(sctx, a); err != nil || !a.has(partTraffic) {
		return err
	}
	if a, err = br.sinceSwitch(sctx, a); err != nil || a.Watched.unhealthy(br.b, a) == nil {
		return err
	}
	if u, err := surely(sctx, br.r.x.World, br.b, a); u != nil || err != nil {
		if err == nil {
			err = u
		}
		return err
	}
	return nil
}

// sinceSwitch has the look judged as one of the watch, which has not begun: with
// what S3 answered before the switch.
func (br *bucketRun) sinceSwitch(ctx context.Context, a Actual) (Actual, error) {
	if _, ok := a.Crumbs.answeredAt(); ok {
		return a, nil
	}
	at, ok := a.Crumbs.switchedAt()
	if !ok {
		at = a.Now
	}
	before := -1.0
	if len(a.Watched.minutes) > 0 {
		if br.beside.baseline == nil {
			b, err := measureBaseline(ctx, br.r.x.World.Accounts[br.b.Account], br.b, a, at)
			if err != nil {
				return a, err
			}
			br.beside.baseline = &b
		}
		before = *br.beside.baseline
	}
	a.Crumbs = maps.Clone(a.Crumbs)
	a.Crumbs[crumbSwitched] = writeSwitched(at, a.Now, before)
	return a, nil
}

// answersBefore notes who answers for the names before they are switched.
func (br *bucketRun) answersBefore(ctx context.Context) {
	if br.beside.answered != nil || br.watchesUntil() == "" {
		return
	}
	br.beside.answered = map[string]map[string]bool{}
	for _, name := range br.b.Names() {
		as, err := br.r.x.World.Resolver.Resolve(ctx, name, "A")
		if err != nil {
			continue // nobody answered
		}
		br.beside.answered[name] = answering(as)
	}
}

func answering(as []providers.Answer) map[string]bool {
	out := map[string]bool{}
	for _, a := range as {
		out[a.Server] = a.Err == "" && a.RCode != "SERVFAIL"
	}
	return out
}

// anyRefused says whether most resolvers answer SERVFAIL for a name.
func (br *bucketRun) anyRefused(ctx context.Context) bool {
	return slices.ContainsFunc(br.b.Names(), func(name string) bool {
		as, err := br.r.x.World.Resolver.Resolve(ctx, name, "A")
		return err == nil && mostRefuse(as) != nil
	})
}

// mostRefuse are the resolvers that answer SERVFAIL, nil when they are not most.
func mostRefuse(as []providers.Answer) []string {
	var bad []string
	for _, a := range as {
		if a.Err == "" && a.RCode == "SERVFAIL" {
			bad = append(bad, a.Server)
		}
	}
	if 2*len(bad) <= len(as) {
		return nil
	}
	return bad
}

// refused looks whether most resolvers, which answered before the switch, answer
// SERVFAIL for a name now, as those do that check signatures (DNSSEC) and find a
// wrong one. A run that did not switch the name itself takes those for the ones
// that answer for the distribution. nil says nothing.
func (br *bucketRun) refused(ctx context.Context, a Actual) error {
	w := br.r.x.World
	for _, n := range a.Names {
		looks := 1
		for {
			as, err := w.Resolver.Resolve(ctx, n.CNAME.Name, "A")
			if err != nil {
				break
			}
			bad := br.refusing(ctx, n.CNAME.Name, a.Dist.Domain, as)
			if 2*len(bad) <= len(as) {
				break
			}
			enough := refusedLooks
			if len(as) == 1 {
				enough = refusedLooksOne
			}
			if looks >= enough {
				return &UnhealthyError{codeResolvers, fmt.Sprintf("%d of %d resolvers, which answered before the switch, answer SERVFAIL for %s in %d looks in a row: %s",
					len(bad), len(as), n.CNAME.Name, looks, strings.Join(bad, ", "))}
			}
			looks++
			back := providers.Idle(ctx)
			err = w.Clock.Sleep(ctx, secondLook)
			back()
			if err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}

// refusing are the resolvers that answer SERVFAIL and answered before.
func (br *bucketRun) refusing(ctx context.Context, name, domain string, as []providers.Answer) []string {
	bad := mostRefuse(as)
	if bad == nil {
		return nil
	}
	before := br.beside.answered[name]
	if br.beside.answered == nil {
		others, err := br.r.x.World.Resolver.Resolve(ctx, domain, "A")
		if err != nil {
			return nil
		}
		before = answering(others)
	}
	return slices.DeleteFunc(bad, func(server string) bool { return !before[server] })
}

// watchFits says why a bucket is not switched in what is left of the run's time:
// nobody would watch its visitors to the end. nil is no obstacle. With -wait=false a
// schedule runs apply again, and each run looks.
func (br *bucketRun) watchFits(b config.Bucket, a Actual) error {
	if b.Watch.For == 0 || br.r.x.NoWait || br.watchesUntil() == "" {
		return nil
	}
	mixed, _ := mixedTime(b, a)
	need, left := mixed+b.Watch.For, br.deadline.Sub(br.r.x.World.Clock.Now())
	if need <= left {
		return nil
	}
	return &waitError{kind: DNSSwitch,
		why:  fmt.Sprintf("the switch and the watch after it take %s, and of -wait-timeout only %s is left: nothing is switched that is not watched", shortDuration(need), shortDuration(max(0, left.Truncate(time.Second)))),
		hint: "the next run has its whole time for it; -wait-timeout has to be at least " + shortDuration(need)}
}
