package planner

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/providers"
)

const actionRead = "s3:GetObject"

// policyFindings judge the bucket's policy by who asks S3 for objects: visitors
// today, CloudFront after the switch.
func policyFindings(b config.Bucket, a Actual) []Finding {
	sts, err := parsePolicy(a.Bucket.Policy)
	if err != nil {
		return []Finding{{Warning, "policy-condition", "the policy of bucket " + b.Name + " is not understood",
			fmt.Sprintf("%v; look yourself whether it has conditions on aws:Referer, aws:UserAgent, aws:SourceIp, aws:SecureTransport or a VPC, which CloudFront's requests do not meet", err)}}
	}
	j := policyJudge{
		bucket: b.Name, edge: cloudFrontAsker(b, a), adopted: b.Distribution.Adopt != "",
		acls: a.Bucket.ACLsEnabled && !a.Bucket.Block.IgnorePublicACLs,
	}
	for _, st := range sts {
		if !st.anonymous() || !st.about(actionRead) {
			continue
		}
		g := grant{statement: st, keys: st.tellingKeys()}
		if g.patterns, g.all = st.objectsOf(b.Name); g.patterns != nil {
			j.grants = append(j.grants, g)
		}
	}
	var fs []Finding
	for _, g := range j.grants {
		if f := j.finding(g); f != nil {
			fs = append(fs, *f)
		}
	}
	return fs
}

// policyJudge has what decides about each statement.
type policyJudge struct {
	bucket string
	grants []grant
	edge   asker
	// adopted distributions may send headers or signatures of their own.
	adopted bool
	// acls: objects can be public by their ACL too.
	acls bool
}

// grant is a statement about everybody's reading of objects.
type grant struct {
	statement
	// keys are those of its conditions that tell CloudFront from visitors.
	keys []string
	// patterns are of the objects that it is about, all says that it is all.
	patterns []string
	all      bool
}

// tellingKeys are the keys of the conditions that tell CloudFront's requests
// from visitors', as they are spelt, sorted.
func (s statement) tellingKeys() []string {
	var out []string
	for _, keys := range s.Condition {
		for key := range keys {
			if telling(strings.ToLower(key)) && !slices.Contains(out, key) {
				out = append(out, key)
			}
		}
	}
	slices.Sort(out)
	return out
}

// only says whether the telling keys are among some.
func (g grant) only(keys ...string) bool {
	return !slices.ContainsFunc(g.keys, func(k string) bool { return !slices.Contains(keys, strings.ToLower(k)) })
}

// objects names what the statement is about in a sentence.
func (g grant) objects() string {
	if g.all {
		return "any object"
	}
	var out []string
	for _, p := range g.patterns {
		out = append(out, p[strings.Index(p, "/")+1:])
	}
	return strings.Join(out, ", ")
}

// Managed origin request policies that send neither the visitor's Referer nor
// its User-Agent to the origin [CloudFront Developer Guide, "Use managed origin
// request policies"].
func keepsViewerHeaders(originRequestPolicy string) bool {
	return slices.Contains([]string{"", "88a5eaf4-2fd4-4709-b370-b4c650ea3fcf", "59781a5b-3903-41f3-afcb-af62929ccde1",
		"bf0718e1-ba1e-49d1-88b1-f726733018ae"}, originRequestPolicy)
}

// cloudFrontAsker is CloudFront as the distribution will be: it fetches from its
// own addresses, with its own User-Agent, without Referer; from a website
// endpoint over http, else as the visitor came [CloudFront Developer Guide,
// "Request and response behavior for Amazon S3 origins", "Use HTTPS between
// CloudFront and your Amazon S3 origin"].
func cloudFrontAsker(b config.Bucket, a Actual) asker {
	want, _ := wantedSettings(b, a)
	k := asker{edge: true, vpc: trait{known: true}, referer: trait{known: true}, agent: trait{true, cloudFrontAgent}}
	if b.Distribution.Adopt != "" || !keepsViewerHeaders(want.OriginRequestID) {
		k.referer, k.agent = trait{}, trait{}
	}
	if p := a.Looks.Policy; p != nil {
		for _, h := range p.Settings.Headers {
			switch {
			case strings.EqualFold(h, "Referer"):
				k.referer = trait{}
			case strings.EqualFold(h, "User-Agent"):
				k.agent = trait{}
			}
		}
	}
	switch {
	case want.OriginKind == providers.WebsiteOrigin:
		k.secure, k.version = trait{true, "false"}, trait{known: true}
	case want.ViewerProtocol == "redirect-to-https" || want.ViewerProtocol == "https-only":
		k.secure = trait{true, "true"}
	}
	return k
}

