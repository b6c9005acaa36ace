package config

import (
	"cmp"
	"slices"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
)

// maxNames is how many alternate domain names a distribution can have.
const maxNames = 100

// instance is a bucket block, or one element of its for_each.
type instance struct {
	address string
	ctx     *hcl.EvalContext
}

// placedBucket is a bucket and where its parts stand.
type placedBucket struct {
	Bucket
	nameAt  place
	cnameAt []place
	adoptAt place
}

func bucketShape() shape {
	return shape{
		what:     "a bucket block",
		attrs:    []string{"name", "region", "cnames", "aws", "origin", "wave", "dns_provider", "for_each"},
		blocks:   map[string]int{"cname": 1, "certificate": 0, "distribution": 0, "verify": 0, "dns": 0, "watch": 0, "lock": 0},
		order:    []string{"cname", "certificate", "distribution", "verify", "dns", "watch", "lock"},
		repeated: []string{"cname"},
	}
}

func defaultsShape() shape {
	return shape{
		what:   "the defaults block",
		attrs:  []string{"region", "aws", "origin", "wave", "dns_provider"},
		blocks: map[string]int{"certificate": 0, "distribution": 0, "verify": 0, "dns": 0, "watch": 0, "lock": 0},
		order:  []string{"certificate", "distribution", "verify", "dns", "watch", "lock"},
	}
}

// readBuckets reads every bucket block over the defaults.
func (l *loader) readBuckets(c *Config) []Bucket {
	defaults := l.singleBlock("defaults")
	if defaults.exists() {
		body := defaults.layers[0].body
		l.checkShape(body, defaultsShape())
		l.checkNested(body, "defaults", false)
		// Read once by itself, so that it is checked without a bucket too.
		l.readCommon(defaults, &placedBucket{}, c)
		defaults.ref("dns_provider", "dns_provider", "dns_provider.TYPE.NAME")
	}
	var all []placedBucket
	first := map[string]*hclsyntax.Block{}
	for _, b := range l.blocks["bucket"] {
		label := b.Labels[0]
		if f := first[label]; f != nil {
			l.errorf(place{rng: b.DefRange()}, "Duplicate bucket block",
				"bucket %q is defined already at %s. Give one of them another label and write the bucket's name in name.", label, where(f.DefRange()))
			continue
		}
		first[label] = b
		all = append(all, l.readBucketBlock(b, defaults, c)...)
	}
	l.checkUnique(all)
	if len(all) == 0 && !l.bare && !l.diags.HasErrors() {
		empty := false
		for _, b := range l.blocks["bucket"] {
			if a := b.Body.Attributes["for_each"]; a != nil {
				empty = true
				l.warnf(place{rng: a.Expr.Range()}, "Nothing to do", "bucket %s has no instance: its for_each has no element.", quote(b.Labels[0]))
			}
		}
		if empty {
			return nil
		}
		l.warnf(place{rng: l.mainRange()}, "Nothing to do",
			"The configuration has no bucket. Write one, such as bucket \"assets.example.com\" {}.")
	}
	var out []Bucket
	for _, b := range all {
		out = append(out, b.Bucket)
	}
	slices.SortFunc(out, func(a, b Bucket) int { return cmp.Compare(a.Address, b.Address) })
	return out
}

// mainRange is the beginning of the first configuration file.
func (l *loader) mainRange() hcl.Range {
	names, _ := FileNames(l.dir)
	if len(names) == 0 {
		return fileRange(MainFile)
	}
	return fileRange(names[0])
}

// readBucketBlock reads the instances of one block.
func (l *loader) readBucketBlock(b *hclsyntax.Block, defaults block, c *Config) []placedBucket {
	l.checkShape(b.Body, bucketShape())
	l.checkNested(b.Body, "bucket", true)
	instances, ok := l.instances(b)
	if !ok {
		return nil
	}
	used := map[*hclsyntax.Block]bool{}
	var out []placedBucket
	for _, in := range instances {
		own := block{l: l, at: b.DefRange(), layers: []layer{{b.Body, in.ctx}}}
		both := own
		both.layers = append(slices.Clone(own.layers), defaults.layers...)
		pb := placedBucket{Bucket: Bucket{Address: in.address, Range: b.DefRange()}}
		l.address, l.many = in.address, len(instances) > 1
		l.readCommon(both, &pb, c)
		l.readName(b, own, &pb, len(instances))
		l.readNames(b, own, both, &pb, c, used)
		pb.Distribution.Adopt, pb.adoptAt = readAdopt(own)
		out = append(out, pb)
	}
	l.address, l.many = "", false
	for _, n := range b.Body.Blocks {
		if n.Type == "cname" && len(n.Labels) == 1 && !used[n] && len(instances) > 0 && !l.namesBroken(out) {
			l.errorf(place{rng: n.DefRange()}, "Name is not in cnames",
				"The block is about %q, which is none of the bucket's names. Add it to cnames, or take the block out.", n.Labels[0])
		}
	}
	return out
}

