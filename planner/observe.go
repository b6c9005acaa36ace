package planner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/providers"
)

// Part is what an observation covers.
type Part uint

// The parts. PartNames (records and distribution, from sweeps) is always read.
const (
	PartTags          Part = 1 << iota // exact tags of the distribution
	PartFull                           // settings that no sweep has
	PartBucket                         // S3's settings
	PartObjects                        // the listing that test links are picked from
	PartCertificate                    // certificates that cover the names
	PartValidation                     // the validation records, at every authoritative server
	PartPolicy                         // cache policies
	PartAuthoritative                  // what every authoritative server answers
	PartResolvers                      // what the resolvers answer

	// partTraffic probes and counts what visitors of a switched bucket meet.
	partTraffic
	// partCount reads whether S3 counts requests, where that is asked for; with partLeft
	// also where it may have been left on.
	partCount

	// partFinished asks the world even about a finished bucket; partLazy asks it
	// only where a plan to migrate needs the answer.
	partFinished
	partLazy
	// partProof reads what a comparison needs even where the names are switched.
	partProof
	// partSwept: what the sweep tells of a finished bucket's tags is enough.
	partSwept
	// partShape is what decides how a distribution is made: where the bucket is, and
	// its CORS rules.
	partShape
	// partLinks is what links are picked from and compared by, while they are not
	// proven.
	partLinks
	partLeft

	PartNames Part = 0
	partAll        = PartTags | PartFull | PartBucket | PartObjects | PartCertificate |
		PartValidation | PartPolicy | PartAuthoritative | PartResolvers | partCount
)

// serving is who a visitor reaches by a record.
type serving string

const (
	servesNobody    serving = "nobody"
	servesS3        serving = "S3"
	servesOurs      serving = "CloudFront"
	servesElsewhere serving = "somewhere else"
	servesUnknown   serving = "unknown"
)

// Actual is what was observed of one bucket. Stages judge it; it holds no
// client and is never shared between steps.
type Actual struct {
	Now time.Time
	// Limits are the configuration's.
	Limits config.Limits
	Names  []NameActual
	// Dist is the bucket's own distribution, nil when there is none.
	Dist *providers.Distribution
	// Rivals are other distributions of the account that hold one of the names;
	// Wildcards those that cover one.
	Rivals, Wildcards []providers.Distribution
	// Asked are the names that the distribution is still to get, with who else has
	// them; where CloudFront can be asked, and for plans alone.
	Asked  []askedName
	Crumbs crumbs
	// Exact says that Crumbs were read exactly and not from the sweep.
	Exact  bool
	Bucket *providers.Bucket
	// Objects are those that test links are picked from, in the order of their
	// keys: all, or a part of them when Partial.
	Objects []providers.Object
	Partial bool
	// Certs are those that cover all names; Chosen is the one to use, or nil.
	Certs  []providers.Certificate
	Chosen *providers.Certificate
	// Live is the certificate of a finished bucket's distribution, read for drift
	// alone; its Status is "gone" when ACM has none of that ARN.
	Live        *providers.Certificate
	Validations []validationActual
	// Shared are the names of the certificate that is to be requested for several
	// buckets, this one's among them; none where it gets one by itself. Alone: it
	// would share one, but a name of its own cannot be validated.
	Shared []config.CNAME
	Alone  bool
	// CAA is read where a certificate has to be requested, an entry a name.
	CAA      []caaActual
	Policies []providers.CachePolicy
	// Looks are facts for findings alone.
	Looks looks
	// Counted is the filter under which S3 counts all requests, or "".
	Counted string
	// Watched is what visitors of a switched bucket meet.
	Watched watched
	// Access is who may read the bucket, nil when nothing hung on it.
	Access *accessActual
	// NoEvidence: a lock without evidence is accepted.
	NoEvidence bool
	// Findings are what the looks themselves found.
	Findings []Finding
	// Retry: the hold of this bucket is lifted.
	Retry bool
	// HTTPS is why browsers would go on with https after a way back, "" where nothing
	// was seen; looked at for ways back alone.
	HTTPS string
	// Lost is why visitors would not be served after a way back, nil where nothing was
	// seen; looked at for ways back alone. S3Loss: that is accepted.
	Lost   *Finding
	S3Loss bool
	read   Part
}

