package proof

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/edgeward/edgeward/providers"
)

const (
	// looks is how often what differs is looked at, the first time counted, and
	// pause is between two looks. A difference counts when two of them show it.
	looks = 3
	pause = 2 * time.Second
	// waiting is how many targets there are for each that is being asked, so that
	// some can wait for their next look.
	waiting = 8
	// told is how much time passes between two calls of Progress.
	told = 100 * time.Millisecond
)

// Compare asks both sites for every target and judges what differs.
//
// Every target gets a GET at each right Site. One with Whole gets the whole
// matrix at the Sites that have the first one's host, so the first name over
// http and over https: GET and HEAD, cold and warm, conditional, ranges,
// encodings, origins in both orders, queries; unless http is asked to redirect
// to https or refused. A body above 32 MiB is compared by its length, first
// bytes and ranges. The left is asked once for each shape.
//
// The requests for one target are sent one after the other, always in the same
// order. What differs is asked again up to twice, both sites, after a pause, and
// counts when two looks of the three show it.
//
// The error is ctx's, Keep's, a *LeftError, or a *BudgetError; then Result has
// what was found so far and must not be taken for a verdict.
func Compare(ctx context.Context, o Options, targets []Target) (Result, error) {
	return newRun(o, targets).compare(ctx)
}

// run is one comparison.
type run struct {
	o       Options
	targets []Target
	sites   []entry
	whole   []int // of each target: which one of those with the whole matrix it is
	wholes  int
	judge   func(Facts, Target, pair) []Difference
	pace    *pace
	tally   *tally
	begun   string
}

// entry is one Site of the right.
type entry struct {
	Site
	// host is for Differences, "" at the first name; whole: it gets the matrix.
	host  string
	whole bool
	// second is true at every second Site that gets the matrix, only when no
	// other one does.
	second, only bool
}

func newRun(o Options, targets []Target) *run {
	if o.Parallel <= 0 {
		o.Parallel = 8
	}
	if o.Rate <= 0 {
		o.Rate = 100
	}
	r := &run{o: o, judge: judge, begun: o.Clock.Now().UTC().Format(time.RFC3339Nano)}
	seen := map[string]bool{}
	for _, t := range targets {
		if seen[t.Path] {
			continue
		}
		seen[t.Path] = true
		r.targets, r.whole = append(r.targets, t), append(r.whole, r.wholes)
		if t.Whole {
			r.wholes++
		}
	}
	r.sites = places(o)
	r.pace = newPace(o)
	r.tally = newTally(o, r.targets)
	return r
}

// places decides where the whole matrix is asked: at the first name, over each
// of its schemes that serves.
func places(o Options) []entry {
	var out []entry
	wholes := 0
	for _, s := range o.Right {
		p := entry{Site: s}
		if s.host() != o.Right[0].host() {
			p.host = s.host()
		} else if !strings.HasPrefix(s.URL, "http:") || !turnsAway(o.Facts) {
			p.whole, p.second = true, wholes%2 == 1
			wholes++
		}
		out = append(out, p)
	}
	for i := range out {
		out[i].only = wholes == 1
	}
	return out
}

// turnsAway: http is redirected or refused because the user asked for that.
func turnsAway(f Facts) bool {
	return f.ViewerProtocol != "" && f.ViewerProtocol != "allow-all"
}

func (r *run) compare(ctx context.Context) (Result, error) {
	err := r.afford()
	if err == nil {
		err = r.all(ctx)
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return r.tally.result(r.pace, err == nil), err
}

// all compares the targets that no earlier comparison has finished, some at a time.
func (r *run) all(ctx context.Context) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(r.o.Parallel * waiting)
	for i, t := range r.targets {
		if gctx.Err() != nil {
			break
		}
		if had, ok := r.o.Resume[t.Path]; ok {
			r.tally.add(i, had)
			continue
		}
		g.Go(func() (err error) {
			defer providers.Recovered(&err)
			j := &job{run: r, target: t, order: r.whole[i], out: Outcome{Path: t.Path}}
			if err := j.compare(gctx); err != nil {
				return err
			}
			return r.tally.finish(i, j.out, r.pace)
		})
	}
	return g.Wait()
}

