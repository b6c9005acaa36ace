package sandbox

import (
	"container/heap"
	"context"
	"runtime"
	"runtime/metrics"
	"sync"
	"time"
)

// Epoch is when a sandbox begins unless it is told otherwise, so that its
// output is the same on every day.
func Epoch() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }

// Clock is a discrete-event clock for commands: while something computes, its
// time stands still; when every goroutine of the process is blocked, it goes on
// to the first sleeper's end, one sleeper at a time in the order of their ends.
//
// It watches the process' goroutines through runtime/metrics, so it must not be
// used where goroutines that have nothing to do with it are busy for long (a
// web server, tests in parallel): there its time would stand still meanwhile.
// Goroutines blocked outside Go, on a terminal's input say, do not hold it up
// after a moment. Under testing/synctest use providers.RealClock.
type Clock struct {
	pace float64

	mu      sync.Mutex
	now     time.Time
	seq     uint64
	queue   sleepers
	driving bool
	// gauge belongs to the driver, as do the two moments, of real and of simulated
	// time, from which a pace is kept.
	gauge            *gauge
	fromReal, fromIt time.Time
	// waking is how many sleepers were woken that have not yet run; changes
	// counts everything that happened to the clock.
	waking  int
	changes uint64
}

type sleeper struct {
	until time.Time
	seq   uint64
	at    int // in the heap, -1 when it has left
	woken chan struct{}
}

// NewClock is a clock that begins at start (the zero time means Epoch). Its time
// jumps at once when pace is 0; else it passes pace times as fast as real time.
func NewClock(start time.Time, pace float64) *Clock {
	if start.IsZero() {
		start = Epoch()
	}
	return &Clock{now: start, pace: pace, gauge: newGauge()}
}

// Now is the time of the simulation.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Sleep waits for d of the simulation's time or until ctx ends.
func (c *Clock) Sleep(ctx context.Context, d time.Duration) error {
	if err := ctx.Err(); err != nil || d <= 0 {
		return err
	}
	s := &sleeper{woken: make(chan struct{})}
	c.mu.Lock()
	s.until = c.now.Add(d)
	c.seq++
	c.changes++
	s.seq = c.seq
	heap.Push(&c.queue, s)
	if !c.driving {
		c.driving = true
		go c.drive()
	}
	c.mu.Unlock()
	select {
	case <-s.woken:
	case <-ctx.Done():
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changes++
	if s.at < 0 {
		c.waking--
		return nil
	}
	heap.Remove(&c.queue, s.at)
	return ctx.Err()
}

// drive wakes sleepers for as long as there are any.
func (c *Clock) drive() {
	for {
		c.settle(c.gauge)
		if !c.step() {
			return
		}
	}
}

// step wakes the first sleeper and goes on to its time, or towards it by a
// slice when there is a pace; false when nobody sleeps and the driver must end.
func (c *Clock) step() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.queue) == 0 {
		c.driving = c.waking > 0
		return c.driving
	}
	if c.pace > 0 && !c.keepPace() {
		return true
	}
	s := heap.Pop(&c.queue).(*sleeper)
	if s.until.After(c.now) {
		c.now = s.until
	}
	c.waking++
	c.changes++
	close(s.woken)
	return true
}

// keepPace passes at most a slice of real time, without the lock. It is true
// when the first sleeper's time has come; else the clock went on a little, so
// that a live screen sees it go, and sleepers that came meanwhile get their turn.
func (c *Clock) keepPace() bool {
	const slice, lag = 20 * time.Millisecond, 100 * time.Millisecond
	wall := time.Now()
	late := wall.Sub(c.fromReal) - time.Duration(float64(c.now.Sub(c.fromIt))/c.pace)
	if late > lag || late < -lag {
		c.fromReal, c.fromIt, late = wall, c.now, 0
	}
	first := c.queue[0].until
	wait := time.Duration(float64(first.Sub(c.now))/c.pace) - late
	if wait <= 0 {
		return true
	}
	c.mu.Unlock()
	time.Sleep(min(wait, slice))
	c.mu.Lock()
	if len(c.queue) == 0 || c.queue[0].until.Before(first) {
		return false
	}
	if wait <= slice {
		return true
	}
	now := c.fromIt.Add(time.Duration(float64(time.Since(c.fromReal)) * c.pace))
	if now.After(c.now) && now.Before(c.queue[0].until) {
		c.now = now
	}
	return false
}

// settle returns when nothing in the process runs: no goroutine but this one is
// running or runnable, several looks in a row, and nothing happened to the clock
// between them. Calls of the operating system may block for good (a read of a
// terminal), so they count only while their number is unusual. A goroutine that
// spins for longer than the limit is not waited for: the clock must not stop for
// good.
func (c *Clock) settle(g *gauge) {
	const looks, limit = 3, 10 * time.Second
	still, idle := 0, 0
	var last uint64
	var began time.Time
	for still < looks {
		c.mu.Lock()
		changes, waking := c.changes, c.waking
		c.mu.Unlock()
		quiet := g.quiet()
		if waking > 0 || changes != last || !quiet {
			if changes != last || idle == 0 {
				began = time.Now()
			} else if waking == 0 && time.Since(began) > limit {
				return
			}
			still, last = 0, changes
			idle++
			pause(idle)
			continue
		}
		still++
		runtime.Gosched()
	}
}

// pause lets others run, the longer the more often it was in vain.
func pause(n int) {
	if n < 20 {
		runtime.Gosched()
		return
	}
	time.Sleep(min(time.Duration(n)*time.Microsecond, time.Millisecond))
}

// gauge reads the states of the process' goroutines.
type gauge struct {
	samples []metrics.Sample
	// outside is how many goroutines are usually in a call of the operating
	// system; since is when their number rose above it.
	outside, seen uint64
	since         time.Time
}

func newGauge() *gauge {
	return &gauge{samples: []metrics.Sample{
		{Name: "/sched/goroutines/running:goroutines"},
		{Name: "/sched/goroutines/runnable:goroutines"},
		{Name: "/sched/goroutines/not-in-go:goroutines"},
	}}
}

// grace is how long a goroutine may be in a call of the operating system before
// the clock goes on without it.
const grace = 5 * time.Millisecond

func (g *gauge) quiet() bool {
	metrics.Read(g.samples)
	running, runnable, outside := g.samples[0].Value.Uint64(), g.samples[1].Value.Uint64(), g.samples[2].Value.Uint64()
	switch {
	case outside <= g.outside:
		g.outside, g.seen = outside, outside
	case outside != g.seen:
		g.seen, g.since = outside, time.Now()
	case time.Since(g.since) > grace:
		g.outside = outside
	}
	return running <= 1 && runnable == 0 && outside <= g.outside
}

type sleepers []*sleeper

func (q sleepers) Len() int { return len(q) }
func (q sleepers) Less(i, j int) bool {
	if !q[i].until.Equal(q[j].until) {
		return q[i].until.Before(q[j].until)
	}
	return q[i].seq < q[j].seq
}
func (q sleepers) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].at, q[j].at = i, j
}
func (q *sleepers) Push(x any) {
	s := x.(*sleeper)
	s.at = len(*q)
	*q = append(*q, s)
}
func (q *sleepers) Pop() any {
	old := *q
	s := old[len(old)-1]
	*q = old[:len(old)-1]
	s.at = -1
	return s
}
