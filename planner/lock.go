package planner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/edgeward/edgeward/providers"
)

// Holder is who holds the lock of a configuration's runs, as it stands in the
// lock's object.
type Holder struct {
	FormatVersion string `json:"format_version"`
	// ID is the run's own; two runs never have the same.
	ID string `json:"id"`
	// Who is the user and the machine, Run what CI calls the run, or "".
	Who     string    `json:"who"`
	Run     string    `json:"run,omitempty"`
	Command string    `json:"command"`
	Since   time.Time `json:"since"`
	// Lease is for how long the lock is held after each renewal; seconds.
	Lease Seconds `json:"lease"`
	// Renewals makes each renewal another text, so that it has another version.
	Renewals int `json:"renewals"`
	// Released: nobody holds it; who held it last stands here.
	Released bool `json:"released,omitempty"`
}

// LockedError says that another run holds the lock.
type LockedError struct {
	Place  string
	Holder Holder
	// Age is how long ago the holder has renewed it.
	Age time.Duration
}

func (e *LockedError) Error() string {
	h := e.Holder
	run := ""
	if h.Run != "" {
		run = ", " + h.Run
	}
	return fmt.Sprintf("the lock %s is held by %s (%s%s) since %s, renewed %s ago",
		e.Place, h.Who, h.Command, run, h.Since.UTC().Format("2006-01-02 15:04:05 UTC"), shortDuration(e.Age.Round(time.Second)))
}

// Hint says what to do.
func (e *LockedError) Hint() string {
	return fmt.Sprintf("wait for it with -lock-timeout=10m. A run that died lets it go by itself %s after its last renewal; edgeward unlock -force takes it away at once: only when that run is known to be over",
		shortDuration(e.Holder.Lease.Duration()))
}

// ErrLockLost is the cause of the end of a run whose lock could not be renewed
// in time, or that somebody took away.
var ErrLockLost = errors.New("the run lock is lost")

// RunLock is a lock that this run holds.
type RunLock struct {
	store providers.LockStore
	clock providers.Clock

	mu      sync.Mutex
	holder  Holder
	version string
	renewed time.Time // by our own clock, before the write that succeeded
}

// lockEvery is how often somebody else's lock is looked at.
const lockEvery = 5 * time.Second

// TakeLock makes the lock h's. While another run holds it, it waits for at most
// patience, saying so once by note; then the error is a *LockedError. A lock that
// was not renewed for its whole lease, by the store's clock, belongs to a dead
// run and is taken over.
func TakeLock(ctx context.Context, store providers.LockStore, clock providers.Clock, h Holder, patience time.Duration, note func(string)) (*RunLock, error) {
	h.FormatVersion = FormatVersion
	l := &RunLock{store: store, clock: clock, holder: h}
	limit := clock.Now().Add(patience)
	said := false
	for {
		locked, err := l.try(ctx, note)
		switch {
		case err != nil:
			return nil, err
		case locked == nil && ctx.Err() != nil: // nobody is to wait for a run that never began
			return nil, errors.Join(ctx.Err(), l.Release(context.WithoutCancel(ctx)))
		case locked == nil:
			return l, nil
		}
		if !clock.Now().Before(limit) {
			return nil, locked
		}
		if !said {
			note("waiting: " + locked.Error())
			said = true
		}
		if err := clock.Sleep(ctx, min(lockEvery, limit.Sub(clock.Now()))); err != nil {
			return nil, err
		}
	}
}

// triesLock is how often a lock is looked at again because it was written
// meanwhile, or because the answer to a write was lost.
const triesLock = 10

// try looks at the lock and takes it if it is free. Who loses a race looks
// again, and sees who won. A write that has begun is not cut short, so that it is
// known whether the lock is ours.
func (l *RunLock) try(ctx context.Context, note func(string)) (*LockedError, error) {
	for tries := 1; ; tries++ {
		began := l.clock.Now()
		have, err := l.store.ReadLock(ctx)
		switch {
		case errors.Is(err, providers.ErrNotFound):
			have = providers.LockObject{}
		case err != nil:
			return nil, err
		default:
			other, err := readHolder(l.store, have)
			if err != nil {
				return nil, err
			}
			switch {
			case other.ID == l.holder.ID && !other.Released: // our own write, whose answer was lost
				l.held(have.Version, began.Add(-have.Age))
				return nil, nil
			case other.Released:
			case have.Age < other.Lease.Duration():
				return &LockedError{l.store.String(), other, have.Age}, nil
			default:
				note(fmt.Sprintf("the lock of %s (%s) was not renewed for %s: it is taken over", other.Who, other.Command, shortDuration(have.Age.Round(time.Second))))
			}
		}
		version, err := l.write(context.WithoutCancel(ctx), have.Version)
		switch {
		case err == nil:
			l.held(version, began)
			return nil, nil
		case tries == triesLock || classified(err) && !errors.Is(err, providers.ErrConflict):
			return nil, err
		}
		if err := l.clock.Sleep(ctx, time.Second); err != nil {
			return nil, err
		}
	}
}

func (l *RunLock) held(version string, began time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.version, l.renewed = version, began
}