// NameActual is one of the bucket's names.
type NameActual struct {
	CNAME    config.CNAME
	Features providers.Features
	Set      providers.RecordSet
	Serves   serving
	// Endpoint is set when the name is served by S3.
	Endpoint      endpoint
	Authoritative []providers.Answer
	Resolved      []providers.Answer
	// Flattened: the provider answers with the addresses of the CNAME's target.
	Flattened bool
	// Instead is what authoritative servers answer for a name that has no record,
	// Whole that all do; Wildcard is the record that is answered in its place, nil
	// where none is known, and Vacant says that S3, where it leads, has no bucket of
	// the name. They are looked at for plans alone.
	Instead  []providers.Answer
	Whole    bool
	Wildcard *providers.RecordSet
	Vacant   bool
	// Unasked is why the authoritative servers could not be asked, where a verdict
	// can do without: in plans, in status, after a way back.
	Unasked error
	// Edge is for alias records, where no answer shows the target: nil when every
	// address that was answered is where the record points (an edge with our
	// certificate, or S3).
	Edge error
}

// validationActual is a validation record and who answers it.
type validationActual struct {
	providers.Validation
	provider string
	zone     string
	// others: it is for a name of another bucket, which shares the certificate; no
	// server is asked for it.
	others bool
	// stands: the provider has the record; unseen is why that is not known.
	stands  bool
	unseen  error
	answers []providers.Answer
}

// has says whether parts were read.
func (a Actual) has(p Part) bool { return a.read&p == p }

// switched says that every name is the distribution's.
func (a Actual) switched() bool {
	return !slices.ContainsFunc(a.Names, func(n NameActual) bool { return n.Serves != servesOurs })
}

// finished says that an earlier run ended the migration, and nothing has
// turned a name away since.
func (a Actual) finished() bool {
	return a.switched() && a.Crumbs[crumbFinished] != "" && !a.Crumbs.held()
}

// ttl is the TTL of the name's records; false when they have none of their own.
func (n NameActual) ttl() (time.Duration, bool) {
	for _, r := range n.Set.Records {
		if !r.Alias && !r.Proxied {
			return r.TTL, true
		}
	}
	return 0, false
}

// alias says that look-ups cannot show the target of the name's record: it is
// an alias, flattened, or behind the provider's proxy.
func (n NameActual) alias() bool {
	return n.Flattened || n.Features.Flatten && n.CNAME.Name == n.Set.Zone && n.cname() != "" ||
		slices.ContainsFunc(n.Set.Records, func(r providers.Record) bool { return r.Alias || r.Proxied })
}

// cname is the target of an ordinary CNAME, "" when there is none.
func (n NameActual) cname() string {
	if rs := n.Set.Records; len(rs) == 1 && rs[0].Type == "CNAME" && !rs[0].Alias && !rs[0].Proxied {
		return rs[0].Value
	}
	return ""
}

// proxied says that the provider's proxy answers for the name.
func (n NameActual) proxied() bool {
	return slices.ContainsFunc(n.Set.Records, func(r providers.Record) bool { return r.Proxied })
}

