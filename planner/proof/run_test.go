package proof

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/edgeward/edgeward/providers"
)

func TestSameSites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, targets := objects(30, 10)
		targets = append(targets, Target{Path: "/none", Aside: true, Size: -1, Whole: true}, Target{Path: "/gone", Size: 3}, targets[0])
		o, web := options(s, &cache{site: s, keyed: true})
		got := compared(t, o, targets)
		want := Result{Verdict: Same, Paths: 32, Readable: 30, Objects: 30, Refused: 1, Requests: len(web.asked), Bytes: got.Bytes, Digest: got.Digest}
		if d := gocmp.Diff(want, got); d != "" {
			t.Error(d)
		}
		if len(got.Digest) != 12 {
			t.Errorf("digest %q", got.Digest)
		}
		for _, a := range web.asked {
			if a.method != "GET" && a.method != "HEAD" && a.method != "OPTIONS" {
				t.Errorf("asked with %s", a.method)
			}
		}
	})
}

// Never more requests at a time than Parallel, never more begin in a second at
// a host than Rate; and both are used up.
func TestRateAndConcurrency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, targets := objects(300, 20)
		o, web := options(s, lacking(s, "Cache-Control"))
		o.Parallel, o.Rate = 5, 15
		web.delay = jitter(1, 400*time.Millisecond)
		begun := time.Now()
		compared(t, o, targets)
		if web.most != 5 {
			t.Errorf("%d requests at a time, want 5", web.most)
		}
		for _, host := range []string{leftHost, rightHost} {
			var at []time.Time
			for _, a := range web.asked {
				if a.host == host {
					at = append(at, a.at)
				}
			}
			for i := range at {
				if i >= 15 && at[i].Sub(at[i-15]) < time.Second-time.Microsecond {
					t.Fatalf("%s: 16 requests within %v", host, at[i].Sub(at[i-15]))
				}
			}
		}
		t.Logf("%d requests in %v", len(web.asked), time.Since(begun))
	})
	synctest.Test(t, func(t *testing.T) {
		s, targets := objects(50, 50)
		o, web := options(s, s)
		o.Rate, o.Parallel = 100, 8
		begun := time.Now()
		compared(t, o, targets)
		if used := float64(web.to(rightHost)) / time.Since(begun).Seconds(); used < 99 {
			t.Errorf("%.0f requests a second at the busiest host, 100 are allowed", used)
		}
	})
}

// Requests for one target come one after the other.
func TestOneTargetInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, targets := objects(40, 40)
		o, web := options(s, s)
		flying := map[string]*atomic.Int32{}
		for _, x := range targets {
			flying[x.Path] = &atomic.Int32{}
		}
		o.Web = webFunc(func(ctx context.Context, r providers.Request) (providers.Response, error) {
			path, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(r.URL, "https://"), "http://"+leftHost), "http://"), "?")
			n := flying[strings.TrimPrefix(path, rightHost)]
			if n.Add(1) > 1 {
				t.Error("two requests for one target at a time")
			}
			defer n.Add(-1)
			return web.Fetch(ctx, r)
		})
		web.delay = jitter(2, time.Second)
		compared(t, o, targets)
	})
}

type webFunc func(context.Context, providers.Request) (providers.Response, error)

func (f webFunc) Fetch(ctx context.Context, r providers.Request) (providers.Response, error) {
	return f(ctx, r)
}

// A redirect that repeats the query leads to the same place at both sites.
func TestRepeatedQuery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		again := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Location", "/there?"+r.URL.RawQuery)
			w.WriteHeader(http.StatusFound)
		})
		o, _ := options(again, again)
		got, err := Compare(t.Context(), o, []Target{{Path: "/o", Aside: true, Size: -1, Whole: true}})
		if err != nil || got.Verdict != Same {
			t.Errorf("%v, %+v", err, got)
		}
	})
}

// What only a cache miss, or only a hit, answers wrongly is found.
func TestColdAndWarm(t *testing.T) {
	spoil := func(r *httptest.ResponseRecorder) { r.Header().Del("Cache-Control") }
	for name, c := range map[string]*cache{"cold": {miss: spoil}, "warm": {hit: spoil}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, targets := objects(1, 1)
				c.site, c.keyed = s, true
				if name == "cold" { // the object itself is long in the cache
					c.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", targets[0].Path, nil))
				}
				o, _ := options(s, c)
				got := compared(t, o, targets)
				if len(got.Differences) != 1 || got.Differences[0].Aspect != CacheControl {
					t.Fatalf("%+v", got)
				}
				request := got.Differences[0].Request
				if name == "cold" && !strings.Contains(request, "edgeward=…") {
					t.Errorf("found by %s", request)
				}
			})
		})
	}
}

