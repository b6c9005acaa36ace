package planner

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/edgeward/edgeward/providers"
	"github.com/edgeward/edgeward/providers/sandbox"
)

// lockRace is a lock that is overtaken: at its nth call that matters, before or
// after it, another run comes. Either of them may die there.
type lockRace struct {
	n     int
	after bool
	then  Goal
	// dies is how many calls of the lock get through from there until it dies, less
	// one, and diesAt the call at which the other run does; 0 for none.
	dies, diesAt int
}

func (r lockRace) String() string {
	return fmt.Sprintf("call %d, after %t, then %s, lock dies %d, other dies at %d", r.n, r.after, r.then, r.dies, r.diesAt)
}

// lockCalls are those of a lock and of a way back whose order decides.
func lockCalls(c sandbox.Call) bool {
	return slices.Contains([]string{"Distributions.SetTags", "Distributions.Tags", "Access.PutBlock", "DNS.Replace"}, c.Op)
}

// hookOf is a hook that may be changed within.
type hookOf struct {
	mu sync.Mutex
	f  func(sandbox.Call) error
}

func (h *hookOf) set(f func(sandbox.Call) error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.f = f
}

func (h *hookOf) hook(c sandbox.Call) error {
	h.mu.Lock()
	f := h.f
	h.mu.Unlock()
	if f == nil {
		return nil
	}
	return f(c)
}

// race runs it, then an apply as a schedule would, and then a person's command. It is
// false where the lock had no such call.
func (r lockRace) race(t *testing.T) (met bool) {
	var h hookOf
	inLocked(t, func(l *lab) { l.options.Hook = h.hook }, func(t *testing.T, s *session) {
		s.moved()
		quiet := ""
		s.early = &quiet
		policy := s.w.Policy(assets)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		other := &session{t: t, w: s.w, c: s.c, o: s.o, early: &quiet}
		// Calls come from many goroutines.
		var locking, overtaken atomic.Bool
		var calls, k, left atomic.Int64
		second := func() {
			ctx2, cancel2 := context.WithCancel(t.Context())
			defer cancel2()
			h.set(func(c sandbox.Call) error {
				if lockCalls(c) && !c.After {
					k.Add(1)
				}
				if r.diesAt > 0 && k.Load() >= int64(r.diesAt) {
					cancel2()
					return errKilled
				}
				return nil
			})
			if p, err := Make(ctx2, other.w.Providers(), other.c, asking(other.o, r.then)); err == nil {
				other.run(ctx2, p, nil)
			}
			left.Store(int64(r.dies) - 1)
			h.set(func(c sandbox.Call) error { // the lock's own
				if c.Op == "Access.PutBlock" && r.then != Migrate && r.diesAt == 0 && (r.n < 3 || r.n == 3 && !r.after) {
					t.Errorf("%s: the bucket is closed after it was opened", r)
				}
				if left.Load() == 0 {
					cancel()
					return errKilled
				}
				if c.After {
					left.Add(-1)
				}
				return nil
			})
		}
		h.set(func(c sandbox.Call) error {
			if !locking.Load() || overtaken.Load() || !lockCalls(c) || c.After != r.after {
				return nil
			}
			if calls.Add(1) == int64(r.n) {
				overtaken.Store(true)
				second()
				if r.dies == 1 {
					cancel()
					return errKilled
				}
			}
			return nil
		})
		s.run(ctx, s.plan(t.Context(), Migrate), func(x *Executor) {
			said := x.Events
			x.Events = func(e Event) {
				if e.Kind == BucketLock && e.Status == EventStarted {
					locking.Store(true)
				}
				said(e)
			}
		})
		h.set(nil)
		if met = overtaken.Load(); !met {
			return
		}
		pause1(t, 10*time.Minute)
		atS3 := func() bool { return s.w.Records(assets)[0].Value != s.w.Distributions()[0].Domain }
		if r.dies == 0 && r.diesAt == 0 && atS3() && !s.public() {
			t.Errorf("%s: visitors are sent to S3, which is closed", r)
		}
		if r.dies == 0 && r.diesAt == 0 {
			s.served()
		}
		s.apply(t.Context(), Migrate)
		pause1(t, 10*time.Minute)
		if atS3() && !s.public() {
			t.Errorf("%s: visitors are sent to S3, which stays closed after an apply: %+v", r, s.w.Distributions()[0].Tags)
		}
		if granted := s.w.Policy(assets) != policy; !atS3() && !granted && !s.public() {
			t.Errorf("%s: nobody reads the bucket any more", r)
		}
		// Whatever it is, a person's command ends it.
		if r.then == UnlockBucket {
			if x := one(t, s.apply(t.Context(), UnlockBucket)); !s.public() {
				t.Errorf("%s: unlock-bucket: %+v", r, x)
			}
		} else if x := one(t, s.apply(t.Context(), Rollback)); !s.public() || !atS3() {
			t.Errorf("%s: rollback: %+v", r, x)
		}
		pause1(t, time.Minute) // S3's servers learn of the flags one after the other
		failed := s.w.Visitors().Failed
		pause1(t, time.Hour)
		if v := s.w.Visitors(); v.Failed != failed {
			t.Errorf("%s: %d more visits failed", r, v.Failed-failed)
		}
		if b := s.w.Block(assets); b != nil && *b != (providers.PublicAccessBlock{}) {
			t.Errorf("%s: the flags are %+v, there were none", r, b)
		}
	})
	return met
}

