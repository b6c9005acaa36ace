package planner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/providers"
)

// OrphanError says why the way back of a distribution cannot be read from its
// tags.
type OrphanError struct {
	Why, hint string
}

func (e *OrphanError) Error() string { return e.Why }

// Hint says what to do.
func (e *OrphanError) Hint() string { return e.hint }

// orphanAddress stands before the ID of a distribution whose bucket is in no
// configuration.
const orphanAddress = "distribution."

// Orphan is the bucket that the distribution id of the account was made for, from
// its tags alone: for a way back after the configuration of the bucket was
// deleted. The name that was moved, its record and who holds it stand in the tags;
// c must still have that dns_provider and the account. left are the other names of
// the distribution: the tags do not say who has added them, so they are not
// touched. The error is an *OrphanError, or of the account.
func Orphan(ctx context.Context, w providers.World, c *config.Config, account, id string) (b config.Bucket, left []string, err error) {
	acc, ok := w.Accounts[account]
	if !ok {
		return b, nil, &OrphanError{fmt.Sprintf("there is no aws %q in the configuration", account), "-aws=NAME takes the label of an aws block"}
	}
	d, err := acc.Distributions.Distribution(ctx, id)
	if errors.Is(err, providers.ErrNotFound) {
		return b, nil, &OrphanError{"there is no distribution " + id + " in this account", "correct the ID, or name the account with -aws=NAME"}
	}
	if err != nil {
		return b, nil, providers.Doing(err, "read distribution %s", id)
	}
	tags, err := acc.Distributions.Tags(ctx, d.ARN)
	if err != nil {
		return b, nil, providers.Doing(err, "read the tags of distribution %s", id)
	}
	name := tags[providers.TagBucket]
	if name == "" {
		return b, nil, &OrphanError{fmt.Sprintf("distribution %s has no tag %s: edgeward has not made it", id, providers.TagBucket), "set its names' records by hand"}
	}
	if i := slices.IndexFunc(c.Buckets, func(b config.Bucket) bool { return b.Name == name && b.Account == account }); i >= 0 {
		address := c.Buckets[i].Address
		return b, nil, &OrphanError{fmt.Sprintf("distribution %s is that of %s, which is in the configuration", id, address), "type edgeward rollback '" + address + "'"}
	}
	if tags[crumbWas] == "" {
		return b, nil, &OrphanError{fmt.Sprintf("distribution %s has no tag %s: no record was switched to it", id, crumbWas), "if a name leads there all the same, set its record by hand"}
	}
	n, err := orphanName(c, tags, name)
	if err != nil {
		return b, nil, err
	}
	b = config.Bucket{Address: orphanAddress + id, Name: name, Account: account, Origin: "auto", CNAMEs: []config.CNAME{n},
		Distribution: config.Distribution{Adopt: id}, DNS: config.DNS{LowTTL: config.DefaultLowTTL}}
	left = slices.DeleteFunc(slices.Clone(d.Settings.Aliases), func(a string) bool { return a == name })
	return b, left, nil
}

// orphanName finds who holds the name that was moved: by the tag, else by the
// longest zone of the configuration.
func orphanName(c *config.Config, tags map[string]string, name string) (config.CNAME, error) {
	provider, zone, _ := strings.Cut(tags[crumbWasAt], "/")
	if zone != "" {
		if !slices.ContainsFunc(c.DNSProviders, func(p config.DNSProvider) bool {
			return p.Address == provider && slices.Contains(p.Zones, zone)
		}) {
			return config.CNAME{}, &OrphanError{fmt.Sprintf("the record of %s is in zone %s at %s, which the configuration has not", name, zone, provider),
				"write the dns_provider block again, with that zone"}
		}
		return config.CNAME{Name: name, DNSProvider: provider, Zone: zone}, nil
	}
	n := config.CNAME{Name: name}
	for _, p := range c.DNSProviders {
		for _, z := range p.Zones {
			if (name == z || strings.HasSuffix(name, "."+z)) && len(z) > len(n.Zone) {
				n.DNSProvider, n.Zone = p.Address, z
			}
		}
	}
	if n.Zone == "" {
		return n, &OrphanError{"no dns_provider of the configuration holds " + name, "write the dns_provider block again, with its zone"}
	}
	return n, nil
}
