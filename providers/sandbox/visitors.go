package sandbox

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/edgeward/edgeward/providers"
)

// VisitorReport is what the visitors have met so far.
type VisitorReport struct {
	// Requests and Failed count all visits; S3 and CloudFront count those that
	// were served, by whom.
	Requests, Failed, S3, CloudFront int
	// RecentS3 and RecentCloudFront count the last minute's.
	RecentS3, RecentCloudFront int
	// Failures are the first ten that failed.
	Failures []VisitorFailure
	// Names are the names that are visited.
	Names []string
}

// Share is the part of the last minute's visits that S3 and CloudFront served,
// in percent; both are 0 when there was none.
func (r VisitorReport) Share() (s3, cloudFront int) {
	all := r.RecentS3 + r.RecentCloudFront
	if all == 0 {
		return 0, 0
	}
	s3 = (r.RecentS3*100 + all/2) / all
	switch {
	case s3 == 0 && r.RecentS3 > 0:
		s3 = 1
	case s3 == 100 && r.RecentCloudFront > 0:
		s3 = 99
	}
	return s3, 100 - s3
}

// VisitorFailure is one visit that failed.
type VisitorFailure struct {
	Time time.Time
	// URL is what was asked for, Resolver the cache that was asked, Why a clause.
	URL, Resolver, Why string
}

// String is the failure as one line.
func (f VisitorFailure) String() string {
	return fmt.Sprintf("%s %s through %s: %s", f.Time.UTC().Format("2006-01-02T15:04:05.000Z"), f.URL, f.Resolver, f.Why)
}

type visitors struct {
	list   []*visitor
	names  map[string]*visited
	report VisitorReport
	recent []tally
	ctx    context.Context
	every  time.Duration
	next   time.Time
}

// tally is one instant's visits that were served.
type tally struct {
	at     time.Time
	s3, cf int
}

// visited is a name and what must be got from it.
type visited struct {
	name string
	// added names did not exist at the beginning; their absence is no failure
	// before somebody relies on them.
	added, relied bool
	wants         []want
}

// want is the right answer for one path.
type want struct {
	path string
	reply
}

// visitor is a person at one name behind one caching resolver, with a cache of
// its own.
type visitor struct {
	at       *visited
	resolver int
	v6, tls  bool
	n        int
	served   bool
	to       endpoint
	until    time.Time
}

const recentSpan = time.Minute

// welcome finds the names that are served at the beginning.
func (w *World) welcome(now time.Time) {
	w.visitors.names = map[string]*visited{}
	for _, zn := range sortedKeys(w.zones) {
		z := w.zones[zn]
		for _, name := range sortedKeys(z.nodes) {
			if z.provider.zoneOf(name) == z && len(z.latest(name).records) > 0 {
				w.meet(name, false, now)
			}
		}
	}
}

// appear is called when records are written at name.
func (w *World) appear(name string, rs []providers.Record, now time.Time) {
	if len(rs) > 0 && w.visitors.names[name] == nil && !strings.HasPrefix(name, "_") {
		w.meet(name, true, now)
	}
}

// meet makes name one that is visited if it belongs to a bucket of the world.
func (w *World) meet(name string, added bool, now time.Time) {
	if w.o.Unvisited {
		return
	}
	v := &visited{name: name, added: added, wants: w.wants(name, now)}
	if len(v.wants) == 0 {
		return
	}
	w.visitors.names[name] = v
	for i := range w.caches {
		w.visitors.list = append(w.visitors.list, &visitor{at: v, resolver: i, tls: i%2 == 1, v6: i%4 == 2, n: i})
	}
}

// wants are the right answers at name: what S3 gives anonymous visitors for the
// objects of the bucket that is behind it.
func (w *World) wants(name string, now time.Time) []want {
	b, e, host := w.behind(name)
	if b == nil {
		return nil
	}
	paths := []string{"/"}
	for _, k := range b.keys[:min(len(b.keys), 50)] {
		paths = append(paths, (&url.URL{Path: "/" + k}).EscapedPath())
	}
	var out []want
	for _, p := range paths {
		r, err := w.connect(e, request{scheme: "http", method: "GET", host: host, path: p}, now)
		if err == nil && r.status < 400 {
			out = append(out, want{p, r})
		}
	}
	return out
}

