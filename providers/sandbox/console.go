package sandbox

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/edgeward/edgeward/providers"
)

// edit does something as a person would in a console: at once, without a call
// of a port.
func (w *World) edit(f func(now time.Time)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.clock.Now()
	w.advance(now)
	f(now)
	w.visitAll(now)
}

// SetRecords makes rs the address records at name, whatever stands there. The
// name servers learn of it after the usual delay.
func (w *World) SetRecords(address, name string, rs []providers.Record) {
	w.edit(func(now time.Time) {
		z := w.dns[address].zoneOf(name)
		w.put(z, name, z.provider.plain(rs), now)
	})
}

// Records are the address records that the provider of name's zone has, sorted.
func (w *World) Records(name string) []providers.Record {
	w.mu.Lock()
	defer w.mu.Unlock()
	z := w.zoneOf(name)
	if z == nil {
		return nil
	}
	return slices.Clone(z.latest(name).records)
}

// MayHold is for how long from now some cache may hold another answer for name
// than the present records', or the present ones, if it asked just now. No
// resolver needs to have asked: it is a bound, not an observation. Resolvers
// with a Floor are not counted.
func (w *World) MayHold(name string) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.clock.Now()
	z := w.zoneOf(name)
	if z == nil {
		return 0
	}
	d := lifetime(z, z.latest(name).records)
	if n := z.nodes[name]; n != nil {
		d = max(d, n.held.Sub(now))
	}
	return d
}

// EditDistribution changes the settings of a distribution, which then deploys.
// Nothing is refused.
func (w *World) EditDistribution(id string, f func(*providers.Settings)) {
	w.edit(func(now time.Time) {
		d := w.dists[id]
		f(&d.settings)
		w.deploy(d, now)
	})
}

// EditTags sets tags of a distribution; an empty value removes the tag.
func (w *World) EditTags(id string, tags map[string]string) {
	w.edit(func(now time.Time) {
		d := w.dists[id]
		set := map[string]string{}
		for k, v := range tags {
			if v == "" {
				delete(d.tags, k)
			} else {
				set[k] = v
			}
		}
		w.tag(d, 0, now, set)
	})
}

// DeleteDistribution removes a distribution from the world at once.
func (w *World) DeleteDistribution(id string) {
	w.edit(func(time.Time) {
		d := w.dists[id]
		delete(w.dists, id)
		for name, e := range w.edges {
			if e == d {
				delete(w.edges, name)
			}
		}
	})
}

// Distributions are all distributions of the world's accounts with their exact
// tags, ordered by ID.
func (w *World) Distributions() []providers.Distribution {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.advance(w.clock.Now())
	var out []providers.Distribution
	for _, id := range sortedKeys(w.dists) {
		if d := w.dists[id]; d.account != elsewhere {
			p := d.port()
			p.Tags = map[string]string{}
			for k, v := range d.tags {
				p.Tags[k] = v
			}
			out = append(out, p)
		}
	}
	return out
}

// AddForeignDistribution adds a deployed distribution that is not edgeward's. An
// account that is not one of the world's stands for somebody else's: only the
// conflicts of its aliases show.
func (w *World) AddForeignDistribution(account string, aliases ...string) string {
	s := providers.Settings{
		Enabled: true, Aliases: aliases, OriginDomain: "someone-elses.s3.us-east-1.amazonaws.com",
		OriginKind: providers.RESTOrigin, ViewerProtocol: "allow-all", Methods: []string{"GET", "HEAD"},
		PriceClass: "PriceClass_All", HTTPVersion: "http2", CachePolicyID: "4135ea2d-6df8-44a3-9df3-4b5a84be39ad",
	}
	return w.AddDistribution(account, s, nil).ID
}

// AddDistribution adds a distribution that is deployed already. Nothing is
// refused.
func (w *World) AddDistribution(account string, s providers.Settings, tags map[string]string) providers.Distribution {
	var out providers.Distribution
	w.edit(func(now time.Time) {
		a := w.accounts[account]
		if a == nil {
			a = newAccount(elsewhere)
		}
		s = cloneSettings(s)
		slices.Sort(s.Aliases)
		d := w.newDistribution(a, fmt.Sprintf("console-%d", len(w.dists)), s)
		w.tag(d, 0, now.Add(-w.o.TagLag.Max), tags)
		d.version++
		w.serve(d, cloneSettings(s))
		out = d.port()
	})
	return out
}

// AddCertificate adds a certificate as it is given and returns its ARN. Empty
// fields mean: ISSUED, RSA_2048, valid for 198 days, in us-east-1. An account
// that is not one of the world's is an error of the test: it panics.
func (w *World) AddCertificate(account string, c providers.Certificate) string {
	w.edit(func(now time.Time) {
		a := w.accounts[account]
		if c.ARN == "" {
			c.ARN = "arn:aws:acm:us-east-1:" + a.number + ":certificate/" + strings.ToLower(code(32, append(c.Names, fmt.Sprint(len(a.certificates)))...))
		}
		c.Status = cmp.Or(c.Status, providers.CertificateIssued)
		c.KeyType = cmp.Or(c.KeyType, "RSA_2048")
		if c.NotAfter.IsZero() && c.Status == providers.CertificateIssued {
			c.NotAfter = now.Add(198 * 24 * time.Hour)
		}
		x := &certificate{Certificate: c, asked: now, shown: now}
		if c.Validation == nil && c.Status == providers.CertificatePending {
			for _, n := range c.Names {
				rn, rv := validation(a, n)
				x.Validation = append(x.Validation, providers.Validation{Name: n, Status: c.Status, RecordName: rn, RecordValue: rv})
			}
		}
		a.certificates[c.ARN] = x
		w.validate(now)
	})
	return c.ARN
}

