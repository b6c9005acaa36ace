package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// A finding that many buckets have is said once: a forgotten zone, or a mistake in
// one line of a block with for_each, is one thing to mend.

// separate is how many findings of one kind stand by themselves, and addressed how
// many addresses a finding names.
const (
	separate  = 3
	addressed = 5
)

// finding is a diagnostic, and the instances of a for_each that it is about.
type finding struct {
	*hcl.Diagnostic
	addresses []string
}

func (f *finding) also(address string) {
	if f.addresses != nil && address == "" || slices.Contains(f.addresses[max(0, len(f.addresses)-1):], address) {
		return
	}
	f.addresses = append(f.addresses, address)
}

// group are findings that differ in the bucket alone.
type group struct {
	findings []*finding
	// owners are the addresses of their buckets.
	owners []string
}

// alike puts f, which is about the bucket that is being read, to those of the same
// key.
func (l *loader) alike(key string, f *finding) {
	g := l.groups[key]
	if g == nil {
		g = &group{}
		l.groups[key] = g
	}
	g.findings = append(g.findings, f)
	g.owners = append(g.owners, l.address)
}

// reportAlike is report for an error that buckets of different blocks may have for
// one reason, which key names.
func (l *loader) reportAlike(key string, at place, fl *flaw) {
	before := len(l.diags)
	many := l.many
	l.many = false
	l.report(hcl.DiagError, at, fl)
	l.many = many
	if len(l.diags) > before {
		l.alike(key, &finding{Diagnostic: l.diags[before]})
	}
}

// gather leaves one finding of each large group, which counts the others, and says
// which instances of a for_each a finding is about.
func (l *loader) gather() {
	gone := map[*hcl.Diagnostic]bool{}
	for _, g := range l.groups {
		if len(g.findings) <= separate {
			for _, f := range g.findings {
				if f.addresses != nil {
					f.Detail += " It is so for " + firstOf(f.addresses) + "."
				}
			}
			continue
		}
		first := g.findings[0]
		first.Detail += fmt.Sprintf(" It is alike for %d more: %s.", len(g.findings)-1, firstOf(g.owners[1:]))
		for _, f := range g.findings[1:] {
			gone[f.Diagnostic] = true
		}
	}
	l.diags = slices.DeleteFunc(l.diags, func(d *hcl.Diagnostic) bool { return gone[d] })
}

func firstOf(addresses []string) string {
	if more := len(addresses) - addressed; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(addresses[:addressed], ", "), more)
	}
	return strings.Join(addresses, ", ")
}