// Whichever of the two comes first, with Origin or without: a cache without
// Origin in its key is found, and one with it is right.
func TestCORSOrders(t *testing.T) {
	for _, keyed := range []bool{true, false} {
		for _, schemes := range []int{1, 2} {
			for skip := range 2 {
				synctest.Test(t, func(t *testing.T) {
					s, targets := objects(2, 2)
					targets = targets[skip:]
					o, web := options(s, &cache{site: s, keyed: keyed})
					o.Right = o.Right[:schemes]
					got := compared(t, o, targets)
					if keyed != (got.Verdict == Same) {
						t.Errorf("keyed %v: %+v", keyed, got)
					}
					if !keyed && got.Differences[0].Aspect != CORS {
						t.Errorf("%+v", got.Differences)
					}
					if without, with := ordersOf(web); !without || !with {
						t.Errorf("without first %v, with first %v", without, with)
					}
				})
			}
		}
	}
}

// ordersOf says which of the two came first with the queries that were sent
// with and without Origin.
func ordersOf(w *fakeWeb) (without, with bool) {
	first := map[string]asked{}
	both := map[string]bool{}
	for _, a := range w.asked {
		if a.host != rightHost || !strings.HasPrefix(a.query, "edgeward=") || a.method != "GET" {
			continue
		}
		f, ok := first[a.query]
		if !ok {
			first[a.query] = a
		} else if (f.origin == "") != (a.origin == "") && !both[a.query] {
			both[a.query] = true
			without, with = without || f.origin == "", with || f.origin != ""
		}
	}
	return without, with
}

// No query of a cold request is sent twice to the right's groups, not in a
// further look or a further comparison either.
func TestNonces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, targets := objects(3, 3)
		groups := map[string]string{}
		for range 2 {
			o, web := options(s, lacking(s, "Cache-Control"))
			began := time.Now()
			compared(t, o, targets)
			for _, a := range web.asked {
				if a.host != rightHost || !strings.Contains(a.query, "edgeward=") {
					continue
				}
				who := fmt.Sprint(began, a.scheme, a.path, a.at.Sub(began).Truncate(time.Second))
				if had, ok := groups[a.query]; ok && had != who {
					t.Errorf("%s: %s, then %s", a.query, had, who)
				}
				groups[a.query] = who
			}
			time.Sleep(time.Second)
		}
		if len(groups) < 20 {
			t.Errorf("only %d", len(groups))
		}
	})
}

func TestListedAndRefused(t *testing.T) {
	tests := map[string]struct {
		target Target
		right  store
		want   Result
		aspect Aspect
		// requests in all, when they are fewer than the whole matrix
		requests int
	}{
		"listed, served":      {target: Target{Path: "/a", Listed: true, Size: -1}, right: store{"/a": "a"}, want: Result{Verdict: Same, Readable: 1, Objects: 1}},
		"listed, not served":  {target: Target{Path: "/b", Listed: true, Size: -1}, want: Result{Verdict: Broken}, aspect: StatusCode},
		"picked, refused":     {target: Target{Path: "/b", Size: 1, Whole: true}, want: Result{Verdict: Same, Refused: 1}, requests: 3},
		"picked, opened":      {target: Target{Path: "/b", Size: 1}, right: store{"/b": "b"}, want: Result{Verdict: Broken, Refused: 1}, aspect: StatusCode},
		"aside, not there":    {target: Target{Path: "/b", Aside: true, Size: -1, Whole: true}, want: Result{Verdict: Same}},
		"readable, right not": {target: Target{Path: "/a", Size: 1}, want: Result{Verdict: Broken, Readable: 1, Objects: 1}, aspect: StatusCode, requests: 6},
		// Where the plain requests fail, nothing else is asked.
		"whole, right not": {target: Target{Path: "/a", Size: 1, Whole: true}, want: Result{Verdict: Broken, Readable: 1, Objects: 1}, aspect: StatusCode, requests: 28},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o, _ := options(store{"/a": "a"}, tt.right)
				got := compared(t, o, []Target{tt.target})
				tt.want.Paths = 1
				if d := gocmp.Diff(tt.want, got, cmpopts.IgnoreFields(Result{}, "Requests", "Bytes", "Digest", "Differences")); d != "" {
					t.Error(d)
				}
				if tt.requests > 0 && got.Requests != tt.requests {
					t.Errorf("%d requests, want %d", got.Requests, tt.requests)
				}
				if (tt.aspect != "") != (len(got.Differences) == 1) || tt.aspect != "" && got.Differences[0].Aspect != tt.aspect {
					t.Errorf("%+v", got.Differences)
				}
				if name == "listed, not served" && got.Differences[0].Mend != "correct the path, or leave it out" {
					t.Errorf("%+v", got.Differences)
				}
			})
		})
	}
}

