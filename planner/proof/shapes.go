package proof

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/edgeward/edgeward/providers"
)

const (
	// bigBody is the length in bytes above which a body is not read whole.
	bigBody = 32 << 20
	// glance is how much of a body is read where the whole of it is compared by
	// another request, and of a body that is big.
	glance = 256 << 10
	// piece is the length of the ranges by which a big body is compared.
	piece = 64 << 10
	// keepBytes is how many bytes of an answer are kept, so that errors can be compared
	// without their request's number.
	keepBytes = 16 << 10
	// seeded is how many pieces of a big body are at places of their own.
	seeded = 2
	// maxOrigins bounds the origins that are asked with at one target.
	maxOrigins = 12
	// fewCORS is how many targets are asked with an Origin when no rule allows one.
	fewCORS = 3
)

// ask is one request to the right, at its place in a group.
type ask struct {
	shape shape
	// warm: the same was asked just before, so a cache may have it.
	warm bool
}

// group is requests that are sent to one site in this order, since what a cache
// answers depends on what was asked before. It is looked at again as a whole.
type group struct {
	name string
	asks []ask
	// ofVersion: what is right depends on which version of the object a cache has.
	ofVersion bool
	// fresh: all have one query of their own that was never sent before, so that
	// the first of them is past every cache.
	fresh bool
}

// wide is what is to be asked of a target besides the plain requests.
type wide struct {
	// order and of: it is this one of so many targets that get the whole matrix.
	order, of int
	// flip is true at each second site, so that the two orders of CORS are both
	// asked; both: there is no second one.
	flip, both bool
}

// request is how a Difference calls a pair.
func (p pair) request() string {
	var s strings.Builder
	s.WriteString(p.shape.method)
	if p.shape.name != "" {
		s.WriteString(" " + p.shape.name)
	}
	scheme, _, _ := strings.Cut(p.right.URL, "://")
	s.WriteString(" (" + scheme)
	if p.host != "" {
		s.WriteString(", " + p.host)
	}
	if p.warm {
		s.WriteString(", warm")
	}
	return s.String() + ")"
}

// key is the same for two shapes that the left need not be asked twice; fresh
// ones have a query of their own.
func (s shape) key(fresh bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s ?%s %v %d", s.method, s.query, fresh, s.limit)
	for _, name := range slices.Sorted(maps.Keys(s.header)) {
		fmt.Fprintf(&b, "\n%s: %s", name, s.header[name])
	}
	return b.String()
}

// plainGet is the first request for a target.
func plainGet(t Target) shape {
	s := shape{method: http.MethodGet, part: partPlain, limit: bigBody}
	if t.Size > bigBody {
		s.limit = glance
	}
	return s
}

// size is the length of what the left serves, -1 when it cannot be known.
func size(left answer) int64 {
	if left.err != nil {
		return -1
	}
	if !left.Cut {
		return left.Length
	}
	n, err := strconv.ParseInt(left.Header.Get("Content-Length"), 10, 64)
	if err != nil || n < left.Length {
		return -1
	}
	return n
}

// plain is what every target gets at every site; what is big gets ranges too,
// where wide is not asked.
func plain(t Target, get shape, left answer) []group {
	groups := []group{{name: "plain", asks: []ask{{shape: get}}}}
	if left.Cut && left.Status == http.StatusOK {
		if asks := pieces(t, size(left)); asks != nil {
			groups = append(groups, group{name: "range", ofVersion: true, asks: asks})
		}
	}
	return groups
}

