package proof

import (
	"cmp"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeward/edgeward/providers"
)

// flaky fails the plain GETs that come to path, by their number from 1.
func flaky(site http.Handler, path string, fails ...int) http.Handler {
	n := 0
	return altered(site, func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != path || r.URL.RawQuery != "" || r.Method != http.MethodGet {
			return false
		}
		n++
		if slices.Contains(fails, n) {
			w.WriteHeader(http.StatusServiceUnavailable)
			return true
		}
		return false
	})
}

func TestLooks(t *testing.T) {
	const path = "/o/00000.txt"
	tests := map[string]struct {
		left, right []int // which GETs fail
		want        Outcome
		verdict     Verdict
		requests    int
	}{
		"nothing":           {want: Outcome{}, verdict: Same, requests: 2},
		"right once":        {right: []int{1}, want: Outcome{Repeated: true, Blamed: true, Failed: true}, verdict: Same, requests: 6},
		"right twice":       {right: []int{1, 2}, want: Outcome{}, verdict: Broken, requests: 4},
		"right first, last": {right: []int{1, 3}, want: Outcome{}, verdict: Broken, requests: 6},
		"right always":      {right: []int{1, 2, 3}, want: Outcome{}, verdict: Broken, requests: 4},
		"left once":         {left: []int{1}, want: Outcome{Repeated: true}, verdict: Same, requests: 3},
		"both once":         {left: []int{1}, right: []int{1}, want: Outcome{Repeated: true}, verdict: Same, requests: 7},
		"left twice":        {left: []int{1, 2}, want: Outcome{Repeated: true}, verdict: Same, requests: 4},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, targets := objects(1, 0)
				o, web := options(flaky(s, path, tt.left...), flaky(s, path, tt.right...))
				o.Right = o.Right[:1]
				var out Outcome
				o.Keep = func(x Outcome) error { out = x; return nil }
				begun := time.Now()
				got := compared(t, o, targets)
				if got.Verdict != tt.verdict || len(web.asked) != tt.requests {
					t.Errorf("%s after %d requests, want %s after %d", got.Verdict, len(web.asked), tt.verdict, tt.requests)
				}
				if tt.requests > 2 && time.Since(begun) < pause {
					t.Errorf("looked at again after %v", time.Since(begun))
				}
				if out.Repeated != tt.want.Repeated || out.Blamed != tt.want.Blamed || out.Failed != tt.want.Failed {
					t.Errorf("%+v, want %+v", out, tt.want)
				}
				if (got.Repeated == 1) != tt.want.Repeated {
					t.Errorf("%d repeated", got.Repeated)
				}
			})
		})
	}
}

// A right that is wrong in another way each time is wrong.
func TestWrongEachTimeOtherwise(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, targets := objects(1, 0)
		n := 0
		right := altered(s, func(w http.ResponseWriter, _ *http.Request) bool {
			n++
			switch n {
			case 1:
				w.WriteHeader(http.StatusBadGateway)
			case 2:
				_, _ = w.Write([]byte("another"))
			}
			return n <= 2
		})
		o, _ := options(s, right)
		o.Right = o.Right[:1]
		got := compared(t, o, targets)
		if got.Verdict != Broken || got.Differences[0].Aspect != Body {
			t.Errorf("%+v", got)
		}
	})
}

// An object that is replaced while it is compared is no difference.
func TestObjectReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, targets := objects(3, 1)
		o, web := options(s, s)
		web.before = func(_ int, r providers.Request) error {
			if r.URL == o.Right[0].URL+targets[0].Path {
				s[targets[0].Path] = "new"
			}
			return nil
		}
		o.Parallel = 1
		if got := compared(t, o, targets); got.Verdict != Same || got.Repeated != 1 {
			t.Errorf("%+v", got)
		}
	})
}

func TestUnsteady(t *testing.T) {
	tests := map[string]struct {
		left, right int // paths that fail once, the left's are the last ones
		paths       int // 100
		changed     bool
		want        Verdict
	}{
		"two":                       {right: 2, want: Same},
		"three":                     {right: 3, want: Broken},
		"three of 150":              {right: 3, paths: 150, want: Same},
		"three of 149":              {right: 3, paths: 149, want: Broken},
		"three at both":             {left: 100, right: 3, want: Same},
		"many, left a quarter":      {left: 5, right: 20, want: Same},
		"many, left sometimes":      {left: 4, right: 20, want: Broken},
		"three, other, no failures": {right: 3, changed: true, want: Changed},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, targets := objects(cmp.Or(tt.paths, 100), 0)
				once := func(n int, last, changed bool) http.Handler {
					seen := map[string]bool{}
					return altered(s, func(w http.ResponseWriter, r *http.Request) bool {
						for i, x := range targets {
							if last {
								i = len(targets) - 1 - i
							}
							if x.Path == r.URL.Path && i < n && !seen[x.Path] {
								seen[x.Path] = true
								if changed {
									lacking(s, "Cache-Control").ServeHTTP(w, r)
								} else {
									w.WriteHeader(http.StatusServiceUnavailable)
								}
								return true
							}
						}
						return false
					})
				}
				o, _ := options(once(tt.left, true, false), once(tt.right, false, tt.changed))
				o.Parallel = 1
				got := compared(t, o, targets)
				if got.Verdict != tt.want {
					t.Errorf("%+v, want %s", got, tt.want)
				}
				if tt.want != Same && (len(got.Differences) != 1 || got.Differences[0].Aspect != Unsteady || got.Differences[0].Also != tt.right-1) {
					t.Errorf("%+v", got.Differences)
				}
			})
		})
	}
}
