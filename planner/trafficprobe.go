package planner

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/providers"
)

// probePlaces and probePaths bound one look at the test links.
const (
	probePlaces = 3
	probePaths  = 2
	probeBytes  = 64 << 10
)

// How many looks in a row have to show a link wrong before that counts: wherever
// several resolvers lead, with two of them when it is right behind another one, and
// with a single resolver.
const (
	looksOfAll  = 2
	looksOfSome = 4
	looksOfOne  = 5
)

// linkLook is what the test links answered; none is why nothing could be judged,
// noHTTPS why nothing was over https.
type linkLook struct {
	none, noHTTPS string
	tries         []linkTry
}

// linkTry is a test link, right at S3, at an address that a resolver answered.
type linkTry struct {
	path, server, address string
	// wrong is what a visitor there meets, "" when it is right. blind is why there was
	// no answer over https alone, which may be the fault of this machine.
	wrong, blind string
}

func (l linkLook) paths() []string {
	var ps []string
	for _, t := range l.tries {
		if !slices.Contains(ps, t.path) {
			ps = append(ps, t.path)
		}
	}
	return ps
}

func (l linkLook) servers() int {
	seen := map[string]bool{}
	for _, t := range l.tries {
		seen[t.server] = true
	}
	return len(seen)
}

// says is how the tries ended.
func (l linkLook) says() string {
	var wrong []linkTry
	for _, t := range l.tries {
		if t.wrong != "" {
			wrong = append(wrong, t)
		}
	}
	words := plural(len(l.paths()), "test link", "test links") + " through " + plural(l.servers(), "resolver", "resolvers")
	if wrong == nil {
		return words + " right"
	}
	return fmt.Sprintf("%s: %d of %d answers not right (%s at %s behind %s: %s)", words, len(wrong), len(l.tries), wrong[0].path, wrong[0].address, wrong[0].server, wrong[0].wrong)
}

// wrong are the tries of a path that were not right, all whether there were no
// others.
func (l linkLook) wrong(path string) (tries []linkTry, all bool) {
	all = true
	for _, t := range l.tries {
		switch {
		case t.path != path:
		case t.wrong == "":
			all = false
		default:
			tries = append(tries, t)
		}
	}
	return tries, all && tries != nil
}

// brokenLink is a link that each of the looks shows to be wrong: behind the same two
// resolvers, or, where only one resolver answers, at every address that it has
// given. enough is whether there were looks enough; a single bad probe never is.
func brokenLink(looks []linkLook) (u *UnhealthyError, enough bool) {
	first := looks[0]
	one := slices.ContainsFunc(looks, func(l linkLook) bool { return l.servers() < 2 })
	for _, p := range first.paths() {
		wrong, _ := first.wrong(p)
		everywhere := true
		for _, l := range looks {
			tries, all := l.wrong(p)
			everywhere = everywhere && all
			wrong = slices.DeleteFunc(wrong, func(t linkTry) bool {
				return !slices.ContainsFunc(tries, func(x linkTry) bool { return x.server == t.server })
			})
		}
		wrong = slices.CompactFunc(wrong, func(x, y linkTry) bool { return x.server == y.server })
		var need int
		var where string
		switch {
		case one && everywhere:
			need, where = looksOfOne, fmt.Sprintf("%s (%s), the only resolver that answers", wrong[0].server, wrong[0].address)
		case one || len(wrong) < 2:
			continue
		default:
			need, where = looksOfSome, fmt.Sprintf("%s (%s) and %s (%s)", wrong[0].server, wrong[0].address, wrong[1].server, wrong[1].address)
			if everywhere {
				need = looksOfAll
			}
		}
		return &UnhealthyError{codeLinks, fmt.Sprintf("the test link %s, which S3 serves, is not right in %d looks in a row behind %s: %s", p, need, where, wrong[0].wrong)}, len(looks) >= need
	}
	return nil, false
}

// lookAgain looks at the links until there were looks enough to call one broken, or
// one of them shows it right: then it gives nil. The error is ctx's alone.
func lookAgain(ctx context.Context, w providers.World, b config.Bucket, a Actual) (*UnhealthyError, error) {
	looks := []linkLook{a.Watched.links}
	for {
		u, enough := brokenLink(looks)
		if u == nil || enough {
			return u, nil
		}
		back := providers.Idle(ctx)
		err := w.Clock.Sleep(ctx, secondLook)
		back()
		if err != nil {
			return nil, err
		}
		a.Now = w.Clock.Now()
		l, err := probeLinks(ctx, w, w.Accounts[b.Account], b, a)
		if err != nil {
			return nil, err
		}
		looks = append(looks, l)
	}
}

