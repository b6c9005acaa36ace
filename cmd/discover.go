package cmd

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/edgeward/edgeward/cmd/view"
	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/planner"
	"github.com/hashicorp/hcl/v2"
	"github.com/spf13/cobra"
)

// batchSheet is the file that -batch writes beside the configuration.
const batchSheet = "sites.csv"

// discoverFlags are those of discover alone.
type discoverFlags struct {
	file       string
	batch, hcl bool
}

func (a *app) discoverCommand() *cobra.Command {
	var own discoverFlags
	c := &cobra.Command{
		Use: "discover [FLAGS]", GroupID: groupConfig,
		Short: "Find the names that lead to S3, judge each, write their blocks",
		Long: `discover lists the buckets of every AWS account and the zones of every DNS provider
of the configuration, follows each record that leads to S3, and says of each name
what a plan would: ready, needs an answer, or by hand, with the reasons. It changes
nothing in AWS and DNS. Names and buckets that are configured already are left out.

A name whose bucket is gone comes first: whoever creates a bucket of that name
serves its visitors.

With -generate-config-out=FILE it writes a block for each name, into a file that
must not exist yet; what has no plan is written as a comment, with the reason.
-batch writes one for_each block instead, and a sites.csv beside it. Name the file
something.edgeward.hcl, so that edgeward reads it.

Exit codes:
  0    the search is complete; with -detailed-exitcode: and it found nothing new
  1    nothing was attempted: configuration, credentials; or a zone or an account
       could not be read, and the search is not complete
  2    only with -detailed-exitcode: a name that leads to S3 is not configured
  130  interrupted`,
		Example: `  edgeward discover
  edgeward discover -generate-config-out=found.edgeward.hcl
  edgeward discover -batch -generate-config-out=sites.edgeward.hcl
  edgeward discover -target='*.example.com' -hcl
  edgeward discover -detailed-exitcode -md-into=comment.md
  edgeward discover -sandbox`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error { return a.discoverRun(c.Context(), own) },
	}
	a.folderFlags(c)
	f := c.Flags()
	f.StringArrayVar(&a.flags.targets, "target", nil, "only the names `NAME`, * allowed; may be repeated")
	f.StringArrayVar(&a.flags.excludes, "exclude", nil, "not the names `NAME`, * allowed; may be repeated")
	f.IntVar(&a.flags.parallelism, "parallelism", 0, "look at `N` things at the same time (default: the configuration's)")
	f.BoolVar(&a.flags.sandbox, "sandbox", false, "search a simulated world made from the configuration, with some invented names; nothing leaves the machine")
	a.traceFlag(c)
	f.StringVar(&own.file, "generate-config-out", "", "write the blocks to `FILE`, which must not exist")
	f.BoolVar(&own.batch, "batch", false, "write one for_each block, and "+batchSheet+" with a row a bucket")
	f.BoolVar(&own.hcl, "hcl", false, "print the blocks in place of the report")
	f.BoolVar(&a.flags.detailedExitCode, "detailed-exitcode", false, "exit with 2 when a name that leads to S3 is not configured")
	a.jsonFlag(c)
	a.flags.into.register(c)
	return c
}

func (a *app) discoverRun(ctx context.Context, own discoverFlags) error {
	if err := a.checkDiscover(own); err != nil {
		return err
	}
	cfg, _, err := a.loadFound(nil)
	if err != nil {
		return err
	}
	w, err := a.discoverWorld(ctx, cfg)
	if err != nil {
		return err
	}
	d, err := planner.Discover(ctx, w.World, cfg, planner.DiscoverOptions{
		Targets: a.flags.targets, Excludes: a.flags.excludes, Parallelism: a.flags.parallelism,
		Load: func(found []config.Found) (*config.Config, map[string]string, error) { return a.loadFound(found) },
	})
	if err != nil {
		return err
	}
	files := a.generated(cfg, own, &d)
	if err := a.discovered(d, own, files); err != nil {
		return err
	}
	if missing := d.Incomplete(); len(missing) > 0 {
		return refuse("see the reasons above; with the rights for them, run it again", "the search is not complete: %s could not be read", strings.Join(missing, ", "))
	}
	if a.flags.detailedExitCode && len(d.Names) > 0 {
		return exit(exitUndone)
	}
	return nil
}

// checkDiscover says at once what would keep the files from being written.
func (a *app) checkDiscover(own discoverFlags) error {
	switch {
	case own.hcl && a.flags.json:
		return refuse("leave one of them out; -json-into=FILE writes the report as JSON too", "-hcl and -json both want standard output")
	case own.file == "-":
		return refuse("type -hcl, which prints the blocks", "-generate-config-out=- is no file")
	case own.batch && own.file == "":
		return refuse("add -generate-config-out=sites.edgeward.hcl", "-batch writes two files and has no name for them")
	case own.batch && own.hcl:
		return refuse("leave -hcl out", "-batch writes files")
	}
	if err := a.flags.into.check([2]string{"generate-config-out", own.file}); err != nil {
		return err
	}
	for _, f := range own.files() {
		if _, err := os.Lstat(f); err == nil {
			return exists(f)
		}
		if err := writable(f); err != nil {
			return err
		}
	}
	return nil
}

