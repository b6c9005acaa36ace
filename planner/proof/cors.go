package proof

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

const (
	allowOrigin      = "access-control-allow-origin"
	allowCredentials = "access-control-allow-credentials"
	allowMethods     = "access-control-allow-methods"
	allowHeaders     = "access-control-allow-headers"
)

// lets says whether a browser lets pages of an origin read the answer.
func (s side) lets(origin string) bool {
	v := s.get(allowOrigin)
	return origin != "" && len(s.headers[allowOrigin]) == 1 && (v == "*" || v == origin)
}

// letsCookies: so may pages that send cookies; for them * names no origin [Fetch
// standard, CORS check].
func (s side) letsCookies(origin string) bool {
	return s.lets(origin) && s.get(allowOrigin) != "*" && s.get(allowCredentials) == "true"
}

func corsText(s side) string { return statusText(s.Status) + ", " + headerText(s, allowOrigin) }

// cors compares what pages of other sites may do with two answers. It names the
// gravest difference.
func (j *judging) cors() {
	if j.told["*"] {
		return
	}
	origin := j.asked("origin")
	l, r := j.left, j.right
	d := Difference{Aspect: CORS, Verdict: Broken, Left: headerText(l, allowOrigin), Right: headerText(r, allowOrigin), Mend: mendOrigin}
	twoSided := l.Status != http.StatusNotModified || l.has(allowOrigin) && r.has(allowOrigin)
	switch {
	case !twoSided:
		return
	case l.lets(origin) && !r.lets(origin):
		d.Means = j.refusedMeans(origin)
	case l.letsCookies(origin) && !r.letsCookies(origin):
		if r.get(allowCredentials) != "true" {
			d.Left, d.Right = headerText(l, allowCredentials), headerText(r, allowCredentials)
		} else {
			d.Mend = mendHeaders
		}
		d.Means = fmt.Sprintf("Pages of %s that send cookies may no longer read the object.", short(origin))
	case j.otherCORS(&d, origin):
	default:
		j.varyOrigin()
		return
	}
	if d.Verdict != Expected {
		j.tell("vary") // S3 sends it with the others
	}
	j.add(d)
}

func (j *judging) refusedMeans(origin string) string {
	switch v := j.right.get(allowOrigin); {
	case len(j.right.headers[allowOrigin]) > 1:
		return fmt.Sprintf("Browsers refuse the object to pages of %s, since two headers allow it.", short(origin))
	case v != "":
		return fmt.Sprintf("Pages of %s get the answer that was made for %s, and browsers refuse it to them.", short(origin), short(v))
	}
	return fmt.Sprintf("Pages of %s may no longer use the object: fonts, scripts and data from it fail.", short(origin))
}

// otherCORS fills in a difference of the headers that refuses nobody.
func (j *judging) otherCORS(d *Difference, origin string) bool {
	at := slices.IndexFunc(j.names(), func(name string) bool {
		return crossOrigin(name) && !j.alike(name) && (j.left.Status != http.StatusNotModified || j.left.has(name) && j.right.has(name))
	})
	if at < 0 {
		return false
	}
	name := j.names()[at]
	if !j.alike(allowOrigin) {
		name = allowOrigin
	}
	d.Verdict, d.Left, d.Right = Changed, headerText(j.left, name), headerText(j.right, name)
	v := j.right.get(allowOrigin)
	switch {
	case j.facts.ResponseHeaders && j.right.has(name):
		d.Verdict, d.Source = Expected, sourceHeaders
		d.Means = "Pages of other sites may read the object as the policy says."
	case name != allowOrigin:
		d.Means = "Scripts of pages that may read the object may do less, or more, with its headers."
	case j.right.lets(origin) && !j.left.lets(origin):
		d.Means = fmt.Sprintf("Pages of %s may read what is kept from them today.", short(origin))
		d.Mend = mendHeaders
	case v != "" && origin == "" && j.left.get(allowOrigin) == "":
		d.Means = "An answer to a request without Origin allows one: it was made for another request, or for all."
	case v != "" && origin != "" && v != "*" && v != origin:
		if j.manyOrigins() {
			d.Verdict = Broken // so is an origin's that is allowed
		}
		d.Means = fmt.Sprintf("Pages of %s get the answer that was made for %s.", short(origin), short(v))
	case v == "*":
		d.Means = "Pages of every site may read the object; today only named ones may."
		d.Mend = mendHeaders
	default:
		d.Means = "Pages of other sites are allowed in another way."
	}
	return true
}

