package planner

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/providers"
)

// link is one test link: a path as it is sent.
type link struct {
	path string
	// listed: the user named it, so it must be publicly readable.
	listed bool
	// aside: it needs not be readable; what counts is the same answer.
	aside bool
}

// testLinks are the paths of the configuration, a sample of the objects, the
// root, and a key that does not exist.
func testLinks(b config.Bucket, a Actual) []link {
	var ls []link
	seen := map[string]bool{}
	add := func(l link) {
		if !seen[l.path] {
			seen[l.path] = true
			ls = append(ls, l)
		}
	}
	for _, p := range b.Verify.Paths {
		add(link{path: p, listed: true})
	}
	for _, o := range sample(a.Objects, b.Verify.Sample) {
		add(link{path: objectPath(o.Key)})
	}
	add(link{path: "/", aside: true})
	add(link{path: "/edgeward-" + digest("missing", b.Name)[:12], aside: true})
	return ls
}

// sample picks n objects, the same each time for the same listing: the largest
// and the newest, then evenly over the key order. Archived objects are not
// publicly readable.
func sample(objs []providers.Object, n int) []providers.Object {
	objs = slices.DeleteFunc(slices.Clone(objs), func(o providers.Object) bool {
		return o.StorageClass == "GLACIER" || o.StorageClass == "DEEP_ARCHIVE" || strings.HasSuffix(o.Key, "/")
	})
	if len(objs) <= n {
		return objs
	}
	if n <= 0 {
		return nil
	}
	largest := slices.MaxFunc(objs, func(x, y providers.Object) int { return int(min(1, max(-1, x.Size-y.Size))) })
	newest := slices.MaxFunc(objs, func(x, y providers.Object) int { return x.LastModified.Compare(y.LastModified) })
	picked := map[string]providers.Object{largest.Key: largest}
	if n > 1 {
		picked[newest.Key] = newest
	}
	for i := 0; len(picked) < n; i++ {
		o := objs[(i*len(objs)/n+i/n)%len(objs)]
		picked[o.Key] = o
	}
	var out []providers.Object
	for _, o := range objs {
		if _, ok := picked[o.Key]; ok {
			out = append(out, o)
		}
	}
	return out
}

// objectPath is an object's key as a URL's path: each byte outside the
// unreserved set is escaped, slashes stay.
func objectPath(key string) string {
	parts := strings.Split(key, "/")
	for i, p := range parts {
		parts[i] = strings.ReplaceAll(url.PathEscape(p), "+", "%2B")
	}
	return "/" + strings.Join(parts, "/")
}

// proven says whether a proof of the links is young enough, and was made for the
// ETag that the distribution has (rule 7).
func proven(b config.Bucket, a Actual) bool {
	at, etag, ok := a.Crumbs.proof()
	return ok && a.Dist != nil && etag == a.Dist.ETag && !at.After(a.Now) && a.Now.Sub(at) <= b.Verify.MaxAge
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
	ls := testLinks(b, a)
	v := todo(fmt.Sprintf("%d links through S3 and through CloudFront under the real name, http and https", len(ls)))
	for _, l := range ls {
		v.Links = append(v.Links, l.path)
	}
	v.Expect = expectVerify
	return v
}

// MismatchError says which links are not the same through CloudFront.
type MismatchError struct {
	// Links is how many were fetched; Differences has a line each.
	Links       int
	Differences []string
	// ByHand: a person may have been asked to switch a name already.
	ByHand bool
}

func (e *MismatchError) Error() string {
	shown := e.Differences
	more := ""
	if len(shown) > 5 {
		shown, more = shown[:5], fmt.Sprintf("\n  and %d more", len(e.Differences)-5)
	}
	return fmt.Sprintf("links are not the same through CloudFront (%d differences over %d links):\n  %s%s", len(e.Differences), e.Links, strings.Join(shown, "\n  "), more)
}

// Hint says what to do.
func (e *MismatchError) Hint() string {
	if e.ByHand {
		return "whoever was asked to switch a name by hand must not do it now; mend what differs, then run edgeward apply again"
	}
	return "nobody was sent to CloudFront; mend what differs, then run edgeward apply again"
}

// verifyLinks fetches and compares, and writes the proof down. What differs is
// looked at again before it is judged: edges and S3 answer wrongly at times.
func verifyLinks(ctx context.Context, s scene) error {
	if s.a.Bucket == nil {
		return notYet("the bucket's settings are not known")
	}
	ls := testLinks(s.b, s.a)
	var diffs []string
	readable := 0
	for try, rest := 0, ls; len(rest) > 0 && try < verifyTries; try++ {
		if err := s.w.Clock.Sleep(ctx, time.Duration(try)*verifyPause); err != nil {
			return err
		}
		results, err := compareLinks(ctx, s, rest)
		if err != nil {
			return err
		}
		rest, diffs = nil, nil
		for _, r := range results {
			if r.readable {
				readable++
			}
			if r.diffs != nil {
				rest, diffs = append(rest, r.link), append(diffs, r.diffs...)
			}
		}
	}
	if diffs != nil {
		byHand := slices.ContainsFunc(s.a.Names, func(n NameActual) bool { return n.Features.ByHand })
		return &MismatchError{Links: len(ls), Differences: diffs, ByHand: byHand}
	}
	if readable == 0 {
		return errors.New("no test link is publicly readable at S3, so nothing is proven; name some in verify { paths = [\"/…\"] }")
	}
	proof := fmt.Sprintf("%s/%s/%s", writeTime(s.w.Clock.Now()), s.a.Dist.ETag, digest(fmt.Sprint(ls))[:12])
	return s.setTags(ctx, map[string]string{crumbProof: proof})
}

