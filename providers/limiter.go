package providers

import (
	"context"
	"math"
	"slices"
	"strings"
	"sync"
	"time"
)

// LimiterOptions say how one API may be asked.
type LimiterOptions struct {
	// API is its name, such as "cloudfront writes". Limiters of one set that have
	// the same name are the same limiter.
	API string
	// PerSecond is the rate at the beginning: the documented one, or a careful
	// guess. 0 is no limit at all: requests are only counted.
	PerSecond float64
	// Most is how far the rate may rise while the API does not refuse. Not above
	// PerSecond means never, as where the rate is documented.
	Most float64
	// Burst is how many requests may be sent at once after a rest, at least 1.
	Burst int
}

// Limiter is the rate of one API, for all who ask it. Callers wait for their
// turn before every attempt, and tell what the attempt met. Those whose context
// is Urgent are served before the others, then those for which many wait, and each
// kind in the order it came.
//
// It finds the rate as TCP finds that of a line. While nothing was refused, the
// rate doubles every two seconds. A refusal tells what is allowed: what the API
// let through since the one before, in that time. The rate falls to four fifths
// of that, comes back to it quickly at first and then ever more slowly, and from
// there feels its way up: slowly, then faster, at last as in the beginning. Above
// its beginning it rises only while somebody waits, for a rate that nobody used up
// says nothing, and never above Most, where a documented rate begins.
type Limiter struct {
	clock Clock
	o     LimiterOptions

	// mu guards the fields below; it is never held while waiting.
	mu sync.Mutex
	// rate is what is allowed now, a second; ceiling is what the API allowed when it
	// refused last, 0 while nobody knows, and spell how long the rate takes to come
	// back there, seconds.
	rate, ceiling, spell float64
	// good is the rate that was held for a while before it was doubled again.
	good float64
	// Since from, when the last refusal that counted came, attempts were let
	// through, and somebody waited for so many seconds.
	from    time.Time
	through int
	waited  float64
	// tokens were there at the moment at.
	tokens float64
	at     time.Time
	// free is before when nothing is sent, cut the moment of the last refusal that
	// counted, and saw that of the last answer.
	free, cut, saw time.Time
	// queues are those who wait, the urgent ones first; serving is true while a
	// goroutine gives them their turns, and stop ends it.
	queues  [3][]*waiter
	serving bool
	stop    context.CancelFunc

	requests, throttled int
}

type waiter struct {
	turns  int
	served bool // guarded by the limiter's mu
	done   chan struct{}
}

// NewLimiter makes a limiter that belongs to no set.
func NewLimiter(clock Clock, o LimiterOptions) *Limiter {
	o.Burst = max(o.Burst, 1)
	o.Most = max(o.Most, o.PerSecond)
	return &Limiter{clock: clock, o: o, rate: o.PerSecond, tokens: float64(o.Burst), at: clock.Now()}
}

// Burst is how many turns can be taken at once.
func (l *Limiter) Burst() int {
	if l.o.PerSecond <= 0 {
		return math.MaxInt
	}
	return l.o.Burst
}

