package view

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"

	"github.com/edgeward/edgeward/planner"
	"github.com/edgeward/edgeward/providers"
)

// TerraformFile is one file of a Terraform module.
type TerraformFile struct {
	// Name has no folder.
	Name string
	Text []byte
}

// globalRegion is where CloudFront, ACM for CloudFront, and Route 53 are asked.
const globalRegion = "us-east-1"

// Terraform writes import blocks and resources for all of e, so that a plan of
// Terraform's has nothing to change: the providers, what buckets share, and a file
// a bucket. The same export gives the same text.
func Terraform(e planner.Export) []TerraformFile {
	t := newTerraform(e)
	files := []TerraformFile{{"edgeward-providers.tf", t.providers()}}
	if len(e.Certificates)+len(e.Policies)+len(e.Controls) > 0 {
		files = append(files, TerraformFile{"edgeward-shared.tf", t.shared()})
	}
	for _, b := range e.Buckets {
		files = append(files, TerraformFile{"edgeward-bucket-" + t.labels[b.Address] + ".tf", t.bucket(b)})
	}
	return files
}

// TerraformText is all files as one text, as it is printed.
func TerraformText(files []TerraformFile) string {
	var b strings.Builder
	for i, f := range files {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.Write(f.Text)
	}
	return b.String()
}

// terraform writes one export.
type terraform struct {
	e planner.Export
	// labels are the names of buckets' resources, by address.
	labels map[string]string
	// certificates, policies and controls are the labels of shared resources, by
	// account and ARN or ID.
	certificates, policies, controls map[[2]string]string
	// records are the labels that DNS records have already.
	records labelSet
}

func newTerraform(e planner.Export) *terraform {
	t := &terraform{e: e, labels: map[string]string{}, certificates: map[[2]string]string{},
		policies: map[[2]string]string{}, controls: map[[2]string]string{}, records: labelSet{}}
	taken := labelSet{}
	for _, b := range e.Buckets {
		t.labels[b.Address] = taken.take(strings.TrimPrefix(b.Address, "bucket"))
	}
	taken = labelSet{}
	for _, c := range e.Certificates {
		t.certificates[[2]string{c.Account, c.Certificate.ARN}] = taken.take(c.Certificate.Names[0])
	}
	taken = labelSet{}
	for _, p := range e.Policies {
		t.policies[[2]string{p.Account, p.Policy.ID}] = taken.take(p.Account + " " + p.Policy.Name)
	}
	taken = labelSet{}
	for _, c := range e.Controls {
		t.controls[[2]string{c.Account, c.Control.ID}] = taken.take(c.Account + " " + c.Control.Name)
	}
	return t
}

// labelSet are the labels in use.
type labelSet map[string]bool

// take makes a label of text that no other has: letters, digits and underscores,
// not a digit first.
func (s labelSet) take(text string) string {
	stem := tfName(text)
	label := stem
	for i := 2; s[label]; i++ {
		label = fmt.Sprintf("%s_%d", stem, i)
	}
	s[label] = true
	return label
}

func tfName(text string) string {
	text = strings.ReplaceAll(text, "*", "wildcard")
	parts := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool {
		return r != '_' && (r < 'a' || r > 'z') && (r < '0' || r > '9')
	})
	name := strings.Join(parts, "_")
	if name == "" || name[0] >= '0' && name[0] <= '9' {
		name = "_" + name
	}
	return name
}

// providers are the terraform block and a provider for each account and region.
func (t *terraform) providers() []byte {
	f := hclwrite.NewEmptyFile()
	comment(f.Body(), "Written by edgeward export terraform. `terraform plan` has to show imports and no change;",
		"what it wants to change was changed after edgeward made it, or is not edgeward's: look before you apply.")
	f.Body().AppendNewline()
	tf := f.Body().AppendNewBlock("terraform", nil).Body()
	attr(tf, "required_version", ">= 1.5")
	tf.AppendNewline()
	need := tf.AppendNewBlock("required_providers", nil).Body()
	need.SetAttributeValue("aws", cty.ObjectVal(map[string]cty.Value{"source": cty.StringVal("hashicorp/aws"), "version": cty.StringVal(">= 5.100")}))
	flares := t.cloudflares()
	if len(flares) > 0 {
		need.SetAttributeValue("cloudflare", cty.ObjectVal(map[string]cty.Value{"source": cty.StringVal("cloudflare/cloudflare"), "version": cty.StringVal("~> 5.0")}))
	}
	for _, a := range t.e.Accounts {
		for _, region := range t.regions(a.Name) {
			f.Body().AppendNewline()
			t.account(f.Body(), a, region)
		}
	}
	for _, address := range flares {
		f.Body().AppendNewline()
		t.cloudflare(f.Body(), address, len(flares) > 1)
	}
	return hclwrite.Format(f.Bytes())
}

