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

// linkLook is what the test links answered; none is why nothing could be judged.
type linkLook struct {
	none  string
	tries []linkTry
}

// linkTry is a test link, right at S3, at an address that a resolver answered.
type linkTry struct {
	path, server, address string
	// wrong is what a visitor there meets, "" when it is right.
	wrong string
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

// broken is a link that is wrong behind more than one resolver in this look and
// in the one before; a single bad probe never is.
func (l linkLook) broken(before linkLook) *UnhealthyError {
	for _, p := range l.paths() {
		var wrong []linkTry
		for _, t := range l.tries {
			was := slices.ContainsFunc(before.tries, func(x linkTry) bool { return x.path == p && x.server == t.server && x.wrong != "" })
			if t.path == p && t.wrong != "" && was && !slices.ContainsFunc(wrong, func(x linkTry) bool { return x.server == t.server }) {
				wrong = append(wrong, t)
			}
		}
		if len(wrong) > 1 {
			return &UnhealthyError{codeLinks, fmt.Sprintf("the test link %s, which S3 serves, is not right in two looks in a row behind %s (%s) and %s (%s): %s",
				p, wrong[0].server, wrong[0].address, wrong[1].server, wrong[1].address, wrong[0].wrong)}
		}
	}
	return nil
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
	for _, p := range watchPaths(ctx, acc, b, a) {
		left, err := w.Web.Fetch(ctx, providers.Request{Method: http.MethodGet, URL: "http://" + b.Name + p, Dial: a.Dist.Settings.OriginDomain, Limit: probeBytes})
		if err != nil || left.Status >= 400 {
			continue
		}
		paths = append(paths, p)
		for _, at := range places {
			if at.wrong = visit(ctx, w.Web, b, *n, a.Dist, p, at.address, left); ctx.Err() != nil {
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

// placesOf are addresses to probe, each by another resolver and another address
// where there are enough.
func placesOf(answers []providers.Answer) []linkTry {
	var out []linkTry
	taken := map[string]bool{}
	for _, a := range answers {
		var addresses []string
		for _, r := range a.Records {
			if r.Type == "A" {
				addresses = append(addresses, r.Value)
			}
		}
		if len(addresses) == 0 {
			continue
		}
		address := addresses[0]
		if i := slices.IndexFunc(addresses, func(x string) bool { return !taken[x] }); i >= 0 {
			address = addresses[i]
		}
		taken[address] = true
		if out = append(out, linkTry{server: a.Server, address: address}); len(out) == probePlaces {
			break
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
// serves; "" when that is right. An address that is no edge of CloudFront's, such
// as S3's own, is asked without TLS alone, which S3 does not have for the name.
func visit(ctx context.Context, web providers.Web, b config.Bucket, n NameActual, d *providers.Distribution, path, address string, left providers.Response) string {
	get := func(scheme string) (providers.Response, string) {
		r, err := web.Fetch(ctx, providers.Request{Method: http.MethodGet, URL: scheme + "://" + n.CNAME.Name + path, Dial: address, Limit: probeBytes})
		if err != nil {
			return r, fmt.Sprintf("no answer over %s: %v", scheme, err)
		}
		return r, wrongAnswer(left, r)
	}
	plain, wrong := get("http")
	if d.Settings.ViewerProtocol == "https-only" && plain.Status == http.StatusForbidden {
		wrong = ""
	}
	if wrong != "" || n.proxied() || plain.Header.Get("X-Amz-Cf-Id") == "" {
		return wrong
	}
	_, wrong = get("https")
	return wrong
}

// wrongAnswer is what is wrong with an answer for what S3 serves. Other bytes are
// wrong only under the same ETag: an edge may still have an older version.
func wrongAnswer(left, right providers.Response) string {
	etag := right.Header.Get("Etag")
	switch {
	case right.Status >= 400:
		return fmt.Sprintf("status %d, where S3 answers %d", right.Status, left.Status)
	case left.Status == right.Status && etag != "" && etag == left.Header.Get("Etag") && left.Header.Get("Content-Encoding") == right.Header.Get("Content-Encoding") && left.SHA256 != right.SHA256:
		return "other bytes than S3 serves"
	}
	return ""
}
