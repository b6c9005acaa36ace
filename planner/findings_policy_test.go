package planner

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/providers"
)

// readers is a statement about everybody's reading of all objects of b.
func readers(effect, condition string) string {
	s := `{"Sid":"One","Effect":"` + effect + `","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::b.example/*"`
	if condition != "" {
		s += `,"Condition":{` + condition + `}`
	}
	return s + "}"
}

func policyOf(statements ...string) string {
	return `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`
}

// policyCase is a bucket b.example with a policy; change what is not usual.
type policyCase struct {
	policy string
	change func(b *config.Bucket, a *Actual)
	// want has SEVERITY CODE for each finding, says a part of the first one.
	want []string
	says string
}

func (tc policyCase) run(t *testing.T) {
	b := config.Bucket{Name: "b.example", Origin: "rest"}
	a := Actual{Bucket: &providers.Bucket{Name: "b.example", Region: "eu-west-1", Policy: tc.policy}}
	if tc.change != nil {
		tc.change(&b, &a)
	}
	fs := policyFindings(b, a)
	var got []string
	all := ""
	for _, f := range fs {
		got = append(got, string(f.Severity)+" "+f.Code)
		all += f.Summary + "\n" + f.Detail + "\n"
		if f.Summary == "" || f.Detail == "" || strings.HasSuffix(f.Detail, ".") {
			t.Errorf("%+v", f)
		}
	}
	if diff := cmp.Diff(tc.want, got); diff != "" || !strings.Contains(all, tc.says) {
		t.Errorf("%s\n%swant %q", diff, all, tc.says)
	}
}

