package proof

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"maps"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/edgeward/edgeward/providers"
)

// MaxWhole is how many targets get the whole matrix of requests, those that
// Widen adds not counted.
const MaxWhole = 50

// Question is what targets are chosen from.
type Question struct {
	// Paths are those that the user named, as they are sent. In one without a
	// query, * stands for any bytes of a segment and ** for any bytes.
	Paths []string
	// Objects are the bucket's, or those of them that are known, in any order.
	Objects []providers.Object
	// Sample is at least how many objects are picked besides Paths; more are where
	// the kinds of objects need it. 0: none, negative: every object.
	Sample int
	// Seed decides where one of many objects is as good as the others.
	Seed string
	// Website is the configuration of the website that the left is, nil when it
	// is a REST endpoint.
	Website *providers.Website
}

// Choice is what is to be compared. It has the same content for the same
// question, whatever the order of the objects.
type Choice struct {
	// Targets are the named paths first, then the picked objects, then what need
	// not be readable.
	Targets []Target
	// Spare are some of the objects that were not picked, which Widen looks at.
	Spare []Target
	// Picked is how many objects were picked, of how many that could be; Over is
	// how many more than the sample, so that every kind of object is met.
	Picked, Of, Over int
	// Archived are the keys that S3 cannot serve before they are restored, in
	// order.
	Archived []string
	// Unmatched are the patterns of Paths that match no key.
	Unmatched []string
	// Folders is how many objects are mere folders of a console (their keys end
	// with a slash); they are not picked.
	Folders int
	// Unmet is how many kinds are not met because there are too many.
	Unmet int
}

// The bounds of a choice.
const (
	maxKinds  = 200 // kinds that may add to the sample
	maxSpare  = 200
	maxListed = 15 // named paths, and asides, that get the whole matrix
	longKey   = 512
)

// Choose picks the targets: the named paths; objects, so that every extension,
// size class, depth, storage class and oddity of keys in the listing is met, with
// the newest, the largest and the smallest, and then evenly over the listing;
// and the root, folders, missing keys and a path for every routing rule, where
// only the same answer counts.
func Choose(q Question) Choice {
	c := chooser{q: q, seen: map[string]bool{}}
	c.sort()
	c.listed()
	c.named = len(c.Targets)
	c.sample()
	c.asides()
	c.markWhole()
	return c.Choice
}

// PathOf is an object's key as a URL's path: each byte outside the unreserved
// set is escaped, slashes stay.
func PathOf(key string) string {
	parts := strings.Split(key, "/")
	for i, p := range parts {
		parts[i] = strings.ReplaceAll(url.PathEscape(p), "+", "%2B")
	}
	return "/" + strings.Join(parts, "/")
}

// IsPattern says whether a named path stands for the keys that match it.
func IsPattern(p string) bool {
	return strings.Contains(p, "*") && !strings.Contains(p, "?")
}

// PatternPrefix is what every key that matches p begins with.
func PatternPrefix(p string) string {
	first, _, _ := strings.Cut(strings.TrimPrefix(p, "/"), "*")
	return unescape(first)
}

// Match says whether the pattern p of paths matches an object's key.
func Match(p, key string) bool { return pattern(p).MatchString(key) }

// pattern is p as an expression over keys.
func pattern(p string) *regexp.Regexp {
	var b strings.Builder
	b.WriteString(`(?s)^`)
	rest := strings.TrimPrefix(p, "/")
	for rest != "" {
		text, after, star := strings.Cut(rest, "*")
		b.WriteString(regexp.QuoteMeta(unescape(text)))
		if !star {
			break
		}
		many, two := strings.CutPrefix(after, "*")
		if two {
			b.WriteString(`.*`)
			rest = many
			continue
		}
		b.WriteString(`[^/]*`)
		rest = after
	}
	return regexp.MustCompile(b.String() + `$`)
}

func unescape(s string) string {
	if t, err := url.PathUnescape(s); err == nil {
		return t
	}
	return s
}

// chooser makes one Choice.
type chooser struct {
	q Question
	Choice
	seen map[string]bool
	// objs can be served, by key; order is the same in the order of the seed.
	objs, order []providers.Object
	byPath      map[string]providers.Object
	// named is how many targets the user named.
	named int
}

func (c *chooser) add(t Target) bool {
	if c.seen[t.Path] {
		return false
	}
	c.seen[t.Path] = true
	c.Targets = append(c.Targets, t)
	return true
}

