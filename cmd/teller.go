package cmd

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/edgeward/edgeward/cmd/view"
	"github.com/edgeward/edgeward/planner"
	"github.com/edgeward/edgeward/providers"
)

// teller says the events of a run: JSON lines on standard output, or progress
// on standard error.
type teller struct {
	a        *app
	mu       sync.Mutex
	progress *view.Progress
	events   []planner.Event
}

func (t *teller) event(e planner.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.events = append(t.events, e)
	if t.a.flags.json {
		if line, err := view.JSONLine(e); err == nil {
			_, _ = t.a.stdout.Write(line) // the stream remembers its fault
		}
		return
	}
	fmt.Fprint(t.a.stderr, t.progress.Event(e))
}

// count says the counts each minute, so that a long wait is not silent; the
// result ends it. A simulated world has no minutes to fill.
func (t *teller) count(ctx context.Context, w world) (stop func()) {
	if w.sandbox != nil || t.a.flags.json {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		var clock providers.RealClock
		for clock.Sleep(ctx, time.Minute) == nil {
			t.mu.Lock()
			fmt.Fprint(t.a.stderr, t.progress.Tick(clock.Now()))
			t.mu.Unlock()
		}
	})
	return func() { cancel(); wg.Wait() }
}
