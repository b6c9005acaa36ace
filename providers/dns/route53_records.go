package dns

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/route53/types"

	"github.com/edgeward/edgeward/providers"
)

// recordSet turns Route 53's sets at one name into the port's.
func recordSet(zone, name string, sets []types.ResourceRecordSet) providers.RecordSet {
	out := providers.RecordSet{Name: name, Zone: zone, Other: otherTypes(sets)}
	for _, s := range sets {
		if !addressType(s.Type) {
			continue
		}
		out.Records = append(out.Records, records(s)...)
		if why := routing(s); why != "" && out.Routing == "" {
			out.Routing = fmt.Sprintf("%s %s is %s; its sets cannot be changed as one record", s.Type, name, why)
		}
	}
	providers.SortRecords(out.Records)
	return out
}

// recordSet is the same with the zone's ID.
func (z *zone) recordSet(name string, sets []types.ResourceRecordSet) providers.RecordSet {
	out := recordSet(z.name, name, sets)
	out.ZoneID = z.id
	return out
}

func records(s types.ResourceRecordSet) []providers.Record {
	if a := s.AliasTarget; a != nil {
		return []providers.Record{{Type: string(s.Type), Value: unescape(clean(aws.ToString(a.DNSName))), Alias: true,
			AliasZone: aws.ToString(a.HostedZoneId), EvaluateHealth: a.EvaluateTargetHealth}}
	}
	var rs []providers.Record
	for _, v := range s.ResourceRecords {
		rs = append(rs, cleanRecord(providers.Record{Type: string(s.Type), Value: aws.ToString(v.Value),
			TTL: time.Duration(aws.ToInt64(s.TTL)) * time.Second}))
	}
	return rs
}

// routing says which routing policy a set has, "" for simple routing.
func routing(s types.ResourceRecordSet) string {
	switch {
	case s.Weight != nil:
		return "one of several weighted record sets"
	case s.Region != "":
		return "one of several latency record sets"
	case s.Failover != "":
		return "one of several failover record sets"
	case s.GeoLocation != nil, s.GeoProximityLocation != nil:
		return "one of several record sets by location"
	case s.CidrRoutingConfig != nil:
		return "one of several record sets by address range"
	case s.MultiValueAnswer != nil && *s.MultiValueAnswer:
		return "one of several multivalue record sets"
	case s.SetIdentifier != nil:
		return "one of several record sets with identifiers"
	case s.TrafficPolicyInstanceId != nil:
		return "made by a traffic policy"
	case s.HealthCheckId != nil:
		return "tied to a health check"
	}
	return ""
}

// cleanRecord is r with its value as the ports compare values.
func cleanRecord(r providers.Record) providers.Record {
	r.Value = clean(strings.TrimSpace(r.Value))
	if r.Type == "CNAME" {
		r.Value = unescape(r.Value)
	}
	if a, err := netip.ParseAddr(r.Value); err == nil && r.Type == "AAAA" {
		r.Value = a.String()
	}
	return r
}

func cleanRecords(rs []providers.Record) []providers.Record {
	out := make([]providers.Record, len(rs))
	for i, r := range rs {
		out[i] = cleanRecord(r)
	}
	return out
}

// writable says whether Route 53 can hold want at name. ErrInvalid.
func writable(zone, name string, want []providers.Record) error {
	byType := map[string]providers.Record{}
	for _, r := range want {
		first, more := byType[r.Type]
		switch {
		case r.Type != "CNAME" && r.Type != "A" && r.Type != "AAAA":
			return fmt.Errorf("%s is no address record: %w", r, providers.ErrInvalid)
		case r.Proxied:
			return fmt.Errorf("%s cannot be: Route 53 has no proxied records: %w", r, providers.ErrInvalid)
		case r.Value == "":
			return fmt.Errorf("%s has no value: %w", r, providers.ErrInvalid)
		case r.Type == "CNAME" && name == zone:
			return fmt.Errorf("%s is the top of its zone, where no CNAME can stand; use alias records (A and AAAA): %w", name, providers.ErrInvalid)
		case r.Type == "CNAME" && r.Alias:
			return fmt.Errorf("%s cannot be: an alias has the type A or AAAA: %w", r, providers.ErrInvalid)
		case r.Alias && aliasZone(r) == "":
			return fmt.Errorf("alias target %s: its hosted zone is not known: %w", r.Value, providers.ErrInvalid)
		case more && (r.Type == "CNAME" || r.Alias || first.Alias || r.TTL != first.TTL):
			return fmt.Errorf("%s and %s cannot stand together: %w", first, r, providers.ErrInvalid)
		}
		byType[r.Type] = r
	}
	if _, cname := byType["CNAME"]; cname && len(byType) > 1 {
		return fmt.Errorf("a CNAME of %s cannot stand beside other records: %w", name, providers.ErrInvalid)
	}
	return nil
}

// aliasZone is the hosted zone of an alias' target; the one of CloudFront is
// the same for all distributions.
func aliasZone(r providers.Record) string {
	if r.AliasZone == "" && strings.HasSuffix(r.Value, ".cloudfront.net") {
		return cloudFrontZone
	}
	return r.AliasZone
}

// wanted are the record sets that say want.
func wanted(name string, want []providers.Record) []types.ResourceRecordSet {
	var sets []types.ResourceRecordSet
	for _, r := range want {
		if r.Alias {
			sets = append(sets, types.ResourceRecordSet{Name: aws.String(name + "."), Type: types.RRType(r.Type),
				AliasTarget: &types.AliasTarget{DNSName: aws.String(r.Value + "."), HostedZoneId: aws.String(aliasZone(r)),
					EvaluateTargetHealth: r.EvaluateHealth}})
			continue
		}
		value := types.ResourceRecord{Value: aws.String(r.Value)}
		if r.Type == "CNAME" {
			value.Value = aws.String(r.Value + ".")
		}
		i := slices.IndexFunc(sets, func(s types.ResourceRecordSet) bool { return string(s.Type) == r.Type })
		if i >= 0 {
			sets[i].ResourceRecords = append(sets[i].ResourceRecords, value)
			continue
		}
		sets = append(sets, types.ResourceRecordSet{Name: aws.String(name + "."), Type: types.RRType(r.Type),
			TTL: aws.Int64(int64(r.TTL / time.Second)), ResourceRecords: []types.ResourceRecord{value}})
	}
	return sets
}

// sameRecords compares what stands with what a caller said, an alias zone left
// out by the caller being the known one.
func sameRecords(stands, said []providers.Record) bool {
	said = slices.Clone(said)
	for i, r := range said {
		if r.Alias {
			said[i].AliasZone = aliasZone(r)
		}
	}
	return providers.SameRecords(stands, said)
}
