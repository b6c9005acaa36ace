package planner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/providers"
)

// Readiness is what discover says of a name that S3 serves.
type Readiness string

// The verdicts. What is ready has a plan without a warning; NeedsAnswer has one
// with a warning that a person should read first; ByHand has no plan.
const (
	Ready       Readiness = "ready"
	NeedsAnswer Readiness = "needs an answer"
	ByHand      Readiness = "by hand"
)

// Discovery is what discover found. It is plain data without secrets, and the same
// for the same world.
type Discovery struct {
	FormatVersion string           `json:"format_version"`
	Summary       DiscoverySummary `json:"summary"`
	// Names are those that lead to S3 and are not configured yet: takeovers first,
	// then by verdict and name.
	Names []FoundName `json:"names"`
	// Unnamed are buckets of the accounts to which no name of the zones leads, by name.
	Unnamed  []UnnamedBucket `json:"unnamed_buckets,omitempty"`
	Accounts []ListedAccount `json:"accounts"`
	Zones    []ListedZone    `json:"zones"`
	// Findings are about the search as a whole.
	Findings []Finding `json:"findings,omitempty"`
}

// DiscoverySummary counts what was found.
type DiscoverySummary struct {
	Ready       int `json:"ready"`
	NeedsAnswer int `json:"needs_answer"`
	ByHand      int `json:"by_hand"`
	// Takeovers are those by hand whose bucket anybody may create.
	Takeovers int `json:"takeovers"`
	// Configured names lead to S3 and have a bucket block already.
	Configured int `json:"configured"`
	// Unnamed buckets have no name that leads to them.
	Unnamed int `json:"unnamed"`
}

// FoundName is one name that leads to S3.
type FoundName struct {
	Name string `json:"name"`
	// Address is the one of the block that is written for it; "" when none can be.
	Address     string `json:"address,omitempty"`
	DNSProvider string `json:"dns_provider"`
	Zone        string `json:"zone"`
	// Record is what stands at the name, or at the wildcard that covers it.
	Record string `json:"record"`
	// Via are the names between this one and S3, in order; none for a record that
	// points at S3 itself.
	Via []string `json:"via,omitempty"`
	// Endpoint is "rest" or "website".
	Endpoint string `json:"endpoint"`
	// Account is the label of the aws block whose account has the bucket of this name,
	// "" for the default chain or when none has.
	Account string `json:"account,omitempty"`
	// Region is "" when nobody told.
	Region  string    `json:"region,omitempty"`
	Verdict Readiness `json:"verdict"`
	// Takeover: no bucket has this name, so anybody who makes one serves the name.
	Takeover bool `json:"takeover,omitempty"`
	// Findings are the plan's own, errors first, and those of the search.
	Findings []Finding `json:"findings,omitempty"`
	// explicit is the provider that has to be written down, since the zone alone
	// leads to another.
	explicit string
	wildcard bool
	// ends is the S3 endpoint that it leads to.
	ends endpoint
}

// UnnamedBucket is a bucket to which no name of the zones leads.
type UnnamedBucket struct {
	Name    string `json:"name"`
	Account string `json:"account,omitempty"`
	Region  string `json:"region,omitempty"`
	// Record is what stands at its name instead, "" for nothing.
	Record string `json:"record,omitempty"`
	// Zone is the zone of the configuration that its name is in, "" for none.
	Zone string `json:"zone,omitempty"`
}

// ListedAccount is an account whose buckets were listed, or could not be.
type ListedAccount struct {
	// Name is the label of the aws block, "" for the default chain.
	Name    string `json:"name"`
	Buckets int    `json:"buckets"`
	// Why says why they could not be listed, or "".
	Why string `json:"why,omitempty"`
}

// ListedZone is a zone whose names were listed, or could not be.
type ListedZone struct {
	Name        string `json:"name"`
	DNSProvider string `json:"dns_provider"`
	// Names counts those with an address record.
	Names int `json:"names"`
	// Why says why they could not be listed, or "".
	Why string `json:"why,omitempty"`
	// OneByOne: the names of the buckets were looked at instead, Names of them exist.
	OneByOne bool `json:"one_by_one,omitempty"`
	// Unread counts those of them whose look failed.
	Unread int `json:"unread,omitempty"`
}

// Incomplete are the zones and accounts that a fault kept from being read, so that
// names may be missing. Zones that were looked at name by name are not among them.
func (d Discovery) Incomplete() []string {
	var out []string
	for _, z := range d.Zones {
		switch {
		case z.Why != "" && !z.OneByOne:
			out = append(out, "zone "+z.Name+" of "+z.DNSProvider)
		case z.Unread > 0:
			out = append(out, fmt.Sprintf("%d names of zone %s", z.Unread, z.Name))
		}
	}
	for _, a := range d.Accounts {
		if a.Why != "" {
			out = append(out, accountWords(a.Name))
		}
	}
	return out
}

