package planner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/edgeward/edgeward/providers"
)

// askedName is a name that the distribution is to get, and who has it or covers it
// with a wildcard, as far as CloudFront tells; err is why it does not.
type askedName struct {
	name string
	by   []providers.Holder
	err  error
}

// gains says that the distribution, which has a certificate, is to get a name.
func (o *observer) gains() bool {
	d := o.a.Dist
	return d != nil && d.Settings.CertificateARN != "" && missing(d.Settings.Aliases, o.b.Names()) != nil
}

// conflicts asks CloudFront who has the names that the distribution is to get, where
// its certificate covers them (rule 11). What another distribution of the account is
// known to have is not asked for. No answer is no reason to stop: the update that adds
// the name is refused where somebody has it.
func (o *observer) conflicts(ctx context.Context) error {
	d := o.a.Dist
	cert, err := o.presented(ctx, d.Settings.CertificateARN)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil || cert.Status != providers.CertificateIssued {
		return nil
	}
	for _, name := range missing(d.Settings.Aliases, o.b.Names()) {
		known := slices.ContainsFunc(o.a.Rivals, func(r providers.Distribution) bool { return slices.Contains(r.Settings.Aliases, name) })
		if known || uncovered(cert, []string{name}) != nil {
			continue
		}
		asked := askedName{name: name}
		asked.by, asked.err = o.acc.Distributions.Conflicts(ctx, d.ID, name)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		o.a.Asked = append(o.a.Asked, asked)
	}
	return nil
}

// presented is the certificate that the distribution has.
func (o *observer) presented(ctx context.Context, arn string) (providers.Certificate, error) {
	for _, c := range o.a.Certs {
		if c.ARN == arn {
			return c, nil
		}
	}
	return o.acc.Certificates.Certificate(ctx, arn)
}

// holderFindings judge what CloudFront told of names that the distribution is to get.
func holderFindings(a Actual) []Finding {
	var fs []Finding
	for _, asked := range a.Asked {
		if asked.err != nil {
			fs = append(fs, unknownHolder(asked))
		}
		for _, h := range asked.by {
			if f, ok := holderFinding(a, asked.name, h); ok {
				fs = append(fs, f)
			}
		}
	}
	return fs
}

// unknownHolder has nothing of the error's own text, which differs from one plan to
// the next.
func unknownHolder(asked askedName) Finding {
	why := "CloudFront gave no answer to ListDomainConflicts (-trace=FILE shows what it said)"
	if errors.Is(asked.err, providers.ErrDenied) {
		why = "these credentials may not ask: allow cloudfront:ListDomainConflicts and cloudfront:GetDistribution"
	}
	return Finding{Note, "alias-unknown", "it is not known whether another account has " + asked.name + " as an alias",
		why + ". If one has it, CloudFront refuses the name when the distribution is to get it, and nothing has changed for visitors"}
}

// holderFinding is false for the distribution itself, and for the account's own with a
// wildcard, which the sweep has told already.
func holderFinding(a Actual, name string, h providers.Holder) (Finding, bool) {
	own := shownAs(h.Account, accountOf(a.Dist.ARN))
	over := providers.AliasOver(h.Alias, name)
	switch {
	case own && (shownAs(h.ID, a.Dist.ID) || over && slices.ContainsFunc(a.Wildcards, func(d providers.Distribution) bool { return shownAs(h.ID, d.ID) })):
		return Finding{}, false
	case !over && !strings.EqualFold(h.Alias, name):
		return Finding{}, false
	}
	kind, whose := "distribution", "another AWS account"
	if h.Tenant {
		kind = "distribution tenant"
	}
	if own {
		whose = "this AWS account"
	}
	shown := fmt.Sprintf("CloudFront shows it as %s of account %s and hides the rest", h.ID, h.Account)
	if !over {
		who := "Ask its owner to remove the name from it"
		if own {
			who = "Remove the name from it"
		}
		return Finding{Error, "alias-taken", "a " + kind + " of " + whose + " holds " + name + " already",
			fmt.Sprintf("%s; CloudFront gives a name to one only. %s, or move it by AWS's procedure: the record _%s TXT %q, then UpdateDomainAssociation to distribution %s", shown, who, name, a.Dist.Domain, a.Dist.ID)}, true
	}
	if led, ok := aliasHijack(a, providers.Distribution{Settings: providers.Settings{Aliases: []string{h.Alias}}}); ok && led == name {
		return Finding{Error, "alias-wildcard", "a " + kind + " of " + whose + " may serve the visitors of " + name + " today",
			fmt.Sprintf("its alias is %s, and the DNS leads %s to CloudFront; %s. The more specific alias wins at once, so distribution %s would take those visitors as soon as it has the name, before a link is compared. Take the name out of cnames; or let S3 serve it first, by a record of its own", h.Alias, name, shown, a.Dist.ID)}, true
	}
	return Finding{Note, "alias-wildcard", "a " + kind + " of " + whose + " has a wildcard alias that covers " + name,
		fmt.Sprintf("its alias is %s; %s. The more specific alias wins, so visitors reach distribution %s", h.Alias, shown, a.Dist.ID)}, true
}

// shownAs says whether CloudFront may have shown full as masked: asterisks for its
// first characters, whose number is not always theirs.
func shownAs(masked, full string) bool {
	rest := strings.TrimLeft(masked, "*")
	return rest != "" && strings.HasSuffix(full, rest)
}