func TestPolicyFindings(t *testing.T) {
	open := readers("Allow", "")
	acls := func(_ *config.Bucket, a *Actual) { a.Bucket.ACLsEnabled = true }
	website := func(b *config.Bucket, _ *Actual) { b.Origin = "website" }
	adopted := func(b *config.Bucket, _ *Actual) { b.Distribution.Adopt = "E1" }
	https := func(b *config.Bucket, _ *Actual) { b.Distribution.ViewerProtocol = new("redirect-to-https") }
	forwards := func(b *config.Bucket, _ *Actual) {
		b.Distribution.OriginRequestPolicy = new("acba4595-bd28-49b8-b9fe-13317c0390fa")
	}
	cors := func(b *config.Bucket, _ *Actual) {
		b.Distribution.OriginRequestPolicy = new("88a5eaf4-2fd4-4709-b370-b4c650ea3fcf")
	}
	const (
		stops, may, harmless, past = "error policy-denies", "warning policy-condition", "note policy-condition", "warning policy-bypassed"
		referer                    = `"StringLike":{"aws:Referer":["https://b.example/*"]}`
		notReferer                 = `"StringNotLike":{"AWS:referer":"https://b.example/*"}`
		tls                        = `"Bool":{"aws:SecureTransport":"false"}`
	)
	tests := map[string]policyCase{
		"none":                    {},
		"everybody":               {policy: policyOf(open)},
		"one object":              {policy: `{"Statement":` + readers("Allow", referer) + `}`, want: []string{stops}, says: `statement "One" of the bucket policy lets nobody read any object through CloudFront, by its condition on aws:Referer`},
		"what to do about it":     {policy: policyOf(readers("Allow", referer)), want: []string{stops}, says: `{"Sid":"CloudFrontReads","Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":["arn:aws:s3:::b.example/*"],"Condition":{"StringEquals":{"aws:UserAgent":"Amazon CloudFront"}}}`},
		"that was done":           {policy: policyOf(readers("Allow", referer), readers("Allow", `"StringEquals":{"aws:UserAgent":"Amazon CloudFront"}`)), want: []string{past}, says: "keep them out with a web ACL"},
		"no Sid":                  {policy: policyOf(open, strings.Replace(readers("Deny", notReferer), `"Sid":"One",`, "", 1)), want: []string{stops}, says: "statement 2 of the bucket policy refuses CloudFront any object, by its condition on AWS:referer"},
		"a Deny can be mended":    {policy: policyOf(open, readers("Deny", notReferer)), want: []string{stops}, says: `Add to its Condition "StringNotEquals": {"aws:UserAgent": "Amazon CloudFront"}`},
		"and was":                 {policy: policyOf(open, readers("Deny", notReferer+`,"StringNotEquals":{"aws:UserAgent":"Amazon CloudFront"}`)), want: []string{past}},
		"objects may have ACLs":   {policy: policyOf(readers("Allow", referer)), change: acls, want: []string{may}, says: "objects with a public ACL can still be read"},
		"ACLs do not help a Deny": {policy: policyOf(readers("Deny", notReferer)), change: acls, want: []string{stops}},
		"harmless":                {policy: policyOf(open, readers("Allow", referer)), want: []string{harmless}, says: `but statement "One" lets everybody read the same objects`},
		"harmless for a part":     {policy: policyOf(strings.Replace(open, "example/*", "example/a/*", 1), readers("Allow", referer)), want: []string{stops}},
		"a part":                  {policy: policyOf(open, strings.Replace(readers("Deny", notReferer), "example/*", "example/img/*", 1)), want: []string{stops}, says: "refuses CloudFront img/*"},
		"a part nobody reads":     {policy: policyOf(strings.Replace(open, "example/*", "example/pub/*", 1), strings.Replace(readers("Deny", notReferer), "example/*", "example/in/*", 1))},
		"another bucket's":        {policy: policyOf(open, strings.Replace(readers("Deny", notReferer), "b.example/*", "bb.example/*", 1))},
		"another partition":       {policy: policyOf(strings.ReplaceAll(readers("Allow", referer), "arn:aws:", "arn:aws-cn:")), want: []string{stops}},

		"if it exists":           {policy: policyOf(open, readers("Deny", `"StringLikeIfExists":{"aws:Referer":"https://evil.example/*"}`)), want: []string{stops}},
		"a bad referer":          {policy: policyOf(open, readers("Deny", `"StringLike":{"aws:Referer":"https://evil.example/*"}`)), want: []string{past}, says: "Whom it keeps out of any object today is served after the switch"},
		"any but a bad referer":  {policy: policyOf(readers("Allow", `"StringNotLike":{"aws:Referer":"https://evil.example/*"}`)), want: []string{past}},
		"no referer at all":      {policy: policyOf(open, readers("Deny", `"Null":{"aws:Referer":"true"}`)), want: []string{stops}},
		"some referer":           {policy: policyOf(open, readers("Deny", `"Null":{"aws:Referer":false}`)), want: []string{past}},
		"for any value":          {policy: policyOf(open, readers("Deny", `"ForAnyValue:StringNotLike":{"aws:Referer":"x"}`)), want: []string{past}},
		"for all values":         {policy: policyOf(readers("Allow", `"ForAllValues:StringLike":{"aws:Referer":"x"}`)), want: []string{past}},
		"referer is sent on":     {policy: policyOf(readers("Allow", referer)), change: forwards, want: []string{may}},
		"referer is not sent on": {policy: policyOf(readers("Allow", referer)), change: cors, want: []string{stops}},
		"a policy of somebody's": {policy: policyOf(readers("Allow", referer)), change: func(b *config.Bucket, _ *Actual) { b.Distribution.OriginRequestPolicy = new("custom") }, want: []string{may}},
		"referer is in the key": {policy: policyOf(readers("Allow", referer)), change: func(_ *config.Bucket, a *Actual) {
			a.Looks.Policy = &providers.CachePolicy{Settings: providers.CacheSettings{Headers: []string{"Referer"}}}
		}, want: []string{may}},
		"agent is in the key": {policy: policyOf(open, readers("Deny", `"StringLike":{"aws:UserAgent":"*CloudFront"}`)), change: func(_ *config.Bucket, a *Actual) {
			a.Looks.Policy = &providers.CachePolicy{Settings: providers.CacheSettings{Headers: []string{"User-Agent"}}}
		}, want: []string{may}},
		"an adopted distribution":   {policy: policyOf(readers("Allow", referer)), change: adopted, want: []string{may}, says: "whether the adopted distribution sends a header"},
		"a browser":                 {policy: policyOf(readers("Allow", `"StringLike":{"aws:UserAgent":["Mozilla/*","Opera/*"]}`)), want: []string{stops}, says: `with the User-Agent "Amazon CloudFront"`},
		"CloudFront's agent":        {policy: policyOf(open, readers("Deny", `"StringEquals":{"aws:UserAgent":"Amazon CloudFront"}`)), want: []string{stops}},
		"CloudFront's, lower":       {policy: policyOf(open, readers("Deny", `"StringEquals":{"aws:UserAgent":"amazon cloudfront"}`)), want: []string{past}},
		"CloudFront's, any case":    {policy: policyOf(open, readers("Deny", `"StringEqualsIgnoreCase":{"aws:UserAgent":"amazon cloudfront"}`)), want: []string{stops}},
		"an office":                 {policy: policyOf(readers("Allow", `"IpAddress":{"aws:SourceIp":["203.0.113.0/24","2001:db8::/32"]}`)), want: []string{stops}, says: "from its own addresses"},
		"one address":               {policy: policyOf(readers("Allow", `"IpAddress":{"aws:SourceIp":"203.0.113.7"}`)), want: []string{stops}},
		"CloudFront's addresses":    {policy: policyOf(readers("Allow", `"IpAddress":{"aws:SourceIp":["130.176.0.0/16"]}`)), want: []string{may}},
		"every address":             {policy: policyOf(readers("Allow", `"IpAddress":{"aws:SourceIp":"0.0.0.0/0"}`))},
		"not an address":            {policy: policyOf(readers("Allow", `"IpAddress":{"aws:SourceIp":"office"}`)), want: []string{may}},
		"all but an office":         {policy: policyOf(open, readers("Deny", `"NotIpAddress":{"aws:SourceIp":"203.0.113.0/24"}`)), want: []string{stops}},
		"blocked addresses":         {policy: policyOf(open, readers("Deny", `"IpAddress":{"aws:SourceIp":"203.0.113.0/24"}`)), want: []string{past}},
		"an address is there":       {policy: policyOf(open, readers("Deny", `"Null":{"aws:SourceIp":"true"}`))},
		"a VPC endpoint":            {policy: policyOf(open, readers("Deny", `"StringNotEquals":{"aws:SourceVpce":"vpce-1"}`)), want: []string{stops}, says: "from no VPC"},
		"a VPC":                     {policy: policyOf(readers("Allow", `"StringEquals":{"aws:sourceVpc":"vpc-1"}`)), want: []string{stops}},
		"two conditions, both fit":  {policy: policyOf(open, readers("Deny", `"StringNotEquals":{"aws:SourceVpce":"vpce-1"},"NotIpAddress":{"aws:SourceIp":"203.0.113.0/24"}`)), want: []string{stops}, says: "by its condition on aws:SourceIp, aws:SourceVpce"},
		"two conditions, one fits":  {policy: policyOf(open, readers("Deny", `"StringNotEquals":{"aws:SourceVpce":"vpce-1"},"StringLike":{"aws:Referer":"x"}`)), want: []string{past}},
		"with a condition on a tag": {policy: policyOf(open, readers("Deny", notReferer+`,"StringEquals":{"s3:ExistingObjectTag/kind":"img"}`)), want: []string{may}, says: "may refuse CloudFront any object"},
		"only a tag":                {policy: policyOf(readers("Allow", `"StringEquals":{"s3:ExistingObjectTag/public":"yes"}`))},
		"a variable":                {policy: policyOf(open, readers("Deny", `"StringNotEquals":{"aws:UserAgent":"${aws:Referer}"}`)), want: []string{may}},
		"an unknown operator":       {policy: policyOf(open, readers("Deny", `"StringFits":{"aws:UserAgent":"x"}`)), want: []string{may}},

		"https only":                {policy: policyOf(open, readers("Deny", tls)), want: []string{may}, says: "visitors get nothing today"},
		"https only, a boolean":     {policy: policyOf(open, readers("Deny", `"Bool":{"aws:SecureTransport":false}`)), want: []string{may}},
		"https only, an Allow":      {policy: policyOf(readers("Allow", `"Bool":{"aws:SecureTransport":"true"}`)), want: []string{may}},
		"https only, website":       {policy: policyOf(open, readers("Deny", tls)), change: website, want: []string{stops}, says: "website endpoint over http only"},
		"https only, Allow website": {policy: policyOf(readers("Allow", `"Bool":{"aws:SecureTransport":"true"}`)), change: website, want: []string{stops}},
		"https only, redirected":    {policy: policyOf(open, readers("Deny", tls)), change: https, want: []string{may}, says: "no link can be compared"},
		"a TLS version":             {policy: policyOf(open, readers("Deny", `"NumericLessThan":{"s3:TlsVersion":"1.2"}`)), want: []string{may}},
		"http only":                 {policy: policyOf(open, readers("Deny", `"Bool":{"aws:SecureTransport":"true"}`)), change: website},

		"https only, redirected, an Allow": {policy: policyOf(readers("Allow", `"Bool":{"aws:SecureTransport":"true"}`)), change: https, want: []string{may}, says: "no link can be compared"},
		"https may come back":              {policy: policyOf(open, readers("Deny", tls)), want: []string{may}, says: `then it may come back with distribution { viewer_protocol = "redirect-to-https" }`},
		"an endpoint's account":            {policy: policyOf(open, readers("Deny", `"StringNotEquals":{"aws:VpceAccount":"111122223333"}`)), want: []string{stops}},
		"adopted, an address":              {policy: policyOf(readers("Allow", `"IpAddress":{"aws:SourceIp":"203.0.113.0/24"}`)), change: adopted, want: []string{may}},
		"adopted, a bad referer":           {policy: policyOf(open, readers("Deny", `"StringLike":{"aws:Referer":"https://evil.example/*"}`)), change: adopted, want: []string{may}},
		"harmless but for a part": {policy: policyOf(strings.Replace(open, `"Resource":"arn:aws:s3:::b.example/*"`, `"NotResource":"arn:aws:s3:::b.example/a/*"`, 1),
			strings.Replace(readers("Allow", referer), "example/*", "example/a/*", 1)), want: []string{stops}, says: "lets nobody read a/* through CloudFront"},

		"who does not sign":       {policy: policyOf(open, readers("Deny", `"StringNotEquals":{"aws:PrincipalOrgID":"o-1"}`)), want: []string{"error policy-denies"}, says: "refuses everybody who does not sign"},
		"nobody at all":           {policy: policyOf(open, readers("Deny", "")), want: []string{"error policy-denies"}},
		"nobody for a part":       {policy: policyOf(open, strings.Replace(readers("Deny", ""), "example/*", "example/private/*", 1))},
		"only an organisation":    {policy: policyOf(readers("Allow", `"StringEquals":{"aws:PrincipalOrgID":"o-1"}`))},
		"a data perimeter":        {policy: policyOf(open, readers("Deny", `"NotIpAddressIfExists":{"aws:SourceIp":"203.0.113.0/24"},"StringNotEqualsIfExists":{"aws:SourceVpc":"vpc-1","aws:PrincipalOrgID":"o-1"},"BoolIfExists":{"aws:PrincipalIsAWSService":"false","aws:ViaAWSService":"false"}`)), want: []string{stops}},
		"a named principal":       {policy: policyOf(open, strings.Replace(readers("Deny", notReferer), `"*"`, `{"AWS":"arn:aws:iam::111122223333:root"}`, 1))},
		"everybody in a list":     {policy: policyOf(strings.Replace(readers("Allow", referer), `"*"`, `{"AWS":["arn:aws:iam::111122223333:root","*"]}`, 1)), want: []string{stops}},
		"everybody but one":       {policy: policyOf(open, strings.Replace(readers("Deny", notReferer), `"Principal":"*"`, `"NotPrincipal":{"AWS":"arn:aws:iam::111122223333:root"}`, 1)), want: []string{stops}},
		"nobody but everybody":    {policy: policyOf(open, strings.Replace(readers("Deny", notReferer), `"Principal"`, `"NotPrincipal"`, 1))},
		"other actions":           {policy: policyOf(open, strings.Replace(readers("Deny", notReferer), "s3:GetObject", "s3:Put*", 1))},
		"a pattern of actions":    {policy: policyOf(open, strings.Replace(readers("Deny", notReferer), `"s3:GetObject"`, `["s3:Put*","S3:get*"]`, 1)), want: []string{stops}},
		"every action":            {policy: policyOf(open, strings.Replace(readers("Deny", notReferer), `"s3:GetObject"`, `"*"`, 1)), want: []string{stops}},
		"all actions but":         {policy: policyOf(open, strings.Replace(readers("Deny", notReferer), `"Action":"s3:GetObject"`, `"NotAction":"s3:PutObject"`, 1)), want: []string{stops}},
		"all actions but reading": {policy: policyOf(open, strings.Replace(readers("Deny", notReferer), `"Action":"s3:GetObject"`, `"NotAction":"s3:Get*"`, 1))},
		"all resources but":       {policy: policyOf(open, strings.Replace(readers("Deny", notReferer), `"Resource":"arn:aws:s3:::b.example/*"`, `"NotResource":"arn:aws:s3:::b.example/a/*"`, 1)), want: []string{stops}},
		"all resources but these": {policy: policyOf(open, strings.Replace(readers("Deny", notReferer), `"Resource"`, `"NotResource"`, 1))},
		"every resource":          {policy: policyOf(open, strings.Replace(readers("Deny", notReferer), `"arn:aws:s3:::b.example/*"`, `"*"`, 1)), want: []string{stops}, says: "refuses CloudFront any object"},
		"not JSON":                {policy: `{`, want: []string{may}, says: "is not understood"},
		"a text":                  {policy: `"x"`, want: []string{may}},
		"an odd value":            {policy: policyOf(readers("Allow", `"StringLike":{"aws:Referer":{"x":1}}`)), want: []string{may}},
	}
	for name, tc := range tests {
		t.Run(name, tc.run)
	}
}

