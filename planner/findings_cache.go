package planner

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/planner/proof"
	"github.com/edgeward/edgeward/providers"
)

// cacheFindings say what a cache policy that edgeward did not make does to
// visitors.
func cacheFindings(b config.Bucket, a Actual) []Finding {
	id := chosenPolicy(b, a)
	if id == "" || a.Bucket == nil {
		return nil
	}
	p := a.Looks.Policy
	switch {
	case errors.Is(a.Looks.PolicyErr, providers.ErrNotFound):
		return []Finding{{Error, "cache-policy-missing", "cache policy " + id + " does not exist",
			"this account has none of that ID, and it is no managed one. Correct distribution { cache_policy = … }, or leave it out and edgeward makes one that preserves what visitors see"}}
	case a.Looks.PolicyErr != nil:
		return []Finding{{Warning, "visitors-cached", "objects are cached as cache policy " + id + " says",
			fmt.Sprintf("what that is for visitors is not known (%v): whether objects without Cache-Control get stale, query strings count, and CORS works. The links will show", a.Looks.PolicyErr)}}
	case p == nil:
		return nil // it was not looked at
	}
	want, _ := wantedSettings(b, a)
	c := cacheJudge{b: b, a: a, name: policyName(*p), s: p.Settings, foreign: p.Foreign, request: want.OriginRequestID, response: want.ResponseHeadersID}
	return slices.Concat(c.stale(), c.queries(), c.cors())
}

// policyName is how a person knows the policy.
func policyName(p providers.CachePolicy) string {
	if p.Name == "" {
		return p.ID
	}
	return p.Name + " (" + p.ID + ")"
}

// cacheJudge judges one cache policy for one bucket.
type cacheJudge struct {
	b    config.Bucket
	a    Actual
	name string
	s    providers.CacheSettings
	// foreign: the policy has settings that s does not show.
	foreign bool
	// request and response are the IDs of the other two policies, or "".
	request, response string
}

// keeps says whether edges keep anything at all.
func (c cacheJudge) keeps() bool { return c.s.MaxTTL > 0 }

func seconds(n int64) string { return shortDuration(time.Duration(n) * time.Second) }

// stale: objects that are kept for longer than they ask for.
func (c cacheJudge) stale() []Finding {
	if !keepsMore(c.s) {
		return nil
	}
	n := c.a.Looks.Sampled
	var says []string
	if c.s.DefaultTTL > 0 {
		says = append(says, fmt.Sprintf("an object without Cache-Control and Expires is kept for %s, where S3 gives each change at once", seconds(max(c.s.DefaultTTL, c.s.MinTTL))))
	}
	if c.s.MinTTL > 0 {
		says = append(says, fmt.Sprintf("what says no-cache is kept for %s all the same", seconds(c.s.MinTTL)))
	}
	f := Finding{Warning, "visitors-cached", "", ""}
	switch {
	case n.Objects == 0:
		f.Summary = "cache policy " + c.name + " keeps objects for longer than they ask for"
	case n.Silent > 0 && c.s.DefaultTTL > 0:
		f.Summary = fmt.Sprintf("%d of %d sampled objects have no Cache-Control: visitors may see them up to %s old", n.Silent, n.Objects, seconds(max(c.s.DefaultTTL, c.s.MinTTL)))
	case n.Fresh+n.Silent > 0 && c.s.MinTTL > 0:
		f.Summary = fmt.Sprintf("%d of %d sampled objects want to be asked for each time: visitors may see them up to %s old", n.Fresh+n.Silent, n.Objects, seconds(c.s.MinTTL))
	default:
		f.Severity, f.Summary = Note, fmt.Sprintf("all %d sampled objects say how long they may be kept", n.Objects)
	}
	f.Detail = fmt.Sprintf("of cache policy %s: %s. Set Cache-Control on the objects, or leave distribution { cache_policy } out: edgeward's own keeps only what asks for it",
		c.name, strings.Join(says, "; "))
	if f.Severity != Note {
		f.Detail += c.stops(proof.Caching)
	}
	return []Finding{f}
}

// stops says what links.verify makes of a change, unless it is accepted already.
func (c cacheJudge) stops(aspect proof.Aspect) string {
	if slices.Contains(c.b.Verify.Accept, string(aspect)) {
		return ""
	}
	return fmt.Sprintf(". If this is meant, write verify { accept = [%q] }; without it links.verify stops the bucket when it sees such a difference", aspect)
}

// forwards says whether the origin request policy sends something of the
// visitor's to S3, which the cache policy does not [CloudFront Developer Guide,
// "Use managed origin request policies"]; a policy of somebody's own may.
func (c cacheJudge) forwards(managed map[string]bool) tri {
	if c.request == "" {
		return never
	}
	if does, ok := managed[c.request]; ok {
		return triOf(does)
	}
	return maybe
}

