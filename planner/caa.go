package planner

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/providers"
)

// caaActual is the CAA set that counts for one name of a certificate [RFC 8659,
// section 3]: the nearest one on the way from the name to the root, where a
// CNAME is followed at each step.
type caaActual struct {
	name string
	// at is where the set stands; sets are what each resolver has of it, a
	// property a string: 0 issue "amazon.com". None: any authority may issue.
	at   string
	sets [][]string
	// unknown is who answered what in place of an answer, "" when somebody did.
	unknown string
}

// caa asks the resolvers for the sets of names. A look that fails gives no
// verdict, and does not stop anything: a certificate that is refused hurts no
// visitor.
func (o *observer) caa(ctx context.Context, names []string) (err error) {
	o.a.CAA, err = o.caaOf(ctx, names)
	return err
}

func (o *observer) caaOf(ctx context.Context, names []string) ([]caaActual, error) {
	var out []caaActual
	known := map[string][]providers.Answer{}
	for _, name := range names {
		c := caaActual{name: name}
		for at := strings.TrimPrefix(name, "*."); at != "" && c.sets == nil && c.unknown == ""; _, at, _ = strings.Cut(at, ".") {
			answers, ok := known[at]
			if !ok {
				var err error
				answers, err = o.w.Resolver.Resolve(ctx, at, "CAA")
				switch {
				case ctx.Err() != nil:
					return nil, ctx.Err()
				case err != nil:
					answers = []providers.Answer{{Server: "the look-up", Err: err.Error()}}
				}
				known[at] = answers
			}
			c.take(at, answers)
		}
		out = append(out, c)
	}
	return out, nil
}

// take judges one step of the climb.
func (c *caaActual) take(at string, answers []providers.Answer) {
	good := 0
	var bad []string
	for _, a := range answers {
		if a.Err != "" || a.RCode != "NOERROR" && a.RCode != "NXDOMAIN" {
			bad = append(bad, a.Server+" answers "+says(a))
			continue
		}
		good++
		var set []string
		for _, r := range a.Records {
			if r.Type == "CAA" {
				set, c.at = append(set, r.Value), r.Name
			}
		}
		if set != nil {
			c.sets = append(c.sets, set)
		}
	}
	if good == 0 {
		c.unknown = "asked for CAA of " + at + ", " + strings.Join(bad, "; ")
	}
}

// forbids says whether every resolver's set keeps Amazon from issuing: where
// they differ, a change is on its way.
func (c caaActual) forbids() bool {
	return c.sets != nil && !slices.ContainsFunc(c.sets, func(set []string) bool { return allowsAmazon(set, strings.HasPrefix(c.name, "*.")) })
}

// allowsAmazon: the set has no issue property (issuewild before it, for a
// wildcard), or one of Amazon's, and nothing critical that is not known [RFC
// 8659, section 4; ACM User Guide, "Configure a CAA record"].
func allowsAmazon(set []string, wildcard bool) bool {
	limits, allowed := map[string]bool{}, map[string]bool{}
	for _, p := range set {
		f := strings.SplitN(p, " ", 3)
		if len(f) < 3 {
			continue
		}
		flags, err := strconv.Atoi(f[0])
		switch tag := strings.ToLower(f[1]); tag {
		case "issue", "issuewild":
			limits[tag] = true
			issuer, _, _ := strings.Cut(strings.Trim(f[2], `"`), ";")
			switch strings.ToLower(strings.TrimSpace(issuer)) {
			case "amazon.com", "amazontrust.com", "awstrust.com", "amazonaws.com":
				allowed[tag] = true
			}
		case "iodef", "contactemail", "contactphone", "issuemail", "issuevmc":
		default:
			if err == nil && flags&128 != 0 {
				return false
			}
		}
	}
	tag := "issue"
	if wildcard && limits["issuewild"] {
		tag = "issuewild"
	}
	return !limits[tag] || allowed[tag]
}

// forbidden are the names for which CAA records forbid Amazon to issue, in a
// sentence; "" is none.
func forbidden(b config.Bucket, a Actual) string {
	var out []string
	for _, c := range a.CAA {
		if c.forbids() {
			out = append(out, c.why(b))
		}
	}
	return strings.Join(out, "; ")
}

func (c caaActual) why(b config.Bucket) string {
	zone := "the zone that holds " + c.at
	if i := slices.IndexFunc(b.CNAMEs, func(n config.CNAME) bool { return c.at == n.Zone || strings.HasSuffix(c.at, "."+n.Zone) }); i >= 0 {
		zone = "zone " + b.CNAMEs[i].Zone
	}
	return fmt.Sprintf("for %s counts the CAA set of %s (%s), and it names no authority of Amazon's: ACM would fail with CAA_ERROR. Add to %s the record %s. IN CAA 0 issue \"amazon.com\"",
		c.name, c.at, strings.Join(c.sets[0], ", "), zone, c.at)
}

// caaFindings are about the certificate that is to be requested.
func caaFindings(b config.Bucket, a Actual) []Finding {
	var fs []Finding
	for _, c := range a.CAA {
		switch {
		case c.forbids():
			fs = append(fs, Finding{Error, "caa-forbids", "CAA records forbid Amazon to issue a certificate for " + c.name,
				c.why(b) + "; or name a certificate that covers the names with certificate { arn = … }"})
		case c.unknown != "":
			fs = append(fs, Finding{Warning, "caa-unknown", "nobody knows whether CAA records let Amazon issue a certificate for " + c.name,
				c.unknown + ". ACM asks as well, and refuses (CAA_ERROR) as long as it gets no answer; the names are not switched before the certificate is issued, so apply goes on"})
		}
	}
	return fs
}
