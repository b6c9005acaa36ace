package aws_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/edgeward/edgeward/providers"
)

const cfNS = `xmlns="http://cloudfront.amazonaws.com/doc/2020-05-31/"`

// node is an element whose order among its different siblings does not matter.
type node struct {
	Name  string
	Text  string
	Nodes []node
}

func parseXML(t *testing.T, text string) node {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(text))
	stack := []*node{{}}
	for {
		token, err := d.Token()
		if token == nil {
			if len(stack) != 1 || len(stack[0].Nodes) != 1 {
				t.Fatalf("not one document (%v): %s", err, text)
			}
			return stack[0].Nodes[0]
		}
		top := stack[len(stack)-1]
		switch token := token.(type) {
		case xml.StartElement:
			stack = append(stack, &node{Name: token.Name.Local})
		case xml.CharData:
			top.Text += string(bytes.TrimSpace(token))
		case xml.EndElement:
			sort.SliceStable(top.Nodes, func(i, j int) bool { return top.Nodes[i].Name < top.Nodes[j].Name })
			stack = stack[:len(stack)-1]
			stack[len(stack)-1].Nodes = append(stack[len(stack)-1].Nodes, *top)
		}
	}
}

func golden(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// distribution is the answer of the calls that give a whole distribution
// [CloudFront API Reference: GetDistribution].
func distribution(id, etag, status, config string) (*http.Response, error) {
	return respond(200, fmt.Sprintf(`<?xml version="1.0"?><Distribution %s><Id>%s</Id><ARN>arn:aws:cloudfront::123456789012:distribution/%s</ARN><Status>%s</Status><DomainName>D%s.cloudfront.net</DomainName><DistributionConfig>%s</DistributionConfig></Distribution>`,
		cfNS, id, id, status, strings.ToLower(id), inside(config)), "ETag: "+etag)
}

func inside(config string) string {
	config = strings.Replace(config, "<DistributionConfigWithTags", "<", 1)
	_, rest, _ := strings.Cut(config, "<DistributionConfig")
	_, rest, _ = strings.Cut(rest, ">")
	text, _, _ := strings.Cut(rest, "</DistributionConfig>")
	return text
}

func TestCreate(t *testing.T) {
	tests := map[string]struct {
		change func(*providers.Settings)
		golden string
	}{
		"rest": {func(*providers.Settings) {}, "create-rest.xml"},
		"website": {func(s *providers.Settings) {
			s.OriginKind, s.OriginDomain = providers.WebsiteOrigin, "assets.example.com.s3-website-eu-west-1.amazonaws.com"
			s.Methods, s.Logging, s.DefaultRootObject, s.ErrorTTL = []string{"GET", "HEAD"}, providers.Logging{}, "", 0
			s.OriginRequestID, s.ResponseHeadersID, s.WebACL = "orp", "rhp", "arn:aws:wafv2:us-east-1:1:global/webacl/x"
			s.Aliases = []string{"www.example.com", "assets.example.com"}
		}, "create-website.xml"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			environment(t, map[string]string{"AWS_REGION": "eu-central-1"})
			s := settings("arn:aws:acm:us-east-1:123456789012:certificate/1", "policy-1")
			test.change(&s)
			w, account := connect(func(c call) (*http.Response, error) {
				var sent struct {
					Config struct {
						Inner string `xml:",innerxml"`
					} `xml:"DistributionConfig"`
				}
				if err := xml.Unmarshal([]byte(c.body), &sent); err != nil {
					t.Error(err)
				}
				return distribution("E1", "V1", "InProgress", "<DistributionConfig>"+sent.Config.Inner+"</DistributionConfig>")
			}, fast())
			tags := map[string]string{"team": "web", providers.TagBucket: "assets.example.com"}
			got, err := account.Distributions.Create(t.Context(), "edgeward-ref", s, tags)
			if err != nil {
				t.Fatal(err)
			}
			made := w.made("POST /distribution?WithTags")
			if len(made) != 1 || made[0].host != "cloudfront.amazonaws.com" {
				t.Fatalf("asked %v", w.count())
			}
			if d := cmp.Diff(parseXML(t, golden(t, test.golden)), parseXML(t, made[0].body)); d != "" {
				t.Errorf("-want +sent\n%s\n%s", d, made[0].body)
			}
			slices.Sort(s.Aliases)
			want := providers.Distribution{
				ID: "E1", ARN: "arn:aws:cloudfront::123456789012:distribution/E1", Domain: "de1.cloudfront.net",
				Status: providers.InProgress, ETag: "V1", CallerReference: "edgeward-ref", Settings: s, SettingsFull: true, Tags: tags,
				Comment: "edgeward: assets.example.com", ErrorCodes: []int64{400, 403, 404, 405, 414, 416, 500, 501, 502, 503, 504},
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("-want +got\n%s", d)
			}
		})
	}
}

