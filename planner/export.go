package planner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/providers"
)

// Export is what edgeward made for the chosen buckets, as another tool has to
// know it to manage it from now on. It holds no secrets.
type Export struct {
	// Accounts are those that something here is of, sorted by Name.
	Accounts []ExportAccount
	// Buckets are the finished ones, in the order of their addresses; all else is
	// theirs.
	Buckets      []ExportBucket
	Certificates []ExportCertificate
	Policies     []ExportPolicy
	Controls     []ExportControl
	// Left are the buckets that are not here, with the reason.
	Left []ExportLeft
	// unseen are those of Left that could not be looked at.
	unseen []string
}

// ExportAccount is one AWS account.
type ExportAccount struct {
	// Name is the label of the aws block, "" for the default chain; ID the account's
	// number.
	Name, ID, Profile, RoleARN string
	// ExternalID says that the role wants one, which is not told.
	ExternalID bool
}

// ExportBucket is one finished bucket.
type ExportBucket struct {
	Address, Bucket, Region, Account string
	// Distribution is whole, with its exact tags.
	Distribution providers.Distribution
	Records      []ExportRecord
	// Lock is what locking the bucket changed, nil while it is public.
	Lock *ExportLock
}

// ExportLock is who may read a locked bucket.
type ExportLock struct {
	Policy string
	Block  providers.PublicAccessBlock
}

// ExportRecord is what stands at one name.
type ExportRecord struct {
	// Provider is the address of the dns_provider block, Type its type, Account the
	// aws block that a Route 53 provider uses.
	Provider, Type, Account string
	Set                     providers.RecordSet
}

// ExportCertificate is a certificate that edgeward requested, with the records by
// which ACM renews it.
type ExportCertificate struct {
	Account     string
	Certificate providers.Certificate
	Records     []ExportRecord
	// Unfound are the names of such records that no provider of the configuration
	// has.
	Unfound []string
}

// ExportPolicy is a cache policy of edgeward's.
type ExportPolicy struct {
	Account string
	Policy  providers.CachePolicy
}

// ExportControl is an origin access control of edgeward's.
type ExportControl struct {
	Account string
	Control providers.OriginAccess
}

// ExportLeft is a bucket that is not exported.
type ExportLeft struct{ Address, Why string }

// Unseen are the addresses of buckets that could not be looked at.
func (e Export) Unseen() []string { return e.unseen }

// MakeExport looks at every chosen bucket and reads all that edgeward made for
// those that are done. It changes nothing.
func MakeExport(ctx context.Context, w providers.World, c *config.Config, o Options) (Export, error) {
	x := exporter{w: w, c: c}
	chosen, err := choose(c, o)
	if err != nil {
		return x.e, err
	}
	slices.SortFunc(chosen, func(a, b config.Bucket) int { return cmp.Compare(a.Address, b.Address) })
	all, left := make([]*ExportBucket, len(chosen)), make([]ExportLeft, len(chosen))
	failed := make([]bool, len(chosen))
	err = eachBucket(ctx, c, o, chosen, func(ctx context.Context, i int, b config.Bucket) error {
		found, why, err := x.bucket(ctx, b, o)
		if stopsAll(ctx, err) {
			return err
		}
		if err != nil {
			why, failed[i] = err.Error(), true
		}
		all[i], left[i] = found, ExportLeft{b.Address, why}
		return nil
	})
	if err != nil {
		return x.e, err
	}
	certs, err := x.certificates(ctx, o, all)
	if err != nil {
		return x.e, err
	}
	for i, b := range all {
		if b != nil && certs[b.certificate()].err != nil {
			left[i].Why, failed[i], b = certs[b.certificate()].err.Error(), true, nil
		}
		if b != nil {
			x.e.Buckets = append(x.e.Buckets, *b)
			continue
		}
		x.e.Left = append(x.e.Left, left[i])
		if failed[i] {
			x.e.unseen = append(x.e.unseen, left[i].Address)
		}
	}
	return x.e, x.rest(ctx, certs)
}

// certificate is the account and the ARN of the bucket's certificate.
func (b *ExportBucket) certificate() [2]string {
	return [2]string{b.Account, b.Distribution.Settings.CertificateARN}
}

// exporter fills an Export.
type exporter struct {
	w providers.World
	c *config.Config
	e Export
}

// readCertificate is a certificate, nil when edgeward did not request it, or why it
// could not be read.
type readCertificate struct {
	cert *ExportCertificate
	err  error
}

