package planner

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/providers"
)

// originKind is how a new distribution reaches the bucket: as the live record
// does, unless the configuration insists; never "improved" silently.
func originKind(b config.Bucket, a Actual) providers.OriginKind {
	if b.Origin == "rest" || b.Origin == "website" {
		return providers.OriginKind(b.Origin)
	}
	for _, n := range a.Names {
		if n.Serves == servesS3 && (b.Moved(n.CNAME) || n.Endpoint.kind == providers.WebsiteOrigin) {
			return n.Endpoint.kind
		}
	}
	return providers.RESTOrigin
}

// cacheSettings are the preserving default (domain facts, "Features and the
// behaviour-preserving default"): nothing is kept that S3 would not have had
// kept, query strings and CORS as S3 has them.
func cacheSettings(cors bool) providers.CacheSettings {
	s := providers.CacheSettings{MaxTTL: 31536000, QueryStrings: true}
	if cors {
		s.Headers = []string{"Access-Control-Request-Headers", "Access-Control-Request-Method", "Origin"}
	}
	return s
}

// policyStem is the name of a variant without its number: the same settings
// have the same stem in every account (rule 13).
func policyStem(s providers.CacheSettings) string {
	return "edgeward-" + digest(fmt.Sprintf("%+v", s))[:12]
}

// maxPolicyUsers is how many distributions may use one cache policy [CloudFront
// quotas].
const maxPolicyUsers = 100

// pickPolicy is the newest policy of a variant that still has room, nil when
// there is none, and the name that the next one would have.
func pickPolicy(ps []providers.CachePolicy, s providers.CacheSettings) (*providers.CachePolicy, string) {
	stem := policyStem(s)
	next := 1
	highest := 0
	var found *providers.CachePolicy
	for i, p := range ps {
		num, ok := strings.CutPrefix(p.Name, stem+"-")
		n, err := strconv.Atoi(num)
		if !ok || err != nil {
			continue
		}
		next = max(next, n+1)
		if n > highest && !p.Foreign && sameCache(p.Settings, s) && p.InUse < maxPolicyUsers {
			found, highest = &ps[i], n
		}
	}
	return found, fmt.Sprintf("%s-%d", stem, next)
}

func sameCache(x, y providers.CacheSettings) bool {
	return x.MinTTL == y.MinTTL && x.DefaultTTL == y.DefaultTTL && x.MaxTTL == y.MaxTTL &&
		x.QueryStrings == y.QueryStrings && x.Gzip == y.Gzip && x.Brotli == y.Brotli && slices.Equal(x.Headers, y.Headers)
}

// hasOwnPolicy says that no cache policy of ours is wanted: the distribution has
// one already, or the configuration names one.
func hasOwnPolicy(b config.Bucket, a Actual) bool {
	return b.Distribution.CachePolicy != nil || a.Dist != nil && a.Dist.Settings.CachePolicyID != ""
}

func checkPolicy(b config.Bucket, a Actual) Verdict {
	if a.switched() || hasOwnPolicy(b, a) {
		return done("the cache policy is chosen")
	}
	if a.Bucket == nil {
		return waiting("the bucket's CORS settings are not known")
	}
	s := cacheSettings(len(a.Bucket.CORS) > 0)
	p, _ := pickPolicy(a.Policies, s)
	if p != nil {
		return done("cache policy " + p.Name + " exists")
	}
	what := "caches only as each object's own Cache-Control says, query strings in the key"
	if len(a.Bucket.CORS) > 0 {
		what += ", Origin in the key"
	}
	v := todo("a cache policy that "+what, ValueChange{Path: "cache policy", After: policyStem(s)})
	v.Undo = "nothing to undo: an unused cache policy costs nothing"
	return v
}