func TestCommentFits(t *testing.T) {
	environment(t, nil)
	w, account := connect(func(c call) (*http.Response, error) { return refusal(400, "InvalidArgument", "m") }, fast())
	s := settings("c", "p")
	_, err := account.Distributions.Create(t.Context(), "r", s, map[string]string{providers.TagBucket: strings.Repeat("n", 200)})
	if err == nil {
		t.Fatal("no error")
	}
	_, rest, _ := strings.Cut(w.made("POST /distribution?WithTags")[0].body, "<Comment>")
	if comment, _, _ := strings.Cut(rest, "<"); len(comment) != 128 {
		t.Errorf("a comment of %d characters", len(comment))
	}
}

// foreign.xml is a configuration full of what edgeward does not manage. Each
// field changes what it names, and nothing else is touched.
func TestUpdateChangesOnlyItsFields(t *testing.T) {
	old := golden(t, "foreign.xml")
	replace := func(pairs ...string) string {
		for i := 0; i < len(pairs); i += 2 {
			if !strings.Contains(old, pairs[i]) {
				t.Fatalf("foreign.xml has no %s", pairs[i])
			}
		}
		return strings.NewReplacer(pairs...).Replace(old)
	}
	tests := map[providers.Field]struct {
		set  func(*providers.Settings)
		want string
	}{
		providers.FieldEnabled: {func(s *providers.Settings) { s.Enabled = false }, replace("<Enabled>true</Enabled><!--dist-->", "<Enabled>false</Enabled>")},
		providers.FieldAliases: {func(s *providers.Settings) { s.Aliases = []string{"b.example.com", "a.example.com"} },
			replace("<Aliases><Quantity>1</Quantity><Items><CNAME>old.example.com</CNAME></Items></Aliases>",
				"<Aliases><Quantity>2</Quantity><Items><CNAME>a.example.com</CNAME><CNAME>b.example.com</CNAME></Items></Aliases>")},
		providers.FieldCertificate: {func(s *providers.Settings) { s.CertificateARN = "arn:new" },
			replace("<ACMCertificateArn>arn:old</ACMCertificateArn>", "<ACMCertificateArn>arn:new</ACMCertificateArn>",
				"<Certificate>arn:old</Certificate><CertificateSource>acm</CertificateSource>", "")},
		providers.FieldMinimumTLS: {func(s *providers.Settings) { s.MinimumTLS = "TLSv1.2_2021" }, replace("TLSv1.2_2019", "TLSv1.2_2021")},
		providers.FieldOrigin: {func(s *providers.Settings) {
			s.OriginDomain, s.OriginKind = "new.s3.eu-west-1.amazonaws.com", providers.RESTOrigin
		},
			replace("<DomainName>old.s3.eu-west-1.amazonaws.com</DomainName>", "<DomainName>new.s3.eu-west-1.amazonaws.com</DomainName>")},
		providers.FieldViewerProtocol: {func(s *providers.Settings) { s.ViewerProtocol = "https-only" },
			replace("<ViewerProtocolPolicy>allow-all</ViewerProtocolPolicy><!--default-->", "<ViewerProtocolPolicy>https-only</ViewerProtocolPolicy>")},
		providers.FieldMethods: {func(s *providers.Settings) { s.Methods = []string{"GET", "HEAD", "OPTIONS"} },
			replace("<AllowedMethods><Quantity>2</Quantity><Items><Method>HEAD</Method><Method>GET</Method></Items><CachedMethods><Quantity>2</Quantity><Items><Method>HEAD</Method><Method>GET</Method></Items></CachedMethods></AllowedMethods><!--default-->",
				"<AllowedMethods><Quantity>3</Quantity><Items><Method>GET</Method><Method>HEAD</Method><Method>OPTIONS</Method></Items><CachedMethods><Quantity>3</Quantity><Items><Method>GET</Method><Method>HEAD</Method><Method>OPTIONS</Method></Items></CachedMethods></AllowedMethods>")},
		providers.FieldPriceClass:        {func(s *providers.Settings) { s.PriceClass = "PriceClass_All" }, replace("PriceClass_100", "PriceClass_All")},
		providers.FieldHTTPVersion:       {func(s *providers.Settings) { s.HTTPVersion = "http2and3" }, replace("<HttpVersion>http2</HttpVersion>", "<HttpVersion>http2and3</HttpVersion>")},
		providers.FieldIPv6:              {func(s *providers.Settings) { s.IPv6 = true }, replace("<IsIPV6Enabled>false</IsIPV6Enabled>", "<IsIPV6Enabled>true</IsIPV6Enabled>")},
		providers.FieldCompress:          {func(s *providers.Settings) { s.Compress = true }, replace("<Compress>false</Compress><!--default-->", "<Compress>true</Compress>")},
		providers.FieldCachePolicy:       {func(s *providers.Settings) { s.CachePolicyID = "new" }, replace("<CachePolicyId>cp-old</CachePolicyId>", "<CachePolicyId>new</CachePolicyId>")},
		providers.FieldOriginRequest:     {func(s *providers.Settings) { s.OriginRequestID = "" }, replace("<OriginRequestPolicyId>orp-old</OriginRequestPolicyId>", "")},
		providers.FieldResponseHeaders:   {func(s *providers.Settings) { s.ResponseHeadersID = "new" }, replace("<ResponseHeadersPolicyId>rhp-old</ResponseHeadersPolicyId>", "<ResponseHeadersPolicyId>new</ResponseHeadersPolicyId>")},
		providers.FieldWebACL:            {func(s *providers.Settings) { s.WebACL = "" }, replace("<WebACLId>acl-old</WebACLId>", "<WebACLId></WebACLId>")},
		providers.FieldDefaultRootObject: {func(s *providers.Settings) { s.DefaultRootObject = "i.html" }, replace("<DefaultRootObject>old.html</DefaultRootObject>", "<DefaultRootObject>i.html</DefaultRootObject>")},
		providers.FieldLogging: {func(s *providers.Settings) { s.Logging = providers.Logging{Bucket: "n.s3.amazonaws.com", Prefix: "p/"} },
			replace("<Bucket>old.s3.amazonaws.com</Bucket><Prefix>o/</Prefix>", "<Bucket>n.s3.amazonaws.com</Bucket><Prefix>p/</Prefix>")},
	}
	for field, test := range tests {
		t.Run(string(field), func(t *testing.T) {
			environment(t, nil)
			w, account := connect(func(c call) (*http.Response, error) {
				if c.op == "GET /distribution/E1/config" {
					return respond(200, old, "ETag: V1")
				}
				return distribution("E1", "V2", "InProgress", c.body)
			}, fast())
			var s providers.Settings
			test.set(&s)
			got, err := account.Distributions.Update(t.Context(), "E1", "V1", s, []providers.Field{field})
			if err != nil {
				t.Fatal(err)
			}
			put := w.made("PUT /distribution/E1/config")
			if len(put) != 1 || put[0].header.Get("If-Match") != "V1" || got.ETag != "V2" {
				t.Fatalf("asked %v; the new version is %s", w.count(), got.ETag)
			}
			if d := cmp.Diff(parseXML(t, test.want), parseXML(t, put[0].body)); d != "" {
				t.Errorf("-want +sent\n%s", d)
			}
			if _, ok := w.count()["GET /distribution/E1"]; ok {
				t.Error("more was read than needed")
			}
		})
	}
	if len(tests) != 17 {
		t.Errorf("%d of the 17 managed fields are tested", len(tests))
	}
}