// manyOrigins: the bucket's rules give more than one answer.
func (j *judging) manyOrigins() bool {
	var all []string
	for _, r := range j.facts.CORS {
		all = append(all, r.Origins...)
	}
	slices.Sort(all)
	return len(slices.Compact(all)) > 1 || slices.ContainsFunc(all, func(o string) bool { return strings.Contains(o, "*") })
}

// varyOrigin: caches must know that an answer depends on who asks.
func (j *judging) varyOrigin() {
	if j.left.Status == http.StatusNotModified || j.told["vary"] {
		return
	}
	l, r := slices.Contains(tokens(j.left.get("vary")), "origin"), slices.Contains(tokens(j.right.get("vary")), "origin")
	if l == r {
		return
	}
	d := Difference{Aspect: CORS, Verdict: Changed, Left: headerText(j.left, "vary"), Right: headerText(j.right, "vary"), Mend: mendOrigin,
		Means: "Browsers keep one site's answer for another site's pages, and refuse it to them."}
	if r {
		d.Means = "Browsers and caches on the way keep an answer for each site that asks."
		d.Mend = mendHeaders
		if j.facts.ResponseHeaders {
			d.Verdict, d.Source = Expected, sourceHeaders
		}
	}
	if d.Verdict != Expected {
		j.tell("vary")
	}
	j.add(d)
}

// agrees says whether a preflight's answer lets the request come.
func (j *judging) agrees(s side) bool {
	if s.Status < 200 || s.Status > 299 || !s.lets(j.asked("origin")) {
		return false
	}
	listed := func(name, want string) bool {
		have := tokens(s.get(name))
		for _, w := range tokens(want) {
			if !slices.Contains(have, w) && (!slices.Contains(have, "*") || w == "authorization") { // * is for all others
				return false
			}
		}
		return true
	}
	return listed(allowMethods, j.asked("access-control-request-method")) && listed(allowHeaders, j.asked("access-control-request-headers"))
}

// preflight compares two answers to OPTIONS.
func (j *judging) preflight() {
	l, r := j.agrees(j.left), j.agrees(j.right)
	d := Difference{Aspect: Preflight, Verdict: Broken, Left: corsText(j.left), Right: corsText(j.right), Mend: mendPreflight}
	origin := short(j.asked("origin"))
	switch {
	case redirects(j.right.Status) && j.left.Status != j.right.Status:
		d.Means = "Browsers ask before pages of other sites send a request, and are sent on, which they take for a no."
		if !l {
			d.Verdict, d.Source, d.Mend = Expected, sourcePreflight, ""
			d.Means = "Browsers ask before pages of other sites send a request; both answers are a no."
		}
	case l && !r:
		d.Left, d.Right = j.preflightText(j.left), j.preflightText(j.right)
		d.Means = fmt.Sprintf("Browsers no longer let pages of %s send requests that they may send today.", origin)
		if j.right.Status < 300 && j.right.has(allowOrigin) && !j.right.lets(j.asked("origin")) {
			// It is the rule's answer that is wrong, not what is asked before.
			d.Aspect, d.Mend = CORS, mendOrigin
			d.Means = j.refusedMeans(j.asked("origin"))
		}
	case r && !l:
		d.Verdict = Changed
		if j.facts.ResponseHeaders {
			d.Verdict, d.Source = Expected, sourceHeaders
		}
		d.Means, d.Mend = fmt.Sprintf("Browsers let pages of %s send requests that they may not send today.", origin), mendHeaders
	case !l && j.left.Status == j.right.Status:
		j.refusals()
		return
	case !l:
		d.Verdict, d.Source, d.Mend = Expected, sourcePreflight, ""
		d.Means = "Browsers ask before pages of other sites send a request; both answers are a no."
	default:
		j.bothAgree()
		return
	}
	j.add(d)
}

// preflightText is what an answer allows.
func (j *judging) preflightText(s side) string {
	text := corsText(s)
	for _, name := range []string{allowMethods, allowHeaders} {
		if !j.alike(name) {
			text += ", " + headerText(s, name)
		}
	}
	return text
}

// refusals compares two answers that say no with one status.
func (j *judging) refusals() {
	if !j.sameDocument() {
		j.unread()
	}
	j.tell("content-length")
	if j.right.Status < 300 && !j.alike(allowOrigin) {
		j.cors() // both refuse this page, and each lets another one
	} else {
		j.refusalHeaders()
	}
	j.compareHeaders()
	j.asPreflight()
}

