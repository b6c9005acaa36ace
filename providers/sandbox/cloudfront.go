package sandbox

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/edgeward/edgeward/providers"
)

// elsewhere is the label of distributions and certificates of accounts that are
// not of this world.
const elsewhere = "\x00another account"

type account struct {
	label, number string
	certificates  map[string]*certificate
	policies      map[string]*providers.CachePolicy
	controls      map[string]*providers.OriginAccess
	block         *providers.PublicAccessBlock
}

func newAccount(label string) *account {
	n := strconv.FormatUint(100_000_000_000+mix(0, "account", label)%900_000_000_000, 10)
	return &account{label: label, number: n, certificates: map[string]*certificate{}, policies: map[string]*providers.CachePolicy{}, controls: map[string]*providers.OriginAccess{}}
}

// accountPort is one process' view of one account.
type accountPort struct {
	w      *World
	a      *account
	handle int
}

func (p accountPort) op(op, name string, write bool) Call {
	return Call{Op: op, Account: p.a.label, Name: name, Write: write}
}

func (p accountPort) AccountID(ctx context.Context) (string, error) {
	err := p.w.call(ctx, p.op("Identity.AccountID", "", false), func(time.Time) error { return nil })
	if err != nil {
		return "", err
	}
	return p.a.number, nil
}

type distribution struct {
	id, arn, domain, account, ref string
	version, pending              int
	settings                      providers.Settings
	// served is what the edges have, nil before the first deployment ended.
	served *providers.Settings
	tags   map[string]string
	// also are the domains of origins that the default behaviour does not use.
	also   []string
	log    []tagging
	faults map[string][]byte
	cache  map[string]*cached
	meter  meter
	sick   sickness
}

// tagging is one state of the tags in the tagging index.
type tagging struct {
	at     time.Time // when every reader sees it
	handle int       // who sees it at once
	tags   map[string]string
}

type distributionsPort struct{ accountPort }

func cloneSettings(s providers.Settings) providers.Settings {
	s.Aliases, s.Methods = slices.Clone(s.Aliases), slices.Clone(s.Methods)
	return s
}

func (d *distribution) etag() string { return "E" + code(13, "etag", d.id, strconv.Itoa(d.version)) }

func (d *distribution) port() providers.Distribution {
	status := providers.Deployed
	if d.pending > 0 {
		status = providers.InProgress
	}
	return providers.Distribution{
		ID: d.id, ARN: d.arn, Domain: d.domain, Status: status, ETag: d.etag(),
		CallerReference: d.ref, Settings: cloneSettings(d.settings), SettingsFull: true,
		Comment:    "edgeward: " + d.tags[providers.TagBucket],
		ErrorCodes: []int64{400, 403, 404, 405, 414, 416, 500, 501, 502, 503, 504},
	}
}

// summary is d as the two sweeps tell it.
func (d *distribution) summary(handle int, now time.Time) providers.Distribution {
	out := d.port()
	out.CallerReference, out.SettingsFull, out.Comment, out.ErrorCodes = "", false, "", nil
	out.Settings.DefaultRootObject, out.Settings.Logging = "", providers.Logging{}
	out.Tags = d.swept(handle, now)
	return out
}

func (d *distribution) swept(handle int, now time.Time) map[string]string {
	out := map[string]string{}
	maps.Copy(out, d.sweptTags(handle, now))
	return out
}

// sweptTags are swept without a copy, for whoever only looks.
func (d *distribution) sweptTags(handle int, now time.Time) map[string]string {
	for _, t := range slices.Backward(d.log) {
		if t.handle == handle || !now.Before(t.at) {
			return t.tags
		}
	}
	return nil
}

func (w *World) tag(d *distribution, handle int, now time.Time, tags map[string]string) {
	for k, v := range tags {
		d.tags[k] = v
	}
	all := map[string]string{}
	for k, v := range d.tags {
		all[k] = v
	}
	at := now.Add(w.draw(w.o.TagLag, "tags", d.id, strconv.Itoa(len(d.log))))
	if n := len(d.log); n > 0 && at.Before(d.log[n-1].at) {
		at = d.log[n-1].at
	}
	d.log = append(d.log, tagging{at, handle, all})
}

