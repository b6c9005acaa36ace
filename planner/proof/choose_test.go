package proof

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/edgeward/edgeward/providers"
)

var chooseNow = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// manyObjects is a listing of n plain objects of one kind.
func manyObjects(n int) []providers.Object {
	var objs []providers.Object
	for i := range n {
		objs = append(objs, providers.Object{Key: fmt.Sprintf("img/%06d.png", i), Size: 2000 + int64(i%100), StorageClass: "STANDARD",
			LastModified: chooseNow.Add(time.Duration(i*7919%100_000) * time.Second)})
	}
	return objs
}

func chosen(c Choice) map[string]Target {
	m := map[string]Target{}
	for _, t := range c.Targets {
		m[t.Path] = t
	}
	return m
}

// TestChooseMeetsEveryKind: each object that is the only one of its kind is a
// target, however small the sample.
func TestChooseMeetsEveryKind(t *testing.T) {
	kinds := map[string]providers.Object{
		"an extension":             {Key: "img/x.webp", Size: 2000},
		"an extension in capitals": {Key: "img/x.JPEG", Size: 2000},
		"no extension":             {Key: "img/LICENSE", Size: 2000},
		"no program's extension":   {Key: "img/v1.2_final-copy", Size: 2000},
		"empty":                    {Key: "img/empty.png"},
		"too small to compress":    {Key: "img/tiny.png", Size: 999},
		"megabytes":                {Key: "img/m.png", Size: 5_000_000},
		"too large to compress":    {Key: "img/l.png", Size: 10_000_001},
		"not read whole":           {Key: "img/xl.png", Size: 33 << 20},
		"gigabytes":                {Key: "img/xxl.png", Size: 5 << 30},
		"the largest":              {Key: "img/largest.png", Size: 6 << 30},
		"the newest":               {Key: "img/newest.png", Size: 2000, LastModified: chooseNow.AddDate(1, 0, 0)},
		"at the top":               {Key: "top.png", Size: 2000},
		"deep":                     {Key: "a/b/c/d/e/f.png", Size: 2000},
		"a storage class":          {Key: "img/ia.png", Size: 2000, StorageClass: "STANDARD_IA"},
		"intelligent":              {Key: "img/it.png", Size: 2000, StorageClass: "INTELLIGENT_TIERING"},
		"a space":                  {Key: "img/a b.png", Size: 2000},
		"a plus":                   {Key: "img/a+b.png", Size: 2000},
		"a percent":                {Key: "img/a%2Fb.png", Size: 2000},
		"beyond ASCII":             {Key: "img/ö.png", Size: 2000},
		"an empty part":            {Key: "img//x.png", Size: 2000},
		"a slash in front":         {Key: "/x.png", Size: 2000},
		"a question mark":          {Key: "img/a?b.png", Size: 2000},
		"a hash":                   {Key: "img/a#b.png", Size: 2000},
		"very long":                {Key: "img/" + strings.Repeat("x", 600) + ".png", Size: 2000},
		"a dot as a part":          {Key: "img/./x.png", Size: 2000},
		"punctuation":              {Key: "img/a=b&c.png", Size: 2000},
		"letters that are escaped": {Key: "img/a|b.png", Size: 2000},
		"a control character":      {Key: "img/a\x01b.png", Size: 2000},
	}
	for what, o := range kinds {
		t.Run(what, func(t *testing.T) {
			o.LastModified = cmpTime(o.LastModified)
			objs := append(manyObjects(3000), o)
			for seed := range 5 {
				c := Choose(Question{Objects: objs, Sample: 2, Seed: fmt.Sprint(seed)})
				got, ok := chosen(c)[PathOf(o.Key)]
				if !ok || !got.Whole || got.Size != o.Size || got.Why == "" {
					t.Fatalf("seed %d: %+v is no target (%+v)", seed, o, c.Targets)
				}
			}
		})
	}
	var all []providers.Object
	for _, o := range kinds {
		o.LastModified = cmpTime(o.LastModified)
		all = append(all, o)
	}
	c := Choose(Question{Objects: append(manyObjects(3000), all...), Sample: 2, Seed: "x"})
	if c.Over == 0 || c.Picked != c.Over+2 {
		t.Errorf("%d picked, %d over a sample of 2", c.Picked, c.Over)
	}
}

func cmpTime(t time.Time) time.Time {
	if t.IsZero() {
		return chooseNow
	}
	return t
}

