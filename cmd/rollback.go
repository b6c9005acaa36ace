package cmd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/planner"
	"github.com/edgeward/edgeward/providers"
	"github.com/spf13/cobra"
)

func (a *app) rollbackCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "rollback [FLAGS] [ADDR…]", GroupID: groupMove,
		Short: "Plan, ask, and go back to S3",
		Long: `rollback puts back the records that stood before the switch: of the buckets
named, or of all, at once and not in waves. Without a terminal it needs
-auto-approve. The distributions stay as they are, because resolvers still send
visitors there. A bucket that lock { … } has closed is opened first, and its names
go back when S3 is seen to answer everybody.

A bucket that was rolled back is held: no later apply switches it until edgeward
apply -retry=ADDR. A rollback may be interrupted and run again at any moment.

-since=TIME takes only buckets that were switched since then: a time such as
2026-03-01T12:00:00Z, "2026-03-01 12:00 UTC" or 2026-03-01 (its beginning, in
UTC), or how long ago, such as 2h. A bucket that is on its way counts.

-distribution=ID goes back with a bucket that the configuration no longer has,
from the tags of its distribution alone: the name that was moved, its old record
and the zone stand there. The dns_provider of that zone, and the aws block that
-aws names, must still be in the configuration. Further names of that
distribution are left alone.

A bucket of which the way back would hurt visitors is refused, and says what to
do: one that S3 does not serve as visitors will ask it, whoever closed it, and one
whose visitors were sent to https, which browsers remember and S3 cannot answer.
-accept-s3-loss and -accept-https-loss go back all the same.

` + applyExitCodes,
		Example: `  edgeward rollback bucket.assets
  edgeward rollback 'bucket.site["www.example.com"]' -auto-approve
  edgeward rollback -since=2h
  edgeward rollback -distribution=E2QWRUHEXAMPLE -aws=shop`,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if a.flags.distribution != "" {
				return a.rollbackOrphan(c, args)
			}
			if c.Flags().Changed("aws") {
				return refuse("leave it out: a bucket's own aws block is used", "-aws is for -distribution=ID")
			}
			return asAddress(a.applyRun(c, args, planner.Rollback), args)
		},
		ValidArgsFunction: func(c *cobra.Command, given []string, _ string) ([]string, cobra.ShellCompDirective) {
			left := slices.DeleteFunc(a.addresses(c), func(address string) bool { return slices.Contains(given, address) })
			return left, cobra.ShellCompDirectiveNoFileComp
		},
	}
	a.worldFlags(c)
	a.runFlags(c)
	f := c.Flags()
	f.StringVar(&a.flags.since, "since", "", "only buckets that were switched since `TIME`, or so long ago, such as 2h")
	f.StringVar(&a.flags.distribution, "distribution", "", "the bucket of the distribution `ID`, which the configuration no longer has")
	f.StringVar(&a.flags.aws, "aws", "", "the aws block `NAME` of that distribution's account (default: the SDK's default chain)")
	a.complete(c, "aws", a.accountNames)
	f.BoolVar(&a.flags.acceptS3Loss, "accept-s3-loss", false, "go back also where S3 was not seen to serve visitors")
	f.BoolVar(&a.flags.acceptHTTPSLoss, "accept-https-loss", false, "go back also where browsers would go on asking by https, which S3 cannot answer")
	return c
}

// rollbackOptions are those that only a way back has.
func (a *app) rollbackOptions(o planner.Options, clock providers.Clock) (planner.Options, error) {
	o.AcceptHTTPSLoss, o.AcceptS3Loss = a.flags.acceptHTTPSLoss, a.flags.acceptS3Loss
	if a.flags.since == "" {
		return o, nil
	}
	now := clock.Now()
	at, ago, err := a.since()
	if err != nil {
		return o, err
	}
	if at.IsZero() {
		at = now.Add(-ago)
	}
	if at.After(now) {
		return o, refuse("type a time before now", "-since=%s is yet to come", a.flags.since)
	}
	o.Since = at
	return o, nil
}

// asAddress has an error about a bucket that does not exist speak of the argument
// that named it.
func asAddress(err error, args []string) error {
	var none *planner.NoMatchError
	if errors.As(err, &none) && slices.Contains(args, none.Pattern) {
		none.Flag = ""
	}
	return err
}

// since reads -since: a time, as RFC 3339 has it or as edgeward prints it, or how
// long ago. Both are zero without the flag.
func (a *app) since() (at time.Time, ago time.Duration, err error) {
	if a.flags.since == "" {
		return at, 0, nil
	}
	for _, form := range []string{time.RFC3339, "2006-01-02T15:04Z07:00", "2006-01-02 15:04:05 UTC", "2006-01-02 15:04 UTC", time.DateOnly} {
		if at, err = time.Parse(form, a.flags.since); err == nil {
			return at, 0, nil
		}
	}
	if ago, err = config.ParseDuration(a.flags.since); err != nil {
		return time.Time{}, 0, refuse("type a time with its zone, such as 2026-03-01T12:00:00Z, or a duration, such as 2h", "-since=%s is neither a time nor a duration", a.flags.since)
	}
	return time.Time{}, ago, nil
}

// rollbackOrphan goes back with a bucket that the configuration no longer has.
func (a *app) rollbackOrphan(c *cobra.Command, args []string) error {
	for _, f := range []string{"target", "exclude", "wave", "shard", "since", "sandbox"} {
		if c.Flags().Changed(f) {
			return refuse("leave -"+f+" out, or -distribution", "-%s and -distribution=ID do not go together", f)
		}
	}
	if len(args) > 0 {
		return refuse("leave the address out, or -distribution", "an address and -distribution=ID do not go together")
	}
	r, err := a.runOf(c, args, planner.Rollback)
	if err != nil {
		return err
	}
	cfg := *r.config
	if !slices.ContainsFunc(cfg.Accounts, func(x config.Account) bool { return x.Name == a.flags.aws }) && a.flags.aws == "" {
		cfg.Accounts = append(slices.Clone(cfg.Accounts), config.Account{})
	}
	return a.inWorld(c.Context(), &cfg, func(ctx context.Context, w world) error {
		return a.locked(ctx, c, &cfg, w, func(ctx context.Context) error {
			b, left, err := planner.Orphan(ctx, w.World, &cfg, a.flags.aws, a.flags.distribution)
			if err != nil {
				return err
			}
			if left != nil {
				fmt.Fprintf(a.stderr, "%s: %s left alone: the tags do not say who has added them\n", b.Address, strings.Join(left, ", "))
			}
			alone := cfg
			alone.Buckets = []config.Bucket{b}
			w.config = &alone
			return a.planAndExecute(ctx, c, args, w, r.options, r.commands)
		})
	})
}
