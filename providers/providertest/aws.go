package providertest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/edgeward/edgeward/providers"
)

// AccountSuite says how to try one implementation of the ports of an AWS
// account (providers.Account).
type AccountSuite struct {
	// New makes an account that holds what AccountParty says and nothing else
	// of the names in it. It is called once a case.
	New func(t *testing.T) AccountParty
	// Wrap runs a case; nil runs it as it is. A testing/synctest bubble goes here.
	Wrap func(t *testing.T, f func(t *testing.T))
	// Unfaithful are cases that the party behind the implementation cannot be
	// asked, by name, each with what it does wrong. They are skipped with that
	// sentence; a name that is no case fails the suite.
	Unfaithful map[string]string
}

// AccountParty is an account to try, and what is in it.
type AccountParty struct {
	Account providers.Account
	// Again is the same account as a new process sees it.
	Again providers.Account
	// Clock passes the time between looks; Patience is how long a case waits for
	// a certificate, a deployment or an index.
	Clock    providers.Clock
	Patience time.Duration
	// Bucket is a public bucket in Region with a website configuration that has
	// the index document index.html, and with the objects of Sizes, by key.
	Bucket, Region string
	Sizes          map[string]int64
	// Foreign is a bucket that these credentials may not read.
	Foreign string
	// Names are two names that the issued certificate Issued covers, neither of
	// which is an alias yet; it has no wildcard. Taken is a third that it covers:
	// an alias of somebody else's distribution, in an account not to be seen.
	Names  [2]string
	Issued string
	Taken  string
	// Log turns the access log of Bucket on, if it is off, and delivers one object
	// with requests, of which Time, Operation, Method, Path, Query, Status, Host
	// and UserAgent are used.
	Log func(t *testing.T, entries ...providers.LogEntry)
	// Prove creates a validation record, so that ACM finds it.
	Prove func(t *testing.T, v providers.Validation)
}

// Account checks that an implementation keeps the promises of the ports of an
// account.
func Account(t *testing.T, s AccountSuite) {
	cases := map[string]func(*testing.T, AccountParty){
		"identity":                        accountIdentity,
		"bucket/settings":                 bucketSettings,
		"bucket/absent":                   bucketAbsent,
		"bucket/foreign":                  bucketForeign,
		"bucket/objects":                  bucketObjects,
		"bucket/objects after":            bucketObjectsAfter,
		"bucket/head":                     bucketHead,
		"bucket/no access log":            bucketNoLog,
		"bucket/access log":               bucketLog,
		"access/policy":                   accessPolicy,
		"access/malformed policy":         accessMalformed,
		"access/block":                    accessBlock,
		"access/account block":            accessAccountBlock,
		"access/public policy refused":    accessPublicRefused,
		"access/nothing there":            accessAbsent,
		"access/readers":                  accessReaders,
		"access/control users":            accessControlUsers,
		"access/controls":                 accessControls,
		"access/control taken":            accessControlTaken,
		"access/signed":                   accessSigned,
		"certificate/covering":            certificateCovering,
		"certificate/absent":              certificateAbsent,
		"certificate/request":             certificateRequest,
		"certificate/same token":          certificateToken,
		"certificate/issued":              certificateIssued,
		"policy/create and list":          policyCreate,
		"policy/same name":                policyConflict,
		"policy/in use":                   policyInUse,
		"policy/by ID":                    policyByID,
		"distribution/create":             distributionCreate,
		"distribution/deployed":           distributionDeployed,
		"distribution/caller reference":   distributionReference,
		"distribution/alias taken":        distributionTaken,
		"distribution/own alias taken":    distributionOwnTaken,
		"distribution/certificate":        distributionCertificate,
		"distribution/conflicts":          distributionConflicts,
		"distribution/absent":             distributionAbsent,
		"distribution/update":             distributionUpdate,
		"distribution/stale ETag":         distributionStale,
		"distribution/update deploys":     distributionRedeploys,
		"distribution/find":               distributionFind,
		"distribution/find after a write": distributionFindAfterWrite,
		"distribution/find by tag":        distributionFindTagged,
		"distribution/tags":               distributionTags,
		"distribution/bad tags":           distributionBadTags,
		"quotas":                          accountQuotas,
		"ended context":                   accountEnded,
	}
	run(t, suite{"AccountSuite", s.Wrap, s.Unfaithful}, cases, s.New)
}

