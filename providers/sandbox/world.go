// Package sandbox is a world in memory: every port of providers.World, with
// latencies, caches that live as long as a TTL says, deployments that take
// minutes, the refusals of AWS, and visitors who fetch objects all the time. It
// is what plans are tested on, what -sandbox runs against and what the demo
// shows. It opens no socket and never reads the machine's own clock, except
// through the Clock it is given. S3 and CloudFront answer in one way, as their
// documents say: to the Web port, to the visitors, and, through World.Handler,
// to whoever serves it on a socket.
//
// State that changes by itself (a deployment that ends, a certificate that is
// issued, visitors on their rounds) is worked out when somebody looks, for the
// instants at which it happened; so a world has no goroutines.
package sandbox

import (
	"container/heap"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/edgeward/edgeward/providers"
)

// Options say what is in a world at its beginning and how slow it is.
type Options struct {
	// Clock is required: providers.RealClock{} inside a synctest bubble, else
	// a Clock of NewClock.
	Clock providers.Clock
	// Seed decides latencies, deployment times, propagation delays and which
	// name server a resolver asks. The same seed gives the same times.
	Seed int64
	// Accounts are the labels of aws blocks; nil means {""}.
	Accounts []string
	Buckets  []Bucket
	DNS      []Provider
	// Resolvers is how many caching resolvers the world has; 0 means 4.
	Resolvers int
	// Latency of every call, how long a distribution deploys, how long ACM takes
	// to issue once the validation record stands, how long a DNS change takes to
	// reach all name servers, and how long the tagging index lags for readers
	// other than the writer. The zero Span means a default like AWS's.
	Latency, Deploy, Issue, InSync, TagLag Span
	// AccessLag is how long a bucket's policy and public access block take to be in
	// force; the zero Span: up to 20 s.
	AccessLag Span
	// PolicyUsers is how many distributions one cache policy may have; 0 means
	// 100. MaxDistributions, if not 0, is the quota of distributions.
	PolicyUsers, MaxDistributions int
	// Quotas are the limits of every account, in place of the documented defaults.
	// QuotasDenied: nobody may ask for them.
	Quotas       map[providers.QuotaKind]int
	QuotasDenied bool
	// Unvisited: no visitor comes. It is for measuring thousands of buckets, where all
	// visitors at every event would take most of the time, and for nothing else.
	Unvisited bool
	// EventVisits is how many visitors come after each event, one after the other in
	// turn; 0 is all of them, which costs as many visits as buckets times events.
	EventVisits int
	// Hook is called before the effect of each port call (After false) and after
	// it, before the answer reaches the caller (After true). An error is given to
	// the caller in place of the answer. No lock is held. nil means none.
	Hook func(Call) error
}

// Span is a range of durations, both ends included.
type Span struct{ Min, Max time.Duration }

func (s Span) or(d Span) Span {
	if s == (Span{}) {
		return d
	}
	return s
}

// Call is one call of a port.
type Call struct {
	// N counts from 1 in the order of arrival.
	N int
	// Op is "PORT.METHOD", such as "Distributions.Create" or "Web.Fetch".
	Op string
	// Account is the label of the aws block, or the address of the DNS provider.
	Account string
	// Name is what the call is about: a bucket, a name, an ID, a URL.
	Name string
	// Write is true for calls that change something.
	Write bool
	// After is true when the effect has happened.
	After bool
	// Context is the caller's.
	Context context.Context
}

// Bucket is an S3 bucket of the world.
type Bucket struct {
	// Account is the label of the owner's aws block.
	Account, Name, Region string
	Website               *providers.Website
	// Private: no anonymous reads. Listing: anonymous ListBucket is allowed, so
	// that a missing key is 404 instead of 403.
	Private, Listing bool
	// CORS are its CORS rules, in order.
	CORS          []providers.CORSRule
	RequesterPays bool
	// ACLs: ownership is not BucketOwnerEnforced, so the ACLs of objects count.
	ACLs bool
	// Foreign buckets exist, but no account of the world may read their settings.
	Foreign bool
	Objects []Object
}

// Object is one object of a bucket. Empty strings mean that S3 has none.
type Object struct {
	Key  string
	Body []byte
	// Size, if not 0, makes the body so many bytes that Key, Size and Fill
	// decide and that take no memory; Body is nil then.
	Size int64
	Fill string
	// ContentType is binary/octet-stream when "".
	ContentType                                          string
	CacheControl, Expires                                string
	ContentEncoding, ContentLanguage, ContentDisposition string
	// Metadata is the user's own, without x-amz-meta-.
	Metadata map[string]string
	// Modified is when it was written; the zero time: when it was put.
	Modified time.Time
	// StorageClass is STANDARD when ""; GLACIER and DEEP_ARCHIVE cannot be read.
	StorageClass string
	// VersionID and Encryption are told as x-amz-version-id and
	// x-amz-server-side-encryption.
	VersionID, Encryption string
	// Private objects can be read neither anonymously nor by a signature, as if the
	// policy denied it to all.
	Private bool
	// Redirect is x-amz-website-redirect-location.
	Redirect string
}

