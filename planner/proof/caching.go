package proof

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// errorAge is how long CloudFront keeps an error of the origin when nothing else
// is said, in seconds [CloudFront Developer Guide, How CloudFront caches errors].
const errorAge = 10

// copied is what an answer says about having been kept by a cache.
type copied struct {
	kept bool
	// age in seconds; -1 when it does not say.
	age  int64
	text string
}

// kept reads what caches say of an answer: CloudFront's X-Cache, those of other
// caches, and Age. What was asked of the origin again (RefreshHit, REVALIDATED)
// is as good as new.
func kept(s side) copied {
	out := copied{age: -1}
	var said []string
	refreshed := false
	for _, name := range []string{"x-cache", "cf-cache-status", "x-cache-status", "x-proxy-cache", "cache-status"} {
		v := s.get(name)
		if v == "" {
			continue
		}
		words := strings.FieldsFunc(strings.ToLower(v), func(r rune) bool { return r == ' ' || r == ',' || r == ';' })
		switch {
		case slices.ContainsFunc(words, refresh):
			refreshed = true
		case slices.ContainsFunc(words, hit):
			out.kept = true
			said = append(said, headerText(s, name))
		}
	}
	if n, err := strconv.ParseInt(s.get("age"), 10, 64); err == nil && n >= 0 {
		out.age = n
		if n > 0 && !refreshed {
			out.kept = true
			said = append(said, headerText(s, "age"))
		}
	}
	out.text = strings.Join(said, ", ")
	return out
}

func hit(word string) bool {
	return word == "hit" || word == "stale" || word == "updating" || word == "tcp_hit" || word == "tcp_mem_hit" || word == "hit-stale"
}

func refresh(word string) bool {
	return word == "refreshhit" || word == "revalidated" || word == "tcp_refresh_hit" || word == "tcp_refresh_miss" || strings.HasPrefix(word, "fwd=")
}

// freshness is how long an answer lets a shared cache keep it.
type freshness struct {
	// never: not without asking again; unsaid: nothing is said.
	never, unsaid bool
	// seconds that it may be old; -1 when until says it.
	seconds int64
	until   time.Time
	text    string
}

// freshOf reads Cache-Control and Expires [RFC 9111, 4.2.1 and 5.2.2].
func freshOf(s side) freshness {
	out := freshness{seconds: -1, text: headerText(s, "cache-control")}
	shared, age, stale := int64(-1), int64(-1), int64(0)
	for _, t := range directives(s.get("cache-control")) {
		name, value, has := strings.Cut(t, "=")
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || n < 0 {
			n = 0
		}
		switch {
		case name == "no-store" || (name == "no-cache" || name == "private") && !has:
			out.never = true
		case name == "s-maxage":
			shared = n
		case name == "max-age":
			age = n
		case name == "stale-while-revalidate":
			stale = n
		}
	}
	switch {
	case out.never:
	case shared >= 0:
		out.seconds = shared + stale
	case age >= 0:
		out.seconds = age + stale
	case s.has("expires"):
		out.text = headerText(s, "expires")
		until, err := http.ParseTime(s.get("expires"))
		out.until, out.never = until, err != nil
	default:
		out.unsaid = true
		if !s.has("cache-control") {
			out.text = "no Cache-Control"
		}
	}
	if shared == 0 && stale == 0 || shared < 0 && age == 0 && stale == 0 {
		out.never = true
	}
	return out
}

// clockSlack is how far two clocks, and two numbers of whole seconds, may be
// apart.
const clockSlack = 2 * time.Second

// oldCopy: the right has a copy of the version before, which was fetched before
// the object was replaced, and which the object itself lets caches keep for so
// long. Browsers do the same; what else differs is the other version.
func (j *judging) oldCopy() bool {
	l, r := j.left, j.right
	copy, fresh := kept(r), freshOf(r)
	if !copy.kept || fresh.never || copy.age < 0 || copy.age > fresh.seconds || !j.alike("cache-control") {
		return false
	}
	replaced, lerr := http.ParseTime(l.get("last-modified"))
	had, rerr := http.ParseTime(r.get("last-modified"))
	now, nerr := http.ParseTime(l.get("date"))
	fetched := now.Add(-time.Duration(copy.age) * time.Second)
	if lerr != nil || rerr != nil || nerr != nil || !replaced.After(had) || replaced.Before(fetched.Add(-clockSlack)) {
		return false
	}
	j.add(Difference{Aspect: Caching, Verdict: Expected, Left: "the version of " + dateText(replaced) + ", " + fresh.text, Right: "the version of " + dateText(had) + ", " + copy.text,
		Means: "Visitors get a copy of the version before, for as long as the object itself lets caches keep it.", Source: sourceFresh})
	return true
}

// caching: an answer that is kept longer than the left lets caches keep it is
// seen late when the object changes.
func (j *judging) caching() {
	status := j.left.Status
	copy := kept(j.right)
	if j.other || !copy.kept || status == http.StatusNotModified || status == http.StatusRequestedRangeNotSatisfiable || status < 200 || kept(j.left).kept {
		return
	}
	fresh := freshOf(j.left)
	d := Difference{Aspect: Caching, Verdict: Changed, Left: fresh.text, Right: copy.text, Mend: mendTTL}
	switch {
	case status >= 400:
		if fresh.seconds >= 0 && copy.age <= fresh.seconds || copy.age <= errorAge || !fresh.until.IsZero() {
			return
		}
		d.Left, d.Mend = statusText(status)+", "+fresh.text, mendErrorTTL
		d.Means = fmt.Sprintf("An object that is put there is seen only later: the error is kept for more than %d seconds.", errorAge)
	case fresh.never:
		d.Means, d.Mend = "Visitors get a kept copy of an object that says it must not be kept without asking again.", mendMinTTL
	case fresh.unsaid:
		d.Means = "A change of the object is seen late: a copy is kept although the object says nothing of how long."
	case fresh.seconds >= 0:
		if copy.age <= fresh.seconds {
			return
		}
		d.Means = fmt.Sprintf("Visitors get a copy that is %s seconds old, where the object allows %s.", commas(copy.age), commas(fresh.seconds))
	default:
		now, err := http.ParseTime(j.right.get("date"))
		if err != nil {
			now, err = http.ParseTime(j.left.get("date"))
		}
		if err != nil || !now.After(fresh.until) {
			return
		}
		d.Means = "Visitors get a kept copy of an object that has expired."
	}
	j.add(d)
}