// settings are those that the planner asks for: what preserves S3's behaviour.
func (p AccountParty) settings(policy string, aliases ...string) providers.Settings {
	return providers.Settings{
		Enabled: true, Aliases: aliases, CertificateARN: p.Issued, MinimumTLS: "TLSv1.2_2021",
		OriginDomain: p.Bucket + ".s3." + p.Region + ".amazonaws.com", OriginKind: providers.RESTOrigin,
		ViewerProtocol: "allow-all", Methods: []string{"GET", "HEAD"}, PriceClass: "PriceClass_All",
		HTTPVersion: "http2", IPv6: true, CachePolicyID: policy, ErrorTTL: 5,
	}
}

// cachingDisabled is AWS's managed policy of that name.
const cachingDisabled = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"

func (p AccountParty) create(t *testing.T, ref string, tags map[string]string, aliases ...string) providers.Distribution {
	t.Helper()
	d, err := p.Account.Distributions.Create(t.Context(), ref, p.settings(cachingDisabled, aliases...), tags)
	if err != nil {
		t.Fatalf("Create(%s): %v", ref, err)
	}
	return d
}

// until looks every now and then until f is satisfied, for the party's patience.
func (p AccountParty) until(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := p.Clock.Now().Add(p.Patience); !f(); {
		if !p.Clock.Now().Before(end) {
			t.Fatalf("%s: not after %s", what, p.Patience)
		}
		if err := p.Clock.Sleep(t.Context(), p.Patience/200); err != nil {
			t.Fatal(err)
		}
	}
}

func accountIdentity(t *testing.T, p AccountParty) {
	id, err := p.Account.Identity.AccountID(t.Context())
	if err != nil || len(id) != 12 {
		t.Errorf("AccountID is %q, %v; want 12 digits", id, err)
	}
}

func bucketSettings(t *testing.T, p AccountParty) {
	for _, region := range []string{p.Region, ""} {
		b, err := p.Account.Buckets.Bucket(t.Context(), p.Bucket, region)
		if err != nil {
			t.Fatalf("Bucket(%s, %q): %v", p.Bucket, region, err)
		}
		if b.Name != p.Bucket || b.Region != p.Region || !b.PolicyPublic || b.Policy == "" || b.RequesterPays {
			t.Errorf("Bucket(%s, %q) is %+v", p.Bucket, region, b)
		}
		if b.Website == nil || b.Website.IndexDocument != "index.html" {
			t.Errorf("Bucket(%s, %q).Website is %+v", p.Bucket, region, b.Website)
		}
		if b.Block != (providers.PublicAccessBlock{}) {
			t.Errorf("Bucket(%s, %q).Block is %+v", p.Bucket, region, b.Block)
		}
	}
}

func bucketAbsent(t *testing.T, p AccountParty) {
	_, err := p.Account.Buckets.Bucket(t.Context(), "absent-"+p.Bucket, "")
	class(t, err, providers.ErrNotFound)
	_, err = p.Account.Buckets.Objects(t.Context(), "absent-"+p.Bucket, p.Region, "", 10)
	class(t, err, providers.ErrNotFound)
}

func bucketForeign(t *testing.T, p AccountParty) {
	_, err := p.Account.Buckets.Bucket(t.Context(), p.Foreign, "")
	class(t, err, providers.ErrDenied)
}