func TestChooseIsStable(t *testing.T) {
	objs := manyObjects(2500)
	objs[17].StorageClass, objs[18].StorageClass = "GLACIER", "DEEP_ARCHIVE"
	objs = append(objs, providers.Object{Key: "img/", StorageClass: "STANDARD"})
	for _, n := range []int{-1, 0, 1, 5, 20, 2497, 2498, 9999} {
		q := Question{Objects: objs, Sample: n, Seed: "s", Paths: []string{"/img/000005.png", "/x?y"}}
		c := Choose(q)
		want := n
		switch {
		case n < 0 || n > 2497:
			want = 2497 // one was named
		case n == 1:
			want = 3 // the newest, the largest, the smallest
		}
		if c.Picked != want || c.Of != 2498 || c.Folders != 1 {
			t.Errorf("sample %d: %d picked of %d, %d folders, want %d", n, c.Picked, c.Of, c.Folders, want)
		}
		if d := cmp.Diff([]string{"img/000017.png", "img/000018.png"}, c.Archived); d != "" {
			t.Error(d)
		}
		if d := cmp.Diff(c, Choose(q)); d != "" {
			t.Error(d)
		}
		mixed := slices.Clone(objs)
		rand.New(rand.NewPCG(1, uint64(n))).Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
		q.Objects = mixed
		if d := cmp.Diff(c, Choose(q)); d != "" {
			t.Errorf("sample %d: the order of the listing counts: %s", n, d)
		}
		seen := map[string]bool{}
		for _, x := range c.Targets {
			if seen[x.Path] || strings.Contains(x.Path, "000017") || x.Path == "/img/" && !x.Aside {
				t.Errorf("sample %d: %+v", n, x)
			}
			seen[x.Path] = true
		}
	}
	a, b := Choose(Question{Objects: objs, Sample: 20, Seed: "a"}), Choose(Question{Objects: objs, Sample: 20, Seed: "b"})
	if cmp.Equal(a.Targets, b.Targets) {
		t.Error("the seed chooses nothing")
	}
}

// TestChooseIsEven: what the kinds leave of the sample is spread.
func TestChooseIsEven(t *testing.T) {
	c := Choose(Question{Objects: manyObjects(10_000), Sample: 103, Seed: "s"})
	tenth := map[byte]int{}
	for _, x := range c.Targets {
		if x.Why == "sample" {
			tenth[x.Path[len("/img/00")]]++
		}
	}
	if len(tenth) != 10 {
		t.Fatalf("%v", tenth)
	}
	for k, n := range tenth {
		if n < 8 || n > 12 {
			t.Errorf("%c: %d of 100", k, n)
		}
	}
}

func TestChooseNames(t *testing.T) {
	objs := []providers.Object{{Key: "a.txt", Size: 3}, {Key: "img/x.png", Size: 4}, {Key: "img/deep/y.png", Size: 5}, {Key: "img/deep/z*.png", Size: 6},
		{Key: "docs/ä b.html", Size: 7}, {Key: "old.bin", StorageClass: "GLACIER"}}
	tests := map[string]struct {
		path      string
		want      []string
		unmatched bool
	}{
		"a path":              {"/a.txt", []string{"/a.txt"}, false},
		"a path with a query": {"/a.txt?x=*", []string{"/a.txt?x=*"}, false},
		"a path of nothing":   {"/nothing", []string{"/nothing"}, false},
		"one segment":         {"/img/*.png", []string{"/img/x.png"}, false},
		"segments":            {"/img/*/*.png", []string{"/img/deep/y.png", "/img/deep/z%2A.png"}, false},
		"any":                 {"/img/**", []string{"/img/deep/y.png", "/img/deep/z%2A.png", "/img/x.png"}, false},
		"any, by its end":     {"/**y.png", []string{"/img/deep/y.png"}, false},
		"escaped":             {"/docs/%C3%A4*", []string{"/docs/%C3%A4%20b.html"}, false},
		"an escaped star":     {"/img/deep/*%2A.png", []string{"/img/deep/z%2A.png"}, false},
		"nothing":             {"/css/*", nil, true},
		"a dot is a dot":      {"/*_txt", nil, true},
		"only archived":       {"/old*", nil, false},
		"not beyond the end":  {"/a.t*x", nil, true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			c := Choose(Question{Paths: []string{tc.path}, Objects: objs, Seed: "s"})
			var got []string
			for _, x := range c.Targets {
				if !x.Aside {
					got = append(got, x.Path)
				}
			}
			if d := cmp.Diff(tc.want, got); d != "" || (c.Unmatched != nil) != tc.unmatched {
				t.Errorf("%v, unmatched %v", got, c.Unmatched)
			}
			if listed := len(got) == 1 && c.Targets[0].Listed; listed == IsPattern(tc.path) && len(got) == 1 {
				t.Errorf("%+v", c.Targets[0])
			}
		})
	}
	if got := PathOf("a b/ö+%2F?.txt"); got != "/a%20b/%C3%B6%2B%252F%3F.txt" {
		t.Errorf("path %s", got)
	}
	c := Choose(Question{Paths: []string{"/docs/%c3%a4%20b.html"}, Objects: objs})
	if c.Targets[0].Size != 7 {
		t.Errorf("%+v", c.Targets[0])
	}
}

