package providers_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeward/edgeward/providers"
)

// bucket is an API that refuses for its rate, as AWS' do: it saves up burst
// requests, and what it refuses costs nothing.
type bucket struct {
	burst float64

	mu     sync.Mutex
	rate   float64
	tokens float64
	at     time.Time
}

func newBucket(rate, burst float64) *bucket {
	return &bucket{rate: rate, burst: burst, tokens: burst, at: time.Now()}
}

func (b *bucket) refuses() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	b.tokens, b.at = min(b.tokens+now.Sub(b.at).Seconds()*b.rate, b.burst), now
	if b.tokens < 1 {
		return true
	}
	b.tokens--
	return false
}

// ask makes one request, as often as it takes.
func ask(t *testing.T, l *providers.Limiter, b *bucket) {
	t.Helper()
	for wait := 500 * time.Millisecond; ; wait = min(2*wait, 20*time.Second) {
		if err := l.Wait(t.Context(), 1); err != nil {
			t.Error(err)
			return
		}
		sent := time.Now()
		time.Sleep(80 * time.Millisecond)
		refused := b.refuses()
		l.Saw(sent, refused)
		if !refused {
			return
		}
		time.Sleep(wait)
	}
}

func (b *bucket) now() float64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.rate
}

// become makes the rate another one from now on; what was saved up is gone.
func (b *bucket) become(rate float64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.rate, b.tokens, b.at = rate, 0, time.Now()
}

// meter counts what an API lets through.
type meter struct {
	mu      sync.Mutex
	began   time.Time
	through []time.Time
	// found is when, for the first time, ten seconds had let through nine tenths of
	// what the API allows.
	found time.Duration
}

// count is called for each request that was let through; n is how many that are.
func (m *meter) count(rate float64) (n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	m.through = append(m.through, now)
	past := 0
	for _, at := range slices.Backward(m.through) {
		if now.Sub(at) >= 10*time.Second {
			break
		}
		past++
	}
	if m.found == 0 && float64(past) >= 9*rate {
		m.found = now.Sub(m.began)
	}
	return len(m.through)
}

// askAll makes n requests through l, all at the same time. half, unless nil, is
// called when half of them are through, and then the meter begins anew.
func askAll(t *testing.T, l *providers.Limiter, api *bucket, n int, half func()) *meter {
	t.Helper()
	m := &meter{began: time.Now()}
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			ask(t, l, api)
			if m.count(api.now()) == n/2 && half != nil {
				half()
				m.mu.Lock()
				defer m.mu.Unlock()
				m.began, m.through, m.found, half = time.Now(), nil, 0, nil
			}
		})
	}
	all.Wait()
	return m
}

// refused is the part of all attempts that was refused.
func refused(l *providers.Limiter) float64 {
	r := l.Rate()
	return float64(r.Throttled) / float64(r.Requests)
}

