package cmd

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/edgeward/edgeward/cmd/view"
	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/planner"
	"github.com/spf13/cobra"
)

const applyExitCodes = `Exit codes:
  0    done
  1    nothing was attempted: configuration, credentials, refused, declined
  3    the world differs from what was approved; run it again for a new plan
  4    a bucket failed, was blocked or failed its checks, and no bucket was
       switched or finished
  5    a bucket failed, was blocked or was rolled back, and another was switched
       or finished
  6    unfinished: waiting for time or for somebody; the report says until when
       and what to run
  130  interrupted; safe to run again
When several hold, the first of 1, 130, 5, 4, 3, 6, 0 is given.`

func (a *app) applyCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "apply [FLAGS] [PLANFILE]", GroupID: groupMove,
		Short: "Plan, ask, and do what is not done",
		Long: `apply plans, shows the plan, asks, and does what is not done, many buckets at the
same time. It may be interrupted and run again at any moment: it goes on from
what it finds. Without a terminal it needs -auto-approve.

apply PLANFILE does what edgeward plan -out=PLANFILE saved, and does not ask. It
looks at the world again first: a bucket of which a fact moved since is refused,
by the fact's name, and the others are done. The same file may be applied again
after an interruption.

With rollout { wave } buckets go in waves, and -wave=NAME takes one. A bucket that
fails after its switch goes back to S3 by itself, unless watch { rollback = false },
and is held: no later apply switches it until -retry=ADDR.

On a terminal the run is one screen on standard error, redrawn in place: what
failed and what a person has to do first, then waves, waits and stages. With
CI=true, TERM=dumb or in a pipe it is a line for each change and one of counts a
minute.

In a job of GitHub Actions the buckets that failed or wait also stand beside their
lines of the configuration.

With -json-into, -md-into and -html-into the whole run is written too: the plan,
what happened when, how it ended, the command to go on; also when it failed or
was interrupted. When nothing was attempted, nothing is written. edgeward report
makes one record of the files of -json-into.

` + applyExitCodes,
		Example: `  edgeward apply
  edgeward apply -until=links.verify
  edgeward apply -auto-approve -wait=false
  edgeward apply -retry=bucket.assets
  edgeward apply migration.plan
  edgeward apply -auto-approve -json-into=run.json -html-into=run.html`,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return a.applySaved(c, args)
			}
			return a.applyRun(c, args, planner.Migrate)
		},
	}
	a.worldFlags(c)
	a.stageFlags(c)
	a.runFlags(c)
	return c
}

// applyRun plans and applies, one way or the other.
func (a *app) applyRun(c *cobra.Command, args []string, goal planner.Goal) error {
	r, err := a.runOf(c, args, goal)
	if err != nil {
		return err
	}
	return a.inWorld(c.Context(), r.config, func(ctx context.Context, w world) error {
		return a.locked(ctx, c, r.config, w, func(ctx context.Context) error {
			return a.planAndExecute(ctx, c, args, w, r.options, r.commands)
		})
	})
}

// asked is what a run was asked to do.
type asked struct {
	options  planner.Options
	config   *config.Config
	commands view.Commands
}

// runOf reads the flags and the configuration of a run.
func (a *app) runOf(c *cobra.Command, args []string, goal planner.Goal) (r asked, err error) {
	if r.options, err = a.options(goal); err != nil {
		return r, err
	}
	if goal == planner.Rollback {
		r.options.Targets = append(r.options.Targets, args...)
	}
	if err := a.intoPlan(""); err != nil {
		return r, err
	}
	if a.flags.json && !a.flags.autoApprove {
		return r, refuse("type "+a.again(c, args)+" -json -auto-approve", "-json has no place for the plan and the question")
	}
	r.commands = view.Commands{GoOn: a.again(c, args), Retry: a.again(c, args, "retry")}
	if r.options.Until != "" {
		r.commands.Further = a.again(c, args, "until")
	}
	r.config, err = a.load()
	return r, err
}