// finding judges one statement; nil is nothing to say.
func (j policyJudge) finding(g grant) *Finding {
	if g.deny() {
		return j.denial(g)
	}
	return j.permission(g)
}

// permission judges an Allow with a condition that CloudFront may not meet.
func (j policyJudge) permission(g grant) *Finding {
	lets := g.meets(j.edge)
	other := j.coveredBy(g)
	switch {
	case len(g.keys) == 0, lets == always && (g.meets(aVisitor()) == always || g.only("aws:useragent")):
		return nil
	case other != nil && other.meets(aVisitor()) == always:
		return &Finding{Note, "policy-condition", fmt.Sprintf("%s of the bucket policy looks at %s, which does no harm", g.name(), strings.Join(g.keys, ", ")),
			fmt.Sprintf("CloudFront does not meet such a condition, but %s lets everybody read the same objects", other.name())}
	case other == nil && g.only("aws:securetransport", "s3:tlsversion"):
		return j.unencrypted(g, lets == never)
	case lets == always || other != nil:
		return bypassed(g)
	}
	f := j.refusal(g, lets == never && !j.acls, "lets nobody read "+g.objects()+" through CloudFront", "may not let CloudFront read "+g.objects())
	f.Detail += fmt.Sprintf(". Add a statement that lets it in: {\"Sid\":\"CloudFrontReads\",\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"s3:GetObject\",\"Resource\":[%s],\"Condition\":{\"StringEquals\":{\"aws:UserAgent\":%q}}}%s",
		quotedList(g.patterns), cloudFrontAgent, instead(g))
	return f
}

// denial judges a Deny that CloudFront may meet.
func (j policyJudge) denial(g grant) *Finding {
	hits, today := g.meets(j.edge), g.meets(aVisitor())
	switch {
	case !j.readable(g):
		return nil
	case len(g.keys) == 0 && (hits != always || !g.all):
		return nil
	case len(g.keys) == 0:
		return &Finding{Error, "policy-denies", g.name() + " of the bucket policy refuses everybody who does not sign",
			"visitors do not, and neither does CloudFront. edgeward moves buckets that visitors can read; take the statement out or limit it first"}
	case g.only("aws:securetransport", "s3:tlsversion"):
		if hits == never && today == never {
			return nil
		}
		return j.unencrypted(g, hits == always)
	case hits == never && today == never:
		return nil
	case hits == never:
		return bypassed(g)
	}
	f := j.refusal(g, hits == always, "refuses CloudFront "+g.objects(), "may refuse CloudFront "+g.objects())
	f.Detail += fmt.Sprintf(". Add to its Condition \"StringNotEquals\": {\"aws:UserAgent\": %q}, so that it lets CloudFront pass%s", cloudFrontAgent, instead(g))
	return f
}

// coveredBy is another statement that certainly lets CloudFront read all that g
// is about, the least conditional one, or nil.
func (j policyJudge) coveredBy(g grant) *grant {
	var best *grant
	for i, o := range j.grants {
		if o.deny() || o.number == g.number || o.meets(j.edge) != always {
			continue
		}
		all := !slices.ContainsFunc(g.patterns, func(q string) bool {
			return !slices.ContainsFunc(o.patterns, func(p string) bool { return covers(p, q) })
		})
		if all && (o.NotResource == nil || o.all) && (best == nil || o.meets(aVisitor()) > best.meets(aVisitor())) {
			best = &j.grants[i]
		}
	}
	return best
}