// freshSettings are those of a distribution that is to be created: what
// preserves the site as S3 serves it.
func freshSettings(b config.Bucket, a Actual) providers.Settings {
	s := providers.Settings{Methods: []string{"GET", "HEAD"}, OriginKind: originKind(b, a)}
	if a.Bucket != nil {
		s.OriginDomain = originDomain(b.Name, a.Bucket.Region, s.OriginKind)
		if len(a.Bucket.CORS) > 0 {
			s.Methods = []string{"GET", "HEAD", "OPTIONS"}
		}
		if p, _ := pickPolicy(a.Policies, cacheSettings(len(a.Bucket.CORS) > 0)); p != nil {
			s.CachePolicyID = p.ID
		}
	}
	return s
}

// wantedSettings are what the distribution should have, and the fields of them
// that are managed. What was derived from S3 at create is read from the live
// distribution afterwards (rule 14); of an adopted one only what the
// configuration sets is managed, beside alias and certificate.
func wantedSettings(b config.Bucket, a Actual) (providers.Settings, []providers.Field) {
	d := b.Distribution
	var s providers.Settings
	if a.Dist == nil {
		s = freshSettings(b, a)
	} else {
		s = a.Dist.Settings
	}
	s.Enabled, s.Aliases = true, wantedAliases(b, a)
	fields := []providers.Field{providers.FieldEnabled, providers.FieldAliases, providers.FieldCertificate}
	if a.Chosen != nil && a.Chosen.Status == providers.CertificateIssued {
		s.CertificateARN = a.Chosen.ARN
	}
	str := func(f providers.Field, dst, set *string, def string) {
		if manage(dst, set, def, d.Adopt != "") {
			fields = append(fields, f)
		}
	}
	flag := func(f providers.Field, dst, set *bool, def bool) {
		if manage(dst, set, def, d.Adopt != "") {
			fields = append(fields, f)
		}
	}
	str(providers.FieldMinimumTLS, &s.MinimumTLS, d.MinimumTLS, "TLSv1.2_2021")
	str(providers.FieldViewerProtocol, &s.ViewerProtocol, d.ViewerProtocol, "allow-all")
	str(providers.FieldPriceClass, &s.PriceClass, d.PriceClass, "PriceClass_All")
	str(providers.FieldHTTPVersion, &s.HTTPVersion, d.HTTPVersion, "http2")
	flag(providers.FieldIPv6, &s.IPv6, d.IPv6, true)
	flag(providers.FieldCompress, &s.Compress, d.Compress, false)
	str(providers.FieldCachePolicy, &s.CachePolicyID, d.CachePolicy, s.CachePolicyID)
	str(providers.FieldOriginRequest, &s.OriginRequestID, d.OriginRequestPolicy, "")
	str(providers.FieldResponseHeaders, &s.ResponseHeadersID, d.ResponseHeadersPolicy, "")
	str(providers.FieldWebACL, &s.WebACL, d.WebACLARN, "")
	if d.DefaultRootObject != nil {
		s.DefaultRootObject = *d.DefaultRootObject
		fields = append(fields, providers.FieldDefaultRootObject)
	}
	if d.Logging != nil {
		s.Logging = providers.Logging{Bucket: d.Logging.Bucket, Prefix: d.Logging.Prefix}
		fields = append(fields, providers.FieldLogging)
	}
	return s, fields
}

// manage sets one setting to what the configuration says, or to its default; an
// adopted distribution keeps what the configuration leaves out. It says whether
// the setting is managed.
func manage[T any](dst, set *T, def T, adopted bool) bool {
	switch {
	case set != nil:
		*dst = *set
	case adopted:
		return false
	default:
		*dst = def
	}
	return true
}