func (a *app) planAndExecute(ctx context.Context, c *cobra.Command, args []string, w world, o planner.Options, commands view.Commands) error {
	if w.sandbox != nil && o.Goal != planner.Migrate {
		if err := planner.CheckChoice(w.config, o); err != nil {
			return err
		}
		if _, _, err := a.since(); err != nil {
			return err
		}
		if err := a.migrateFirst(ctx, w); err != nil {
			return err
		}
	}
	if o.Goal == planner.Rollback {
		var err error
		if o, err = a.rollbackOptions(o, w.Clock); err != nil {
			return err
		}
	}
	if w.sandbox != nil && o.Goal == planner.Migrate && o.Shard.Of > 1 && len(w.config.Rollout.Waves) > 0 && o.Until == "" && a.flags.wait {
		return refuse("leave -shard out; edgeward plan -sandbox -shard="+o.Shard.String()+" shows the part",
			"in a sandbox the waves of shard %s would never begin: they wait for the other shards' buckets, and no other run moves those there", o.Shard)
	}
	p, err := planner.Make(ctx, w.World, w.config, o)
	if err != nil {
		return err
	}
	if !a.flags.json {
		if err := a.printPlan(p); err != nil {
			return err
		}
	}
	if !o.Since.IsZero() && len(p.Buckets) == 0 {
		fmt.Fprintf(a.stderr, "no bucket of those chosen was switched since %s\n", o.Since.UTC().Format(time.RFC3339))
	}
	if p, err = a.permitted(w.config, p, false); err != nil {
		return err
	}
	if err := a.approve(ctx, c, args, p); err != nil {
		return err
	}
	return a.execute(ctx, c, w, &planner.Executor{Options: o}, p, commands)
}

// permitted is what of a plan may be done: all of it, or, where limits, the order of
// waves or a quota refuse it, what is on its way already, which they never hold back.
// Nobody approves a plan that is saved but by saving it.
func (a *app) permitted(cfg *config.Config, p planner.Plan, saved bool) (planner.Plan, error) {
	err := a.withinLimits(cfg, p)
	if err == nil {
		err = possible(p)
	}
	if err == nil && !saved && a.flags.autoApprove && changes(p) {
		err = a.unattended(cfg, p)
	}
	var why hinted
	if !errors.As(err, &why) {
		return p, err
	}
	rest, ok := planner.OnTheWay(p, why.Error(), why.hint)
	if !ok {
		return p, err
	}
	fmt.Fprintln(a.stderr, "\nNothing new is begun; what is on its way is ended all the same.")
	return rest, nil
}

// approve asks about a plan that changes something.
func (a *app) approve(ctx context.Context, c *cobra.Command, args []string, p planner.Plan) error {
	switch {
	case !changes(p):
		return nil
	case a.flags.autoApprove:
		a.approved = &view.Approval{How: view.ApprovedByFlag}
		return nil
	}
	command := a.again(c, args) + " -auto-approve"
	if !a.flags.input {
		return refuse("after reading the plan, type "+command, "the plan needs approval, and -input=false forbids to ask")
	}
	if !view.IsTerminal(a.stdin) {
		return refuse("after reading the plan, type "+command, "the plan needs approval, and there is no terminal to ask")
	}
	question := "Do these steps?"
	if p.Goal == planner.Rollback {
		question = "Go back to S3?"
	}
	w, done := a.person()
	if !view.IsTerminal(a.stdout.w) {
		fmt.Fprintf(w, "\nThe plan went to standard output, which is not this terminal.\n%s\n", view.Summary(p))
	}
	fmt.Fprintf(w, "\n%s\n  Only 'yes' will be accepted to approve.\n\n  Enter a value: ", question)
	answer, err := a.readLine(ctx)
	done()
	if err != nil {
		return err
	}
	if answer != "yes" {
		return refuse("", "not approved; nothing was changed")
	}
	a.approved = &view.Approval{How: view.ApprovedByYes}
	return nil
}

// person is where a question is seen by who types the answer: the first of standard
// error and standard output that is a terminal, else that from which the process was
// started. done ends it.
func (a *app) person() (w io.Writer, done func()) {
	for _, o := range []*output{a.stderr, a.stdout} {
		if view.IsTerminal(o.w) {
			return o, func() {}
		}
	}
	name := "/dev/tty" // [POSIX.1-2024, XBD 10.1]
	if runtime.GOOS == "windows" {
		name = "CONOUT$" // [Windows console handles]
	}
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return a.stderr, func() {}
	}
	return f, func() { _ = f.Close() }
}

