package planner

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/providers"
)

// sharedTag is the value of TagBucket of a certificate that several buckets share.
// No bucket has a name with a slash.
const sharedTag = "shared/"

// shares says whether the configuration lets a bucket share a certificate. One
// that is adopted may have names that no block has.
func shares(b config.Bucket) bool {
	return b.ShareCertificate && b.CertificateARN == "" && b.Distribution.Adopt == ""
}

// byHand says whether a person keeps the zone of one of the names: nobody else's
// certificate shall wait for that.
func byHand(w providers.World, b config.Bucket) bool {
	return slices.ContainsFunc(b.CNAMEs, func(n config.CNAME) bool { return w.DNS[n.DNSProvider].Features().ByHand })
}

// sharers are the buckets of the account that may share one, in the order of
// their names; of all waves. Each bucket of a fleet asks, so nothing is copied.
func (o *observer) sharers() []*config.Bucket {
	out := make([]*config.Bucket, 0, len(o.c.Buckets))
	for i := range o.c.Buckets {
		if x := &o.c.Buckets[i]; x.ShareCertificate && x.Account == o.b.Account && shares(*x) && !byHand(o.w, *x) {
			out = append(out, x)
		}
	}
	order := func(x, y *config.Bucket) int {
		return cmp.Or(strings.Compare(x.Name, y.Name), strings.Compare(x.Address, y.Address))
	}
	if !slices.IsSortedFunc(out, order) {
		slices.SortFunc(out, order)
	}
	return out
}

// mayShare says whether a certificate of ours for several buckets may serve this
// one, of which these names are wanted.
func (o *observer) mayShare(names []string) bool {
	return shares(o.b) && missing(o.b.Names(), names) == nil
}

// sharing are the names that one of certs may have for this bucket to use it: its
// own, and those of all that share; none where no certificate is shared.
func (o *observer) sharing(names []string, certs []providers.Certificate) []string {
	shared := func(c providers.Certificate) bool { return strings.HasPrefix(c.Tags[providers.TagBucket], sharedTag) }
	if !o.mayShare(names) || !slices.ContainsFunc(certs, shared) {
		return nil
	}
	var out []string
	for _, x := range o.sharers() {
		out = append(out, x.Names()...)
	}
	return out
}

// groupOf are the buckets, this one included, whose names are to be in one
// certificate of at most the given names. It depends on the configuration alone:
// every machine and every run makes the same groups, so a request that was cut off
// is made again with the same token.
func (o *observer) groupOf(most int) []config.Bucket {
	var group []*config.Bucket
	names, mine := 0, false
	for _, x := range o.sharers() {
		if x.Wave != o.b.Wave {
			continue
		}
		if names+len(x.CNAMEs) > most {
			if mine {
				break
			}
			group, names = group[:0], 0
		}
		group, names = append(group, x), names+len(x.CNAMEs)
		mine = mine || x.Address == o.b.Address
	}
	if !mine {
		return nil
	}
	out := make([]config.Bucket, len(group))
	for i, x := range group {
		out[i] = *x
	}
	return out
}

// group finds the names of the certificate that is to be requested for several
// buckets; none when this bucket gets one by itself.
func (o *observer) group(ctx context.Context, names []string) error {
	if !o.mayShare(names) {
		return nil
	}
	most := providers.QuotaCertificateNames.Documented().Limit
	if o.acc.Quotas != nil {
		q, err := o.acc.Quotas.Quotas(ctx, providers.QuotaCertificateNames)
		if err != nil {
			return providers.Doing(err, "ask how many names a certificate may have")
		}
		most = q[0].Limit
	}
	group := o.groupOf(most)
	stall, err := o.stalling(ctx, group)
	if err != nil {
		return err
	}
	if o.a.Alone = stall[o.b.Address]; o.a.Alone {
		return nil
	}
	var shared []config.CNAME
	for _, x := range group {
		if !stall[x.Address] {
			shared = append(shared, x.CNAMEs...)
		}
	}
	if len(shared) > len(o.b.CNAMEs) {
		slices.SortFunc(shared, func(x, y config.CNAME) int { return strings.Compare(x.Name, y.Name) })
		o.a.Shared = shared
	}
	return nil
}

// stalling are the buckets, by address, with a name that is known to be impossible
// to validate: a certificate is issued for all its names or for none. What is not
// known keeps nobody out.
func (o *observer) stalling(ctx context.Context, group []config.Bucket) (map[string]bool, error) {
	stall, zones := map[string]bool{}, map[string]bool{}
	var names []string
	for _, n := range o.b.CNAMEs {
		zones[n.DNSProvider+" "+n.Zone] = false // this bucket's own findings judge it
	}
	for _, x := range group {
		names = append(names, x.Names()...)
		for _, n := range x.CNAMEs {
			gone, known := zones[n.DNSProvider+" "+n.Zone]
			if !known {
				gone = o.zoneGone(ctx, n)
				zones[n.DNSProvider+" "+n.Zone] = gone
			}
			stall[x.Address] = stall[x.Address] || gone
		}
	}
	sets, err := o.caaOf(ctx, names)
	if err != nil {
		return nil, err
	}
	for _, x := range group {
		for range x.CNAMEs {
			stall[x.Address] = stall[x.Address] || sets[0].forbids()
			sets = sets[1:]
		}
	}
	return stall, ctx.Err()
}

// zoneGone says whether a complete answer said that nothing which is written at
// the name's provider is seen by anybody, or may be written there.
func (o *observer) zoneGone(ctx context.Context, n config.CNAME) bool {
	gone := func(err error) bool {
		return errors.Is(err, providers.ErrNotFound) || errors.Is(err, providers.ErrDenied)
	}
	if _, err := o.w.DNS[n.DNSProvider].Look(ctx, n.Name); err != nil {
		return gone(err)
	}
	_, err := o.w.Resolver.Authoritative(ctx, n.Zone, o.nameservers(n.DNSProvider), n.Name, "CNAME")
	return errors.Is(err, providers.ErrNotFound)
}

// cnameOf is the configuration's name for a name of a certificate: the bucket's
// own, or that of one which shares with it.
func (o *observer) cnameOf(name string) (c config.CNAME, own bool) {
	for _, n := range o.b.CNAMEs {
		if n.Name == name {
			return n, true
		}
	}
	if shares(o.b) {
		for _, x := range o.sharers() {
			for _, n := range x.CNAMEs {
				if n.Name == name {
					return n, false
				}
			}
		}
	}
	return config.CNAME{}, true
}

// requested are the names that a certificate is to be requested for.
func requested(b config.Bucket, a Actual) []string {
	if a.Shared == nil {
		return wantedAliases(b, a)
	}
	var names []string
	for _, n := range a.Shared {
		names = append(names, n.Name)
	}
	return names
}

// sharedFindings say why a bucket that is to share gets a certificate by itself.
func sharedFindings(b config.Bucket, a Actual) []Finding {
	if !shares(b) || a.Chosen != nil || !a.has(PartCertificate) {
		return nil
	}
	const summary = "the bucket is left out of the certificate that others share"
	switch {
	case a.Alone:
		return []Finding{{Warning, "certificate-not-shared", summary,
			"a certificate is issued for all its names or for none, and one of this bucket's cannot be validated, so the others do not wait for it"}}
	case slices.ContainsFunc(a.Names, func(n NameActual) bool { return n.Features.ByHand }):
		return []Finding{{Note, "certificate-not-shared", summary, "a person keeps its zone, and a certificate is issued for all its names or for none, so the others do not wait for it"}}
	}
	return nil
}
