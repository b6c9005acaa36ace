package proof

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

func redirects(status int) bool {
	return status >= 300 && status < 400 && status != 304 && status != 300
}

// place is where a Location leads, read from the request's own place.
type place struct {
	raw string
	// scheme and host are "" when they are the request's own.
	scheme, host, rest string
	absolute, bad      bool
}

func (p place) same(o place) bool {
	return p.scheme == o.scheme && p.host == o.host && p.rest == o.rest && !p.bad && !o.bad
}

// placeOf resolves a Location at a site.
func placeOf(raw, site, path string) place {
	out := place{raw: raw}
	base, err := url.Parse(site + path)
	if err != nil || raw == "" {
		out.bad = true
		return out
	}
	to, err := base.Parse(raw)
	if err != nil || strings.Contains(raw, "\\") {
		out.bad = true
		return out
	}
	ref, err := url.Parse(raw)
	out.absolute = err == nil && ref.Host != ""
	out.scheme, out.host, out.rest = to.Scheme, bareHost(to), to.EscapedPath()
	if out.rest == "" {
		out.rest = "/"
	}
	if to.RawQuery != "" {
		out.rest += "?" + to.RawQuery
	}
	if to.Fragment != "" {
		out.rest += "#" + to.EscapedFragment()
	}
	if out.host != bareHost(base) {
		return out
	}
	out.host = ""
	if out.scheme == base.Scheme {
		out.scheme = ""
	}
	// A path that stands before every target's belongs to the site.
	if own, err := url.Parse(site); err == nil {
		if rest, ok := strings.CutPrefix(out.rest, own.EscapedPath()); ok && strings.HasPrefix(rest, "/") {
			out.rest = rest
		}
	}
	return out
}

// bareHost is a URL's host in lower case, with its port unless that is the
// scheme's own.
func bareHost(u *url.URL) string {
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	if port := u.Port(); port != "" && port != map[string]string{"http": "80", "https": "443"}[u.Scheme] {
		host += ":" + port
	}
	return host
}

func (j *judging) places() (left, right place) {
	base := j.pair.base
	if base.URL == "" {
		base = j.pair.right
	}
	return placeOf(j.left.get("location"), base.URL, j.target.Path), placeOf(j.right.get("location"), j.pair.right.URL, j.target.Path)
}

// leaks: the right's Location has a host that is the origin's own, and the
// left's has not.
func (j *judging) leaks(l, r place) bool {
	if r.bad || r.host == "" || r.host == l.host {
		return false
	}
	name, _, _ := strings.Cut(r.host, ":")
	return strings.HasSuffix(name, ".amazonaws.com") || strings.HasSuffix(name, ".amazonaws.com.cn") || name == "amazonaws.com" ||
		slices.ContainsFunc(j.facts.OriginHosts, func(h string) bool { return strings.EqualFold(strings.TrimSuffix(h, "."), name) })
}

// leaked is the difference of such a Location.
func (j *judging) leaked(l, r place) Difference {
	d := Difference{Aspect: Redirect, Verdict: Broken, Left: j.redirectText(j.left), Right: j.redirectText(j.right), Mend: mendRule,
		Means: fmt.Sprintf("Visitors are sent to the origin's own host (%s), past the site's name.", short(r.host))}
	if !j.facts.Website || j.right.Status == 307 {
		d.Mend = mendRegion
	}
	return d
}

// redirectText is a status and where it leads.
func (j *judging) redirectText(s side) string {
	text := statusText(s.Status)
	if to := s.get("location"); to != "" {
		text += " to " + to
	}
	return text
}