func TestChooseAsides(t *testing.T) {
	objs := []providers.Object{{Key: "index.html"}, {Key: "blog/index.html"}, {Key: "blog/2026/index.html"}, {Key: "img/x.png"}, {Key: "error.html"}}
	to := "https://x/"
	site := &providers.Website{IndexDocument: "index.html", ErrorDocument: "error.html", RoutingRules: []providers.RoutingRule{
		{KeyPrefix: "docs/", HostName: "h"}, {ErrorCode: "404", HostName: "h"}, {KeyPrefix: "lost/", ErrorCode: "403"}, {KeyPrefix: "old.html", ReplaceKeyPrefix: &to}, {Protocol: "https"}}}
	whys := func(q Question) map[string]string {
		m := map[string]string{}
		for _, x := range Choose(q).Targets {
			if x.Aside {
				m[x.Why] = x.Path
				if x.Listed || x.Size != -1 || !x.Whole {
					t.Errorf("%+v", x)
				}
			}
		}
		return m
	}
	got := whys(Question{Objects: objs, Seed: "s", Website: site})
	for why, want := range map[string]string{
		"root": "/", "missing key": "/edgeward-", "missing key below a folder": "/edgeward-",
		"folder with an index document": "/blog/", "folder with an index document, without its slash": "/blog",
		"folder in a folder, with an index document": "/blog/2026/", "folder without an index document": "/img/", "folder without an index document, without its slash": "/img",
		"routing rule 1 (prefix docs/)": "/docs/edgeward-", "routing rule 2 (error 404)": "/edgeward-", "routing rule 3 (prefix lost/, error 403)": "/lost/edgeward-",
		"routing rule 4 (prefix old.html)": "/old.html", "routing rule 5 (every request)": "/edgeward-",
	} {
		if !strings.Contains(got[why], want) {
			t.Errorf("%s: %q, want %s", why, got[why], want)
		}
	}
	rest := whys(Question{Objects: objs, Seed: "s"})
	if rest["folder"] == "" || rest["folder without its slash"]+"/" != rest["folder"] || rest["root"] != "/" || len(rest) != 5 {
		t.Errorf("%v", rest)
	}
	all := whys(Question{Seed: "s", Website: &providers.Website{RedirectAllTo: "example.net"}})
	if !strings.HasSuffix(all["redirect of all requests"], "/x?a=b") || len(all) != 3 {
		t.Errorf("%v", all)
	}
}

// TestChooseBounds: neither very many kinds nor very many named paths take over.
func TestChooseBounds(t *testing.T) {
	var objs []providers.Object
	for i := range 5000 {
		objs = append(objs, providers.Object{Key: fmt.Sprintf("x/%d.e%d", i, i), Size: 2000, StorageClass: "STANDARD"})
	}
	objs = append(objs, providers.Object{Key: "a+b", Size: 2000, StorageClass: "ONEZONE_IA"})
	c := Choose(Question{Objects: objs, Sample: 20, Seed: "s", Paths: []string{"/x/1*"}})
	if c.Unmet == 0 || c.Picked > maxKinds+3 {
		t.Errorf("%d picked, %d kinds not met", c.Picked, c.Unmet)
	}
	whole := map[string]int{}
	for _, x := range c.Targets {
		if x.Whole {
			whole[strings.SplitN(x.Why, " ", 2)[0]]++
		}
	}
	n := 0
	for _, k := range whole {
		n += k
	}
	if got := chosen(c)["/a%2Bb"]; n != MaxWhole || !got.Whole {
		t.Errorf("%v, %+v", whole, got)
	}
}