// World is a simulated world. All methods may be called from many goroutines.
type World struct {
	o     Options
	clock providers.Clock

	mu     sync.Mutex
	calls  counters
	events eventHeap
	seq    int
	lock   *lockObject

	buckets  map[string]*bucket
	accounts map[string]*account
	dists    map[string]*distribution // by ID, other accounts' too
	edges    map[string]*distribution // by alias or domain, deployed ones only
	zones    map[string]*zone
	dns      map[string]*provider
	caches   []*resolver
	hosts    map[string]endpoint // by address
	places   map[placeKey][]providers.AnswerRecord
	visitors visitors
	turn     int // of visitors.list, whose next comes after an event
	metering metering
	throttle int
	fail     map[string]error
	handles  int
}

type counters struct {
	n, running, most int
	byOp             map[string]int
}

// New makes a world.
func New(o Options) *World {
	if o.Clock == nil {
		panic("sandbox: Options.Clock is required")
	}
	o.Latency = o.Latency.or(Span{20 * time.Millisecond, 120 * time.Millisecond})
	o.Deploy = o.Deploy.or(Span{2 * time.Minute, 8 * time.Minute})
	o.Issue = o.Issue.or(Span{20 * time.Second, 3 * time.Minute})
	o.InSync = o.InSync.or(Span{4 * time.Second, 45 * time.Second})
	o.TagLag = o.TagLag.or(Span{2 * time.Second, 40 * time.Second})
	o.AccessLag = o.AccessLag.or(Span{time.Second, 20 * time.Second})
	if o.Accounts == nil {
		o.Accounts = []string{""}
	}
	if o.Resolvers == 0 {
		o.Resolvers = 4
	}
	if o.PolicyUsers == 0 {
		o.PolicyUsers = 100
	}
	w := &World{
		o: o, clock: o.Clock,
		calls:    counters{byOp: map[string]int{}},
		buckets:  map[string]*bucket{},
		accounts: map[string]*account{},
		dists:    map[string]*distribution{},
		edges:    map[string]*distribution{},
		zones:    map[string]*zone{},
		dns:      map[string]*provider{},
		hosts:    map[string]endpoint{},
		places:   map[placeKey][]providers.AnswerRecord{},
		fail:     map[string]error{},
	}
	for _, label := range o.Accounts {
		w.accounts[label] = newAccount(label)
	}
	now := w.clock.Now()
	for _, b := range o.Buckets {
		w.addBucket(b, now)
	}
	for _, p := range o.DNS {
		w.addProvider(p)
	}
	for i := range o.Resolvers {
		w.caches = append(w.caches, newResolver(i))
	}
	w.welcome(now)
	return w
}

// Providers is a new handle on the world, as a new process has: what another
// handle wrote may show late in answers that come from an index.
func (w *World) Providers() providers.World {
	w.mu.Lock()
	w.handles++
	h := w.handles
	w.mu.Unlock()
	out := providers.World{
		Clock:    w.clock,
		Accounts: map[string]providers.Account{},
		DNS:      map[string]providers.DNS{},
		Resolver: resolverPort{w},
		Web:      webPort{w},
	}
	for label, a := range w.accounts {
		p := accountPort{w: w, a: a, handle: h}
		out.Accounts[label] = providers.Account{
			Identity: p, Buckets: bucketsPort{p}, Certificates: certificatesPort{p},
			Distributions: distributionsPort{p}, CachePolicies: policiesPort{p},
			Access: accessPort{p}, Signed: signedPort{p}, Quotas: quotasPort{p}, Metrics: metricsPort{p},
		}
	}
	for address, p := range w.dns {
		out.DNS[address] = dnsPort{w, p}
	}
	return out
}

// call runs one port call: half its latency, the hook, the effect under the
// lock, the visitors if it was a write, the hook, the other half.
func (w *World) call(ctx context.Context, c Call, effect func(now time.Time) error) error {
	return w.calling(ctx, c, effect, nil)
}

