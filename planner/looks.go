package planner

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/providers"
)

// Bounds of what is read for findings alone.
const (
	maxHeads    = 20
	maxLogFiles = 20
	logWindow   = 24 * time.Hour
)

// looks are facts that only findings judge. They are read for plans, only of
// buckets that are not switched, and only where they can matter: none for a
// bucket with edgeward's own cache policy and without an access log.
type looks struct {
	// Policy is the cache policy that somebody chose, nil for edgeward's own;
	// PolicyErr says why it could not be read.
	Policy    *providers.CachePolicy
	PolicyErr error
	Sampled   sampledHeads
	Log       logLook
}

// sampledHeads is what some objects' metadata say of caching, read where the
// policy does more than they do.
type sampledHeads struct {
	Objects int
	// Silent have neither Cache-Control nor Expires, Fresh want to be asked for
	// each time.
	Silent, Fresh int
}

// logLook is what the newest access logs say of requests by the bucket's names.
type logLook struct {
	Since time.Time
	// Files is how many were read, Requests how many came by one of the names and
	// were served.
	Files, Requests int
	// Writes are those with other methods than GET, HEAD and OPTIONS, by method;
	// Signed those that were signed, Presigned those of them that were so in the
	// query.
	Writes            map[string]int
	Signed, Presigned int
	Err               error
}

// chosenPolicy is the ID of the cache policy that the configuration names, or
// that an adopted distribution has; "" is edgeward's own.
func chosenPolicy(b config.Bucket, a Actual) string {
	switch {
	case b.Distribution.CachePolicy != nil:
		return *b.Distribution.CachePolicy
	case b.Distribution.Adopt != "" && a.Dist != nil:
		return a.Dist.Settings.CachePolicyID
	}
	return ""
}

func (o *observer) looks(ctx context.Context) error {
	if o.a.Bucket == nil {
		return nil
	}
	if id := chosenPolicy(o.b, o.a); id != "" {
		if err := o.chosen(ctx, id); err != nil {
			return err
		}
	}
	if o.a.Bucket.Log.Bucket != "" {
		return o.accessLog(ctx)
	}
	return nil
}

// chosen reads the cache policy, and some objects' metadata where it keeps
// longer than they say.
func (o *observer) chosen(ctx context.Context, id string) error {
	p, err := o.acc.CachePolicies.CachePolicy(ctx, id)
	if errors.Is(err, providers.ErrNotFound) || errors.Is(err, providers.ErrDenied) {
		o.a.Looks.PolicyErr = err
		return nil
	}
	if err != nil {
		return providers.Doing(err, "read cache policy %s", id)
	}
	o.a.Looks.Policy = &p
	if !keepsMore(p.Settings) {
		return nil
	}
	for _, obj := range spread(o.a.Objects, maxHeads) {
		h, err := o.acc.Buckets.Head(ctx, o.b.Name, o.a.Bucket.Region, obj.Key)
		switch {
		case errors.Is(err, providers.ErrNotFound):
			continue
		case errors.Is(err, providers.ErrDenied):
			return nil
		case err != nil:
			return providers.Doing(err, "read the metadata of %s", obj.Key)
		}
		o.a.Looks.Sampled.add(h)
	}
	return nil
}

// keepsMore says that edges keep objects for longer than these ask for.
func keepsMore(s providers.CacheSettings) bool { return s.MinTTL > 0 || s.DefaultTTL > 0 }

func (s *sampledHeads) add(h providers.ObjectHead) {
	s.Objects++
	control := strings.ToLower(h.CacheControl)
	switch {
	case control == "" && h.Expires == "":
		s.Silent++
	case strings.Contains(control, "no-cache"), strings.Contains(control, "no-store"), strings.Contains(control, "private"), strings.Contains(control, "max-age=0"):
		s.Fresh++
	}
}

// spread picks at most n of the objects, evenly over their order.
func spread(objs []providers.Object, n int) []providers.Object {
	if len(objs) <= n {
		return objs
	}
	out := make([]providers.Object, n)
	for i := range out {
		out[i] = objs[i*len(objs)/n]
	}
	return out
}

// accessLog counts what of the last day's log concerns the names.
func (o *observer) accessLog(ctx context.Context) error {
	l := &o.a.Looks.Log
	l.Since, l.Writes = o.a.Now.Add(-logWindow), map[string]int{}
	names := o.b.Names()
	var err error
	l.Files, err = o.acc.Buckets.AccessLog(ctx, *o.a.Bucket, l.Since, maxLogFiles, func(e providers.LogEntry) {
		if slices.Contains(names, e.Host) {
			l.add(e)
		}
	})
	if err != nil && !errors.Is(err, providers.ErrNotFound) && !errors.Is(err, providers.ErrDenied) {
		return providers.Doing(err, "read the access log of %s", o.b.Name)
	}
	l.Err = err
	return nil
}

// add counts a request that S3 served; whoever is refused today misses nothing
// after the switch.
func (l *logLook) add(e providers.LogEntry) {
	if e.Status == 0 || e.Status >= 400 {
		return
	}
	l.Requests++
	if m := e.Method; m != "" && m != "GET" && m != "HEAD" && m != "OPTIONS" {
		l.Writes[m]++
		return
	}
	if e.Signed {
		l.Signed++
	}
	if e.Presigned {
		l.Presigned++
	}
}

// rememberPolicies is a world in which each cache policy is read once, however
// many buckets use it. It is for one look at all buckets: nothing is read again.
func rememberPolicies(w providers.World) providers.World {
	w.Accounts = maps.Clone(w.Accounts)
	for label, acc := range w.Accounts {
		acc.CachePolicies = &policyMemory{port: acc.CachePolicies, known: map[string]*remembered{}}
		w.Accounts[label] = acc
	}
	return w
}

type policyMemory struct {
	port  providers.CachePolicies
	mu    sync.Mutex
	known map[string]*remembered
}

func (m *policyMemory) CachePolicies(ctx context.Context) ([]providers.CachePolicy, error) {
	return m.port.CachePolicies(ctx)
}

func (m *policyMemory) CreateCachePolicy(ctx context.Context, name string, s providers.CacheSettings) (providers.CachePolicy, error) {
	return m.port.CreateCachePolicy(ctx, name, s)
}

// remembered is one answer; done is closed when it is there.
type remembered struct {
	done   chan struct{}
	policy providers.CachePolicy
	err    error
}

func (m *policyMemory) CachePolicy(ctx context.Context, id string) (providers.CachePolicy, error) {
	m.mu.Lock()
	r, ok := m.known[id]
	if !ok {
		r = &remembered{done: make(chan struct{})}
		m.known[id] = r
	}
	m.mu.Unlock()
	if !ok {
		r.policy, r.err = m.port.CachePolicy(ctx, id)
		if r.err != nil && !errors.Is(r.err, providers.ErrNotFound) {
			m.mu.Lock()
			delete(m.known, id)
			m.mu.Unlock()
		}
		close(r.done)
	}
	select {
	case <-r.done:
		return r.policy, r.err
	case <-ctx.Done():
		return providers.CachePolicy{}, ctx.Err()
	}
}