// readable says whether anybody may read some of what a Deny is about.
func (j policyJudge) readable(g grant) bool {
	return j.acls || slices.ContainsFunc(j.grants, func(o grant) bool {
		return !o.deny() && slices.ContainsFunc(o.patterns, func(p string) bool {
			return slices.ContainsFunc(g.patterns, func(q string) bool { return overlap(p, q) })
		})
	})
}

// refusal is the finding that S3 answers CloudFront 403, for certain or perhaps.
func (j policyJudge) refusal(g grant, certain bool, does, may string) *Finding {
	f := Finding{Error, "policy-denies", "", "CloudFront fetches " + whyNot(g.Condition) + ", so S3 refuses it (403)"}
	if !certain || j.adopted {
		f = Finding{Warning, "policy-condition", "", "CloudFront fetches " + whyNot(g.Condition) + ", so S3 may refuse it (403)"}
		does = may
	}
	f.Summary = fmt.Sprintf("%s of the bucket policy %s, by its condition on %s", g.name(), does, strings.Join(g.keys, ", "))
	switch {
	case j.adopted:
		f.Detail += "; whether the adopted distribution sends a header or a signature that helps, edgeward cannot see"
	case j.acls && !g.deny():
		f.Detail += "; objects with a public ACL can still be read"
	}
	return &f
}

// whyNot says what CloudFront sends, for the keys that a statement looks at.
func whyNot(condition map[string]map[string]words) string {
	seen := map[string]bool{}
	for _, keys := range condition {
		for key := range keys {
			switch k := strings.ToLower(key); {
			case k == "aws:referer":
				seen["without the visitor's Referer"] = true
			case k == "aws:useragent":
				seen[fmt.Sprintf("with the User-Agent %q", cloudFrontAgent)] = true
			case k == "aws:sourceip":
				seen["from its own addresses"] = true
			case strings.HasPrefix(k, "aws:sourcevpc") || strings.HasPrefix(k, "aws:vpc"):
				seen["from no VPC"] = true
			case k == "aws:securetransport" || k == "s3:tlsversion":
				seen["over http for visitors of http"] = true
			}
		}
	}
	return strings.Join(slices.Sorted(maps.Keys(seen)), ", ")
}

func quotedList(words []string) string {
	q := make([]string, len(words))
	for i, w := range words {
		q[i] = fmt.Sprintf("%q", w)
	}
	return strings.Join(q, ",")
}

// instead says what a mend of a condition gives up.
func instead(g grant) string {
	return fmt.Sprintf(". Anybody can send that User-Agent, and through CloudFront %s is no longer looked at: whom it keeps out today has to be kept out by a web ACL (distribution { web_acl_arn = … })", strings.Join(g.keys, ", "))
}

// bypassed: visitors whom a statement refuses today get in through CloudFront.
func bypassed(g grant) *Finding {
	return &Finding{Warning, "policy-bypassed", fmt.Sprintf("%s of the bucket policy keeps nobody out who comes through CloudFront", g.name()),
		fmt.Sprintf("it looks at %s, and there S3 sees CloudFront and not the visitor. Whom it keeps out of %s today is served after the switch; keep them out with a web ACL (distribution { web_acl_arn = … }), or take the bucket out of the configuration",
			strings.Join(g.keys, ", "), g.objects())}
}

// unencrypted is about statements that only want https. S3 has none under the
// name, so visitors of today are refused too.
func (j policyJudge) unencrypted(g grant, certain bool) *Finding {
	f := Finding{Warning, "policy-condition", g.name() + " of the bucket policy refuses http",
		"S3 has no https under the name, so visitors get nothing today, and no link can be compared. Take the statement out until the names are switched"}
	switch {
	case certain && !j.adopted:
		f.Severity, f.Code = Error, "policy-denies"
		f.Summary = g.name() + " of the bucket policy refuses http, and with it CloudFront"
		f.Detail = "CloudFront fetches from a website endpoint over http only, as visitors do today. Take the statement out; whether visitors come over https is for distribution { viewer_protocol = … } to say"
	case !j.edge.secure.known:
		f.Detail += fmt.Sprintf("; then it may come back with distribution { viewer_protocol = %q }, for CloudFront fetches over http for visitors of http", "redirect-to-https")
	}
	return &f
}