// namesBroken says whether names of the buckets were left out for an error.
func (l *loader) namesBroken(bs []placedBucket) bool {
	return slices.ContainsFunc(bs, func(b placedBucket) bool { return len(b.CNAMEs) == 0 })
}

// instances are the elements of for_each, or the one bucket of a block
// without.
func (l *loader) instances(b *hclsyntax.Block) ([]instance, bool) {
	label := b.Labels[0]
	base := "bucket[" + quote(label) + "]"
	if hclsyntax.ValidIdentifier(label) {
		base = "bucket." + label
	}
	a := b.Body.Attributes["for_each"]
	if a == nil {
		return []instance{{base, l.ctx}}, true
	}
	v, ok := l.eval(a.Expr, l.ctx)
	at := place{rng: a.Expr.Range(), expr: a.Expr, ctx: l.ctx}
	if !ok {
		return nil, false
	}
	if f := forEachFlaw(v); f != nil {
		l.report(hcl.DiagError, at, f)
		return nil, false
	}
	var out []instance
	for it := v.ElementIterator(); it.Next(); {
		key, value := it.Element()
		if v.Type().IsSetType() {
			key = value
		}
		ctx := l.ctx.NewChild()
		ctx.Variables = map[string]cty.Value{"each": cty.ObjectVal(map[string]cty.Value{"key": key, "value": value})}
		out = append(out, instance{base + "[" + quote(key.AsString()) + "]", ctx})
	}
	return out, true
}

// forEachFlaw judges the value of for_each.
func forEachFlaw(v cty.Value) *flaw {
	const summary = "Invalid for_each"
	t := v.Type()
	switch {
	case v.IsMarked():
		return flawf(summary, "The value is sensitive or is made from a sensitive one, and its keys are shown in addresses. Use keys that are not sensitive.")
	case v.IsNull():
		return flawf(summary, "The value is null. Write a map or a set of strings; {} means no bucket.")
	case t.IsListType() || t.IsTupleType():
		return flawf(summary, "The value is a list, whose elements have no lasting key. Write a map, { for s in LIST : s.host => s }, or toset(LIST) for strings.")
	case t.IsSetType() && t.ElementType() != cty.String && v.LengthInt() > 0:
		return flawf(summary, "The set has elements that are no strings. Write a map, or a set of strings.")
	case !t.IsSetType() && !t.IsMapType() && !t.IsObjectType():
		return flawf(summary, "The value is %s. Write a map, { for s in LIST : s.host => s }, or a set of strings, toset([\"a\", \"b\"]).", typeWords(t))
	}
	for it := v.ElementIterator(); it.Next(); {
		key, value := it.Element()
		if t.IsSetType() {
			key = value
		}
		if key.IsNull() || key.AsString() == "" {
			return flawf(summary, "A key is empty or null. Leave that element out: { for s in LIST : s.host => s if s.host != \"\" }.")
		}
	}
	return nil
}

// quote writes a string as a literal of the language.
func quote(s string) string {
	return string(hclwrite.TokensForValue(cty.StringVal(s)).Bytes())
}

// readName finds the S3 bucket's name.
func (l *loader) readName(b *hclsyntax.Block, own block, pb *placedBucket, n int) {
	if isSet(own, "name") {
		_, pb.nameAt, _ = own.value("name", cty.String, shown)
		pb.Name = deref(own.text("name", bucketName))
		return
	}
	pb.nameAt = place{rng: b.LabelRanges[0]}
	label := b.Labels[0]
	switch f := bucketName(label); {
	case n > 1:
		l.errorf(place{rng: b.DefRange()}, "Missing argument",
			"for_each makes %d buckets, and each needs a name of its own: write name = each.key, say.", n)
	case f != nil:
		f.detail += " The label is the bucket's name when name is left out; write name = \"assets.example.com\"."
		l.report(hcl.DiagError, pb.nameAt, f)
	default:
		pb.Name = label
	}
}

