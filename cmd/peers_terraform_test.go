//go:build peers

package cmd_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/edgeward/edgeward/cmd/view"
	"github.com/edgeward/edgeward/planner"
	"github.com/edgeward/edgeward/providers"
	"github.com/edgeward/edgeward/providers/aws"
	"github.com/edgeward/edgeward/providers/providertest/motolab"
)

// tf runs terraform in a folder, against the lab.
type tf struct {
	folder string
	env    []string
}

// newTerraform is terraform with its AWS provider, or the test is skipped: from
// the mirror folder EDGEWARD_TERRAFORM_PLUGINS, or as terraform is set up here.
func newTerraform(t *testing.T, env []string, folder string) *tf {
	t.Helper()
	if _, err := exec.LookPath("terraform"); err != nil {
		t.Skip("terraform is not to be had: ", err)
	}
	x := &tf{folder: folder, env: append(slices.Clone(env), "PATH="+os.Getenv("PATH"), "HOME="+t.TempDir(),
		"TF_IN_AUTOMATION=1", "CHECKPOINT_DISABLE=1", "AWS_EC2_METADATA_DISABLED=true")}
	args := []string{"init", "-input=false", "-no-color"}
	if mirror := os.Getenv("EDGEWARD_TERRAFORM_PLUGINS"); mirror != "" {
		rc := filepath.Join(t.TempDir(), "terraformrc")
		write(t, rc, "provider_installation {\n  filesystem_mirror {\n    path = \""+filepath.ToSlash(mirror)+"\"\n  }\n}\n")
		x.env = append(x.env, "TF_CLI_CONFIG_FILE="+rc)
	}
	if out, code := x.run(t, args...); code != 0 {
		t.Skip("terraform's AWS provider is not to be had (EDGEWARD_TERRAFORM_PLUGINS names a mirror folder): ", out)
	}
	return x
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (x *tf) run(t *testing.T, args ...string) (out string, code int) {
	t.Helper()
	cmd := exec.Command("terraform", args...)
	cmd.Dir, cmd.Env = x.folder, x.env
	text, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return string(text), cmd.ProcessState.ExitCode()
}

// takesOver checks that terraform accepts what stands in the folder, that its plan
// imports all of kinds and changes nothing, and that so it is once they are
// imported.
func (x *tf) takesOver(t *testing.T, kinds map[string]int) {
	t.Helper()
	if out, code := x.run(t, "validate", "-no-color"); code != 0 {
		t.Fatalf("terraform validate: exit %d\n%s", code, out)
	}
	out, code := x.run(t, "plan", "-input=false", "-no-color", "-out=plan")
	if code != 0 {
		t.Fatalf("terraform plan: exit %d\n%s", code, out)
	}
	shown, _ := x.run(t, "show", "-json", "plan")
	var plan struct {
		Changes []struct {
			Address string `json:"address"`
			Type    string `json:"type"`
			Change  struct {
				Actions   []string        `json:"actions"`
				Importing json.RawMessage `json:"importing"`
			} `json:"change"`
		} `json:"resource_changes"`
	}
	if err := json.Unmarshal([]byte(shown), &plan); err != nil {
		t.Fatalf("terraform show: %v\n%s", err, shown)
	}
	got := map[string]int{}
	for _, c := range plan.Changes {
		got[c.Type]++
		if !slices.Equal(c.Change.Actions, []string{"no-op"}) || c.Change.Importing == nil {
			t.Errorf("terraform would do %v with %s", c.Change.Actions, c.Address)
		}
	}
	for kind, n := range kinds {
		if got[kind] != n {
			t.Errorf("terraform imports %d of %s, want %d", got[kind], kind, n)
		}
	}
	if t.Failed() {
		t.Fatal(out)
	}
	if out, code := x.run(t, "apply", "-input=false", "-no-color", "plan"); code != 0 || !strings.Contains(out, " imported, 0 added, 0 changed, 0 destroyed") {
		t.Fatalf("terraform apply: exit %d\n%s", code, out)
	}
	if out, code := x.run(t, "plan", "-input=false", "-no-color", "-detailed-exitcode"); code != 0 {
		t.Errorf("terraform plan after the imports: exit %d\n%s", code, out)
	}
}

// completed are the elements of a distribution that CloudFront answers whether they
// were sent or not, with what it answers then, by the element that they stand in
// [CloudFront API Reference: GetDistribution, DistributionConfig, Origin,
// CustomOriginConfig, DefaultCacheBehavior]. The lab answers what was sent.
func completed() []struct{ in, element, answer string } {
	return []struct{ in, element, answer string }{
		{"DistributionConfig", "OriginGroups", "<OriginGroups><Quantity>0</Quantity></OriginGroups>"},
		{"DistributionConfig", "CacheBehaviors", "<CacheBehaviors><Quantity>0</Quantity></CacheBehaviors>"},
		{"DistributionConfig", "Restrictions", "<Restrictions><GeoRestriction><RestrictionType>none</RestrictionType><Quantity>0</Quantity></GeoRestriction></Restrictions>"},
		{"DistributionConfig", "WebACLId", "<WebACLId></WebACLId>"},
		{"DistributionConfig", "Staging", "<Staging>false</Staging><ContinuousDeploymentPolicyId></ContinuousDeploymentPolicyId>"},
		{"DefaultCacheBehavior", "TrustedSigners", "<TrustedSigners><Enabled>false</Enabled><Quantity>0</Quantity></TrustedSigners>"},
		{"DefaultCacheBehavior", "TrustedKeyGroups", "<TrustedKeyGroups><Enabled>false</Enabled><Quantity>0</Quantity></TrustedKeyGroups>"},
		{"DefaultCacheBehavior", "SmoothStreaming", "<SmoothStreaming>false</SmoothStreaming>"},
		{"DefaultCacheBehavior", "LambdaFunctionAssociations", "<LambdaFunctionAssociations><Quantity>0</Quantity></LambdaFunctionAssociations>"},
		{"DefaultCacheBehavior", "FunctionAssociations", "<FunctionAssociations><Quantity>0</Quantity></FunctionAssociations>"},
		{"DefaultCacheBehavior", "FieldLevelEncryptionId", "<FieldLevelEncryptionId></FieldLevelEncryptionId>"},
		{"DefaultCacheBehavior", "GrpcConfig", "<GrpcConfig><Enabled>false</Enabled></GrpcConfig>"},
		{"Origin", "OriginPath", "<OriginPath></OriginPath>"},
		{"Origin", "CustomHeaders", "<CustomHeaders><Quantity>0</Quantity></CustomHeaders>"},
		{"Origin", "ConnectionAttempts", "<ConnectionAttempts>3</ConnectionAttempts><ConnectionTimeout>10</ConnectionTimeout>"},
		{"Origin", "OriginShield", "<OriginShield><Enabled>false</Enabled></OriginShield>"},
		{"Origin", "OriginAccessControlId", "<OriginAccessControlId></OriginAccessControlId>"},
		{"CustomOriginConfig", "OriginReadTimeout", "<OriginReadTimeout>30</OriginReadTimeout><OriginKeepaliveTimeout>5</OriginKeepaliveTimeout>"},
	}
}

// complete adds the elements that are missing to an answer with a distribution.
func complete(text string) string {
	for _, c := range completed() {
		begin, end, ok := strings.Cut(text, "</"+c.in+">")
		if ok && !strings.Contains(begin[strings.LastIndex(begin, "<"+c.in+">"):], "<"+c.element+">") {
			text = begin + c.answer + "</" + c.in + ">" + end
		}
	}
	return text
}

// completing is the lab with whole distributions.
func completing(t *testing.T, lab string) string {
	t.Helper()
	target, err := url.Parse(lab)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ModifyResponse = func(r *http.Response) error {
		if r.Request.Method != http.MethodGet || !strings.HasPrefix(r.Request.URL.Path, "/2020-05-31/distribution/") {
			return nil
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return err
		}
		text := complete(string(body))
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
		r.Header.Set("Content-Length", strconv.Itoa(len(text)))
		return nil
	}
	s := httptest.NewServer(proxy)
	t.Cleanup(s.Close)
	return s.URL
}

// handedOver exports the buckets and lets terraform import them.
func (w *world) handedOver(t *testing.T) {
	folder := t.TempDir()
	w.edgeward.run(t, 0, "", "export", "terraform", "-out-dir="+folder)
	env := append(w.lab.Env(), "AWS_ENDPOINT_URL="+completing(t, w.lab.URL))
	newTerraform(t, env, folder).takesOver(t, map[string]int{"aws_cloudfront_distribution": 3, "aws_acm_certificate": 3,
		"aws_cloudfront_cache_policy": len(w.readPolicies(t)), "aws_route53_record": 7})
	w.edgeward.run(t, 0, "3 done", "plan", "-detailed-exitcode")
}

// What locking a bucket changes is taken over too: the origin access control, the
// policy by its meaning, the flags.
func TestTerraformOfALockedBucket(t *testing.T) {
	const name, text = "closed.example.com", `{"Version":"2012-10-17","Statement":[{"Sid":"Everybody","Effect":"Allow","Principal":"*","Action":["s3:GetObject"],"Resource":"arn:aws:s3:::closed.example.com/*"},` +
		`{"Sid":"Edgeward","Effect":"Allow","Principal":{"Service":"cloudfront.amazonaws.com"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::closed.example.com/*","Condition":{"StringEquals":{"AWS:SourceArn":"arn:aws:cloudfront::123456789012:distribution/E1"}}}]}`
	l := motolab.Start(t)
	l.Setenv(t)
	account := aws.New(aws.Options{Clock: providers.RealClock{}, Limits: aws.Limits{}.Times(100)}).Account()
	l.AWS(t, "s3api", "create-bucket", "--bucket", name, "--create-bucket-configuration", "LocationConstraint=eu-west-1")
	l.AWS(t, "s3api", "put-bucket-policy", "--bucket", name, "--policy", text)
	l.AWS(t, "s3api", "put-public-access-block", "--bucket", name, "--public-access-block-configuration", "IgnorePublicAcls=true,RestrictPublicBuckets=true")
	control, err := account.Access.CreateOriginAccess(t.Context(), "edgeward-s3-1")
	if err != nil {
		t.Fatal(err)
	}
	d, err := account.Distributions.Create(t.Context(), "ref", providers.Settings{
		Enabled: true, Aliases: []string{name}, CertificateARN: "arn:aws:acm:us-east-1:123456789012:certificate/own", MinimumTLS: "TLSv1.2_2021",
		OriginDomain: name + ".s3.eu-west-1.amazonaws.com", OriginKind: providers.RESTOrigin, ViewerProtocol: "redirect-to-https",
		Methods: []string{"GET", "HEAD", "OPTIONS"}, PriceClass: "PriceClass_100", HTTPVersion: "http2and3", Compress: true,
		CachePolicyID: "658327ea-f89d-4fab-a63d-7e88639e58f6", DefaultRootObject: "index.html", ErrorTTL: 5,
		Logging: providers.Logging{Bucket: "logs.s3.amazonaws.com", Prefix: "a/"},
	}, map[string]string{providers.TagBucket: name, "Team": "web"})
	if err != nil {
		t.Fatal(err)
	}
	d.Settings.OriginAccessID = control.ID
	if d, err = account.Distributions.Update(t.Context(), d.ID, d.ETag, d.Settings, []providers.Field{providers.FieldOriginAccess}); err == nil {
		d.Tags, err = account.Distributions.Tags(t.Context(), d.ARN)
	}
	if err != nil {
		t.Fatal(err)
	}
	block, err := account.Access.Block(t.Context(), name, "eu-west-1")
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	for _, f := range view.Terraform(planner.Export{Accounts: []planner.ExportAccount{{ID: motolab.Account}},
		Controls: []planner.ExportControl{{Control: control}},
		Buckets: []planner.ExportBucket{{Address: "bucket.closed", Bucket: name, Region: "eu-west-1", Distribution: d,
			Lock: &planner.ExportLock{Policy: text, Block: *block}}}}) {
		write(t, filepath.Join(folder, f.Name), string(f.Text))
	}
	// The lab has no name for each bucket.
	write(t, filepath.Join(folder, "lab_override.tf"), "provider \"aws\" {\n  alias = \"eu_west_1\"\n  s3_use_path_style = true\n}\n")
	newTerraform(t, append(l.Env(), "AWS_ENDPOINT_URL="+completing(t, l.URL)), folder).takesOver(t, map[string]int{
		"aws_cloudfront_distribution": 1, "aws_cloudfront_origin_access_control": 1, "aws_s3_bucket_policy": 1, "aws_s3_bucket_public_access_block": 1})
	if tags, err := account.Distributions.Tags(t.Context(), d.ARN); err != nil || tags[providers.TagBucket] != name {
		t.Errorf("Terraform took edgeward's tags: %v, %v", tags, err)
	}
}