func TestLeftError(t *testing.T) {
	dead := altered(store{}, func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	})
	for name, left := range map[string]http.Handler{"nobody": nil, "slow down": dead} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, targets := objects(30, 1)
				o, web := options(left, s)
				if left == nil {
					delete(web.sites, leftHost)
				}
				got, err := comparison(t.Context(), o, targets)
				var wrong *LeftError
				if !errors.As(err, &wrong) || wrong.Path == "" || got.Digest != "" {
					t.Errorf("%v, %+v", err, got)
				}
				if web.to(rightHost) != 0 {
					t.Error("the right was asked")
				}
			})
		})
	}
}

// Without a right, only the left is asked, once for each target.
func TestOnlyLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, targets := objects(20, 5)
		o, web := options(lacking(s, "Cache-Control"), s)
		o.Right = nil
		got := compared(t, o, targets)
		if got.Verdict != Same || got.Readable != 20 || got.NoCacheControl != 20 || len(web.asked) != 20 {
			t.Errorf("%d requests, %+v", len(web.asked), got)
		}
	})
}

// A right that never answers is asked only so often, and everything there is
// broken; one path that breaks it is one path.
func TestSilentRight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, targets := objects(500, 50)
		o, web := options(s, nil)
		delete(web.sites, rightHost)
		web.before = func(_ int, r providers.Request) error {
			if strings.Contains(r.URL, rightHost) {
				time.Sleep(10 * time.Second)
			}
			return nil
		}
		got := compared(t, o, targets)
		if got.Verdict != Broken || len(got.Differences) != 500 || got.More != 0 || got.Differences[0].Aspect != Answer || got.Differences[0].Also == 0 {
			t.Errorf("%d differences, %+v", len(got.Differences), got.Differences[:1])
		}
		if n := web.to(rightHost); n > 4*silences {
			t.Errorf("%d requests to a dead site", n)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		s, targets := objects(60, 0)
		o, web := options(s, s)
		web.before = func(_ int, r providers.Request) error {
			if strings.HasSuffix(r.URL, "00030.txt") && strings.Contains(r.URL, rightHost) {
				return errors.New("reset")
			}
			return nil
		}
		got := compared(t, o, targets)
		if len(got.Differences) != 1 || got.Differences[0].Path != "/o/00030.txt" {
			t.Errorf("%+v", got.Differences)
		}
	})
}

func TestBudget(t *testing.T) {
	s, targets := objects(40, 5)
	for i := range targets[:8] {
		s[targets[i].Path] = strings.Repeat("x", 10000)
		targets[i].Size = 10000
	}
	var all Result
	synctest.Test(t, func(t *testing.T) {
		o, _ := options(s, s)
		all = compared(t, o, targets)
	})
	tests := map[string]struct {
		requests int
		bytes    int64
		sizes    bool // are known
		what     string
		begun    bool
	}{
		"enough":            {requests: all.Requests, bytes: all.Bytes, sizes: true},
		"requests, at once": {requests: all.Requests - 1, sizes: true, what: "requests"},
		"bytes, at once":    {bytes: all.Bytes / 2, sizes: true, what: "bytes"},
		"bytes, on the way": {bytes: all.Bytes / 2, what: "bytes", begun: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o, web := options(s, s)
				o.MaxRequests, o.MaxBytes, o.Parallel = tt.requests, tt.bytes, 1
				mine := slices.Clone(targets)
				for i := range mine {
					if !tt.sizes {
						mine[i].Size = -1
					}
				}
				got, err := comparison(t.Context(), o, mine)
				var over *BudgetError
				if errors.As(err, &over) != (tt.what != "") {
					t.Fatalf("%v", err)
				}
				if tt.what == "" {
					return
				}
				if over.What != tt.what || over.Begun != tt.begun || (len(web.asked) > 0) != tt.begun || got.Digest != "" {
					t.Errorf("%+v after %d requests, %+v", over, len(web.asked), got)
				}
				if tt.begun && got.Bytes > tt.bytes+1 {
					t.Errorf("%d bytes used", got.Bytes)
				}
			})
		})
	}
	t.Run("requests, on the way", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			o, web := options(s, lacking(s, "Cache-Control"))
			o.MaxRequests = all.Requests
			_, err := comparison(t.Context(), o, targets)
			var over *BudgetError
			if !errors.As(err, &over) || !over.Begun || len(web.asked) != all.Requests {
				t.Errorf("%v after %d requests", err, len(web.asked))
			}
		})
	})
}

