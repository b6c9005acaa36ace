package planner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/planner/proof"
	"github.com/edgeward/edgeward/providers"
)

// How much of a listing is read: pages of 1,000 keys, the first ones in order,
// then some that are spread over the rest.
const (
	pageSize    = 1000
	pagesFirst  = 10
	pagesSpread = 10
	// pagesPattern is for one pattern of verify.paths, from its first key on.
	pagesPattern = 200
)

// objects lists what test links are picked from. Who may not list can still
// name paths.
func (o *observer) objects(ctx context.Context) error {
	v := o.b.Verify
	patterns := slices.DeleteFunc(slices.Clone(v.Paths), func(p string) bool { return !proof.IsPattern(p) })
	if v.Sample == 0 && len(patterns) == 0 {
		return nil
	}
	l := listing{page: func(after string) ([]providers.Object, error) {
		return o.acc.Buckets.Objects(ctx, o.b.Name, o.a.Bucket.Region, after, pageSize)
	}, most: v.MaxRequests}
	err := l.read(v.Sample == config.SampleAll, patterns)
	switch {
	case errors.Is(err, providers.ErrDenied) && len(patterns) > 0:
		o.a.Findings = append(o.a.Findings, Finding{Error, "objects-not-listed", "verify.paths has patterns, and the bucket may not be listed",
			fmt.Sprintf("%v; allow s3:ListBucket, or name paths without * in verify.paths", err)})
		return nil
	case errors.Is(err, providers.ErrDenied) && v.Sample == config.SampleAll:
		o.a.Findings = append(o.a.Findings, Finding{Error, "objects-not-listed", "verify.sample is \"all\", and the bucket may not be listed",
			fmt.Sprintf("%v; allow s3:ListBucket, or give verify.sample a number", err)})
		return nil
	case errors.Is(err, providers.ErrDenied) && len(v.Paths) > 0:
		o.a.Findings = append(o.a.Findings, Finding{Note, "objects-not-listed", "no objects are picked as test links",
			fmt.Sprintf("the bucket may not be listed (%v); only verify.paths are fetched", err)})
		return nil
	case err != nil:
		return providers.Doing(err, "list objects of %s", o.b.Name)
	}
	o.a.Objects, o.a.Partial = l.objects()
	o.a.Findings = append(o.a.Findings, listingFindings(o.b, l, patterns)...)
	return nil
}

// listingFindings are what a listing shows to be impossible: a pattern without
// a key, more objects than may be compared.
func listingFindings(b config.Bucket, l listing, patterns []string) []Finding {
	var fs []Finding
	if l.over && b.Verify.Sample == config.SampleAll {
		fs = append(fs, Finding{Error, "sample-too-large", "the bucket has more objects than may be compared",
			fmt.Sprintf("verify.sample is \"all\", and there are more than %d objects, each of which takes several of verify.max_requests = %d; raise max_requests, or give sample a number", l.most, l.most)})
	}
	objs, _ := l.objects()
	if as := proof.Archived(objs); len(as) > 0 {
		detail := "they are " + strings.Join(as[:min(len(as), 5)], ", ")
		if n := len(as) - 5; n > 0 {
			detail += fmt.Sprintf(" and %d more", n)
		}
		fs = append(fs, Finding{Note, "objects-archived", plural(len(as), "object is archived and no test link", "objects are archived and no test links"),
			detail + "; S3 refuses them until they are restored, to visitors today and through CloudFront alike"})
	}
	for _, p := range patterns {
		if slices.Contains(l.cut, p) {
			fs = append(fs, Finding{Warning, "paths-not-all-listed", "verify.paths: not every key was looked at for " + p,
				fmt.Sprintf("bucket %s has too many keys; only those that were found are fetched. Begin the pattern with more of the keys' first letters", b.Name)})
			continue
		}
		if !slices.ContainsFunc(objs, func(o providers.Object) bool { return proof.Match(p, o.Key) }) {
			fs = append(fs, Finding{Error, "paths-match-nothing", "verify.paths: " + p + " matches no object",
				fmt.Sprintf("no key of bucket %s matches it; * stands for any letters but a slash, ** for any letters; correct it, or take it out", b.Name)})
		}
	}
	return fs
}