func accountWords(label string) string {
	if label == "" {
		return "the account of the default credentials"
	}
	return "account aws." + label
}

// DiscoverOptions choose what is searched.
type DiscoverOptions struct {
	// Targets and Excludes are names or addresses, "*" allowed; empty means all, none.
	Targets, Excludes []string
	// Parallelism is how many things are looked at at the same time; 0 means the
	// configuration's.
	Parallelism int
	// Load gives the configuration with the blocks that would be written, as it would
	// be read from the folder, and why a block cannot be, by name.
	Load func([]config.Found) (*config.Config, map[string]string, error)
}

// Discover lists the buckets of every account and the zones of every provider of c,
// follows what leads to S3, and judges each name as a plan would. Settings of a
// bucket are read only when a name leads to it. A zone or an account that cannot be
// read is said in the result; the error is for what stops the whole search:
// credentials, ctx, a target that matches nothing.
func Discover(ctx context.Context, w providers.World, c *config.Config, o DiscoverOptions) (Discovery, error) {
	s := &search{w: w, c: c, o: o, sets: map[string]placedSet{}, buckets: map[string]ownedBucket{}}
	for _, step := range []func(context.Context) error{s.listAll, s.lookOneByOne, s.follow, s.judge, s.quotas} {
		if err := step(ctx); err != nil {
			return Discovery{}, err
		}
	}
	return s.result(), nil
}

// search is one Discover.
type search struct {
	w providers.World
	c *config.Config
	o DiscoverOptions

	accounts []ListedAccount
	zones    []ListedZone
	// sets are what stands at each name of the zones, buckets what the accounts have.
	sets    map[string]placedSet
	buckets map[string]ownedBucket
	// found are the names that lead to S3; configured counts those that c has.
	found      []FoundName
	configured int
	// wild are the wildcards that lead to S3, chosen or not.
	wild     []FoundName
	findings []Finding
}

// placedSet is what stands at a name, and where.
type placedSet struct {
	providers.RecordSet
	provider string
}

type ownedBucket struct {
	providers.BucketEntry
	account string
}

func (s *search) each(ctx context.Context) (*errgroup.Group, context.Context) {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(parallelism(s.c, Options{Parallelism: s.o.Parallelism}))
	return g, gctx
}