// show is a field's value as plans print it.
func show(s providers.Settings, f providers.Field, a Actual) string {
	switch f {
	case providers.FieldEnabled:
		return strconv.FormatBool(s.Enabled)
	case providers.FieldAliases:
		return strings.Join(s.Aliases, ", ")
	case providers.FieldCertificate:
		return s.CertificateARN
	case providers.FieldMinimumTLS:
		return s.MinimumTLS
	case providers.FieldOrigin:
		return fmt.Sprintf("%s (%s)", s.OriginDomain, s.OriginKind)
	case providers.FieldViewerProtocol:
		return s.ViewerProtocol
	case providers.FieldMethods:
		return strings.Join(s.Methods, ", ")
	case providers.FieldPriceClass:
		return s.PriceClass
	case providers.FieldHTTPVersion:
		return s.HTTPVersion
	case providers.FieldIPv6:
		return strconv.FormatBool(s.IPv6)
	case providers.FieldCompress:
		return strconv.FormatBool(s.Compress)
	case providers.FieldCachePolicy:
		return showPolicy(s.CachePolicyID, a)
	case providers.FieldOriginRequest:
		return s.OriginRequestID
	case providers.FieldResponseHeaders:
		return s.ResponseHeadersID
	case providers.FieldWebACL:
		return s.WebACL
	case providers.FieldDefaultRootObject:
		return s.DefaultRootObject
	case providers.FieldOriginAccess:
		return s.OriginAccessID
	case providers.FieldLogging:
		if s.Logging == (providers.Logging{}) {
			return ""
		}
		return s.Logging.Bucket + "/" + s.Logging.Prefix
	}
	return ""
}

// showPolicy prints one of ours by its stem, so that a plan stands whichever
// number has room when it is applied.
func showPolicy(id string, a Actual) string {
	for _, p := range a.Policies {
		if i := strings.LastIndex(p.Name, "-"); p.ID == id && strings.HasPrefix(p.Name, "edgeward-") && i > 0 {
			return p.Name[:i]
		}
	}
	return id
}

// checkDistribution: a distribution of ours has the aliases, the certificate
// and our settings.
func checkDistribution(b config.Bucket, a Actual) Verdict {
	want, fields := wantedSettings(b, a)
	if a.Dist == nil {
		return createVerdict(b, a, want, fields)
	}
	var changes []ValueChange
	live := a.Dist.Settings
	for _, f := range fields {
		if (f == providers.FieldDefaultRootObject || f == providers.FieldLogging) && !a.Dist.SettingsFull {
			continue
		}
		before, after := show(live, f, a), show(want, f, a)
		if f == providers.FieldCertificate && missing(live.Aliases, b.Names()) != nil && (a.Chosen == nil || a.Chosen.Status != providers.CertificateIssued) {
			after = knownAfter(CertificateRequest)
		}
		if before != after {
			changes = append(changes, ValueChange{string(f), before, after})
		}
	}
	changes = append(changes, tagChanges(b, a)...)
	if changes == nil {
		return done("distribution " + a.Dist.ID + " is as configured")
	}
	v := todo("distribution "+a.Dist.ID+" differs from the configuration", changes...)
	v.Action = Change
	v.Undo = "set the fields back by hand; the names stay on the distribution"
	return v
}

func createVerdict(b config.Bucket, a Actual, want providers.Settings, fields []providers.Field) Verdict {
	if a.Bucket == nil {
		return waiting("the bucket's settings are not known")
	}
	fields = append(slices.Clone(fields[1:]), providers.FieldOrigin, providers.FieldMethods)
	v := todo("a distribution with the bucket as origin and the name as alternate domain name")
	for _, f := range fields {
		after := show(want, f, a)
		switch {
		case f == providers.FieldCertificate && after == "":
			after = knownAfter(CertificateRequest)
		case f == providers.FieldCachePolicy && after == "":
			after = nextPolicy(a)
		case after == "":
			continue
		}
		v.Changes = append(v.Changes, ValueChange{Path: string(f), After: after})
	}
	v.Changes = append(v.Changes, tagChanges(b, a)...)
	v.Undo = "the distribution may stay: without a record that points at it, it serves nobody"
	return v
}

