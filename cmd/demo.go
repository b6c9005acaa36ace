package cmd

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/edgeward/edgeward/cmd/view"
	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/planner"
	"github.com/edgeward/edgeward/providers"
	"github.com/edgeward/edgeward/providers/sandbox"
	"github.com/spf13/cobra"
)

const (
	// demoPace is how much faster than real time the demo's world is.
	demoPace = 75
	// demoTTL is what the demo's records have: ten minutes, so that lowering it
	// and waiting it out is to be seen and does not take the whole demo.
	demoTTL = 10 * time.Minute
	// demoWatch is how long a name is watched after its switch: long enough for
	// CloudWatch to have counted some minutes.
	demoWatch = 10 * time.Minute
	// demoVisits is how often its visitors come.
	demoVisits = time.Second
	// demoLines is how often a pipe gets the visitors' count, demoFrames how often
	// a terminal gets a frame; both in the time of the simulation.
	demoLines  = time.Minute
	demoFrames = demoPace * 100 * time.Millisecond
	// demoSettle is how long the visitors go on after the end: longer than the
	// window that their shares are counted in.
	demoSettle = 2 * time.Minute
)

const demoNext = `
With buckets of your own:
  edgeward init             writes a commented edgeward.hcl; edit it
  edgeward plan -sandbox    runs it against a simulated world first
  edgeward plan             shows what there is to do, and changes nothing
  edgeward apply            asks, and does it
`

func (a *app) demoCommand() *cobra.Command {
	return &cobra.Command{
		Use: "demo", GroupID: groupTry,
		Short: "Show the whole job in a simulated world, in half a minute",
		Long: `demo moves three buckets behind CloudFront in a simulated world: one reached by a
CNAME of its REST endpoint, one of its website endpoint, and one at a zone's
apex. Visitors fetch objects all the time, and their requests, their failures
and who served them are counted. It needs no account and no network.

Exit codes:
  0    no visitor missed an object, and CloudFront serves them all
  1    otherwise
  130  interrupted`,
		Example:     "  edgeward demo\n  edgeward demo | tail -1",
		Args:        noArguments,
		Annotations: map[string]string{noFolder: "yes"},
		RunE:        func(c *cobra.Command, _ []string) error { return a.demoRun(c.Context(), demoPace) },
	}
}

// demoRun is the demo in a world that is pace times as fast as real time, or as
// fast as can be for 0.
func (a *app) demoRun(ctx context.Context, pace float64) error {
	c := demoConfig()
	s := sandbox.New(demoOptions(c, pace))
	s.StartVisitors(ctx, demoVisits)
	w := s.Providers()
	o := planner.Options{Goal: planner.Migrate}
	a.command("plan")
	p, err := planner.Make(ctx, w, c, o)
	if err != nil {
		return err
	}
	fmt.Fprintln(a.stdout, view.Plan(p, a.out))
	a.command("apply")
	d := a.newDemo(s, w.Clock, p)
	x := &planner.Executor{World: w, Config: c, Options: o, Events: d.event}
	stop := d.watch(ctx)
	r := x.Apply(ctx, p)
	// The shares are those of the last minute: let a minute of the time after pass.
	err = w.Clock.Sleep(ctx, demoSettle)
	stop()
	if err != nil {
		return err
	}
	d.show()
	fmt.Fprint(a.stdout, "\n"+view.Report(r, view.Commands{GoOn: "edgeward apply", Retry: "edgeward apply"}, a.out)+"\n")
	a.command("status")
	st, err := planner.MakeStatus(ctx, w, c, o)
	if err != nil {
		return err
	}
	fmt.Fprintln(a.stdout, view.Status(st, a.out))
	return a.demoEnd(s.Visitors(), r)
}

func (a *app) command(name string) { fmt.Fprintf(a.stdout, "$ edgeward %s\n\n", name) }

// demoEnd says the visitors' count as the last line of the results.
func (a *app) demoEnd(v sandbox.VisitorReport, r planner.Report) error {
	s3, cloudFront := v.Share()
	for _, f := range v.Failures {
		fmt.Fprintln(a.stderr, "failed:", f)
	}
	fmt.Fprintln(a.stdout, view.Visitors(v.Requests, v.Failed, s3, cloudFront))
	fmt.Fprint(a.stderr, demoNext)
	if v.Requests == 0 || v.Failed > 0 || s3 != 0 || cloudFront != 100 || r.ExitCode() != exitDone {
		return exit(exitRefused)
	}
	return nil
}

