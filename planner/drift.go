package planner

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/providers"
)

// Drift is something that was changed by hand after a migration had ended.
type Drift struct {
	// Path is that of a change in a plan, such as "record assets.example.com" or
	// "viewer_protocol", or "bucket policy".
	Path string `json:"path"`
	// Expected is what edgeward left, or what the configuration asks for; Live is
	// what stands there. "" is absent.
	Expected string `json:"expected"`
	Live     string `json:"live"`
	// Mend says how it would be put right.
	Mend string `json:"mend"`
}

// drift is what differs on a bucket whose migration had ended; on any other
// bucket nothing is drift, for its plan says what is not done. A bucket that was
// rolled back has not drifted.
func drift(b config.Bucket, a Actual) []Drift {
	if a.Dist == nil {
		return goneDrift(a)
	}
	if a.Crumbs[crumbFinished] == "" { // a way back takes it away as it begins
		return nil
	}
	apply := "edgeward apply -target='" + b.Address + "'"
	var out []Drift
	for _, n := range a.Names {
		switch n.Serves {
		case servesOurs:
			continue
		case servesS3:
			out = append(out, Drift{recordPath(n.CNAME.Name), showRecords(wantedRecords(b, a, n)), showRecords(n.Set.Records),
				"if it was a way back, keep it: edgeward rollback -target='" + b.Address + "'; else " + apply})
		default:
			out = append(out, Drift{recordPath(n.CNAME.Name), showRecords(wantedRecords(b, a, n)), showRecords(n.Set.Records),
				"edgeward changes no record that points somewhere else: set it back by hand, or take the bucket out of the configuration"})
		}
	}
	for _, v := range []Verdict{checkDistribution(b, a), ttlDrift(b, a)} {
		for _, c := range v.Changes {
			out = append(out, Drift{c.Path, c.After, c.Before, apply})
		}
	}
	return slices.Concat(out, policyDrift(b, a), madeDrift(b, a), certificateDrift(a), lockDrift(b, a))
}

// goneDrift: names that point at a distribution which is not there any more, or
// is not known as the bucket's. Where it is another account's, that is for a
// person to say.
func goneDrift(a Actual) []Drift {
	var out []Drift
	for _, n := range a.Names {
		target := n.cname()
		if n.Serves != servesElsewhere || !strings.HasSuffix(target, ".cloudfront.net") {
			continue
		}
		i := slices.IndexFunc(a.Rivals, func(d providers.Distribution) bool { return strings.EqualFold(d.Domain, target) })
		if i < 0 {
			out = append(out, Drift{"distribution", "one of this account that holds " + n.CNAME.Name, "gone, or another account's: the record still points at " + target,
				"if it is gone, visitors get errors now: point the record at S3 by hand (" + n.CNAME.Name + " CNAME to the bucket's S3 endpoint), then edgeward apply"})
			continue
		}
		d := a.Rivals[i]
		if len(d.Tags) > 0 && hasCrumbs(d.Tags) {
			out = append(out, Drift{"tag " + providers.TagBucket, "on distribution " + d.ID + ", which serves " + n.CNAME.Name, d.Tags[providers.TagBucket],
				"visitors are served; set the tag back by hand, or name it with distribution { adopt = \"" + d.ID + "\" }"})
		}
	}
	return out
}

// hasCrumbs says that edgeward has worked on a distribution with these tags.
func hasCrumbs(tags map[string]string) bool {
	return tags[crumbFinished] != "" || tags[crumbWas] != ""
}

// ttlDrift is only about a TTL that the configuration sets: what the owner gave a
// record after the migration is the owner's.
func ttlDrift(b config.Bucket, a Actual) Verdict {
	if b.DNS.TTL == 0 || !a.switched() {
		return Verdict{}
	}
	return checkTTLRestore(b, a)
}