// refusalHeaders are what two answers that say no would allow.
func (j *judging) refusalHeaders() {
	for _, name := range j.names() {
		if (crossOrigin(name) || name == "vary") && !j.alike(name) {
			j.tell("vary")
			j.add(Difference{Aspect: Preflight, Verdict: Expected, Left: headerText(j.left, name), Right: headerText(j.right, name),
				Means: "Browsers do not heed it: both answers are a no.", Source: sourcePreflight})
			return
		}
	}
}

// unread is a body that a browser does not look at.
func (j *judging) unread() {
	l, r := bodyText(j.left), bodyText(j.right)
	if j.left.Status >= 400 {
		l, r = pageOf(j.left).text(j.left), pageOf(j.right).text(j.right)
	}
	j.tell("content-type", "content-length", "content-language", "content-encoding")
	j.add(Difference{Aspect: Preflight, Verdict: Expected, Left: l, Right: r, Means: "Browsers do not read it.", Source: sourcePreflight})
}

// asPreflight gives what an answer to OPTIONS says of its body the aspect of
// the request: there is no object, and no browser reads of it.
func (j *judging) asPreflight() {
	for i, d := range j.found {
		switch d.Aspect {
		case CORS, Preflight, Header, Redirect:
		default:
			j.found[i].Aspect, j.found[i].Mend = Preflight, ""
			j.found[i].Verdict, j.found[i].Source, j.found[i].Means = Expected, sourcePreflight, "Browsers do not read it."
		}
	}
}

// bothAgree compares what two answers that say yes allow.
func (j *judging) bothAgree() {
	if j.left.Status != j.right.Status {
		j.add(Difference{Aspect: Preflight, Verdict: Expected, Left: statusText(j.left.Status), Right: statusText(j.right.Status),
			Means: "Browsers take both for a yes.", Source: sourcePreflight})
	}
	for _, name := range j.names() {
		if !crossOrigin(name) && name != "vary" || j.alike(name) {
			continue
		}
		j.add(j.preflightHeader(name))
	}
	j.tell("vary", "content-length", "content-type")
	if !j.sameBytes() {
		j.unread()
	}
	j.compareHeaders()
	j.asPreflight()
}

// preflightHeader is what one header of an answer that says yes means.
func (j *judging) preflightHeader(name string) Difference {
	d := Difference{Aspect: Preflight, Verdict: Changed, Left: headerText(j.left, name), Right: headerText(j.right, name), Mend: mendPreflight,
		Means: "Browsers let pages of other sites send other requests than today."}
	origin := short(j.asked("origin"))
	switch name {
	case "access-control-max-age":
		d.Means = "Browsers ask more often, or less often, before pages of other sites send a request."
	case allowCredentials:
		d.Aspect, d.Mend = CORS, mendOrigin
		d.Means = fmt.Sprintf("Pages of %s may send requests with cookies in another way.", origin)
		if j.right.get(name) != "true" && j.left.get(allowOrigin) != "*" {
			d.Verdict, d.Means = Broken, fmt.Sprintf("Pages of %s that send cookies may no longer read the object.", origin)
		}
	case allowOrigin:
		d.Aspect, d.Mend = CORS, mendOrigin
		d.Means = "Pages of other sites are allowed in another way."
		if j.left.letsCookies(j.asked("origin")) {
			d.Verdict, d.Means = Broken, fmt.Sprintf("Pages of %s that send cookies may no longer read the object.", origin)
		}
	case "access-control-expose-headers":
		d.Aspect, d.Mend = CORS, mendOrigin
		d.Means = "Scripts of pages that may read the object may do less, or more, with its headers."
	case "vary":
		d.Aspect, d.Mend = CORS, mendOrigin
		d.Means = "Caches on the way may give one site's answer to another."
		if j.facts.CloudFront && slices.Contains(tokens(j.left.get(name)), "origin") == slices.Contains(tokens(j.right.get(name)), "origin") {
			d.Verdict, d.Source, d.Means = Expected, sourceVary, "CloudFront does not pass on names that are not in its cache key."
		}
	}
	if j.facts.ResponseHeaders && j.right.has(name) && d.Verdict == Changed {
		d.Verdict, d.Source = Expected, sourceHeaders
	}
	return d
}
