package cmd

import (
	"slices"
	"strings"
	"time"

	"github.com/edgeward/edgeward/cmd/view"
	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/planner"
	"github.com/edgeward/edgeward/providers/dns"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// flags are the values of every flag; a command registers those that it obeys
// and no other.
type flags struct {
	chdir   string
	noColor bool

	vars, varFiles []string

	targets, excludes []string
	shard             string

	since, distribution, aws string
	acceptHTTPSLoss          bool
	acceptS3Loss             bool
	waves                    []string
	until                    string
	retry                    []string
	noEvidence               bool
	parallelism              int
	sandbox                  bool
	trace                    string

	out              string
	json             bool
	jsonSchema       bool
	into             into
	detailedExitCode bool
	watch            time.Duration

	autoApprove bool
	input       bool
	wait        bool
	waitTimeout time.Duration

	lock        bool
	lockTimeout time.Duration
	force       bool

	check, diff, write bool
}

// folderFlags are those of every command that reads the configuration.
func (a *app) folderFlags(c *cobra.Command) {
	f := c.Flags()
	f.StringArrayVar(&a.flags.vars, "var", nil, "set a variable, `NAME=VALUE`; may be repeated")
	f.StringArrayVar(&a.flags.varFiles, "var-file", nil, "read variables from `FILE`; may be repeated")
}

// worldFlags are those of every command that observes.
func (a *app) worldFlags(c *cobra.Command) {
	a.folderFlags(c)
	f := c.Flags()
	f.StringArrayVar(&a.flags.targets, "target", nil, "only the buckets with `ADDR`, * allowed; may be repeated")
	f.StringArrayVar(&a.flags.excludes, "exclude", nil, "not the buckets with `ADDR`, * allowed; may be repeated")
	f.StringArrayVar(&a.flags.waves, "wave", nil, "only the buckets of the wave `NAME`; may be repeated")
	f.IntVar(&a.flags.parallelism, "parallelism", 0, "look at or change `N` buckets at the same time (default: the configuration's)")
	f.BoolVar(&a.flags.sandbox, "sandbox", false, "run against a simulated world made from the configuration; nothing leaves the machine")
	f.StringVar(&a.flags.shard, "shard", "", "only part `I/N` of the buckets, the same ones in every run")
	a.traceFlag(c)
	for _, name := range []string{"target", "exclude"} {
		a.complete(c, name, a.addresses)
	}
	a.complete(c, "wave", a.waveNames)
}

// stageFlags choose how far a migration goes.
func (a *app) stageFlags(c *cobra.Command) {
	c.Flags().StringVar(&a.flags.until, "until", "", "stop after `STAGE`, such as links.verify")
	c.Flags().StringArrayVar(&a.flags.retry, "retry", nil, "lift the hold of the bucket with `ADDR`, which was rolled back; may be repeated")
	c.Flags().BoolVar(&a.flags.noEvidence, "accept-no-evidence", false, "lock buckets of which nothing shows that nobody reaches them directly")
	a.complete(c, "until", func(*cobra.Command) []string { return stageNames() })
	a.complete(c, "retry", a.addresses)
}

// runFlags are those of the commands that change something.
func (a *app) runFlags(c *cobra.Command) {
	f := c.Flags()
	f.BoolVar(&a.flags.json, "json", false, "write one event a line as JSON, the report last; needs -auto-approve")
	a.flags.into.register(c)
	f.Lookup("json-into").Usage = "write the whole run as JSON to `FILE` too: plan, events, report"
	f.BoolVar(&a.flags.autoApprove, "auto-approve", false, "do not ask")
	f.BoolVar(&a.flags.input, "input", true, "ask for approval; -input=false refuses instead of asking")
	f.BoolVar(&a.flags.wait, "wait", true, "wait for what takes time; -wait=false ends at the first wait: after a switch nobody watches until the next run")
	durationFlag(f, &a.flags.waitTimeout, "wait-timeout", time.Hour, "wait for at most `DURATION` in all, and switch nothing that it leaves no time to watch; a sandbox waits to the end")
	a.lockFlags(c)
}

func (a *app) jsonFlag(c *cobra.Command) {
	c.Flags().BoolVar(&a.flags.json, "json", false, "write JSON")
}

func (a *app) complete(c *cobra.Command, flag string, words func(*cobra.Command) []string) {
	complete := func(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		return words(c), cobra.ShellCompDirectiveNoFileComp
	}
	// The error says that the flag does not exist, which the lines above exclude.
	_ = c.RegisterFlagCompletionFunc(flag, complete)
}

// addresses are those of the configuration, for completion; none when it
// cannot be read.
func (a *app) addresses(*cobra.Command) []string {
	cfg, _, _ := config.Load(a.dir(), a.loadOptions())
	var found []string
	for _, b := range cfg.Buckets {
		found = append(found, b.Address)
	}
	return found
}

// waveNames are the waves of the configuration in their order, then those that only
// its buckets name, for completion.
func (a *app) waveNames(*cobra.Command) []string {
	cfg, _, _ := config.Load(a.dir(), a.loadOptions())
	var found []string
	for _, w := range cfg.Rollout.Waves {
		found = append(found, w.Name)
	}
	for _, b := range cfg.Buckets {
		if b.Wave != "" && !slices.Contains(found, b.Wave) {
			found = append(found, b.Wave)
		}
	}
	return found
}

// accountNames are the aws blocks of the configuration, for completion.
func (a *app) accountNames(*cobra.Command) []string {
	cfg, _, _ := config.Load(a.dir(), a.loadOptions())
	var found []string
	for _, x := range cfg.Accounts {
		if x.Name != "" {
			found = append(found, x.Name)
		}
	}
	return found
}

func (a *app) dir() string {
	if a.flags.chdir == "" {
		return "."
	}
	return a.flags.chdir
}

func (a *app) loadOptions() config.Options {
	types := dnsTypes(dns.Types())
	if a.flags.sandbox {
		withoutCredentials(types)
	}
	return config.Options{DNSTypes: types, Vars: a.flags.vars, VarFiles: a.flags.varFiles, Env: a.env}
}

// withoutCredentials lets every setting be left out: a sandbox asks no
// provider, so it needs no token to try a configuration.
func withoutCredentials(types []config.DNSType) {
	for _, t := range types {
		for i := range t.Settings {
			t.Settings[i].Required = false
		}
	}
}

// load reads and validates the configuration; its findings are said.
func (a *app) load() (*config.Config, error) {
	cfg, files, diags := config.Load(a.dir(), a.loadOptions())
	return cfg, a.diagnostics(files, diags)
}

// options are the planner's, from the flags.
func (a *app) options(goal planner.Goal) (planner.Options, error) {
	o := planner.Options{
		Goal: goal, Targets: a.flags.targets, Excludes: a.flags.excludes, Waves: a.flags.waves,
		Until: planner.Kind(a.flags.until), Retry: a.flags.retry, NoEvidence: a.flags.noEvidence, Parallelism: a.flags.parallelism,
	}
	if names := stageNames(); a.flags.until != "" && !slices.Contains(names, a.flags.until) {
		hint := "the stages are " + strings.Join(names, ", ")
		if near := nearest(a.flags.until, names); near != "" {
			hint = "did you mean -until=" + near + "? " + hint
		}
		return o, refuse(hint, "unknown stage %q", a.flags.until)
	}
	var err error
	if o.Shard, err = planner.ParseShard(a.flags.shard); err != nil {
		return o, refuse("-shard=2/5 is the second of five parts", "%v", err)
	}
	return o, nil
}

// stageNames are the stages of a migration, in order.
func stageNames() []string {
	kinds := []planner.Kind{
		planner.MetricsCount, planner.CertificateRequest, planner.CertificateValidate, planner.CertificateIssued, planner.PolicyEnsure,
		planner.DistributionCreate, planner.DistributionDeployed, planner.LinksVerify, planner.TTLLower,
		planner.DNSSwitch, planner.DNSPropagated, planner.TrafficWatch, planner.TTLRestore,
		planner.AccessGrant, planner.AccessControl, planner.AccessDeployed, planner.AccessVerify, planner.BucketLock, planner.LockVerified,
	}
	var names []string
	for _, k := range kinds {
		names = append(names, string(k))
	}
	return names
}

// again is the command that goes on with this run: the same flags without
// those that are for one run. Values of -var may be secret; only their names
// are repeated.
// Flags named in without are left out too.
func (a *app) again(c *cobra.Command, args []string, without ...string) string {
	words := []string{c.CommandPath()}
	c.Flags().Visit(func(f *pflag.Flag) {
		if slices.Contains(without, f.Name) {
			return
		}
		switch f.Name {
		case "json", "json-into", "md-into", "html-into", "input", "no-color", "trace":
			return
		case "var":
			for _, v := range a.flags.vars {
				name, _, _ := strings.Cut(v, "=")
				words = append(words, view.Quote("-var="+name+"=…"))
			}
			return
		}
		if list, ok := f.Value.(pflag.SliceValue); ok {
			for _, v := range list.GetSlice() {
				words = append(words, view.Quote("-"+f.Name+"="+v))
			}
			return
		}
		word := "-" + f.Name
		if f.NoOptDefVal == "" || f.Value.String() != f.NoOptDefVal {
			word += "=" + f.Value.String()
		}
		words = append(words, view.Quote(word))
	})
	for _, arg := range args {
		words = append(words, view.Quote(arg))
	}
	return strings.Join(words, " ")
}