// sort divides the objects into those that S3 serves and the others, which no
// visitor can read.
func (c *chooser) sort() {
	c.Archived = Archived(c.q.Objects)
	for _, o := range c.q.Objects {
		switch {
		case archived(o):
		case strings.HasSuffix(o.Key, "/"):
			c.Folders++
		default:
			c.objs = append(c.objs, o)
		}
	}
	slices.SortFunc(c.objs, func(x, y providers.Object) int { return strings.Compare(x.Key, y.Key) })
	c.Of = len(c.objs)
	type ranked struct {
		rank uint64
		o    providers.Object
	}
	rs := make([]ranked, len(c.objs))
	for i, o := range c.objs {
		rs[i] = ranked{rank(c.q.Seed, o.Key), o}
	}
	slices.SortStableFunc(rs, func(x, y ranked) int { return cmp.Compare(x.rank, y.rank) })
	c.byPath = make(map[string]providers.Object, len(rs))
	for _, r := range rs {
		c.order = append(c.order, r.o)
		c.byPath[PathOf(r.o.Key)] = r.o
	}
}

// Archived are the keys of the objects that S3 cannot serve before they are
// restored, in order.
func Archived(objs []providers.Object) []string {
	var keys []string
	for _, o := range objs {
		if archived(o) {
			keys = append(keys, o.Key)
		}
	}
	slices.Sort(keys)
	return keys
}

// archived: S3 refuses such objects until they are restored. The archive tiers
// of INTELLIGENT_TIERING are not shown by a listing [Amazon S3 User Guide:
// Working with archived objects].
func archived(o providers.Object) bool {
	return o.StorageClass == "GLACIER" || o.StorageClass == "DEEP_ARCHIVE"
}

func rank(seed, key string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(seed + "\x00" + key))
	x := h.Sum64() // keys that differ in their end only are still close together
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	return x ^ x>>33
}

// listed adds what the user named.
func (c *chooser) listed() {
	for _, p := range c.q.Paths {
		if !IsPattern(p) {
			c.add(Target{Path: p, Why: "listed", Listed: true, Size: c.size(p)})
		}
	}
	for _, p := range c.q.Paths {
		if !IsPattern(p) {
			continue
		}
		re, met := pattern(p), false
		for _, o := range c.objs {
			if re.MatchString(o.Key) {
				met = true
				c.add(Target{Path: PathOf(o.Key), Why: "matches " + p, Size: o.Size})
			}
		}
		if !met && !slices.ContainsFunc(c.Archived, re.MatchString) {
			c.Unmatched = append(c.Unmatched, p)
		}
	}
}

// size is that of the object at a path, -1 when it is not known.
func (c *chooser) size(p string) int64 {
	if o, ok := c.byPath[p]; ok {
		return o.Size
	}
	first, _, _ := strings.Cut(p, "?")
	if o, ok := c.byPath[PathOf(strings.TrimPrefix(unescape(first), "/"))]; ok {
		return o.Size
	}
	return -1
}

// asides adds what need not be readable.
func (c *chooser) asides() {
	aside := func(p, why string) { c.add(Target{Path: p, Why: why, Aside: true, Size: -1}) }
	aside("/", "root")
	aside("/"+c.missing("key"), "missing key")
	if i := slices.IndexFunc(c.order, func(o providers.Object) bool { return folder(o.Key) != "" }); i >= 0 {
		dir := folder(c.order[i].Key)
		aside(PathOf(dir+c.missing("below")), "missing key below a folder")
		if c.q.Website == nil {
			aside(strings.TrimSuffix(PathOf(dir), "/"), "folder without its slash")
			aside(PathOf(dir), "folder")
		}
	}
	if c.q.Website == nil {
		return
	}
	indexed, deep, bare := c.folders(c.q.Website.IndexDocument)
	for _, f := range []struct{ dir, what string }{
		{indexed, "folder with an index document"}, {deep, "folder in a folder, with an index document"}, {bare, "folder without an index document"},
	} {
		if f.dir != "" {
			aside(strings.TrimSuffix(PathOf(f.dir), "/"), f.what+", without its slash")
			aside(PathOf(f.dir), f.what)
		}
	}
	for i, r := range c.q.Website.RoutingRules {
		aside(c.rulePath(i, r), fmt.Sprintf("routing rule %d (%s)", i+1, condition(r)))
	}
	if c.q.Website.RedirectAllTo != "" {
		aside("/"+c.missing("all")+"/x?a=b", "redirect of all requests")
	}
}