func bucketObjects(t *testing.T, p AccountParty) {
	keys := slices.Sorted(maps.Keys(p.Sizes))
	for _, limit := range []int{1, 2, 1000} {
		got, err := p.Account.Buckets.Objects(t.Context(), p.Bucket, p.Region, "", limit)
		if err != nil {
			t.Fatalf("Objects(%s, %d): %v", p.Bucket, limit, err)
		}
		var have []string
		for _, o := range got {
			have = append(have, o.Key)
			if o.Size != p.Sizes[o.Key] || o.ETag == "" || o.ETag[0] == '"' || o.LastModified.IsZero() {
				t.Errorf("the object %+v, want a size of %d", o, p.Sizes[o.Key])
			}
		}
		same(t, have, keys[:min(limit, len(keys))])
	}
}

func (p AccountParty) covering(t *testing.T, names ...string) []string {
	t.Helper()
	cs, err := p.Account.Certificates.Covering(t.Context(), names)
	if err != nil {
		t.Fatalf("Covering(%v): %v", names, err)
	}
	var arns []string
	for _, c := range cs {
		arns = append(arns, c.ARN)
	}
	slices.Sort(arns)
	return arns
}

func certificateCovering(t *testing.T, p AccountParty) {
	want := []string{p.Issued}
	same(t, p.covering(t, p.Names[0]), want)
	same(t, p.covering(t, p.Names[0], p.Names[1]), want)
	same(t, p.covering(t, p.Names[0], "absent."+p.Names[1]), nil)
	wild, err := p.Account.Certificates.Request(t.Context(), []string{"*." + p.Names[1]}, "wild", nil)
	if err != nil {
		t.Fatal(err)
	}
	same(t, p.covering(t, "a."+p.Names[1]), []string{wild})
	same(t, p.covering(t, "*."+p.Names[1]), []string{wild})
	same(t, p.covering(t, "a.b."+p.Names[1]), nil)
	same(t, p.covering(t, p.Names[1]), want)
	c, err := p.Account.Certificates.Certificate(t.Context(), p.Issued)
	if err != nil || c.Status != providers.CertificateIssued || c.KeyType == "" || !c.NotAfter.After(p.Clock.Now()) {
		t.Errorf("Certificate(%s) is %+v, %v", p.Issued, c, err)
	}
}

func certificateAbsent(t *testing.T, p AccountParty) {
	_, err := p.Account.Certificates.Certificate(t.Context(), p.Issued[:len(p.Issued)-4]+"0000")
	class(t, err, providers.ErrNotFound)
}

func (p AccountParty) certificate(t *testing.T, arn string) providers.Certificate {
	t.Helper()
	c, err := p.Account.Certificates.Certificate(t.Context(), arn)
	if err != nil {
		t.Fatalf("Certificate(%s): %v", arn, err)
	}
	return c
}

func certificateRequest(t *testing.T, p AccountParty) {
	names := []string{"new." + p.Names[0], "other." + p.Names[0]}
	tags := map[string]string{providers.TagBucket: p.Bucket}
	arn, err := p.Account.Certificates.Request(t.Context(), names, "token_1", tags)
	if err != nil {
		t.Fatal(err)
	}
	p.until(t, "the validation records", func() bool {
		c := p.certificate(t, arn)
		if c.Status != providers.CertificatePending {
			t.Fatalf("the new certificate is %s", c.Status)
		}
		return !slices.ContainsFunc(c.Validation, func(v providers.Validation) bool { return v.RecordName == "" })
	})
	all, err := p.Account.Certificates.Covering(t.Context(), names)
	if err != nil || len(all) != 1 {
		t.Fatalf("Covering(%v) is %v, %v", names, all, err)
	}
	for _, c := range []providers.Certificate{p.certificate(t, arn), all[0]} {
		same(t, slices.Sorted(slices.Values(c.Names)), names)
		if c.ARN != arn || c.KeyType != "RSA_2048" || len(c.Validation) != 2 {
			t.Errorf("the new certificate is %+v", c)
		}
	}
	same(t, all[0].Tags, tags)
	for _, v := range all[0].Validation {
		if !slices.Contains(names, v.Name) || v.RecordValue == "" || v.RecordName[len(v.RecordName)-1] == '.' || v.RecordValue[len(v.RecordValue)-1] == '.' {
			t.Errorf("the validation %+v", v)
		}
	}
}