// matrix is everything that is asked of a target, made for the left's answer to
// the plain GET.
func matrix(f Facts, t Target, get shape, left answer, w wide) []group {
	origins, rule := w.origins(f)
	if path, _, _ := strings.Cut(t.Path, "?"); path == "/" && f.DefaultRootObject != "" {
		return []group{w.plain(get, nil)} // another object is asked for there; it is a target of its own
	}
	groups := []group{w.plain(get, origins), cold(get)}
	if left.Status == http.StatusOK {
		groups = append(groups, conditional(left), ranges(t, left), coldRange(get, left), encoding(get))
	}
	groups = append(groups, w.cors(get, origins)...)
	groups = append(groups, preflight(origins, rule), queries(t, get))
	return slices.DeleteFunc(groups, func(g group) bool { return len(g.asks) == 0 })
}

// plain is GET cold and warm and HEAD; on each second target the requests with
// an Origin come first.
func (w wide) plain(get shape, origins []string) group {
	head := get
	head.method = http.MethodHead
	asks := []ask{{shape: get}, {shape: get, warm: true}, {shape: head}}
	var cors []ask
	for _, o := range origins[:min(2, len(origins))] {
		cors = append(cors, ask{shape: withOrigin(get, o)})
	}
	if w.order%2 == 1 {
		return group{name: "plain", asks: append(cors, asks...)}
	}
	return group{name: "plain", asks: append(asks, cors...)}
}

// cold is a miss, and a hit after it.
func cold(get shape) group {
	get.part, get.name = partCold, "?edgeward=…"
	return group{name: "cold", fresh: true, asks: []ask{{shape: get}, {shape: get, warm: true}}}
}

// with is a GET with one header.
func with(p part, name, value string) shape {
	return shape{method: http.MethodGet, name: name + ": " + value, header: map[string]string{name: value}, part: p, limit: glance}
}

// longAgo is before any object was changed.
const longAgo = "Sat, 01 Jan 2000 00:00:00 GMT"

// conditional asks as who has a copy, the same one and another. If-Range with the
// same one is an ordinary range.
func conditional(left answer) group {
	g := group{name: "conditional", ofVersion: true}
	add := func(s shape) { g.asks = append(g.asks, ask{shape: s}) }
	ifRange := func(p part, value string) {
		s := with(p, "If-Range", value)
		s.header["Range"] = "bytes=0-0"
		s.name += ", Range: bytes=0-0"
		add(s)
	}
	etag, modified := left.Header.Get("Etag"), left.Header.Get("Last-Modified")
	if etag != "" {
		add(with(partConditional, "If-None-Match", etag))
		add(with(partConditional, "If-None-Match", `"edgeward"`))
	}
	if modified != "" {
		add(with(partConditional, "If-Modified-Since", modified))
		add(with(partConditional, "If-Modified-Since", longAgo))
	}
	if etag != "" && size(left) != 0 {
		ifRange(partRange, etag)
		ifRange(partConditional, `"edgeward"`)
	}
	return g
}

// ranges are the first, some in the middle, the last, past the end, and ones
// that are no single range.
func ranges(t Target, left answer) group {
	n := size(left)
	if left.Cut {
		return group{name: "range", ofVersion: true, asks: append(pieces(t, n), unclear(n)...)}
	}
	asks := []ask{rangeOf("bytes=0-0")}
	switch {
	case n > 1:
		middle := n / 2
		asks = append(asks, rangeOf(fmt.Sprintf("bytes=%d-%d", middle, min(middle+99, n-1))), rangeOf("bytes=-1"))
	case n == 0:
		return group{name: "range", ofVersion: true, asks: asks}
	}
	return group{name: "range", ofVersion: true, asks: append(asks, unclear(n)...)}
}

// unclear are ranges that are answered with an error, shorter, or not as ranges.
func unclear(n int64) []ask {
	if n <= 0 {
		return nil
	}
	asks := []ask{
		rangeOf(fmt.Sprintf("bytes=%d-", n)),
		rangeOf(fmt.Sprintf("bytes=%d-%d", n-1, n+99)),
		rangeOf("bytes=x-y"),
	}
	if n > 3 {
		asks = append(asks, rangeOf("bytes=0-0,2-2"))
	}
	return asks
}

func rangeOf(value string) ask { return ask{shape: with(partRange, "Range", value)} }