// Observe looks at the parts of one bucket that a verdict may need. When a
// later stage shows that an earlier one is done, the earlier one's facts are
// not fetched (rule 14). An error means that no verdict can be given (rule 1).
func Observe(ctx context.Context, w providers.World, c *config.Config, b config.Bucket, parts Part) (Actual, error) {
	o := observer{w: w, acc: w.Accounts[b.Account], c: c, b: b}
	o.a = Actual{Now: w.Clock.Now(), Limits: c.Limits, Names: make([]NameActual, len(b.CNAMEs))}
	if err := o.names(ctx); err != nil {
		return o.a, err
	}
	_, _, lowering := o.a.Crumbs.wasTTL()
	lazy, compares := parts&partLazy != 0 && !o.a.switched(), parts&partProof != 0
	o.plans = lazy
	o.spare = lazy && !lowering || parts&partFinished != 0
	steps := []struct {
		part Part
		skip bool
		look func(context.Context) error
	}{
		{PartTags, o.a.Dist == nil || o.a.Exact || parts&partSwept != 0 && o.a.finished(), o.tags},
		{PartFull, o.a.Dist == nil || !o.wantsFull() && !compares, o.full},
		{PartBucket, o.a.switched() && !compares, o.bucket},
		{partShape, o.a.switched() || o.shaped(), o.shape},
		{partCount, parts&partLeft == 0 && (!b.Watch.S3Metrics || o.a.begun()), o.counted},
		{PartObjects, o.a.switched() && !compares, o.objects},
		{partLinks, o.a.switched(), o.links},
		{PartCertificate, o.covered(), o.certificates},
		{partLazy, !o.gains(), o.conflicts},
		{PartValidation, false, o.validations},
		{PartPolicy, o.a.Dist != nil && o.a.Dist.Settings.CachePolicyID != "" || b.Distribution.CachePolicy != nil, o.policies},
		{partLazy, o.a.switched(), o.looks},
		{PartAuthoritative, false, o.authoritative},
		{PartResolvers, lazy, o.resolvers},
		{partTraffic, !o.a.switched() || b.Watch.For == 0 || o.a.Dist == nil, o.watch},
		{PartAccess, false, func(ctx context.Context) error { return o.access(ctx, parts) }},
	}
	for _, s := range steps {
		if parts&s.part == 0 || s.skip || o.blind(s.part) ||
			o.a.finished() && s.part != PartFull && parts&(partFinished|partProof) == 0 && !(s.part&(PartTags|PartAccess) != 0 && (o.locking() || parts&partUnlock != 0)) &&
				!(s.part == PartTags && o.a.Crumbs[crumbCounting] != "") {
			continue
		}
		if err := s.look(ctx); err != nil {
			return o.a, err
		}
		o.a.read |= s.part
	}
	return o.a, nil
}

// observer fills one Actual.
type observer struct {
	w   providers.World
	acc providers.Account
	c   *config.Config
	b   config.Bucket
	a   Actual
	// spare: no act hangs on the authoritative servers, only a finding, or a wait.
	spare bool
	// plans: the look is for the plan of a bucket that is not switched.
	plans bool
}

// blind says that looking further at S3 makes no sense: the bucket is not
// there, or may not be read.
func (o *observer) blind(p Part) bool {
	return p == PartObjects && o.a.Bucket == nil
}

// wantsFull: settings that a sweep does not have are read only for buckets that
// set them, and for adopted distributions.
func (o *observer) wantsFull() bool {
	d := o.b.Distribution
	return d.DefaultRootObject != nil || d.Logging != nil
}

// names reads the records from their providers and the distributions, both
// answered by sweeps.
func (o *observer) names(ctx context.Context) error {
	g, gctx := errgroup.WithContext(ctx)
	for i, c := range o.b.CNAMEs {
		g.Go(func() (err error) {
			defer providers.Recovered(&err)
			return o.record(gctx, i, c)
		})
	}
	var ds []providers.Distribution
	g.Go(func() (err error) {
		defer providers.Recovered(&err)
		ds, err = o.acc.Distributions.Find(gctx, o.b.Name, o.b.Names())
		if err != nil {
			return providers.Doing(err, "look for the distribution of %s", o.b.Name)
		}
		return o.own(gctx, ds)
	})
	if err := g.Wait(); err != nil {
		return err
	}
	for i := range o.a.Names {
		n := &o.a.Names[i]
		n.Serves, n.Endpoint = serves(n.Set.Records, o.a.Dist)
	}
	return nil
}

func (o *observer) record(ctx context.Context, i int, c config.CNAME) error {
	n := &o.a.Names[i]
	p := o.w.DNS[c.DNSProvider]
	n.CNAME, n.Features = c, p.Features()
	set, err := p.Look(ctx, c.Name)
	if err != nil {
		return providers.Doing(err, "look at the record of %s at %s", c.Name, c.DNSProvider)
	}
	n.Set = set
	return nil
}