// Requests take at most 1.15 times what the API's rate allows, whether the rate is
// where the limiter begins, below it or above it, the limiter knows it within
// half a minute, and of all requests less than a twentieth is refused.
func TestLimiterFindsTheRate(t *testing.T) {
	const undocumented, most = 1, 50
	type api struct{ rate, burst float64 }
	for name, c := range map[string]struct {
		begins, most float64
		api          api
		times        float64
		found        time.Duration
	}{
		"1, burst 2":      {undocumented, most, api{1, 2}, 1.15, 30 * time.Second},
		"1, burst 20":     {undocumented, most, api{1, 20}, 1.15, 30 * time.Second},
		"2, burst 2":      {undocumented, most, api{2, 2}, 1.15, 30 * time.Second},
		"2, burst 20":     {undocumented, most, api{2, 20}, 1.15, 30 * time.Second},
		"5, no burst":     {undocumented, most, api{5, 1}, 1.35, 45 * time.Second}, // two at once end the first climb at once
		"5, burst 5":      {undocumented, most, api{5, 5}, 1.15, 30 * time.Second},
		"5, burst 10":     {undocumented, most, api{5, 10}, 1.15, 30 * time.Second},
		"5, burst 100":    {undocumented, most, api{5, 100}, 1.15, 30 * time.Second},
		"20, burst 5":     {undocumented, most, api{20, 5}, 1.15, 30 * time.Second},
		"20, burst 20":    {undocumented, most, api{20, 20}, 1.15, 30 * time.Second},
		"20, burst 200":   {undocumented, most, api{20, 200}, 1.15, 30 * time.Second},
		"half of 1":       {undocumented, most, api{0.5, 5}, 1.15, time.Minute},
		"documented":      {5, 5, api{5, 5}, 1.02, 12 * time.Second},
		"half is another": {5, 5, api{2.5, 5}, 1.15, 30 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := max(400, int(60*c.api.rate))
				api := newBucket(c.api.rate, c.api.burst)
				l := providers.NewLimiter(providers.RealClock{}, providers.LimiterOptions{API: "x", PerSecond: c.begins, Most: c.most, Burst: 2})
				m := askAll(t, l, api, n, nil)
				took, bound := time.Since(m.began), time.Duration((float64(n)-c.api.burst)/c.api.rate*float64(time.Second))
				ratio, r := float64(took)/float64(bound), l.Rate()
				t.Logf("%d requests took %s, %.3f of the bound; found after %s; %.1f %% refused, %.2f a second in the end", n, took.Round(time.Second), ratio,
					m.found.Round(time.Second), 100*refused(l), r.PerSecond)
				if ratio > c.times || m.found == 0 || m.found > c.found || refused(l) > 0.05 {
					t.Errorf("want at most %.2f, %s, 5 %%", c.times, c.found)
				}
				if r.Requests != n+r.Throttled || r.Waiting != 0 {
					t.Errorf("%+v", r)
				}
			})
		})
	}
}

// A rate that changes while it is used is found again.
func TestLimiterFollowsTheRate(t *testing.T) {
	for name, c := range map[string]struct{ from, to float64 }{
		"falls a little": {5, 4}, "falls": {20, 5}, "falls far": {20, 1}, "rises": {2, 20},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := newBucket(c.from, 10)
				l := providers.NewLimiter(providers.RealClock{}, providers.LimiterOptions{API: "x", PerSecond: 1, Most: 50, Burst: 2})
				n := 2 * int(max(200, 60*c.to))
				m := askAll(t, l, api, n, func() { api.become(c.to) })
				took, bound := time.Since(m.began), time.Duration(float64(n/2)/c.to*float64(time.Second))
				t.Logf("%d requests took %s, %.3f of the bound; found after %s; %.1f %% refused, %.2f a second in the end", n/2, took.Round(time.Second),
					float64(took)/float64(bound), m.found.Round(time.Second), 100*refused(l), l.Rate().PerSecond)
				if m.found == 0 || m.found > time.Minute || refused(l) > 0.07 || float64(took) > 1.2*float64(bound) {
					t.Error("want a minute, 7 %, 1.2")
				}
			})
		})
	}
}

// Two programs that share an account's rate, of which one came later, each get a
// part of it: none less than a fifth, while both ask.
func TestLimiterShares(t *testing.T) {
	for _, rate := range []float64{2, 5, 20} {
		synctest.Test(t, func(t *testing.T) {
			api := newBucket(rate, rate)
			n := int(rate * 400)
			var through [2]int
			var no [2]float64
			var all sync.WaitGroup
			for i := range 2 {
				all.Go(func() {
					time.Sleep(time.Duration(i) * time.Minute)
					l := providers.NewLimiter(providers.RealClock{}, providers.LimiterOptions{API: "x", PerSecond: 1, Most: 50, Burst: 2})
					end := time.Now().Add(time.Duration(6-i) * time.Minute)
					var own sync.WaitGroup
					var mu sync.Mutex
					for range n {
						own.Go(func() {
							ask(t, l, api)
							mu.Lock()
							defer mu.Unlock()
							if left := time.Until(end); left > 0 && left < 4*time.Minute {
								through[i]++
							}
						})
					}
					own.Wait()
					no[i] = refused(l)
				})
			}
			all.Wait()
			both := through[0] + through[1]
			t.Logf("%g a second, in four minutes: %v of %g, refused %.3f", rate, through, rate*240, no)
			if float64(both) < 0.87*rate*240 || min(through[0], through[1])*5 < both || max(no[0], no[1]) > 0.07 {
				t.Errorf("%v of %g, refused %.3f", through, rate*240, no)
			}
		})
	}
}