// listAll lists every account and every zone, each once.
func (s *search) listAll(ctx context.Context) error {
	g, gctx := s.each(ctx)
	for _, a := range s.c.Accounts {
		s.accounts = append(s.accounts, ListedAccount{Name: a.Name})
	}
	buckets := make([][]providers.BucketEntry, len(s.accounts))
	for i := range s.accounts {
		g.Go(func() (err error) {
			defer providers.Recovered(&err)
			buckets[i], err = s.w.Accounts[s.accounts[i].Name].Buckets.List(gctx)
			s.accounts[i].Why = whyUnread(err)
			return onlyFatal(gctx, err)
		})
	}
	for _, p := range s.c.DNSProviders {
		for _, z := range p.Zones {
			s.zones = append(s.zones, ListedZone{Name: z, DNSProvider: p.Address})
		}
	}
	sets := make([][]providers.RecordSet, len(s.zones))
	for i := range s.zones {
		g.Go(func() (err error) {
			defer providers.Recovered(&err)
			z := &s.zones[i]
			sets[i], err = s.w.DNS[z.DNSProvider].List(gctx, z.Name)
			z.Why, z.Names = whyUnread(err), len(sets[i])
			z.OneByOne = errors.Is(err, providers.ErrUnlistable)
			return onlyFatal(gctx, err)
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for i, list := range buckets {
		s.accounts[i].Buckets = len(list)
		for _, b := range list {
			if _, seen := s.buckets[b.Name]; !seen { // two aws blocks of one account list the same
				s.buckets[b.Name] = ownedBucket{b, s.accounts[i].Name}
			}
		}
	}
	for i, list := range sets {
		for _, set := range list {
			s.add(s.zones[i], set)
		}
	}
	return nil
}

// add keeps a set; of two zones that hold its name the longer one answers for it,
// and of two providers with the same zone the first.
func (s *search) add(z ListedZone, set providers.RecordSet) {
	if had, seen := s.sets[set.Name]; !seen || len(had.Zone) < len(z.Name) {
		set.Zone = z.Name
		s.sets[set.Name] = placedSet{set, z.DNSProvider}
	}
}

// whyUnread is an error as a report says it.
func whyUnread(err error) string {
	if err == nil {
		return ""
	}
	why := err.Error()
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		why += ". " + h.Hint()
	}
	return why
}

func onlyFatal(ctx context.Context, err error) error {
	if stopsAll(ctx, err) {
		return err
	}
	return nil
}

// lookOneByOne looks at the names of the buckets in zones that cannot be listed.
func (s *search) lookOneByOne(ctx context.Context) error {
	var names []string
	for name := range s.buckets {
		if z := s.zoneOf(name); z >= 0 && s.zones[z].OneByOne {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	sets, errs := make([]providers.RecordSet, len(names)), make([]error, len(names))
	g, gctx := s.each(ctx)
	for i, name := range names {
		g.Go(func() (err error) {
			defer providers.Recovered(&err)
			sets[i], errs[i] = s.w.DNS[s.zones[s.zoneOf(name)].DNSProvider].Look(gctx, name)
			return onlyFatal(gctx, errs[i])
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for i, name := range names {
		z := &s.zones[s.zoneOf(name)]
		switch {
		case errs[i] != nil:
			z.Unread++
			s.findings = append(s.findings, Finding{Warning, codeLookFailed, "the record of " + name + " could not be looked at", whyUnread(errs[i])})
		case len(sets[i].Records) > 0:
			z.Names++
			s.add(*z, sets[i])
		}
	}
	return nil
}

// zoneOf is the index of the longest zone that holds name, -1 for none.
func (s *search) zoneOf(name string) int {
	best := -1
	for i, z := range s.zones {
		if (name == z.Name || strings.HasSuffix(name, "."+z.Name)) && (best < 0 || len(z.Name) > len(s.zones[best].Name)) {
			best = i
		}
	}
	return best
}

// result puts everything in its order.
func (s *search) result() Discovery {
	d := Discovery{FormatVersion: FormatVersion, Names: []FoundName{}, Accounts: s.accounts, Zones: s.zones, Findings: s.findings}
	d.Names = append(d.Names, s.found...)
	rank := map[Readiness]int{Ready: 1, NeedsAnswer: 2, ByHand: 3}
	slices.SortFunc(d.Names, func(x, y FoundName) int {
		rx, ry := rank[x.Verdict], rank[y.Verdict]
		if x.Takeover {
			rx = 0
		}
		if y.Takeover {
			ry = 0
		}
		return cmp.Or(cmp.Compare(rx, ry), cmp.Compare(x.Name, y.Name))
	})
	d.Unnamed = s.unnamed()
	d.Summary = DiscoverySummary{Configured: s.configured, Unnamed: len(d.Unnamed)}
	for _, n := range d.Names {
		switch n.Verdict {
		case Ready:
			d.Summary.Ready++
		case NeedsAnswer:
			d.Summary.NeedsAnswer++
		case ByHand:
			d.Summary.ByHand++
		}
		if n.Takeover {
			d.Summary.Takeovers++
		}
	}
	return d
}

// unnamed are the buckets to which nothing leads; none where names were chosen.
func (s *search) unnamed() []UnnamedBucket {
	led := map[string]bool{}
	for _, n := range s.found {
		led[n.Name] = true
	}
	for _, b := range s.c.Buckets {
		led[b.Name] = true
	}
	var out []UnnamedBucket
	for name, b := range s.buckets {
		if led[name] || !s.chosen(name, "") {
			continue
		}
		u := UnnamedBucket{Name: name, Account: b.account, Region: b.Region, Record: showRecords(s.sets[name].Records)}
		if z := s.zoneOf(name); z >= 0 {
			u.Zone = s.zones[z].Name
		}
		out = append(out, u)
	}
	slices.SortFunc(out, func(x, y UnnamedBucket) int { return cmp.Compare(x.Name, y.Name) })
	return out
}

// chosen says whether -target and -exclude leave a name, which may have an address.
func (s *search) chosen(name, address string) bool {
	is := func(patterns []string) bool {
		return matchesAny(patterns, name) || address != "" && matchesAny(patterns, address)
	}
	return (len(s.o.Targets) == 0 || is(s.o.Targets)) && !is(s.o.Excludes)
}

// Found are the blocks to write for d: what has no plan is written as a comment.
// A wildcard has none.
func (d Discovery) Found() []config.Found {
	var out []config.Found
	for _, n := range d.Names {
		if n.wildcard {
			continue
		}
		f := config.Found{Bucket: n.Name, Region: n.Region, Account: n.Account, DNSProvider: n.explicit, Off: n.Verdict == ByHand}
		f.Said = append(f.Said, fmt.Sprintf("%s: %s, %s", n.Verdict, n.Record, endpointWords(n.Endpoint)))
		for _, x := range n.Findings {
			if x.Severity != Note {
				f.Said = append(f.Said, fmt.Sprintf("%s: %s: %s", x.Code, x.Summary, x.Detail))
			}
		}
		out = append(out, f)
	}
	slices.SortFunc(out, func(x, y config.Found) int { return cmp.Compare(x.Bucket, y.Bucket) })
	return out
}

func endpointWords(kind string) string {
	if kind == string(providers.WebsiteOrigin) {
		return "S3's website endpoint"
	}
	return "S3's REST endpoint"
}