// withinLimits refuses a plan that switches more than the configuration allows.
// A way back has no limits.
func (a *app) withinLimits(cfg *config.Config, p planner.Plan) error {
	if p.Goal != planner.Migrate {
		return nil
	}
	if setting, allowed := cfg.Limits.Exceeded(p.Summary.Switches, len(cfg.Buckets)); setting != "" {
		return refuse("plan fewer at once with -target=ADDR or -wave=NAME, or raise it", "the plan has %s, and %s allows no more than %d",
			view.Count(p.Summary.Switches, "dns.switch step"), setting, allowed)
	}
	return nil
}

// possible refuses a plan of which a finding says that it cannot be applied as a
// whole. What limits says is withinLimits'.
func possible(p planner.Plan) error {
	for _, f := range p.Findings {
		if f.Severity == planner.Error && f.Code != planner.CodeLimitSwitches {
			return refuse(f.Detail, "%s", f.Summary)
		}
	}
	return nil
}

// unattended says whether p may be applied without a person's yes.
func (a *app) unattended(cfg *config.Config, p planner.Plan) error {
	most := cfg.Limits.RequireApprovalAbove
	if p.Goal != planner.Migrate || most < 0 || p.Summary.Switches <= most {
		return nil
	}
	return refuse("review a saved plan and apply it: edgeward plan -out=FILE, edgeward apply FILE; or leave -auto-approve out and say yes at a terminal",
		"the plan has %s, and limits { require_approval_above = %d } lets -auto-approve do no more than %d",
		view.Count(p.Summary.Switches, "dns.switch step"), most, most)
}

// changes says whether p has a step that a run would take up.
func changes(p planner.Plan) bool {
	for _, bp := range p.Buckets {
		if len(bp.Steps) > 0 && bp.Standing != planner.StandBlocked && bp.Standing != planner.StandHeld {
			return true
		}
	}
	return false
}

// readLine reads one line of standard input. When ctx ends first, the read is
// left behind: it ends with the process.
func (a *app) readLine(ctx context.Context) (string, error) {
	type result struct {
		line string
		err  error
	}
	got := make(chan result, 1)
	go func() {
		line, err := bufio.NewReader(a.stdin).ReadString('\n')
		got <- result{line, err}
	}()
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case r := <-got:
		if r.line == "" && r.err != nil {
			return "", refuse("", "not approved; nothing was changed")
		}
		return strings.TrimSpace(r.line), nil
	}
}

// execute applies p by x, which has the options and what is refused, telling
// its events, and ends with the report.
func (a *app) execute(ctx context.Context, c *cobra.Command, w world, x *planner.Executor, p planner.Plan, commands view.Commands) error {
	if w.sandbox != nil && !c.Flags().Changed("wait-timeout") {
		a.flags.waitTimeout = sandboxPatience
	}
	a.approves(w)
	commands.Simulated = w.sandbox != nil
	t := a.newTeller(w, p)
	x.World, x.Config, x.Events = w.World, w.config, t.event
	x.NoWait, x.WaitTimeout = !a.flags.wait, a.flags.waitTimeout
	stop := t.show(ctx, w)
	r := x.Apply(ctx, p)
	stop()
	// What happened is written first: standard output may be broken by now.
	unwritten := a.writeRun(a.ranIn(w, x.Options, view.NewRun(buildVersion(), p, t.events, r, commands)))
	if a.flags.json {
		line, err := view.JSONLine(view.ReportLine{Report: r})
		if err != nil {
			return err
		}
		if _, err := a.stdout.Write(line); err != nil {
			return err
		}
	} else if _, err := fmt.Fprint(a.stdout, "\n"+view.Report(r, commands, a.out)); err != nil {
		return err
	}
	at := blocks(w.config)
	a.annotate(append(view.ReportAnnotations(r, at), view.PlanAnnotations(p, at)...)...)
	if w.sandbox != nil && !a.flags.json {
		a.countVisitors(ctx, w)
	}
	return a.ended(r.ExitCode(), unwritten)
}

// countVisitors lets the visitors of a sandbox go on for longer than the window
// of their shares, and says what they met.
func (a *app) countVisitors(ctx context.Context, w world) {
	if w.Clock.Sleep(ctx, 2*time.Minute) != nil {
		return
	}
	v := w.sandbox.Visitors()
	for _, f := range v.Failures {
		fmt.Fprintln(a.stderr, "failed:", f)
	}
	s3, cloudFront := v.Share()
	fmt.Fprintln(a.stdout, view.Visitors(v.Requests, v.Failed, s3, cloudFront))
}