// An adopted distribution with CloudFront's own certificate, legacy cache
// settings and a custom origin gets what belongs together.
func TestUpdateOfAnAdoptedDistribution(t *testing.T) {
	environment(t, nil)
	w, account := connect(func(c call) (*http.Response, error) {
		if c.op == "GET /distribution/E1/config" {
			return respond(200, golden(t, "legacy.xml"), "ETag: V1")
		}
		return distribution("E1", "V2", "InProgress", c.body)
	}, fast())
	s := settings("arn:new", "cp")
	_, err := account.Distributions.Update(t.Context(), "E1", "V1", s, []providers.Field{
		providers.FieldCertificate, providers.FieldCachePolicy, providers.FieldOrigin,
	})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(parseXML(t, golden(t, "legacy-updated.xml")), parseXML(t, w.made("PUT /distribution/E1/config")[0].body)); d != "" {
		t.Errorf("-want +sent\n%s", d)
	}
}

// A REST origin that becomes a website endpoint loses what only S3 origins
// have, and keeps its path and its headers.
func TestUpdateToAWebsite(t *testing.T) {
	environment(t, nil)
	old := golden(t, "foreign.xml")
	w, account := connect(func(c call) (*http.Response, error) {
		if c.op == "GET /distribution/E1/config" {
			return respond(200, old, "ETag: V1")
		}
		return distribution("E1", "V2", "InProgress", c.body)
	}, fast())
	s := providers.Settings{OriginKind: providers.WebsiteOrigin, OriginDomain: "b.s3-website.eu-south-1.amazonaws.com"}
	got, err := account.Distributions.Update(t.Context(), "E1", "V1", s, []providers.Field{providers.FieldOrigin})
	if err != nil || got.Settings.OriginKind != providers.WebsiteOrigin {
		t.Fatal(got, err)
	}
	want := strings.NewReplacer(
		"old.s3.eu-west-1.amazonaws.com", s.OriginDomain,
		"<S3OriginConfig><OriginAccessIdentity></OriginAccessIdentity></S3OriginConfig>",
		"<CustomOriginConfig><HTTPPort>80</HTTPPort><HTTPSPort>443</HTTPSPort><OriginProtocolPolicy>http-only</OriginProtocolPolicy><OriginSslProtocols><Quantity>1</Quantity><Items><SslProtocol>TLSv1.2</SslProtocol></Items></OriginSslProtocols></CustomOriginConfig>",
		"<OriginAccessControlId>EOAC</OriginAccessControlId>", "",
	).Replace(old)
	if d := cmp.Diff(parseXML(t, want), parseXML(t, w.made("PUT /distribution/E1/config")[0].body)); d != "" {
		t.Errorf("-want +sent\n%s", d)
	}
}