// TestHTTPSOnly: when a statement that wants https may come back.
func TestHTTPSOnly(t *testing.T) {
	for protocol, back := range map[string]bool{"allow-all": true, "redirect-to-https": false, "https-only": false} {
		b := config.Bucket{Name: "b.example", Origin: "rest", Distribution: config.Distribution{ViewerProtocol: &protocol}}
		policy := policyOf(readers("Allow", ""), readers("Deny", `"Bool":{"aws:SecureTransport":"false"}`))
		fs := policyFindings(b, Actual{Bucket: &providers.Bucket{Name: b.Name, Policy: policy}})
		if len(fs) != 1 || strings.Contains(fs[0].Detail, "may come back") != back {
			t.Errorf("%s: %+v", protocol, fs)
		}
	}
}

// TestOverlap compares the patterns of resources.
func TestOverlap(t *testing.T) {
	for _, tc := range []struct {
		p, q            string
		overlap, covers bool
	}{
		{"*", "b/*", true, true}, {"b/*", "b/*", true, true}, {"b/a*", "b/*", true, false}, {"b/*", "b/a*", true, true}, {"b/a*", "b/b*", false, false},
		{"b/*.png", "b/img/*", true, false}, {"b/*", "b/img/*.png", true, true}, {"b?*", "b/*", true, false}, {"b/?", "b/*", true, false}, {"b/*", "b/?", true, true},
		{"a*c", "ab*", true, false}, {"a*c", "*d", false, false}, {"*a*b*", "*b*a*", true, false}, {"", "", true, true}, {"", "*", true, false}, {"b", "b/*", false, false},
		{"?", "", false, false}, {"b/a", "b/a", true, true}, {"**", "x", true, true}, {"b/?", "b/ab", false, false},
	} {
		if got := overlap(tc.p, tc.q); got != tc.overlap || overlap(tc.q, tc.p) != got {
			t.Errorf("overlap(%q, %q) = %t, %t the other way", tc.p, tc.q, got, overlap(tc.q, tc.p))
		}
		if got := covers(tc.p, tc.q); got != tc.covers {
			t.Errorf("covers(%q, %q) = %t", tc.p, tc.q, got)
		}
	}
}

