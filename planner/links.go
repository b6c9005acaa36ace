package planner

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/planner/proof"
	"github.com/edgeward/edgeward/providers"
)

// question is what the test links of a bucket are chosen from.
func question(b config.Bucket, a Actual, seed string) proof.Question {
	q := proof.Question{Paths: b.Verify.Paths, Objects: a.Objects, Sample: b.Verify.Sample, Seed: seed}
	if a.Bucket != nil && siteKind(b, a) == providers.WebsiteOrigin {
		q.Website = a.Bucket.Website
	}
	return q
}

// testLinks are the paths of the configuration, a sample of the objects, and
// paths that only have to answer alike.
func testLinks(b config.Bucket, a Actual) proof.Choice {
	return proof.Choose(question(b, a, seedOf(b)))
}

// seedOf chooses a bucket's test links, the same ones in every run.
func seedOf(b config.Bucket) string { return digest("links", b.Name)[:12] }

// proven says whether a proof of the links is young enough, and was made for the
// ETag that the distribution has and the links that are asked for (rule 7). Another run may have written it since
// this look began; one far in the future is of a wrong clock. One from before the
// names went back does not count: who lets them be switched again has changed
// something.
func proven(b config.Bucket, a Actual) bool {
	at, etag, asked, ok := a.Crumbs.proof()
	hold, _, _ := strings.Cut(a.Crumbs[crumbHold], "/")
	if back, held := readTime(hold); held && !at.After(back) {
		return false
	}
	return ok && a.Dist != nil && etag == a.Dist.ETag && asked == askedOf(b.Verify) && !at.After(a.Now.Add(meanwhile)) && a.Now.Sub(at) <= b.Verify.MaxAge
}

// checkLinks: every test link is the same through S3 and through CloudFront
// under the real name.
func checkLinks(b config.Bucket, a Actual) Verdict {
	switch {
	case a.switched():
		return done("the names are the distribution's")
	case proven(b, a):
		return done("the links were proven for this version of the distribution")
	}
	c := testLinks(b, a)
	v := todo(linksWhy(b, a, c))
	for _, t := range c.Targets[:min(len(c.Targets), maxLinks)] {
		v.Links = append(v.Links, t.Path)
	}
	v.Expect = max(expectVerify, time.Duration(len(c.Targets)*len(b.CNAMEs))*expectLink)
	return v
}

// maxLinks is how many links a plan lists; expectLink is how long one takes, at
// each name.
const (
	maxLinks   = 1000
	expectLink = 50 * time.Millisecond
)

// linksWhy says how many links there are, how they were chosen, and what will be
// let pass.
func linksWhy(b config.Bucket, a Actual, c proof.Choice) string {
	why := fmt.Sprintf("%d links through S3 and through CloudFront under the real name, http and https", len(c.Targets))
	if n := objectsOf(c); n < c.Of {
		why += fmt.Sprintf("; %d of %d objects (seed %s)", n, c.Of, seedOf(b))
		if a.Partial {
			why += " of a part of the listing"
		}
	}
	if c.Over > 0 {
		why += fmt.Sprintf("; %d more than verify.sample, so that every kind is met", c.Over)
	}
	if acc := b.Verify.Accept; len(acc) > 0 {
		why += "; differences in " + strings.Join(acc, ", ") + " are accepted by the configuration"
	}
	return why
}

