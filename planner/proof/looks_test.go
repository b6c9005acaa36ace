package proof

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"
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

// An object that is replaced between any two requests is no difference; a right
// that stays behind is.
func TestObjectAlwaysReplaced(t *testing.T) {
	for name, behind := range map[string]bool{"the same": false, "behind": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, targets := objects(3, 1)
				begun := s[targets[0].Path]
				right := altered(s, func(w http.ResponseWriter, r *http.Request) bool {
					if !behind || r.URL.Path != targets[0].Path {
						return false
					}
					store{r.URL.Path: begun}.ServeHTTP(w, r)
					return true
				})
				o, web := options(s, right)
				web.before = func(n int, r providers.Request) error {
					if n%5 == 0 {
						s[targets[0].Path] = strings.Repeat("x", 50) + strconv.Itoa(n)
					}
					return nil
				}
				o.Parallel = 1
				got := compared(t, o, targets)
				if want := map[bool]Verdict{false: Same, true: Broken}[behind]; got.Verdict != want {
					t.Errorf("%+v, want %s", got, want)
				}
			})
		})
	}
}

// What was broken in one look and changed in the next is looked at a third time.
func TestBrokenOrChanged(t *testing.T) {
	for name, tt := range map[string]struct {
		statuses []int
		want     Verdict
		blamed   bool
	}{
		"changed":             {[]int{403, 403}, Expected, false},
		"broken once":         {[]int{200, 403, 403}, Expected, true},
		"changed, broken":     {[]int{403, 200, 403}, Expected, true},
		"broken twice":        {[]int{200, 403, 200}, Broken, false},
		"broken, then broken": {[]int{200, 200}, Broken, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := 0
				o, _ := options(store{}, altered(store{}, func(w http.ResponseWriter, _ *http.Request) bool {
					w.WriteHeader(tt.statuses[n])
					n++
					return true
				}))
				o.Right, o.Accept = o.Right[:1], []Aspect{StatusCode}
				var out Outcome
				o.Keep = func(x Outcome) error { out = x; return nil }
				r := newRun(o, []Target{{Path: "/none", Aside: true, Size: -1}})
				r.judge = func(_ Facts, t Target, p pair) []Difference {
					d := Difference{Path: t.Path, Aspect: StatusCode, Verdict: Changed, Left: "404", Right: "403"}
					if p.reply.Status == 200 {
						d.Verdict = Broken
					}
					return []Difference{d}
				}
				got, err := r.compare(t.Context())
				if err != nil || got.Verdict != tt.want || n != len(tt.statuses) || out.Blamed != tt.blamed || out.Failed != tt.blamed {
					t.Errorf("%+v, %+v after %d looks: %v", got, out, n, err)
				}
			})
		})
	}
}

// A copy of the version before, which the object lets caches keep and which was
// fetched when it was right, is expected; what is no such copy is broken.
func TestOldCopy(t *testing.T) {
	const path = "/app.js"
	now := time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)
	version := func(body string, at time.Time, control string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h := w.Header()
			h.Set("Date", now.Format(http.TimeFormat))
			h.Set("Content-Type", "text/javascript")
			h.Set("Etag", strconv.Quote(body[:3]))
			if control != "" {
				h.Set("Cache-Control", control)
			}
			http.ServeContent(w, r, "", at, strings.NewReader(body))
		})
	}
	tests := map[string]struct {
		age      int
		replaced time.Duration // ago
		left     string
		control  string
		want     Verdict
	}{
		"fetched before":             {600, 60 * time.Second, "max-age=3600", "max-age=3600", Expected},
		"fetched in the same second": {60, 61 * time.Second, "max-age=3600", "max-age=3600", Expected},
		"fetched after":              {600, 700 * time.Second, "max-age=3600", "max-age=3600", Broken},
		"too old":                    {3700, 60 * time.Second, "max-age=3600", "max-age=3600", Broken},
		"nothing said":               {600, 60 * time.Second, "", "", Broken},
		"not to be kept":             {600, 60 * time.Second, "no-cache", "no-cache", Broken},
		"the right's own time":       {600, 60 * time.Second, "max-age=60", "max-age=3600", Broken},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				left := version("new version of another length", now.Add(-tt.replaced), tt.left)
				old, missed := version("old version", now.Add(-24*time.Hour), tt.control), version("new version of another length", now.Add(-tt.replaced), tt.left)
				o, _ := options(left, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if r.URL.RawQuery != "" {
						missed.ServeHTTP(w, r)
						return
					}
					w.Header().Set("X-Cache", "Hit from cloudfront")
					w.Header().Set("Age", strconv.Itoa(tt.age))
					old.ServeHTTP(w, r)
				}))
				o.Facts.CORS = nil
				got, err := Compare(t.Context(), o, []Target{{Path: path, Size: 29, Whole: true}})
				if err != nil || got.Verdict != tt.want {
					t.Errorf("%s, want %s: %+v, %v", got.Verdict, tt.want, got.Differences, err)
				}
			})
		})
	}
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
