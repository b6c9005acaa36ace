package cmd

import (
	"context"
	"fmt"
	"slices"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/planner"
	"github.com/edgeward/edgeward/providers"
	"github.com/edgeward/edgeward/providers/aws"
	"github.com/edgeward/edgeward/providers/dns"
	"github.com/edgeward/edgeward/providers/probe"
	"github.com/edgeward/edgeward/providers/sandbox"
)

// world is what a command works on: the real one, or a sandbox, which is nil
// for the real one.
type world struct {
	providers.World
	sandbox *sandbox.World
	// lock is nil without a run_lock, and in a sandbox, which nobody shares.
	lock providers.LockStore
	// config is the configuration to use with it.
	config *config.Config
}

// inWorld runs f on the world of c, or on one simulated after it.
func (a *app) inWorld(ctx context.Context, c *config.Config, f func(context.Context, world) error) error {
	if err := a.traceConfig(c); err != nil {
		return err
	}
	if a.flags.sandbox {
		return f(ctx, a.simulate(ctx, c, nil))
	}
	w, err := realWorld(c, a.trace)
	if err != nil {
		return err
	}
	return f(ctx, w)
}

// realWorld turns configuration values into adapters. It does no I/O but
// reading probe.ca_file. trace may be nil.
func realWorld(c *config.Config, trace *traceFile) (world, error) {
	clock := providers.RealClock{}
	w := world{World: providers.World{Clock: clock, Accounts: map[string]providers.Account{}, DNS: map[string]providers.DNS{}}, config: c}
	limiters := providers.NewLimiters(clock)
	w.Rates = limiters.Rates
	clients := map[string]*aws.Client{}
	for _, account := range c.Accounts {
		client := aws.New(aws.Options{
			Clock: clock, Profile: account.Profile, RoleARN: account.RoleARN, ExternalID: account.ExternalID,
			Region: account.Region, Version: buildVersion(), Limiters: limiters, Several: len(c.Accounts) > 1,
			Trace: trace.ofAccount(account.Name),
		})
		clients[account.Name] = client
		w.Accounts[account.Name] = client.Account()
	}
	if l := c.RunLock; l != nil {
		w.lock = clients[l.Account].LockStore(l.Bucket, l.Key, l.Region)
	}
	resolver, err := probe.NewResolver(probe.ResolverOptions{
		Resolvers: c.Probe.Resolvers, ConnectTo: c.Probe.ConnectTo, CAFile: c.Probe.CAFile, Clock: clock, Trace: trace.of(""),
	})
	if err != nil {
		return w, err
	}
	w.Resolver = resolver
	for _, p := range c.DNSProviders {
		provider, err := newDNS(p, clients[p.Account], w.World, limiters, trace)
		if err != nil {
			return w, fmt.Errorf("make %s: %w", p.Address, err)
		}
		w.DNS[p.Address] = provider
	}
	web, err := probe.NewWeb(probe.WebOptions{ConnectTo: c.Probe.ConnectTo, CAFile: c.Probe.CAFile, Version: buildVersion(), Trace: trace.of("")})
	if err != nil {
		return w, err
	}
	w.Web = web
	return w, nil
}

func newDNS(p config.DNSProvider, account *aws.Client, w providers.World, limiters *providers.Limiters, trace *traceFile) (providers.DNS, error) {
	types := dns.Types()
	i := slices.IndexFunc(types, func(t dns.Type) bool { return t.Name == p.Type })
	if i < 0 {
		return nil, fmt.Errorf("no such type of DNS provider: %q", p.Type)
	}
	o := dns.Options{Zones: p.Zones, Settings: p.Settings, Resolver: w.Resolver, Nameservers: p.Nameservers, Clock: w.Clock, Limiters: limiters,
		Trace: trace.of(p.Address)}
	if account != nil {
		o.AWS, o.LimitScope = account.Config, account.LimitScope
	}
	return types[i].New(o)
}

// dnsTypes is the table of DNS providers as config reads it, with those that
// are refused.
func dnsTypes(table []dns.Type) []config.DNSType {
	var types []config.DNSType
	for _, t := range table {
		row := config.DNSType{Type: t.Name}
		for _, s := range t.Settings {
			row.Settings = append(row.Settings, config.Setting(s))
		}
		types = append(types, row)
	}
	for _, r := range dns.Refused() {
		types = append(types, config.DNSType{Type: r.Name, Refused: r.Sentence()})
	}
	return types
}

// migrateFirst brings a sandbox to the state that a rollback begins at.
func (a *app) migrateFirst(ctx context.Context, w world) error {
	o := planner.Options{Goal: planner.Migrate}
	p, err := planner.Make(ctx, w.World, w.config, o)
	if err != nil {
		return err
	}
	x := &planner.Executor{World: w.World, Config: w.config, Options: o, Events: func(planner.Event) {}, WaitTimeout: sandboxPatience}
	x.Apply(ctx, p)
	fmt.Fprintln(a.stderr, "sandbox: the buckets were moved behind CloudFront first")
	return ctx.Err()
}