// The estimate is exact for objects that are served as they are listed.
func TestEstimate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, targets := objects(20, 12)
		o, web := options(s, s)
		compared(t, o, targets)
		r, n := newRun(o, targets), 0
		for i, x := range r.targets {
			requests, _ := r.estimate(x, r.whole[i])
			n += requests
		}
		if n != len(web.asked) {
			t.Errorf("estimated %d requests, made %d", n, len(web.asked))
		}
	})
}

// Cut at any request and gone on with, a comparison finds the same, and asks
// again only what was in hand.
func TestResume(t *testing.T) {
	s, targets := objects(7, 1)
	right := func() http.Handler {
		return altered(lacking(flaky(s, "/o/00001.txt", 1), "Cache-Control"), func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != "/o/00000.txt" && r.URL.Path != "/o/00005.txt" {
				s.ServeHTTP(w, r)
				return true
			}
			return false
		})
	}
	run := func(t *testing.T, cut int, had map[string]Outcome, kept map[string]Outcome) (Result, *fakeWeb, error) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		o, web := options(s, right())
		o.Parallel, o.Resume = 2, had
		o.Keep = func(x Outcome) error { kept[x.Path] = x; return nil }
		web.delay = jitter(3, time.Second)
		web.before = func(n int, _ providers.Request) error {
			if n == cut {
				cancel()
			}
			return nil
		}
		got, err := comparison(ctx, o, targets)
		return got, web, err
	}
	var want Result
	synctest.Test(t, func(t *testing.T) {
		var err error
		if want, _, err = run(t, 0, nil, map[string]Outcome{}); err != nil {
			t.Fatal(err)
		}
	})
	if want.Verdict != Changed {
		t.Fatalf("%+v", want)
	}
	for cut := 1; cut <= want.Requests; cut++ {
		synctest.Test(t, func(t *testing.T) {
			had := map[string]Outcome{}
			got, _, err := run(t, cut, nil, had)
			if !errors.Is(err, context.Canceled) || got.Digest != "" {
				t.Fatalf("cut %d: %v, %+v", cut, err, got)
			}
			kept := map[string]Outcome{}
			got, web, err := run(t, 0, had, kept)
			if d := gocmp.Diff(want, got); err != nil || d != "" {
				t.Fatalf("cut %d: %v, %s", cut, err, d)
			}
			for _, a := range web.asked {
				if _, ok := had[a.path]; ok {
					t.Fatalf("cut %d: asked again for %s", cut, a.path)
				}
			}
			if len(had)+len(kept) != len(targets) {
				t.Fatalf("cut %d: %d kept, then %d", cut, len(had), len(kept))
			}
		})
	}
}

func TestKeepFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, targets := objects(9, 3)
		o, _ := options(s, s)
		full := errors.New("disk full")
		o.Keep = func(Outcome) error { return full }
		if _, err := comparison(t.Context(), o, targets); !errors.Is(err, full) {
			t.Errorf("%v", err)
		}
	})
}

// However long each request takes, the result is the same.
func TestSteadyResult(t *testing.T) {
	var first Result
	for seed := range uint64(8) {
		synctest.Test(t, func(t *testing.T) {
			s, targets := objects(60, 12)
			o, web := options(s, &cache{site: lacking(s, "Cache-Control")})
			web.delay = jitter(seed, 3*time.Second)
			time.Sleep(time.Duration(seed) * time.Hour)
			got := compared(t, o, targets)
			if seed == 0 {
				first = got
			}
			if d := gocmp.Diff(first, got); d != "" {
				t.Errorf("seed %d: %s", seed, d)
			}
		})
	}
}