// behind is the bucket that name's record leads to, and where to ask for the
// right answers: at S3 under the bucket's own name.
func (w *World) behind(name string) (*bucket, endpoint, string) {
	z := w.zoneOf(name)
	for _, r := range z.latest(name).records {
		if r.Type != "CNAME" && !r.Alias {
			continue
		}
		target, host := r.Value, name
		for _, d := range w.dists {
			if d.domain == target {
				target = d.settings.OriginDomain
				_, host, _ = s3Host(target)
				break
			}
		}
		if e, _, ok := s3Host(target); ok && w.buckets[host] != nil {
			return w.buckets[host], e, host
		}
	}
	return nil, endpoint{}, ""
}

// refresh takes over what changed in the objects behind the names; what is not
// to be had any more stays wanted.
func (w *World) refresh(now time.Time) {
	for _, v := range w.visitors.names {
		for _, fresh := range w.wants(v.name, now) {
			for i := range v.wants {
				if v.wants[i].path == fresh.path {
					v.wants[i] = fresh
				}
			}
		}
	}
}

// visitAll has every visitor make one visit.
func (w *World) visitAll(now time.Time) {
	t := tally{at: now}
	for _, v := range w.visitors.list {
		w.visit(v, now, &t)
	}
	x := &w.visitors
	if n := len(x.recent); n > 0 && now.Sub(x.recent[n-1].at) < time.Second {
		x.recent[n-1].s3 += t.s3
		x.recent[n-1].cf += t.cf
	} else {
		x.recent = append(x.recent, t)
	}
	x.forget(now)
}

func (x *visitors) forget(now time.Time) {
	k := 0
	for k < len(x.recent)-1 && now.Sub(x.recent[k].at) > recentSpan {
		k++
	}
	if k > 0 && (k > 64 || k > len(x.recent)/2) {
		x.recent = slices.Delete(x.recent, 0, k)
	}
}

// rounds makes the visits of the background that were due up to now.
func (w *World) rounds(now time.Time) {
	x := &w.visitors
	if x.ctx == nil {
		return
	}
	for !x.next.After(now) {
		if x.ctx.Err() != nil {
			x.ctx = nil
			return
		}
		w.visitAll(x.next)
		x.next = x.next.Add(x.every)
	}
}

// StartVisitors has all visitors come every so often until ctx ends, beside the
// visits after each event. The visits are worked out when something looks at the
// world, for the instants at which they were due.
func (w *World) StartVisitors(ctx context.Context, every time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.clock.Now()
	w.advance(now)
	w.visitors.ctx, w.visitors.every = ctx, max(every, time.Millisecond)
	w.visitors.next = now
	w.rounds(now)
}

// Visitors is what the visitors have met up to now.
func (w *World) Visitors() VisitorReport {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.clock.Now()
	w.advance(now)
	x := &w.visitors
	out := x.report
	out.Failures = slices.Clone(x.report.Failures)
	out.Names = sortedKeys(x.names)
	for i, t := range x.recent {
		if now.Sub(t.at) <= recentSpan || i == len(x.recent)-1 {
			out.RecentS3 += t.s3
			out.RecentCloudFront += t.cf
		}
	}
	return out
}

// Rely has visitors count on every name that is there now: where it was served
// once, its absence is a failure from then on, also of a name that was added.
func (w *World) Rely() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.advance(w.clock.Now())
	for _, v := range w.visitors.names {
		v.relied = v.relied || len(w.zoneOf(v.name).latest(v.name).records) > 0
	}
}

