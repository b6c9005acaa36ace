package config

import (
	"cmp"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// reference is the value of aws.NAME and dns_provider.TYPE.NAME.
type reference struct {
	// kind is the block's type; name is the label of an aws block or the
	// address of a dns_provider.
	kind, name string
}

// refType is the type of references in expressions.
var refType = cty.Capsule("reference", reflect.TypeFor[reference]())

func refValue(kind, name string) cty.Value {
	return cty.CapsuleVal(refType, &reference{kind, name})
}

// ref is an attribute that refers to a block of a kind; nil when it is not set
// or wrong.
func (b block) ref(name, kind, form string) (*reference, place) {
	v, at, ok := b.value(name, cty.DynamicPseudoType, shown)
	if !ok {
		return nil, at
	}
	if v.Type() == refType {
		if r := v.EncapsulatedValue().(*reference); r.kind == kind {
			return r, at
		}
	}
	b.l.errorf(at, "Wrong type of value", "%q refers to a block: write %s = %s, without quotes.", name, name, form)
	return nil, at
}

func (b block) accountRef(name string) (string, place) {
	r, at := b.ref(name, "aws", "aws.NAME")
	if r == nil {
		return "", at
	}
	return r.name, at
}

// dnsBlock is one dns_provider block.
type dnsBlock struct {
	block    *hclsyntax.Block
	provider DNSProvider
	// broken: the zones are not all known, so that a name without a zone may be
	// no fault of its own.
	broken bool
}

// identifier reports a label that could not be written in a reference.
func (l *loader) identifier(b *hclsyntax.Block, i int, form string) bool {
	if hclsyntax.ValidIdentifier(b.Labels[i]) {
		return true
	}
	l.errorf(place{rng: b.LabelRanges[i]}, "Invalid label",
		"%q cannot be written in a reference, %s. Use letters, digits, _ and -, beginning with a letter.", b.Labels[i], form)
	return false
}

func (l *loader) declareAccounts() {
	for _, b := range l.blocks["aws"] {
		name := b.Labels[0]
		if !l.identifier(b, 0, "aws.NAME") {
			continue
		}
		if first := l.accounts[name]; first != nil {
			l.errorf(place{rng: b.DefRange()}, "Duplicate aws block",
				"aws %q is defined already at %s. Rename one of them.", name, where(first.DefRange()))
			continue
		}
		l.accounts[name] = b
	}
}

func (l *loader) accountsObject() cty.Value {
	values := map[string]cty.Value{}
	for name := range l.accounts {
		values[name] = refValue("aws", name)
	}
	return cty.ObjectVal(values)
}

func (l *loader) readAccounts() []Account {
	var out []Account
	for _, name := range sortedKeys(l.accounts) {
		b := l.accounts[name]
		l.checkShape(b.Body, shape{what: "an aws block",
			attrs: []string{"profile", "role_arn", "external_id", "region", "default_tags"}})
		v := block{l: l, at: b.DefRange(), layers: []layer{{b.Body, l.ctx}}}
		a := Account{
			Name:       name,
			Profile:    deref(v.text("profile", notEmpty("profile"))),
			RoleARN:    deref(v.text("role_arn", roleARN)),
			ExternalID: deref(v.secret("external_id", notEmpty("external_id"))),
			Region:     deref(v.text("region", region)),
		}
		a.DefaultTags, _ = v.stringMap("default_tags", tagFlaw)
		if a.ExternalID != "" && b.Body.Attributes["role_arn"] == nil {
			l.errorf(place{rng: b.Body.Attributes["external_id"].NameRange}, "Missing argument",
				"external_id is sent when a role is assumed: write role_arn too, or leave it out.")
		}
		out = append(out, a)
	}
	return out
}

// defaultAccount adds the SDK's default chain when something uses it.
func (l *loader) defaultAccount(c *Config) {
	used := slices.ContainsFunc(c.Buckets, func(b Bucket) bool { return b.Account == "" })
	used = used || c.RunLock != nil && c.RunLock.Account == "" || l.bare && len(c.Accounts) == 0
	for _, p := range c.DNSProviders {
		t, _ := l.dnsType(p.Type)
		if p.Account == "" && slices.ContainsFunc(t.Settings, func(s Setting) bool { return s.Account }) {
			used = true
		}
	}
	if used {
		c.Accounts = slices.Insert(c.Accounts, 0, Account{})
	}
}

func (l *loader) declareProviders() {
	for _, b := range l.blocks["dns_provider"] {
		typ, name := b.Labels[0], b.Labels[1]
		if !l.identifier(b, 0, "dns_provider.TYPE.NAME") || !l.identifier(b, 1, "dns_provider.TYPE.NAME") {
			continue
		}
		address := "dns_provider." + typ + "." + name
		if first := l.dns[typ][name]; first != nil {
			l.errorf(place{rng: b.DefRange()}, "Duplicate dns_provider block",
				"%s is defined already at %s. Rename one of them.", address, where(first.block.DefRange()))
			continue
		}
		if l.dns[typ] == nil {
			l.dns[typ] = map[string]*dnsBlock{}
		}
		l.dns[typ][name] = &dnsBlock{block: b, provider: DNSProvider{Address: address, Type: typ, Name: name, Range: b.DefRange()}}
	}
}

func (l *loader) providersObject() cty.Value {
	types := map[string]cty.Value{}
	for typ, byName := range l.dns {
		names := map[string]cty.Value{}
		for name, d := range byName {
			names[name] = refValue("dns_provider", d.provider.Address)
		}
		types[typ] = cty.ObjectVal(names)
	}
	return cty.ObjectVal(types)
}

func (l *loader) readProviders() []DNSProvider {
	var out []DNSProvider
	holder := map[string]string{}
	for _, typ := range sortedKeys(l.dns) {
		for _, name := range sortedKeys(l.dns[typ]) {
			d := l.dns[typ][name]
			l.readProvider(d, holder)
			out = append(out, d.provider)
		}
	}
	slices.SortFunc(out, func(a, b DNSProvider) int { return cmp.Compare(a.Address, b.Address) })
	return out
}

// readProvider fills one provider; holder maps the zones seen so far to the
// addresses of their providers.
func (l *loader) readProvider(d *dnsBlock, holder map[string]string) {
	p := &d.provider
	v := block{l: l, at: d.block.DefRange(), layers: []layer{{d.block.Body, l.ctx}}}
	before := len(l.diags)
	zones, set := v.list("zones", shown, zoneName)
	if !set && len(l.diags) == before {
		l.errorf(place{rng: v.at}, "Missing argument", "Write the zones that %s serves: zones = [\"example.com\"].", p.Address)
	} else if set && len(zones) == 0 && len(l.diags) == before {
		l.errorf(place{rng: v.at}, "No zones", "The list zones of %s is empty. Write at least one: zones = [\"example.com\"].", p.Address)
	}
	d.broken = len(l.diags) > before
	for _, z := range zones {
		switch first := holder[z.text]; {
		case first == p.Address:
			l.errorf(z.at, "Duplicate zone", "%q is in the list twice. Write it once.", z.text)
		case first != "":
			l.errorf(z.at, "Zone at two providers", "%q is a zone of %s already. Leave it to the provider where its records are edited.", z.text, first)
		default:
			holder[z.text] = p.Address
			p.Zones = append(p.Zones, z.text)
		}
	}
	servers, _ := v.list("nameservers", shown, nameserver)
	p.Nameservers = texts(servers)
	l.readSettings(d, v)
}

func deref[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

func notEmpty(name string) rule {
	return func(s string) *flaw {
		if strings.TrimSpace(s) == "" {
			return flawf("Empty value", "%q is empty. Write its value, or leave it out.", name)
		}
		return nil
	}
}

var (
	regionForm = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-[0-9]+$`)
	roleForm   = regexp.MustCompile(`^arn:aws[a-z-]*:iam::[0-9]{12}:role/[\w+=,.@/-]+$`)
)

// region judges the form of a region's name, not whether AWS has it.
func region(s string) *flaw {
	if regionForm.MatchString(s) {
		return nil
	}
	return flawf("Invalid region", "%q is not a region's name. Write one such as \"eu-west-1\".", s)
}

// filled is rule, with what to write where a field of a CSV file may be empty.
func filled(attribute string, r rule) rule {
	return func(s string) *flaw {
		if s == "" {
			return flawf("Invalid "+attribute, "The text is empty. Leave %[1]s out, or write null; where rows may have none: %[1]s = each.value.%[1]s == \"\" ? null : each.value.%[1]s.", attribute)
		}
		return r(s)
	}
}

// knownRegion warns of a region that AWS had not when this was written. It may be
// new, so it is no error.
func (l *loader) knownRegion(b block, name string) {
	if name == "" || slices.Contains(regions(), name) {
		return
	}
	hint := "If it is new, all is well; S3 is asked for the region when it is left out."
	if near := DidYouMean(name, regions()); near != "" {
		hint = fmt.Sprintf("Did you mean %q?", near)
	}
	_, at, _ := b.value("region", cty.String, shown)
	l.warnf(at, "Unknown region", "edgeward knows no region %q. %s", name, hint)
}

// regions are those of all partitions [aws-sdk-go-v2, the partitions' metadata].
func regions() []string {
	return strings.Fields(`
		af-south-1 ap-east-1 ap-east-2 ap-northeast-1 ap-northeast-2 ap-northeast-3 ap-south-1 ap-south-2 ap-southeast-1
		ap-southeast-2 ap-southeast-3 ap-southeast-4 ap-southeast-5 ap-southeast-6 ap-southeast-7 ca-central-1 ca-west-1
		cn-north-1 cn-northwest-1 eu-central-1 eu-central-2 eu-isoe-west-1 eu-north-1 eu-south-1 eu-south-2 eu-west-1 eu-west-2
		eu-west-3 eusc-de-east-1 il-central-1 me-central-1 me-south-1 mx-central-1 sa-east-1 us-east-1 us-east-2
		us-gov-east-1 us-gov-west-1 us-iso-east-1 us-iso-west-1 us-isob-east-1 us-isob-west-1 us-isof-east-1 us-isof-south-1
		us-west-1 us-west-2`)
}

func roleARN(s string) *flaw {
	if roleForm.MatchString(s) {
		return nil
	}
	return flawf("Invalid role ARN", "%q is not the ARN of a role. Write \"arn:aws:iam::123456789012:role/NAME\".", s)
}

// mergedTags are the bucket's tags over the account's default_tags.
func mergedTags(c *Config, account string, own map[string]string) map[string]string {
	i := slices.IndexFunc(c.Accounts, func(a Account) bool { return a.Name == account })
	if i < 0 || len(c.Accounts[i].DefaultTags) == 0 {
		return own
	}
	tags := maps.Clone(c.Accounts[i].DefaultTags)
	maps.Copy(tags, own)
	return tags
}