// bucket reads what was made for one bucket; why says why it is not exported.
func (x *exporter) bucket(ctx context.Context, b config.Bucket, o Options) (found *ExportBucket, why string, err error) {
	a, err := Observe(ctx, x.w, x.c, b, partAll|PartAccess)
	if err != nil {
		return nil, "", err
	}
	if why := unexported(b, a, o); why != "" {
		return nil, why, nil
	}
	acc := x.w.Accounts[b.Account]
	out := &ExportBucket{Address: b.Address, Bucket: b.Name, Region: bucketRegion(b, a), Account: b.Account}
	if out.Distribution, err = acc.Distributions.Distribution(ctx, a.Dist.ID); err != nil {
		return nil, "", providers.Doing(err, "read distribution %s", a.Dist.ID)
	}
	if out.Distribution.Tags, err = acc.Distributions.Tags(ctx, a.Dist.ARN); err != nil {
		return nil, "", providers.Doing(err, "read the tags of distribution %s", a.Dist.ID)
	}
	if out.Distribution.Settings.CachePolicyID == "" {
		return nil, "distribution " + a.Dist.ID + " has cache settings of its own instead of a cache policy, which edgeward does not read", nil
	}
	for _, n := range a.Names {
		out.Records = append(out.Records, x.record(n.CNAME.DNSProvider, n.Set))
	}
	if a.Crumbs.lock().state == lockDone {
		if out.Lock, err = exportLock(ctx, acc, *out); err != nil {
			return nil, "", err
		}
	}
	return out, "", nil
}

// unexported is why a bucket is not exported, or "".
func unexported(b config.Bucket, a Actual, o Options) string {
	p := planBucket(b, a, nil, o, Migrate)
	switch {
	case a.Dist == nil:
		return "edgeward made nothing for it yet"
	case b.Distribution.Adopt != "":
		return "its distribution " + a.Dist.ID + " was there before edgeward, which does not read all its settings; " +
			"import it with `terraform plan -generate-config-out=FILE`"
	case p.Standing == StandDone:
		return ""
	case len(p.Findings) > 0 && p.Findings[0].Severity == Error:
		return string(p.Standing) + ": " + p.Findings[0].Summary
	case p.Stage == "":
		return string(p.Standing)
	}
	return fmt.Sprintf("%s: %s is not done", p.Standing, p.Stage)
}

func exportLock(ctx context.Context, acc providers.Account, b ExportBucket) (*ExportLock, error) {
	policy, err := acc.Access.Policy(ctx, b.Bucket, b.Region)
	if err != nil {
		return nil, providers.Doing(err, "read the policy of bucket %s", b.Bucket)
	}
	block, err := acc.Access.Block(ctx, b.Bucket, b.Region)
	if err != nil {
		return nil, providers.Doing(err, "read the public access block of bucket %s", b.Bucket)
	}
	if block == nil {
		return nil, fmt.Errorf("bucket %s is locked by its tags and has no public access block", b.Bucket)
	}
	return &ExportLock{Policy: policy, Block: *block}, nil
}

func (x *exporter) record(provider string, set providers.RecordSet) ExportRecord {
	r := ExportRecord{Provider: provider, Set: set}
	for _, p := range x.c.DNSProviders {
		if p.Address == provider {
			r.Type, r.Account = p.Type, p.Account
		}
	}
	return r
}

