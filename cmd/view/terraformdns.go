package view

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2/hclwrite"

	"github.com/edgeward/edgeward/planner"
	"github.com/edgeward/edgeward/providers"
)

// cloudFrontZone is the hosted zone of every distribution's domain [Route 53 API:
// AliasTarget].
const cloudFrontZone = "Z2FDTNDATAQYW2"

// route53 writes a resource for each type at a name. The import ID is
// ZONEID_NAME_TYPE [Terraform AWS provider: aws_route53_record].
func (t *terraform) route53(body *hclwrite.Body, r planner.ExportRecord, distribution, domain string) {
	for _, typ := range []string{"CNAME", "A", "AAAA"} {
		var set []providers.Record
		for _, one := range r.Set.Records {
			if one.Type == typ {
				set = append(set, one)
			}
		}
		if len(set) == 0 {
			continue
		}
		b := imported(body, "aws_route53_record", t.recordLabel(r.Set, typ), r.Set.ZoneID+"_"+r.Set.Name+"_"+typ, "aws."+alias(r.Account, globalRegion))
		attr(b, "zone_id", r.Set.ZoneID)
		attr(b, "name", r.Set.Name)
		attr(b, "type", typ)
		if first := set[0]; first.Alias {
			b.AppendNewline()
			a := b.AppendNewBlock("alias", nil).Body()
			target(a, "name", first.Value, distribution, domain)
			if first.AliasZone == cloudFrontZone && sameTarget(first.Value, distribution, domain) {
				raw(a, "zone_id", distribution+".hosted_zone_id")
			} else {
				attr(a, "zone_id", first.AliasZone)
			}
			attr(a, "evaluate_target_health", first.EvaluateHealth)
			continue
		}
		attr(b, "ttl", int64(set[0].TTL/time.Second))
		if len(set) == 1 && sameTarget(set[0].Value, distribution, domain) {
			raw(b, "records", `["${`+distribution+`.domain_name}."]`)
			continue
		}
		var values []string
		for _, one := range set {
			if typ == "CNAME" {
				one.Value += "." // as edgeward writes it, and Route 53 keeps it
			}
			values = append(values, one.Value)
		}
		slices.Sort(values)
		attr(b, "records", values)
	}
}

// flare writes a resource for each record: the import ID is ZONEID/RECORDID, the
// TTL of a proxied record is 1, automatic [Terraform Cloudflare provider, version
// 5: cloudflare_dns_record].
func (t *terraform) flare(body *hclwrite.Body, r planner.ExportRecord, distribution, domain string) {
	provider := ""
	if len(t.cloudflares()) > 1 {
		provider = "cloudflare." + flareAlias(r.Provider)
	}
	for i, one := range r.Set.Records {
		if i >= len(r.Set.IDs) {
			break
		}
		b := imported(body, "cloudflare_dns_record", t.recordLabel(r.Set, one.Type), r.Set.ZoneID+"/"+r.Set.IDs[i], provider)
		attr(b, "zone_id", r.Set.ZoneID)
		attr(b, "name", r.Set.Name)
		attr(b, "type", one.Type)
		target(b, "content", one.Value, distribution, domain)
		ttl := max(1, int64(one.TTL/time.Second))
		if ttl == cloudflareAuto {
			comment(b, "300 is also how edgeward reads a TTL that is automatic; if it is, write 1.")
		}
		attr(b, "ttl", ttl)
		attr(b, "proxied", one.Proxied)
	}
}

// cloudflareAuto is what an automatic TTL is read as, in seconds.
const cloudflareAuto = 300

// recordLabel is the label of a record's resource.
func (t *terraform) recordLabel(set providers.RecordSet, typ string) string {
	return t.records.take(cmp.Or(set.Name, set.Zone) + "_" + typ)
}

// target sets an attribute to a name, by reference where it is the
// distribution's.
func target(b *hclwrite.Body, name, value, distribution, domain string) {
	if sameTarget(value, distribution, domain) {
		raw(b, name, distribution+".domain_name")
		return
	}
	attr(b, name, value)
}

func sameTarget(value, distribution, domain string) bool {
	return distribution != "" && strings.EqualFold(value, domain)
}

// TerraformLeft says which buckets are not exported, and why, a line each.
func TerraformLeft(e planner.Export) string {
	var b strings.Builder
	for _, l := range e.Left {
		fmt.Fprintf(&b, "%s is not exported: %s\n", l.Address, l.Why)
	}
	return b.String()
}