func (l *RunLock) write(ctx context.Context, version string) (string, error) {
	l.mu.Lock()
	l.holder.Renewals++
	text, err := json.Marshal(l.holder)
	l.mu.Unlock()
	if err != nil {
		return "", providers.Doing(err, "write the lock")
	}
	return l.store.WriteLock(ctx, text, version)
}

func readHolder(store providers.LockStore, o providers.LockObject) (Holder, error) {
	var h Holder
	if err := json.Unmarshal(o.Text, &h); err != nil || h.ID == "" || h.Lease <= 0 {
		return h, fmt.Errorf("read the lock %s: it is no lock of edgeward; give run_lock a key of its own: %w", store, providers.ErrInvalid)
	}
	return h, nil
}

// Keep renews the lock, three times a lease, until ctx ends. When the lock is
// another's, or was not renewed for two thirds of its lease, it calls lost with
// an ErrLockLost and returns: the run must change nothing any more.
func (l *RunLock) Keep(ctx context.Context, lost func(error)) {
	lease := l.holder.Lease.Duration()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var wg sync.WaitGroup
	wg.Go(func() { // a renewal that hangs must not hide that the lease runs out
		for left := l.left(lease); left > 0; left = l.left(lease) {
			if l.clock.Sleep(ctx, left) != nil {
				return
			}
		}
		stop(fmt.Errorf("%w: it could not be renewed for %s", ErrLockLost, shortDuration(2*lease/3)))
	})
	for wait := lease / 3; l.clock.Sleep(ctx, wait) == nil; {
		err := l.renew(ctx)
		if wait = lease / 3; err != nil {
			wait = lease / 20
		}
		if errors.Is(err, ErrLockLost) {
			stop(err)
		}
	}
	if cause := context.Cause(ctx); errors.Is(cause, ErrLockLost) {
		lost(cause)
	}
	stop(nil)
	wg.Wait()
}

// left is for how long the lock is surely ours yet.
func (l *RunLock) left(lease time.Duration) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.renewed.Add(2 * lease / 3).Sub(l.clock.Now())
}

func (l *RunLock) renew(ctx context.Context) error {
	began := l.clock.Now()
	version, err := l.write(ctx, l.version)
	if errors.Is(err, providers.ErrConflict) {
		// Perhaps it is our own write, whose answer was lost.
		have, readErr := l.store.ReadLock(ctx)
		if readErr != nil && !errors.Is(readErr, providers.ErrNotFound) {
			return readErr
		}
		var now Holder
		_ = json.Unmarshal(have.Text, &now) // what is no lock is not ours
		if now.ID != l.holder.ID || now.Released {
			return fmt.Errorf("%w: %s is held by %s now", ErrLockLost, l.store, now.name())
		}
		version, began, err = have.Version, began.Add(-have.Age), nil
	}
	if err != nil {
		return err
	}
	l.held(version, began)
	return nil
}

func (h Holder) name() string {
	if h.Released || h.Who == "" {
		return "nobody"
	}
	return h.Who
}

// Release lets the lock go. Keep must have ended. An error leaves it to run out;
// that it is another's by now is none.
func (l *RunLock) Release(ctx context.Context) error {
	l.holder.Released = true
	_, err := l.write(ctx, l.version)
	if errors.Is(err, providers.ErrConflict) { // perhaps of our own renewal, which was cut short
		var have providers.LockObject
		have, err = l.store.ReadLock(ctx)
		if other, readErr := readHolder(l.store, have); err == nil && readErr == nil && other.ID == l.holder.ID && !other.Released {
			_, err = l.write(ctx, have.Version)
		}
	}
	if err != nil && !errors.Is(err, providers.ErrConflict) && !errors.Is(err, providers.ErrNotFound) {
		return providers.Doing(err, "release the lock")
	}
	return nil
}

// Unlock takes the lock away from whoever has it: a dead run always, a live one
// with force only, else a *LockedError. The holder it had is returned, with ID
// "" when nobody held it.
func Unlock(ctx context.Context, store providers.LockStore, force bool) (Holder, error) {
	for tries := 1; ; tries++ {
		h, err := unlockOnce(ctx, store, force)
		if !errors.Is(err, providers.ErrConflict) || tries == triesLock { // it was just renewed
			return h, err
		}
	}
}

func unlockOnce(ctx context.Context, store providers.LockStore, force bool) (Holder, error) {
	have, err := store.ReadLock(ctx)
	if errors.Is(err, providers.ErrNotFound) {
		return Holder{}, nil
	}
	if err != nil {
		return Holder{}, err
	}
	h, err := readHolder(store, have)
	switch {
	case err != nil:
		return h, err
	case h.Released:
		return Holder{}, nil
	case !force && have.Age < h.Lease.Duration():
		return h, &LockedError{store.String(), h, have.Age}
	}
	free := h
	free.Released = true
	free.Renewals++
	text, err := json.Marshal(free)
	if err != nil {
		return h, providers.Doing(err, "write the lock")
	}
	_, err = store.WriteLock(ctx, text, have.Version)
	return h, err
}
