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

// frameEvery is how often the live screen of a run is drawn, in real time.
const frameEvery = 250 * time.Millisecond

// teller says the events of a run: JSON lines on standard output, a live screen on
// a terminal, or lines on standard error.
type teller struct {
	a        *app
	mu       sync.Mutex
	progress *view.Progress
	events   []planner.Event

	// live is nil where there is no screen that moves; now is the run's clock.
	live  *view.Live
	now   func() time.Time
	rates func() []providers.Rate
}

// newTeller begins to tell the run of p in w.
func (a *app) newTeller(w world, p planner.Plan) *teller {
	t := &teller{a: a, progress: view.NewProgress(p, a.msg), now: w.Clock.Now, rates: w.Rates}
	if a.liveRun() {
		t.live = view.NewLive(p, w.Clock.Now(), a.msg)
	}
	return t
}

// liveRun says whether standard error shows the run as a screen that moves: it is a
// terminal, and none that only keeps a log.
func (a *app) liveRun() bool {
	ci, _ := a.env("CI")
	return !a.flags.json && (ci == "" || ci == "false" || ci == "0") && view.IsTerminal(a.stderr.w) && a.understands()
}

func (t *teller) event(e planner.Event) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.events = append(t.events, e)
	switch {
	case t.a.flags.json:
		if line, err := view.JSONLine(e); err == nil {
			_, _ = t.a.stdout.Write(line) // the stream remembers its fault
		}
	case t.live != nil:
		t.live.Event(e)
		// What a person has to do scrolls by whole, so that it can be copied.
		if text := t.progress.Event(e); e.ByHand != nil {
			fmt.Fprint(t.a.stderr, text)
		}
	default:
		fmt.Fprint(t.a.stderr, t.progress.Event(e))
	}
}

// lines is the screen for a terminal of that size.
func (t *teller) lines(columns, rows int) []string {
	var rates []view.LiveRate
	if t.rates != nil {
		for _, r := range t.rates() {
			rates = append(rates, view.LiveRate(r))
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.live.Lines(t.now(), rates, columns, rows)
}

// show draws the screen until stop is called, which leaves nothing of it. Where
// there is none, it says the counts each minute, so that a long wait is not
// silent; a simulated world has no minutes to fill.
func (t *teller) show(ctx context.Context, w world) (stop func()) {
	var clock providers.RealClock
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	switch {
	case t.live != nil:
		s := newScreen(t.a.stderr, t.lines)
		wg.Go(func() {
			for s.draw(); clock.Sleep(ctx, frameEvery) == nil; {
				s.draw()
			}
		})
		return func() { cancel(); wg.Wait(); s.close() }
	case w.sandbox == nil && !t.a.flags.json:
		wg.Go(func() {
			for clock.Sleep(ctx, time.Minute) == nil {
				t.mu.Lock()
				fmt.Fprint(t.a.stderr, t.progress.Tick(clock.Now()))
				t.mu.Unlock()
			}
		})
	}
	return func() { cancel(); wg.Wait() }
}