// Wait waits for so many turns, not more than Burst, and takes them at once.
// Its error is ctx's, and then no turn is taken.
func (l *Limiter) Wait(ctx context.Context, turns int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	turns = min(turns, l.Burst())
	l.mu.Lock()
	if l.waiting() == 0 && l.missing(turns) <= 0 {
		l.take(turns)
		l.mu.Unlock()
		return nil
	}
	w := &waiter{turns: turns, done: make(chan struct{})}
	rank := rankOf(ctx)
	l.queues[rank] = append(l.queues[rank], w)
	if !l.serving {
		var serving context.Context
		serving, l.stop = context.WithCancel(context.WithoutCancel(ctx))
		l.serving = true
		go l.serve(serving)
	}
	l.mu.Unlock()
	defer Idle(ctx)()
	select {
	case <-w.done:
		return nil
	case <-ctx.Done():
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if w.served {
		l.tokens += float64(turns)
		l.requests -= turns
		return ctx.Err()
	}
	l.queues[rank] = slices.DeleteFunc(l.queues[rank], func(o *waiter) bool { return o == w })
	if l.waiting() == 0 {
		l.stop()
	}
	return ctx.Err()
}

// rankOf is the queue of a caller.
func rankOf(ctx context.Context) int {
	switch {
	case Urgent(ctx):
		return 0
	case ctx.Value(sharedKey{}) != nil:
		return 1
	}
	return 2
}

func (l *Limiter) waiting() int {
	n := 0
	for _, q := range l.queues {
		n += len(q)
	}
	return n
}

// serve gives turns to those who wait, until nobody does.
func (l *Limiter) serve(ctx context.Context) {
	for {
		l.mu.Lock()
		rank, w := l.first()
		if w == nil {
			l.serving = false
			l.stop()
			l.mu.Unlock()
			return
		}
		wait := l.missing(w.turns)
		if wait <= 0 {
			l.take(w.turns)
			l.queues[rank] = l.queues[rank][1:]
			w.served = true
			close(w.done)
			l.mu.Unlock()
			continue
		}
		// One turn at a time: whoever comes meanwhile may need fewer, and be urgent.
		wait = min(wait, max(l.missing(1), l.span(1)))
		l.mu.Unlock()
		if l.clock.Sleep(ctx, wait) != nil && !l.renewed(&ctx) {
			return
		}
	}
}

// renewed is true when somebody came after the last one had gone, which had
// stopped the serving.
func (l *Limiter) renewed(ctx *context.Context) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.waiting() == 0 {
		l.serving = false
		return false
	}
	*ctx, l.stop = context.WithCancel(context.WithoutCancel(*ctx))
	return true
}

func (l *Limiter) first() (rank int, w *waiter) {
	for rank, q := range l.queues {
		if len(q) > 0 {
			return rank, q[0]
		}
	}
	return 0, nil
}

// missing is the time until so many turns are there.
func (l *Limiter) missing(turns int) time.Duration {
	now := l.clock.Now()
	wait := l.free.Sub(now)
	if l.o.PerSecond <= 0 {
		return wait
	}
	if since := now.Sub(l.at); since > 0 {
		l.tokens = min(l.tokens+since.Seconds()*l.rate, float64(l.o.Burst))
		l.at = now
	}
	// What was summed up of fractions may be short of a whole by a billionth.
	if short := float64(turns) - l.tokens; short > 1e-9 {
		wait = max(wait, l.span(short))
	}
	return wait
}

// span is how long so many turns take at the rate of now.
func (l *Limiter) span(turns float64) time.Duration {
	return time.Duration(math.Ceil(turns / l.rate * float64(time.Second)))
}

func (l *Limiter) take(turns int) {
	if l.o.PerSecond > 0 {
		l.tokens -= float64(turns)
	}
	l.requests += turns
}

const (
	// oneRefusal is how long refusals belong together: what is sent before the API
	// has counted the lower rate is refused as well.
	oneRefusal = 250 * time.Millisecond
	// doubling is how long the rate takes to double where no limit is known, seconds.
	doubling = 2
	// remains is what a refusal leaves of the rate that the API allowed.
	remains = 0.8
	// A spell is short at first, and longer with each refusal, seconds. At a slow API
	// it gets longer than elsewhere, to spellTurns requests: of the few that it allows
	// too many would be refused.
	leastSpell, mostSpell, slowSpell = 5, 10, 60
	spellTurns                       = 30
)

// Saw tells what an attempt met that was sent at the time sent: throttled says
// that the API refused it for its rate.
func (l *Limiter) Saw(sent time.Time, throttled bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.missing(1) // tokens until now are of the rate until now
	now := l.clock.Now()
	if throttled {
		l.throttled++
	}
	if l.o.PerSecond <= 0 {
		return
	}
	if l.from.IsZero() {
		l.from, l.saw = sent, sent
	}
	since := min(now.Sub(l.saw).Seconds(), max(1, 2/l.rate))
	l.saw = now
	waits := l.waiting() > 0
	if waits {
		l.waited += since
	}
	switch {
	case !throttled:
		l.through++
		l.rise(min(since, 1), waits)
	case sent.Sub(l.cut) >= oneRefusal:
		l.fall(now)
	}
}