// nextPolicy is how a plan shows the policy that is still to be made: where the
// variant has some, which are full, by their stem as if one had room, for that is
// what was approved, whichever fills in the meantime.
func nextPolicy(a Actual) string {
	stem := policyStem(cacheSettings(len(a.Bucket.CORS) > 0))
	if slices.ContainsFunc(a.Policies, func(p providers.CachePolicy) bool { return strings.HasPrefix(p.Name, stem+"-") }) {
		return stem
	}
	return knownAfter(PolicyEnsure)
}

// ownTags are the user's tags and the one that says whose it is.
func ownTags(b config.Bucket) map[string]string {
	tags := maps.Clone(b.Distribution.Tags)
	if tags == nil {
		tags = map[string]string{}
	}
	tags[providers.TagBucket] = b.Name
	return tags
}

func tagChanges(b config.Bucket, a Actual) []ValueChange {
	var changes []ValueChange
	for _, k := range slices.Sorted(maps.Keys(ownTags(b))) {
		before := ""
		if a.Dist != nil {
			before = a.Dist.Tags[k]
		}
		if after := ownTags(b)[k]; before != after {
			changes = append(changes, ValueChange{"tag " + k, before, after})
		}
	}
	return changes
}

// putDistribution creates the distribution, or changes the fields that differ.
func putDistribution(ctx context.Context, s scene) error {
	want, fields := wantedSettings(s.b, s.a)
	if s.a.Dist == nil {
		return createDistribution(ctx, s, want)
	}
	d := *s.a.Dist
	if cs := tagChanges(s.b, s.a); cs != nil {
		tags := ownTags(s.b)
		if !s.a.Crumbs.reserved() {
			now, err := s.acc.Distributions.Tags(ctx, d.ARN)
			if err != nil {
				return providers.Doing(err, "read the tags of distribution %s", d.ID)
			}
			crumbs(now).reserve(tags)
		}
		if err := s.acc.Distributions.SetTags(ctx, d.ARN, tags); err != nil {
			return providers.Doing(err, "tag distribution %s", d.ID)
		}
	}
	var differ []providers.Field
	for _, f := range fields {
		if show(d.Settings, f, s.a) != show(want, f, s.a) {
			differ = append(differ, f)
		}
	}
	if differ == nil {
		return nil
	}
	if d.ETag == "" {
		return notYet("the version of distribution " + d.ID + " is not known yet")
	}
	if _, err := s.acc.Distributions.Update(ctx, d.ID, d.ETag, want, differ); err != nil {
		return providers.Doing(err, "update distribution %s", d.ID)
	}
	return nil
}

// createDistribution follows rule 11: the caller reference is a function of
// account and bucket, and its generation rises only when the distribution of
// the one before is gone.
func createDistribution(ctx context.Context, s scene, want providers.Settings) error {
	switch {
	case want.CertificateARN == "":
		return notYet("the certificate is not there yet")
	case s.a.Bucket == nil && !hasOwnPolicy(s.b, s.a):
		return notYet("the cache policy is not there yet")
	}
	var room *policyRoom
	if !hasOwnPolicy(s.b, s.a) {
		var err error
		room = s.rooms.of(s.b.Account, cacheSettings(len(s.a.Bucket.CORS) > 0))
		if want.CachePolicyID, err = room.place(ctx, s); err != nil {
			return err
		}
	}
	account, err := s.acc.Identity.AccountID(ctx)
	if err != nil {
		return err
	}
	tags := ownTags(s.b)
	crumbs(nil).reserve(tags)
	for generation := 1; generation <= maxGenerations; generation++ {
		ref := callerReference(account, s.b.Name, generation)
		_, err := s.acc.Distributions.Create(ctx, ref, want, tags)
		var exists *providers.ExistsError
		switch {
		case err == nil:
			return nil
		case errors.Is(err, providers.ErrFull) && room != nil:
			return room.refused(ctx, s, want.CachePolicyID)
		case errors.As(err, &exists) && exists.ID != "":
			gone, err := adoptExisting(ctx, s, exists.ID, ref)
			if err != nil || !gone {
				return err
			}
		case errors.Is(err, providers.ErrConflict):
			return heldElsewhere(ctx, s, account, err)
		default:
			return providers.Doing(err, "create a distribution for %s", s.b.Name)
		}
	}
	return fmt.Errorf("create a distribution for %s: the caller references of %d generations are used up", s.b.Name, maxGenerations)
}