// EditCertificate changes a certificate.
func (w *World) EditCertificate(arn string, f func(*providers.Certificate)) {
	w.edit(func(time.Time) {
		for _, a := range w.accounts {
			if c := a.certificates[arn]; c != nil {
				f(&c.Certificate)
			}
		}
	})
}

// AddCachePolicy adds a custom cache policy. Foreign ones have settings that
// CacheSettings cannot say.
func (w *World) AddCachePolicy(account, name string, s providers.CacheSettings, foreign bool) string {
	var id string
	w.edit(func(time.Time) {
		p := w.accounts[account].addPolicy(name, s)
		p.Foreign = foreign
		id = p.ID
	})
	return id
}

// EditBucket changes a bucket; new or changed objects go through Objects, which
// replaces those of the same key.
func (w *World) EditBucket(name string, f func(*Bucket)) {
	w.edit(func(now time.Time) {
		b := w.buckets[name]
		f(&b.Bucket)
		for _, o := range b.Objects {
			b.put(o, now)
		}
		w.refresh(now)
	})
}

// DeleteBucket removes a bucket.
func (w *World) DeleteBucket(name string) {
	w.edit(func(time.Time) { delete(w.buckets, name) })
}

// BreakEdge has CloudFront give body for a path of a distribution that is
// otherwise served well; a nil body ends that.
func (w *World) BreakEdge(id, path string, body []byte) {
	w.edit(func(time.Time) {
		if body == nil {
			delete(w.dists[id].faults, path)
			return
		}
		w.dists[id].faults[path] = body
	})
}

// SetResolver makes resolver i (from 0) behave as r says.
func (w *World) SetResolver(i int, r Resolving) {
	w.edit(func(time.Time) { w.caches[i].how = r })
}

// SetThrottle has every k-th call of an API refused with ErrThrottled; 0 ends it.
func (w *World) SetThrottle(k int) {
	w.edit(func(time.Time) { w.throttle = k })
}

// Fail has every API call with these credentials (the label of an aws block, or
// the address of a DNS provider) end with err, such as providers.ErrCredentials;
// nil ends it.
func (w *World) Fail(account string, err error) {
	w.edit(func(time.Time) {
		if err == nil {
			delete(w.fail, account)
			return
		}
		w.fail[account] = err
	})
}

// Dump is the lasting world as text: buckets, address records, distributions
// with settings and tags, certificates, cache policies. Two worlds that came to
// the same end have the same Dump: times, ETags and versions are left out.
func (w *World) Dump() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.advance(w.clock.Now())
	var s strings.Builder
	for _, name := range sortedKeys(w.buckets) {
		b := w.buckets[name]
		fmt.Fprintf(&s, "bucket %s %s private=%t objects=%v\n", name, b.Region, b.Private, b.keys)
		for _, id := range sortedKeys(b.counting) {
			if b.counting[id].until.IsZero() {
				fmt.Fprintf(&s, "counting %s %s\n", name, id)
			}
		}
	}
	w.dumpAccess(&s)
	for _, address := range sortedKeys(w.dns) {
		for _, z := range w.dns[address].zones {
			for _, name := range sortedKeys(z.nodes) {
				v := z.latest(name)
				for _, r := range v.records {
					fmt.Fprintf(&s, "record %s %s %s\n", address, name, r)
				}
				if len(v.other) > 0 {
					fmt.Fprintf(&s, "record %s %s other=%v\n", address, name, v.other)
				}
			}
		}
	}
	for _, id := range sortedKeys(w.dists) {
		d := w.dists[id]
		fmt.Fprintf(&s, "distribution %s %s %q\n  settings %+v\n", id, d.port().Status, d.ref, d.settings)
		for _, k := range sortedKeys(d.tags) {
			fmt.Fprintf(&s, "  tag %s %s\n", k, timeless(k, d.tags[k]))
		}
	}
	for _, label := range sortedKeys(w.accounts) {
		a := w.accounts[label]
		for _, arn := range sortedKeys(a.certificates) {
			c := a.certificates[arn]
			fmt.Fprintf(&s, "certificate %s %s %v %v\n", arn, c.Status, c.Names, c.Tags)
		}
		for _, id := range sortedKeys(a.policies) {
			fmt.Fprintf(&s, "policy %s %s %+v\n", id, a.policies[id].Name, a.policies[id].Settings)
		}
	}
	return s.String()
}

// moments are the parts of a crumb that differ by run: times, and the ETags
// that a proof is about.
var moments = regexp.MustCompile(`\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z?|\b\d{9,}\b|\d{8}T\d{6}Z|\bE[A-Z0-9]{13}\b`)

func timeless(key, value string) string {
	if !strings.HasPrefix(key, providers.TagPrefix) {
		return value
	}
	return moments.ReplaceAllString(value, "TIME")
}
