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
	rate, burst float64

	mu     sync.Mutex
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

// Five hundred requests take at most 1.15 times what the API's rate allows,
// whether the rate is where the limiter begins, below it, or above it, and few
// are refused.
func TestLimiterFindsTheRate(t *testing.T) {
	for name, c := range map[string]struct {
		begins, most, rate, burst float64
		times                     float64
	}{
		"at the beginning":           {begins: 1, most: 10, rate: 1, burst: 5, times: 1.15},
		"half as much":               {begins: 1, most: 10, rate: 0.5, burst: 5, times: 1.15},
		"twice as much":              {begins: 1, most: 10, rate: 2, burst: 10, times: 1.15},
		"no burst":                   {begins: 5, most: 50, rate: 5, burst: 2, times: 1.15},
		"documented":                 {begins: 5, most: 5, rate: 5, burst: 5, times: 1.02},
		"documented, shared by half": {begins: 5, most: 5, rate: 2.5, burst: 5, times: 1.5},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const n = 500
				api := newBucket(c.rate, c.burst)
				l := providers.NewLimiter(providers.RealClock{}, providers.LimiterOptions{API: "x", PerSecond: c.begins, Most: c.most, Burst: 2})
				began := time.Now()
				var all sync.WaitGroup
				for range n {
					all.Go(func() { ask(t, l, api) })
				}
				all.Wait()
				took, bound := time.Since(began), time.Duration((n-c.burst)/c.rate*float64(time.Second))
				r := l.Rate()
				t.Logf("%d requests took %s, %.3f of the bound; %d refused, %.2f a second in the end", n, took.Round(time.Second), float64(took)/float64(bound), r.Throttled, r.PerSecond)
				if float64(took) > c.times*float64(bound) {
					t.Errorf("%d requests took %s, more than %.2f times %s", n, took, c.times, bound)
				}
				if r.Throttled > n/4 || r.Requests != n+r.Throttled || r.Waiting != 0 {
					t.Errorf("%+v", r)
				}
			})
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

// Who is urgent waits for nobody but others who are.
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
			all.Go(wait(providers.WithUrgency(t.Context()), "switch"))
		}
		all.Wait()
		if got := slices.Index(order, "switch"); got != 3 || !slices.Equal(order[3:6], []string{"switch", "switch", "switch"}) {
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
