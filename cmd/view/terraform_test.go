package view

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"

	"github.com/edgeward/edgeward/planner"
	"github.com/edgeward/edgeward/providers"
)

func exportedBucket(address, name, account string) planner.ExportBucket {
	return planner.ExportBucket{Address: address, Bucket: name, Region: "eu-west-1", Account: account,
		Distribution: providers.Distribution{ID: "E" + name, Domain: "d1.cloudfront.net", Comment: "edgeward: " + name,
			Tags: map[string]string{"edgeward:was": "CNAME x", "aws:createdBy": "us", "Price ${a}": `%{b} "c"`}, Settings: providers.Settings{
				Aliases: []string{name}, CertificateARN: "arn:cert", MinimumTLS: "TLSv1.2_2021", OriginDomain: name + ".s3.eu-west-1.amazonaws.com",
				OriginKind: providers.RESTOrigin, ViewerProtocol: "allow-all", Methods: []string{"GET", "HEAD", "OPTIONS"}, CachePolicyID: "policy",
				OriginRequestID: "request", ResponseHeadersID: "response", WebACL: "arn:acl", DefaultRootObject: "index.html",
				Logging: providers.Logging{Bucket: "logs.s3.amazonaws.com", Prefix: "a/"}}}}
}

// parsed checks that files are HCL, formatted, without two things of one name, and
// gives the resources' addresses.
func parsed(t *testing.T, files []TerraformFile) []string {
	t.Helper()
	valid := regexp.MustCompile(`^[a-z_][a-z0-9_]*$`)
	seen := map[string]bool{}
	var resources, imports []string
	for _, f := range files {
		body, diags := hclsyntax.ParseConfig(f.Text, f.Name, hcl.InitialPos)
		if diags.HasErrors() || !bytes.Equal(hclwrite.Format(f.Text), f.Text) {
			t.Fatalf("%s: %v\n%s", f.Name, diags, f.Text)
		}
		for _, b := range body.Body.(*hclsyntax.Body).Blocks {
			name := b.Type + " " + strings.Join(b.Labels, ".")
			switch b.Type {
			case "import":
				to := b.Body.Attributes["to"].Expr.Range()
				imports = append(imports, string(f.Text[to.Start.Byte:to.End.Byte]))
				continue
			case "provider":
				if alias := b.Body.Attributes["alias"]; alias != nil {
					v, _ := alias.Expr.Value(nil)
					name += "." + v.AsString()
				}
			case "resource":
				resources = append(resources, strings.Join(b.Labels, "."))
			}
			if seen[name] || len(b.Labels) > 0 && !valid.MatchString(b.Labels[len(b.Labels)-1]) {
				t.Errorf("%s is there twice, or no name", name)
			}
			seen[name] = true
		}
	}
	if !slices.Equal(imports, resources) {
		t.Errorf("imports %v, resources %v", imports, resources)
	}
	return resources
}

// Names that become alike, accounts, wildcards, and texts that mean something in
// HCL.
func TestTerraformNames(t *testing.T) {
	record := func(name string, typ string, alias bool) planner.ExportRecord {
		return planner.ExportRecord{Provider: "dns_provider.route53.main", Type: "route53", Set: providers.RecordSet{Name: name, ZoneID: "Z1",
			Records: []providers.Record{{Type: typ, Value: "D1.cloudfront.net", Alias: alias, TTL: time.Hour, AliasZone: cloudFrontZone}}}}
	}
	a := exportedBucket(`bucket.site["a.example.com"]`, "a.example.com", "")
	a.Records = []planner.ExportRecord{record("*.a.example.com", "CNAME", false), record("a.example.com", "A", true)}
	b := exportedBucket(`bucket.site["a-example.com"]`, "a-example.com", "shop")
	b.Records = []planner.ExportRecord{record("a-example.com", "A", true)}
	c := exportedBucket(`bucket["1.example.com"]`, "1.example.com", "shop")
	c.Lock = &planner.ExportLock{Policy: `{"Version":"2012-10-17","Statement":[{"Resource":"arn:aws:s3:::1.example.com/${aws:username}/*"}]}`, Block: providers.PublicAccessBlock{RestrictPublicBuckets: true}}
	e := planner.Export{Buckets: []planner.ExportBucket{a, b, c},
		Accounts: []planner.ExportAccount{{ID: "1"}, {Name: "shop", ID: "2", RoleARN: "arn:role", ExternalID: true}},
		Policies: []planner.ExportPolicy{{Account: "", Policy: providers.CachePolicy{ID: "policy", Name: "edgeward-x-1"}},
			{Account: "shop", Policy: providers.CachePolicy{ID: "policy", Name: "edgeward-x-1", Settings: providers.CacheSettings{Headers: []string{"Origin"}, QueryStrings: true}}}},
		Certificates: []planner.ExportCertificate{{Account: "", Certificate: providers.Certificate{ARN: "arn:cert", Names: []string{"*.example.com", "a.example.com"}, KeyType: "RSA_2048"}, Unfound: []string{"_x.example.com"}}}}
	files := Terraform(e)
	got := strings.Join(parsed(t, files), "\n")
	want := strings.Join([]string{"aws_acm_certificate.wildcard_example_com", "aws_cloudfront_cache_policy.edgeward_x_1", "aws_cloudfront_cache_policy.shop_edgeward_x_1",
		"aws_cloudfront_distribution.site_a_example_com", "aws_route53_record.wildcard_a_example_com_cname", "aws_route53_record.a_example_com_a",
		"aws_cloudfront_distribution.site_a_example_com_2", "aws_route53_record.a_example_com_a_2",
		"aws_cloudfront_distribution._1_example_com", "aws_s3_bucket_policy._1_example_com", "aws_s3_bucket_public_access_block._1_example_com"}, "\n")
	if got != want {
		t.Errorf("resources are\n%s\nwant\n%s", got, want)
	}
	text := TerraformText(files)
	for _, want := range []string{
		`"Price $${a}" = "%%{b} \"c\""`, `acm_certificate_arn      = aws_acm_certificate.wildcard_example_com.arn`, `acm_certificate_arn      = "arn:cert"`,
		`records  = ["${aws_cloudfront_distribution.site_a_example_com.domain_name}."]`, `id = "Z1_*.a.example.com_CNAME"`,
		`"arn:aws:s3:::1.example.com/$${aws:username}/*"`, `external_id, which edgeward writes nowhere`, `provider = aws.shop_eu_west_1`,
		`web_acl_id          = "arn:acl"`, `default_root_object = "index.html"`, `origin_request_policy_id   = "request"`, `prefix = "a/"`,
		`cache_policy_id            = aws_cloudfront_cache_policy.shop_edgeward_x_1.id`, `# ACM looks at the record _x.example.com each time`} {
		if !strings.Contains(text, want) {
			t.Errorf("the text has no %s", want)
		}
	}
	if strings.Contains(text, `"edgeward:was"`) || strings.Contains(text, "aws:createdBy") {
		t.Error("tags that are not the user's are written")
	}
	if again := TerraformText(Terraform(e)); again != text {
		t.Error("the same export gives two texts")
	}
	if t.Failed() {
		t.Log(text)
	}
}