// files are those that are written for the flags; none must exist.
func (f discoverFlags) files() []string {
	switch {
	case f.file == "":
		return nil
	case f.batch:
		return []string{filepath.Join(filepath.Dir(f.file), batchSheet), f.file}
	}
	return []string{f.file}
}

func exists(name string) error {
	return refuse("name another file, or move it away", "%s exists; discover overwrites nothing", name)
}

// loadFound reads the configuration with the blocks of found among it; its findings
// are said the first time.
func (a *app) loadFound(found []config.Found) (*config.Config, map[string]string, error) {
	cfg, files, diags, wrong := config.LoadFound(a.dir(), a.loadOptions(), found)
	if found != nil {
		diags = slices.DeleteFunc(diags, func(d *hcl.Diagnostic) bool { return d.Severity != hcl.DiagError })
	}
	return cfg, wrong, a.diagnostics(files, diags)
}

// generatedFile is one file of -generate-config-out.
type generatedFile struct {
	name string
	text []byte
}

// generated are the files to write; with -batch the addresses of d become those of
// the for_each block.
func (a *app) generated(cfg *config.Config, own discoverFlags, d *planner.Discovery) []generatedFile {
	found := d.Found()
	if own.file == "" || len(found) == 0 {
		return nil
	}
	if !own.batch {
		return []generatedFile{{own.file, config.Blocks(found)}}
	}
	sheet := own.files()[0]
	called := sheet
	if base, err := filepath.Abs(a.dir()); err == nil {
		if full, err := filepath.Abs(sheet); err == nil {
			if rel, err := filepath.Rel(base, full); err == nil {
				called = rel
			}
		}
	}
	blocks, rows, addresses := config.Batch(found, filepath.ToSlash(called), freeLabel(cfg))
	for i, n := range d.Names {
		if address := addresses[n.Name]; address != "" {
			d.Names[i].Address = address
		}
	}
	return []generatedFile{{sheet, rows}, {own.file, blocks}}
}

// freeLabel is a label for a for_each block that no block has.
func freeLabel(cfg *config.Config) string {
	for i := 1; ; i++ {
		label := "site"
		if i > 1 {
			label = fmt.Sprintf("site%d", i)
		}
		taken := slices.ContainsFunc(cfg.Buckets, func(b config.Bucket) bool {
			return strings.HasPrefix(b.Address+"[", "bucket."+label+"[") || strings.HasPrefix(b.Address, "bucket."+label+"_")
		})
		if !taken {
			return label
		}
	}
}

// discovered writes the result: the files first, so that a report never says that
// something was written which was not.
func (a *app) discovered(d planner.Discovery, own discoverFlags, files []generatedFile) error {
	var written []string
	for _, f := range files {
		if err := createFile(f.name, f.text); err != nil {
			for _, name := range written {
				err = errors.Join(err, os.Remove(name))
			}
			return err
		}
		written = append(written, f.name)
	}
	err := a.flags.into.write(d, func() string { return view.DiscoveryMarkdown(d) }, func() (string, error) { return view.DiscoveryHTML(d) })
	switch {
	case err != nil:
	case a.flags.json:
		err = a.printJSON(d)
	case own.hcl:
		_, err = a.stdout.Write(config.Blocks(d.Found()))
	default:
		_, err = fmt.Fprint(a.stdout, view.Discovery(d, a.out))
	}
	if err != nil {
		return err
	}
	switch {
	case written != nil:
		fmt.Fprintf(a.stderr, "\n%s\n", view.DiscoveryWritten(d, written))
		a.unread(own.file)
	case own.file != "":
		fmt.Fprintf(a.stderr, "\n%s\n", view.DiscoveryUnwritten(d, own.file))
	}
	return nil
}

// unread says that edgeward does not read a file by the name it was given.
func (a *app) unread(name string) {
	base, err := filepath.Abs(a.dir())
	full, errFull := filepath.Abs(name)
	ours := filepath.Base(name) == config.MainFile || strings.HasSuffix(name, "."+config.MainFile)
	if err == nil && errFull == nil && (filepath.Dir(full) != base || !ours) {
		fmt.Fprintf(a.stderr, "note: edgeward reads %s and *.%s of its folder, and so not %s\n", config.MainFile, config.MainFile, name)
	}
}

// createFile makes a file that does not exist, all of it or none.
func createFile(name string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".edgeward-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", name, bareError(err))
	}
	_, err = f.Write(text)
	err = errors.Join(err, f.Chmod(0o644), f.Close())
	if err == nil {
		err = os.Link(f.Name(), name) // never replaces a file, as a rename does
		if err != nil && !errors.Is(err, fs.ErrExist) {
			err = createHere(name, text) // a file system without links
		}
	}
	err = errors.Join(err, os.Remove(f.Name()))
	switch {
	case errors.Is(err, fs.ErrExist):
		return exists(name)
	case err != nil:
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

func createHere(name string, text []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(name))
	}
	return nil
}
