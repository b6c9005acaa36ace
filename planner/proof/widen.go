package proof

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/edgeward/edgeward/providers"
)

// maxWidened is how many targets Widen adds, or gives the whole matrix, at most.
const maxWidened = 40

// Widen asks the left for the headers of objects that were not picked, or that
// would not get the whole matrix, and gives it to those with a type, an
// encoding, a metadata name, a redirect or another shape of headers that no
// target with the whole matrix has yet: a listing does not show these. It sends
// at most MaxWhole + 200 HEAD requests, a quarter of those that are allowed, and
// none when every object has the whole matrix already. The number is how many it
// sent; a comparison that follows has the fewer left. An object that the left
// does not answer for is passed over. The error is ctx's.
func Widen(ctx context.Context, o Options, c Choice) ([]Target, int, error) {
	out := slices.Concat(c.Targets, c.Spare)
	var ask, open []int
	for i, t := range out {
		switch {
		case t.Aside:
		case t.Whole:
			ask = append(ask, i)
		case len(open) < maxSpare:
			open = append(open, i)
		}
	}
	if len(open) == 0 {
		return c.Targets, 0, nil
	}
	ask = append(ask, open...)
	if o.MaxRequests > 0 {
		ask = ask[:min(len(ask), o.MaxRequests/4)]
	}
	asked := make([]Target, len(ask))
	for i, at := range ask {
		asked[i] = out[at]
	}
	heads, err := Heads(ctx, o, asked)
	if err != nil {
		return nil, len(ask), err
	}
	met, added := map[string]bool{}, 0
	for i, at := range ask {
		t := &out[at]
		j := slices.IndexFunc(heads[i].shapes, func(k string) bool { return !met[k] })
		if j < 0 || !t.Whole && added >= maxWidened {
			continue
		}
		if !t.Whole {
			added++
			t.Whole, t.Why = true, cmp.Or(t.Why, heads[i].shapes[j])
		}
		for _, k := range heads[i].shapes {
			met[k] = true
		}
	}
	spare := slices.DeleteFunc(out[len(c.Targets):], func(t Target) bool { return !t.Whole })
	return out[:len(c.Targets)+len(spare)], len(ask), nil
}

// Head is what the left says of a target.
type Head struct {
	// Status is 0 when there was no answer; then Err says why.
	Status int
	Err    error
	// NoCacheControl: served, with neither Cache-Control nor Expires.
	NoCacheControl bool
	shapes         []string
}

// Heads sends a HEAD request for each target to the left, within the pace of the
// options; their budget is the caller's affair. The error is ctx's.
func Heads(ctx context.Context, o Options, targets []Target) ([]Head, error) {
	o.Parallel, o.MaxRequests, o.MaxBytes = cmp.Or(max(o.Parallel, 0), 8), 0, 0
	if o.Rate <= 0 {
		o.Rate = 100
	}
	p := newPace(o)
	heads := make([]Head, len(targets))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(o.Parallel)
	for i, t := range targets {
		g.Go(func() (err error) {
			defer providers.Recovered(&err)
			var spent Outcome
			a, err := p.fetch(gctx, o.Left, t.Path, shape{method: http.MethodHead, part: partPlain}, &spent)
			if err != nil {
				return err
			}
			heads[i] = headOf(a)
			return nil
		})
	}
	return heads, g.Wait()
}

func headOf(a answer) Head {
	if a.err != nil {
		return Head{Err: a.err}
	}
	return Head{Status: a.Status, shapes: shapesOf(a.Response),
		NoCacheControl: a.Status < 300 && a.Header.Get("Cache-Control") == "" && a.Header.Get("Expires") == ""}
}

// shapesOf are the kinds of an object that only its headers show.
func shapesOf(r providers.Response) []string {
	switch {
	case r.Status == http.StatusForbidden:
		return []string{"unreadable"}
	case r.Status >= 300 && r.Status < 400:
		return []string{"redirect"}
	case r.Status != http.StatusOK:
		return nil
	}
	first := func(h string) string {
		v, _, _ := strings.Cut(r.Header.Get(h), ";")
		return strings.ToLower(strings.TrimSpace(v))
	}
	kinds := []string{"type " + first("Content-Type")}
	for h, what := range map[string]string{"Content-Encoding": "encoding ", "Content-Disposition": "disposition "} {
		if v := first(h); v != "" {
			kinds = append(kinds, what+v)
		}
	}
	for h, what := range map[string]string{"Content-Language": "language", "Expires": "expires", "X-Amz-Website-Redirect-Location": "redirect of the website"} {
		if r.Header.Get(h) != "" {
			kinds = append(kinds, what)
		}
	}
	if cc := r.Header.Get("Cache-Control"); cc == "" {
		kinds = append(kinds, "no cache-control")
	} else {
		for d := range strings.SplitSeq(cc, ",") {
			name, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(d)), "=")
			kinds = append(kinds, "cache-control "+name)
		}
	}
	for h := range r.Header {
		if name, ok := strings.CutPrefix(strings.ToLower(h), "x-amz-meta-"); ok {
			kinds = append(kinds, "metadata "+name)
		}
	}
	slices.Sort(kinds)
	return kinds
}