// visit is one visit: resolve, connect, compare.
func (w *World) visit(v *visitor, now time.Time, t *tally) {
	x := &w.visitors.report
	if !now.Before(v.until) {
		switch why, absent := w.findWay(v, now); {
		case absent && v.at.added && !(v.at.relied && v.served):
			return
		case why != "":
			x.Requests++
			w.failed(v, now, "http://"+v.at.name+"/", why)
			return
		}
	}
	x.Requests++
	want := &v.at.wants[v.n%len(v.at.wants)]
	v.n++
	r := request{scheme: "http", method: "GET", host: v.at.name, path: want.path}
	got, why := w.get(v.to, r, want, now)
	if why == "" && v.tls && got.from == fromCloudFront {
		r.scheme = "https"
		_, why = w.get(v.to, r, want, now)
	}
	if why != "" {
		w.failed(v, now, r.scheme+"://"+r.host+r.path, why)
		return
	}
	v.served = true
	if got.from == fromCloudFront {
		x.CloudFront++
		t.cf++
		return
	}
	x.S3++
	t.s3++
}

// get fetches and compares; a redirect to https of the same URL is followed.
func (w *World) get(to endpoint, r request, want *want, now time.Time) (reply, string) {
	got, err := w.connect(to, r, now)
	if err != nil {
		return got, err.Error()
	}
	if got.status == 301 && r.scheme == "http" && got.location == "https://"+r.host+r.path {
		r.scheme = "https"
		if got, err = w.connect(to, r, now); err != nil {
			return got, err.Error()
		}
	}
	switch {
	case got.status != want.status:
		return got, fmt.Sprintf("%s answers %d %s, not %d", by(got), got.status, got.code, want.status)
	case got.location != want.location:
		return got, fmt.Sprintf("%s redirects to %s, not to %s", by(got), got.location, want.location)
	case !sameContent(got.body, want.body):
		return got, by(got) + " gives the wrong bytes"
	case got.ctype != want.ctype:
		return got, fmt.Sprintf("%s gives the type %s, not %s", by(got), got.ctype, want.ctype)
	}
	return got, ""
}

func by(r reply) string {
	if r.from == "" {
		return "the server"
	}
	return r.from
}

func (w *World) failed(v *visitor, now time.Time, url, why string) {
	x := &w.visitors.report
	x.Failed++
	if len(x.Failures) < 10 {
		x.Failures = append(x.Failures, VisitorFailure{Time: now, URL: url, Resolver: w.caches[v.resolver].name, Why: why})
	}
}

// findWay resolves v's name to a place; absent is true when there is no such
// name.
func (w *World) findWay(v *visitor, now time.Time) (why string, absent bool) {
	i, ok := w.working(v.resolver)
	if !ok {
		return "no resolver answers", false
	}
	if v.v6 && w.tryWay(v, i, "AAAA", now) == "" {
		return "", false
	}
	rcode := w.tryWay(v, i, "A", now)
	if rcode == "" {
		return "", false
	}
	c := w.caches[i].cache[question{v.at.name, "CNAME"}]
	// A cache may hold the absence of a new name for a while: nobody had it.
	absent = now.Before(w.zoneOf(v.at.name).nodes[v.at.name].held) || !now.Before(c.until) || len(c.records) == 0
	return v.at.name + " has no address: " + rcode, absent
}

// tryWay resolves one type; "" means that there is an address.
func (w *World) tryWay(v *visitor, i int, typ string, now time.Time) (rcode string) {
	var last providers.AnswerRecord
	rcode, left := w.walk(i, v.at.name, typ, now, func(c cachedAnswer) {
		if len(c.records) > 0 {
			last = c.records[0]
		}
	})
	if last.Type != typ {
		return rcode
	}
	e, known := w.hosts[last.Value]
	if !known {
		e = endpoint{kind: "unknown", host: last.Value}
	}
	v.to, v.until = e, now.Add(left)
	return ""
}

// working is resolver i, or the next one that answers: people have several.
func (w *World) working(i int) (int, bool) {
	for k := range w.caches {
		j := (i + k) % len(w.caches)
		if how := w.caches[j].how; how.RCode == "" && !how.TimesOut {
			return j, true
		}
	}
	return 0, false
}