// afford estimates what the comparison needs, and counts what an earlier one used.
func (r *run) afford() error {
	for _, t := range r.targets {
		if had, ok := r.o.Resume[t.Path]; ok {
			r.pace.used(had)
		}
	}
	if r.o.MaxRequests <= 0 && r.o.MaxBytes <= 0 {
		return nil
	}
	requests, bytes := r.pace.usage()
	for i, t := range r.targets {
		if _, ok := r.o.Resume[t.Path]; !ok {
			n, b := r.estimate(t, r.whole[i])
			requests, bytes = requests+n, bytes+b
		}
	}
	if r.o.MaxRequests > 0 && requests > r.o.MaxRequests {
		return &BudgetError{What: "requests", Needs: int64(requests), Max: int64(r.o.MaxRequests)}
	}
	if r.o.MaxBytes > 0 && bytes > r.o.MaxBytes {
		return &BudgetError{What: "bytes", Needs: bytes, Max: r.o.MaxBytes}
	}
	return nil
}

// estimate is what one target takes when nothing has to be looked at again: an
// object of its size, or for what is no object an error.
func (r *run) estimate(t Target, order int) (requests int, bytes int64) {
	get := plainGet(t)
	left := answer{}
	left.Status, left.Header = http.StatusNotFound, http.Header{}
	if !t.Aside {
		left.Status, left.Length, left.Cut = http.StatusOK, max(t.Size, 0), t.Size > bigBody
		left.Header = http.Header{"Etag": {`"e"`}, "Last-Modified": {"d"}, "Content-Length": {fmt.Sprint(t.Size)}}
	}
	takes := func(s shape) int64 {
		switch {
		case s.method != http.MethodGet || left.Status != http.StatusOK:
			return 0
		case s.part == partRange && left.Cut:
			return piece
		case s.part == partRange, s.part == partConditional:
			return min(100, left.Length)
		}
		return min(max(t.Size, 0), s.limit)
	}
	asked := map[string]bool{get.key(false): true}
	requests, bytes = 1, takes(get)
	for _, c := range r.courses(t, order, get, left) {
		for _, a := range c.group.asks {
			requests, bytes = requests+1, bytes+takes(a.shape)
			if k := a.shape.key(c.group.fresh); !asked[k] {
				asked[k] = true
				requests, bytes = requests+1, bytes+takes(a.shape)
			}
		}
	}
	return requests, bytes
}

// courses are what is asked where, in this order.
func (r *run) courses(t Target, order int, get shape, left answer) []*course {
	var out []*course
	for i := range r.sites {
		s := &r.sites[i]
		groups := []group{{name: "plain", asks: []ask{{shape: get}}}}
		switch {
		case refuses(t, left):
		case t.Whole && s.whole:
			groups = matrix(r.o.Facts, t, get, left, wide{order: order, of: r.wholes, flip: s.second, both: s.only})
		case i == 0:
			groups = plain(t, get, left)
		}
		for n, g := range groups {
			out = append(out, &course{site: i, group: g, first: n == 0})
		}
	}
	return out
}

// refuses: the left does not let visitors read an object that was picked.
func refuses(t Target, left answer) bool {
	return !t.Listed && !t.Aside && (left.Status == http.StatusForbidden || left.Status == http.StatusUnauthorized)
}

// job is one target being compared.
type job struct {
	*run
	target Target
	order  int
	out    Outcome
	turn   int // which look this is
	// left has what the left answered in this look, by shape and nonce or not.
	left    map[string]answer
	courses []*course
}