// missing is a key that no bucket has.
func (c *chooser) missing(what string) string {
	sum := sha256.Sum256([]byte("missing\x00" + what + "\x00" + c.q.Seed))
	return "edgeward-" + hex.EncodeToString(sum[:])[:12]
}

// folder is the folder of a key, with its slash; "" for the top, and for keys
// that no folder of a console has.
func folder(key string) string {
	i := strings.LastIndex(key, "/")
	if i <= 0 || strings.Contains(key, "//") || key[0] == '/' {
		return ""
	}
	return key[:i+1]
}

// folders finds, in the order of the seed, a folder with the index document, a
// deeper one, and one without; "" when there is none.
func (c *chooser) folders(index string) (indexed, deep, bare string) {
	for _, o := range c.order {
		dir := folder(o.Key)
		switch {
		case dir == "":
		case o.Key == dir+index && strings.Count(dir, "/") > 1:
			deep = cmp.Or(deep, dir)
		case o.Key == dir+index:
			indexed = cmp.Or(indexed, dir)
		case bare == "":
			if _, ok := c.byPath[PathOf(dir+index)]; !ok {
				bare = dir
			}
		}
	}
	return indexed, deep, bare
}

// rulePath is a path that a routing rule is about.
func (c *chooser) rulePath(i int, r providers.RoutingRule) string {
	if r.ErrorCode == "" && r.KeyPrefix != "" && !strings.HasSuffix(r.KeyPrefix, "/") {
		return PathOf(r.KeyPrefix)
	}
	return PathOf(r.KeyPrefix + c.missing(fmt.Sprint("rule ", i)))
}

func condition(r providers.RoutingRule) string {
	var parts []string
	if r.KeyPrefix != "" {
		parts = append(parts, "prefix "+r.KeyPrefix)
	}
	if r.ErrorCode != "" {
		parts = append(parts, "error "+r.ErrorCode)
	}
	if parts == nil {
		return "every request"
	}
	return strings.Join(parts, ", ")
}

// sample picks the objects.
func (c *chooser) sample() {
	before := len(c.Targets)
	pick := func(o providers.Object, why string) { c.add(Target{Path: PathOf(o.Key), Why: why, Size: o.Size}) }
	switch {
	case c.q.Sample == 0 || len(c.objs) == 0:
		return
	case c.q.Sample < 0 || c.q.Sample >= len(c.objs):
		why := "every object"
		c.kinds(pick) // first, so that they get the whole matrix
		for _, o := range c.objs {
			pick(o, why)
		}
	default:
		c.kinds(pick)
		c.Over = max(0, len(c.Targets)-before-c.q.Sample)
		c.evenly(before+c.q.Sample, pick)
		for _, o := range c.order {
			if p := PathOf(o.Key); !c.seen[p] && len(c.Spare) < maxSpare {
				c.Spare = append(c.Spare, Target{Path: p, Size: o.Size})
			}
		}
	}
	c.Picked = len(c.Targets) - before
}

// kinds picks objects until every kind is met, the rarest first, since they have
// the common kinds too. What is a target already counts.
func (c *chooser) kinds(pick func(providers.Object, string)) {
	met := map[string]bool{}
	meet := func(o providers.Object) {
		for _, k := range kindsOf(o) {
			met[k] = true
		}
	}
	for _, t := range c.Targets {
		if o, ok := c.byPath[t.Path]; ok {
			meet(o)
		}
	}
	for _, x := range c.extremes() {
		pick(x.o, x.why)
		meet(x.o)
	}
	count, first := map[string]int{}, map[string]providers.Object{}
	for _, o := range c.order {
		for _, k := range kindsOf(o) {
			if count[k]++; count[k] == 1 {
				first[k] = o
			}
		}
	}
	all := slices.SortedFunc(maps.Keys(count), func(x, y string) int {
		return cmp.Or(cmp.Compare(rankKind(x), rankKind(y)), cmp.Compare(count[x], count[y]), strings.Compare(x, y))
	})
	picked := 0
	for _, k := range all {
		switch {
		case met[k]:
		case picked >= maxKinds:
			c.Unmet++
		default:
			picked++
			pick(first[k], k)
			meet(first[k])
		}
	}
}

// rankKind: of kinds of which there may be very many, extensions come last.
func rankKind(k string) int {
	if strings.HasPrefix(k, "extension ") {
		return 1
	}
	return 0
}

type extreme struct {
	o   providers.Object
	why string
}

