package config

import (
	"fmt"
	"slices"

	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// shape is what a body may hold. Nothing is accepted that has no effect.
type shape struct {
	// what names the body in messages.
	what  string
	attrs []string
	// blocks maps the types of nested blocks to their number of labels.
	blocks map[string]int
	// order is the blocks in the order in which messages list them.
	order []string
	// repeated are the nested blocks that may stand more than once.
	repeated []string
}

func topShape() shape {
	return shape{
		what: "a configuration file",
		blocks: map[string]int{
			"variable": 1, "locals": 0, "aws": 1, "dns_provider": 2, "bucket": 1,
			"defaults": 0, "probe": 0, "rollout": 0, "limits": 0, "run_lock": 0,
		},
		order: []string{"variable", "locals", "aws", "dns_provider", "bucket", "defaults", "probe", "rollout", "limits", "run_lock"},
		// What may stand once in all files is checked over all files.
		repeated: []string{"variable", "locals", "aws", "dns_provider", "bucket", "defaults", "probe", "rollout", "limits", "run_lock"},
	}
}

func labels(typ string) []string {
	switch typ {
	case "dns_provider":
		return []string{"TYPE", "NAME"}
	case "bucket":
		return []string{"LABEL"}
	default:
		return []string{"NAME"}
	}
}

// checkShape reports attributes and blocks that a body may not hold, wrong
// numbers of labels, and nested blocks that stand twice.
func (l *loader) checkShape(body *hclsyntax.Body, s shape) {
	for _, name := range sortedKeys(body.Attributes) {
		a := body.Attributes[name]
		if slices.Contains(s.attrs, name) {
			continue
		}
		at := place{rng: a.NameRange}
		switch _, isBlock := s.blocks[name]; {
		case isBlock:
			l.errorf(at, "Unsupported argument", "%q is a block: write %s { … } without the equals sign.", name, name)
		case len(s.attrs) == 0:
			l.errorf(at, "Unsupported argument", "There is no argument %q in %s, only blocks. %s", name, s.what, suggest(name, s.order, "block"))
		default:
			l.errorf(at, "Unsupported argument", "There is no argument %q in %s. %s", name, s.what, suggest(name, s.attrs, "argument"))
		}
	}
	first := map[string]*hclsyntax.Block{}
	for _, b := range body.Blocks {
		if !l.checkBlock(b, s) || slices.Contains(s.repeated, b.Type) {
			continue
		}
		if f := first[b.Type]; f != nil {
			l.errorf(place{rng: b.DefRange()}, "Duplicate "+b.Type+" block",
				"%s can have one %s block; the first stands at %s. Move its settings there.", capital(s.what), b.Type, where(f.DefRange()))
			continue
		}
		first[b.Type] = b
	}
}

// checkBlock says whether a block of this type and with these labels may stand
// in a body of the shape, and reports what is wrong.
func (l *loader) checkBlock(b *hclsyntax.Block, s shape) bool {
	n, known := s.blocks[b.Type]
	switch {
	case !known && slices.Contains(s.attrs, b.Type):
		l.errorf(place{rng: b.TypeRange}, "Unsupported block", "%q is an argument: write %s = … with an equals sign.", b.Type, b.Type)
	case !known && len(s.order) == 0:
		l.errorf(place{rng: b.TypeRange}, "Unsupported block", "There is no block %q in %s, only arguments: %s.", b.Type, s.what, quoted(s.attrs))
	case !known:
		l.errorf(place{rng: b.TypeRange}, "Unsupported block", "There is no block %q in %s. %s", b.Type, s.what, suggest(b.Type, s.order, "block"))
	case len(b.Labels) != n:
		l.errorf(place{rng: b.DefRange()}, "Wrong number of labels",
			"A %s block has %s: write %s.", b.Type, count(n, "label"), header(b.Type, n))
	}
	return known && len(b.Labels) == n
}

func header(typ string, n int) string {
	s := typ
	for _, l := range labels(typ)[:min(n, len(labels(typ)))] {
		s += fmt.Sprintf(" %q", l)
	}
	return s + " { … }"
}

func count(n int, what string) string {
	switch n {
	case 0:
		return "no " + what
	case 1:
		return "one " + what
	default:
		return fmt.Sprintf("%d %ss", n, what)
	}
}
