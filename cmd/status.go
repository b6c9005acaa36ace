package cmd

import (
	"context"
	"fmt"
	"strings"

	"github.com/edgeward/edgeward/cmd/view"
	"github.com/edgeward/edgeward/planner"
	"github.com/hashicorp/hcl/v2"
	"github.com/spf13/cobra"
)

func (a *app) statusCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "status [FLAGS]", GroupID: groupMove,
		Short: "Say where each bucket stands and what DNS answers",
		Long: `status says where each bucket stands, and for each of its names what the DNS
provider has, what the authoritative servers and the resolvers answer, who serves
the visitors, and which part of the requests CloudFront serves, as far as that is
known. It changes nothing.

With -detailed-exitcode it also reads all settings of the buckets that are done,
and names what was changed by hand since: a record, a distribution, a policy;
with the tags that say who to ask, and the plan that would mend it. In a job of
GitHub Actions that also stands beside the lines of the configuration.

Of more than ten buckets it says on one screen what is alike and what differs;
-target=ADDR says all of one.

-watch looks again every five seconds, -watch=1m every minute, until ^C: on a
terminal in place, else one status below the other, with -json one a line. Each
look asks for lists and not for each bucket, as the first one does.

Exit codes:
  0    the status was found; with -detailed-exitcode: and nothing has drifted
  1    nothing was attempted: configuration, credentials; with
       -detailed-exitcode: no drift was found, and a bucket could not be looked at
  2    only with -detailed-exitcode: a bucket was changed by hand after its
       migration
  130  interrupted; so ends -watch`,
		Example: `  edgeward status
  edgeward status -target=bucket.assets
  edgeward status -watch
  edgeward status -detailed-exitcode
  edgeward status -json`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := a.watchable(c); err != nil {
				return err
			}
			return a.statusRun(c.Context())
		},
	}
	a.worldFlags(c)
	a.jsonFlag(c)
	a.flags.into.register(c)
	c.Flags().BoolVar(&a.flags.detailedExitCode, "detailed-exitcode", false, "look for drift, and exit with 2 when there is some")
	durationFlag(c.Flags(), &a.flags.watch, "watch", 0, "look again every `DURATION`, 5s when none is given, until ^C")
	c.Flags().Lookup("watch").NoOptDefVal = "5s"
	return c
}

func (a *app) statusRun(ctx context.Context) error {
	o, err := a.options(planner.Migrate)
	if err != nil {
		return err
	}
	o.Full = a.flags.detailedExitCode
	if err := a.intoPlan(""); err != nil {
		return err
	}
	cfg, err := a.load()
	if err != nil {
		return err
	}
	return a.inWorld(ctx, cfg, func(ctx context.Context, w world) error {
		look := func() (planner.StatusReport, error) { return planner.MakeStatus(ctx, w.World, w.config, o) }
		if a.flags.watch > 0 {
			return a.watchStatus(ctx, look)
		}
		r, err := look()
		if err != nil {
			return err
		}
		return a.printStatus(r, blocks(w.config))
	})
}

// printStatus says a status, and beside the blocks at in a job of GitHub what was
// changed by hand.
func (a *app) printStatus(r planner.StatusReport, at map[string]hcl.Range) error {
	err := a.writeStatus(r)
	switch {
	case err != nil:
	case a.flags.json:
		err = a.printJSON(r)
	default:
		_, err = fmt.Fprint(a.stdout, view.Status(r, a.out))
	}
	if err != nil {
		return err
	}
	a.annotate(view.StatusAnnotations(r, at, a.flags.detailedExitCode)...)
	if unseen := r.Unseen(); a.flags.detailedExitCode && len(unseen) > 0 {
		err = refuse("see the reasons above, then run it again; -exclude=ADDR leaves a bucket out",
			"%s could not be looked at, and whether something was changed there is not known: %s", view.Count(len(unseen), "bucket"), strings.Join(unseen, ", "))
	}
	if r.Drifted() {
		if err != nil {
			fmt.Fprintln(a.stderr, view.Error(err, a.msg))
		}
		return exit(exitUndone)
	}
	return err
}