// policyDrift: a cache policy of ours that is not what its name says, and a
// bucket that CloudFront cannot read any more.
func policyDrift(b config.Bucket, a Actual) []Drift {
	var out []Drift
	for _, p := range a.Policies {
		i := strings.LastIndex(p.Name, "-")
		if p.ID != a.Dist.Settings.CachePolicyID || !strings.HasPrefix(p.Name, "edgeward-") || i < len("edgeward-") {
			continue
		}
		if stem := policyStem(p.Settings); p.Foreign || stem != p.Name[:i] {
			out = append(out, Drift{"cache policy " + p.Name, "the settings that its name is the digest of", fmt.Sprintf("other settings: %s", cacheWords(p)),
				fmt.Sprintf("it is used by %d distributions: set it back by hand, or name another one in distribution { cache_policy }", p.InUse)})
		}
	}
	s := a.Bucket
	if s == nil {
		if i := slices.IndexFunc(a.Findings, func(f Finding) bool { return f.Code == "bucket-missing" }); i >= 0 {
			out = append(out, Drift{"bucket " + b.Name, "there", "gone", a.Findings[i].Detail})
		}
		return out
	}
	if a.Crumbs.locked() {
		return out
	}
	if public := s.PolicyPublic && !s.Block.RestrictPublicBuckets; s.RequesterPays || !public && (!s.ACLsEnabled || s.Block.IgnorePublicACLs) {
		live := notPublic(*s)
		if s.RequesterPays {
			live = "requester pays is on"
		}
		out = append(out, Drift{"bucket policy", "everybody may read bucket " + b.Name, live,
			"CloudFront fetches as everybody does: let everybody read again"})
	}
	return out
}

func cacheWords(p providers.CachePolicy) string {
	s := p.Settings
	words := fmt.Sprintf("minimum TTL %ds, default %ds, maximum %ds, query strings %t, headers %s", s.MinTTL, s.DefaultTTL, s.MaxTTL, s.QueryStrings,
		strings.Join(s.Headers, ", "))
	if p.Foreign {
		words += ", and ones that edgeward never sets"
	}
	return words
}

// ask says who to ask about a distribution: its tags that name an owner.
func ask(a Actual) []string {
	if a.Dist == nil {
		return nil
	}
	var out []string
	for _, k := range slices.Sorted(maps.Keys(a.Dist.Tags)) {
		switch strings.ToLower(k) {
		case "owner", "team", "contact", "maintainer", "managed-by", "managed_by":
			out = append(out, k+" = "+a.Dist.Tags[k])
		}
	}
	return out
}

// readAll observes what status needs to find drift (rule 14: only then are
// finished buckets read whole).
func readAll(ctx context.Context, w providers.World, c *config.Config, b config.Bucket) (Actual, error) {
	a, err := Observe(ctx, w, c, b, partAll&^PartObjects|partFinished|partProof|PartAccess)
	if err != nil || a.Dist == nil {
		return a, err
	}
	if a.Policies, err = w.Accounts[b.Account].CachePolicies.CachePolicies(ctx); err != nil {
		return a, err
	}
	return a, liveCertificate(ctx, w, b, &a)
}

// liveCertificate reads the one that visitors are shown: from the list of those that
// cover the names, else by itself.
func liveCertificate(ctx context.Context, w providers.World, b config.Bucket, a *Actual) error {
	arn := a.Dist.Settings.CertificateARN
	if a.Crumbs[crumbFinished] == "" || arn == "" {
		return nil
	}
	port := w.Accounts[b.Account].Certificates
	certs, err := port.Covering(ctx, a.Dist.Settings.Aliases)
	if err != nil {
		return providers.Doing(err, "look for the certificate of distribution %s", a.Dist.ID)
	}
	if i := slices.IndexFunc(certs, func(c providers.Certificate) bool { return c.ARN == arn }); i >= 0 {
		a.Live = &certs[i]
		return nil
	}
	c, err := port.Certificate(ctx, arn)
	switch {
	case errors.Is(err, providers.ErrNotFound):
		c = providers.Certificate{ARN: arn, Status: "gone"}
	case err != nil:
		return providers.Doing(err, "read certificate %s", arn)
	}
	a.Live = &c
	return nil
}

