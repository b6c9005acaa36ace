package cmd

import (
	"github.com/edgeward/edgeward/planner"
	"github.com/spf13/cobra"
)

func (a *app) unlockBucketCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "unlock-bucket [FLAGS] ADDR…", GroupID: groupMove,
		Short: "Open locked buckets to everybody again",
		Long: `unlock-bucket gives buckets back what lock { … } took: their public access block
is what it was, flag by flag, S3 is seen to answer everybody, and then edgeward's
statement is taken out of the bucket policy; the other statements stay. The names
stay the distribution's, which goes on signing its fetches: a public bucket does
not mind.

A bucket that was unlocked is not locked again until edgeward apply -retry=ADDR.
edgeward rollback unlocks by itself before it goes back to S3.

` + applyExitCodes,
		Example: `  edgeward unlock-bucket bucket.assets
  edgeward unlock-bucket 'bucket.site["www.example.com"]' -auto-approve`,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 && len(a.flags.targets) == 0 {
				return refuse("name them: edgeward unlock-bucket ADDR; all of them are '*'", "no bucket is named")
			}
			a.flags.targets = append(a.flags.targets, args...)
			return a.applyRun(c, args, planner.UnlockBucket)
		},
		ValidArgsFunction: func(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
			return a.addresses(c), cobra.ShellCompDirectiveNoFileComp
		},
	}
	a.worldFlags(c)
	a.runFlags(c)
	return c
}
