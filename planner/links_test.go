package planner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/providers"
)

// bookshelf is a bucket's keys as S3 lists them; it counts the pages.
type bookshelf struct {
	keys  []string
	pages int
	err   error
}

func (s *bookshelf) page(after string) ([]providers.Object, error) {
	s.pages++
	if s.err != nil {
		return nil, s.err
	}
	i, found := slices.BinarySearch(s.keys, after)
	if found {
		i++
	}
	var objs []providers.Object
	for _, k := range s.keys[i:][:min(len(s.keys)-i, pageSize)] {
		objs = append(objs, providers.Object{Key: k, Size: 1})
	}
	return objs, nil
}

func numbered(form string, n int) []string {
	var keys []string
	for i := range n {
		keys = append(keys, fmt.Sprintf(form, i))
	}
	slices.Sort(keys)
	return keys
}

func TestListing(t *testing.T) {
	hashed := func(n int) []string {
		var keys []string
		for i := range n {
			keys = append(keys, "files/"+digest(fmt.Sprint(i))[:20]+".bin")
		}
		slices.Sort(keys)
		return keys
	}
	folders := func(n int) []string { return numbered("logs/2026/%06d/x.gz", n) }
	mixed := slices.Concat(numbered("a/%07d", 30_000), numbered("b/%07d", 30_000), []string{"c/x.html", "ö/x"})
	tests := map[string]struct {
		keys     []string
		all      bool
		most     int
		patterns []string
		// pages are at most this many requests; found at least this many keys.
		pages, found int
		partial      bool
		// spread: a key after this share of the listing, in percent, was found.
		spread int
		has    []string
	}{
		"empty":                   {nil, false, 0, nil, 1, 0, false, 0, nil},
		"a page at most":          {numbered("%d", 999), false, 0, nil, 1, 999, false, 100, nil},
		"exactly a page":          {numbered("%d", 1000), false, 0, nil, 2, 1000, false, 100, nil},
		"ten pages":               {numbered("%05d", 9999), false, 0, nil, 10, 9999, false, 100, nil},
		"numbers":                 {numbered("img/%08d.png", 300_000), false, 0, nil, 20, 12_000, true, 80, nil},
		"hashes":                  {hashed(100_000), false, 0, nil, 20, 15_000, true, 40, nil},
		"folders":                 {folders(200_000), false, 0, nil, 20, 12_000, true, 50, nil},
		"another folder":          {mixed, false, 0, nil, 20, 12_000, true, 40, []string{"b/0000000"}},
		"all":                     {numbered("%06d", 25_000), true, 0, nil, 26, 25_000, false, 100, nil},
		"all, too many":           {numbered("%06d", 25_000), true, 5000, nil, 6, 5001, true, 0, nil},
		"a pattern":               {mixed, false, 0, []string{"/b/001*", "/c/**.html", "/%C3%B6/*"}, 35, 22_000, true, 0, []string{"b/0010000", "b/0019999", "c/x.html", "ö/x"}},
		"a pattern's very prefix": {slices.Concat(numbered("a/%07d", 30_000), []string{"b"}), false, 0, []string{"/b*"}, 22, 0, true, 0, []string{"b"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			s := &bookshelf{keys: tc.keys}
			l := listing{page: s.page, most: tc.most}
			if err := l.read(tc.all, tc.patterns); err != nil {
				t.Fatal(err)
			}
			objs, partial := l.objects()
			if s.pages > tc.pages || len(objs) < tc.found || partial != tc.partial {
				t.Errorf("%d pages, %d keys, partial: %t", s.pages, len(objs), partial)
			}
			if !slices.IsSortedFunc(objs, func(x, y providers.Object) int { return strings.Compare(x.Key, y.Key) }) {
				t.Error("not in order")
			}
			keys := map[string]bool{}
			for _, o := range objs {
				keys[o.Key] = true
			}
			if len(keys) != len(objs) {
				t.Error("a key stands there twice")
			}
			for _, k := range tc.has {
				if !keys[k] {
					t.Errorf("%s was not found", k)
				}
			}
			if tc.spread > 0 {
				last, _ := slices.BinarySearch(tc.keys, objs[len(objs)-1].Key)
				if 100*(last+1)/len(tc.keys) < tc.spread {
					t.Errorf("the last key found is the %dth of %d", last, len(tc.keys))
				}
			}
			if tc.all && tc.most > 0 && !l.over {
				t.Error("too many objects are not too many")
			}
		})
	}
}

func TestBeforeAKey(t *testing.T) {
	for _, p := range []string{"a", "img/", "ö", "x\U0000e000", "a ", "\x01", "z~"} {
		if b := before(p); b >= p || strings.HasPrefix(b, p) {
			t.Errorf("%q is not before %q", b, p)
		}
	}
	if before("") != "" {
		t.Error("nothing is before nothing")
	}
}

func TestListingFindings(t *testing.T) {
	tests := map[string]struct {
		verify config.Verify
		keys   []string
		err    error
		code   string
		sev    Severity
		says   string
	}{
		"all is well":                {config.Verify{Paths: []string{"/a*"}, Sample: 5}, []string{"a1"}, nil, "", "", ""},
		"a pattern of nothing":       {config.Verify{Paths: []string{"/b*"}, Sample: 5}, []string{"a1"}, nil, "paths-match-nothing", Error, "verify.paths: /b*"},
		"a pattern, nothing picked":  {config.Verify{Paths: []string{"/b*"}}, []string{"a1"}, nil, "paths-match-nothing", Error, "/b*"},
		"too many":                   {config.Verify{Sample: config.SampleAll, MaxRequests: 3}, numbered("%d", 9), nil, "sample-too-large", Error, "more than 3 objects"},
		"may not be listed":          {config.Verify{Paths: []string{"/a"}, Sample: 5}, nil, providers.ErrDenied, "objects-not-listed", Note, "only verify.paths"},
		"may not be listed, all":     {config.Verify{Paths: []string{"/a"}, Sample: config.SampleAll}, nil, providers.ErrDenied, "objects-not-listed", Error, "s3:ListBucket"},
		"may not be listed, pattern": {config.Verify{Paths: []string{"/a*"}}, nil, providers.ErrDenied, "objects-not-listed", Error, "s3:ListBucket"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			b := stageBucket(func(b *config.Bucket) { b.Verify = tc.verify })
			o := &observer{b: b, a: stageActual(nil), acc: providers.Account{Buckets: listed{s: &bookshelf{keys: tc.keys, err: tc.err}}}}
			if err := o.objects(t.Context()); err != nil {
				t.Fatal(err)
			}
			fs := o.a.Findings
			if tc.code == "" && fs == nil {
				return
			}
			if len(fs) != 1 || fs[0].Code != tc.code || fs[0].Severity != tc.sev || !strings.Contains(fs[0].Summary+fs[0].Detail, tc.says) {
				t.Errorf("%+v", fs)
			}
		})
	}
	o := &observer{b: stageBucket(func(b *config.Bucket) { b.Verify = config.Verify{Sample: 5} }), a: stageActual(nil),
		acc: providers.Account{Buckets: listed{s: &bookshelf{err: providers.ErrDenied}}}}
	if err := o.objects(t.Context()); !errors.Is(err, providers.ErrDenied) {
		t.Errorf("nothing named, and may not be listed: %v", err)
	}
}

// listed is an account's buckets of which only the listing is read.
type listed struct {
	providers.Buckets
	s *bookshelf
}

func (l listed) Objects(_ context.Context, _, _, after string, _ int) ([]providers.Object, error) {
	return l.s.page(after)
}