// compare looks until everything is settled. Only while it looks, it has a place
// among those that may ask.
func (j *job) compare(ctx context.Context) error {
	for ; ; j.turn++ {
		if j.turn > 0 {
			if err := j.o.Clock.Sleep(ctx, pause); err != nil {
				return err
			}
		}
		if err := j.pace.enter(ctx); err != nil {
			return err
		}
		done, err := j.look(ctx)
		j.pace.leave()
		if err != nil {
			return err
		}
		if done {
			break
		}
	}
	if j.courses != nil {
		j.out.Differences = merge(j.confirm(), j.o.Accept)
	}
	return nil
}

// look asks for what is not settled. done: everything is.
func (j *job) look(ctx context.Context) (done bool, err error) {
	j.left = map[string]answer{}
	if j.turn == 0 {
		if done, err = j.begin(ctx); done || err != nil {
			return done, err
		}
	}
	done = true
	var first *course
	for _, c := range j.courses {
		if c.first {
			first = c
		}
		if !c.first && (first.lost() || first.old() && c.group.ofVersion) {
			continue
		}
		if !c.settled() {
			if err := j.follow(ctx, c); err != nil {
				return false, err
			}
		}
		done = done && c.settled()
	}
	return done, nil
}

// begin asks the left for the target and decides what else is asked.
func (j *job) begin(ctx context.Context) (done bool, err error) {
	get := plainGet(j.target)
	left, err := j.ask(ctx, get, "")
	if err == nil && left.Cut && get.limit > glance {
		get.limit = glance // nobody knew that it is big
		left, err = j.ask(ctx, get, "")
	}
	if err != nil {
		return false, err
	}
	j.out.Readable = left.Status < 300
	j.out.Object = j.out.Readable && !j.target.Aside
	j.out.Refused = refuses(j.target, left)
	j.out.NoCacheControl = j.out.Object && left.Header.Get("Cache-Control") == "" && left.Header.Get("Expires") == ""
	if j.target.Listed && left.Status >= 400 {
		j.out.Differences = []Difference{notServed(j.target, left.Status)}
		return true, nil
	}
	j.courses = j.run.courses(j.target, j.order, get, left)
	return len(j.courses) == 0, nil
}

func notServed(t Target, status int) Difference {
	return Difference{
		Path: t.Path, Request: http.MethodGet, Aspect: StatusCode, Verdict: Broken,
		Left: fmt.Sprintf("%d %s", status, http.StatusText(status)), Right: "not asked",
		Means: "The path is listed as one that visitors use, but it is not served today, so it proves nothing.",
		Mend:  "correct the path, or leave it out",
	}
}

// ask asks the left, once for each shape in a look.
func (j *job) ask(ctx context.Context, s shape, nonce string) (answer, error) {
	key := s.key(nonce != "")
	if a, ok := j.left[key]; ok {
		return a, nil
	}
	s.query = query(s.query, nonce)
	a, err := j.pace.left(ctx, j.o.Left, j.target.Path, s, &j.out)
	if err == nil {
		j.left[key] = a
	}
	return a, err
}

// follow asks one group at one site, and the left for what it has not been asked
// in this look, and judges.
func (j *job) follow(ctx context.Context, c *course) error {
	f := following{job: j, course: c, site: j.sites[c.site]}
	if c.group.fresh {
		f.base, f.nonce = j.nonce("left"), j.nonce(fmt.Sprint(c.site, c.group.name))
	}
	var seen []sight
	for at, a := range c.group.asks {
		left, err := j.ask(ctx, a.shape, f.base)
		if err != nil {
			return err
		}
		s, err := f.see(ctx, a, left)
		if n := len(c.seen); err == nil && n > 0 && c.seen[n-1][at].print != s.print {
			s, err = f.catch(ctx, a, s)
		}
		if err != nil {
			return err
		}
		seen = append(seen, s)
	}
	c.seen = append(c.seen, seen)
	j.run.told()
	return nil
}

// following is one group that is asked at one site.
type following struct {
	*job
	course *course
	site   entry
	// The nonces of the left and of the right, "" where none is needed.
	base, nonce string
	reply       answer // the last one
}