// own finds the bucket's own distribution among those that concern it. A tag
// that the sweep does not show yet is read exactly before anybody is called a
// rival.
func (o *observer) own(ctx context.Context, ds []providers.Distribution) error {
	adopt := o.b.Distribution.Adopt
	if adopt != "" && !slices.ContainsFunc(ds, func(d providers.Distribution) bool { return d.ID == adopt }) {
		d, err := o.acc.Distributions.Distribution(ctx, adopt)
		if err != nil {
			return providers.Doing(err, "read distribution %s, which is to be adopted", adopt)
		}
		ds = append(ds, d)
	}
	var mine []providers.Distribution
	for _, d := range ds {
		holds := slices.ContainsFunc(o.b.Names(), func(n string) bool { return slices.Contains(d.Settings.Aliases, n) })
		if holds && d.Tags[providers.TagBucket] == "" || d.ID == adopt {
			tags, err := o.acc.Distributions.Tags(ctx, d.ARN)
			if err != nil {
				return providers.Doing(err, "read the tags of distribution %s", d.ID)
			}
			d.Tags, d.TagsExact = tags, true
		}
		switch {
		case d.ID == adopt || adopt == "" && d.Tags[providers.TagBucket] == o.b.Name:
			mine = append(mine, d)
		case holds:
			o.a.Rivals = append(o.a.Rivals, d)
		case slices.ContainsFunc(d.Settings.Aliases, func(al string) bool {
			return slices.ContainsFunc(o.b.Names(), func(n string) bool { return providers.AliasOver(al, n) })
		}):
			o.a.Wildcards = append(o.a.Wildcards, d)
		}
	}
	slices.SortStableFunc(mine, func(x, y providers.Distribution) int { return len(y.Settings.Aliases) - len(x.Settings.Aliases) })
	if len(mine) > 1 {
		o.a.Findings = append(o.a.Findings, Finding{Error, "two-distributions", "two distributions are tagged for this bucket",
			fmt.Sprintf("%s and %s both have the tag %s = %s; remove it from the one that is not to be used, or name the other with distribution { adopt = %q }", mine[0].ID, mine[1].ID, providers.TagBucket, o.b.Name, mine[0].ID)})
	}
	if len(mine) > 0 {
		o.a.Dist, o.a.Crumbs, o.a.Exact = &mine[0], mine[0].Tags, mine[0].TagsExact
	}
	return nil
}

// coversAny says whether a wildcard of a certificate covers one of names.
func coversAny(alias string, names []string) bool {
	suffix, ok := strings.CutPrefix(alias, "*")
	return ok && slices.ContainsFunc(names, func(n string) bool {
		first, rest, _ := strings.Cut(n, ".")
		return first != "" && "."+rest == suffix
	})
}

// serves says who a visitor reaches by records.
func serves(rs []providers.Record, d *providers.Distribution) (serving, endpoint) {
	if len(rs) == 0 {
		return servesNobody, endpoint{}
	}
	var first endpoint
	for _, r := range rs {
		if d != nil && (r.Type == "CNAME" || r.Alias) && strings.EqualFold(r.Value, d.Domain) {
			continue
		}
		e, ok := parseEndpoint(r.Value)
		if !ok || r.Type != "CNAME" && !r.Alias {
			return servesElsewhere, endpoint{}
		}
		if first.kind == "" {
			first = e
		}
	}
	if first.kind == "" {
		return servesOurs, endpoint{}
	}
	return servesS3, first
}

func (o *observer) tags(ctx context.Context) error {
	t, err := o.acc.Distributions.Tags(ctx, o.a.Dist.ARN)
	if err != nil {
		return providers.Doing(err, "read the tags of distribution %s", o.a.Dist.ID)
	}
	o.a.Dist.Tags, o.a.Crumbs, o.a.Exact = t, t, true
	return nil
}

func (o *observer) full(ctx context.Context) error {
	tags := o.a.Dist.Tags
	d, err := o.acc.Distributions.Distribution(ctx, o.a.Dist.ID)
	if err != nil {
		return providers.Doing(err, "read distribution %s", o.a.Dist.ID)
	}
	d.Tags = tags
	o.a.Dist = &d
	return nil
}

