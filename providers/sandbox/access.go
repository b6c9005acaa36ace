package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/edgeward/edgeward/providers"
)

// byOwner signs as the account of the bucket.
const byOwner = "the bucket's account"

// Quotas of origin access controls [CloudFront Developer Guide: Quotas on origin
// access controls].
const (
	maxControls     = 100
	maxControlUsers = 100
)

// bucketAccess is who may read a bucket, as far as it was changed since the
// world began.
type bucketAccess struct {
	// policy is the text that was put, nil when none was.
	policy *string
	// block is what was put; blockPut says that it was, nil too.
	block    *providers.PublicAccessBlock
	blockPut bool
	// n counts the changes; those in force are of an earlier moment.
	n        int
	known    bool
	rules    []rule
	restrict providers.PublicAccessBlock
	// deaf: what the policy grants to a service is of no effect once public access is
	// restricted: a grant that does not work.
	deaf bool
}

// block is the bucket's public access block, nil when it has none.
func (b *bucket) block() *providers.PublicAccessBlock {
	switch {
	case b.access.blockPut && b.access.block == nil:
		return nil
	case b.access.blockPut:
		out := *b.access.block
		return &out
	case b.Private:
		return &providers.PublicAccessBlock{BlockPublicACLs: true, IgnorePublicACLs: true, BlockPublicPolicy: true, RestrictPublicBuckets: true}
	}
	return nil
}

// apply lets the bucket's policy and block be in force.
func (b *bucket) apply(policy string, block *providers.PublicAccessBlock) {
	b.access.known, b.access.restrict = true, providers.PublicAccessBlock{}
	b.access.rules, _ = readPolicy(policy) // it was refused when it could not be read
	if block != nil {
		b.access.restrict = *block
	}
}

// inForce is what S3 acts by: of a bucket whose access nobody changed, what its
// options say now.
func (w *World) inForce(b *bucket) ([]rule, providers.PublicAccessBlock) {
	if !b.access.known {
		var block providers.PublicAccessBlock
		if p := b.block(); p != nil {
			block = *p
		}
		rules, _ := readPolicy(b.policy())
		return rules, either(block, w.accountBlock(b))
	}
	return b.access.rules, either(b.access.restrict, w.accountBlock(b))
}

func (w *World) accountBlock(b *bucket) providers.PublicAccessBlock {
	if a := w.accounts[b.Account]; a != nil && a.block != nil {
		return *a.block
	}
	return providers.PublicAccessBlock{}
}

// either is the more restrictive combination of two blocks [Amazon S3 User
// Guide: Blocking public access to your Amazon S3 storage].
func either(x, y providers.PublicAccessBlock) providers.PublicAccessBlock {
	return providers.PublicAccessBlock{
		BlockPublicACLs: x.BlockPublicACLs || y.BlockPublicACLs, IgnorePublicACLs: x.IgnorePublicACLs || y.IgnorePublicACLs,
		BlockPublicPolicy: x.BlockPublicPolicy || y.BlockPublicPolicy, RestrictPublicBuckets: x.RestrictPublicBuckets || y.RestrictPublicBuckets,
	}
}

// settled has what was changed of b be in force after the usual delay.
func (w *World) settled(b *bucket, now time.Time) {
	if !b.access.known {
		rules, block := w.inForce(b)
		b.access.known, b.access.rules, b.access.restrict = true, rules, block
	}
	b.access.n++
	n, policy, block := b.access.n, b.policy(), b.block()
	w.at(now.Add(w.draw(w.o.AccessLag, "access", b.Name, fmt.Sprint(n))), func(time.Time) {
		if b.access.n == n {
			b.apply(policy, block)
		}
	})
}

// untouched says that the answers are those of the bucket's options.
func (w *World) untouched(b *bucket) bool {
	return !b.access.known && b.access.policy == nil && !b.access.blockPut && (w.accounts[b.Account] == nil || w.accounts[b.Account].block == nil)
}