// fall takes the rate below what the API allowed: what it let through, if the rate
// was used up; otherwise the refusal was somebody else's doing. Where the rate grew
// since the last refusal, the API may have had more to give than was asked of it.
func (l *Limiter) fall(now time.Time) {
	least := l.o.PerSecond / 8
	took := now.Sub(l.from).Seconds()
	grown := 0.0 // the part of the rate that is known to be good
	switch {
	case took <= 0 || l.waited < took*3/4:
		grown = 1
	case l.ceiling == 0:
		grown = max(0.75, min(0.95, l.good/l.rate))
	case l.waited >= l.spell:
		grown = 0.95
	}
	l.ceiling = max(l.rate*grown, least)
	if took > 0 {
		l.ceiling = max(l.ceiling, min(l.rate, float64(l.through+1)/took))
	}
	l.spell = min(max(took, 2*l.spell, leastSpell), max(mostSpell, min(spellTurns/l.ceiling, slowSpell)))
	l.rate = max(l.ceiling*remains, least)
	l.tokens = min(l.tokens, 0)
	l.from, l.cut, l.through, l.waited = now, now, 0, 0
}

// rise lets the rate grow after an attempt that was let through, some seconds
// after the one before it. Where nobody waits it only comes back to its beginning.
func (l *Limiter) rise(since float64, waits bool) {
	switch x := l.waited/l.spell - 1; {
	case !waits && l.rate >= l.o.PerSecond:
	case !waits:
		l.rate = min(l.rate+l.o.PerSecond/20*since, l.o.PerSecond)
	case l.ceiling > 0 && x < 0:
		l.rate = max(l.rate, l.ceiling*(1+(1-remains)*x*x*x))
	case l.ceiling > 0 && x < 1:
		l.rate = max(l.rate, l.ceiling+(1-remains)*max(l.ceiling, l.o.PerSecond)*x*x*x)
	default:
		if l.ceiling > 0 {
			l.ceiling, l.good = 0, l.rate
		}
		l.rate *= math.Exp2(since / doubling)
	}
	l.rate = min(l.rate, l.o.Most)
}

// Hold keeps every request back for d: the API said so.
func (l *Limiter) Hold(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if at := l.clock.Now().Add(d); at.After(l.free) {
		l.free = at
	}
}

// Rate tells how the API was asked.
func (l *Limiter) Rate() Rate {
	l.mu.Lock()
	defer l.mu.Unlock()
	return Rate{API: l.o.API, PerSecond: l.rate, Requests: l.requests, Throttled: l.throttled, Waiting: l.waiting()}
}

type idleKey struct{}

// WithIdle has idle called whenever a call with the context only waits: for its
// turn, or for what another call reads or sends. What idle returns is called when
// the wait is over. Both come from many goroutines at once. A nil idle takes away
// an earlier one, for work that goes on without its caller.
func WithIdle(ctx context.Context, idle func() (back func())) context.Context {
	return context.WithValue(ctx, idleKey{}, idle)
}

// Idle says that the caller begins to wait; what it returns says that it goes on.
func Idle(ctx context.Context) (back func()) {
	if idle, _ := ctx.Value(idleKey{}).(func() func()); idle != nil {
		return idle()
	}
	return func() {}
}

// Limiters is a set of limiters by the names of their APIs. Whoever counts
// together shares one.
type Limiters struct {
	clock Clock

	mu sync.Mutex
	by map[string]*Limiter
}

// NewLimiters makes an empty set.
func NewLimiters(clock Clock) *Limiters { return &Limiters{clock: clock, by: map[string]*Limiter{}} }

// Get is the limiter of o.API, made with o when it is asked for first.
func (s *Limiters) Get(o LimiterOptions) *Limiter {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.by[o.API]
	if l == nil {
		l = NewLimiter(s.clock, o)
		s.by[o.API] = l
	}
	return l
}

// Rates tells how the APIs were asked that were asked at all, by name.
func (s *Limiters) Rates() []Rate {
	s.mu.Lock()
	all := make([]*Limiter, 0, len(s.by))
	for _, l := range s.by {
		all = append(all, l)
	}
	s.mu.Unlock()
	var rates []Rate
	for _, l := range all {
		if r := l.Rate(); r.Requests+r.Waiting > 0 {
			rates = append(rates, r)
		}
	}
	slices.SortFunc(rates, func(a, b Rate) int { return strings.Compare(a.API, b.API) })
	return rates
}
