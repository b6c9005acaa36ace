package cmd

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/edgeward/edgeward/cmd/view"
	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/planner"
	"github.com/edgeward/edgeward/planner/proof"
	"github.com/edgeward/edgeward/providers"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// exitDiffers is verify's code for what stops a bucket.
const exitDiffers = 4

// verifyFlags are the flags of verify alone.
type verifyFlags struct {
	into into

	resume      string
	rate        float64
	seed        string
	maxRequests int
	maxBytes    byteSize

	sites siteFlags
	// folder are the names of the flags that mean something only with a
	// configuration.
	folder []string
}

const verifyLong = `verify compares each bucket as S3 serves it today with its distribution, under the
real names, over http and https, cold and warm: bodies, all headers, missing and
unreadable keys, folders, redirects, ranges, conditional requests, CORS, query
strings. It changes nothing, and may be run before, during and after a migration;
before there is a distribution it asks S3 alone.

With -left and -right it compares two sites, left as it is, right as it will be,
for the paths that are given. Then it reads no configuration and needs no account.

Each difference is expected (named, with its source), changed (visitors see it
and still get the object; verify { accept } accepts it by name) or broken.

Exit codes:
  0    the same, or only what is expected
  1    nothing was compared: bad input, configuration, credentials
  4    changed or broken, or an error kept something from being compared
  130  interrupted; with -resume=FILE the same command goes on`

func (a *app) verifyCommand() *cobra.Command {
	var v verifyFlags
	c := &cobra.Command{
		Use: "verify [FLAGS]", GroupID: groupMove,
		Short: "Compare S3 with CloudFront as visitors use them",
		Long:  verifyLong,
		Example: `  edgeward verify
  edgeward verify -target=bucket.assets -html-into=report.html
  edgeward verify -left=http://assets.example.com -right=https://assets.example.com \
    -right-connect=d111111abcdef8.cloudfront.net -path=/ -path=/img/logo.png
  edgeward verify -left=http://a.example -right=http://b.example -paths-from=paths.txt -json`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return refuse("two sites are compared with -left=URL -right=URL -path=/index.html, one bucket with -target=ADDR",
					"verify takes no argument %q", args[0])
			}
			return nil
		},
		RunE: func(c *cobra.Command, _ []string) error { return a.verifyRun(c, &v) },
	}
	a.worldFlags(c)
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Name == "parallelism" {
			f.Usage = "have `N` requests under way at the same time (default 8)"
			return
		}
		if f.Name != "trace" {
			v.folder = append(v.folder, f.Name)
		}
	})
	v.folder = append(v.folder, "chdir")
	a.jsonFlag(c)
	v.into.register(c)
	f := c.Flags()
	f.StringVar(&v.resume, "resume", "", "write what is found to `FILE` as it goes; an interrupted run with the same file goes on")
	f.Float64Var(&v.rate, "rate", 0, "begin at most `N` requests a second at each host (default 100)")
	f.StringVar(&v.seed, "seed", "", "choose the sample by `TEXT`; the same text chooses the same objects")
	f.IntVar(&v.maxRequests, "max-requests", 0, "send at most `N` requests a bucket (default: the configuration's; for two sites no bound)")
	f.Var(&v.maxBytes, "max-bytes", "read at most `SIZE` a bucket, such as 2GB (default: the configuration's; for two sites no bound)")
	v.sites.register(c)
	a.complete(c, "accept", func(*cobra.Command) []string { return acceptNames() })
	return c
}

func (a *app) verifyRun(c *cobra.Command, v *verifyFlags) error {
	if err := v.check(c); err != nil {
		return err
	}
	if v.sites.wanted() {
		return a.verifySites(c, v)
	}
	o, err := a.options(planner.Migrate)
	if err != nil {
		return err
	}
	cfg, err := a.load()
	if err != nil {
		return err
	}
	if err := v.into.check([2]string{"resume", v.resume}); err != nil {
		return err
	}
	// The number of buckets at a time stays the configuration's.
	o.Parallelism = 0
	return a.inWorld(c.Context(), cfg, func(ctx context.Context, w world) error {
		if w.sandbox != nil {
			if err := a.deployFirst(ctx, w, o); err != nil {
				return err
			}
		}
		return a.verifyBuckets(ctx, w, o, v)
	})
}

// check refuses flags that do not go together, and values that mean nothing.
func (v *verifyFlags) check(c *cobra.Command) error {
	if err := v.sites.check(c, v.folder); err != nil {
		return err
	}
	if c.Flags().Changed("rate") && !(v.rate > 0) {
		return refuse("leave it out for 100 a second", "-rate is %v, which is not more than 0", v.rate)
	}
	if c.Flags().Changed("max-requests") && v.maxRequests < 1 {
		return refuse("leave it out, or type a number of requests", "-max-requests is %d, which is less than 1", v.maxRequests)
	}
	return nil
}