// The digest is of the sites, the targets and the verdicts.
func TestDigest(t *testing.T) {
	s, targets := objects(5, 1)
	seen := map[string]string{}
	add := func(name string, right http.Handler, targets []Target, change func(*Options)) {
		synctest.Test(t, func(t *testing.T) {
			o, _ := options(s, right)
			if change != nil {
				change(&o)
			}
			d := compared(t, o, targets).Digest
			if had, ok := seen[d]; ok {
				t.Errorf("%s and %s have one digest", had, name)
			}
			seen[d] = name
		})
	}
	add("same", s, targets, nil)
	add("changed", lacking(s, "Cache-Control"), targets, nil)
	add("accepted", lacking(s, "Cache-Control"), targets, func(o *Options) { o.Accept = []Aspect{CacheControl} })
	for _, x := range targets[:2] {
		add("changed at "+x.Path, altered(lacking(s, "Cache-Control"), func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != x.Path {
				s.ServeHTTP(w, r)
			}
			return r.URL.Path != x.Path
		}), targets, nil)
	}
	add("fewer", s, targets[1:], nil)
	add("other site", s, targets, func(o *Options) { o.Left.Dial = "elsewhere" })
	add("fewer sites", s, targets, func(o *Options) { o.Right = o.Right[:1] })
}

func TestAccept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, targets := objects(3, 1)
		for _, accept := range []Aspect{CacheControl, Body} {
			o, _ := options(s, lacking(s, "Cache-Control"))
			o.Accept = []Aspect{accept}
			got := compared(t, o, targets)
			want, source := Expected, "verify.accept"
			if accept == Body {
				want, source = Changed, ""
			}
			if got.Verdict != want || got.Differences[0].Source != source {
				t.Errorf("%+v", got)
			}
		}
		s2, _ := objects(3, 1)
		s2["/o/00001.txt"] = "another"
		o, _ := options(s, s2)
		o.Accept = Aspects()
		if got := compared(t, o, targets); got.Verdict != Broken {
			t.Errorf("broken was accepted: %+v", got)
		}
	})
}

// Cancelled at any time, it ends at once and leaves nothing behind (the bubble
// would not end).
func TestCancel(t *testing.T) {
	s, targets := objects(40, 10)
	for after := range 60 {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			o, web := options(s, lacking(s, "Cache-Control"))
			o.Rate = 50
			web.delay = jitter(uint64(after), 200*time.Millisecond)
			o.Progress = func(Progress) {}
			at := time.Duration(after) * 370 * time.Millisecond
			go func() {
				time.Sleep(at)
				cancel()
			}()
			begun := time.Now()
			_, err := comparison(ctx, o, targets)
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%v", err)
			}
			if late := time.Since(begun) - at; late > time.Millisecond {
				t.Errorf("ended %v after it was cancelled", late)
			}
		})
	}
}

// Differences are kept in a bounded number, always the same ones.
func TestKeptDifferences(t *testing.T) {
	var first Result
	for seed := range uint64(2) {
		synctest.Test(t, func(t *testing.T) {
			s, targets := objects(2500, 0)
			o, web := options(s, lacking(s, "Cache-Control"))
			web.delay = jitter(seed, time.Second)
			got := compared(t, o, targets)
			if len(got.Differences) != MaxKept || got.More != 2500-MaxKept || !slices.IsSortedFunc(got.Differences, order) ||
				got.Differences[MaxKept-1].Path != targets[MaxKept-1].Path {
				t.Errorf("%d kept, %d more", len(got.Differences), got.More)
			}
			if seed == 0 {
				first = got
			}
			if d := gocmp.Diff(first, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, targets := objects(50, 20)
		o, web := options(s, s)
		web.delay = jitter(1, 100*time.Millisecond)
		var last Progress
		calls := 0
		var at time.Time
		o.Progress = func(p Progress) {
			if p.Done < last.Done || p.Requests < last.Requests || p.Done < p.Targets && calls > 0 && time.Since(at) < told {
				t.Errorf("%+v %v after %+v", p, time.Since(at), last)
			}
			last, at = p, time.Now()
			calls++
		}
		got := compared(t, o, targets)
		if want := (Progress{Done: 50, Targets: 50, Requests: got.Requests, Bytes: got.Bytes}); last != want || calls < 20 {
			t.Errorf("%d calls, the last %+v", calls, last)
		}
	})
}

// BenchmarkCompare has no time but that of this package and the sites in memory.
func BenchmarkCompare(b *testing.B) {
	for _, n := range []int{20, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s, targets := objects(n, min(n, 50))
			b.ReportAllocs()
			requests := 0
			for b.Loop() {
				o, _ := options(s, s)
				got, err := Compare(b.Context(), o, targets)
				if err != nil {
					b.Fatal(err)
				}
				requests = got.Requests
			}
			b.ReportMetric(float64(requests), "requests/op")
		})
	}
}
