package planner

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/providers"
)

// findings are what a reader should know before anything is done, in a stable
// order: errors first.
func findings(b config.Bucket, a Actual) []Finding {
	fs := slices.Clone(a.Findings)
	fs = append(fs, rivalFindings(a)...)
	fs = append(fs, holderFindings(a)...)
	for _, n := range a.Names {
		fs = append(fs, nameFindings(b, a, n)...)
		fs = append(fs, proxyFindings(b, a, n)...)
		fs = append(fs, delegationFindings(b, a, n)...)
	}
	fs = append(fs, checkCrumbs(b, a)...)
	if !a.switched() {
		fs = append(fs, bucketFindings(b, a)...)
		fs = append(fs, originFindings(b, a)...)
		fs = append(fs, certificateFindings(b, a)...)
		fs = append(fs, caaFindings(b, a)...)
		fs = append(fs, byHandFindings(a)...)
		fs = append(fs, limitFindings(b, a)...)
		fs = append(fs, visitorFindings(b)...)
		fs = append(fs, ipv6Findings(b, a)...)
	}
	fs = append(fs, lockFindings(b, a)...)
	if d := a.Dist; d != nil && !d.Settings.Enabled {
		fs = append(fs, Finding{Warning, "distribution-disabled", "distribution " + d.ID + " is disabled",
			"visitors who are sent to it get errors; apply enables it"})
	}
	rank := map[Severity]int{Error: 0, Warning: 1, Note: 2}
	slices.SortStableFunc(fs, func(x, y Finding) int { return rank[x.Severity] - rank[y.Severity] })
	return fs
}

func blocked(fs []Finding) bool {
	return slices.ContainsFunc(fs, func(f Finding) bool { return f.Severity == Error })
}

func rivalFindings(a Actual) []Finding {
	var fs []Finding
	for _, d := range a.Rivals {
		fs = append(fs, Finding{Error, "alias-taken", "distribution " + d.ID + " holds the name already",
			fmt.Sprintf("its aliases are %s; CloudFront gives a name to one distribution only. If it is the one to use, write distribution { adopt = %q }; else remove the alias from it first", strings.Join(d.Settings.Aliases, ", "), d.ID)})
	}
	for _, d := range a.Wildcards {
		if name, ok := aliasHijack(a, d); ok {
			fs = append(fs, Finding{Error, "alias-wildcard", "distribution " + d.ID + " serves the visitors of " + name + " today",
				fmt.Sprintf("its aliases are %s, and the DNS leads %s to CloudFront. The more specific alias wins at once, so the new distribution would take those visitors as soon as it has the name, before a link is compared, and a rollback would not give them back. Take the name out of cnames; or let S3 serve it first, by a record of its own", strings.Join(d.Settings.Aliases, ", "), name)})
			continue
		}
		fs = append(fs, Finding{Note, "alias-wildcard", "distribution " + d.ID + " has a wildcard alias that covers the name",
			fmt.Sprintf("its aliases are %s; the more specific alias wins, so visitors reach the new distribution", strings.Join(d.Settings.Aliases, ", "))})
	}
	return fs
}

// nameFindings judge what stands at one name today.
func nameFindings(b config.Bucket, a Actual, n NameActual) []Finding {
	name, bad := n.CNAME.Name, func(code, summary, detail string) []Finding {
		return []Finding{{Error, code, summary, detail}}
	}
	live, apex := showRecords(n.Set.Records), n.CNAME.Name == n.Set.Zone
	switch {
	case n.Set.Routing != "":
		return bad("record-routing", "the record of "+name+" cannot be changed as a whole",
			n.Set.Routing+"; replace the set by one simple record, then run edgeward again")
	case n.Features.Unsafe != "" && n.Serves != servesOurs:
		return bad("provider-unsafe", n.Features.Provider+" cannot switch "+name+" safely", n.Features.Unsafe)
	case n.Serves == servesElsewhere && n.Features.ByHand && n.cname() == "":
		return bad("record-elsewhere", name+" answers with addresses, and they do not say whose",
			fmt.Sprintf("its servers answer %q. If the zone's provider flattens a CNAME, its target cannot be seen from outside: switch the flattening off for this name, or use a dns_provider of the provider's own type, which reads the record itself. An address that was written down by hand is no S3 record, and edgeward changes only names that S3 serves today", live))
	case n.Serves == servesElsewhere:
		return bad("record-elsewhere", name+" points somewhere else",
			fmt.Sprintf("it is %q, which is neither an S3 endpoint nor the bucket's distribution; edgeward changes only names that S3 serves today", live))
	case !b.Moved(n.CNAME) && n.Serves == servesS3:
		return bad("added-name-has-record", name+" has a record, but no bucket of that name is meant",
			fmt.Sprintf("it is %q, and S3 takes the bucket from the name: a visitor asks for bucket %s today, not %s. Give that name a bucket block of its own, or remove the record and edgeward creates one at the switch", live, name, b.Name))
	case apex && !n.Features.Alias && !n.Features.Flatten && (n.Serves == servesNobody || !n.alias()):
		return bad("apex-without-alias", name+" is the top of its zone, and "+n.Features.Provider+" has no alias records there",
			"DNS allows no CNAME beside the zone's SOA and NS records; move the zone to a provider with alias records, such as Route 53, or one that flattens a CNAME there")
	case n.Serves == servesNobody && len(n.Set.Other) > 0 && !useAlias(n) && !(apex && n.Features.Flatten):
		return bad("other-records", name+" has other records, beside which no CNAME may stand",
			"there are "+strings.Join(n.Set.Other, ", ")+" records at the name; remove them first")
	case n.Serves == servesNobody && n.Instead != nil:
		return insteadFindings(b, a, n)
	case n.Serves == servesNobody && b.Moved(n.CNAME):
		return []Finding{{Note, "record-absent", name + " has no record today", "nobody reaches the bucket by this name; the switch creates the record, and rollback removes it"}}
	}
	return ttlFindings(b, a, n)
}

