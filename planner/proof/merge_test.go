package proof

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMerge(t *testing.T) {
	get := func(a Aspect, v Verdict, edit ...func(*finding)) finding {
		f := finding{Difference: Difference{Path: "/o", Request: "GET", Aspect: a, Verdict: v, Left: "l", Right: "r"}, get: partPlain}
		for _, e := range edit {
			e(&f)
		}
		return f
	}
	in := func(p part) func(*finding) {
		return func(f *finding) { f.get, f.Request = p, string("GET "+p) }
	}
	other := func(f *finding) { f.get, f.Request = "", "HEAD" }
	warm := func(f *finding) { f.warm, f.Request = true, "GET warm" }
	second := func(f *finding) { f.site = 1 }
	left := func(text string) func(*finding) { return func(f *finding) { f.Left = text } }
	source := func(text string) func(*finding) { return func(f *finding) { f.Source = text } }
	tests := map[string]struct {
		found []finding
		want  []string // aspect verdict request also
	}{
		"nothing": {},
		"many requests show it alike": {found: []finding{get(CacheControl, Changed), get(CacheControl, Changed, warm), get(CacheControl, Changed, other), get(CacheControl, Changed, second)},
			want: []string{"cache-control changed GET 3"}},
		"the worst is told":       {found: []finding{get(CORS, Changed), get(CORS, Broken, in(partCORS))}, want: []string{"cors broken GET cors 1"}},
		"expected stands alone":   {found: []finding{get(Vary, Expected), get(Vary, Changed, other)}, want: []string{"vary expected GET 0", "vary changed HEAD 0"}},
		"expected for two causes": {found: []finding{get(Header, Expected, source("a")), get(Header, Expected, source("b"))}, want: []string{"header expected GET 0", "header expected GET 0"}},
		"two headers": {found: []finding{get(Header, Changed, left("X-A: 1")), get(Header, Changed, left("X-B: 1")), get(Header, Changed, left("x-a: 2"), other)},
			want: []string{"header changed GET 1", "header changed GET 0"}},
		"two headers, added": {found: []finding{get(Metadata, Changed, left("no x-amz-meta-a"), func(f *finding) { f.Right = "x-amz-meta-a: 1" }),
			get(Metadata, Changed, left("no x-amz-meta-b"), func(f *finding) { f.Right = "x-amz-meta-b: 1" })}, want: []string{"metadata changed GET 0", "metadata changed GET 0"}},
		"a status explains all":              {found: []finding{get(StatusCode, Broken), get(Body, Broken, in(partCold)), get(CORS, Broken, in(partCORS)), get(Preflight, Changed, other)}, want: []string{"status broken GET 0"}},
		"but not what is worse":              {found: []finding{get(StatusCode, Changed), get(CORS, Broken, in(partCORS)), get(Expires, Changed, other)}, want: []string{"status changed GET 0", "cors broken GET cors 0"}},
		"nor another site":                   {found: []finding{get(StatusCode, Broken), get(Expires, Changed, second)}, want: []string{"status broken GET 0", "expires changed GET 0"}},
		"nor when it is only a warm one":     {found: []finding{get(Expires, Changed), get(StatusCode, Broken, warm)}, want: []string{"expires changed GET 0", "status broken GET warm 0"}},
		"nor of a special request":           {found: []finding{get(StatusCode, Broken, in(partRange)), get(Expires, Changed)}, want: []string{"status broken GET range 0", "expires changed GET 0"}},
		"with every query":                   {found: []finding{get(StatusCode, Broken, in(partCold)), get(QueryString, Changed, in(partQuery)), get(Expires, Changed)}, want: []string{"status broken GET cold 0", "expires changed GET 0"}},
		"expected explains only expected":    {found: []finding{get(Redirect, Expected), get(Body, Expected, other), get(CacheControl, Changed, other)}, want: []string{"redirect expected GET 0", "cache-control changed HEAD 0"}},
		"a body explains ranges":             {found: []finding{get(Body, Broken), get(Range, Broken, in(partRange)), get(ETag, Changed, other), get(Conditional, Broken, in(partConditional)), get(CacheControl, Changed)}, want: []string{"body broken GET 0", "cache-control changed GET 0"}},
		"ranges do not explain a body":       {found: []finding{get(Range, Broken, in(partRange)), get(Body, Changed, in(partCold))}, want: []string{"range broken GET range 0", "body changed GET cold 0"}},
		"a cold body explains a query":       {found: []finding{get(Body, Broken, in(partCold)), get(QueryString, Broken, in(partQuery))}, want: []string{"body broken GET cold 0"}},
		"an ETag explains conditions":        {found: []finding{get(ETag, Changed), get(Conditional, Changed, in(partConditional))}, want: []string{"etag changed GET 0"}},
		"but not a 304 that is wrong":        {found: []finding{get(ETag, Changed), get(Conditional, Broken, in(partConditional))}, want: []string{"etag changed GET 0", "conditional broken GET conditional 0"}},
		"of two that explain each other one": {found: []finding{get(Caching, Broken, warm), get(Body, Broken, in(partCold))}, want: []string{"caching broken GET warm 0"}},
		"the worse of them":                  {found: []finding{get(Caching, Changed, warm), get(Body, Broken, in(partCold))}, want: []string{"body broken GET cold 0"}},
		"origins and preflight":              {found: []finding{get(CORS, Broken, in(partCORS)), get(Preflight, Broken, other)}, want: []string{"cors broken GET cors 0", "preflight broken HEAD 0"}},
		"origins and what preflight says":    {found: []finding{get(CORS, Broken, in(partCORS)), get(Preflight, Changed, other)}, want: []string{"cors broken GET cors 0"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, d := range merge(tt.found, nil) {
				got = append(got, fmt.Sprintf("%s %s %s %d", d.Aspect, d.Verdict, d.Request, d.Also))
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

// What the user accepted hides only what is accepted with it.
func TestMergeAccepted(t *testing.T) {
	found := func(a Aspect, v Verdict, right string) finding {
		return finding{Difference: Difference{Path: "/o", Aspect: a, Verdict: v, Left: "l", Right: right}, get: partPlain}
	}
	tests := map[string]struct {
		accept []Aspect
		found  []finding
		want   []Aspect
	}{
		"another status":               {[]Aspect{StatusCode}, []finding{found(StatusCode, Changed, "403"), found(Preflight, Changed, "p")}, []Aspect{StatusCode, Preflight}},
		"not accepted":                 {nil, []finding{found(StatusCode, Changed, "403"), found(Preflight, Changed, "p")}, []Aspect{StatusCode}},
		"both accepted":                {[]Aspect{StatusCode, Preflight}, []finding{found(StatusCode, Changed, "403"), found(Preflight, Changed, "p")}, []Aspect{StatusCode}},
		"the same with a query":        {[]Aspect{StatusCode}, []finding{found(StatusCode, Changed, "403"), found(QueryString, Changed, "403")}, []Aspect{StatusCode}},
		"an error page, and caching":   {[]Aspect{Body}, []finding{found(Body, Changed, "p"), found(Caching, Changed, "Age: 99")}, []Aspect{Caching}},
		"an ETag, and conditions":      {[]Aspect{ETag}, []finding{found(ETag, Changed, "e"), found(Conditional, Changed, "200")}, []Aspect{ETag}},
		"staleness, and the ETag":      {[]Aspect{Caching}, []finding{found(Caching, Changed, "Age: 99"), found(ETag, Changed, "e")}, []Aspect{Caching}},
		"staleness, and a query":       {[]Aspect{Caching}, []finding{found(Caching, Changed, "Age: 99"), found(QueryString, Changed, "q")}, []Aspect{Caching, QueryString}},
		"broken is not accepted":       {[]Aspect{Body}, []finding{found(Body, Broken, "p"), found(Caching, Changed, "Age: 99")}, []Aspect{Body}},
		"three that explain in a ring": {nil, []finding{found(Body, Broken, "b"), found(Compression, Broken, "c"), found(ContentEncoding, Broken, "e")}, []Aspect{Body}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var got []Aspect
			for _, d := range merge(tt.found, tt.accept) {
				got = append(got, d.Aspect)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

// Whatever is merged, the worst verdict stays, and nothing is told that was not
// found.
func FuzzMerge(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4, 5, 6, 7, 8})
	f.Fuzz(func(t *testing.T, raw []byte) {
		aspects, verdicts := Aspects(), []Verdict{Expected, Changed, Broken}
		parts := []part{"", partPlain, partCold, partRange, partCORS, partQuery}
		var found []finding
		worst, had := Same, map[Aspect]bool{}
		for ; len(raw) >= 4 && len(found) < 200; raw = raw[4:] {
			x := finding{site: int(raw[3]) % 3, warm: raw[3] > 128, get: parts[int(raw[2])%len(parts)]}
			x.Aspect, x.Verdict = aspects[int(raw[0])%len(aspects)], verdicts[int(raw[1])%3]
			found = append(found, x)
			worst, had[x.Aspect] = worst.Worst(x.Verdict), true
		}
		got, n := Same, 0
		for _, d := range merge(found, nil) {
			got = got.Worst(d.Verdict)
			n += 1 + d.Also
			if !had[d.Aspect] {
				t.Errorf("%s was not found", d.Aspect)
			}
		}
		if got != worst || n > len(found) {
			t.Errorf("%s after merging, %s before; %d of %d", got, worst, n, len(found))
		}
	})
}