func TestUpdateConflicts(t *testing.T) {
	config := golden(t, "foreign.xml")
	lost := errors.New("EOF")
	tests := map[string]struct {
		etag  string
		field providers.Field
		put   func(call) (*http.Response, error)
		now   string // what GetDistribution says after
		class error
		puts  int
	}{
		"changed before":     {"V0", providers.FieldIPv6, nil, "", providers.ErrConflict, 0},
		"changed in between": {"V1", providers.FieldIPv6, func(call) (*http.Response, error) { return refusal(412, "PreconditionFailed", "m") }, "", providers.ErrConflict, 1},
		"no version":         {"V1", providers.FieldIPv6, func(call) (*http.Response, error) { return refusal(400, "InvalidIfMatchVersion", "m") }, "", providers.ErrConflict, 1},
		"own lost answer": {"V1", providers.FieldIPv6, func(c call) (*http.Response, error) {
			if c.n == 1 {
				return respond(503, "")
			}
			return refusal(412, "PreconditionFailed", "m")
		}, strings.Replace(config, "<IsIPV6Enabled>false", "<IsIPV6Enabled>true", 1), nil, 2},
		"lost answer and another's change": {"V1", providers.FieldIPv6, func(c call) (*http.Response, error) {
			if c.n == 1 {
				return respond(503, "")
			}
			return refusal(412, "PreconditionFailed", "m")
		}, config, providers.ErrConflict, 2},
		"unknown field": {"V1", "colour", nil, "", providers.ErrInvalid, 0},
		"all lost":      {"V1", providers.FieldIPv6, func(call) (*http.Response, error) { return nil, lost }, "", lost, 10},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			environment(t, nil)
			w, account := connect(func(c call) (*http.Response, error) {
				switch c.op {
				case "GET /distribution/E1/config":
					return respond(200, config, "ETag: V1")
				case "GET /distribution/E1":
					return distribution("E1", "V2", "InProgress", test.now)
				}
				return test.put(c)
			}, fast())
			_, err := account.Distributions.Update(t.Context(), "E1", test.etag, providers.Settings{IPv6: true}, []providers.Field{test.field})
			if !errors.Is(err, test.class) {
				t.Errorf("%v", err)
			}
			if n := len(w.made("PUT /distribution/E1/config")); n != test.puts && name != "all lost" {
				t.Errorf("%d writes, want %d", n, test.puts)
			}
		})
	}
}