// probeLinks fetches a few test links under the real name where the resolvers
// send visitors, and from S3 beside it: only what S3 serves can be wrong. The
// error is ctx's alone.
func probeLinks(ctx context.Context, w providers.World, acc providers.Account, b config.Bucket, a Actual) (linkLook, error) {
	var l linkLook
	n := a.moved(b)
	if n == nil {
		n = &a.Names[0]
	}
	answers, err := w.Resolver.Resolve(ctx, n.CNAME.Name, "A")
	if err != nil {
		l.none = "the resolvers cannot be asked: " + err.Error()
		return l, ctx.Err()
	}
	places := placesOf(answers)
	if len(places) == 0 {
		l.none = "no resolver answers with an address"
		return l, ctx.Err()
	}
	var paths []string
	speaks := false
	for _, p := range watchPaths(ctx, acc, b, a) {
		left, err := w.Web.Fetch(ctx, providers.Request{Method: http.MethodGet, URL: "http://" + b.Name + p, Dial: a.Dist.Settings.OriginDomain, Limit: probeBytes})
		if err != nil || left.Status >= 400 {
			continue
		}
		paths = append(paths, p)
		for _, at := range places {
			at.wrong, at.blind = visit(ctx, w.Web, b, *n, a.Dist, p, at.address, left)
			if at.blind != "" {
				if speaks = speaks || l.noHTTPS == "" && speaksHTTPS(ctx, w.Web, b, a); speaks {
					at.wrong = at.blind
				} else {
					l.noHTTPS = at.blind
				}
			}
			if ctx.Err() != nil {
				return l, ctx.Err()
			}
			at.path = p
			l.tries = append(l.tries, at)
		}
		if len(paths) == probePaths {
			break
		}
	}
	if len(paths) == 0 {
		l.none = "S3 serves no test link"
	}
	return l, ctx.Err()
}

// How S3 is asked whether it fails by itself: so many links, each so often.
const (
	ownLinks = 4
	ownTimes = 6
)

// failsItself says that S3 answers test links with a 5xx, "" when it did not. The
// error is ctx's.
func failsItself(ctx context.Context, w providers.World, b config.Bucket, a Actual) (why string, err error) {
	paths := watchPaths(ctx, w.Accounts[b.Account], b, a)
	if len(paths) == 0 {
		paths = []string{"/"}
	}
	for range ownTimes {
		for _, p := range paths[:min(len(paths), ownLinks)] {
			r, err := w.Web.Fetch(ctx, providers.Request{Method: http.MethodGet, URL: "http://" + b.Name + p, Dial: a.Dist.Settings.OriginDomain, Limit: backBytes})
			switch {
			case ctx.Err() != nil:
				return "", ctx.Err()
			case err == nil && r.Status >= 500:
				return fmt.Sprintf("S3 itself fails, so nothing is to be gained there: it answers %d for %s", r.Status, p), nil
			}
		}
	}
	return "", nil
}

// speaksHTTPS says whether this machine gets any answer over https where it knows
// somebody who speaks it: S3's own endpoint, or the distribution's own name. Its
// port may be closed, its clock wrong, its certificates missing.
func speaksHTTPS(ctx context.Context, web providers.Web, b config.Bucket, a Actual) bool {
	hosts := []string{a.Dist.Domain}
	if region := regionOf(b, a); region != "" {
		hosts = append([]string{strings.TrimPrefix(originDomain(b.Name, region, providers.RESTOrigin), b.Name+".")}, hosts...)
	}
	return slices.ContainsFunc(hosts, func(host string) bool {
		_, err := web.Fetch(ctx, providers.Request{Method: http.MethodHead, URL: "https://" + host + "/", Limit: probeBytes})
		return err == nil
	})
}

// placesOf are addresses to probe, each by another resolver and another address
// where there are enough; the addresses of one that is the only one to answer.
func placesOf(answers []providers.Answer) []linkTry {
	var out []linkTry
	taken := map[string]bool{}
	for _, a := range answers {
		addresses := addressesOf(a)
		if len(addresses) == 0 {
			continue
		}
		address := addresses[0]
		if i := slices.IndexFunc(addresses, func(x string) bool { return !taken[x] }); i >= 0 {
			address = addresses[i]
		}
		taken[address] = true
		if out = append(out, linkTry{server: a.Server, address: address}); len(out) == probePlaces {
			return out
		}
	}
	if len(out) != 1 {
		return out
	}
	only := out[0].server
	for _, a := range answers {
		for _, x := range addressesOf(a) {
			if a.Server == only && !taken[x] && len(out) < probePlaces {
				taken[x] = true
				out = append(out, linkTry{server: only, address: x})
			}
		}
	}
	return out
}

