package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// readNames finds the names that visitors use and matches each to a provider.
func (l *loader) readNames(b *hclsyntax.Block, own, both block, pb *placedBucket, c *Config, used map[*hclsyntax.Block]bool) {
	items := l.readCNAMEs(own, pb)
	chosen, chosenAt := both.ref("dns_provider", "dns_provider", "dns_provider.TYPE.NAME")
	single := l.readCNAMEBlocks(b, own, items, used)
	for i, it := range items {
		if j := slices.IndexFunc(items[:i], func(o item) bool { return o.text == it.text }); j >= 0 {
			l.errorf(it.at, "Duplicate name", "%q is in cnames twice. Write it once.", it.text)
			continue
		}
		cn := CNAME{Name: it.text}
		switch s := single[it.text]; {
		case s.ref != nil:
			l.matchTo(&cn, s.ref.name, s.at, c)
		case chosen != nil:
			l.matchTo(&cn, chosen.name, chosenAt, c)
		default:
			l.match(&cn, it.at, c)
		}
		pb.CNAMEs = append(pb.CNAMEs, cn)
		pb.cnameAt = append(pb.cnameAt, it.at)
	}
	if len(items) > maxNames {
		l.errorf(items[maxNames].at, "Too many names", "The bucket has %d names; a distribution can have %d.", len(items), maxNames)
	}
}

// readCNAMEs are the names written in cnames, or the bucket's own.
func (l *loader) readCNAMEs(own block, pb *placedBucket) []item {
	before := len(l.diags)
	if !isSet(own, "cnames") {
		if pb.Name == "" {
			return nil
		}
		if f := hostName(pb.Name); f != nil {
			f.detail += " The bucket's name is the name that visitors use when cnames is left out."
			l.report(hcl.DiagError, pb.nameAt, f)
			return nil
		}
		return []item{{pb.Name, pb.nameAt}}
	}
	items, set := own.list("cnames", shown, hostName)
	if set && len(items) == 0 && len(l.diags) == before {
		_, at, _ := own.value("cnames", anyType(), shown)
		l.errorf(at, "No names", "cnames is empty. Write at least one name, or leave it out for the bucket's own.")
	}
	return items
}

// placedRef is a reference and where it stands.
type placedRef struct {
	ref *reference
	at  place
}

// readCNAMEBlocks reads the cname blocks of a bucket, by name. used gets those
// whose name the bucket has.
func (l *loader) readCNAMEBlocks(b *hclsyntax.Block, own block, items []item, used map[*hclsyntax.Block]bool) map[string]placedRef {
	out := map[string]placedRef{}
	first := map[string]*hclsyntax.Block{}
	for _, n := range b.Body.Blocks {
		if n.Type != "cname" || len(n.Labels) != 1 {
			continue
		}
		name := n.Labels[0]
		if f := first[name]; f != nil {
			used[n] = true
			l.errorf(place{rng: n.DefRange()}, "Duplicate cname block", "The block for %q stands already at %s. Write one.", name, where(f.DefRange()))
			continue
		}
		first[name] = n
		v := block{l: l, at: n.DefRange(), layers: []layer{{n.Body, own.layers[0].ctx}}}
		if !anySet(v, "dns_provider") {
			l.errorf(place{rng: n.DefRange()}, "Missing argument", "A cname block says who holds the name's record: dns_provider = dns_provider.TYPE.NAME.")
		}
		if !slices.ContainsFunc(items, func(it item) bool { return it.text == name }) {
			continue
		}
		used[n] = true
		r, at := v.ref("dns_provider", "dns_provider", "dns_provider.TYPE.NAME")
		out[name] = placedRef{r, at}
	}
	return out
}