func (o *observer) bucket(ctx context.Context) error {
	return o.keep(o.acc.Buckets.Bucket(ctx, o.b.Name, o.b.Region))
}

// shaped: the distribution was made, and the rest is read from it (rule 14).
func (o *observer) shaped() bool {
	return o.a.Dist != nil && hasOwnPolicy(o.b, o.a) && regionOf(o.b, o.a) != ""
}

func (o *observer) shape(ctx context.Context) error {
	return o.keep(o.acc.Buckets.Site(ctx, o.b.Name, o.b.Region, false))
}

// links reads nothing while the proof of the links holds: no verdict needs it
// then. A locked bucket is compared by its policy, too.
func (o *observer) links(ctx context.Context) error {
	if proven(o.b, o.a) {
		return nil
	}
	if o.a.Crumbs.locked() {
		if err := o.bucket(ctx); err != nil || o.a.Bucket == nil {
			return err
		}
		return o.objects(ctx)
	}
	if err := o.keep(o.acc.Buckets.Site(ctx, o.b.Name, o.b.Region, siteKind(o.b, o.a) == providers.WebsiteOrigin)); err != nil || o.a.Bucket == nil {
		return err
	}
	return o.objects(ctx)
}

// keep notes what S3 said of the bucket.
func (o *observer) keep(s providers.Bucket, err error) error {
	if errors.Is(err, providers.ErrNotFound) || errors.Is(err, providers.ErrDenied) {
		o.a.Findings = append(o.a.Findings, bucketUnread(o.b, err))
		return nil
	}
	if err != nil {
		return providers.Doing(err, "read bucket %s", o.b.Name)
	}
	o.a.Bucket = &s
	return nil
}

func (o *observer) covered() bool {
	d := o.a.Dist
	return d != nil && d.Settings.CertificateARN != "" && missing(d.Settings.Aliases, o.b.Names()) == nil &&
		(o.b.CertificateARN == "" || o.b.CertificateARN == d.Settings.CertificateARN)
}

func (o *observer) certificates(ctx context.Context) error {
	if arn := o.b.CertificateARN; arn != "" {
		cert, err := o.acc.Certificates.Certificate(ctx, arn)
		if errors.Is(err, providers.ErrNotFound) {
			o.a.Findings = append(o.a.Findings, Finding{Error, "certificate-missing", "certificate " + arn + " does not exist",
				"certificate { arn = … } names a certificate that ACM does not have in us-east-1 of this account; correct it, or leave it out and edgeward finds or requests one"})
			return nil
		}
		if err != nil {
			return providers.Doing(err, "read certificate %s", arn)
		}
		o.a.Certs = []providers.Certificate{cert}
		o.a.Chosen = &cert
		return nil
	}
	names := wantedAliases(o.b, o.a)
	certs, err := o.acc.Certificates.Covering(ctx, names)
	if err != nil {
		return providers.Doing(err, "look for a certificate for %s", strings.Join(names, ", "))
	}
	o.a.Certs = certs
	o.a.Chosen = chooseCertificate(o.b, names, o.sharing(names, certs), certs, o.a.Now)
	if o.a.Chosen != nil {
		return nil
	}
	if err := o.caa(ctx, names); err != nil {
		return err
	}
	return o.group(ctx, names)
}

