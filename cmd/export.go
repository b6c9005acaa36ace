package cmd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/edgeward/edgeward/cmd/view"
	"github.com/edgeward/edgeward/planner"
)

func (a *app) exportCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "export FORMAT", GroupID: groupConfig,
		Short: "Hand what was made over to another tool",
		Long: `export writes what edgeward made in the form of another tool, which manages it from
then on.

Formats:
  terraform     import blocks and resources of Terraform`,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return refuse("type edgeward export terraform", "export does not know the format %s", args[0])
			}
			return refuse("type edgeward export terraform", "export needs a format")
		},
	}
	c.AddCommand(a.exportTerraformCommand())
	return c
}

func (a *app) exportTerraformCommand() *cobra.Command {
	var folder string
	c := &cobra.Command{
		Use:   "terraform [FLAGS]",
		Short: "Print Terraform's import blocks and resources for the finished buckets",
		Long: `export terraform writes import blocks and resources for what edgeward made: the
distributions, the certificates with their validation records, the DNS records, the
cache policies; of locked buckets also the origin access control, the bucket policy
and the public access block. It changes nothing. "terraform plan" then shows imports
and no change, and once they are applied a team manages it all with Terraform.

Only buckets that are done are written; the others are named on stderr with the
reason. No token and no external_id is written. Without -out-dir the text goes to
standard output.

Exit codes:
  0    the text was written; buckets may be left out
  1    nothing was written: configuration, credentials, no bucket is done; or a
       bucket could not be looked at, and the others were written
  2    only with -detailed-exitcode: a bucket was left out
  130  interrupted`,
		Example: `  edgeward export terraform > edgeward.tf
  edgeward export terraform -out-dir=terraform
  edgeward export terraform -target=bucket.assets`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error { return a.exportTerraform(c.Context(), folder) },
	}
	a.worldFlags(c)
	f := c.Flags()
	f.StringVar(&folder, "out-dir", "", "write a file a bucket, and those that they share, into the folder `DIR`, which is made if need be; no file is replaced")
	f.BoolVar(&a.flags.detailedExitCode, "detailed-exitcode", false, "exit with 2 when a bucket was left out")
	return c
}

func (a *app) exportTerraform(ctx context.Context, folder string) error {
	o, err := a.options(planner.Migrate)
	if err != nil {
		return err
	}
	if err := folderFor(folder); err != nil {
		return err
	}
	cfg, err := a.load()
	if err != nil {
		return err
	}
	return a.inWorld(ctx, cfg, func(ctx context.Context, w world) error {
		if w.sandbox != nil {
			if err := a.migrateFirst(ctx, w); err != nil {
				return err
			}
		}
		e, err := planner.MakeExport(ctx, w.World, w.config, o)
		if err != nil {
			return err
		}
		return a.exported(e, folder)
	})
}

// folderFor says at once why the files could not be written into folder.
func folderFor(folder string) error {
	if folder == "" {
		return nil
	}
	stands := folder
	info, err := os.Stat(stands)
	for errors.Is(err, fs.ErrNotExist) && filepath.Dir(stands) != stands { // it will be made
		stands = filepath.Dir(stands)
		info, err = os.Stat(stands)
	}
	if err != nil || !info.IsDir() {
		return refuse("name a folder, or where one can be made", "-out-dir=%s is no folder", folder)
	}
	return writable(filepath.Join(stands, "edgeward.tf"))
}

// exported writes what there is, and says what is missing.
func (a *app) exported(e planner.Export, folder string) error {
	fmt.Fprint(a.stderr, view.TerraformLeft(e))
	if len(e.Buckets) == 0 {
		return refuse("edgeward status says where each bucket stands", "no bucket is done, so there is nothing to export")
	}
	if err := a.writeExport(view.Terraform(e), folder); err != nil {
		return err
	}
	if unseen := e.Unseen(); len(unseen) > 0 {
		return refuse("see the reasons above, then run it again", "%s could not be looked at: %s", view.Count(len(unseen), "bucket"), strings.Join(unseen, ", "))
	}
	if a.flags.detailedExitCode && len(e.Left) > 0 {
		return exit(exitUndone)
	}
	return nil
}

// writeExport prints the files, or writes them all into folder, or none.
func (a *app) writeExport(files []view.TerraformFile, folder string) error {
	if folder == "" {
		_, err := fmt.Fprint(a.stdout, view.TerraformText(files))
		return err
	}
	for _, f := range files {
		name := filepath.Join(folder, f.Name)
		if _, err := os.Lstat(name); err == nil {
			return refuse("move it away, or name another folder", "%s exists; export overwrites nothing", name)
		}
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fmt.Errorf("make the folder %s: %w", folder, bareError(err))
	}
	var written []string
	for _, f := range files {
		name := filepath.Join(folder, f.Name)
		if err := createFile(name, f.Text); err != nil {
			for _, done := range written {
				err = errors.Join(err, os.Remove(done))
			}
			return err
		}
		written = append(written, name)
	}
	fmt.Fprintf(a.stderr, "%s written to %s. Next: terraform -chdir=%s init, then plan: it has to show imports and no change.\n",
		view.Count(len(written), "file"), folder, folder)
	return nil
}
