package proof

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// judge says what differs between the two answers of a pair, what that means for
// a visitor, and what would mend it. It is pure. What follows from a difference
// that it names is not named again. When the left gave no answer there is
// nothing to compare with.
func judge(f Facts, t Target, p pair) []Difference {
	j := &judging{facts: f, target: t, pair: p, left: sideOf(p.left), right: sideOf(p.reply), told: map[string]bool{}}
	j.all()
	return j.found
}

// judging is one pair under judgement.
type judging struct {
	facts       Facts
	target      Target
	pair        pair
	left, right side
	// told are the headers whose difference follows from what was found; "*" is
	// all of them.
	told map[string]bool
	// other: the bytes are another object's or version's.
	other bool
	found []Difference
}

// side is an answer with its headers by their names in lower case.
type side struct {
	answer
	headers map[string][]string
}

func sideOf(a answer) side {
	s := side{a, map[string][]string{}}
	names := make([]string, 0, len(a.Header))
	for name := range a.Header {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		k := strings.ToLower(name)
		for _, v := range a.Header[name] {
			s.headers[k] = append(s.headers[k], strings.TrimSpace(v))
		}
	}
	return s
}

func (s side) has(name string) bool { return len(s.headers[name]) > 0 }

// get is a header's value, several as one list.
func (s side) get(name string) string { return strings.Join(s.headers[name], ", ") }

// edgeMade: CloudFront itself made the answer; what it passes on keeps the
// origin's Server.
func (s side) edgeMade() bool { return strings.EqualFold(s.get("server"), "CloudFront") }

func (j *judging) head() bool { return j.pair.shape.method == http.MethodHead }

// asked is a header of the request.
func (j *judging) asked(name string) string {
	for k, v := range j.pair.shape.header {
		if strings.EqualFold(k, name) {
			return v
		}
	}
	return ""
}

// add takes down a difference.
func (j *judging) add(d Difference) {
	d.Path, d.Request = j.target.Path, clean(j.pair.request(), maxMeans)
	d.Left, d.Right = clean(d.Left, maxShown), clean(d.Right, maxShown)
	d.Means, d.Mend = clean(d.Means, maxMeans), clean(d.Mend, maxMeans)
	if !j.facts.CloudFront || d.Verdict == Expected {
		d.Mend = "" // the settings are a distribution's, and there is nothing to mend
	}
	if d.Verdict != Expected {
		d.Source = ""
	}
	j.found = append(j.found, j.ofQuery(d))
}

// ofQuery gives what differs in a request with a query of its own the query's
// name: what differs without it too is found by the plain requests.
func (j *judging) ofQuery(d Difference) Difference {
	if j.pair.shape.part != partQuery || d.Verdict == Expected || j.right.err != nil {
		return d
	}
	switch d.Aspect {
	case StatusCode, Body, Range:
		if j.right.Status >= 500 {
			return d
		}
	case ContentType, ContentDisposition, ContentEncoding, ContentLanguage, CacheControl, Expires:
		if !strings.Contains(j.pair.shape.query, "response-"+string(d.Aspect)) {
			return d
		}
	default:
		return d
	}
	d.Aspect, d.Mend = QueryString, mendQuery
	if !j.facts.CloudFront {
		d.Mend = ""
	}
	d.Means = "The query string does not reach the origin as it did: links with one get another answer."
	return d
}

func (j *judging) all() {
	switch {
	case j.left.err != nil:
		if j.right.err == nil {
			j.add(Difference{Aspect: Answer, Verdict: Changed, Left: silent(j.left.err).words, Right: statusText(j.right.Status),
				Means: "The left gave no answer, so there is nothing to compare with."})
		}
	case j.right.err != nil:
		j.noAnswer()
	case j.sentToHTTPS(), j.rootObject(), j.oldCopy():
	case j.pair.shape.method == http.MethodOptions:
		j.preflight()
	default:
		if j.status() {
			j.location()
			j.content()
			j.cors()
			j.compareHeaders()
			j.caching()
		}
	}
}

func (j *judging) noAnswer() {
	why := silent(j.right.err)
	d := Difference{Aspect: Answer, Verdict: Broken, Left: statusText(j.left.Status), Right: why.words, Means: why.means}
	switch {
	case why.half:
		d.Aspect, d.Left = Body, statusText(j.left.Status)+", "+bodyText(j.left)
	case why.certificate:
		d.Mend = mendCertificate
	}
	j.add(d)
}

