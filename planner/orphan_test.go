package planner

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/providers"
)

// forget takes the buckets out of the configuration and gives the world's one
// distribution as that of a bucket of its own.
func forget(t *testing.T, s *session) {
	t.Helper()
	c := *s.c
	c.Buckets = nil
	c.DNSProviders = []config.DNSProvider{{Address: route53, Zones: []string{"example.com"}}, {Address: swapped, Zones: []string{"example.org"}}}
	b, left, err := Orphan(t.Context(), s.w.Providers(), &c, "", s.w.Distributions()[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	if want := len(s.c.Buckets[0].CNAMEs) - 1; len(left) != want {
		t.Errorf("left: %v", left)
	}
	c.Buckets = []config.Bucket{b}
	s.c = &c
}

// TestOrphanRollsBack: of each kind of record, after the configuration of the
// bucket was deleted, and killed at its calls too; once it is written again,
// apply -retry goes forward.
func TestOrphanRollsBack(t *testing.T) {
	for _, name := range []string{assets, "www.example.org", "example.com"} {
		for n := range 14 {
			if n > 0 && !killAll && (n%2 == 0 || name != assets) {
				continue
			}
			l := newLab(2).only(name)
			opts, arm := killedAt(l, n, n%4 < 2)
			l.options = opts
			synctest.Test(t, func(t *testing.T) {
				s := l.start(t)
				before := s.w.Records(name)
				s.w.StartVisitors(t.Context(), time.Minute)
				s.want(s.apply(t.Context(), Migrate), OutcomeFinished)
				own := s.c
				if n > 0 { // the first run dies at its nth call
					ctx, cancel := context.WithCancel(t.Context())
					forget(t, s)
					arm(cancel)
					if p, err := Make(ctx, s.w.Providers(), s.c, Options{Goal: Rollback}); err == nil && ctx.Err() == nil {
						s.run(ctx, p, nil)
					}
					cancel()
					arm(nil)
					s.c = own
				}
				forget(t, s)
				x := one(t, s.apply(t.Context(), Rollback))
				if x.Outcome != OutcomeRolled && x.Outcome != OutcomeNothing || !providers.SameRecords(before, s.w.Records(name)) {
					t.Errorf("%s, killed at %d: %+v, %v", name, n, x, s.w.Records(name))
				}
				s.served()
				if n > 0 {
					return
				}
				s.c, s.o.Retry = own, []string{"*"}
				s.want(s.apply(t.Context(), Migrate), OutcomeFinished)
				s.served()
			})
		}
	}
}

func TestOrphanIsRefused(t *testing.T) {
	tests := map[string]struct {
		change  func(s *session, c *config.Config, id string)
		account string
		id      string
		says    string
	}{
		"no such account":      {account: "shop", says: `no aws "shop"`},
		"no such distribution": {id: "ENONE", says: "no distribution ENONE"},
		"not ours": {change: func(s *session, _ *config.Config, id string) {
			s.w.EditTags(id, map[string]string{providers.TagBucket: ""})
		}, says: "has no tag edgeward:bucket"},
		"nothing was switched": {change: func(s *session, _ *config.Config, id string) { s.w.EditTags(id, map[string]string{crumbWas: ""}) }, says: "no tag edgeward:was"},
		"in the configuration": {change: func(s *session, c *config.Config, _ string) { c.Buckets = s.c.Buckets }, says: "is in the configuration"},
		"its zone is gone":     {change: func(_ *session, c *config.Config, _ string) { c.DNSProviders = nil }, says: "zone example.com at " + route53},
		"no tag says where, and no zone fits": {change: func(s *session, c *config.Config, id string) {
			s.w.EditTags(id, map[string]string{crumbWasAt: ""})
			c.DNSProviders[0].Zones = []string{"ample.com"}
		}, says: "no dns_provider"},
	}
	inWorld(t, assets, nil, func(t *testing.T, s *session) {
		s.want(s.apply(t.Context(), Migrate), OutcomeFinished)
		d := s.w.Distributions()[0]
		for name, tc := range tests {
			c := config.Config{DNSProviders: []config.DNSProvider{{Address: route53, Zones: []string{"example.com"}}}}
			if tc.change != nil {
				tc.change(s, &c, d.ID)
			}
			id := d.ID
			if tc.id != "" {
				id = tc.id
			}
			_, _, err := Orphan(t.Context(), s.w.Providers(), &c, tc.account, id)
			var orphan *OrphanError
			if !errors.As(err, &orphan) || !strings.Contains(err.Error(), tc.says) || orphan.Hint() == "" {
				t.Errorf("%s: %v", name, err)
			}
			s.w.EditTags(d.ID, d.Tags)
		}
	})
}

// TestRollbackSince takes what was switched since, and what is on its way.
func TestRollbackSince(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newLab(1).only(assets, "www.example.org", "low.example.com").start(t)
		s.o.Targets = []string{"*www*"}
		s.want(s.apply(t.Context(), Migrate), OutcomeFinished)
		pause1(t, time.Hour)
		since := time.Now()
		s.o.Targets, s.o.Until = []string{"*low*"}, DNSSwitch
		s.want(s.apply(t.Context(), Migrate), OutcomeStopped)
		s.o = Options{brief: true, Since: since}
		if p := s.plan(t.Context(), Rollback); len(p.Buckets) != 1 || p.Buckets[0].Bucket != "low.example.com" {
			t.Errorf("%+v", p.Buckets)
		}
		for _, d := range s.w.Distributions() { // as another version leaves them
			s.w.EditTags(d.ID, map[string]string{crumbSwitched: ""})
		}
		if p := s.plan(t.Context(), Rollback); len(p.Buckets) != 1 || p.Buckets[0].Bucket != "low.example.com" {
			t.Errorf("without the tag: %+v", p.Buckets)
		}
		s.o.Since = since.Add(-24 * time.Hour)
		s.want(s.apply(t.Context(), Rollback), OutcomeRolled)
	})
}