// pieces are the ranges by which a big body of n bytes is compared: its start,
// middle and end, and places that are the same each time for one path.
func pieces(t Target, n int64) []ask {
	if n < 4*piece {
		return nil
	}
	at := []int64{0, n / 2, n - piece}
	for i := range seeded {
		sum := sha256.Sum256(fmt.Appendf(nil, "%s %d", t.Path, i))
		at = append(at, int64(binary.BigEndian.Uint64(sum[:8])%uint64(n-piece)))
	}
	var asks []ask
	for _, from := range at {
		asks = append(asks, rangeOf(fmt.Sprintf("bytes=%d-%d", from, from+piece-1)))
	}
	return append(asks, rangeOf("bytes=-1"))
}

// coldRange asks for a range first and for all after it: a cache must not take
// the one for the other.
func coldRange(get shape, left answer) group {
	if size(left) < 2 {
		return group{}
	}
	first := with(partRange, "Range", "bytes=0-0")
	first.name = "?edgeward=… " + first.name
	get.part, get.name = partCold, "?edgeward=…, after a Range"
	return group{name: "range first", fresh: true, asks: []ask{{shape: first}, {shape: get}}}
}

// encoding asks as a browser does, then as one that understands no encoding.
func encoding(get shape) group {
	zip := with(partEncoding, "Accept-Encoding", "gzip")
	zip.limit = get.limit
	get.part, get.name = partEncoding, "without Accept-Encoding, after gzip"
	return group{name: "encoding", fresh: true, asks: []ask{{shape: zip}, {shape: zip, warm: true}, {shape: get}}}
}

func queries(t Target, get shape) group {
	g := group{name: "query"}
	add := func(q string) {
		g.asks = append(g.asks, ask{shape: shape{method: http.MethodGet, name: "?" + q, query: q, part: partQuery, limit: min(get.limit, glance)}})
	}
	add("versionId=edgeward") // no version has this one
	add("response-content-type=text%2Fx-edgeward")
	if path, _, _ := strings.Cut(t.Path, "?"); path == "/" {
		add("list-type=2&max-keys=1")
	}
	return g
}

func withOrigin(get shape, origin string) shape {
	s := with(partCORS, "Origin", origin)
	s.limit = min(get.limit, glance)
	return s
}

// cors asks with each origin twice and without one, without first or with first.
func (w wide) cors(get shape, origins []string) []group {
	if len(origins) == 0 {
		return nil
	}
	bare := get
	bare.part, bare.limit = partCORS, min(get.limit, glance)
	without := func(name string, warm bool) ask {
		s := bare
		s.name = name
		return ask{shape: s, warm: warm}
	}
	var each []ask
	for _, o := range origins {
		s := withOrigin(get, o)
		each = append(each, ask{shape: s}, ask{shape: s, warm: true})
	}
	last := group{name: "cors, without first", fresh: true}
	last.asks = append(append(last.asks, without("without Origin", false)), each...)
	last.asks = append(last.asks, without("without Origin", true))
	first := group{name: "cors, with first", fresh: true}
	first.asks = append(append(first.asks, each[:2]...), without("without Origin, after one with it", false), without("without Origin, after one with it", true))
	first.asks = append(first.asks, each[2:]...)
	switch {
	case w.both:
		return []group{last, first}
	case (w.order%2 == 1) != w.flip:
		return []group{first}
	}
	return []group{last}
}