func TestUpdateOfAnOriginGroup(t *testing.T) {
	environment(t, nil)
	w, account := connect(func(c call) (*http.Response, error) {
		return respond(200, strings.Replace(golden(t, "foreign.xml"), "<TargetOriginId>main</TargetOriginId>", "<TargetOriginId>group</TargetOriginId>", 1), "ETag: V1")
	}, fast())
	_, err := account.Distributions.Update(t.Context(), "E1", "V1", settings("c", "p"), []providers.Field{providers.FieldOrigin})
	if !errors.Is(err, providers.ErrInvalid) || !strings.Contains(err.Error(), "origin group") || len(w.calls) != 1 {
		t.Errorf("%v; asked %v", err, w.count())
	}
}

func TestSetTagsMerges(t *testing.T) {
	environment(t, nil)
	w, account := connect(func(c call) (*http.Response, error) { return respond(204, "") }, fast())
	if err := account.Distributions.SetTags(t.Context(), "arn:d/E1", map[string]string{"b": "2", "a": "1"}); err != nil {
		t.Fatal(err)
	}
	if err := account.Distributions.SetTags(t.Context(), "arn:d/E1", nil); err != nil {
		t.Fatal(err)
	}
	sent := w.made("POST /tagging?Operation=Tag&Resource=arn%3Ad%2FE1")
	if len(w.calls) != 1 || len(sent) != 1 {
		t.Fatalf("asked %v", w.count())
	}
	want := parseXML(t, `<Tags><Items><Tag><Key>a</Key><Value>1</Value></Tag><Tag><Key>b</Key><Value>2</Value></Tag></Items></Tags>`)
	if d := cmp.Diff(want, parseXML(t, sent[0].body)); d != "" {
		t.Error(d)
	}
}

// policyXML is a cache policy [CloudFront API Reference: CachePolicyConfig].
func policyXML(id, name, cookies, query, headers string) string {
	return fmt.Sprintf(`<CachePolicy><Id>%s</Id><CachePolicyConfig><Name>%s</Name><MinTTL>0</MinTTL><DefaultTTL>60</DefaultTTL><MaxTTL>31536000</MaxTTL>
<ParametersInCacheKeyAndForwardedToOrigin><CookiesConfig>%s</CookiesConfig><QueryStringsConfig>%s</QueryStringsConfig><HeadersConfig>%s</HeadersConfig>
<EnableAcceptEncodingGzip>true</EnableAcceptEncodingGzip><EnableAcceptEncodingBrotli>false</EnableAcceptEncodingBrotli></ParametersInCacheKeyAndForwardedToOrigin></CachePolicyConfig></CachePolicy>`, id, name, cookies, query, headers)
}

