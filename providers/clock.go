package providers

import (
	"context"
	"time"
)

// RealClock is the time of this machine. It is the only place, with
// providers/probe's socket deadlines, that asks the time package.
type RealClock struct{}

// Now is the present time.
func (RealClock) Now() time.Time { return time.Now() }

// Sleep waits for d or until ctx ends, whichever is first.
func (RealClock) Sleep(ctx context.Context, d time.Duration) error {
	if err := ctx.Err(); err != nil || d <= 0 {
		return err
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