func (c cacheJudge) forwardsQuery() tri {
	return c.forwards(map[string]bool{
		"88a5eaf4-2fd4-4709-b370-b4c650ea3fcf": false, "59781a5b-3903-41f3-afcb-af62929ccde1": false, "bf0718e1-ba1e-49d1-88b1-f726733018ae": false,
		"acba4595-bd28-49b8-b9fe-13317c0390fa": false, "216adef6-5c7f-47e4-b989-5492eafa07d3": true, "b689b0a8-53d0-40ab-baf2-68738e2966ac": true,
		"33f36d7e-f396-46d9-90e0-52428a34d9dc": true,
	})
}

func (c cacheJudge) forwardsOrigin() tri {
	return c.forwards(map[string]bool{
		"88a5eaf4-2fd4-4709-b370-b4c650ea3fcf": true, "59781a5b-3903-41f3-afcb-af62929ccde1": true, "bf0718e1-ba1e-49d1-88b1-f726733018ae": false,
		"acba4595-bd28-49b8-b9fe-13317c0390fa": false, "216adef6-5c7f-47e4-b989-5492eafa07d3": true, "b689b0a8-53d0-40ab-baf2-68738e2966ac": true,
		"33f36d7e-f396-46d9-90e0-52428a34d9dc": true,
	})
}

// queries: query strings that mean something to S3 and are dropped.
func (c cacheJudge) queries() []Finding {
	if c.s.QueryStrings || !c.keeps() && c.forwardsQuery() == always {
		return nil
	}
	rest := originKind(c.b, c.a) == providers.RESTOrigin
	marks := 0
	for _, o := range c.a.Objects {
		if strings.Contains(o.Key, "?") {
			marks++
		}
	}
	what := "drops query strings"
	if c.foreign || c.forwardsQuery() != never {
		what = "does not count every query string"
	}
	f := Finding{Warning, "visitors-query", "cache policy " + c.name + " " + what, ""}
	switch {
	case rest && publicListing(c.b, c.a):
		f.Detail = "the bucket may be listed by everybody, and ?list-type=2&continuation-token=… would answer with the first page for ever, ?prefix=… with everything"
	case marks > 0:
		f.Detail = fmt.Sprintf("%d of %d listed keys have a ? in them: who writes it as ? and not as %%3F asks with a query string", marks, len(c.a.Objects))
	case c.keeps():
		f.Severity = Note
		f.Detail = "app.js?v=2 is the same object as app.js?v=1 then, and stays as old as its Cache-Control allows"
	default:
		return nil
	}
	f.Detail += ". Leave distribution { cache_policy } out, or choose one with all query strings in its key" + c.stops(proof.QueryString)
	return []Finding{f}
}

// publicListing says whether everybody may list the bucket, by its policy.
func publicListing(b config.Bucket, a Actual) bool {
	sts, err := parsePolicy(a.Bucket.Policy)
	return err == nil && slices.ContainsFunc(sts, func(s statement) bool {
		return !s.deny() && s.anonymous() && s.about("s3:ListBucket") && s.meets(aVisitor()) != never &&
			slices.ContainsFunc(s.Resource, func(p string) bool {
				return wildcard(arnPartition.ReplaceAllString(p, "arn:aws:s3:"), "arn:aws:s3:::"+b.Name)
			})
	})
}

// cors: Origin has to be in the key, or nothing may be kept and Origin be sent
// on; all else refuses pages that S3 allows, always or from time to time.
func (c cacheJudge) cors() []Finding {
	inKey := slices.ContainsFunc(c.s.Headers, func(h string) bool { return strings.EqualFold(h, "Origin") })
	sent := c.forwardsOrigin()
	if len(c.a.Bucket.CORS) == 0 || inKey || !c.keeps() && sent == always {
		return nil
	}
	f := Finding{Error, "cors-not-in-key", "cache policy " + c.name + " has no Origin in its key, and the bucket has CORS rules", ""}
	switch {
	case sent == never:
		f.Detail = "S3 never sees the Origin of a page, so no answer allows it: scripts and fonts that other sites load today are refused by browsers"
	case sent == always:
		f.Detail = "the origin request policy sends Origin to S3, but the first answer is kept for everybody: one that was fetched without Origin has no CORS headers, and browsers refuse it to pages that S3 allows"
	default:
		f.Detail = "whether origin request policy " + c.request + " sends Origin to S3 or not, answers for other sites are missing or are kept for everybody"
	}
	switch {
	case c.response != "":
		f.Severity = Warning
		f.Detail += ". Response headers policy " + c.response + " may add CORS headers; they are its own and not those of S3's rules"
	case sent != never && !keepsMore(c.s):
		f.Severity = Warning
		f.Detail += ". That concerns objects with Cache-Control; others are not kept"
	}
	f.Detail += ". Leave distribution { cache_policy } out: edgeward's own has Origin in its key; or choose one that has"
	return []Finding{f}
}
