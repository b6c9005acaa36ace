package aws

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/edgeward/edgeward/providers"
)

// sweep answers many callers from one complete read. Callers who ask while a
// read is under way share it; an answer younger than fresh is used again, and a
// list also for twice as long as the read took: reading takes at most a third
// of the time. A
// read that failed, in whatever page, is an error to all its callers and is
// not kept.
type sweep[T any] struct {
	clock providers.Clock
	fresh time.Duration
	// single says that it reads one thing and no list.
	single bool
	order  *atomic.Int64
	fetch  func(context.Context) (T, error)

	mu     sync.Mutex
	flight *flight[T]
	last   *answer[T]
}

// answer is a complete read. began is its place among the writes: a write with
// a smaller number had ended before the read began.
type answer[T any] struct {
	val   T
	began int64
	at    time.Time
	took  time.Duration
}

type flight[T any] struct {
	done    chan struct{}
	ans     *answer[T]
	err     error
	began   int64
	waiting int
	cancel  context.CancelFunc
}

func newSweep[T any](c *Client, fetch func(context.Context) (T, error)) *sweep[T] {
	return &sweep[T]{clock: c.opts.Clock, fresh: c.opts.Freshness, order: &c.order, fetch: fetch}
}

// usable is for how long an answer is.
func (s *sweep[T]) usable(a *answer[T]) time.Duration {
	if s.single {
		return s.fresh
	}
	return max(s.fresh, 2*a.took)
}

// get returns an answer of a read that began after the event numbered after;
// 0 takes any. One caller's ctx ends its own wait only; the read ends when
// nobody waits for it any more.
func (s *sweep[T]) get(ctx context.Context, after int64) (*answer[T], error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	if a := s.last; a != nil && a.began > after && s.clock.Now().Sub(a.at) < s.usable(a) {
		s.mu.Unlock()
		return a, nil
	}
	f := s.flight
	if f == nil || f.began <= after {
		f = s.start(ctx)
	}
	f.waiting++
	s.mu.Unlock()

	defer providers.Idle(ctx)()
	select {
	case <-f.done:
		return f.ans, f.err
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.waiting--; f.waiting == 0 {
		f.cancel()
		if s.flight == f {
			s.flight = nil
		}
	}
	return nil, ctx.Err()
}

// start begins a read; s.mu is held.
func (s *sweep[T]) start(ctx context.Context) *flight[T] {
	ctx, cancel := context.WithCancel(providers.WithIdle(context.WithoutCancel(ctx), nil))
	f := &flight[T]{done: make(chan struct{}), began: s.order.Add(1), cancel: cancel}
	s.flight = f
	go func() {
		defer cancel()
		from := s.clock.Now()
		val, err := func() (val T, err error) {
			defer providers.Recovered(&err)
			return s.read(ctx)
		}()
		s.mu.Lock()
		defer s.mu.Unlock()
		if f.err = err; err == nil {
			f.ans = &answer[T]{val: val, began: f.began, at: s.clock.Now()}
			f.ans.took = f.ans.at.Sub(from)
			if s.last == nil || s.last.began < f.began {
				s.last = f.ans
			}
		}
		if s.flight == f {
			s.flight = nil
		}
		close(f.done)
	}()
	return f
}

// read fetches; of a list all who look next wait for it.
func (s *sweep[T]) read(ctx context.Context) (T, error) {
	if !s.single {
		ctx = providers.WithShared(ctx)
	}
	return s.fetch(ctx)
}

// sweeps has one sweep a key.
type sweeps[T any] struct {
	c     *Client
	fresh time.Duration
	fetch func(ctx context.Context, key string) (T, error)

	mu    sync.Mutex
	byKey map[string]*sweep[T]
}

func newSweeps[T any](c *Client, fresh time.Duration, fetch func(context.Context, string) (T, error)) *sweeps[T] {
	return &sweeps[T]{c: c, fresh: fresh, fetch: fetch, byKey: map[string]*sweep[T]{}}
}

func (s *sweeps[T]) get(ctx context.Context, key string) (T, error) { return s.since(ctx, key, 0) }

// since is get from a read that began after the event numbered after.
func (s *sweeps[T]) since(ctx context.Context, key string, after int64) (T, error) {
	s.mu.Lock()
	one := s.byKey[key]
	if one == nil {
		one = newSweep(s.c, func(ctx context.Context) (T, error) { return s.fetch(ctx, key) })
		one.fresh, one.single = s.fresh, true
		s.byKey[key] = one
	}
	s.mu.Unlock()
	a, err := one.get(ctx, after)
	if err != nil {
		var none T
		return none, err
	}
	return a.val, nil
}