// extremes are the newest, the largest and the smallest object.
func (c *chooser) extremes() []extreme {
	newest := slices.MaxFunc(c.objs, func(x, y providers.Object) int { return x.LastModified.Compare(y.LastModified) })
	largest := slices.MaxFunc(c.objs, func(x, y providers.Object) int { return cmp.Compare(x.Size, y.Size) })
	smallest := slices.MinFunc(c.objs, func(x, y providers.Object) int { return cmp.Compare(x.Size, y.Size) })
	return []extreme{{newest, "newest"}, {largest, "largest"}, {smallest, "smallest"}}
}

// evenly picks objects over the order of keys until there are n targets, from a
// place that the seed gives.
func (c *chooser) evenly(n int, pick func(providers.Object, string)) {
	want := n - len(c.Targets)
	if want <= 0 {
		return
	}
	all := uint64(len(c.objs))
	start := rank(c.q.Seed, "start") % all
	for i := range uint64(want) {
		pick(c.objs[(start+i*all/uint64(want))%all], "sample")
	}
	for _, o := range c.order { // in place of what had been picked already
		if len(c.Targets) >= n {
			break
		}
		pick(o, "sample")
	}
}

// kindsOf are the kinds of an object that a listing shows.
func kindsOf(o providers.Object) []string {
	kinds := append(oddities(o.Key), "extension "+extension(o.Key), "size "+sizeClass(o.Size),
		fmt.Sprintf("depth %d", min(strings.Count(o.Key, "/"), 9)))
	if o.StorageClass != "" {
		kinds = append(kinds, "storage class "+o.StorageClass)
	}
	return kinds
}

// extension is the end of a key's last part, in lower case with its dot; what no
// program would take for one is "other".
func extension(key string) string {
	ext := strings.ToLower(path.Ext(key))
	odd := func(r rune) bool { return r < '0' || r > '9' && r < 'a' || r > 'z' }
	switch {
	case ext == "" || ext == ".":
		return "none"
	case len(ext) > 9 || strings.ContainsFunc(ext[1:], odd):
		return "other"
	}
	return ext
}

// sizeClass: CloudFront compresses from 1,000 to 10,000,000 bytes [CloudFront
// Developer Guide: Serving compressed files]; above 32 MiB bodies are not read
// whole.
func sizeClass(n int64) string {
	switch {
	case n <= 0:
		return "0"
	case n < 1000:
		return "below 1 kB"
	case n <= 100_000:
		return "to 100 kB"
	case n <= 10_000_000:
		return "to 10 MB"
	case n <= 32<<20:
		return "to 32 MiB"
	case n <= 1<<30:
		return "to 1 GiB"
	}
	return "above 1 GiB"
}

// oddities are what makes a key hard to send as a path.
func oddities(key string) []string {
	var odd []string
	for _, x := range []struct {
		is   bool
		what string
	}{
		{strings.Contains(key, " "), "key with a space"},
		{strings.Contains(key, "+"), "key with +"},
		{strings.Contains(key, "%"), "key with %"},
		{strings.Contains(key, "?"), "key with ?"},
		{strings.Contains(key, "#"), "key with #"},
		{strings.ContainsFunc(key, func(r rune) bool { return r >= utf8.RuneSelf }), "key beyond ASCII"},
		{strings.Contains(key, "//") || strings.HasPrefix(key, "/"), "key with an empty part"},
		{slices.ContainsFunc(strings.Split(key, "/"), func(p string) bool { return p == "." || p == ".." }), "key with a dot as a part"},
		{len(key) >= longKey, "very long key"},
		{strings.ContainsAny(key, "&=;:@,$!'()*~"), "key with punctuation"},
		{strings.ContainsAny(key, "\"<>\\^`{|}[]") || strings.ContainsFunc(key, func(r rune) bool { return r < ' ' || r == 0x7f }), "key with unsafe letters"},
	} {
		if x.is {
			odd = append(odd, x.what)
		}
	}
	return odd
}

// markWhole gives the whole matrix to some of what was named, to asides, and to
// objects in the order in which they were picked; to those that a pattern
// matches last.
func (c *chooser) markWhole() {
	left := MaxWhole
	mark := func(most int, is func(int, Target) bool) {
		for i := range c.Targets {
			if t := &c.Targets[i]; left > 0 && most > 0 && !t.Whole && is(i, *t) {
				t.Whole = true
				left--
				most--
			}
		}
	}
	mark(maxListed, func(_ int, t Target) bool { return t.Listed })
	mark(maxListed, func(_ int, t Target) bool { return t.Aside })
	mark(MaxWhole, func(i int, _ Target) bool { return i >= c.named })
	mark(MaxWhole, func(int, Target) bool { return true })
}
