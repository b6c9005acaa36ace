package cmd

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/edgeward/edgeward/config"
	"github.com/spf13/cobra"
)

func (a *app) initCommand() *cobra.Command {
	return &cobra.Command{
		Use: "init [FLAGS]", GroupID: groupConfig,
		Short: "Write a commented starter edgeward.hcl",
		Long: `init writes a commented starter edgeward.hcl into the folder. It never
overwrites a file.

Exit codes:
  0  the file was written
  1  it was not; the message says why`,
		Example: `  edgeward init
  edgeward init -chdir=production`,
		Args: noArguments,
		RunE: func(*cobra.Command, []string) error { return a.initRun() },
	}
}

func (a *app) initRun() error {
	path := filepath.Join(a.dir(), config.MainFile)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	switch {
	case errors.Is(err, fs.ErrExist):
		return refuse("edit it, or choose another folder with -chdir=DIR", "%s exists; init overwrites nothing", path)
	case errors.Is(err, fs.ErrNotExist):
		return refuse("make the folder first, or choose another with -chdir=DIR", "write %s: there is no such folder", path)
	case err != nil:
		return fmt.Errorf("write starter: %w", err)
	}
	_, err = f.Write(config.Starter(""))
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("write starter: %w", errors.Join(err, os.Remove(path)))
	}
	_, err = fmt.Fprintf(a.stdout, "Wrote %s. Edit it, then type: edgeward plan\n", path)
	return err
}