// maxGenerations bounds how often a bucket's distribution may have been deleted
// by hand.
const maxGenerations = 20

func callerReference(account, bucket string, generation int) string {
	return fmt.Sprintf("edgeward-%s-%d", digest("distribution", account, bucket)[:24], generation)
}

// adoptExisting looks at the distribution that used our caller reference: gone,
// or ours (the answer to its creation was lost), or an obstacle.
func adoptExisting(ctx context.Context, s scene, id, ref string) (gone bool, err error) {
	d, err := s.acc.Distributions.Distribution(ctx, id)
	if errors.Is(err, providers.ErrNotFound) {
		return true, nil
	}
	if err != nil {
		return false, providers.Doing(err, "read distribution %s, which used our caller reference", id)
	}
	tags, err := s.acc.Distributions.Tags(ctx, d.ARN)
	if err != nil {
		return false, providers.Doing(err, "read the tags of distribution %s", id)
	}
	if d.CallerReference == ref && tags[providers.TagBucket] == s.b.Name {
		return false, notYet("distribution " + id + " is ours, and the sweep does not show it as such yet")
	}
	return false, fmt.Errorf("distribution %s was created by edgeward for %s but has lost its tag %s; set the tag back, or write distribution { adopt = %q }: %w",
		id, s.b.Name, providers.TagBucket, id, providers.ErrConflict)
}

// heldElsewhere is the answer to CNAMEAlreadyExists: a create whose answer was
// lost makes the retry see our own alias, so our own account is looked at first.
func heldElsewhere(ctx context.Context, s scene, account string, cause error) error {
	ds, err := s.acc.Distributions.Find(ctx, s.b.Name, s.b.Names())
	if err != nil {
		return providers.Doing(err, "look for the distribution that holds %s", strings.Join(s.b.Names(), ", "))
	}
	for _, d := range ds {
		full, err := s.acc.Distributions.Distribution(ctx, d.ID)
		if err != nil {
			continue
		}
		tags, err := s.acc.Distributions.Tags(ctx, d.ARN)
		if err == nil && tags[providers.TagBucket] == s.b.Name && strings.HasPrefix(full.CallerReference, strings.TrimSuffix(callerReference(account, s.b.Name, 0), "0")) {
			return notYet("distribution " + d.ID + " is ours, and the sweep does not show it as such yet")
		}
	}
	return fmt.Errorf("%s is an alternate domain name of a distribution that this account does not show; visitors would reach that one. "+
		"Ask its owner to release it, or move it by AWS's procedure: a TXT record _%s with the target distribution's domain name, then AssociateAlias: %w",
		strings.Join(s.b.Names(), " or "), s.b.CNAMEs[0].Name, cause)
}

// checkDeployed: Status is Deployed.
func checkDeployed(_ config.Bucket, a Actual) Verdict {
	if a.Dist == nil {
		v := waiting("until every edge has the distribution")
		v.Expect = expectDeployed
		return v
	}
	if a.Dist.Status != providers.Deployed {
		v := waiting("distribution " + a.Dist.ID + " is " + a.Dist.Status + ": not every edge has it yet")
		v.Expect = expectDeployed
		return v
	}
	return done("distribution " + a.Dist.ID + " is deployed")
}

// notYet is the error of an act that found that it must wait: the step looks
// again later.
type notYet string

func (e notYet) Error() string { return string(e) }
