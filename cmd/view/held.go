package view

import (
	"regexp"
	"slices"
	"strings"

	"github.com/edgeward/edgeward/planner"
)

// heldTogether is from how many on held buckets are said together, and one pattern
// is sought for all of them.
const heldTogether = 4

// retryPatterns are the values of -retry that lift the holds of those buckets and of
// no other of all: '*', or one pattern with a '*', where there is one; else their
// addresses.
func retryPatterns(held, all []string) []string {
	if len(held) < heldTogether {
		return held
	}
	prefix, suffix := held[0], held[0]
	for _, a := range held {
		for !strings.HasPrefix(a, prefix) {
			prefix = prefix[:len(prefix)-1]
		}
		for !strings.HasSuffix(a, suffix) {
			suffix = suffix[1:]
		}
	}
	for _, pattern := range []string{"*", prefix + "*" + suffix} {
		if strings.Count(pattern, "*") > 1 || pattern == "*" && len(held) < len(all) {
			continue
		}
		// As planner reads patterns: * is any text, and an address without its key means
		// all its instances.
		p := regexp.MustCompile(`^` + strings.ReplaceAll(regexp.QuoteMeta(pattern), `\*`, `.*`) + `(\[".*"\])?$`)
		if !slices.ContainsFunc(all, func(a string) bool { return p.MatchString(a) != slices.Contains(held, a) }) {
			return []string{pattern}
		}
	}
	return held
}

// withoutHeldStage is a result without the stage of a held bucket, of which a hold is
// no matter: nothing of it is done until -retry.
func withoutHeldStage(r planner.Result) planner.Result {
	if r.Outcome == planner.OutcomeHeld {
		r.Stage = ""
	}
	return r
}

// statusLoud are buckets that need a look, the held ones that are alike as one line.
type statusLoud struct {
	first planner.BucketStatus
	said  said
	who   []string
}

// heldAlike joins them; drift and what is blocked stay by name.
func heldAlike(loud []planner.BucketStatus) (out []*statusLoud) {
	at := map[string]*statusLoud{}
	n := map[string]int{}
	keyOf := func(bs planner.BucketStatus) (words []string, key string) {
		names := []string{bs.Address}
		for _, n := range bs.Names {
			names = append(names, n.Name)
		}
		return likeWords(loudly(bs).Why, names)
	}
	held := func(bs planner.BucketStatus) bool { return bs.Standing == planner.StandHeld && len(bs.Drift) == 0 }
	for _, bs := range loud {
		if held(bs) {
			_, key := keyOf(bs)
			n[key]++
		}
	}
	for _, bs := range loud {
		words, key := keyOf(bs)
		if !held(bs) || n[key] < heldTogether {
			out = append(out, &statusLoud{first: bs, who: []string{bs.Address}})
			continue
		}
		if at[key] == nil {
			at[key] = &statusLoud{first: bs}
			out = append(out, at[key])
		}
		at[key].said.add(loudly(bs).Why, words)
		at[key].who = append(at[key].who, bs.Address)
	}
	return out
}

// line is it as a bucket with a reason.
func (l *statusLoud) line() planner.BucketStatus {
	bs := loudly(l.first)
	if bs.Standing == planner.StandHeld {
		bs.Stage = ""
	}
	if len(l.who) > 1 {
		bs.Address = Count(len(l.who), "bucket")
		bs.Why = gist(l.said.String()) + ": " + someNames(l.who, 4)
	}
	return bs
}