func TestCachePolicies(t *testing.T) {
	const (
		noCookies = `<CookieBehavior>none</CookieBehavior>`
		all       = `<QueryStringBehavior>all</QueryStringBehavior>`
		none      = `<QueryStringBehavior>none</QueryStringBehavior>`
		origin    = `<HeaderBehavior>whitelist</HeaderBehavior><Headers><Quantity>2</Quantity><Items><Name>Origin</Name><Name>Access-Control-Request-Method</Name></Items></Headers>`
		noHeaders = `<HeaderBehavior>none</HeaderBehavior>`
	)
	pages := []string{
		policyXML("ours", "edgeward-a", noCookies, all, origin),
		policyXML("plain", "edgeward-b", noCookies, none, noHeaders),
		policyXML("cookies", "c", `<CookieBehavior>all</CookieBehavior>`, all, noHeaders),
		policyXML("some", "s", noCookies, `<QueryStringBehavior>whitelist</QueryStringBehavior><QueryStrings><Quantity>1</Quantity><Items><Name>v</Name></Items></QueryStrings>`, noHeaders),
	}
	environment(t, nil)
	created := false
	w, account := connect(func(c call) (*http.Response, error) {
		switch {
		case c.op == "POST /cache-policy":
			created = true
			return respond(201, policyXML("new", "edgeward-n", noCookies, all, origin))
		case c.op == "GET /cache-policy/new" && created:
			return respond(200, policyXML("new", "edgeward-n", noCookies, all, origin))
		case strings.HasPrefix(c.op, "GET /cache-policy?"):
			i := len(c.req.URL.Query().Get("Marker")) // the marker of page i has i letters
			next := ""
			if i+1 < len(pages) {
				next = "<NextMarker>" + strings.Repeat("m", i+1) + "</NextMarker>"
			}
			return respond(200, fmt.Sprintf(`<CachePolicyList %s>%s<MaxItems>1</MaxItems><Quantity>1</Quantity><Items><CachePolicySummary><Type>custom</Type>%s</CachePolicySummary></Items></CachePolicyList>`, cfNS, next, pages[i]))
		}
		return respond(200, list("", row("E1", "V1", "Deployed", "a.example.com"), row("E2", "V1", "Deployed", "b.example.com")))
	}, fast())
	got, err := account.CachePolicies.CachePolicies(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	base := providers.CacheSettings{DefaultTTL: 60, MaxTTL: 31536000, Gzip: true}
	with := func(query bool, headers ...string) providers.CacheSettings {
		s := base
		s.QueryStrings, s.Headers = query, headers
		return s
	}
	cors := []string{"Access-Control-Request-Method", "Origin"}
	want := []providers.CachePolicy{
		{ID: "ours", Name: "edgeward-a", Settings: with(true, cors...), InUse: 2},
		{ID: "plain", Name: "edgeward-b", Settings: with(false)},
		{ID: "cookies", Name: "c", Settings: with(true), Foreign: true},
		{ID: "some", Name: "s", Settings: with(false), Foreign: true},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
	made, err := account.CachePolicies.CreateCachePolicy(t.Context(), "edgeward-n", with(true, "Origin", "Access-Control-Request-Method"))
	if err != nil || made.ID != "new" || made.Foreign {
		t.Fatalf("%+v, %v", made, err)
	}
	if d := cmp.Diff(parseXML(t, golden(t, "create-cache-policy.xml")), parseXML(t, w.made("POST /cache-policy")[0].body)); d != "" {
		t.Errorf("-want +sent\n%s", d)
	}
	got, err = account.CachePolicies.CachePolicies(t.Context())
	if err != nil || len(got) != 5 || got[4].ID != "new" {
		t.Errorf("the new policy, which the list does not show yet, is not answered: %+v, %v", got, err)
	}
}

func TestCachePolicyErrors(t *testing.T) {
	for code, class := range map[string]error{"CachePolicyAlreadyExists": providers.ErrConflict, "TooManyCachePolicies": providers.ErrQuota} {
		environment(t, nil)
		w, account := connect(func(c call) (*http.Response, error) {
			if c.op == "POST /cache-policy" {
				return refusal(409, code, "m")
			}
			if strings.HasPrefix(c.op, "GET /cache-policy") {
				return respond(200, `<CachePolicyList><MaxItems>1</MaxItems><Quantity>0</Quantity></CachePolicyList>`)
			}
			return respond(200, list(""))
		}, fast())
		look := func() {
			if _, err := account.CachePolicies.CachePolicies(t.Context()); err != nil {
				t.Error(err)
			}
		}
		look()
		if _, err := account.CachePolicies.CreateCachePolicy(t.Context(), "n", providers.CacheSettings{}); !errors.Is(err, class) {
			t.Errorf("%s: %v", code, err)
		}
		look()
		if n := len(w.made("GET /cache-policy?Type=custom")); n != 2 {
			t.Errorf("%s: the list was read %d times: after the refusal it has to be read again", code, n)
		}
	}
}
