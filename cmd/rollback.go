package cmd

import (
	"github.com/edgeward/edgeward/planner"
	"github.com/spf13/cobra"
)

func (a *app) rollbackCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "rollback [FLAGS] [ADDR…]", GroupID: groupMove,
		Short: "Plan, ask, and go back to S3",
		Long: `rollback puts back the records that stood before the switch: of the buckets
named, or of all. The distributions stay as they are, because resolvers still
send visitors there. A bucket that was rolled back is held: no later apply
switches it until edgeward apply -retry=ADDR.

` + applyExitCodes,
		Example: `  edgeward rollback bucket.assets
  edgeward rollback 'bucket.site["www.example.com"]' -auto-approve`,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error { return a.applyRun(c, args, planner.Rollback) },
		ValidArgsFunction: func(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
			return a.addresses(c), cobra.ShellCompDirectiveNoFileComp
		},
	}
	a.worldFlags(c)
	a.runFlags(c)
	return c
}