// objectsOf is how many objects of the listing are test links, whoever chose them.
func objectsOf(c proof.Choice) int {
	seen := map[string]bool{}
	for _, t := range c.Targets {
		if path, query, _ := strings.Cut(t.Path, "?"); !t.Aside && t.Size >= 0 && query == "" {
			seen[path] = true
		}
	}
	return len(seen)
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// MismatchError says which links are not the same through CloudFront.
type MismatchError struct {
	// Paths is how many were compared.
	Paths int
	// Differences are those that stop the bucket, the worst first; More is how many
	// there are besides.
	Differences []proof.Difference
	More        int
	// ByHand: a person may have been asked to switch a name already.
	ByHand bool
}

func (e *MismatchError) Error() string {
	shown := e.shown()
	var b strings.Builder
	fmt.Fprintf(&b, "links are not the same through CloudFront (%s over %s):",
		plural(len(e.Differences)+e.More, "difference", "differences"), plural(e.Paths, "path", "paths"))
	for _, d := range shown {
		b.WriteString("\n  " + differenceLine(d))
	}
	if n := len(e.Differences) - len(shown) + e.More; n > 0 {
		fmt.Fprintf(&b, "\n  and %d more", n)
	}
	return b.String()
}

// shown are the first few differences, of each cause at first one.
func (e *MismatchError) shown() []proof.Difference {
	type cause struct {
		aspect proof.Aspect
		means  string
	}
	const most = 5
	var first, further []proof.Difference
	seen := map[cause]bool{}
	for _, d := range e.Differences {
		c := cause{d.Aspect, d.Means}
		if seen[c] {
			further = append(further, d)
			continue
		}
		seen[c] = true
		first = append(first, d)
	}
	all := append(first, further...)
	return all[:min(len(all), most)]
}

// differenceLine is a difference as one line: path, aspect, request, both
// answers, what it means, what mends it.
func differenceLine(d proof.Difference) string {
	line := fmt.Sprintf("%s: %s (%s) is %s at S3 and %s through CloudFront: %s", d.Path, d.Aspect, d.Request, d.Left, d.Right, strings.TrimSuffix(d.Means, "."))
	if d.Mend != "" {
		line += "; to mend it: " + d.Mend
	}
	return line
}

// Hint says what to do.
func (e *MismatchError) Hint() string {
	hint := "nobody was sent to CloudFront; "
	if e.ByHand {
		hint = "whoever was asked to switch a name by hand must not do it now; "
	}
	if len(e.Differences)+e.More > len(e.shown()) {
		hint += "edgeward verify lists all differences; "
	}
	hint += "mend what differs, then run edgeward apply again"
	var names []string
	for _, d := range e.Differences {
		if d.Verdict == proof.Broken {
			return hint
		}
		if name := fmt.Sprintf("%q", d.Aspect); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return hint + ", or let visitors see it: verify { accept = [" + strings.Join(names, ", ") + "] }"
}

// unprovenError says that links could not be judged, and that another try would
// end alike.
type unprovenError struct{ error }

func (e *unprovenError) Unwrap() error { return e.error }

// verifyLinks compares both sites, and writes the proof down.
func verifyLinks(ctx context.Context, s scene) error {
	if s.a.Bucket == nil {
		return notYet("the bucket's settings are not known")
	}
	c := testLinks(s.b, s.a)
	o := comparison(s.w, s.b, s.a, seedOf(s.b))
	if s.brief {
		c.Targets = c.Targets[:min(len(c.Targets), 3)]
		for i := range c.Targets {
			c.Targets[i].Whole = false
		}
	} else {
		targets, sent, err := proof.Widen(ctx, o, c)
		if err != nil {
			return err
		}
		c.Targets = targets
		o.MaxRequests = remaining(o.MaxRequests, sent)
	}
	r, err := proof.Compare(ctx, o, c.Targets)
	var left *proof.LeftError
	var budget *proof.BudgetError
	switch {
	case err != nil && ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &left):
		return notYet("S3 cannot be asked: " + left.Err.Error())
	case errors.As(err, &budget):
		return &unprovenError{err}
	case err != nil:
		return providers.Doing(err, "compare the links of %s", s.b.Name)
	case !r.Verdict.Passes():
		return mismatch(s.a, r)
	case r.Objects == 0 && !redirectsAll(s.b, s.a):
		return &unprovenError{errNothingReadable()}
	}
	d, err := s.acc.Distributions.Distribution(ctx, s.a.Dist.ID)
	switch {
	case err != nil:
		return providers.Doing(err, "read distribution %s after its links were compared", s.a.Dist.ID)
	case d.ETag != s.a.Dist.ETag:
		return notYet("distribution " + d.ID + " was changed while its links were compared")
	}
	return s.setTags(ctx, map[string]string{crumbProof: writeProof(s.w.Clock.Now(), s.a.Dist.ETag, askedOf(s.b.Verify), r.Digest)})
}

// errNothingReadable: both sites refuse alike what was asked, which proves
// nothing about what visitors get.
func errNothingReadable() error {
	return &nothingReadableError{}
}

// nothingReadableError says that nobody can read what was picked.
type nothingReadableError struct{}

func (*nothingReadableError) Error() string {
	return "no test link is publicly readable at S3, so nothing is proven"
}

// Hint says what to do.
func (*nothingReadableError) Hint() string {
	return "nobody was sent to CloudFront. If visitors are to read the bucket, let them (its policy, or the objects' ACLs); if they read other objects than those that were picked, name some in verify { paths = [\"/…\"] }; then run it again"
}

// remaining is what is left of a bound on requests.
func remaining(most, sent int) int {
	if most <= 0 {
		return most
	}
	return max(1, most-sent)
}

func mismatch(a Actual, r proof.Result) error {
	e := &MismatchError{Paths: r.Paths, More: r.More}
	for _, d := range r.Differences {
		if !d.Verdict.Passes() {
			e.Differences = append(e.Differences, d)
		}
	}
	e.ByHand = slices.ContainsFunc(a.Names, func(n NameActual) bool { return n.Features.ByHand })
	return e
}

// redirectsAll: a website that serves no object at all.
func redirectsAll(b config.Bucket, a Actual) bool {
	return siteKind(b, a) == providers.WebsiteOrigin && a.Bucket.Website != nil && a.Bucket.Website.RedirectAllTo != ""
}

// comparison is how the two sites of a bucket are reached, and what is known of
// them. Without a distribution there is no right.
func comparison(w providers.World, b config.Bucket, a Actual, seed string) proof.Options {
	host, dial := baseline(b, a)
	o := proof.Options{Web: w.Web, Clock: w.Clock, Left: proof.Site{URL: "http://" + host, Dial: dial}, Seed: seed,
		MaxRequests: b.Verify.MaxRequests, MaxBytes: b.Verify.MaxBytes}
	for _, acc := range b.Verify.Accept {
		if acc == config.AcceptUses {
			continue // nothing that a comparison sees
		}
		o.Accept = append(o.Accept, proof.Aspect(acc))
	}
	kind := siteKind(b, a)
	o = closeLeft(o, w, b, a)
	o.Facts = proof.Facts{CloudFront: a.Dist != nil, Website: kind == providers.WebsiteOrigin, CORS: a.Bucket.CORS}
	if kind == providers.WebsiteOrigin {
		o.Facts.OriginHosts = []string{originDomain(b.Name, a.Bucket.Region, providers.WebsiteOrigin)}
	}
	o.Facts.OriginHosts = append(o.Facts.OriginHosts, originDomain(b.Name, a.Bucket.Region, providers.RESTOrigin))
	if a.Dist == nil {
		return o
	}
	if origin := a.Dist.Settings.OriginDomain; !slices.Contains(o.Facts.OriginHosts, origin) {
		o.Facts.OriginHosts = append(o.Facts.OriginHosts, origin)
	}
	// What the configuration does not ask for stays a difference: somebody else's
	// setting of an adopted distribution, or a change by hand.
	d := b.Distribution
	if asked(d.ViewerProtocol) != "allow-all" {
		o.Facts.ViewerProtocol = asked(d.ViewerProtocol)
	}
	o.Facts.Compress, o.Facts.ResponseHeaders = asked(d.Compress), asked(d.ResponseHeadersPolicy) != ""
	o.Facts.DefaultRootObject = asked(d.DefaultRootObject)
	names := b.Names()
	if i := slices.Index(names, b.Name); i > 0 { // the moved one is the first
		names = slices.Insert(slices.Delete(names, i, i+1), 0, b.Name)
	}
	for _, n := range names {
		for _, scheme := range []string{"http", "https"} {
			o.Right = append(o.Right, proof.Site{URL: scheme + "://" + n, Dial: a.Dist.Domain})
		}
	}
	return o
}

// asked is what the configuration says, or nothing.
func asked[T any](set *T) T {
	if set == nil {
		return *new(T)
	}
	return *set
}

// siteKind is the endpoint of S3 that visitors use, or used before the switch.
func siteKind(b config.Bucket, a Actual) providers.OriginKind {
	if a.Dist != nil && a.Dist.Settings.OriginKind != "" {
		return a.Dist.Settings.OriginKind
	}
	return originKind(b, a)
}

// baseline is how a visitor reaches S3 today: the bucket's name as Host, the
// live record's target as the place. Where the names are switched already it is
// the endpoint that the distribution fetches from.
func baseline(b config.Bucket, a Actual) (host, dial string) {
	kind := siteKind(b, a)
	dial = originDomain(b.Name, a.Bucket.Region, kind)
	if n := a.moved(b); n != nil && n.Serves == servesS3 && n.Endpoint.kind == kind {
		if t := n.Set.Records[0]; t.Type == "CNAME" {
			dial = t.Value
		}
	}
	return b.Name, dial
}

// places dials every address that the authoritative servers and the resolvers
// answered for an alias record, or a flattened one, with the real name, and sees
// who is there. edge: it must be an edge of CloudFront, which presents our
// certificate and names its request (rule 9); else it must be none. An IPv6
// address that this machine cannot reach says nothing.
func (o *observer) places(ctx context.Context, n NameActual, edge bool) error {
	answered, seen := 0, map[string]bool{}
	for i, a := range slices.Concat(n.Authoritative, n.Resolved) {
		for _, r := range a.Records {
			if r.Type == "A" || r.Type == "AAAA" {
				seen[r.Value] = true
			}
		}
		switch {
		case i < len(n.Authoritative) && !hasAddress(a):
			return fmt.Errorf("%s answers %s", a.Server, says(a))
		case i >= len(n.Authoritative) && hasAddress(a):
			answered++
		}
	}
	if 2*answered <= len(n.Resolved) {
		return fmt.Errorf("%d of %d resolvers answer with an address", answered, len(n.Resolved))
	}
	for _, addr := range slices.Sorted(maps.Keys(seen)) {
		if err := o.place(ctx, n, addr, edge); err != nil {
			return err
		}
	}
	return nil
}

// place is one address. What the provider's own proxy answers under the name
// only has to be an answer: whom it fetched it from cannot be seen, it keeps
// answers for a while, and its certificate is its own.
func (o *observer) place(ctx context.Context, n NameActual, addr string, edge bool) error {
	name, path, scheme := n.CNAME.Name, "/", "http"
	if len(o.b.Verify.Paths) > 0 {
		path = o.b.Verify.Paths[0]
	}
	if edge && !n.proxied() {
		scheme = "https"
	}
	r, err := o.w.Web.Fetch(ctx, providers.Request{Method: http.MethodHead, URL: scheme + "://" + name + path, Dial: addr})
	isEdge := err == nil && r.Header.Get("X-Amz-Cf-Id") != ""
	switch {
	case err != nil && strings.Contains(addr, ":"):
		return nil
	case err != nil:
		return providers.Doing(err, "%s does not answer %s for the name", addr, scheme)
	case n.proxied() && (r.Status >= 500 || r.Status >= 400 && len(o.b.Verify.Paths) > 0):
		return fmt.Errorf("%s, the proxy of %s, answers status %d for %s", addr, n.Features.Provider, r.Status, path)
	case n.proxied():
		return nil
	case edge && !isEdge:
		return fmt.Errorf("%s is no edge of CloudFront", addr)
	case !edge && isEdge:
		return fmt.Errorf("%s is still an edge of CloudFront", addr)
	}
	return nil
}
