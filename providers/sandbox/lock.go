package sandbox

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/edgeward/edgeward/providers"
)

// lockPort keeps the world's one lock.
type lockPort struct{ w *World }

type lockObject struct {
	text    []byte
	version int
	written time.Time
}

// LockStore is the world's one lock; a new world has none in it.
func (w *World) LockStore() providers.LockStore { return lockPort{w} }

func (p lockPort) String() string { return "sandbox://lock" }

func (p lockPort) ReadLock(ctx context.Context) (providers.LockObject, error) {
	var out providers.LockObject
	err := p.w.call(ctx, Call{Op: "LockStore.ReadLock"}, func(now time.Time) error {
		l := p.w.lock
		if l == nil {
			return fmt.Errorf("read the lock %s: NoSuchKey: %w", p, providers.ErrNotFound)
		}
		out = providers.LockObject{Text: slices.Clone(l.text), Version: fmt.Sprint(l.version), Age: now.Sub(l.written)}
		return nil
	})
	if err != nil {
		return providers.LockObject{}, err
	}
	return out, nil
}

func (p lockPort) WriteLock(ctx context.Context, text []byte, version string) (string, error) {
	var out string
	err := p.w.call(ctx, Call{Op: "LockStore.WriteLock", Write: true}, func(now time.Time) error {
		have := 0
		if p.w.lock != nil {
			have = p.w.lock.version
		}
		if version != fmt.Sprint(have) && (version != "" || have != 0) {
			return fmt.Errorf("write the lock %s: PreconditionFailed: %w", p, providers.ErrConflict)
		}
		p.w.lock = &lockObject{slices.Clone(text), have + 1, now}
		out = fmt.Sprint(have + 1)
		return nil
	})
	if err != nil {
		return "", err
	}
	return out, nil
}
