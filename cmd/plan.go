package cmd

import (
	"context"
	"fmt"
	"strings"

	"github.com/edgeward/edgeward/cmd/view"
	"github.com/edgeward/edgeward/planner"
	"github.com/spf13/cobra"
)

func (a *app) planCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "plan [FLAGS]", GroupID: groupMove,
		Short: "Show what is not done yet, and change nothing",
		Long: `plan observes S3, CloudFront, ACM and DNS and prints, for each bucket, the steps
that are not done. It changes nothing. The same world gives the same plan.

With -out=FILE the plan is saved too: edgeward apply FILE does then what was
reviewed and nothing else, and refuses each bucket whose facts moved since.

In a job of GitHub Actions the findings also stand beside their lines of the
configuration, in the files of the pull request.

-json-into, -md-into and -html-into write the plan to files, all of the same values:
for programs, for a comment on a pull request (never above 60,000 characters), as
one page for a browser. -json-schema prints the JSON Schema of every JSON that
edgeward writes.

Exit codes:
  0    the plan was made; with -detailed-exitcode: nothing is undone
  1    nothing was attempted: configuration, credentials
  2    only with -detailed-exitcode: something is undone, a wait or a blocked
       bucket included; held buckets alone count as nothing
  130  interrupted`,
		Example: `  edgeward plan
  edgeward plan -target='bucket.site["www.example.com"]'
  edgeward plan -json | jq .summary
  edgeward plan -out=migration.plan -md-into=comment.md -html-into=plan.html
  edgeward plan -sandbox`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			if a.flags.jsonSchema {
				return a.printJSON(jsonSchema())
			}
			return a.planRun(c)
		},
	}
	a.worldFlags(c)
	a.stageFlags(c)
	a.jsonFlag(c)
	a.flags.into.register(c)
	c.Flags().StringVar(&a.flags.out, "out", "", "save the plan to `FILE`, for edgeward apply FILE")
	c.Flags().BoolVar(&a.flags.jsonSchema, "json-schema", false, "print the JSON Schema of all JSON that edgeward writes, and do nothing else")
	c.Flags().BoolVar(&a.flags.detailedExitCode, "detailed-exitcode", false, "exit with 2 when something is undone")
	c.Flags().BoolVar(&a.flags.input, "input", true, "for scripts that give it to every command; plan asks nothing")
	return c
}

func (a *app) planRun(c *cobra.Command) error {
	o, err := a.options(planner.Migrate)
	if err != nil {
		return err
	}
	if err := writable(a.flags.out); err != nil {
		return err
	}
	if err := a.intoPlan(""); err != nil {
		return err
	}
	cfg, err := a.load()
	if err != nil {
		return err
	}
	return a.inWorld(c.Context(), cfg, func(ctx context.Context, w world) error {
		p, err := planner.Make(ctx, w.World, w.config, o)
		if err != nil {
			return err
		}
		if err := a.savePlan(ctx, w, p, o, cfg); err != nil {
			return err
		}
		if err := a.writePlan(p); err != nil {
			return err
		}
		if err := a.printPlan(p); err != nil {
			return err
		}
		a.annotate(view.PlanAnnotations(p, blocks(w.config))...)
		if a.flags.out != "" && !a.flags.json {
			fmt.Fprintf(a.stderr, "\nSaved to %s. To do exactly this: %s\n", a.flags.out, a.applies(c, a.flags.out))
		}
		if a.flags.detailedExitCode && view.Undone(p) > 0 {
			return exit(exitUndone)
		}
		return nil
	})
}

// applies is the command that applies the saved plan of c: with c's flags that say
// which configuration and which world, for the plan has all others.
func (a *app) applies(c *cobra.Command, name string) string {
	plan := a.again(c, []string{name}, "accept-no-evidence", "detailed-exitcode", "exclude", "out", "parallelism", "retry", "shard", "target", "until", "wave")
	return strings.Replace(plan, c.CommandPath(), c.Root().Name()+" apply", 1)
}

func (a *app) printPlan(p planner.Plan) error {
	if a.flags.json {
		return a.printJSON(p)
	}
	return a.printFolded(view.Plan(p, a.out), p)
}

func (a *app) printJSON(v any) error {
	text, err := view.JSON(v)
	if err != nil {
		return err
	}
	_, err = a.stdout.Write(text)
	return err
}