// TestLockAgainstAnotherRun: a way back, an unlock or another apply in the midst of
// a lock never leaves visitors where the bucket is closed, whichever of them dies.
func TestLockAgainstAnotherRun(t *testing.T) {
	for _, then := range []Goal{Rollback, UnlockBucket, Migrate} {
		t.Run(string(then), func(t *testing.T) {
			t.Parallel()
			runs := 0
			for n := 1; n <= 5; n++ {
				for _, after := range []bool{false, true} {
					for dies := range 3 {
						for diesAt := range 5 {
							if !killAll && (diesAt > 0 && (n+diesAt+dies)%6 != 0 || raceDetector && (n+dies)%4 != 0) {
								continue
							}
							runs++
							if met := (lockRace{n, after, then, dies, diesAt}).race(t); !met {
								t.Fatalf("the lock has no call %d", n)
							}
							if t.Failed() {
								return
							}
						}
					}
				}
			}
			t.Logf("%d runs", runs)
		})
	}
}

func asking(o Options, g Goal) Options {
	o.Goal = g
	return o
}

// TestWayBackAgainstALock: a way back that has seen no lock meets one before its
// hold stands, or right after it; and whichever of its writes it dies at, an apply ends it.
func TestWayBackAgainstALock(t *testing.T) {
	for n := range 7 { // 0 does not die
		for _, until := range []Kind{BucketLock, LockVerified} {
			var h hookOf
			inLocked(t, func(l *lab) { l.options.Hook = h.hook }, func(t *testing.T, s *session) {
				s.moved()
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				other := &session{t: t, w: s.w, c: s.c, o: s.o}
				other.o.Until = until
				met, k := false, 0
				h.set(func(c sandbox.Call) error {
					if !met && c.Op == "Distributions.SetTags" && !c.After {
						met = true
						h.set(nil)
						other.apply(t.Context(), Migrate)
						h.set(func(c sandbox.Call) error {
							if lockCalls(c) && !c.After {
								k++
							}
							if n > 0 && k >= n {
								cancel()
								return errKilled
							}
							return nil
						})
					}
					return nil
				})
				r := s.run(ctx, s.plan(t.Context(), Rollback), nil)
				h.set(nil)
				pause1(t, 10*time.Minute)
				if n > 0 {
					r = s.apply(t.Context(), Migrate)
					pause1(t, 10*time.Minute)
				}
				back := s.w.Records(assets)[0].Value != s.w.Distributions()[0].Domain
				if !met || back && !s.public() || n == 0 && !back {
					t.Errorf("dies at %d, lock until %s: met %t, back %t, public %t: %+v", n, until, met, back, s.public(), r)
				}
				s.served()
			})
		}
	}
}