// sentToHTTPS is the redirect, or the refusal, of http that the user asked for.
func (j *judging) sentToHTTPS() bool {
	site, err := url.Parse(j.pair.right.URL)
	refused := j.facts.ViewerProtocol == "https-only" && j.right.Status == http.StatusForbidden && (j.left.Status != j.right.Status || j.right.edgeMade() && !j.left.edgeMade())
	if err != nil || site.Scheme != "http" || !refused && j.left.Status == j.right.Status && j.left.get("location") == j.right.get("location") {
		return false
	}
	d := Difference{Aspect: Redirect, Verdict: Expected, Left: statusText(j.left.Status), Right: statusText(j.right.Status),
		Source: fmt.Sprintf(sourceViewer, j.facts.ViewerProtocol)}
	switch {
	case j.facts.ViewerProtocol == "redirect-to-https" && redirects(j.right.Status) && j.toHTTPS():
		d.Means = "Visitors over http are sent to https."
		d.Right += " to https"
	case refused:
		d.Aspect, d.Means = StatusCode, "Visitors over http are refused."
	default:
		return false
	}
	j.add(d)
	return true
}

// toHTTPS: the right sends to the same place over https.
func (j *judging) toHTTPS() bool {
	to, err := url.Parse(j.right.get("location"))
	if err != nil || to.Scheme != "https" {
		return false
	}
	asked, err := url.Parse(j.pair.right.URL + j.target.Path)
	if err != nil || asked.Scheme != "http" || bareHost(to) != bareHost(asked) || to.EscapedPath() != asked.EscapedPath() {
		return false
	}
	sent := strings.Split(to.RawQuery, "&")
	for _, part := range strings.Split(asked.RawQuery+"&"+strings.TrimPrefix(j.pair.shape.query, "?"), "&") {
		if part != "" && !slices.Contains(sent, part) {
			return false
		}
	}
	return true
}

// rootObject is the object that the user put at the root.
func (j *judging) rootObject() bool {
	path, _, _ := strings.Cut(j.target.Path, "?")
	l, r := j.left, j.right
	has := r.Status < 300 || j.pair.shape.part == partQuery && r.Status < 500 || j.pair.shape.part == partRange && ofRange(r.Status) || j.pair.shape.part == partConditional && (ofCondition(r.Status) || ofRange(r.Status))
	if j.facts.DefaultRootObject == "" || path != "/" || !has || j.pair.shape.method == http.MethodOptions {
		return false
	}
	if l.Status == r.Status && j.sameBytes() && (!j.head() || j.alike("etag") && j.alike("content-length") && j.alike("content-type")) {
		return false // it is what the left has there
	}
	j.add(Difference{Aspect: Body, Verdict: Expected, Left: statusText(l.Status) + ", " + bodyText(l), Right: statusText(r.Status) + ", " + bodyText(r),
		Means: "Visitors of the root get the object " + short(j.facts.DefaultRootObject) + ".", Source: fmt.Sprintf(sourceRoot, j.facts.DefaultRootObject)})
	return true
}

func (j *judging) sameBytes() bool {
	return j.left.SHA256 == j.right.SHA256 && j.left.Length == j.right.Length && j.left.Cut == j.right.Cut
}

// status compares the two statuses; what else differs follows from them when
// they do.
func (j *judging) status() bool {
	l, r := j.left.Status, j.right.Status
	d := Difference{Aspect: StatusCode, Verdict: Broken, Left: statusText(l), Right: statusText(r)}
	switch {
	case l == r:
		return true
	case r >= 500 && l < 500:
		d.Means, d.Mend = "Visitors get an error of the server.", "the distribution's origin: it must be the bucket's own endpoint, and reachable"
	case j.resumes() && l == 200 && r == 206:
		d.Aspect, d.Means, d.Mend = Conditional, "Whoever resumes a download gets a part of a version that is not theirs; the download is spoilt.", mendFunction
	case j.asked("range") != "" && ofRange(l) && ofRange(r):
		j.rangeStatus()
		return false
	case j.pair.shape.part == partConditional && ofCondition(l) && ofCondition(r):
		j.conditionalStatus()
		return false
	case redirects(l) || redirects(r):
		j.redirectStatus()
		return false
	case r == http.StatusNotModified:
		d.Aspect, d.Means = Conditional, "Visitors without a copy are told that theirs is still good, and see nothing."
		d.Mend = mendFunction
	case l >= 500:
		d.Verdict, d.Means = Changed, "The left failed where the right answers."
	case l >= 400 && r < 400:
		d = j.opened(d)
	case r >= 400 && l < 400:
		d = j.refused(d)
	case r >= 400:
		d = j.otherError(d)
	default:
		d = j.otherSuccess(d)
	}
	j.add(d)
	return false
}