// listing reads the keys of a bucket, or enough of them.
type listing struct {
	page func(after string) ([]providers.Object, error)
	// most is how many objects are kept; 0: all.
	most        int
	found       map[string]providers.Object
	first, last string
	// complete: every key was read. over: there were more than most.
	complete, over bool
	// cut are the patterns for which not all keys were looked at.
	cut []string
}

// read lists all, or the first pages and others spread over the rest, and then
// what the patterns need.
func (l *listing) read(all bool, patterns []string) error {
	l.found = map[string]providers.Object{}
	for n := 0; !l.complete && (all && !l.over || !all && n < pagesFirst); n++ {
		got, err := l.next(l.last)
		if err != nil {
			return err
		}
		l.complete = got < pageSize
	}
	if l.complete || all {
		return nil
	}
	if err := l.spread(); err != nil {
		return err
	}
	for _, p := range patterns {
		if err := l.matching(p); err != nil {
			return err
		}
	}
	return nil
}

// next reads the page after a key and says how many keys it has.
func (l *listing) next(after string) (int, error) {
	objs, err := l.page(after)
	if err != nil {
		return 0, err
	}
	for _, x := range objs {
		l.found[x.Key] = x
	}
	if len(objs) > 0 {
		if l.first == "" {
			l.first = objs[0].Key
		}
		l.last = objs[len(objs)-1].Key
	}
	l.over = l.most > 0 && len(l.found) > l.most
	return len(objs), nil
}

// spread reads pages beyond the first: each time past the last key's part that
// comes one letter earlier than where the keys began to differ, so that the steps
// grow, until nothing follows; then ever smaller ones again.
func (l *listing) spread() error {
	at, down := common(l.first, l.last), true
	for range pagesSpread {
		if at < 0 || at >= len(l.last) {
			return nil
		}
		n, err := l.next(beyond(l.last, at))
		if err != nil {
			return err
		}
		switch {
		case n > 0 && down:
			at--
		case n == 0:
			down = false
			at++
		}
	}
	return nil
}

// common is how many letters two keys begin with alike.
func common(x, y string) int {
	n := 0
	for n < len(x) && n < len(y) && x[n] == y[n] {
		n++
	}
	return n
}

// beyond is a key after all those that have the first at+1 bytes of key.
func beyond(key string, at int) string {
	for at > 0 && key[at] >= 0x7e { // no byte of a longer rune is changed alone
		at--
	}
	if key[at] >= 0x7e {
		return key
	}
	return key[:at] + string(rune(key[at]+1))
}

// matching reads on where keys that match a pattern may be.
func (l *listing) matching(p string) error {
	prefix, found := proof.PatternPrefix(p), 0
	after := before(prefix)
	for range pagesPattern {
		objs, err := l.page(after)
		if err != nil {
			return err
		}
		for _, x := range objs {
			if !strings.HasPrefix(x.Key, prefix) && x.Key > prefix {
				return nil
			}
			if proof.Match(p, x.Key) {
				l.found[x.Key] = x
				found++
			}
		}
		if len(objs) < pageSize {
			return nil
		}
		if l.most > 0 && found > l.most {
			break
		}
		after = objs[len(objs)-1].Key
	}
	l.cut = append(l.cut, p)
	return nil
}

// before is a key before prefix and, as good as surely, after every other one
// that is.
func before(prefix string) string {
	r, size := utf8.DecodeLastRuneInString(prefix)
	head := prefix[:len(prefix)-size]
	switch {
	case r <= ' ' || r == utf8.RuneError:
		return head
	case r == 0xe000: // there are no runes just below
		r = 0xd800
	}
	return head + string(r-1) + string(utf8.MaxRune)
}

// objects are what was read, in the order of keys, and whether there are more.
func (l *listing) objects() (objs []providers.Object, partial bool) {
	for _, x := range l.found {
		objs = append(objs, x)
	}
	slices.SortFunc(objs, func(x, y providers.Object) int { return strings.Compare(x.Key, y.Key) })
	return objs, !l.complete
}