func addressesOf(a providers.Answer) []string {
	var out []string
	for _, r := range a.Records {
		if r.Type == "A" {
			out = append(out, r.Value)
		}
	}
	return out
}

// watchPaths are candidates for test links: those of the configuration, then the
// first objects of the bucket.
func watchPaths(ctx context.Context, acc providers.Account, b config.Bucket, a Actual) []string {
	var paths []string
	for _, p := range b.Verify.Paths {
		if !strings.Contains(p, "*") && len(paths) < 2*probePaths {
			paths = append(paths, p)
		}
	}
	if len(paths) >= probePaths {
		return paths
	}
	region := b.Region
	if e, ok := parseEndpoint(a.Dist.Settings.OriginDomain); ok && region == "" {
		region = e.region
	}
	objects, err := acc.Buckets.Objects(ctx, b.Name, region, "", 4*probePaths)
	if err != nil {
		return paths
	}
	for _, o := range objects {
		if p := (&url.URL{Path: "/" + o.Key}).EscapedPath(); o.Size > 0 && !slices.Contains(paths, p) {
			paths = append(paths, p)
		}
	}
	return paths
}

// visit is what a visitor at address meets who asks for path, against what S3
// serves; "" when that is right. blind is why there was no answer over https, where
// the one over http is right. An address that is no edge of CloudFront's, such as S3's
// own, is asked without TLS alone, which S3 does not have for the name.
func visit(ctx context.Context, web providers.Web, b config.Bucket, n NameActual, d *providers.Distribution, path, address string, left providers.Response) (wrong, blind string) {
	get := func(scheme string) (providers.Response, error) {
		return web.Fetch(ctx, providers.Request{Method: http.MethodGet, URL: scheme + "://" + n.CNAME.Name + path, Dial: address, Limit: probeBytes})
	}
	plain, err := get("http")
	switch {
	case err != nil:
		return fmt.Sprintf("no answer over http: %v", err), ""
	case d.Settings.ViewerProtocol == "https-only" && plain.Status == http.StatusForbidden:
	case toHTTPS(plain, n.CNAME.Name, path):
		// Visitors follow it: what stands there is looked at, at a proxy too.
		safe, err := get("https")
		if err != nil {
			return "", fmt.Sprintf("no answer over https: %v", err)
		}
		return wrongAnswer(left, safe), ""
	default:
		wrong = wrongAnswer(left, plain)
	}
	if wrong != "" || n.proxied() || plain.Header.Get("X-Amz-Cf-Id") == "" {
		return wrong, ""
	}
	safe, err := get("https")
	if err != nil {
		return "", fmt.Sprintf("no answer over https: %v", err)
	}
	return wrongAnswer(left, safe), ""
}

// toHTTPS says that an answer over http sends visitors to the same link over https,
// as viewer_protocol does, and a proxy that is told to.
func toHTTPS(r providers.Response, name, path string) bool {
	if r.Status < 300 || r.Status >= 400 {
		return false
	}
	to, err := url.Parse(r.Header.Get("Location"))
	return err == nil && to.Scheme == "https" && strings.EqualFold(to.Hostname(), name) && to.RequestURI() == path
}

// wrongAnswer is what is wrong with an answer for what S3 serves. Other bytes are
// wrong only under the same ETag: an edge may still have an older version.
func wrongAnswer(left, right providers.Response) string {
	etag := right.Header.Get("Etag")
	switch {
	case right.Status >= 300 && left.Status < 300:
		if to := right.Header.Get("Location"); to != "" {
			return fmt.Sprintf("status %d to %s, where S3 answers %d", right.Status, to, left.Status)
		}
		return fmt.Sprintf("status %d, where S3 answers %d", right.Status, left.Status)
	case right.Status >= 400:
		return fmt.Sprintf("status %d, where S3 answers %d", right.Status, left.Status)
	case left.Status == right.Status && etag != "" && etag == left.Header.Get("Etag") && left.Header.Get("Content-Encoding") == right.Header.Get("Content-Encoding") && left.SHA256 != right.SHA256:
		return "other bytes than S3 serves"
	}
	return ""
}
