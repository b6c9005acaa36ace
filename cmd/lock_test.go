package cmd

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/planner"
	"github.com/edgeward/edgeward/providers"
	"github.com/edgeward/edgeward/providers/sandbox"
)

// TestLocked: a run holds the lock while it works, lets it go at its end, refuses
// while another has it, and ends when it is taken away.
func TestLocked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sandbox.New(sandbox.Options{Clock: providers.RealClock{}, Seed: 1})
		w := world{World: s.Providers(), lock: s.LockStore()}
		cfg := &config.Config{RunLock: &config.RunLock{Lease: config.DefaultLease}}
		run := func(f func(context.Context) error, env ...string) (string, error) {
			var stdout, stderr bytes.Buffer
			a := testApp(&stdout, &stderr)
			a.flags.lock = true
			a.env = func(name string) (string, bool) {
				for i := 0; i+1 < len(env); i += 2 {
					if env[i] == name {
						return env[i+1], true
					}
				}
				return "", false
			}
			c := a.applyCommand()
			err := a.locked(t.Context(), c, cfg, w, f)
			return stderr.String(), err
		}
		ran := 0
		_, err := run(func(ctx context.Context) error {
			ran++
			if err := (providers.RealClock{}).Sleep(ctx, time.Hour); err != nil {
				return err
			}
			_, err := run(func(context.Context) error { ran += 100; return nil })
			var locked *planner.LockedError
			if !errors.As(err, &locked) || !strings.Contains(err.Error(), "https://git.example.com/o/r/actions/runs/7") {
				t.Errorf("a second run: %v", err)
			}
			return nil
		}, "GITHUB_RUN_ID", "7", "GITHUB_SERVER_URL", "https://git.example.com", "GITHUB_REPOSITORY", "o/r")
		if err != nil || ran != 1 {
			t.Fatalf("ran %d, %v", ran, err)
		}
		said, err := run(func(ctx context.Context) error {
			if _, err := planner.Unlock(ctx, w.lock, true); err != nil {
				t.Fatal(err)
			}
			return (providers.RealClock{}).Sleep(ctx, time.Hour)
		})
		var end exitError
		if !errors.As(err, &end) || end.code != exitInterrupted || !strings.Contains(said, "the run lock is lost: sandbox://lock is held by nobody now") {
			t.Errorf("%v, said %q", err, said)
		}
	})
}