// TestRollbackThatHurtsIsRefused, and -accept-https-loss goes back all the same.
func TestRollbackThatHurtsIsRefused(t *testing.T) {
	redirect, security := "redirect-to-https", "67f7725c-6f97-4210-82d7-5512b31e9d03"
	tests := map[string]struct {
		change func(*session)
		code   string
		accept bool
	}{
		"redirected": {func(s *session) { s.c.Buckets[0].Distribution.ViewerProtocol = &redirect }, "https-lost", true},
		"HSTS":       {func(s *session) { s.c.Buckets[0].Distribution.ResponseHeadersPolicy = &security }, "https-lost", true},
		"neither":    {func(*session) {}, "", false},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			inWorld(t, assets, nil, func(t *testing.T, s *session) {
				tc.change(s)
				s.c.Buckets[0].Verify.Accept = []string{"response-headers"}
				s.apply(t.Context(), Migrate)
				p := s.plan(t.Context(), Rollback).Buckets[0]
				code := ""
				if len(p.Findings) > 0 {
					code = p.Findings[0].Code
				}
				if code != tc.code || (p.Standing == StandBlocked) != (tc.code != "") {
					t.Fatalf("%s: %+v", p.Standing, p.Findings)
				}
				if tc.accept {
					s.o.AcceptHTTPSLoss = true
					s.want(s.apply(t.Context(), Rollback), OutcomeRolled)
				}
			})
		})
	}
}

func TestShards(t *testing.T) {
	l := newLab(1)
	for i := range 400 {
		b := l.config.Buckets[0]
		b.Address = `bucket.site["` + strings.Repeat("x", i%7) + string(rune('a'+i%26)) + `.example` + time.Duration(i).String() + `"]`
		l.config.Buckets = append(l.config.Buckets, b)
	}
	seen := map[string]string{}
	for i := 1; i <= 4; i++ {
		o := Options{Shard: Shard{i, 4}}
		part, err := choose(l.config, o)
		if err != nil || len(part) < 60 || len(part) > 140 {
			t.Errorf("part %d has %d buckets, %v", i, len(part), err)
		}
		for _, b := range part {
			if seen[b.Address] != "" {
				t.Errorf("%s is in %s and in %s", b.Address, seen[b.Address], o.Shard)
			}
			seen[b.Address] = o.Shard.String()
		}
	}
	if len(seen) != len(l.config.Buckets) {
		t.Errorf("%d of %d", len(seen), len(l.config.Buckets))
	}
	l.config.Buckets = l.config.Buckets[:40] // the others may go: the rest stays where it is
	for i := 1; i <= 4; i++ {
		part, _ := choose(l.config, Options{Shard: Shard{i, 4}})
		for _, b := range part {
			if seen[b.Address] != (Shard{i, 4}).String() {
				t.Errorf("%s has moved", b.Address)
			}
		}
	}
	for _, text := range []string{"0/3", "4/3", "x", "1/", "/2", "1/2/3", "-1/2", "1/1001"} {
		if _, err := ParseShard(text); err == nil {
			t.Error(text)
		}
	}
}

// TestShardsKeepTheOrder: each part runs its own of a wave, and waits for the
// other parts' of the waves before.
func TestShardsKeepTheOrder(t *testing.T) {
	inWaveLab(t, nil, func(t *testing.T, s *session) {
		ended, bad := make(chan Report), [2]string{}
		for i := range 2 {
			x := &session{t: t, w: s.w, c: s.c, o: s.o}
			x.o.Shard = Shard{i + 1, 2}
			go func() {
				pause1(t, time.Duration(i)*7*time.Minute)
				ended <- x.run(t.Context(), x.plan(t.Context(), Migrate), inOrder(x, s.c, &bad[i]))
			}()
		}
		n := 0
		for range 2 {
			r := <-ended
			s.want(r, OutcomeFinished)
			n += len(r.Results)
		}
		if n != len(s.c.Buckets) || bad[0]+bad[1] != "" {
			t.Errorf("%d buckets, %q", n, bad)
		}
	})
}