// matchTo gives a name to the provider that was written for it.
func (l *loader) matchTo(cn *CNAME, address string, at place, c *Config) {
	cn.DNSProvider = address
	i := slices.IndexFunc(c.DNSProviders, func(p DNSProvider) bool { return p.Address == address })
	if i < 0 {
		return
	}
	cn.Zone = longestZone(cn.Name, c.DNSProviders[i].Zones)
	if cn.Zone == "" && !l.zonesBroken() {
		l.errorf(at, "Name is not in the provider's zones",
			"%q is in none of the zones of %s: %s. Choose the provider that holds it, or add its zone there.", cn.Name, address, zoneList(c.DNSProviders[i:i+1]))
	}
}

// match gives a name to the provider with the longest zone that holds it.
func (l *loader) match(cn *CNAME, at place, c *Config) {
	for _, p := range c.DNSProviders {
		if z := longestZone(cn.Name, p.Zones); len(z) > len(cn.Zone) {
			cn.DNSProvider, cn.Zone = p.Address, z
		}
	}
	if cn.Zone != "" || l.zonesBroken() {
		return
	}
	if len(c.DNSProviders) == 0 {
		l.report(hcl.DiagError, at, flawf("Name is in no zone",
			"%q needs a DNS provider, and there is none. Write dns_provider \"route53\" \"main\" { zones = [%q] }, with the zone that holds the name.", cn.Name, parentName(cn.Name)))
		return
	}
	l.reportAlike("zone "+parentName(cn.Name), at, flawf("Name is in no zone",
		"%q is in no zone of any dns_provider. The zones are %s. Add the name's zone to the provider that holds it.", cn.Name, zoneList(c.DNSProviders)))
}

func zoneList(ps []DNSProvider) string {
	var zones []string
	for _, p := range ps {
		zones = append(zones, p.Zones...)
	}
	slices.Sort(zones)
	const most = 10
	if len(zones) > most {
		return fmt.Sprintf("%s and %d more", quoted(zones[:most]), len(zones)-most)
	}
	return quoted(zones)
}

// zonesBroken says whether a zone may be missing because of another error.
func (l *loader) zonesBroken() bool {
	for _, byName := range l.dns {
		for _, d := range byName {
			if d.broken {
				return true
			}
		}
	}
	// A dns_provider that could not be declared at all has zones too.
	n := 0
	for _, byName := range l.dns {
		n += len(byName)
	}
	return n < len(l.blocks["dns_provider"])
}

// parentName is a guess at the zone of a name: all but its first label, or
// the name when only a top-level domain would be left.
func parentName(name string) string {
	_, parent, _ := strings.Cut(name, ".")
	if !strings.Contains(parent, ".") {
		return name
	}
	return parent
}

// checkUnique reports what only one bucket can have.
func (l *loader) checkUnique(all []placedBucket) {
	buckets, names, adopted := map[string]placedBucket{}, map[string]placedBucket{}, map[string]placedBucket{}
	for _, b := range all {
		if first, ok := buckets[b.Name]; ok && b.Name != "" {
			l.errorf(b.nameAt, "Duplicate bucket",
				"The S3 bucket %q of %s is %s already, at %s. Write all its names into one block's cnames.", b.Name, b.Address, first.Address, where(first.nameAt.rng))
		} else {
			buckets[b.Name] = b
		}
		for i, cn := range b.CNAMEs {
			first, ok := names[cn.Name]
			if !ok {
				names[cn.Name] = b
				continue
			}
			if first.Name == b.Name && b.Name == cn.Name {
				continue // The same bucket twice is said already.
			}
			l.errorf(b.cnameAt[i], "Name in two buckets",
				"%q of %s is a name of %s already, at %s. CloudFront serves a name from one distribution; leave it in one bucket.", cn.Name, b.Address, first.Address, where(first.Range))
		}
		id := b.Distribution.Adopt
		if first, ok := adopted[id]; ok && id != "" {
			l.errorf(b.adoptAt, "Distribution adopted twice", "%s adopts %s already. Each bucket has a distribution of its own.", first.Address, id)
			continue
		}
		adopted[id] = b
	}
}