// resumes: the request wants a part only of a version that it names.
func (j *judging) resumes() bool { return j.asked("if-range") != "" }

// refused: what the left serves the right does not.
func (j *judging) refused(d Difference) Difference {
	d.Means = "Visitors get an error in place of the object."
	path, _, _ := strings.Cut(j.target.Path, "?")
	switch {
	case (j.right.Status == 413 || j.right.Status == 414) && j.facts.CloudFront:
		d.Means = "Visitors get an error in place of the object: CloudFront takes URLs of at most 8,192 bytes."
	case j.right.edgeMade() && j.right.Status == http.StatusForbidden:
		d.Mend = "the distribution's aliases, allowed methods and web ACL (web_acl_arn): CloudFront itself refuses"
	case j.facts.Website && strings.HasSuffix(path, "/"):
		d.Means, d.Mend = "Visitors of the folder get an error in place of its index document.", mendWebsite
	case j.right.Status == http.StatusForbidden || j.right.Status == http.StatusUnauthorized:
		d.Mend = mendRead
	case j.right.Status == http.StatusNotFound:
		d.Mend = "the distribution's origin: it must be this bucket, without an origin path"
	}
	return d
}

// opened: what the left refuses the right serves.
func (j *judging) opened(d Difference) Difference {
	switch l := j.left.Status; {
	case l == http.StatusForbidden || l == http.StatusUnauthorized:
		d.Means, d.Mend = "Everybody can read what was refused to everybody.", mendGrant
	case l == http.StatusRequestedRangeNotSatisfiable || l == http.StatusPreconditionFailed:
		d.Verdict, d.Means, d.Mend = Changed, "Visitors get the object where they got an error.", mendFunction
	default:
		d.Verdict, d.Means, d.Mend = Changed, "Visitors get a page where they got an error.", mendErrorPage
		if l := kept(j.right); l.kept && j.pair.shape.part != partQuery {
			d.Aspect, d.Mend = Caching, mendStale
			d.Right += ", " + l.text
			d.Means = "Visitors still get an object that is gone."
		}
	}
	return d
}

// otherError: both refuse, in another way.
func (j *judging) otherError(d Difference) Difference {
	l, r := j.left.Status, j.right.Status
	d.Verdict, d.Means = Changed, "Visitors get another error; programs may act on it otherwise."
	path, _, _ := strings.Cut(j.target.Path, "?")
	switch {
	case (r == 413 || r == 414) && j.facts.CloudFront && len(path) > 8000:
		d.Verdict, d.Source, d.Means = Expected, sourceLong, "A URL this long is refused either way."
	case r == 403 && l == 405 && j.facts.CloudFront && j.right.edgeMade():
		d.Verdict, d.Source, d.Means = Expected, sourceMethods, "The method is refused either way."
	case j.facts.CloudFront && j.right.edgeMade():
		d.Mend = "the distribution's aliases, allowed methods and web ACL (web_acl_arn): CloudFront itself refuses"
	case l == 404 && r == 403:
		d.Means, d.Mend = "A key that does not exist is told as forbidden; crawlers and programs may act on it otherwise.", mendList
	case l == 403 && r == 404:
		d.Means, d.Mend = "What was told as forbidden is told as not there; crawlers and programs may act on it otherwise.", mendList
	}
	if j.facts.CloudFront && d.Mend == "" && d.Verdict == Changed {
		d.Mend = mendFunction
	}
	return d
}

// otherSuccess: both have something, under another status.
func (j *judging) otherSuccess(d Difference) Difference {
	d.Mend = mendFunction
	if j.right.Status == http.StatusPartialContent {
		d.Aspect, d.Means = Range, "Visitors who ask for the whole object get a part of it."
		return d
	}
	d.Verdict, d.Means = Changed, "The answer has another status; programs may act on it otherwise."
	return d
}

func ofCondition(status int) bool {
	return status == 200 || status == 206 || status == 304 || status == 412
}

// conditionalStatus: one of them holds that the visitor's copy is still good.
func (j *judging) conditionalStatus() {
	l, r := j.left.Status, j.right.Status
	d := Difference{Aspect: Conditional, Verdict: Changed, Left: statusText(l), Right: statusText(r), Mend: mendFunction}
	switch {
	case r == 304:
		d.Verdict, d.Means, d.Mend = Broken, "Browsers keep an old copy that they should replace.", mendStale
	case l == 304 && r < 300:
		d.Means = "Browsers fetch the object again although they have it."
	case r == 412:
		d.Verdict, d.Means = Broken, "A request that names the version it wants is refused."
	default:
		d.Means = "A request that should be refused unless the version fits is answered."
	}
	j.add(d)
}
