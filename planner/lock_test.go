package planner

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeward/edgeward/providers"
	"github.com/edgeward/edgeward/providers/sandbox"
)

// lockLab is a world with a lock, whose calls may be made to fail.
type lockLab struct {
	w    *sandbox.World
	hook atomic.Pointer[func(sandbox.Call) error]
}

func newLockLab() *lockLab {
	l := &lockLab{}
	l.w = sandbox.New(sandbox.Options{Clock: providers.RealClock{}, Seed: 1, Hook: func(c sandbox.Call) error {
		if f := l.hook.Load(); f != nil {
			return (*f)(c)
		}
		return nil
	}})
	return l
}

func (l *lockLab) take(ctx context.Context, id string, patience time.Duration, said *[]string) (*RunLock, error) {
	h := Holder{ID: id, Who: id + "@ci", Command: "edgeward apply", Run: "https://ci.example.com/runs/" + id,
		Since: time.Now(), Lease: 120}
	return TakeLock(ctx, l.w.LockStore(), providers.RealClock{}, h, patience, func(s string) {
		if said != nil {
			*said = append(*said, s)
		}
	})
}

func TestLockIsHeldByOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLockLab()
		first, err := l.take(t.Context(), "first", 0, nil)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Second)
		_, err = l.take(t.Context(), "second", 0, nil)
		var locked *LockedError
		if !errors.As(err, &locked) {
			t.Fatalf("a second run: %v", err)
		}
		for _, part := range []string{"sandbox://lock", "first@ci", "edgeward apply", "https://ci.example.com/runs/first", "since 2000-01-01", "renewed 50s ago"} {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%q lacks %q", err, part)
			}
		}
		if !strings.Contains(locked.Hint(), "unlock -force") || !strings.Contains(locked.Hint(), "2m after") {
			t.Error(locked.Hint())
		}
		if err := first.Release(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := l.take(t.Context(), "third", 0, nil); err != nil {
			t.Errorf("after the release: %v", err)
		}
	})
}

func TestLockIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLockLab()
		first, err := l.take(t.Context(), "first", 0, nil)
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			time.Sleep(40 * time.Second)
			_ = first.Release(t.Context())
		}()
		var said []string
		began := time.Now()
		if _, err := l.take(t.Context(), "second", time.Minute, &said); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(began); d < 40*time.Second || d > 50*time.Second || len(said) != 1 {
			t.Errorf("after %s, said %q", d, said)
		}
	})
}

// TestLockOfADeadRunIsTakenOver: not before its lease is over, and not while it
// is renewed.
func TestLockOfADeadRunIsTakenOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLockLab()
		first, err := l.take(t.Context(), "first", 0, nil)
		if err != nil {
			t.Fatal(err)
		}
		ctx, die := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { first.Keep(ctx, func(err error) { t.Errorf("lost: %v", err) }) })
		time.Sleep(time.Hour)
		if _, err := l.take(t.Context(), "second", 0, nil); err == nil {
			t.Fatal("a lock that is renewed was taken over")
		}
		die()
		wg.Wait()
		began := time.Now()
		var said []string
		if _, err := l.take(t.Context(), "third", 10*time.Minute, &said); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(began); d < 75*time.Second || d > 130*time.Second {
			t.Errorf("taken over after %s", d)
		}
		if last := said[len(said)-1]; !strings.Contains(last, "first@ci") || !strings.Contains(last, "is taken over") {
			t.Errorf("said %q", said)
		}
	})
}