// ttlFindings say how long the TTL makes things take.
func ttlFindings(b config.Bucket, a Actual, n NameActual) []Finding {
	ttl, has := n.ttl()
	low := lowTarget(b, n)
	switch {
	case n.Serves == servesOurs || n.Serves == servesNobody:
		return nil
	case n.proxied():
		return []Finding{{Note, "proxied", n.CNAME.Name + " is answered by the proxy of " + n.Features.Provider,
			"it stays proxied. Its TTL does not matter, so nothing is lowered; the proxy fetches from CloudFront as soon as the record is changed"}}
	case !has && n.alias():
		return []Finding{{Note, "alias-ttl", n.CNAME.Name + " is an alias record and has no TTL of its own",
			"its answers live for about " + shortDuration(aliasTTL) + ", so nothing is lowered"}}
	case a.Crumbs.keeps(ttl) && ttl > low:
		return []Finding{{Warning, "ttl-kept", n.CNAME.Name + " keeps a TTL of " + shortDuration(ttl),
			n.Features.Provider + " was asked for " + shortDuration(low) + " and has more; after the switch some visitors reach S3 and some CloudFront for " + shortDuration(ttl)}}
	case ttl >= 6*time.Hour && ttl > low:
		return []Finding{{Note, "ttl-long", n.CNAME.Name + " has a TTL of " + shortDuration(ttl),
			"the switch waits that long after the TTL was lowered, so that no resolver holds the old record for longer than " + shortDuration(low) + " afterwards. apply may be ended meanwhile and run again later"}}
	case n.Features.MinTTL > b.DNS.LowTTL && ttl > b.DNS.LowTTL:
		return []Finding{{Note, "ttl-floor", n.Features.Provider + " keeps no TTL below " + shortDuration(n.Features.MinTTL),
			"after the switch some visitors reach S3 and some CloudFront for " + shortDuration(min(ttl, low)) + ", not only for " + shortDuration(b.DNS.LowTTL)}}
	case ttl == 0:
		return []Finding{{Note, "ttl-zero", n.CNAME.Name + " has a TTL of 0", "resolvers keep nothing, so nothing is lowered; the record keeps its TTL of 0"}}
	}
	return nil
}

// byHandFindings say once for each provider that a person changes its records.
func byHandFindings(a Actual) []Finding {
	var fs []Finding
	seen := map[string]bool{}
	for _, n := range a.Names {
		if p := n.CNAME.DNSProvider; n.Features.ByHand && !seen[p] {
			seen[p] = true
			fs = append(fs, Finding{Note, "by-hand", "a person changes the records of " + p,
				"apply prints each row to set and waits until every authoritative server has it; it may be ended meanwhile and run again hours or weeks later. Set no row before apply asks for it"})
		}
	}
	return fs
}

// bucketFindings judge S3's settings.
func bucketFindings(b config.Bucket, a Actual) []Finding {
	s := a.Bucket
	if s == nil {
		return nil
	}
	var fs []Finding
	switch public := s.PolicyPublic && !s.Block.RestrictPublicBuckets; {
	case s.RequesterPays:
		fs = append(fs, Finding{Error, "requester-pays", "bucket " + b.Name + " makes the requester pay",
			"S3 answers anonymous requests to such a bucket with 403, so neither visitors nor CloudFront can be served; switch requester pays off"})
	case a.Crumbs.locked(): // by edgeward, to its distribution
	case !public && (!s.ACLsEnabled || s.Block.IgnorePublicACLs):
		fs = append(fs, Finding{Error, "bucket-not-public", "bucket " + b.Name + " is not public",
			notPublic(*s) + ". edgeward moves buckets that visitors can read; make it public first, or take it out of the configuration"})
	case !public:
		fs = append(fs, Finding{Note, "public-by-acl", "bucket " + b.Name + " has no public policy",
			"visitors read only objects that have a public ACL, and CloudFront reads for them as they do, without a signature: what was uploaded without one is refused by both. Such objects are left out of the test links"})
	}
	return slices.Concat(fs, policyFindings(b, a), cacheFindings(b, a), siteFindings(b, a))
}