// FuzzPolicyFindings: no policy makes the judge panic, and each finding is whole.
func FuzzPolicyFindings(f *testing.F) {
	f.Add(policyOf(readers("Allow", `"StringLike":{"aws:Referer":"x"}`), readers("Deny", `"NotIpAddress":{"aws:SourceIp":["::/0",7]}`)))
	f.Add(`{"Statement":{"Effect":"Deny","NotPrincipal":{},"NotAction":[],"NotResource":"*"}}`)
	f.Add(`{"Statement":[null,{"Principal":null,"Condition":null}]}`)
	f.Fuzz(func(t *testing.T, policy string) {
		b := config.Bucket{Name: "b.example", Origin: "rest"}
		for _, x := range policyFindings(b, Actual{Bucket: &providers.Bucket{Name: b.Name, Policy: policy}}) {
			if x.Severity == "" || x.Code == "" || x.Summary == "" || x.Detail == "" {
				t.Errorf("%+v", x)
			}
		}
	})
}

// withBucket is a world in which S3 says something else of its buckets.
func withBucket(w providers.World, change func(*providers.Bucket)) providers.World {
	accounts := map[string]providers.Account{}
	for label, acc := range w.Accounts {
		acc.Buckets = changedBuckets{acc.Buckets, change}
		accounts[label] = acc
	}
	w.Accounts = accounts
	return w
}

