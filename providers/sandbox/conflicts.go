package sandbox

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/edgeward/edgeward/providers"
)

// Conflicts tells the distributions of all accounts, masked as CloudFront does.
// The world has no tenants.
func (p distributionsPort) Conflicts(ctx context.Context, id, name string) ([]providers.Holder, error) {
	var out []providers.Holder
	err := p.w.call(ctx, p.op("Distributions.Conflicts", name, false), func(now time.Time) error {
		asks, err := p.own(id)
		if err != nil {
			return fmt.Errorf("ask who else has the alias %s: EntityNotFound: %w", name, err)
		}
		c := p.a.certificates[asks.settings.CertificateARN]
		if c == nil || c.status(now) != providers.CertificateIssued || !certifies(c.Names, name) {
			return fmt.Errorf("ask who else has the alias %s: InvalidArgument: distribution %s has no certificate that covers it: %w", name, id, providers.ErrInvalid)
		}
		for _, other := range sortedKeys(p.w.dists) {
			d := p.w.dists[other]
			if d == asks {
				continue
			}
			for _, alias := range d.settings.Aliases {
				if alias == name || providers.AliasOver(alias, name) {
					out = append(out, providers.Holder{Alias: alias, ID: masked(d.id), Account: masked(strings.Split(d.arn, ":")[4])})
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// masked hides the first half.
func masked(s string) string { return strings.Repeat("*", len(s)/2) + s[len(s)/2:] }
