package cmd

import (
	"context"
	"fmt"

	"github.com/edgeward/edgeward/cmd/view"
	"github.com/edgeward/edgeward/planner"
	"github.com/spf13/cobra"
)

func (a *app) statusCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "status [FLAGS]", GroupID: groupMove,
		Short: "Say where each bucket stands and what DNS answers",
		Long: `status says where each bucket stands, and for each of its names what the DNS
provider has, what the authoritative servers and the resolvers answer, and who
serves the visitors. It changes nothing.

Exit codes:
  0    the status was found
  1    nothing was attempted: configuration, credentials
  130  interrupted`,
		Example: `  edgeward status
  edgeward status -target=bucket.assets
  edgeward status -json`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error { return a.statusRun(c.Context()) },
	}
	a.worldFlags(c)
	a.jsonFlag(c)
	return c
}

func (a *app) statusRun(ctx context.Context) error {
	o, err := a.options(planner.Migrate)
	if err != nil {
		return err
	}
	cfg, err := a.load()
	if err != nil {
		return err
	}
	return a.inWorld(ctx, cfg, func(ctx context.Context, w world) error {
		r, err := planner.MakeStatus(ctx, w.World, w.config, o)
		if err != nil {
			return err
		}
		if a.flags.json {
			return a.printJSON(r)
		}
		_, err = fmt.Fprint(a.stdout, view.Status(r, a.out))
		return err
	})
}
