package cmd

import (
	"context"
	"fmt"
	"os"

	"github.com/edgeward/edgeward/cmd/view"
	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/planner"
	"github.com/edgeward/edgeward/providers/dns"
	"github.com/spf13/cobra"
)

func (a *app) showCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "show [FLAGS] PLANFILE", GroupID: groupMove,
		Short: "Print a saved plan",
		Long: `show prints a plan that edgeward plan -out=PLANFILE saved. It reads no
configuration and asks nobody.

Exit codes:
  0    the plan was printed
  1    the file is no saved plan, or one of another version`,
		Example: `  edgeward show migration.plan
  edgeward show -json migration.plan
  edgeward show -html-into=plan.html migration.plan`,
		Annotations: map[string]string{noFolder: "true"},
		Args:        onePlan,
		RunE: func(_ *cobra.Command, args []string) error {
			if err := a.intoPlan(args[0]); err != nil {
				return err
			}
			s, err := readPlan(args[0])
			if err != nil {
				return err
			}
			if err := a.writePlan(s.Plan); err != nil {
				return err
			}
			return a.printPlan(s.Plan)
		},
	}
	a.jsonFlag(c)
	a.flags.into.register(c)
	return c
}

func onePlan(c *cobra.Command, args []string) error {
	if len(args) == 1 {
		return nil
	}
	return refuse("type edgeward "+c.Name()+" PLANFILE; edgeward plan -out=PLANFILE writes one", "%s takes one saved plan, not %d", c.CommandPath(), len(args))
}

func readPlan(name string) (planner.Saved, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return planner.Saved{}, refuse("edgeward plan -out="+view.Quote(name)+" writes one", "read the saved plan %s: %v", name, bareError(err))
	}
	s, err := planner.ReadSaved(text)
	if err != nil {
		return s, refuse("", "read the saved plan %s: %v", name, err)
	}
	return s, nil
}

// savePlan writes what plan -out asks for.
func (a *app) savePlan(ctx context.Context, w world, p planner.Plan, o planner.Options, cfg *config.Config) (err error) {
	if a.flags.out == "" {
		return nil
	}
	s := planner.Save(p, o, buildVersion(), cfg.Digest(dnsTypes(dns.Types())))
	s.Sandbox = a.flags.sandbox
	if s.Accounts, err = planner.AccountIDs(ctx, w.World, w.config, p); err != nil {
		return err
	}
	text, err := view.JSON(s)
	if err != nil {
		return err
	}
	return writeFile(a.flags.out, text, 0o600)
}

// applySaved is apply PLANFILE.
func (a *app) applySaved(c *cobra.Command, args []string) error {
	if err := onePlan(c, args); err != nil {
		return err
	}
	for _, f := range []string{"target", "exclude", "until", "retry", "wave", "shard", "accept-no-evidence"} {
		if c.Flags().Changed(f) {
			return refuse("give it to edgeward plan -out=FILE, or leave the file out", "-%s cannot change a plan that was saved", f)
		}
	}
	if err := a.intoPlan(args[0]); err != nil {
		return err
	}
	s, err := readPlan(args[0])
	if err != nil {
		return err
	}
	cfg, err := a.load()
	if err != nil {
		return err
	}
	if err := a.belongs(s, cfg, args[0]); err != nil {
		return err
	}
	if err := a.withinLimits(cfg, s.Plan); err != nil {
		if _, ends := planner.OnTheWay(s.Plan, "", ""); !ends {
			return err
		}
	}
	a.approved = &view.Approval{How: view.ApprovedSaved, Plan: args[0]}
	commands := view.Commands{GoOn: a.again(c, args), Retry: "edgeward apply"}
	return a.inWorld(c.Context(), cfg, func(ctx context.Context, w world) error {
		return a.locked(ctx, c, cfg, w, func(ctx context.Context) error { return a.renewAndExecute(ctx, c, w, s, commands) })
	})
}

func (a *app) renewAndExecute(ctx context.Context, c *cobra.Command, w world, s planner.Saved, commands view.Commands) error {
	x := &planner.Executor{Options: s.Options(a.flags.parallelism)}
	p := s.Plan
	if !s.Empty() {
		var err error
		if p, x.Refused, err = s.Renew(ctx, w.World, w.config, x.Options); err != nil {
			return err
		}
		if p, err = a.permitted(w.config, p, true); err != nil {
			return err
		}
	}
	if !a.flags.json {
		fmt.Fprintln(a.stderr, view.Checked(s, x.Refused))
	}
	return a.execute(ctx, c, w, x, p, commands)
}

// belongs says why a saved plan is not one of this configuration.
func (a *app) belongs(s planner.Saved, cfg *config.Config, name string) error {
	switch {
	case s.Sandbox && !a.flags.sandbox:
		return refuse("apply it with -sandbox, or make one of the real world", "the plan %s is about a simulated world (-sandbox)", name)
	case !s.Sandbox && a.flags.sandbox:
		return refuse("leave -sandbox out, or make a plan with it", "the plan %s is about the real world", name)
	case s.Configuration != cfg.Digest(dnsTypes(dns.Types())) && s.Edgeward != buildVersion():
		return refuse("make a new plan with this one: edgeward plan -out="+view.Quote(name),
			"the plan %s was made by edgeward %s, and this is %s: it was made of another configuration, or the two read it differently", name, s.Edgeward, buildVersion())
	case s.Configuration != cfg.Digest(dnsTypes(dns.Types())):
		return refuse("make a new plan of it: edgeward plan -out="+view.Quote(name),
			"the plan %s was made of another configuration than that of %s: another folder, other variables, or edited since", name, a.dir())
	}
	return nil
}
