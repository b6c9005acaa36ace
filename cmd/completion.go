package cmd

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

func (a *app) completionCommand() *cobra.Command {
	shells := []string{"bash", "zsh", "fish", "powershell"}
	return &cobra.Command{
		Use:   "completion SHELL",
		Short: "Print the completion script for a shell",
		Long: `completion prints a script that completes edgeward's commands, flags, stages and
bucket addresses, for bash, zsh, fish or powershell.`,
		Example: `  source <(edgeward completion bash)
  edgeward completion zsh > "${fpath[1]}/_edgeward"
  edgeward completion fish > ~/.config/fish/completions/edgeward.fish`,
		ValidArgs: shells, DisableFlagsInUseLine: true,
		Annotations: map[string]string{noFolder: "yes"},
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return refuse("type edgeward completion SHELL, with one of "+strings.Join(shells, ", "), "completion takes one shell, got %d", len(args))
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error { return a.completionRun(c.Root(), args[0], shells) },
	}
}

func (a *app) completionRun(root *cobra.Command, shell string, shells []string) error {
	switch shell {
	case "bash":
		return root.GenBashCompletionV2(a.stdout, true)
	case "zsh":
		return root.GenZshCompletion(a.stdout)
	case "fish":
		return root.GenFishCompletion(a.stdout, true)
	case "powershell":
		return root.GenPowerShellCompletionWithDesc(a.stdout)
	}
	hint := fmt.Sprintf("the shells are %s", strings.Join(shells, ", "))
	if near := nearest(shell, shells); near != "" {
		hint = "did you mean " + near + "?"
	}
	return refuse(hint, "no completion for %q", shell)
}