// verifyBuckets compares the buckets of a configuration.
func (a *app) verifyBuckets(ctx context.Context, w world, o planner.Options, v *verifyFlags) error {
	clock := providers.RealClock{}
	record, err := a.openRecord(v.resume, a.bucketRecord(w.config, o, v))
	if err != nil {
		return err
	}
	defer record.close()
	bar := a.newBar(clock)
	r, err := planner.Verify(ctx, w.World, w.config, o, planner.VerifyOptions{
		Parallel: a.flags.parallelism, Rate: v.rate, Seed: v.seed, MaxRequests: v.maxRequests, MaxBytes: int64(v.maxBytes),
		Resume: record.found, Keep: record.keep, Progress: bar.update,
	})
	bar.clear()
	if err != nil {
		return record.kept(ctx, a, err)
	}
	if r.Differences == nil {
		r.Differences = []planner.VerifyDifference{}
	}
	for i, b := range r.Buckets {
		r.Buckets[i].Hint = v.budgetHint(b.Hint)
	}
	return a.verifyEnd(r, r, v, record)
}

// budgetHint names the flag where that set the bound, and not the configuration.
func (v *verifyFlags) budgetHint(hint string) string {
	if v.maxRequests > 0 {
		hint = strings.Replace(hint, "raise verify { max_requests }", "type a larger -max-requests=N", 1)
	}
	if v.maxBytes > 0 {
		hint = strings.Replace(hint, "raise verify { max_bytes }", "type a larger -max-bytes=SIZE", 1)
	}
	return hint
}

// verifyEnd says the report everywhere it is wanted. value is what JSON shows of
// it.
func (a *app) verifyEnd(r planner.VerifyReport, value any, v *verifyFlags, record *record) error {
	var err error
	if a.flags.json {
		err = a.printJSON(value)
	} else {
		_, err = fmt.Fprint(a.stdout, view.Verify(r, a.out))
	}
	if err != nil {
		return err
	}
	err = v.into.write(value, func() string { return view.VerifyMarkdown(r) }, func() (string, error) { return view.VerifyHTML(r) })
	if err != nil {
		return err
	}
	failed := slices.ContainsFunc(r.Buckets, func(b planner.BucketProof) bool { return b.Failed })
	if !failed {
		// What failed may be tried again; the rest need not be asked then.
		if err := record.finish(); err != nil {
			return err
		}
	}
	if failed || !r.Verdict.Passes() && r.Verdict != proof.NotCompared {
		return exit(exitDiffers)
	}
	return nil
}

// deployFirst brings a sandbox to where there is something to compare.
func (a *app) deployFirst(ctx context.Context, w world, o planner.Options) error {
	o.Until = planner.DistributionDeployed
	p, err := planner.Make(ctx, w.World, w.config, o)
	if err != nil {
		return err
	}
	x := &planner.Executor{World: w.World, Config: w.config, Options: o, Events: func(planner.Event) {}, WaitTimeout: sandboxPatience}
	x.Apply(ctx, p)
	fmt.Fprintln(a.stderr, "sandbox: the distributions were created first")
	return ctx.Err()
}

// bar is the progress of a comparison on standard error. Its methods are called
// one at a time.
type bar struct {
	a        *app
	clock    providers.Clock
	progress *view.VerifyProgress
}

func (a *app) newBar(clock providers.Clock) *bar {
	live := view.IsTerminal(a.stderr.w) && a.understands()
	return &bar{a: a, clock: clock, progress: view.NewVerifyProgress(a.msg, live, clock.Now())}
}

func (b *bar) update(address string, p proof.Progress) {
	if text := b.progress.Update(b.clock.Now(), address, p); text != "" {
		fmt.Fprint(b.a.stderr, text)
	}
}

func (b *bar) clear() {
	if text := b.progress.Clear(); text != "" {
		fmt.Fprint(b.a.stderr, text)
	}
}

// bucketRecord is what a resumed verify of buckets must have in common with the
// one before.
func (a *app) bucketRecord(c *config.Config, o planner.Options, v *verifyFlags) recordHeader {
	settings := []string{c.Digest(a.loadOptions().DNSTypes), strconv.FormatBool(a.flags.sandbox), strings.Join(o.Targets, " "), strings.Join(o.Excludes, " "), o.Shard.String()}
	return recordHeader{Of: "the buckets of a configuration", Seed: v.seed, Settings: shortDigest(settings...)}
}

// byteSize is a flag's number of bytes, such as 2GB; KB, MB, GB and TB are powers
// of 1000, KiB to TiB of 1024.
type byteSize int64

// String implements pflag.Value.
func (b *byteSize) String() string { return strconv.FormatInt(int64(*b), 10) }

// Type implements pflag.Value.
func (b *byteSize) Type() string { return "size such as 500MB or 2GB" }

// Set implements pflag.Value.
func (b *byteSize) Set(text string) error {
	number := strings.TrimRight(text, "KMGTiB")
	factor := 1.0
	switch unit := text[len(number):]; unit {
	case "", "B":
	default:
		base := 1000.0
		if strings.HasSuffix(unit, "iB") {
			base = 1024
		}
		i := strings.Index("KMGT", unit[:1])
		if i < 0 || unit[1:] != "B" && unit[1:] != "iB" {
			return fmt.Errorf("%q is no size", text)
		}
		for range i + 1 {
			factor *= base
		}
	}
	n, err := strconv.ParseFloat(number, 64)
	if err != nil || !(n > 0) || n*factor > 1e18 {
		return fmt.Errorf("%q is no size", text)
	}
	*b = byteSize(n * factor)
	return nil
}
