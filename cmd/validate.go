package cmd

import (
	"fmt"

	"github.com/edgeward/edgeward/cmd/view"
	"github.com/spf13/cobra"
)

func (a *app) validateCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "validate [FLAGS]", GroupID: groupConfig,
		Short: "Check the configuration; no network",
		Long: `validate reads the configuration and says everything that is wrong with it, with
file and line. It asks no network. In a job of GitHub Actions they also stand
beside their lines in the pull request.

Exit codes:
  0  the configuration is valid
  1  it is not`,
		Example: `  edgeward validate
  edgeward validate -chdir=production`,
		Args: noArguments,
		RunE: func(*cobra.Command, []string) error { return a.validateRun() },
	}
	a.folderFlags(c)
	return c
}

func (a *app) validateRun() error {
	cfg, err := a.load()
	if err != nil {
		return err
	}
	// Making the adapters asks nobody, and each says what its settings lack.
	if _, err := realWorld(cfg, nil); err != nil {
		return err
	}
	names := 0
	for _, b := range cfg.Buckets {
		names += len(b.CNAMEs)
	}
	_, err = fmt.Fprintf(a.stdout, "The configuration is valid: %s, %s, %s.\n", view.Count(len(cfg.Buckets), "bucket"),
		view.Count(names, "name"), view.Count(len(cfg.DNSProviders), "DNS provider"))
	return err
}