// see asks the right and judges.
func (f *following) see(ctx context.Context, a ask, left answer) (sight, error) {
	s := a.shape
	s.query = query(s.query, f.nonce)
	var err error
	if f.reply, err = f.pace.fetch(ctx, f.site.Site, f.target.Path, s, &f.out); err != nil {
		return sight{}, err
	}
	if f.nonce != "" {
		f.reply.Header = renamed(f.reply.Header, f.nonce, f.base)
	}
	return f.judged(a, left), nil
}

func (f *following) judged(a ask, left answer) sight {
	s := a.shape
	s.query = query(s.query, f.base)
	p := pair{shape: s, base: f.o.Left, right: f.site.Site, host: f.site.host, warm: a.warm, left: left, reply: f.reply}
	return sight{print: fingerprint(left), found: f.judge(f.o.Facts, f.target, p)}
}

// catch looks at an object that changes from look to look, and maybe has changed
// between the two sites' answers: the left is asked anew, then the right, until
// they are the same or the left stays as it is.
func (f *following) catch(ctx context.Context, a ask, s sight) (sight, error) {
	for range looks {
		if len(s.doubtful()) == 0 {
			break
		}
		before := s.print
		delete(f.left, a.shape.key(f.base != ""))
		left, err := f.ask(ctx, a.shape, f.base)
		if err != nil {
			return s, err
		}
		if s = f.judged(a, left); len(s.doubtful()) == 0 || s.print == before {
			break
		}
		if s, err = f.see(ctx, a, left); err != nil {
			return s, err
		}
	}
	return s, nil
}

// nonce is a word that no request had before.
func (j *job) nonce(who string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%s\n%s\n%s\n%d", j.o.Seed, j.begun, j.target.Path, who, j.turn))
	return hex.EncodeToString(sum[:8])
}

func query(own, nonce string) string {
	switch {
	case nonce == "":
		return own
	case own == "":
		return "edgeward=" + nonce
	}
	return own + "&edgeward=" + nonce
}

// renamed has the left's nonce where an answer repeats the right's.
func renamed(h http.Header, nonce, base string) http.Header {
	var out http.Header
	for name, values := range h {
		for i, v := range values {
			if !strings.Contains(v, nonce) {
				continue
			}
			if out == nil {
				out = h.Clone()
			}
			out[name][i] = strings.ReplaceAll(v, nonce, base)
		}
	}
	if out == nil {
		return h
	}
	return out
}

// fingerprint is the same for two answers that say the same; errors carry their
// request's number, so their bodies are left out.
func fingerprint(a answer) string {
	if a.Status >= 300 {
		u, _ := url.Parse(a.Header.Get("Location"))
		return fmt.Sprint(a.Status, " ", cmp.Or(u, &url.URL{}).Path)
	}
	return fmt.Sprint(a.Status, " ", a.SHA256, " ", a.Header.Get("Etag"))
}

// told calls Progress now and then.
func (r *run) told() { r.tally.progress(r.pace, false) }

// course is one group at one site, and what each look at it showed.
type course struct {
	site  int
	group group
	first bool // of its site
	seen  [][]sight
}

// sight is what one look at one request showed.
type sight struct {
	print string
	found []Difference
}

// doubtful are the differences that are looked at again.
func (s sight) doubtful() []Difference {
	return slices.DeleteFunc(slices.Clone(s.found), func(d Difference) bool { return d.Verdict.Passes() })
}

// settled: another look would not change what is found.
func (c *course) settled() bool {
	switch len(c.seen) {
	case 0:
		return false
	case looks:
		return true
	}
	for at := range c.group.asks {
		for _, verdict := range []Verdict{Changed, Broken} {
			for _, n := range c.counts(at, verdict) {
				if n == 1 {
					return false
				}
			}
		}
	}
	return true
}

// counts says in how many looks a request showed each difference, as bad as that
// or worse.
func (c *course) counts(at int, bad Verdict) map[string]int {
	counts := map[string]int{}
	for _, s := range c.seen {
		in := map[string]bool{}
		for _, d := range s[at].doubtful() {
			if d.Verdict.rank() >= bad.rank() {
				in[d.same()] = true
			}
		}
		for k := range in {
			counts[k]++
		}
	}
	return counts
}