// validations asks every authoritative server for the validation records of
// the certificate that is waited for.
func (o *observer) validations(ctx context.Context) error {
	if o.a.Chosen == nil || o.a.Chosen.Status != providers.CertificatePending || o.b.CertificateARN != "" {
		return nil
	}
	wanted := o.a.Chosen.Validation
	if len(wanted) == 0 {
		for _, n := range o.a.Chosen.Names {
			wanted = append(wanted, providers.Validation{Name: n})
		}
	}
	for _, v := range wanted {
		va := validationActual{Validation: v}
		c, own := o.cnameOf(v.Name)
		va.provider, va.zone, va.others = c.DNSProvider, c.Zone, !own
		if v.RecordName != "" && va.provider != "" && v.Status != "SUCCESS" {
			set, err := o.w.DNS[va.provider].Look(ctx, v.RecordName)
			if err != nil {
				err = providers.Doing(err, "look at the validation record %s at %s", v.RecordName, va.provider)
			}
			if err != nil && (ctx.Err() != nil || classified(err)) {
				return err
			}
			va.unseen = err // its name servers may not answer alike yet
			va.stands = slices.ContainsFunc(set.Records, func(r providers.Record) bool {
				return r.Type == "CNAME" && strings.EqualFold(r.Value, v.RecordValue)
			})
		}
		if v.RecordName != "" && va.provider != "" && v.Status != "SUCCESS" && own {
			as, err := o.w.Resolver.Authoritative(ctx, va.zone, o.nameservers(va.provider), v.RecordName, "CNAME")
			if err != nil {
				return providers.Doing(err, "ask the authoritative servers of %s for %s", va.zone, v.RecordName)
			}
			va.answers = as
		}
		o.a.Validations = append(o.a.Validations, va)
	}
	return nil
}

func (o *observer) policies(ctx context.Context) error {
	ps, err := o.acc.CachePolicies.CachePolicies(ctx)
	if err != nil {
		return providers.Doing(err, "list cache policies")
	}
	o.a.Policies = ps
	return nil
}

func (o *observer) nameservers(provider string) []string {
	for _, p := range o.c.DNSProviders {
		if p.Address == provider {
			return p.Nameservers
		}
	}
	return nil
}

// authoritative asks for the record that stands: the CNAME, or the addresses
// of an alias. Where a provider that flattens shows no CNAME, it is asked for
// the addresses too.
func (o *observer) authoritative(ctx context.Context) error {
	for i := range o.a.Names {
		n := &o.a.Names[i]
		ask := func() ([]providers.Answer, error) {
			return o.w.Resolver.Authoritative(ctx, n.CNAME.Zone, o.nameservers(n.CNAME.DNSProvider), n.CNAME.Name, n.question())
		}
		as, err := ask()
		if err == nil && n.Features.Flatten && !n.alias() && n.cname() != "" && everyAnswer(as, noRecords) {
			n.Flattened = true
			flat, ferr := ask()
			if n.Flattened = ferr == nil && everyAnswer(flat, hasAddress); n.Flattened {
				as = flat
			}
		}
		switch {
		case err != nil && ctx.Err() == nil && o.spare:
			n.Unasked = err
		case err != nil:
			return providers.Doing(err, "ask the authoritative servers of %s", n.CNAME.Zone)
		}
		n.Authoritative = as
		if o.plans && n.Serves == servesNobody && n.Unasked == nil {
			if err := o.instead(ctx, n); err != nil {
				return err
			}
		}
	}
	return nil
}

// everyAnswer says whether there are answers and f holds for all.
func everyAnswer(as []providers.Answer, f func(providers.Answer) bool) bool {
	return len(as) > 0 && !slices.ContainsFunc(as, func(a providers.Answer) bool { return !f(a) })
}

// noRecords is the answer that the name exists and has none of the type.
func noRecords(a providers.Answer) bool {
	return a.Err == "" && a.RCode == "NOERROR" && len(a.Records) == 0
}

func hasAddress(a providers.Answer) bool {
	return slices.ContainsFunc(a.Records, func(r providers.AnswerRecord) bool { return r.Type == "A" || r.Type == "AAAA" })
}

func (n NameActual) question() string {
	if n.alias() {
		return "A"
	}
	return "CNAME"
}

func (o *observer) resolvers(ctx context.Context) error {
	for i := range o.a.Names {
		n := &o.a.Names[i]
		as, err := o.w.Resolver.Resolve(ctx, n.CNAME.Name, n.question())
		if err != nil {
			return providers.Doing(err, "ask the resolvers for %s", n.CNAME.Name)
		}
		n.Resolved = as
		if n.alias() {
			n.Edge = o.places(ctx, *n, n.Serves == servesOurs)
		}
	}
	return nil
}
