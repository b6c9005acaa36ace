package dns

import (
	"context"
	"sync"
	"time"

	"github.com/edgeward/edgeward/providers"
)

// reads shares what is read of one zone. Callers who ask while the zone is
// listed share the listing; one that ended a few seconds ago is used again,
// unless the name was written since it began. R is a row as the provider's API
// gives it.
type reads[R any] struct {
	clock providers.Clock
	// page is how many rows one request lists.
	page int
	// one reads the rows at a name; all reads the whole zone, by name.
	one func(ctx context.Context, name string) ([]R, error)
	all func(ctx context.Context) (map[string][]R, error)
	// doubtful: rows can hide between two pages, so that a name which is empty
	// in a listing of several pages is asked for itself.
	doubtful bool

	// mu guards the fields below; it is never held while waiting.
	mu sync.Mutex
	// size is how many rows the zone has, as far as known.
	size int
	// writes counts beginnings and ends of writes; written has the count of the
	// last one by name. A read is later than a name's last write if it began at
	// a count not below that. It is kept by name, for a write between the pages of
	// a listing may show in some and not in others.
	writes  uint64
	written map[string]uint64
	// number numbers the listings as they begin.
	number uint64
	last   *listing[R]
	flight *listing[R]
	// singles counts names read singly since the last listing, or the last rest; the
	// last was read at singlesFrom.
	singles     int
	singlesFrom time.Time
}

// listing is all rows of a zone by name, complete when done is closed and err
// is nil.
type listing[R any] struct {
	number, writes uint64
	// ended, and not its beginning, is what a listing's age is counted from, for a
	// zone may take long to list. It is used for twice as long as it took, so that a zone
	// is listed for at most a third of the time.
	ended time.Time
	took  time.Duration
	done  chan struct{}
	rows  map[string][]R
	err   error
}

// read gives the rows at name. They are from a listing that ended at most some
// seconds ago and began after the last write to the name; with anew, from a
// read that begins after the call.
func (z *reads[R]) read(ctx context.Context, name string, anew bool) ([]R, error) {
	var after uint64
	if anew {
		z.mu.Lock()
		after = z.number
		z.mu.Unlock()
		// Those who come within a moment share one read.
		if err := z.clock.Sleep(ctx, gather); err != nil {
			return nil, err
		}
	}
	for single := false; ; {
		now := z.clock.Now()
		z.mu.Lock()
		if l := z.last; l != nil && l.number > after && z.written[name] <= l.writes && (anew || now.Sub(l.ended) < max(fresh, 2*l.took)) {
			rows := l.rows[name]
			if len(rows) > 0 || !z.doubtful || z.size <= z.page {
				z.mu.Unlock()
				return rows, nil
			}
			single = true
		}
		if l := z.flight; l != nil && !single {
			z.mu.Unlock()
			back := providers.Idle(ctx)
			select {
			case <-ctx.Done():
			case <-l.done:
			}
			back()
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			if l.err != nil && l.number > after {
				return nil, l.err
			}
			continue
		}
		if single || z.cheaperSingly(now) {
			writes := z.writes
			z.mu.Unlock()
			rows, err := z.one(ctx, name)
			if err != nil || z.unwritten(name, writes) {
				return rows, err
			}
			continue
		}
		l := z.begin()
		z.mu.Unlock()
		if err := z.sweep(ctx, l); err != nil {
			return nil, err
		}
	}
}

// list gives all rows of the zone by name, from a listing that ended at most some
// seconds ago and began after the last write to any name. They are shared: nobody
// may change them.
func (z *reads[R]) list(ctx context.Context) (map[string][]R, error) {
	z.mu.Lock()
	since := z.writes
	z.mu.Unlock()
	for {
		now := z.clock.Now()
		z.mu.Lock()
		if l := z.last; l != nil && l.writes >= since && now.Sub(l.ended) < max(fresh, 2*l.took) {
			z.mu.Unlock()
			return l.rows, nil
		}
		if l := z.flight; l != nil {
			z.mu.Unlock()
			select {
			case <-ctx.Done():
				return nil, ctx.Err()
			case <-l.done:
			}
			if l.err != nil && l.writes >= since {
				return nil, l.err
			}
			continue
		}
		l := z.begin()
		z.mu.Unlock()
		if err := z.sweep(ctx, l); err != nil {
			return nil, err
		}
	}
}

// cheaperSingly says, with z.mu held, whether to read one name rather than the
// whole zone: until as many names were read singly as the zone has pages, with
// no rest between them, so that it never costs more than twice the better of the
// two.
func (z *reads[R]) cheaperSingly(now time.Time) bool {
	pages := (z.size + z.page - 1) / z.page
	if pages <= 1 {
		return false
	}
	if now.Sub(z.singlesFrom) > fresh {
		z.singles = 0
	}
	z.singles, z.singlesFrom = z.singles+1, now
	return z.singles <= pages
}

func (z *reads[R]) unwritten(name string, since uint64) bool {
	z.mu.Lock()
	defer z.mu.Unlock()
	return z.written[name] <= since
}

// begin makes the next listing, with z.mu held.
func (z *reads[R]) begin() *listing[R] {
	z.number++
	z.flight = &listing[R]{number: z.number, writes: z.writes, done: make(chan struct{})}
	return z.flight
}

// sweep lists the zone for all who wait for l.
func (z *reads[R]) sweep(ctx context.Context, l *listing[R]) error {
	began := z.clock.Now()
	rows, err := z.all(providers.WithShared(ctx))
	l.ended = z.clock.Now()
	l.took = l.ended.Sub(began)
	z.mu.Lock()
	defer z.mu.Unlock()
	z.flight = nil
	if err == nil {
		z.size = 0
		for _, r := range rows {
			z.size += len(r)
		}
		l.rows, z.last, z.singles = rows, l, 0
	} else if ctx.Err() == nil {
		l.err = err
	}
	close(l.done)
	return err
}

// mark makes earlier reads of the names useless.
func (z *reads[R]) mark(names ...string) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.writes++
	if z.written == nil {
		z.written = map[string]uint64{}
	}
	for _, n := range names {
		z.written[n] = z.writes
	}
}