// certificates reads the certificates of buckets, each once.
func (x *exporter) certificates(ctx context.Context, o Options, buckets []*ExportBucket) (map[[2]string]readCertificate, error) {
	read := map[[2]string]readCertificate{}
	for _, b := range buckets {
		if b != nil {
			read[b.certificate()] = readCertificate{}
		}
	}
	keys := slices.Collect(maps.Keys(read))
	got := make([]readCertificate, len(keys))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(parallelism(x.c, o))
	for i, key := range keys {
		g.Go(func() (err error) {
			defer providers.Recovered(&err)
			cert, err := x.certificate(gctx, key[0], key[1])
			got[i] = readCertificate{cert, err}
			if stopsAll(gctx, err) {
				return err
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	for i, key := range keys {
		read[key] = got[i]
	}
	return read, nil
}

// certificate reads one certificate; nil when edgeward did not request it.
func (x *exporter) certificate(ctx context.Context, account, arn string) (*ExportCertificate, error) {
	if slices.ContainsFunc(x.c.Buckets, func(b config.Bucket) bool { return b.Account == account && b.CertificateARN == arn }) {
		return nil, nil // somebody else's, by the configuration
	}
	port := x.w.Accounts[account].Certificates
	tags, err := port.Tags(ctx, arn)
	if err != nil {
		return nil, providers.Doing(err, "read the tags of certificate %s", arn)
	}
	if tags[providers.TagBucket] == "" {
		return nil, nil
	}
	out := &ExportCertificate{Account: account}
	if out.Certificate, err = port.Certificate(ctx, arn); err != nil {
		return nil, providers.Doing(err, "read certificate %s", arn)
	}
	out.Certificate.Tags = tags
	seen := map[string]bool{}
	for _, v := range out.Certificate.Validation {
		if v.RecordName == "" || seen[v.RecordName] {
			continue // a name and its wildcard have one record
		}
		seen[v.RecordName] = true
		r, err := x.validation(ctx, v)
		if err != nil {
			return nil, err
		}
		if r == nil {
			out.Unfound = append(out.Unfound, v.RecordName)
			continue
		}
		out.Records = append(out.Records, *r)
	}
	slices.SortFunc(out.Records, func(a, b ExportRecord) int { return cmp.Compare(a.Set.Name, b.Set.Name) })
	slices.Sort(out.Unfound)
	return out, nil
}

// validation finds the record of a validation at the provider with the longest
// zone that holds it; nil when it does not stand there.
func (x *exporter) validation(ctx context.Context, v providers.Validation) (*ExportRecord, error) {
	var at config.DNSProvider
	zone := ""
	for _, p := range x.c.DNSProviders {
		for _, z := range p.Zones {
			if (v.RecordName == z || strings.HasSuffix(v.RecordName, "."+z)) && len(z) > len(zone) {
				at, zone = p, z
			}
		}
	}
	if zone == "" {
		return nil, nil
	}
	set, err := x.w.DNS[at.Address].Look(ctx, v.RecordName)
	if errors.Is(err, providers.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, providers.Doing(err, "look at the validation record %s at %s", v.RecordName, at.Address)
	}
	if len(set.Records) != 1 || set.Records[0].Type != "CNAME" || !strings.EqualFold(set.Records[0].Value, v.RecordValue) {
		return nil, nil
	}
	r := x.record(at.Address, set)
	return &r, nil
}

// rest reads what the buckets share: certificates, cache policies, origin access
// controls and accounts.
func (x *exporter) rest(ctx context.Context, certs map[[2]string]readCertificate) error {
	accounts := map[string]bool{}
	for _, b := range x.e.Buckets {
		accounts[b.Account] = true
		for _, r := range b.Records {
			accounts[r.Account] = accounts[r.Account] || r.Type == "route53"
		}
	}
	wanted := map[[2]string]bool{}
	for _, b := range x.e.Buckets {
		wanted[b.certificate()] = true
	}
	for key, s := range certs {
		if s.cert == nil || !wanted[key] {
			continue
		}
		x.e.Certificates = append(x.e.Certificates, *s.cert)
		for _, r := range s.cert.Records {
			accounts[r.Account] = accounts[r.Account] || r.Type == "route53"
		}
	}
	slices.SortFunc(x.e.Certificates, func(a, b ExportCertificate) int {
		return cmp.Or(cmp.Compare(a.Account, b.Account), cmp.Compare(a.Certificate.Names[0], b.Certificate.Names[0]), cmp.Compare(a.Certificate.ARN, b.Certificate.ARN))
	})
	for _, name := range slices.Sorted(maps.Keys(accounts)) {
		if !accounts[name] {
			continue
		}
		if err := x.account(ctx, name); err != nil {
			return err
		}
	}
	slices.SortFunc(x.e.Policies, func(a, b ExportPolicy) int {
		return cmp.Or(cmp.Compare(a.Account, b.Account), cmp.Compare(a.Policy.Name, b.Policy.Name))
	})
	slices.SortFunc(x.e.Controls, func(a, b ExportControl) int {
		return cmp.Or(cmp.Compare(a.Account, b.Account), cmp.Compare(a.Control.Name, b.Control.Name))
	})
	return nil
}

func (x *exporter) account(ctx context.Context, name string) error {
	out := ExportAccount{Name: name}
	for _, a := range x.c.Accounts {
		if a.Name == name {
			out.Profile, out.RoleARN, out.ExternalID = a.Profile, a.RoleARN, a.ExternalID != ""
		}
	}
	acc := x.w.Accounts[name]
	var err error
	if out.ID, err = acc.Identity.AccountID(ctx); err != nil {
		return err
	}
	x.e.Accounts = append(x.e.Accounts, out)
	policies, controls := map[string]bool{}, map[string]bool{}
	for _, b := range x.e.Buckets {
		if b.Account == name {
			policies[b.Distribution.Settings.CachePolicyID] = true
			controls[b.Distribution.Settings.OriginAccessID] = b.Distribution.Settings.OriginAccessID != ""
		}
	}
	if len(policies) == 0 {
		return nil // the account has zones alone
	}
	all, err := acc.CachePolicies.CachePolicies(ctx)
	if err != nil {
		return providers.Doing(err, "list cache policies")
	}
	for _, p := range all {
		if policies[p.ID] && !p.Foreign && strings.HasPrefix(p.Name, policyStem(p.Settings)+"-") {
			x.e.Policies = append(x.e.Policies, ExportPolicy{name, p})
		}
	}
	if !slices.Contains(slices.Collect(maps.Values(controls)), true) {
		return nil
	}
	have, err := acc.Access.OriginAccess(ctx)
	if err != nil {
		return providers.Doing(err, "list origin access controls")
	}
	for _, c := range have {
		if controls[c.ID] && c.Signs && strings.HasPrefix(c.Name, controlStem) {
			x.e.Controls = append(x.e.Controls, ExportControl{name, c})
		}
	}
	return nil
}