// What version 5 of Terraform's Cloudflare provider takes [its documentation,
// docs/resources/dns_record.md: Schema, Import]. The provider itself asks the
// network for its registry, so its schema stands here.
func TestTerraformCloudflare(t *testing.T) {
	takes := map[string]bool{"zone_id": true, "name": true, "type": true, "ttl": true, // required
		"comment": false, "content": false, "data": false, "priority": false, "proxied": false, "settings": false, "tags": false}
	at := func(provider string, records ...providers.Record) planner.ExportRecord {
		r := planner.ExportRecord{Provider: provider, Type: "cloudflare", Set: providers.RecordSet{Name: "a.example.com", ZoneID: "zone", Records: records}}
		for i := range records {
			r.Set.IDs = append(r.Set.IDs, fmt.Sprint("record", i))
		}
		return r
	}
	b := exportedBucket("bucket.a", "a.example.com", "")
	b.Records = []planner.ExportRecord{
		at("dns_provider.cloudflare.one", providers.Record{Type: "CNAME", Value: "d1.cloudfront.net", Proxied: true}),
		at("dns_provider.cloudflare.two", providers.Record{Type: "A", Value: "192.0.2.1", TTL: 5 * time.Minute}, providers.Record{Type: "A", Value: "192.0.2.2", TTL: 5 * time.Minute})}
	files := Terraform(planner.Export{Buckets: []planner.ExportBucket{b}})
	if got := parsed(t, files); !slices.Equal(got, []string{"aws_cloudfront_distribution.a", "cloudflare_dns_record.a_example_com_cname",
		"cloudflare_dns_record.a_example_com_a", "cloudflare_dns_record.a_example_com_a_2"}) {
		t.Errorf("resources %v", got)
	}
	body, _ := hclsyntax.ParseConfig(files[1].Text, "a", hcl.InitialPos)
	for _, block := range body.Body.(*hclsyntax.Body).Blocks {
		if block.Type != "resource" || block.Labels[0] != "cloudflare_dns_record" {
			continue
		}
		for name := range block.Body.Attributes {
			if _, ok := takes[name]; !ok && name != "provider" {
				t.Errorf("the resource has no %s", name)
			}
		}
		for name, required := range takes {
			if required && block.Body.Attributes[name] == nil {
				t.Errorf("%s is missing", name)
			}
		}
	}
	text := TerraformText(files)
	for _, want := range []string{`id = "zone/record1"`, "proxied  = true", "ttl      = 1\n", "content  = aws_cloudfront_distribution.a.domain_name",
		`variable "cloudflare_two_api_token"`, "api_token = var.cloudflare_one_api_token", "provider = cloudflare.cloudflare_two"} {
		if !strings.Contains(text, want) {
			t.Errorf("the text has no %s:\n%s", want, text)
		}
	}
	b.Records = b.Records[:1]
	if one := TerraformText(Terraform(planner.Export{Buckets: []planner.ExportBucket{b}})); !strings.Contains(one, "CLOUDFLARE_API_TOKEN") || strings.Contains(one, "variable") {
		t.Errorf("one provider needs no variable:\n%s", one)
	}
}