// calling is call with a wait of the effect's choice before it returns, such as
// for INSYNC.
func (w *World) calling(ctx context.Context, c Call, effect func(now time.Time) error, rest func() time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c.Context = ctx
	latency := w.begin(&c)
	defer w.end()
	if err := w.clock.Sleep(ctx, latency/2); err != nil {
		return err
	}
	if err := w.hook(c); err != nil {
		return err
	}
	if err := w.effect(c, effect); err != nil {
		return err
	}
	c.After = true
	if err := w.hook(c); err != nil {
		return err
	}
	latency -= latency / 2
	if rest != nil {
		latency += rest()
		defer providers.Idle(ctx)()
	}
	return w.clock.Sleep(ctx, latency)
}

func (w *World) begin(c *Call) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	k := &w.calls
	k.n++
	k.byOp[c.Op]++
	k.running++
	k.most = max(k.most, k.running)
	c.N = k.n
	// A call of one kind about one thing at one instant always takes the same
	// time, in whatever order the goroutines come.
	return within(w.o.Latency, scramble(mix(w.o.Seed, c.Op, c.Account, c.Name)+uint64(w.clock.Now().UnixNano())))
}

func (w *World) end() {
	w.mu.Lock()
	w.calls.running--
	w.mu.Unlock()
}

func (w *World) hook(c Call) error {
	if w.o.Hook == nil {
		return nil
	}
	return w.o.Hook(c)
}

func (w *World) effect(c Call, f func(now time.Time) error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.clock.Now()
	w.advance(now)
	api := c.Op != opFetch && c.Op != opResolve && c.Op != opAuthoritative
	if err := w.fail[c.Account]; api && err != nil {
		return fmt.Errorf("call %s of %s: %w", c.Op, c.Name, err)
	}
	if api && w.throttle > 0 && c.N%w.throttle == 0 {
		return fmt.Errorf("call %s of %s: rate exceeded: %w", c.Op, c.Name, providers.ErrThrottled)
	}
	err := f(now)
	if c.Write && err == nil {
		w.visitAfter(now)
	}
	return err
}

// Calls is how many port calls were begun.
func (w *World) Calls() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.calls.n
}

// CallsByOp counts the port calls by Call.Op.
func (w *World) CallsByOp() map[string]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := map[string]int{}
	for op, n := range w.calls.byOp {
		out[op] = n
	}
	return out
}

// MaxConcurrent is the largest number of port calls that were under way at the
// same time.
func (w *World) MaxConcurrent() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.calls.most
}

// event is something that happens by itself.
type event struct {
	at  time.Time
	seq int
	do  func(at time.Time)
}

type eventHeap []event

func (h eventHeap) Len() int { return len(h) }
func (h eventHeap) Less(i, j int) bool {
	if !h[i].at.Equal(h[j].at) {
		return h[i].at.Before(h[j].at)
	}
	return h[i].seq < h[j].seq
}
func (h eventHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *eventHeap) Push(x any)   { *h = append(*h, x.(event)) }
func (h *eventHeap) Pop() any {
	old := *h
	e := old[len(old)-1]
	*h = old[:len(old)-1]
	return e
}

// at has f done at t, the visitors after it.
func (w *World) at(t time.Time, f func(at time.Time)) {
	w.seq++
	heap.Push(&w.events, event{t, w.seq, f})
}

// advance lets happen what is due, in the order of time.
func (w *World) advance(now time.Time) {
	for len(w.events) > 0 && !w.events[0].at.After(now) {
		e := heap.Pop(&w.events).(event)
		w.rounds(e.at)
		e.do(e.at)
		w.visitAfter(e.at)
	}
	w.rounds(now)
}

// mix is a hash of the seed and some words.
func mix(seed int64, words ...string) uint64 {
	h := uint64(14695981039346656037) ^ uint64(seed)
	for _, s := range words {
		for i := range len(s) {
			h = (h ^ uint64(s[i])) * 1099511628211
		}
		h = (h ^ 0xff) * 1099511628211
	}
	return scramble(h)
}

// scramble spreads the bits of h (the finalizer of SplitMix64).
func scramble(h uint64) uint64 {
	h += 0x9e3779b97f4a7c15
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}

func within(s Span, h uint64) time.Duration {
	if s.Max <= s.Min {
		return s.Min
	}
	return s.Min + time.Duration(h%uint64(s.Max-s.Min+1))
}

// draw is a duration of s that depends on the seed and words alone.
func (w *World) draw(s Span, words ...string) time.Duration {
	return within(s, mix(w.o.Seed, words...))
}

// code is n characters that words alone decide, as IDs look.
func code(n int, words ...string) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
	h := mix(0, words...)
	out := make([]byte, n)
	for i := range out {
		if i%11 == 10 {
			h = scramble(h + uint64(i))
		}
		out[i] = letters[h%36]
		h /= 36
	}
	return string(out)
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