func notPublic(s providers.Bucket) string {
	switch {
	case s.PolicyPublic && s.Block.RestrictPublicBuckets:
		return "its policy is public, but the public access block (RestrictPublicBuckets) overrides it"
	case s.Policy == "":
		return "it has no policy that lets everybody read, and its ACLs do not count"
	}
	return "its policy does not let everybody read, and its ACLs do not count"
}

// originFindings: the origin kind follows the live record.
func originFindings(b config.Bucket, a Actual) []Finding {
	if a.Bucket == nil {
		return nil
	}
	bad := func(code, summary, detail string) []Finding {
		return []Finding{{Error, code, summary, detail}}
	}
	kind := originKind(b, a)
	n := a.moved(b)
	live := n != nil && n.Serves == servesS3
	switch {
	case a.Dist != nil && !isOrigin(b, *a.Dist):
		return bad("origin-differs", "distribution "+a.Dist.ID+" has another origin",
			fmt.Sprintf("its origin is %s, not bucket %s; set it back by hand, or adopt another distribution", a.Dist.Settings.OriginDomain, b.Name))
	case live && n.Endpoint.kind != kind:
		return bad("origin-kind", fmt.Sprintf("origin = %q is not what visitors use today", b.Origin),
			fmt.Sprintf("%s points at S3's %s endpoint, and the two answer differently (index documents, redirects, errors); write origin = \"auto\"", n.CNAME.Name, n.Endpoint.kind))
	case live && a.Dist != nil && a.Dist.Settings.OriginKind != n.Endpoint.kind:
		return bad("origin-kind", "distribution "+a.Dist.ID+" uses another endpoint than visitors do today",
			fmt.Sprintf("%s points at S3's %s endpoint, the distribution at its %s endpoint, and the two answer differently; set the distribution's origin to %s", n.CNAME.Name, n.Endpoint.kind, a.Dist.Settings.OriginKind, originDomain(b.Name, a.Bucket.Region, n.Endpoint.kind)))
	case kind == providers.WebsiteOrigin && a.Bucket.Website == nil:
		return bad("website-missing", "bucket "+b.Name+" has no website configuration",
			"its website endpoint answers 404 (NoSuchWebsiteConfiguration) to everybody; configure the website, or point the record at the REST endpoint")
	case live && n.Endpoint.region != "" && n.Endpoint.region != a.Bucket.Region:
		return []Finding{{Warning, "region-differs", fmt.Sprintf("%s points at S3 in %s, but the bucket is in %s", n.CNAME.Name, n.Endpoint.region, a.Bucket.Region),
			"S3 redirects such requests or refuses them; CloudFront will fetch from the bucket's own region"}}
	}
	return nil
}

// isOrigin says whether the distribution fetches from the bucket.
func isOrigin(b config.Bucket, d providers.Distribution) bool {
	_, ok := parseEndpoint(d.Settings.OriginDomain)
	return ok && strings.HasPrefix(strings.ToLower(d.Settings.OriginDomain), b.Name+".s3")
}

// visitorFindings say what the configuration changes for visitors, beyond the
// preserving defaults.
func visitorFindings(b config.Bucket) []Finding {
	d := b.Distribution
	var fs []Finding
	warn := func(code, summary, detail string) {
		fs = append(fs, Finding{Warning, code, summary, detail})
	}
	if p := d.ViewerProtocol; p != nil && *p == "redirect-to-https" {
		warn("visitors-redirected", "visitors of http will be redirected to https",
			"browsers keep a permanent redirect: after a rollback S3 has no https under this name, and those visitors cannot be served. Set viewer_protocol only once nobody will go back")
	} else if p != nil && *p == "https-only" {
		warn("visitors-refused", "visitors of http will be refused (403)", "all visitors use http today, since S3 has no https under this name; leave viewer_protocol out")
	}
	if d.Compress != nil && *d.Compress {
		fs = append(fs, Finding{Note, "visitors-compressed", "objects are compressed for visitors who accept it", "their ETag becomes weak and Content-Length is dropped"})
	}
	if d.DefaultRootObject != nil && *d.DefaultRootObject != "" {
		fs = append(fs, Finding{Note, "visitors-root", "/ answers with " + *d.DefaultRootObject, "only the root, no folders; S3's REST endpoint lists the bucket or refuses there today"})
	}
	return fs
}
