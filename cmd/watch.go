package cmd

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/edgeward/edgeward/cmd/view"
	"github.com/edgeward/edgeward/planner"
	"github.com/edgeward/edgeward/providers"
	"github.com/spf13/cobra"
)

// watchLeast is the shortest time between two looks: the APIs' lists are not asked
// for more often anyway.
const watchLeast = time.Second

// watchable refuses what -watch has no end for.
func (a *app) watchable(c *cobra.Command) error {
	if !c.Flags().Changed("watch") {
		return nil
	}
	switch {
	case a.flags.watch < watchLeast:
		return refuse("type -watch=5s, or leave it out", "-watch is %s, which is less than %s", a.flags.watch, watchLeast)
	case a.flags.detailedExitCode:
		return refuse("leave one of them out", "-watch ends with ^C, and -detailed-exitcode with what was found")
	case len(a.flags.into.files()) > 0:
		return refuse("leave one of them out", "-watch has no end at which -%s could be written", a.flags.into.files()[0][0])
	}
	return nil
}

// watchStatus looks again and again until ctx ends. A look that fails is said, and
// the next one follows; the first must not.
func (a *app) watchStatus(ctx context.Context, look func() (planner.StatusReport, error)) error {
	var clock providers.RealClock
	r, err := look()
	if err != nil {
		return err
	}
	show := a.eachStatus
	if a.live() && !a.flags.json {
		frame := &statusFrame{style: a.out}
		s := newScreen(a.stdout, frame.lines)
		defer s.close()
		show = func(r planner.StatusReport, err error) error {
			frame.set(r, err, clock.Now())
			s.draw()
			return nil
		}
	}
	for {
		if err := show(r, err); err != nil {
			return err
		}
		if err := clock.Sleep(ctx, a.flags.watch); err != nil {
			return err
		}
		if r, err = look(); ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// eachStatus writes one status below the other.
func (a *app) eachStatus(r planner.StatusReport, err error) error {
	var clock providers.RealClock
	if err != nil {
		fmt.Fprintln(a.stderr, view.Error(err, a.msg))
		return nil
	}
	if a.flags.json {
		line, err := view.JSONLine(r)
		if err == nil {
			_, err = a.stdout.Write(line)
		}
		return err
	}
	_, err = fmt.Fprintf(a.stdout, "%s\n%s\n", clock.Now().Format(time.DateTime), view.Status(r, a.out))
	return err
}

// statusFrame is the last status as a screen.
type statusFrame struct {
	style view.Style

	mu   sync.Mutex
	r    planner.StatusReport
	err  error
	at   time.Time
	seen time.Time // when r was seen
}

func (f *statusFrame) set(r planner.StatusReport, err error, at time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err, f.at = err, at; err == nil {
		f.r, f.seen = r, at
	}
}

func (f *statusFrame) lines(columns, rows int) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	head := f.seen.Format(time.TimeOnly)
	if f.err != nil {
		head += ", and not since: " + f.err.Error()
	}
	style := f.style
	style.Width = columns - 1
	return view.Fit(head+"\n\n"+view.Status(f.r, style), columns, rows)
}