// isSet says whether an attribute stands in the first body and is not null.
// One that cannot be evaluated counts as set.
func isSet(b block, name string) bool {
	a := b.layers[0].body.Attributes[name]
	if a == nil {
		return false
	}
	v, ok := b.l.eval(a.Expr, b.layers[0].ctx)
	return !ok || !v.IsNull()
}

// readCommon reads what a bucket and the defaults have in common.
func (l *loader) readCommon(b block, pb *placedBucket, c *Config) {
	pb.Region = deref(b.text("region", filled("region", region)))
	l.knownRegion(b, pb.Region)
	pb.Account, _ = b.accountRef("aws")
	pb.Wave = deref(b.text("wave", filled("wave", waveOf(c.Rollout))))
	pb.Origin = "auto"
	if s := b.enum("origin", []string{"auto", "rest", "website"}); s != nil {
		pb.Origin = *s
	}
	l.readCertificate(b.sub("certificate"), pb)
	l.readDistribution(b.sub("distribution"), pb, c)
	l.readVerify(b.sub("verify"), pb)
	l.readDNS(b.sub("dns"), pb)
	l.readWatch(b.sub("watch"), pb)
	l.readLock(b.sub("lock"), pb)
}

func anySet(b block, name string) bool {
	return slices.ContainsFunc(b.layers, func(ly layer) bool { return ly.body.Attributes[name] != nil })
}

// DefaultLowTTL is the TTL while switching, where dns sets nothing.
const DefaultLowTTL = time.Minute

func (l *loader) readDNS(b block, pb *placedBucket) {
	pb.DNS.LowTTL = DefaultLowTTL
	low, lowAt := b.duration("low_ttl", ttlRule("low_ttl", "Write \"60s\"."))
	if low != nil {
		pb.DNS.LowTTL = *low
	}
	ttl, at := b.duration("ttl", ttlRule("ttl", "Leave it out to keep the TTL that stood before."))
	if ttl == nil {
		return
	}
	pb.DNS.TTL = *ttl
	if pb.DNS.LowTTL > pb.DNS.TTL {
		if low != nil {
			at = lowAt
		}
		l.warnf(at, "The low TTL is not low",
			"low_ttl is %s, and ttl, which stands afterwards, is %s. Write a low_ttl below ttl, such as \"60s\".", durationWords(pb.DNS.LowTTL), durationWords(pb.DNS.TTL))
	}
}

// checkNested checks the bodies of the nested blocks of a bucket or the
// defaults.
func (l *loader) checkNested(body *hclsyntax.Body, owner string, own bool) {
	distribution := []string{"price_class", "http_version", "ipv6", "compress", "viewer_protocol", "minimum_tls",
		"default_root_object", "cache_policy", "origin_request_policy", "response_headers_policy", "web_acl_arn", "tags"}
	if own {
		distribution = append([]string{"adopt"}, distribution...)
	}
	shapes := map[string]shape{
		"certificate": certificateShape(),
		"distribution": {what: "a distribution block", attrs: distribution,
			blocks: map[string]int{"logging": 0}, order: []string{"logging"}},
		"verify": verifyShape(),
		"dns":    {what: "a dns block", attrs: []string{"low_ttl", "ttl"}},
		"watch":  watchShape(),
		"lock":   lockShape(),
		"cname":  {what: "a cname block", attrs: []string{"dns_provider"}},
	}
	for _, b := range body.Blocks {
		s, ok := shapes[b.Type]
		if !ok || b.Type == "cname" && !own {
			continue
		}
		if !own {
			s.what += " of " + owner
		}
		l.checkShape(b.Body, s)
		for _, n := range b.Body.Blocks {
			if b.Type == "distribution" && n.Type == "logging" {
				l.checkShape(n.Body, shape{what: "a logging block", attrs: []string{"bucket", "prefix"}})
			}
		}
	}
}