// A documented rate is never exceeded, and neither is Most.
func TestLimiterKeepsBelow(t *testing.T) {
	for _, most := range []float64{5, 10} {
		synctest.Test(t, func(t *testing.T) {
			l := providers.NewLimiter(providers.RealClock{}, providers.LimiterOptions{PerSecond: 5, Most: most, Burst: 1})
			var mu sync.Mutex
			var sent []time.Time
			var all sync.WaitGroup
			for range 600 {
				all.Go(func() {
					if err := l.Wait(t.Context(), 1); err != nil {
						t.Error(err)
					}
					mu.Lock()
					sent = append(sent, time.Now())
					mu.Unlock()
					l.Saw(time.Now(), false)
				})
			}
			all.Wait()
			least := time.Duration(float64(time.Second) / most)
			for i := 1; i < len(sent); i++ {
				if sent[i].Sub(sent[i-1]) < least {
					t.Fatalf("two requests %s apart, the least is %s", sent[i].Sub(sent[i-1]), least)
				}
			}
			if got := l.Rate().PerSecond; got != most {
				t.Errorf("%v a second in the end, want %v", got, most)
			}
		})
	}
}

// Who is urgent waits for nobody but others who are, and who reads for many only for
// those.
func TestLimiterServesTheUrgentFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := providers.NewLimiter(providers.RealClock{}, providers.LimiterOptions{PerSecond: 1, Burst: 1})
		var mu sync.Mutex
		var order []string
		wait := func(ctx context.Context, who string) func() {
			return func() {
				if err := l.Wait(ctx, 1); err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				order = append(order, who)
			}
		}
		var all sync.WaitGroup
		for range 100 {
			all.Go(wait(t.Context(), "read"))
		}
		time.Sleep(2500 * time.Millisecond)
		for range 3 {
			all.Go(wait(providers.WithShared(t.Context()), "list"))
			all.Go(wait(providers.WithUrgency(t.Context()), "switch"))
		}
		all.Wait()
		if got := slices.Index(order, "switch"); got != 3 || !slices.Equal(order[3:9], []string{"switch", "switch", "switch", "list", "list", "list"}) {
			t.Errorf("the first switch was number %d: %v", got, order[:8])
		}
	})
}

// A caller that goes away leaves its turn to the next, whether it had it or not.
func TestLimiterWaitEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := providers.NewLimiter(providers.RealClock{}, providers.LimiterOptions{PerSecond: 1, Burst: 1})
		began := time.Now()
		for _, d := range []time.Duration{500 * time.Millisecond, 300 * time.Millisecond} {
			ctx, cancel := context.WithTimeout(t.Context(), d)
			defer cancel()
			if err := l.Wait(t.Context(), 1); err != nil {
				t.Error(err)
			}
			if err := l.Wait(ctx, 1); !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
		}
		if err := l.Wait(t.Context(), 1); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took != 2*time.Second || l.Rate().Requests != 3 || l.Rate().Waiting != 0 {
			t.Errorf("three turns took %s: %+v", took, l.Rate())
		}
		l.Hold(10 * time.Second)
		if err := l.Wait(t.Context(), 1); err != nil || time.Since(began) != 12*time.Second {
			t.Errorf("held back until %s: %v", time.Since(began), err)
		}
	})
}

// Limiters of one name are one; those that nobody asked are not told about.
func TestLimiters(t *testing.T) {
	s := providers.NewLimiters(providers.RealClock{})
	a, b := s.Get(providers.LimiterOptions{API: "b", PerSecond: 1}), s.Get(providers.LimiterOptions{API: "a", PerSecond: 2})
	s.Get(providers.LimiterOptions{API: "c"})
	if s.Get(providers.LimiterOptions{API: "b", PerSecond: 7}) != a {
		t.Error("two limiters of one name")
	}
	for _, l := range []*providers.Limiter{a, b} {
		if err := l.Wait(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
	}
	want := []providers.Rate{{API: "a", PerSecond: 2, Requests: 1}, {API: "b", PerSecond: 1, Requests: 1}}
	if got := s.Rates(); !slices.Equal(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}