// TestLockIsLostInTime: a run that cannot renew its lock, or from which it was
// taken, learns it before somebody else can hold it.
func TestLockIsLostInTime(t *testing.T) {
	broken := errors.New("connection reset")
	tests := map[string]struct {
		hook func(sandbox.Call) error
		act  func(l *lockLab)
		says string
		lost bool
	}{
		"nobody answers":       {func(sandbox.Call) error { return broken }, nil, "could not be renewed", true},
		"the answers are lost": {func(c sandbox.Call) error { return ifAfter(c, broken) }, nil, "could not be renewed", true},
		"one answer is lost":   {lostOnce(broken), nil, "", false},
		"taken away": {nil, func(l *lockLab) {
			if _, err := Unlock(context.Background(), l.w.LockStore(), true); err != nil {
				panic(err)
			}
		}, "is held by nobody now", true},
		"taken away and taken": {nil, func(l *lockLab) {
			_, err := Unlock(context.Background(), l.w.LockStore(), true)
			if _, took := l.take(context.Background(), "other", 0, nil); errors.Join(err, took) != nil {
				panic(errors.Join(err, took))
			}
		}, "is held by other@ci now", true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLockLab()
				lock, err := l.take(t.Context(), "first", 0, nil)
				if err != nil {
					t.Fatal(err)
				}
				if tt.hook != nil {
					l.hook.Store(&tt.hook)
				}
				if tt.act != nil {
					tt.act(l)
				}
				ctx, cancel := context.WithTimeout(t.Context(), 110*time.Second)
				defer cancel()
				said := ""
				lock.Keep(ctx, func(err error) {
					if !errors.Is(err, ErrLockLost) {
						t.Errorf("%v is no ErrLockLost", err)
					}
					said = err.Error()
				})
				if (said != "") != tt.lost || !strings.Contains(said, tt.says) {
					t.Errorf("said %q, want %q (lost: %t)", said, tt.says, tt.lost)
				}
			})
		})
	}
}

func ifAfter(c sandbox.Call, err error) error {
	if c.After {
		return err
	}
	return nil
}

func lostOnce(err error) func(sandbox.Call) error {
	var once sync.Once
	return func(c sandbox.Call) (out error) {
		if c.After && c.Write {
			once.Do(func() { out = err })
		}
		return out
	}
}

// TestLockHangs: a renewal that never ends does not hide that the lease is over.
func TestLockHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLockLab()
		lock, err := l.take(t.Context(), "first", 0, nil)
		if err != nil {
			t.Fatal(err)
		}
		lock.store = hanging{lock.store}
		began := time.Now()
		lost := time.Duration(0)
		lock.Keep(t.Context(), func(error) { lost = time.Since(began) })
		if lost == 0 || lost > 100*time.Second {
			t.Errorf("lost after %s", lost)
		}
	})
}

// hanging never answers a write.
type hanging struct{ providers.LockStore }

func (hanging) WriteLock(ctx context.Context, _ []byte, _ string) (string, error) {
	<-ctx.Done()
	return "", ctx.Err()
}

// TestLockRace: of many runs that come, stay, go and die, never two hold the lock
// at the same time.
func TestLockRace(t *testing.T) {
	for seed := range int64(10) {
		synctest.Test(t, func(t *testing.T) {
			l := newLockLab()
			var holders, most, held atomic.Int64
			var wg sync.WaitGroup
			for i := range int64(12) {
				wg.Go(func() {
					time.Sleep(time.Duration(seed*i*7919%50) * time.Second)
					lock, err := l.take(t.Context(), fmt.Sprint("run", i), 2*time.Hour, nil)
					if err != nil {
						t.Error(err)
						return
					}
					held.Add(1)
					most.Store(max(most.Load(), holders.Add(1)))
					ctx, cancel := context.WithTimeout(t.Context(), time.Duration(1+(seed+i*31)%300)*time.Second)
					defer cancel()
					lock.Keep(ctx, func(err error) { t.Error(err) })
					holders.Add(-1)
					if i%3 > 0 { // the others die
						_ = lock.Release(t.Context())
					}
				})
			}
			wg.Wait()
			if most.Load() != 1 || held.Load() != 12 {
				t.Errorf("seed %d: %d held it, at most %d at a time", seed, held.Load(), most.Load())
			}
		})
	}
}

func TestUnlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLockLab()
		store := l.w.LockStore()
		if h, err := Unlock(t.Context(), store, false); err != nil || h.ID != "" {
			t.Errorf("no lock: %+v %v", h, err)
		}
		if _, err := l.take(t.Context(), "first", 0, nil); err != nil {
			t.Fatal(err)
		}
		var locked *LockedError
		if _, err := Unlock(t.Context(), store, false); !errors.As(err, &locked) {
			t.Errorf("a live lock: %v", err)
		}
		time.Sleep(3 * time.Minute)
		if h, err := Unlock(t.Context(), store, false); err != nil || h.ID != "first" {
			t.Errorf("a dead lock: %+v %v", h, err)
		}
		if h, err := Unlock(t.Context(), store, true); err != nil || h.ID != "" {
			t.Errorf("a released lock: %+v %v", h, err)
		}
		if _, err := store.WriteLock(t.Context(), []byte("notes"), "2"); err != nil {
			t.Fatal(err)
		}
		if _, err := Unlock(t.Context(), store, true); err == nil || !strings.Contains(err.Error(), "no lock of edgeward") {
			t.Errorf("something else: %v", err)
		}
		if _, err := l.take(t.Context(), "second", 0, nil); err == nil || !strings.Contains(err.Error(), "a key of its own") {
			t.Errorf("something else: %v", err)
		}
	})
}

// TestLockIsLetGo: whatever a run's writes met, a run that has ended holds up
// nobody.
func TestLockIsLetGo(t *testing.T) {
	broken := errors.New("connection reset")
	free := func(t *testing.T, l *lockLab) {
		t.Helper()
		if _, err := l.take(t.Context(), "next", 0, nil); err != nil {
			t.Errorf("it is held up: %v", err)
		}
	}
	tests := map[string]func(t *testing.T, l *lockLab){
		"the answer to the first write was lost": func(t *testing.T, l *lockLab) {
			hook := lostOnce(broken)
			l.hook.Store(&hook)
			lock, err := l.take(t.Context(), "first", 0, nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := lock.Release(t.Context()); err != nil {
				t.Error(err)
			}
		},
		"a renewal was cut short": func(t *testing.T, l *lockLab) {
			lock, err := l.take(t.Context(), "first", 0, nil)
			if err != nil {
				t.Fatal(err)
			}
			hook := lostOnce(broken)
			l.hook.Store(&hook)
			if err := lock.renew(t.Context()); err == nil {
				t.Fatal("no answer was lost")
			}
			if err := lock.Release(t.Context()); err != nil {
				t.Error(err)
			}
		},
		"interrupted while it was taken": func(t *testing.T, l *lockLab) {
			ctx, cancel := context.WithCancel(t.Context())
			hook := func(c sandbox.Call) error {
				if c.Write {
					cancel()
				}
				return nil
			}
			l.hook.Store(&hook)
			if _, err := l.take(ctx, "first", 0, nil); !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
		},
		"taken away, and nobody has it": func(t *testing.T, l *lockLab) {
			lock, err := l.take(t.Context(), "first", 0, nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := Unlock(t.Context(), l.w.LockStore(), true); err != nil {
				t.Fatal(err)
			}
			if err := lock.Release(t.Context()); err != nil {
				t.Error(err)
			}
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLockLab()
				test(t, l)
				free(t, l)
			})
		})
	}
}

// TestLockConflicts: a store that refuses every write is not asked without end,
// and a lock that is renewed at the same moment is taken away all the same.
func TestLockConflicts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLockLab()
		refuses := func(c sandbox.Call) error {
			if c.Write {
				return providers.ErrConflict
			}
			return nil
		}
		l.hook.Store(&refuses)
		if _, err := l.take(t.Context(), "first", 0, nil); !errors.Is(err, providers.ErrConflict) {
			t.Errorf("got %v", err)
		}
		l.hook.Store(nil)
		lock, err := l.take(t.Context(), "second", 0, nil)
		if err != nil {
			t.Fatal(err)
		}
		store := &overtaken{LockStore: l.w.LockStore(), first: func() error { return lock.renew(t.Context()) }}
		if h, err := Unlock(t.Context(), store, true); err != nil || h.ID != "second" {
			t.Errorf("%+v, %v", h, err)
		}
	})
}

// overtaken does first before the first write.
type overtaken struct {
	providers.LockStore
	first func() error
}

func (o *overtaken) WriteLock(ctx context.Context, text []byte, version string) (string, error) {
	if first := o.first; first != nil {
		o.first = nil
		if err := first(); err != nil {
			return "", err
		}
	}
	return o.LockStore.WriteLock(ctx, text, version)
}