// redirectStatus: one of them sends visitors on, or both do, in another way.
func (j *judging) redirectStatus() {
	l, r := j.places()
	d := Difference{Aspect: Redirect, Verdict: Broken, Left: j.redirectText(j.left), Right: j.redirectText(j.right)}
	switch {
	case redirects(j.right.Status) && j.leaks(l, r):
		d = j.leaked(l, r)
	case !redirects(j.right.Status):
		d.Means = fmt.Sprintf("Visitors are not sent on to %s.", short(j.left.get("location")))
		d.Mend = mendFunction
		if j.facts.Website {
			d.Mend = mendWebsite
		}
	case !redirects(j.left.Status):
		d = j.redirectAdded(d, r)
	case l.same(r) || l.raw == r.raw:
		d.Verdict, d.Means = Changed, "Visitors are sent to the same place, but browsers and crawlers remember it otherwise."
		d.Mend = mendFunction
	default:
		d.Means, d.Mend = "Visitors are sent to another place.", mendFunction
	}
	j.add(d)
}

// redirectAdded: only the right sends visitors on.
func (j *judging) redirectAdded(d Difference, to place) Difference {
	d.Verdict = Changed
	switch {
	case j.toHTTPS():
		d.Means = "Visitors over http are sent to https; those who cannot follow get nothing, and browsers remember it after a way back."
		d.Mend = mendViewer
	case j.left.get("x-amz-website-redirect-location") != "":
		d.Means, d.Mend = "Visitors are sent on in place of getting the object.", mendRest
	case j.left.Status < 400:
		d.Means, d.Mend = "Visitors are sent on in place of getting the object.", mendFunction
	default:
		d.Means, d.Mend = "Visitors are sent on where they got an error.", mendFunction
	}
	switch {
	case to.bad:
		d.Verdict, d.Means = Broken, "Visitors are sent on to a place that is none."
	case j.circles(to):
		d.Verdict, d.Means, d.Mend = Broken, "Visitors are sent to where they are, in circles.", mendFunction
	}
	return d
}

// location compares where two answers with the same status lead.
func (j *judging) location() {
	j.told["location"] = true
	if j.left.get("location") == "" && j.right.get("location") == "" {
		return
	}
	l, r := j.places()
	if l.raw == r.raw && (l.bad || r.bad) || l.same(r) && l.absolute == r.absolute {
		return
	}
	d := Difference{Aspect: Redirect, Verdict: Broken, Left: headerText(j.left, "location"), Right: headerText(j.right, "location"), Mend: mendFunction}
	switch {
	case j.leaks(l, r):
		d = j.leaked(l, r)
	case j.circles(r) && !j.circles(l):
		d.Means = "Visitors are sent to where they are, in circles."
	case l.raw == r.raw && j.facts.CloudFront:
		d.Verdict, d.Source = Expected, sourceRule
		d.Means = fmt.Sprintf("Visitors are sent to %s, as S3 sends everybody.", short(l.raw))
	case r.raw == "":
		d.Means = fmt.Sprintf("Visitors are not sent on to %s.", short(l.raw))
	case l.raw == "":
		d.Verdict, d.Means = Changed, "The answer names a place where it named none."
	case l.same(r):
		d.Verdict, d.Source, d.Means = Expected, sourceLocation, "Visitors are sent to the same place."
	case l.host == r.host && l.rest == r.rest && !l.bad && !r.bad:
		d = j.otherScheme(d, l, r)
	case l.raw == r.raw:
		d.Means = "Visitors are sent from the right site to the left one's host."
	default:
		d.Means = "Visitors are sent to another place."
	}
	j.add(d)
}

// circles: the place is the request's own.
func (j *judging) circles(p place) bool {
	own := placeOf(j.target.Path, j.pair.right.URL, "/")
	return redirects(j.right.Status) && !p.bad && !own.bad && p.host == "" && p.scheme == "" && p.rest == own.rest
}

// otherScheme: the same place, over http in place of https, or the other way
// round.
func (j *judging) otherScheme(d Difference, l, r place) Difference {
	d.Verdict = Changed
	d.Means = "Visitors are sent to the same place over https in place of http."
	if r.scheme == "http" || l.scheme == "https" {
		d.Means = "Visitors are sent from https to http, which browsers warn of or refuse within pages."
		if j.facts.Website {
			d.Mend = mendRule
		}
	}
	return d
}