// lost: the plain GET brought nothing that is right, so nothing else is asked
// at this site, in this look at least.
func (c *course) lost() bool {
	if len(c.seen) == 0 {
		return false
	}
	last := c.seen[len(c.seen)-1]
	for at, a := range c.group.asks {
		if a.shape.part != partPlain || a.shape.method != http.MethodGet {
			continue
		}
		for _, d := range last[at].found {
			if d.Verdict == Broken && (d.Aspect == Answer || d.Aspect == StatusCode) {
				return true
			}
		}
	}
	return false
}

// old: the site has an old copy that it may have, so what its parts are, and who
// has the same, cannot be asked now.
func (c *course) old() bool {
	return slices.ContainsFunc(c.seen, func(look []sight) bool {
		return slices.ContainsFunc(look, func(s sight) bool {
			return slices.ContainsFunc(s.found, func(d Difference) bool { return d.Source == sourceFresh })
		})
	})
}

// finding is a difference that counts, and where it was seen: at which site, in
// what kind of GET ("" when it was another method).
type finding struct {
	Difference
	site int
	get  part
	warm bool
}

// confirm keeps what counts: the expected differences, and of the others those
// that two looks show. What went away is written down in the outcome.
func (j *job) confirm() []finding {
	var out []finding
	trouble := j.out.Repeated // at the left: then nobody knows whose the difference was
	for _, c := range j.courses {
		for at, a := range c.group.asks {
			if len(c.seen) == 0 {
				break
			}
			found, gone := c.confirmed(at)
			if gone {
				j.out.Repeated = true
				if blamed, failed := c.blamed(at); blamed && !trouble {
					j.out.Blamed, j.out.Failed = true, j.out.Failed || failed
				}
			}
			f := finding{site: c.site, warm: a.warm}
			if a.shape.method == http.MethodGet {
				f.get = a.shape.part
			}
			for _, f.Difference = range found {
				out = append(out, f)
			}
		}
	}
	return out
}

// confirmed are the differences of one request that count; gone: there was one
// that does not. A request that differs in two looks, each time otherwise, is
// as wrong as in the last of them.
func (c *course) confirmed(at int) (found []Difference, gone bool) {
	counts, broken := c.counts(at, Changed), c.counts(at, Broken)
	var last []Difference
	bad := 0
	for _, s := range c.seen {
		if d := s[at].doubtful(); len(d) > 0 {
			last = d
			bad++
		}
	}
	for _, d := range c.seen[len(c.seen)-1][at].found {
		if d.Verdict.Passes() {
			found = append(found, d)
		}
	}
	steady := false
	for _, key := range slices.Sorted(maps.Keys(counts)) {
		if counts[key] < 2 {
			gone = true
			continue
		}
		steady = true
		gone = gone || broken[key] == 1
		found = append(found, c.pick(at, key))
	}
	if !steady && bad > 1 {
		return append(found, last...), false
	}
	return found, gone
}

// pick is a difference that several looks showed, as two of them judge it.
func (c *course) pick(at int, key string) Difference {
	var seen []Difference
	for _, s := range c.seen {
		for _, d := range s[at].doubtful() {
			if d.same() == key {
				seen = append(seen, d)
				break
			}
		}
	}
	slices.SortStableFunc(seen, func(a, b Difference) int { return b.Verdict.rank() - a.Verdict.rank() })
	return seen[min(1, len(seen)-1)]
}

// blamed: the left said the same when the difference was there and when it was
// not. failed: the difference was a broken one.
func (c *course) blamed(at int) (blamed, failed bool) {
	prints := map[string]bool{}
	for _, s := range c.seen {
		prints[s[at].print] = true
		for _, d := range s[at].doubtful() {
			failed = failed || d.Verdict == Broken
		}
	}
	return len(prints) == 1, failed
}
