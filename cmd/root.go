package cmd

import (
	"fmt"

	"github.com/spf13/cobra"
)

// The groups of the root's help.
const (
	groupTry    = "try"
	groupMove   = "move"
	groupConfig = "config"
)

// noFolder marks the commands that read no configuration: -chdir means nothing
// to them.
const noFolder = "no-folder"

const rootLong = `edgeward moves public S3 buckets, which visitors reach through a DNS name, behind
Amazon CloudFront, with no disruption.

Files edgeward.hcl and *.edgeward.hcl of one folder say which buckets, names and
DNS providers. plan shows what differs from the live world; apply creates,
verifies and switches; rollback goes back. Any of them may be interrupted and
run again: there is no state file. With -sandbox they run against a simulated
world made from your own files, and nothing leaves the machine.`

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "edgeward",
		Short: "Moves public S3 buckets behind CloudFront, with no disruption",
		Long:  rootLong,
		Example: `  edgeward demo
  edgeward init
  edgeward plan
  edgeward apply`,
		SilenceErrors: true, SilenceUsage: true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		Args:              cobra.ArbitraryArgs,
		PersistentPreRunE: a.prepare,
		RunE:              func(c *cobra.Command, _ []string) error { return a.rootRun(c) },
	}
	root.Flags().Bool("version", false, "print the version")
	root.PersistentFlags().StringVar(&a.flags.chdir, "chdir", "", "read the configuration of `DIR`; before or after the command")
	root.PersistentFlags().BoolVar(&a.flags.noColor, "no-color", false, "no colours; NO_COLOR and output that is no terminal do the same")
	root.SetFlagErrorFunc(flagError)
	root.SetHelpFunc(a.help)
	root.AddGroup(&cobra.Group{ID: groupTry, Title: "Try it:"}, &cobra.Group{ID: groupMove, Title: "Move buckets:"},
		&cobra.Group{ID: groupConfig, Title: "Write the configuration:"})
	root.SetHelpCommand(&cobra.Command{Hidden: true, Use: "help [COMMAND]", Short: "Help about a command",
		RunE: func(c *cobra.Command, args []string) error {
			if err := unknownCommand(c.Root(), args); err != nil {
				return err
			}
			of, _, err := c.Root().Find(args)
			if err != nil {
				return err
			}
			return of.Help()
		}})
	root.AddCommand(a.demoCommand(), a.planCommand(), a.applyCommand(), a.showCommand(), a.unlockCommand(), a.statusCommand(), a.verifyCommand(), a.rollbackCommand(), a.unlockBucketCommand(), a.reportCommand(),
		a.initCommand(), a.discoverCommand(), a.validateCommand(), a.fmtCommand(), a.providersCommand(), a.iamPolicyCommand(), a.exportCommand(), a.versionCommand(), a.completionCommand())
	for _, c := range root.Commands() {
		c.DisableFlagsInUseLine = true
	}
	return root
}

// prepare runs before every command, once the flags are parsed.
func (a *app) prepare(c *cobra.Command, args []string) error {
	a.running = c.CommandPath()
	if a.flags.noColor {
		a.out.Color, a.msg.Color = false, false
	}
	if c.Annotations[noFolder] != "" && c.Flags().Changed("chdir") {
		return refuse("leave -chdir out", "%s reads no folder", c.CommandPath())
	}
	if c.Flags().Changed("parallelism") && a.flags.parallelism < 1 {
		return refuse("leave it out, or type 1 or more", "-parallelism is %d, which is less than 1", a.flags.parallelism)
	}
	return a.traceable(c, args)
}

func (a *app) rootRun(c *cobra.Command) error {
	if asked, err := c.Flags().GetBool("version"); err == nil && asked {
		return a.printVersion()
	}
	if err := c.Help(); err != nil {
		return err
	}
	return exit(exitRefused)
}

// help prints the help of c, its flags with one dash.
func (a *app) help(c *cobra.Command, _ []string) {
	c.InitDefaultHelpFlag()
	text := c.Long
	if text == "" {
		text = c.Short
	}
	fmt.Fprintf(a.stdout, "%s\n\nUsage:\n  %s\n", text, usageLine(c))
	if c.Example != "" {
		fmt.Fprintf(a.stdout, "\nExamples:\n%s\n", c.Example)
	}
	for _, g := range c.Groups() {
		fmt.Fprintf(a.stdout, "\n%s\n", g.Title)
		a.commandList(c, g.ID)
	}
	if len(c.Groups()) > 0 {
		fmt.Fprintf(a.stdout, "\nBesides:\n")
		a.commandList(c, "")
	}
	fmt.Fprintf(a.stdout, "\nFlags:\n%s", flagUsages(c))
	if c.HasSubCommands() {
		fmt.Fprintf(a.stdout, "\nedgeward COMMAND -help says more about a command.\n")
	}
}

func usageLine(c *cobra.Command) string {
	if c.HasSubCommands() {
		return c.CommandPath() + " [-chdir=DIR] COMMAND [FLAGS]"
	}
	return c.UseLine()
}

func (a *app) commandList(c *cobra.Command, group string) {
	for _, sub := range c.Commands() {
		if sub.GroupID == group && !sub.Hidden {
			fmt.Fprintf(a.stdout, "  %-13s %s\n", sub.Name(), sub.Short)
		}
	}
}