// regions are those of an account's resources: us-east-1, and those of its locked
// buckets.
func (t *terraform) regions(account string) []string {
	all := []string{globalRegion}
	for _, b := range t.e.Buckets {
		if b.Account == account && b.Lock != nil && !slices.Contains(all, b.Region) {
			all = append(all, b.Region)
		}
	}
	slices.Sort(all[1:])
	return all
}

// alias is the alias of the provider for an account and region.
func alias(account, region string) string {
	if account == "" {
		return tfName(region)
	}
	return tfName(account + "_" + region)
}

func (t *terraform) account(body *hclwrite.Body, a planner.ExportAccount, region string) {
	p := body.AppendNewBlock("provider", []string{"aws"}).Body()
	attr(p, "alias", alias(a.Name, region))
	attr(p, "region", region)
	if a.Profile != "" {
		attr(p, "profile", a.Profile)
	}
	if a.ID != "" {
		attr(p, "allowed_account_ids", []string{a.ID})
	}
	if a.RoleARN != "" {
		p.AppendNewline()
		role := p.AppendNewBlock("assume_role", nil).Body()
		attr(role, "role_arn", a.RoleARN)
		if a.ExternalID {
			comment(role, "The role wants an external_id, which edgeward writes nowhere.")
		}
	}
	p.AppendNewline()
	comment(p, "edgeward's own tags are the way back (edgeward rollback) and the record of the",
		"migration. Terraform leaves them alone as long as this stands.")
	attr(p.AppendNewBlock("ignore_tags", nil).Body(), "key_prefixes", []string{providers.TagPrefix})
}

// cloudflares are the addresses of the Cloudflare providers with records here.
func (t *terraform) cloudflares() []string {
	var all []string
	add := func(rs []planner.ExportRecord) {
		for _, r := range rs {
			if r.Type == "cloudflare" && !slices.Contains(all, r.Provider) {
				all = append(all, r.Provider)
			}
		}
	}
	for _, b := range t.e.Buckets {
		add(b.Records)
	}
	for _, c := range t.e.Certificates {
		add(c.Records)
	}
	slices.Sort(all)
	return all
}

// cloudflare is the provider of one dns_provider block. Its token is the
// environment's, or, where there are several, a variable's.
func (t *terraform) cloudflare(body *hclwrite.Body, address string, several bool) {
	if !several {
		comment(body, "The token is the environment's: CLOUDFLARE_API_TOKEN.")
		body.AppendNewBlock("provider", []string{"cloudflare"})
		return
	}
	name := flareAlias(address)
	v := body.AppendNewBlock("variable", []string{name + "_api_token"}).Body()
	attr(v, "description", "the API token of "+address)
	raw(v, "type", "string")
	attr(v, "sensitive", true)
	body.AppendNewline()
	p := body.AppendNewBlock("provider", []string{"cloudflare"}).Body()
	attr(p, "alias", name)
	raw(p, "api_token", "var."+name+"_api_token")
}

// flareAlias is the alias of a Cloudflare provider where there are several.
func flareAlias(address string) string { return tfName(strings.TrimPrefix(address, "dns_provider.")) }

// imported begins a resource with its import block, and gives its body.
func imported(body *hclwrite.Body, kind, label, id, provider string) *hclwrite.Body {
	body.AppendNewline()
	b := body.AppendNewBlock("import", nil).Body()
	raw(b, "to", kind+"."+label)
	attr(b, "id", id)
	body.AppendNewline()
	r := body.AppendNewBlock("resource", []string{kind, label}).Body()
	if provider != "" {
		raw(r, "provider", provider)
	}
	return r
}

// comment writes lines that say nothing to Terraform.
func comment(body *hclwrite.Body, lines ...string) {
	for _, l := range lines {
		l = strings.Map(func(r rune) rune {
			if r < ' ' {
				return ' '
			}
			return r
		}, l)
		body.AppendUnstructuredTokens(hclwrite.Tokens{{Type: hclsyntax.TokenComment, Bytes: []byte("# " + l + "\n")}})
	}
}

// raw sets an attribute to a reference.
func raw(body *hclwrite.Body, name, reference string) {
	body.SetAttributeRaw(name, hclwrite.Tokens{{Type: hclsyntax.TokenIdent, Bytes: []byte(reference)}})
}

// attr sets an attribute to a string, bool, int64, []string or map[string]string.
func attr(body *hclwrite.Body, name string, value any) {
	switch v := value.(type) {
	case string:
		body.SetAttributeValue(name, cty.StringVal(v))
	case bool:
		body.SetAttributeValue(name, cty.BoolVal(v))
	case int64:
		body.SetAttributeValue(name, cty.NumberIntVal(v))
	case []string:
		all := []cty.Value{}
		for _, s := range v {
			all = append(all, cty.StringVal(s))
		}
		body.SetAttributeValue(name, cty.TupleVal(all))
	case map[string]string:
		all := map[string]cty.Value{}
		for k, s := range v {
			all[k] = cty.StringVal(s)
		}
		body.SetAttributeValue(name, cty.ObjectVal(all))
	default:
		panic(fmt.Sprintf("attribute %s: a %T", name, value))
	}
}