func (p distributionsPort) own(id string) (*distribution, error) {
	for _, d := range []*distribution{p.w.dists[id], p.w.dists[id[strings.LastIndex(id, "/")+1:]]} {
		if d != nil && d.account == p.a.label && (d.id == id || d.arn == id) {
			return d, nil
		}
	}
	return nil, fmt.Errorf("read distribution %s: NoSuchDistribution: %w", id, providers.ErrNotFound)
}

func (p distributionsPort) Find(ctx context.Context, bucket string, names []string) ([]providers.Distribution, error) {
	var out []providers.Distribution
	err := p.w.call(ctx, p.op("Distributions.Find", bucket, false), func(now time.Time) error {
		for _, d := range p.w.dists {
			if d.account == p.a.label && concerns(d.settings.Aliases, d.sweptTags(p.handle, now), bucket, names) {
				out = append(out, d.summary(p.handle, now))
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(out, func(a, b providers.Distribution) int { return strings.Compare(a.ID, b.ID) })
	return out, nil
}

func concerns(aliases []string, tags map[string]string, bucket string, names []string) bool {
	if bucket != "" && tags[providers.TagBucket] == bucket {
		return true
	}
	for _, a := range aliases {
		for _, n := range names {
			if a == n || providers.AliasOver(a, n) || providers.AliasOver(n, a) {
				return true
			}
		}
	}
	return false
}

func (p distributionsPort) Distribution(ctx context.Context, id string) (providers.Distribution, error) {
	var out providers.Distribution
	err := p.w.call(ctx, p.op("Distributions.Distribution", id, false), func(time.Time) error {
		d, err := p.own(id)
		if err == nil {
			out = d.port()
		}
		return err
	})
	if err != nil {
		return providers.Distribution{}, err
	}
	return out, nil
}

func (p distributionsPort) Tags(ctx context.Context, arn string) (map[string]string, error) {
	out := map[string]string{}
	err := p.w.call(ctx, p.op("Distributions.Tags", arn, false), func(time.Time) error {
		d, err := p.own(arn)
		if err != nil {
			return err
		}
		for k, v := range d.tags {
			out[k] = v
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (p distributionsPort) SetTags(ctx context.Context, arn string, tags map[string]string) error {
	return p.w.call(ctx, p.op("Distributions.SetTags", arn, true), func(now time.Time) error {
		d, err := p.own(arn)
		if err != nil {
			return err
		}
		all := map[string]string{}
		for _, m := range []map[string]string{d.tags, tags} {
			for k, v := range m {
				all[k] = v
			}
		}
		if err := checkTags(all); err != nil {
			return fmt.Errorf("tag distribution %s: %w", d.id, err)
		}
		p.w.tag(d, p.handle, now, tags)
		return nil
	})
}

func (p distributionsPort) Create(ctx context.Context, ref string, s providers.Settings, tags map[string]string) (providers.Distribution, error) {
	var out providers.Distribution
	err := p.w.call(ctx, p.op("Distributions.Create", ref, true), func(now time.Time) error {
		s := cloneSettings(s)
		slices.Sort(s.Aliases)
		if err := p.creatable(ref, s, tags, now); err != nil {
			return fmt.Errorf("create distribution for %s: %w", strings.Join(s.Aliases, ", "), err)
		}
		d := p.w.newDistribution(p.a, ref, s)
		p.w.tag(d, p.handle, now, tags)
		p.w.deploy(d, now)
		out = d.port()
		return nil
	})
	if err != nil {
		return providers.Distribution{}, err
	}
	return out, nil
}

func (w *World) newDistribution(a *account, ref string, s providers.Settings) *distribution {
	id := "E" + code(13, "distribution", a.label, ref)
	d := &distribution{
		id: id, arn: "arn:aws:cloudfront::" + a.number + ":distribution/" + id,
		domain: "d" + strings.ToLower(code(13, "domain", id)) + ".cloudfront.net", account: a.label, ref: ref,
		settings: s, tags: map[string]string{}, faults: map[string][]byte{}, cache: map[string]*cached{}, meter: meter{},
	}
	w.dists[id] = d
	return d
}

// creatable holds what CloudFront refuses at a creation. Whether it first
// looks at the caller reference or at the aliases is not documented: here the
// seed decides.
func (p distributionsPort) creatable(ref string, s providers.Settings, tags map[string]string, now time.Time) error {
	if ref == "" {
		return fmt.Errorf("MissingArgument: CallerReference is empty: %w", providers.ErrInvalid)
	}
	if err := checkTags(tags); err != nil {
		return err
	}
	if err := p.w.checkSettings(p.a, s, now); err != nil {
		return err
	}
	var exists error
	mine := 0
	for _, d := range p.w.dists {
		if d.account != p.a.label {
			continue
		}
		mine++
		if d.ref == ref {
			exists = &providers.ExistsError{ID: d.id, Err: errors.New("DistributionAlreadyExists: the caller reference that you are using to create a distribution is associated with another distribution. Already exists: " + d.id)}
		}
	}
	taken := p.w.taken(nil, s.Aliases)
	if exists != nil && (taken == nil || mix(p.w.o.Seed, "first", ref)%2 == 0) {
		return exists
	}
	if taken != nil {
		return taken
	}
	if most, _ := p.w.limit(providers.QuotaDistributions); mine >= most {
		return fmt.Errorf("TooManyDistributions: %w", providers.ErrQuota)
	}
	return errors.Join(p.w.policyRoom(p.a, nil, s.CachePolicyID), p.w.controlRoom(p.a, nil, s.OriginAccessID))
}

// taken is the conflict when an alias is on another distribution than d, of
// whatever account. A wildcard and a name under it do not conflict.
func (w *World) taken(d *distribution, aliases []string) error {
	for _, other := range w.dists {
		for _, a := range aliases {
			if other != d && slices.Contains(other.settings.Aliases, a) {
				return fmt.Errorf("CNAMEAlreadyExists: one or more of the CNAMEs you provided are already associated with a different resource: %s: %w", a, providers.ErrConflict)
			}
		}
	}
	return nil
}

// policyRoom is ErrFull when the custom policy id has all its distributions.
func (w *World) policyRoom(a *account, d *distribution, id string) error {
	if a.policies[id] == nil {
		return nil
	}
	n := 0
	for _, other := range w.dists {
		if other != d && other.account == a.label && other.settings.CachePolicyID == id {
			n++
		}
	}
	if n >= w.o.PolicyUsers {
		return fmt.Errorf("TooManyDistributionsAssociatedToCachePolicy: %s: %w", id, providers.ErrFull)
	}
	return nil
}

// checkTags refuses what CloudFront refuses of tags [CloudFront API: Tag].
func checkTags(tags map[string]string) error {
	if len(tags) > 50 {
		return fmt.Errorf("InvalidTagging: %d tags, at most 50: %w", len(tags), providers.ErrInvalid)
	}
	for _, k := range sortedKeys(tags) {
		switch {
		case k == "" || len(k) > 128 || !tagText(k) || strings.HasPrefix(k, "aws:"):
			return fmt.Errorf("InvalidTagging: the key %q: %w", k, providers.ErrInvalid)
		case len(tags[k]) > 256 || !tagText(tags[k]):
			return fmt.Errorf("InvalidTagging: the value of %s: %q: %w", k, tags[k], providers.ErrInvalid)
		}
	}
	return nil
}

func tagText(s string) bool {
	for _, r := range s {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune(" _.:/=+-@", r)) {
			return false
		}
	}
	return true
}

// checkSettings refuses what CloudFront refuses of a configuration.
func (w *World) checkSettings(a *account, s providers.Settings, now time.Time) error {
	invalid := func(form string, args ...any) error {
		return fmt.Errorf(form+": %w", append(args, providers.ErrInvalid)...)
	}
	if len(s.Aliases) > 100 {
		return fmt.Errorf("TooManyDistributionCNAMEs: %d: %w", len(s.Aliases), providers.ErrQuota)
	}
	for i, alias := range s.Aliases {
		if alias != strings.ToLower(alias) || !strings.Contains(alias, ".") || slices.Contains(s.Aliases[:i], alias) {
			return invalid("InvalidArgument: alias %q", alias)
		}
	}
	e, b, ok := s3Host(s.OriginDomain)
	switch {
	case s.OriginKind != providers.RESTOrigin && s.OriginKind != providers.WebsiteOrigin:
		return invalid("InvalidArgument: origin kind %q", s.OriginKind)
	case s.OriginKind == providers.RESTOrigin && (!ok || b == "" || e.kind != restEnd):
		return invalid("InvalidArgument: the parameter Origin DomainName does not refer to a valid S3 bucket: %q", s.OriginDomain)
	case s.OriginKind == providers.WebsiteOrigin && s.OriginDomain == "":
		return invalid("InvalidOrigin: no domain")
	case !slices.Contains([]string{"allow-all", "redirect-to-https", "https-only"}, s.ViewerProtocol):
		return invalid("InvalidArgument: viewer protocol policy %q", s.ViewerProtocol)
	case !slices.Contains([]string{"PriceClass_All", "PriceClass_200", "PriceClass_100"}, s.PriceClass):
		return invalid("InvalidArgument: price class %q", s.PriceClass)
	case !slices.Contains([]string{"http1.1", "http2", "http3", "http2and3"}, s.HTTPVersion):
		return invalid("InvalidArgument: HTTP version %q", s.HTTPVersion)
	case !methodsOK(s.Methods):
		return invalid("InvalidArgument: allowed methods %v", s.Methods)
	case strings.HasPrefix(s.DefaultRootObject, "/"):
		return invalid("InvalidDefaultRootObject: %q", s.DefaultRootObject)
	case s.OriginAccessID != "" && (s.OriginKind != providers.RESTOrigin || a.controls[s.OriginAccessID] == nil):
		return invalid("InvalidOriginAccessControl: %q at a %s origin", s.OriginAccessID, s.OriginKind)
	case s.Logging.Bucket == "" && s.Logging.Prefix != "":
		return invalid("InvalidArgument: a log prefix without a bucket")
	}
	if _, managed := managedPolicies(s.CachePolicyID); !managed && a.policies[s.CachePolicyID] == nil {
		return invalid("NoSuchCachePolicy: %q", s.CachePolicyID)
	}
	return w.checkCertificate(a, s, now)
}

func methodsOK(ms []string) bool {
	ms = slices.Sorted(slices.Values(ms))
	return slices.Equal(ms, []string{"GET", "HEAD"}) || slices.Equal(ms, []string{"GET", "HEAD", "OPTIONS"})
}

func (w *World) checkCertificate(a *account, s providers.Settings, now time.Time) error {
	const code = "InvalidViewerCertificate: "
	if s.CertificateARN == "" {
		if len(s.Aliases) > 0 {
			return fmt.Errorf(code+"to add an alternate domain name you must attach a trusted certificate: %w", providers.ErrInvalid)
		}
		return nil
	}
	c := a.certificates[s.CertificateARN]
	switch {
	case c == nil || !strings.HasPrefix(c.ARN, "arn:aws:acm:us-east-1:"):
		return fmt.Errorf(code+"the certificate doesn't exist or isn't in us-east-1: %s: %w", s.CertificateARN, providers.ErrInvalid)
	case c.status(now) != providers.CertificateIssued:
		return fmt.Errorf(code+"the certificate isn't valid (%s): %s: %w", c.status(now), s.CertificateARN, providers.ErrInvalid)
	case s.MinimumTLS == "":
		return fmt.Errorf(code+"no minimum protocol version: %w", providers.ErrInvalid)
	}
	for _, alias := range s.Aliases {
		if !certifies(c.Names, alias) {
			return fmt.Errorf(code+"the certificate doesn't cover the alternate domain name %s: %w", alias, providers.ErrInvalid)
		}
	}
	return nil
}

// deploy makes d's settings the edges' after the deployment's time.
func (w *World) deploy(d *distribution, now time.Time) {
	d.pending++
	d.version++
	s := cloneSettings(d.settings)
	span := w.draw(w.o.Deploy, "deploy", d.id, strconv.Itoa(d.version))
	w.at(now.Add(span), func(time.Time) {
		d.pending--
		if w.dists[d.id] == d {
			w.serve(d, s)
		}
	})
}

// serve puts d's settings on the edges.
func (w *World) serve(d *distribution, s providers.Settings) {
	if d.served != nil {
		for _, a := range d.served.Aliases {
			if w.edges[a] == d {
				delete(w.edges, a)
			}
		}
	}
	for _, a := range s.Aliases {
		w.edges[a] = d
	}
	w.edges[d.domain] = d
	d.served = &s
	clear(d.cache)
}

func (p distributionsPort) Update(ctx context.Context, id, etag string, s providers.Settings, fields []providers.Field) (providers.Distribution, error) {
	var out providers.Distribution
	err := p.w.call(ctx, p.op("Distributions.Update", id, true), func(now time.Time) error {
		d, err := p.own(id)
		if err != nil {
			return err
		}
		if etag != d.etag() {
			return fmt.Errorf("update distribution %s: PreconditionFailed: its ETag is not %s: %w", id, etag, providers.ErrConflict)
		}
		next := cloneSettings(d.settings)
		for _, f := range fields {
			if !setField(&next, cloneSettings(s), f) {
				return fmt.Errorf("update distribution %s: no field %q: %w", id, f, providers.ErrInvalid)
			}
		}
		slices.Sort(next.Aliases)
		if err := p.w.checkSettings(p.a, next, now); err != nil {
			return fmt.Errorf("update distribution %s: %w", id, err)
		}
		if err := p.w.taken(d, next.Aliases); err != nil {
			return fmt.Errorf("update distribution %s: %w", id, err)
		}
		if err := errors.Join(p.w.policyRoom(p.a, d, next.CachePolicyID), p.w.controlRoom(p.a, d, next.OriginAccessID)); err != nil {
			return fmt.Errorf("update distribution %s: %w", id, err)
		}
		d.settings = next
		p.w.deploy(d, now)
		out = d.port()
		return nil
	})
	if err != nil {
		return providers.Distribution{}, err
	}
	return out, nil
}

// setField copies the field f of from; false when there is no such field.
func setField(to *providers.Settings, from providers.Settings, f providers.Field) bool {
	switch f {
	case providers.FieldEnabled:
		to.Enabled = from.Enabled
	case providers.FieldAliases:
		to.Aliases = from.Aliases
	case providers.FieldCertificate:
		to.CertificateARN = from.CertificateARN
	case providers.FieldMinimumTLS:
		to.MinimumTLS = from.MinimumTLS
	case providers.FieldOrigin:
		to.OriginDomain, to.OriginKind = from.OriginDomain, from.OriginKind
	case providers.FieldViewerProtocol:
		to.ViewerProtocol = from.ViewerProtocol
	case providers.FieldMethods:
		to.Methods = from.Methods
	case providers.FieldPriceClass:
		to.PriceClass = from.PriceClass
	case providers.FieldHTTPVersion:
		to.HTTPVersion = from.HTTPVersion
	case providers.FieldIPv6:
		to.IPv6 = from.IPv6
	case providers.FieldCompress:
		to.Compress = from.Compress
	case providers.FieldCachePolicy:
		to.CachePolicyID = from.CachePolicyID
	case providers.FieldOriginRequest:
		to.OriginRequestID = from.OriginRequestID
	case providers.FieldResponseHeaders:
		to.ResponseHeadersID = from.ResponseHeadersID
	case providers.FieldWebACL:
		to.WebACL = from.WebACL
	case providers.FieldDefaultRootObject:
		to.DefaultRootObject = from.DefaultRootObject
	case providers.FieldLogging:
		to.Logging = from.Logging
	case providers.FieldOriginAccess:
		to.OriginAccessID = from.OriginAccessID
	default:
		return false
	}
	return true
}