type changedBuckets struct {
	providers.Buckets
	change func(*providers.Bucket)
}

func (c changedBuckets) Bucket(ctx context.Context, name, region string) (providers.Bucket, error) {
	b, err := c.Buckets.Bucket(ctx, name, region)
	c.change(&b)
	return b, err
}

func (c changedBuckets) Site(ctx context.Context, name, region string, website bool) (providers.Bucket, error) {
	b, err := c.Buckets.Site(ctx, name, region, website)
	c.change(&b)
	return b, err
}

// TestPolicyBlocks: a policy that denies CloudFront blocks the bucket's plan
// before any link is fetched.
func TestPolicyBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newLab(1).only("low.example.com").start(t)
		w := withBucket(s.w.Providers(), func(b *providers.Bucket) {
			b.Policy = strings.ReplaceAll(policyOf(readers("Allow", `"StringLike":{"aws:Referer":"*"}`)), "b.example", b.Name)
		})
		p, err := Make(t.Context(), w, s.c, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if b := p.Buckets[0]; b.Standing != StandBlocked || b.Findings[0].Code != "policy-denies" {
			t.Errorf("%s, %+v", b.Standing, b.Findings)
		}
		for op, n := range s.w.CallsByOp() {
			if strings.HasPrefix(op, "Web.") && n > 0 {
				t.Error(fmt.Sprint(op, n))
			}
		}
	})
}