// certificateDrift: the certificate that visitors are shown is not valid any more,
// or will not be.
func certificateDrift(a Actual) []Drift {
	c := a.Live
	if c == nil {
		return nil
	}
	path, want := "certificate "+c.ARN, "issued, and valid for more than 30 days"
	gone := !c.NotAfter.IsZero() && !c.NotAfter.After(a.Now)
	switch {
	case c.Status != providers.CertificateIssued || gone:
		live := c.Status
		if gone {
			live = "expired on " + c.NotAfter.UTC().Format(time.DateOnly)
		}
		return []Drift{{path, want, live, "visitors of https get an error: name a valid one in certificate { arn }, or request one for " + strings.Join(a.Dist.Settings.Aliases, ", ")}}
	case expiring(*c, a.Now):
		return []Drift{{path, want, "expires on " + c.NotAfter.UTC().Format(time.DateOnly), renewWords(*c)}}
	}
	return nil
}

// madeDrift is about what the distribution was made with from S3's settings, which
// no plan changes later (rule 14). Of an adopted one only the bucket is edgeward's to
// say.
func madeDrift(b config.Bucket, a Actual) []Drift {
	if a.Bucket == nil {
		return nil
	}
	var out []Drift
	live := a.Dist.Settings
	adopted := b.Distribution.Adopt != ""
	if want := madeOrigin(b, a); adopted && !isOrigin(b, *a.Dist) || !adopted && !strings.EqualFold(live.OriginDomain, want.OriginDomain) || !adopted && live.OriginKind != want.OriginKind {
		out = append(out, Drift{string(providers.FieldOrigin), show(want, providers.FieldOrigin, a), show(live, providers.FieldOrigin, a),
			"visitors get what that origin has: set it back by hand"})
	}
	if adopted {
		return out
	}
	cors := len(a.Bucket.CORS) > 0
	plain, keyed := policyStem(cacheSettings(false)), policyStem(cacheSettings(true))
	policy := showPolicy(live.CachePolicyID, a)
	ours := policy == plain || policy == keyed
	options := slices.Contains(live.Methods, "OPTIONS")
	usual := slices.Contains(live.Methods, "GET") && slices.Contains(live.Methods, "HEAD") && (len(live.Methods) == 2 || len(live.Methods) == 3 && options)
	own := b.Distribution.CachePolicy == nil
	if !usual {
		out = append(out, Drift{string(providers.FieldMethods), show(freshSettings(b, a), providers.FieldMethods, a), show(live, providers.FieldMethods, a), "set the allowed methods back by hand"})
	}
	if own && !ours {
		want := plain
		if cors {
			want = keyed
		}
		out = append(out, Drift{string(providers.FieldCachePolicy), want, policy, "set it back by hand, or name it in distribution { cache_policy }"})
	}
	if cors && usual && (!own || ours) && (!options || own && policy == plain) {
		out = append(out, Drift{"CORS rules of bucket " + b.Name, "OPTIONS allowed and Origin in the cache key", fmt.Sprintf("the rules came later: methods %s, cache policy %s", show(live, providers.FieldMethods, a), policy),
			"pages of other sites are refused by browsers: allow OPTIONS and choose a cache policy with Origin in its key, by hand; edgeward's own is named " + keyed + "-…"})
	}
	return out
}

// madeOrigin is the origin that the distribution was made with: the bucket, by the
// endpoint that the old record used.
func madeOrigin(b config.Bucket, a Actual) providers.Settings {
	kind := a.Dist.Settings.OriginKind
	if b.Origin == string(providers.RESTOrigin) || b.Origin == string(providers.WebsiteOrigin) {
		kind = providers.OriginKind(b.Origin)
	} else if was, err := decodeRecords(a.Crumbs[crumbWas], 0); err == nil && len(was) > 0 {
		if e, ok := parseEndpoint(was[0].Value); ok {
			kind = e.kind
		}
	}
	return providers.Settings{OriginDomain: originDomain(b.Name, a.Bucket.Region, kind), OriginKind: kind}
}