// shelf is a left site of objects with headers; nothing else is asked of it.
type shelf struct {
	mu      sync.Mutex
	headers map[string]http.Header
	status  map[string]int
	asked   []string
}

func (s *shelf) Fetch(_ context.Context, r providers.Request) (providers.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	path := strings.TrimPrefix(r.URL, "http://left.example.com")
	s.asked = append(s.asked, r.Method+" "+path)
	if r.Dial != "s3" || path == r.URL {
		return providers.Response{}, errors.New("asked elsewhere: " + r.URL)
	}
	h := http.Header{"Content-Type": {"image/png"}}
	for k, v := range s.headers[path] {
		h[k] = v
	}
	st, ok := s.status[path]
	switch {
	case !ok:
		st = http.StatusOK
	case st < 0:
		return providers.Response{}, errors.New("no answer")
	}
	return providers.Response{Status: st, Header: h}, nil
}

func TestWiden(t *testing.T) {
	objs := manyObjects(150)
	special := map[string]http.Header{
		"/img/000003.png": {"Content-Type": {"Image/WebP; q=1"}},
		"/img/000013.png": {"Content-Encoding": {"gzip"}},
		"/img/000023.png": {"X-Amz-Meta-Author": {"a"}},
		"/img/000033.png": {"Cache-Control": {"max-age=60, immutable"}},
		"/img/000043.png": {"Content-Disposition": {"attachment; filename=x"}},
		"/img/000053.png": {"Content-Language": {"de"}},
		"/img/000063.png": {"X-Amz-Website-Redirect-Location": {"/x"}},
		"/img/000073.png": {"Expires": {"Thu, 01 Jan 2026 00:00:00 GMT"}},
	}
	status := map[string]int{"/img/000083.png": 403, "/img/000093.png": 301, "/img/000097.png": -1, "/img/000098.png": 404}
	for _, sample := range []int{3, -1} {
		synctest.Test(t, func(t *testing.T) {
			web := &shelf{headers: special, status: status}
			o := Options{Web: web, Clock: providers.RealClock{}, Left: Site{URL: "http://left.example.com", Dial: "s3"}, Rate: 50}
			c := Choose(Question{Objects: objs, Sample: sample, Seed: "s"})
			begin := time.Now()
			ts, n, err := Widen(t.Context(), o, c)
			if err != nil || n != len(web.asked) || n > 150 {
				t.Fatalf("%d requests, %d sent, %v", n, len(web.asked), err)
			}
			if d := time.Since(begin); d < time.Duration(n-1)*time.Second/50 {
				t.Errorf("%d requests in %s", n, d)
			}
			whole := map[string]bool{}
			for _, x := range ts {
				whole[x.Path] = x.Whole
				if x.Whole && x.Why == "" {
					t.Errorf("%+v", x)
				}
			}
			for p := range special {
				if !whole[p] {
					t.Errorf("sample %d: %s is no target with the whole matrix", sample, p)
				}
			}
			for p, st := range status {
				if want := st == 403 || st == 301; whole[p] != want && sample > 0 {
					t.Errorf("sample %d: %s, which answers %d: %t", sample, p, st, whole[p])
				}
			}
			if added := len(ts) - len(c.Targets); sample > 0 && added != len(special)+2 || sample < 0 && added != 0 {
				t.Errorf("sample %d: %d were added", sample, added)
			}
		})
	}
}

// TestWidenAsksNothing where every object has the whole matrix already.
func TestWidenAsksNothing(t *testing.T) {
	c := Choose(Question{Objects: manyObjects(30), Sample: 30, Seed: "s"})
	ts, n, err := Widen(t.Context(), Options{}, c)
	if n != 0 || err != nil || !cmp.Equal(ts, c.Targets) {
		t.Errorf("%d requests, %v", n, err)
	}
}

// TestWidenKeepsToTheBudget takes a quarter of it at most.
func TestWidenKeepsToTheBudget(t *testing.T) {
	web := &shelf{}
	o := Options{Web: web, Clock: providers.RealClock{}, Left: Site{URL: "http://left.example.com", Dial: "s3"}, Rate: 1e6, MaxRequests: 40}
	if _, n, err := Widen(t.Context(), o, Choose(Question{Objects: manyObjects(500), Sample: 20, Seed: "s"})); n != 10 || len(web.asked) != 10 || err != nil {
		t.Errorf("%d requests, %d sent, %v", n, len(web.asked), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := Widen(ctx, o, Choose(Question{Objects: manyObjects(500), Sample: 20, Seed: "s"})); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}