func certificateToken(t *testing.T, p AccountParty) {
	request := func(token string) string {
		arn, err := p.Account.Certificates.Request(t.Context(), []string{"new." + p.Names[0]}, token, nil)
		if err != nil {
			t.Fatal(err)
		}
		return arn
	}
	first, again, other := request("one"), request("one"), request("two")
	if first != again || first == other {
		t.Errorf("requests with the tokens one, one and two gave %s, %s and %s", first, again, other)
	}
}

func certificateIssued(t *testing.T, p AccountParty) {
	arn, err := p.Account.Certificates.Request(t.Context(), []string{"new." + p.Names[0]}, "token", nil)
	if err != nil {
		t.Fatal(err)
	}
	proven := false
	p.until(t, "the certificate is issued", func() bool {
		c := p.certificate(t, arn)
		if v := c.Validation[0]; !proven && v.RecordName != "" {
			p.Prove(t, v)
			proven = true
		}
		return c.Status == providers.CertificateIssued
	})
	if !proven {
		t.Error("it was issued without the validation record")
	}
}

func cacheSettings() providers.CacheSettings {
	return providers.CacheSettings{MaxTTL: 31536000, QueryStrings: true, Headers: []string{"Origin"}}
}

func policyCreate(t *testing.T, p AccountParty) {
	made, err := p.Account.CachePolicies.CreateCachePolicy(t.Context(), "edgeward-test-1", cacheSettings())
	if err != nil {
		t.Fatal(err)
	}
	if made.ID == "" || made.Name != "edgeward-test-1" || made.Foreign {
		t.Errorf("the new policy is %+v", made)
	}
	for _, a := range []providers.Account{p.Account, p.Again} {
		all, err := a.CachePolicies.CachePolicies(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(all, func(c providers.CachePolicy) bool { return c.ID == made.ID })
		if i < 0 {
			t.Fatalf("the new policy %s is not in %v", made.ID, all)
		}
		same(t, all[i], providers.CachePolicy{ID: made.ID, Name: "edgeward-test-1", Settings: cacheSettings()})
	}
}

func policyConflict(t *testing.T, p AccountParty) {
	if _, err := p.Account.CachePolicies.CreateCachePolicy(t.Context(), "edgeward-test-1", cacheSettings()); err != nil {
		t.Fatal(err)
	}
	other := cacheSettings()
	other.Headers = nil
	_, err := p.Account.CachePolicies.CreateCachePolicy(t.Context(), "edgeward-test-1", other)
	class(t, err, providers.ErrConflict)
}

func policyInUse(t *testing.T, p AccountParty) {
	made, err := p.Account.CachePolicies.CreateCachePolicy(t.Context(), "edgeward-test-1", cacheSettings())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Account.Distributions.Create(t.Context(), "ref-1", p.settings(made.ID, p.Names[0]), nil); err != nil {
		t.Fatal(err)
	}
	all, err := p.Account.CachePolicies.CachePolicies(t.Context())
	if err != nil || !slices.ContainsFunc(all, func(c providers.CachePolicy) bool { return c.ID == made.ID && c.InUse == 1 }) {
		t.Errorf("the policies are %+v, %v; want one that is in use by one", all, err)
	}
}

func distributionCreate(t *testing.T, p AccountParty) {
	tags := map[string]string{providers.TagBucket: p.Bucket, "edgeward:was": "CNAME/x_y.z:1/2=3+4-5@6 7"}
	made := p.create(t, "ref-1", tags, p.Names[:]...)
	if made.ID == "" || made.ARN == "" || made.ETag == "" || made.Domain == "" || made.CallerReference != "ref-1" || made.Status != providers.InProgress {
		t.Errorf("the new distribution is %+v", made)
	}
	got, err := p.Account.Distributions.Distribution(t.Context(), made.ID)
	if err != nil {
		t.Fatal(err)
	}
	want := p.settings(cachingDisabled, slices.Sorted(slices.Values(p.Names[:]))...)
	same(t, got.Settings, want)
	if !got.SettingsFull || got.CallerReference != "ref-1" || got.ETag != made.ETag || got.Domain != made.Domain || got.ARN != made.ARN {
		t.Errorf("it reads back as %+v, want %+v", got, made)
	}
	exact, err := p.Account.Distributions.Tags(t.Context(), made.ARN)
	if err != nil {
		t.Fatal(err)
	}
	same(t, exact, tags)
}

func distributionDeployed(t *testing.T, p AccountParty) {
	p.deployed(t, p.create(t, "ref-1", nil, p.Names[0]).ID)
}

// deployed waits for the end of a deployment, as the sweep tells it.
func (p AccountParty) deployed(t *testing.T, id string) {
	t.Helper()
	p.until(t, "the deployment of "+id, func() bool {
		ds := p.find(t, "", p.Names[0])
		i := slices.IndexFunc(ds, func(d providers.Distribution) bool { return d.ID == id })
		return i >= 0 && ds[i].Status == providers.Deployed
	})
}

func distributionReference(t *testing.T, p AccountParty) {
	made := p.create(t, "ref-1", nil, p.Names[0])
	_, err := p.Account.Distributions.Create(t.Context(), "ref-1", p.settings(cachingDisabled, p.Names[1]), nil)
	class(t, err, providers.ErrConflict)
	var exists *providers.ExistsError
	if !errors.As(err, &exists) || exists.ID != made.ID {
		t.Errorf("the error is %#v, want an *ExistsError that names %s", err, made.ID)
	}
	if all := p.find(t, "", p.Names[1]); len(all) != 0 {
		t.Errorf("the second distribution was made: %+v", all)
	}
}

func distributionTaken(t *testing.T, p AccountParty) {
	_, err := p.Account.Distributions.Create(t.Context(), "ref-1", p.settings(cachingDisabled, p.Names[0], p.Taken), nil)
	class(t, err, providers.ErrConflict)
	var exists *providers.ExistsError
	if errors.As(err, &exists) {
		t.Errorf("a taken alias is an ExistsError: %v", err)
	}
	if all := p.find(t, "", p.Names[0]); len(all) != 0 {
		t.Errorf("the distribution was made: %+v", all)
	}
}

func distributionOwnTaken(t *testing.T, p AccountParty) {
	p.create(t, "ref-1", nil, p.Names[0])
	_, err := p.Account.Distributions.Create(t.Context(), "ref-2", p.settings(cachingDisabled, p.Names[0]), nil)
	class(t, err, providers.ErrConflict)
}

// Who has an alias is told to the distribution that could have it, and nobody's
// identity as a whole.
func distributionConflicts(t *testing.T, p AccountParty) {
	made := p.create(t, "ref-1", nil, p.Names[0])
	d := p.Account.Distributions
	got, err := d.Conflicts(t.Context(), made.ID, p.Taken)
	if err != nil || len(got) != 1 {
		t.Fatalf("%s is held by %+v, %v", p.Taken, got, err)
	}
	if h := got[0]; h.Alias != p.Taken || h.Tenant || !strings.HasPrefix(h.ID, "*") || !strings.HasPrefix(h.Account, "*") {
		t.Errorf("%s is held by %+v", p.Taken, h)
	}
	if got, err := d.Conflicts(t.Context(), made.ID, p.Names[1]); err != nil || len(got) != 0 {
		t.Errorf("%s is held by %+v, %v", p.Names[1], got, err)
	}
	for id, name := range map[string]string{made.ID: "absent." + p.Names[0], "E0ABSENT000000": p.Names[1]} {
		if got, err := d.Conflicts(t.Context(), id, name); err == nil {
			t.Errorf("%s may ask about %s: %+v", id, name, got)
		}
	}
}

func distributionCertificate(t *testing.T, p AccountParty) {
	for what, change := range map[string]func(*providers.Settings){
		"no certificate":        func(s *providers.Settings) { s.CertificateARN = "" },
		"an unknown one":        func(s *providers.Settings) { s.CertificateARN = p.Issued[:len(p.Issued)-4] + "0000" },
		"one that covers not":   func(s *providers.Settings) { s.Aliases = []string{"absent." + p.Names[0]} },
		"one that covers a few": func(s *providers.Settings) { s.Aliases = append(s.Aliases, "absent."+p.Names[0]) },
	} {
		s := p.settings(cachingDisabled, p.Names[0])
		change(&s)
		if _, err := p.Account.Distributions.Create(t.Context(), "ref-1", s, nil); !errors.Is(err, providers.ErrInvalid) {
			t.Errorf("Create with %s: error is %v, want one that is %q", what, err, providers.ErrInvalid)
		}
	}
}

func distributionAbsent(t *testing.T, p AccountParty) {
	made := p.create(t, "ref-1", nil, p.Names[0])
	const id = "E0ABSENT000000"
	arn := made.ARN[:len(made.ARN)-len(made.ID)] + id
	d := p.Account.Distributions
	_, err := d.Distribution(t.Context(), id)
	class(t, err, providers.ErrNotFound)
	_, err = d.Tags(t.Context(), arn)
	class(t, err, providers.ErrNotFound)
	class(t, d.SetTags(t.Context(), arn, map[string]string{"a": "b"}), providers.ErrNotFound)
	_, err = d.Update(t.Context(), id, made.ETag, made.Settings, []providers.Field{providers.FieldAliases})
	class(t, err, providers.ErrNotFound)
}

func distributionUpdate(t *testing.T, p AccountParty) {
	made := p.create(t, "ref-1", map[string]string{"a": "b"}, p.Names[0])
	want := made.Settings
	want.ViewerProtocol, want.Aliases = "redirect-to-https", slices.Sorted(slices.Values(p.Names[:]))
	changes := want
	changes.PriceClass, changes.Enabled = "PriceClass_100", false // not named, so not changed
	got, err := p.Account.Distributions.Update(t.Context(), made.ID, made.ETag, changes,
		[]providers.Field{providers.FieldAliases, providers.FieldViewerProtocol})
	if err != nil {
		t.Fatal(err)
	}
	read, err := p.Account.Distributions.Distribution(t.Context(), made.ID)
	if err != nil {
		t.Fatal(err)
	}
	same(t, got.Settings, want)
	same(t, read.Settings, want)
	if got.ETag == made.ETag || got.ETag != read.ETag || read.CallerReference != "ref-1" {
		t.Errorf("the ETag was %s, the update gave %s, a read %s", made.ETag, got.ETag, read.ETag)
	}
	tags, err := p.Account.Distributions.Tags(t.Context(), made.ARN)
	if err != nil || tags["a"] != "b" {
		t.Errorf("the tags are %v, %v after an update", tags, err)
	}
}

func distributionStale(t *testing.T, p AccountParty) {
	made := p.create(t, "ref-1", nil, p.Names[0])
	next := made.Settings
	next.Compress = true
	fields := []providers.Field{providers.FieldCompress}
	first, err := p.Account.Distributions.Update(t.Context(), made.ID, made.ETag, next, fields)
	if err != nil {
		t.Fatal(err)
	}
	next.Compress = false
	_, err = p.Account.Distributions.Update(t.Context(), made.ID, made.ETag, next, fields)
	class(t, err, providers.ErrConflict)
	got, err := p.Account.Distributions.Distribution(t.Context(), made.ID)
	if err != nil || !got.Settings.Compress || got.ETag != first.ETag {
		t.Errorf("after a refused update: %+v, %v", got, err)
	}
}

func distributionRedeploys(t *testing.T, p AccountParty) {
	made := p.create(t, "ref-1", nil, p.Names[0])
	p.deployed(t, made.ID)
	next := made.Settings
	next.Compress = true
	got, err := p.Account.Distributions.Update(t.Context(), made.ID, made.ETag, next, []providers.Field{providers.FieldCompress})
	if err != nil || got.Status != providers.InProgress {
		t.Fatalf("after an update: %+v, %v", got, err)
	}
	if ds := p.find(t, "", p.Names[0]); len(ds) != 1 || ds[0].Status != providers.InProgress || ds[0].ETag != got.ETag {
		t.Errorf("the sweep after an update: %+v", ds)
	}
	p.deployed(t, made.ID)
}

func (p AccountParty) find(t *testing.T, bucket string, names ...string) []providers.Distribution {
	t.Helper()
	ds, err := p.Account.Distributions.Find(t.Context(), bucket, names)
	if err != nil {
		t.Fatalf("Find(%s, %v): %v", bucket, names, err)
	}
	if !slices.IsSortedFunc(ds, func(a, b providers.Distribution) int { return cmpText(a.ID, b.ID) }) {
		t.Errorf("Find(%s, %v) is not ordered by ID", bucket, names)
	}
	return ds
}

func cmpText(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func distributionFind(t *testing.T, p AccountParty) {
	first := p.create(t, "ref-1", nil, p.Names[0])
	second := p.create(t, "ref-2", nil, p.Names[1])
	for _, c := range []struct {
		names []string
		want  []providers.Distribution
	}{
		{p.Names[:1], []providers.Distribution{first}},
		{p.Names[:], []providers.Distribution{first, second}},
		{[]string{"absent." + p.Names[0]}, nil},
		{nil, nil},
	} {
		got := p.find(t, "no-such-bucket", c.names...)
		slices.SortFunc(c.want, func(a, b providers.Distribution) int { return cmpText(a.ID, b.ID) })
		for i := range c.want {
			c.want[i].CallerReference, c.want[i].SettingsFull, c.want[i].Comment, c.want[i].ErrorCodes = "", false, "", nil
		}
		if d := cmp.Diff(c.want, got, cmpopts.EquateEmpty(), cmpopts.IgnoreFields(providers.Distribution{}, "Tags", "Status")); d != "" {
			t.Errorf("Find(%v) (-want +got):\n%s", c.names, d)
		}
	}
	_, parent, _ := cutLabel(p.Names[0])
	if got := p.find(t, "", "*."+parent); !slices.ContainsFunc(got, func(d providers.Distribution) bool { return d.ID == first.ID }) {
		t.Errorf("Find(*.%s) is %+v: it covers %s", parent, got, p.Names[0])
	}
}

func cutLabel(name string) (label, rest string, ok bool) {
	for i := range len(name) {
		if name[i] == '.' {
			return name[:i], name[i+1:], true
		}
	}
	return name, "", false
}

// distributionFindAfterWrite: after a write, the answers come from reads that
// began after it, sweeps included.
func distributionFindAfterWrite(t *testing.T, p AccountParty) {
	if got := p.find(t, p.Bucket, p.Names[0]); len(got) != 0 {
		t.Fatalf("Find before anything was made: %+v", got)
	}
	made := p.create(t, "ref-1", map[string]string{providers.TagBucket: p.Bucket}, p.Names[0])
	got := p.find(t, p.Bucket, p.Names[0])
	if len(got) != 1 || got[0].ID != made.ID || got[0].Tags[providers.TagBucket] != p.Bucket {
		t.Fatalf("Find after the creation: %+v", got)
	}
	if err := p.Account.Distributions.SetTags(t.Context(), made.ARN, map[string]string{"edgeward:hold": "1"}); err != nil {
		t.Fatal(err)
	}
	if got := p.find(t, p.Bucket, p.Names[0]); len(got) != 1 || got[0].Tags["edgeward:hold"] != "1" || got[0].Tags[providers.TagBucket] != p.Bucket {
		t.Errorf("Find after a tag was written: %+v", got)
	}
	next := made.Settings
	next.Aliases = p.Names[1:]
	if _, err := p.Account.Distributions.Update(t.Context(), made.ID, made.ETag, next, []providers.Field{providers.FieldAliases}); err != nil {
		t.Fatal(err)
	}
	if got := p.find(t, "", p.Names[1]); len(got) != 1 || got[0].ID != made.ID {
		t.Errorf("Find by the new alias: %+v", got)
	}
	if got := p.find(t, "", p.Names[0]); len(got) != 0 {
		t.Errorf("Find by the alias that was taken away: %+v", got)
	}
}

// distributionFindTagged: another process finds it by its tag, in the end.
func distributionFindTagged(t *testing.T, p AccountParty) {
	made := p.create(t, "ref-1", map[string]string{providers.TagBucket: p.Bucket}, p.Names[0])
	p.until(t, "the tag is indexed", func() bool {
		ds, err := p.Again.Distributions.Find(t.Context(), p.Bucket, nil)
		if err != nil {
			t.Fatal(err)
		}
		return len(ds) == 1 && ds[0].ID == made.ID && ds[0].Tags[providers.TagBucket] == p.Bucket
	})
	exact, err := p.Again.Distributions.Tags(t.Context(), made.ARN)
	if err != nil || exact[providers.TagBucket] != p.Bucket {
		t.Errorf("Tags of another process: %v, %v", exact, err)
	}
}

func distributionTags(t *testing.T, p AccountParty) {
	made := p.create(t, "ref-1", map[string]string{"owner": "web", "edgeward:was-ttl": "3600"}, p.Names[0])
	d := p.Account.Distributions
	if err := d.SetTags(t.Context(), made.ARN, map[string]string{"edgeward:was-ttl": "300", "edgeward:low-since": "60 2026-01-01T00:00:00Z"}); err != nil {
		t.Fatal(err)
	}
	got, err := d.Tags(t.Context(), made.ARN)
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, map[string]string{"owner": "web", "edgeward:was-ttl": "300", "edgeward:low-since": "60 2026-01-01T00:00:00Z"})
	after, err := d.Distribution(t.Context(), made.ID)
	if err != nil || after.ETag != made.ETag {
		t.Errorf("the ETag was %s, is %s after a tag was written, %v", made.ETag, after.ETag, err)
	}
}

func distributionBadTags(t *testing.T, p AccountParty) {
	made := p.create(t, "ref-1", map[string]string{"owner": "web"}, p.Names[0])
	many := map[string]string{}
	for i := range 50 {
		many[fmt.Sprint("k", i)] = "v"
	}
	for what, tags := range map[string]map[string]string{
		"a value of 257 characters": {"k": fmt.Sprintf("%0257d", 0)},
		"a value with a comma":      {"k": "a,b"},
		"a value in JSON":           {"k": `{"a":1}`},
		"51 tags":                   many,
	} {
		if err := p.Account.Distributions.SetTags(t.Context(), made.ARN, tags); !errors.Is(err, providers.ErrInvalid) {
			t.Errorf("SetTags with %s: error is %v, want one that is %q", what, err, providers.ErrInvalid)
		}
	}
	got, err := p.Account.Distributions.Tags(t.Context(), made.ARN)
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, map[string]string{"owner": "web"})
}

func accountEnded(t *testing.T, p AccountParty) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	a := p.Account
	_, err := a.Buckets.Bucket(ctx, p.Bucket, "")
	class(t, err, context.Canceled)
	_, err = a.Certificates.Request(ctx, []string{"new." + p.Names[0]}, "token", nil)
	class(t, err, context.Canceled)
	_, err = a.Distributions.Create(ctx, "ref-1", p.settings(cachingDisabled, p.Names[0]), nil)
	class(t, err, context.Canceled)
	if all := p.find(t, "", p.Names[0]); len(all) != 0 {
		t.Errorf("a creation whose context had ended was made: %+v", all)
	}
	same(t, p.covering(t, "new."+p.Names[0]), nil)
}