const (
	verifyTries    = 3
	verifyPause    = 2 * time.Second
	verifyParallel = 4
)

type linkResult struct {
	link     link
	readable bool
	diffs    []string
}

func compareLinks(ctx context.Context, s scene, ls []link) ([]linkResult, error) {
	results := make([]linkResult, len(ls))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(verifyParallel)
	var mu sync.Mutex
	var blind error
	for i, l := range ls {
		g.Go(func() error {
			r, err := compareLink(gctx, s, l)
			if err != nil && gctx.Err() == nil {
				mu.Lock()
				blind = err
				mu.Unlock()
				return nil
			}
			results[i] = r
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	if blind != nil {
		return nil, notYet(blind.Error())
	}
	return results, nil
}

// compareLink fetches one link from S3, as it is reached today, and from the
// distribution under every name, over http and https. Its error means that S3
// itself could not be asked.
func compareLink(ctx context.Context, s scene, l link) (linkResult, error) {
	out := linkResult{link: l}
	host, dial := baseline(s.b, s.a)
	want, err := s.w.Web.Fetch(ctx, providers.Request{Method: http.MethodGet, URL: "http://" + host + l.path, Dial: dial})
	if err != nil {
		return out, fmt.Errorf("fetch %s from S3 (%s): %w", l.path, dial, err)
	}
	out.readable = want.Status < 300 && !l.aside
	switch {
	case want.Status >= 500:
		return out, fmt.Errorf("fetch %s from S3 (%s): status %d", l.path, dial, want.Status)
	case l.listed && want.Status >= 400:
		out.diffs = []string{fmt.Sprintf("%s: S3 answers %d, so it is no test link; correct verify.paths", l.path, want.Status)}
		return out, nil
	case !l.listed && !l.aside && want.Status >= 400:
		return out, nil // not publicly readable: no test link
	}
	schemes := []string{"http", "https"}
	if s.a.Dist.Settings.ViewerProtocol != "allow-all" {
		schemes = schemes[1:] // the redirect or refusal of http is asked for, and the plan says so
	}
	for _, c := range s.b.CNAMEs {
		for _, scheme := range schemes {
			u := scheme + "://" + c.Name + l.path
			got, err := s.w.Web.Fetch(ctx, providers.Request{Method: http.MethodGet, URL: u, Dial: s.a.Dist.Domain})
			if ctx.Err() != nil {
				return out, ctx.Err()
			}
			if err != nil {
				out.diffs = append(out.diffs, fmt.Sprintf("%s: S3 answers %d, CloudFront does not answer: %v", u, want.Status, err))
				continue
			}
			out.diffs = append(out.diffs, differ(u, want, got)...)
		}
	}
	return out, nil
}

// baseline is how a visitor reaches S3 today: the bucket's name as Host, the
// live record's target as the place.
func baseline(b config.Bucket, a Actual) (host, dial string) {
	region := a.Bucket.Region
	kind := originKind(b, a)
	if a.Dist != nil && a.Dist.Settings.OriginKind != "" {
		kind = a.Dist.Settings.OriginKind
	}
	dial = originDomain(b.Name, region, kind)
	if n := a.moved(b); n != nil && n.Serves == servesS3 && n.Endpoint.kind == kind {
		if t := n.Set.Records[0]; t.Type == "CNAME" {
			dial = t.Value
		}
	}
	return b.Name, dial
}

// comparedHeaders are what a visitor's browser or cache acts on.
var comparedHeaders = []string{
	"Content-Type", "Content-Length", "Content-Encoding", "Content-Language", "Content-Disposition",
	"Cache-Control", "Expires", "Etag", "Last-Modified", "Location",
}

// differ lists what is not the same. Bodies of errors carry request numbers and
// are not compared.
func differ(u string, want, got providers.Response) []string {
	var out []string
	line := func(what, s3, cf string) {
		if s3 != cf {
			out = append(out, fmt.Sprintf("%s: %s is %q from S3, %q from CloudFront", u, what, s3, cf))
		}
	}
	line("status", fmt.Sprint(want.Status), fmt.Sprint(got.Status))
	if out != nil || want.Status >= 400 {
		return out
	}
	line("body", want.SHA256, got.SHA256)
	for _, h := range comparedHeaders {
		line(h, want.Header.Get(h), got.Header.Get(h))
	}
	return out
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
		return fmt.Errorf("%s does not answer %s for the name: %w", addr, scheme, err)
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