// mayRead is whether whoever sent r may read an object of that key, as far as
// the bucket says; mayList the same of its listing.
func (w *World) mayRead(b *bucket, r request, key string) bool {
	if w.untouched(b) && r.by == "" {
		return !b.Private && !b.RequesterPays
	}
	return w.may(b, r, "s3:GetObject", "arn:aws:s3:::"+b.Name+"/"+key)
}

func (w *World) mayList(b *bucket, r request) bool {
	if w.untouched(b) && r.by == "" {
		return b.Listing && !b.Private && !b.RequesterPays
	}
	return w.may(b, r, "s3:ListBucket", "arn:aws:s3:::"+b.Name)
}

// may judges a request by the policy and the blocks. With RestrictPublicBuckets
// a public policy lets in AWS services and the bucket's own account alone
// [Amazon S3 User Guide: Blocking public access]; whether a service then needs a
// statement of its own is not said: here it does.
func (w *World) may(b *bucket, r request, action, resource string) bool {
	rules, block := w.inForce(b)
	public, service, denied := false, false, false
	for _, x := range rules {
		switch {
		case !x.about(action, resource):
		case x.deny:
			denied = denied || x.everybody && x.meets(r)
		case x.everybody:
			public = public || x.meets(r)
		case x.service == "cloudfront.amazonaws.com":
			service = service || r.by != "" && r.by != byOwner && x.meets(r)
		}
	}
	acl := b.ACLs && !b.Private && !block.IgnorePublicACLs && action == "s3:GetObject"
	switch {
	case denied:
		return false
	case r.by == byOwner:
		return true
	case block.RestrictPublicBuckets && publicRules(rules):
		return service && !b.access.deaf
	case r.by == "" && b.RequesterPays:
		return false
	}
	return public || service || acl
}

// requester is what an account makes of a request that it signs.
func (w *World) requester(a *account, host string) string {
	_, name, _ := s3Host(host)
	if b := w.buckets[name]; b != nil && !b.Foreign && b.Account == a.label {
		return byOwner
	}
	return ""
}

type signedPort struct{ accountPort }

func (p signedPort) Fetch(ctx context.Context, r providers.Request) (providers.Response, error) {
	u, err := url.Parse(r.URL)
	if err != nil || u.Host == "" {
		return providers.Response{}, fmt.Errorf("fetch %s: not an http or https URL: %w", r.URL, providers.ErrInvalid)
	}
	e, name, ok := s3Host(u.Hostname())
	if !ok || name == "" || e.kind != restEnd {
		return providers.Response{}, fmt.Errorf("fetch %s signed: %s is no REST endpoint of a bucket: %w", r.URL, u.Host, providers.ErrInvalid)
	}
	if r.Method == "" {
		r.Method = http.MethodGet
	}
	var got reply
	var head http.Header
	err = p.w.call(ctx, p.op("Signed.Fetch", r.Method+" "+r.URL, false), func(now time.Time) error {
		got = p.w.s3(e, request{scheme: u.Scheme, method: r.Method, host: strings.ToLower(u.Hostname()), path: pathOf(u.EscapedPath()),
			query: u.RawQuery, header: r.Header, by: p.w.requester(p.a, u.Hostname())}, now)
		p.w.seq++
		head = got.header(requestID(p.w.seq), now)
		return nil
	})
	if err != nil {
		return providers.Response{}, err
	}
	return received(r, got, head), nil
}

type accessPort struct{ accountPort }

func (p accessPort) buckets() bucketsPort { return bucketsPort(p) }

func (p accessPort) Policy(ctx context.Context, name, region string) (string, error) {
	var out string
	err := p.w.call(ctx, p.op("Access.Policy", name, false), func(time.Time) error {
		b, err := p.buckets().own(name, region)
		if err == nil {
			out = b.policy()
		}
		return err
	})
	if err != nil {
		return "", err
	}
	return out, nil
}

