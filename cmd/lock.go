package cmd

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/user"
	"sync"
	"time"

	"github.com/edgeward/edgeward/cmd/view"
	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/planner"
	"github.com/spf13/cobra"
)

func (a *app) unlockCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "unlock [FLAGS]", GroupID: groupMove,
		Short: "Take away a run lock that a dead run left",
		Long: `unlock shows who holds the lock of run_lock, and takes it away when its holder
has not renewed it for its whole lease. A live one is taken away with -force
only: the run that holds it then ends by itself, as if it were interrupted.

Exit codes:
  0    nobody holds the lock now
  1    there is no run_lock, the lock is live, or it could not be read
  130  interrupted`,
		Example: `  edgeward unlock
  edgeward unlock -force`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error { return a.unlockRun(c.Context()) },
	}
	a.folderFlags(c)
	a.traceFlag(c)
	c.Flags().BoolVar(&a.flags.force, "force", false, "take away a live lock too")
	return c
}

func (a *app) unlockRun(ctx context.Context) error {
	cfg, err := a.load()
	if err != nil {
		return err
	}
	if cfg.RunLock == nil {
		return refuse("nothing is to be unlocked: without the block, runs take no lock", "the configuration has no run_lock block")
	}
	return a.inWorld(ctx, cfg, func(ctx context.Context, w world) error {
		h, err := planner.Unlock(ctx, w.lock, a.flags.force)
		var locked *planner.LockedError
		switch {
		case errors.As(err, &locked):
			return refuse("wait until that run ends; when it is known to be over, type edgeward unlock -force", "%v", err)
		case err != nil:
			return err
		case h.ID == "":
			_, err = fmt.Fprintf(a.stdout, "Nobody holds the lock %s.\n", w.lock)
		default:
			_, err = fmt.Fprintf(a.stdout, "The lock %s was taken away from %s (%s), who had it since %s.\n",
				w.lock, h.Who, h.Command, h.Since.UTC().Format("2006-01-02 15:04:05 UTC"))
		}
		return err
	})
}

// lockFlags are those of the commands that take the run lock.
func (a *app) lockFlags(c *cobra.Command) {
	c.Flags().BoolVar(&a.flags.lock, "lock", true, "take the lock of run_lock; -lock=false leaves it alone")
	durationFlag(c.Flags(), &a.flags.lockTimeout, "lock-timeout", 0, "wait for at most `DURATION` while another run holds the lock")
}

// locked runs f while this run holds the lock of run_lock, if there is one. The
// context of f ends when the lock is lost.
func (a *app) locked(ctx context.Context, c *cobra.Command, cfg *config.Config, w world, f func(context.Context) error) error {
	if w.lock == nil || !a.flags.lock {
		return f(ctx)
	}
	lock, err := planner.TakeLock(ctx, w.lock, w.Clock, a.holder(c, cfg, w.Clock.Now()), a.flags.lockTimeout, func(s string) {
		fmt.Fprintln(a.stderr, "run lock:", s)
	})
	if err != nil {
		return err
	}
	held, lost := context.WithCancelCause(ctx)
	// It is renewed as long as the run works, after ^C too.
	keep, stop := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	wg.Go(func() {
		lock.Keep(keep, func(err error) {
			fmt.Fprintln(a.stderr, view.Error(err, a.msg))
			lost(err)
		})
	})
	err = f(held)
	stop()
	wg.Wait()
	cause := context.Cause(held)
	lost(nil)
	if errors.Is(cause, planner.ErrLockLost) {
		return exit(exitInterrupted)
	}
	// The run may be interrupted: the lock is let go all the same.
	if released := lock.Release(context.WithoutCancel(ctx)); released != nil {
		fmt.Fprintln(a.stderr, view.Error(hinted{released, "it runs out by itself, or type edgeward unlock"}, a.msg))
	}
	return err
}

// holder says who this run is, to whoever finds the lock held.
func (a *app) holder(c *cobra.Command, cfg *config.Config, now time.Time) planner.Holder {
	id := make([]byte, 12)
	_, _ = rand.Read(id) // it never fails, or ends the program
	who := "somebody"
	if u, err := user.Current(); err == nil {
		who = u.Username
	}
	if host, err := os.Hostname(); err == nil {
		who += "@" + host
	}
	return planner.Holder{
		ID: hex.EncodeToString(id), Who: who, Run: a.runOfCI(), Command: c.CommandPath(), Since: now.UTC().Truncate(time.Second),
		Lease: planner.Seconds(cfg.RunLock.Lease / time.Second),
	}
}

// runOfCI is the address of the CI run that this process is part of, or "".
func (a *app) runOfCI() string {
	get := func(name string) string { v, _ := a.env(name); return v }
	if id := get("GITHUB_RUN_ID"); id != "" {
		return get("GITHUB_SERVER_URL") + "/" + get("GITHUB_REPOSITORY") + "/actions/runs/" + id
	}
	for _, name := range []string{"CI_JOB_URL", "BUILD_URL"} { // GitLab, Jenkins
		if v := get(name); v != "" {
			return v
		}
	}
	return ""
}