// preflight asks as a browser does before it sends what is no simple request;
// the first origin again after one that is not allowed.
func preflight(origins []string, rule providers.CORSRule) group {
	g := group{name: "preflight"}
	if len(origins) == 0 {
		return g
	}
	method := http.MethodGet
	if len(rule.Methods) > 0 && !slices.Contains(rule.Methods, method) {
		method = rule.Methods[0]
	}
	options := func(origin string) shape {
		s := shape{method: http.MethodOptions, part: partPreflight, limit: glance,
			header: map[string]string{"Origin": origin, "Access-Control-Request-Method": method}}
		s.name = "Origin: " + origin + ", Access-Control-Request-Method: " + method
		if len(rule.Headers) > 0 {
			s.header["Access-Control-Request-Headers"] = strings.ToLower(strings.ReplaceAll(rule.Headers[0], "*", "x-edgeward"))
		}
		return s
	}
	g.asks = []ask{{shape: options(origins[0])}}
	if last := origins[len(origins)-1]; last != origins[0] {
		g.asks = append(g.asks, ask{shape: options(last)}, ask{shape: options(origins[0]), warm: true})
	}
	return g
}

// The origins that are asked with when the rules allow every one, and one that
// is allowed by no rule that does not.
const (
	anOrigin      = "https://edgeward.example"
	anotherOrigin = "https://other.example"
)

// origins are those to ask this target with, and the rule that the first is of:
// the rules' patterns are dealt out to the targets, so that each is met; the last
// one is allowed by no rule where there is such a one. None: do not ask.
func (w wide) origins(f Facts) ([]string, providers.CORSRule) {
	if len(f.CORS) == 0 {
		if f.CloudFront && w.order >= fewCORS {
			return nil, providers.CORSRule{}
		}
		return []string{anOrigin}, providers.CORSRule{}
	}
	var patterns []string
	var rules []providers.CORSRule
	for _, r := range f.CORS {
		for _, p := range r.Origins {
			if !slices.Contains(patterns, p) {
				patterns, rules = append(patterns, p), append(rules, r)
			}
		}
	}
	if len(patterns) == 0 {
		return []string{anOrigin}, providers.CORSRule{}
	}
	mine := w.order % len(patterns)
	out := []string{concrete(patterns[mine])}
	if next := concrete(patterns[(mine+1)%len(patterns)]); next != out[0] {
		out = append(out, next) // it must not get the first one's answer
	}
	for i := w.order + w.of; w.of > 0 && i < len(patterns) && len(out) < maxOrigins; i += w.of {
		out = append(out, concrete(patterns[i]))
	}
	return append(out, stranger(patterns, out[0])), rules[mine]
}

// concrete is an origin that a rule's pattern allows; a pattern has at most one
// wildcard.
func concrete(pattern string) string {
	before, after, wild := strings.Cut(pattern, "*")
	switch {
	case !wild:
		return pattern
	case pattern == "*":
		return anOrigin
	case before == "":
		return "https://edgeward" + after
	case strings.HasSuffix(before, "://") && !strings.HasPrefix(after, "."):
		return before + "edgeward.example" + after
	}
	return before + "edgeward" + after
}

// stranger is an origin that no pattern allows, else one that is not but.
func stranger(patterns []string, but string) string {
	for _, o := range []string{anotherOrigin, "https://edgeward.invalid", "http://edgeward.invalid"} {
		if !slices.ContainsFunc(patterns, func(p string) bool { return allows(p, o) }) {
			return o
		}
	}
	if but == anotherOrigin {
		return anOrigin
	}
	return anotherOrigin
}

func allows(pattern, origin string) bool {
	before, after, wild := strings.Cut(pattern, "*")
	if !wild {
		return pattern == origin
	}
	return len(origin) >= len(before)+len(after) && strings.HasPrefix(origin, before) && strings.HasSuffix(origin, after)
}

// address is where a site has a target, with a query besides the target's own.
func address(s Site, path, query string) string {
	u := s.URL + path
	if query == "" {
		return u
	}
	if strings.Contains(path, "?") {
		return u + "&" + query
	}
	return u + "?" + query
}

// host is the one that rates are kept for, and that a visitor sees.
func (s Site) host() string {
	u, err := url.Parse(s.URL)
	if err != nil {
		return s.URL
	}
	return strings.ToLower(cmp.Or(u.Host, s.URL))
}