func (p accessPort) PutPolicy(ctx context.Context, name, region, policy string) error {
	return p.w.call(ctx, p.op("Access.PutPolicy", name, true), func(now time.Time) error {
		b, err := p.buckets().own(name, region)
		if err != nil {
			return err
		}
		if policy != "" {
			if policy, err = rewritten(policy, name); err != nil {
				return fmt.Errorf("put the policy of bucket %s: %w", name, err)
			}
		}
		block := p.w.accountBlock(b)
		if own := b.block(); own != nil {
			block = either(block, *own)
		}
		if block.BlockPublicPolicy && publicPolicy(policy) {
			return fmt.Errorf("put the policy of bucket %s: AccessDenied: public policies are blocked by the BlockPublicPolicy setting: %w", name, providers.ErrDenied)
		}
		b.access.policy = &policy
		p.w.settled(b, now)
		return nil
	})
}

func (p accessPort) Block(ctx context.Context, name, region string) (*providers.PublicAccessBlock, error) {
	var out *providers.PublicAccessBlock
	err := p.w.call(ctx, p.op("Access.Block", name, false), func(time.Time) error {
		b, err := p.buckets().own(name, region)
		if err == nil {
			out = b.block()
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (p accessPort) PutBlock(ctx context.Context, name, region string, block *providers.PublicAccessBlock) error {
	return p.w.call(ctx, p.op("Access.PutBlock", name, true), func(now time.Time) error {
		b, err := p.buckets().own(name, region)
		if err != nil {
			return err
		}
		b.setBlock(block)
		p.w.settled(b, now)
		return nil
	})
}

func (b *bucket) setBlock(block *providers.PublicAccessBlock) {
	b.access.blockPut, b.access.block = true, nil
	if block != nil {
		own := *block
		b.access.block = &own
	}
}

func (p accessPort) AccountBlock(ctx context.Context) (*providers.PublicAccessBlock, error) {
	var out *providers.PublicAccessBlock
	err := p.w.call(ctx, p.op("Access.AccountBlock", "", false), func(time.Time) error {
		if p.a.block != nil {
			own := *p.a.block
			out = &own
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (p accessPort) Readers(ctx context.Context, name string) ([]providers.Reader, error) {
	var out []providers.Reader
	err := p.w.call(ctx, p.op("Access.Readers", name, false), func(time.Time) error {
		for _, id := range sortedKeys(p.w.dists) {
			d := p.w.dists[id]
			n := 0
			for _, host := range append([]string{d.settings.OriginDomain}, d.also...) {
				if _, b, ok := s3Host(host); ok && (b == name || b == "") {
					n++
				}
			}
			if n > 0 && d.account == p.a.label {
				out = append(out, providers.Reader{ID: id, Origins: n})
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (p accessPort) OriginAccess(ctx context.Context) ([]providers.OriginAccess, error) {
	var out []providers.OriginAccess
	err := p.w.call(ctx, p.op("Access.OriginAccess", "", false), func(time.Time) error {
		for _, id := range sortedKeys(p.a.controls) {
			c := *p.a.controls[id]
			c.InUse = p.w.controlUsers(p.a, nil, id)
			out = append(out, c)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (p accessPort) CreateOriginAccess(ctx context.Context, name string) (providers.OriginAccess, error) {
	var out providers.OriginAccess
	err := p.w.call(ctx, p.op("Access.CreateOriginAccess", name, true), func(time.Time) error {
		for _, c := range p.a.controls {
			if c.Name == name {
				return fmt.Errorf("create origin access control %s: OriginAccessControlAlreadyExists: %w", name, providers.ErrConflict)
			}
		}
		switch {
		case len(p.a.controls) >= maxControls:
			return fmt.Errorf("create origin access control %s: TooManyOriginAccessControls: %w", name, providers.ErrQuota)
		case name == "" || len(name) > 64:
			return fmt.Errorf("create origin access control %q: InvalidArgument: the name: %w", name, providers.ErrInvalid)
		}
		c := &providers.OriginAccess{ID: "E" + code(13, "control", p.a.label, name), Name: name, Signs: true}
		p.a.controls[c.ID] = c
		out = *c
		return nil
	})
	if err != nil {
		return providers.OriginAccess{}, err
	}
	return out, nil
}

// control is an origin access control of the account, or nil.
func (a *account) control(id string) *providers.OriginAccess {
	if a == nil || id == "" {
		return nil
	}
	return a.controls[id]
}

func (w *World) controlUsers(a *account, but *distribution, id string) int {
	n := 0
	for _, d := range w.dists {
		if d != but && d.account == a.label && d.settings.OriginAccessID == id {
			n++
		}
	}
	return n
}

// controlRoom is ErrQuota when the control id has all its distributions.
func (w *World) controlRoom(a *account, d *distribution, id string) error {
	if id != "" && w.controlUsers(a, d, id) >= maxControlUsers {
		return fmt.Errorf("TooManyDistributionsAssociatedToOriginAccessControl: %s: %w", id, providers.ErrQuota)
	}
	return nil
}

// Policy is the text of a bucket's policy.
func (w *World) Policy(name string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buckets[name].policy()
}

// Block is a bucket's public access block, nil when it has none.
func (w *World) Block(name string) *providers.PublicAccessBlock {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buckets[name].block()
}

// SetPolicy makes text a bucket's policy, in force at once. A text that is no
// policy is an error of the test: it panics.
func (w *World) SetPolicy(name, text string) {
	w.edit(func(time.Time) {
		if text != "" {
			var err error
			if text, err = rewritten(text, name); err != nil {
				panic(err)
			}
		}
		b := w.buckets[name]
		b.access.policy = &text
		b.access.n++
		b.apply(text, b.block())
	})
}

// SetBlock makes block a bucket's public access block, in force at once; nil
// removes it.
func (w *World) SetBlock(name string, block *providers.PublicAccessBlock) {
	w.edit(func(time.Time) {
		b := w.buckets[name]
		b.setBlock(block)
		b.access.n++
		b.apply(b.policy(), block)
	})
}

// SetAccountBlock makes block the public access block of an account.
func (w *World) SetAccountBlock(label string, block *providers.PublicAccessBlock) {
	w.edit(func(time.Time) { w.accounts[label].block = block })
}

// BreakGrants has what a bucket's policy grants to services be of no effect once
// its public access is restricted.
func (w *World) BreakGrants(name string, broken bool) {
	w.edit(func(time.Time) { w.buckets[name].access.deaf = broken })
}

// AddOriginAccess adds an origin access control to an account.
func (w *World) AddOriginAccess(label, name string, signs bool) string {
	c := &providers.OriginAccess{ID: "E" + code(13, "control", label, name), Name: name, Signs: signs}
	w.edit(func(time.Time) { w.accounts[label].controls[c.ID] = c })
	return c.ID
}

// AddOrigin gives a distribution another origin beside the one that its default
// behaviour uses.
func (w *World) AddOrigin(id, domain string) {
	w.edit(func(time.Time) { w.dists[id].also = append(w.dists[id].also, domain) })
}

// dumpAccess is the part of Dump about who may read what.
func (w *World) dumpAccess(s io.Writer) {
	for _, name := range sortedKeys(w.buckets) {
		if b := w.buckets[name]; b.access.known {
			fmt.Fprintf(s, "access %s policy=%s block=%s\n", name, b.policy(), blockText(b.block()))
		}
	}
	for _, label := range sortedKeys(w.accounts) {
		for c := range maps.Values(w.accounts[label].controls) {
			fmt.Fprintf(s, "control %s %s\n", label, c.Name)
		}
	}
}

func blockText(b *providers.PublicAccessBlock) string {
	if b == nil {
		return "none"
	}
	return fmt.Sprintf("%+v", *b)
}

var errMalformed = errors.New("MalformedPolicy")