// demoConfig is what the demo's user would have written.
func demoConfig() *config.Config {
	const provider = "dns_provider.route53.main"
	bucket := func(label, name, zone, origin string) config.Bucket {
		return config.Bucket{
			Address: "bucket." + label, Name: name, Region: sandboxRegion, Origin: origin,
			CNAMEs: []config.CNAME{{Name: name, DNSProvider: provider, Zone: zone}},
			Verify: config.Verify{Paths: []string{"/index.html"}, Sample: 20, MaxAge: 15 * time.Minute},
			DNS:    config.DNS{LowTTL: time.Minute},
			Watch:  config.Watch{For: demoWatch, MaxErrorRate: 1, MinRequests: 100, Rollback: true, S3Metrics: true},
		}
	}
	return &config.Config{
		Dir: ".",
		Buckets: []config.Bucket{
			bucket("apex", "example.org", "example.org", "auto"),
			bucket("assets", "assets.example.com", "example.com", "auto"),
			bucket("site", "www.example.com", "example.com", "website"),
		},
		Accounts:     []config.Account{{}},
		DNSProviders: []config.DNSProvider{{Address: provider, Type: "route53", Name: "main", Zones: []string{"example.com", "example.org"}}},
		Rollout:      config.Rollout{Parallelism: 10, MaxFailures: -1},
		Limits:       config.NoLimits(),
	}
}

func demoOptions(c *config.Config, pace float64) sandbox.Options {
	o := sandboxOptions(c)
	for i := range o.DNS {
		for j := range o.DNS[i].Records {
			if r := &o.DNS[i].Records[j].Record; !r.Alias {
				r.TTL = demoTTL
			}
		}
	}
	o.Clock, o.Seed = sandbox.NewClock(time.Time{}, pace), sandboxSeed
	o.Issue = sandbox.Span{Min: 30 * time.Second, Max: 2 * time.Minute}
	o.Deploy = sandbox.Span{Min: 2 * time.Minute, Max: 5 * time.Minute}
	return o
}

// demo shows a run as it goes: lines in a pipe, a live screen on a terminal.
type demo struct {
	a     *app
	world *sandbox.World
	clock providers.Clock
	live  bool
	start time.Time

	mu       sync.Mutex
	progress *view.Progress
	buckets  []view.ScreenBucket
	at       map[string]int
	repaint  view.Repaint
}

func (a *app) newDemo(s *sandbox.World, clock providers.Clock, p planner.Plan) *demo {
	d := &demo{a: a, world: s, clock: clock, live: a.live(), start: clock.Now(), progress: view.NewProgress(p, a.out), at: map[string]int{}}
	for i, bp := range p.Buckets {
		d.at[bp.Address] = i
		d.buckets = append(d.buckets, view.ScreenBucket{Name: bp.Bucket, Steps: len(bp.Steps)})
	}
	return d
}

func (d *demo) event(e planner.Event) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.live {
		fmt.Fprint(d.a.stdout, d.progress.Event(e))
	}
	i, ok := d.at[e.Address]
	if !ok || e.Kind == "" {
		return
	}
	b := &d.buckets[i]
	switch e.Status {
	case planner.EventDone:
		b.Done = min(b.Done+1, b.Steps)
		if b.Doing == e.Kind {
			b.Why = "done"
		}
	case planner.EventStarted, planner.EventWaiting, planner.EventFailed:
		b.Doing, b.Why = e.Kind, e.Why
	}
}

// watch shows the visitors every so often until stop is called.
func (d *demo) watch(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	every := demoLines
	if d.live {
		every = demoFrames
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for d.clock.Sleep(ctx, every) == nil {
			d.show()
		}
	})
	return func() { cancel(); wg.Wait() }
}

// show draws a frame or writes a line.
func (d *demo) show() {
	v := d.world.Visitors()
	s3, cloudFront := v.Share()
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.live {
		fmt.Fprintln(d.a.stdout, d.clock.Now().Format(time.TimeOnly)+" "+view.Visitors(v.Requests, v.Failed, s3, cloudFront))
		return
	}
	frame := view.Frame(view.Screen{
		Elapsed: d.clock.Now().Sub(d.start), Buckets: d.buckets,
		Requests: v.Requests, Failed: v.Failed, S3: s3, CloudFront: cloudFront,
	}, d.a.out)
	columns, rows := view.Size(d.a.stdout.w)
	fmt.Fprint(d.a.stdout, d.repaint.Draw(view.Fit(frame, columns, rows), columns))
}
