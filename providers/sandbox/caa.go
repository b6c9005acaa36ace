package sandbox

import (
	"slices"
	"strings"
	"time"
)

// SetOther makes values the records of a type without an address, such as CAA,
// at name; none removes them. The name servers know at once.
func (w *World) SetOther(address, name, typ string, values ...string) {
	w.edit(func(time.Time) {
		z := w.dns[address].zoneOf(name)
		n := z.nodes[name]
		if n == nil {
			n = &node{versions: []version{{}}}
			z.nodes[name] = n
		}
		for i := range n.versions {
			v := &n.versions[i]
			v.other = slices.DeleteFunc(slices.Clone(v.other), func(t string) bool { return t == typ })
			if len(values) > 0 {
				v.other = append(v.other, typ)
				slices.Sort(v.other)
			}
		}
		n.values = without(n.values, typ)
		for _, value := range values {
			n.values = append(n.values, typed{typ, value})
		}
	})
}

// typed is a record without an address.
type typed struct{ typ, value string }

func without(vs []typed, typ string) []typed {
	return slices.DeleteFunc(slices.Clone(vs), func(v typed) bool { return v.typ == typ })
}

// forbidden is whether CAA records keep Amazon from issuing for name: the set
// nearest to it, its CNAME followed first, has issue properties, and none of
// Amazon's [RFC 8659; ACM User Guide, "Configure a CAA record"].
func (w *World) forbidden(name string) bool {
	for name = strings.TrimPrefix(name, "*."); name != ""; _, name, _ = strings.Cut(name, ".") {
		set := w.caa(name, 8)
		if len(set) == 0 {
			continue
		}
		limits := false
		for _, v := range set {
			f := strings.SplitN(v, " ", 3)
			if len(f) < 3 || f[1] != "issue" {
				continue
			}
			limits = true
			issuer, _, _ := strings.Cut(strings.Trim(f[2], `"`), ";")
			switch strings.TrimSpace(issuer) {
			case "amazon.com", "amazontrust.com", "awstrust.com", "amazonaws.com":
				return false
			}
		}
		return limits
	}
	return false
}

func (w *World) caa(name string, hops int) []string {
	z := w.zoneOf(name)
	if z == nil || hops == 0 {
		return nil
	}
	if rs := z.latest(name).records; len(rs) == 1 && rs[0].Type == "CNAME" && !rs[0].Alias && !rs[0].Proxied {
		return w.caa(rs[0].Value, hops-1)
	}
	var out []string
	if n := z.nodes[name]; n != nil {
		for _, v := range n.values {
			if v.typ == "CAA" {
				out = append(out, v.value)
			}
		}
	}
	return out
}
