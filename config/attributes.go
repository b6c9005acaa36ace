package config

import (
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// layer is one body and the names that its expressions see.
type layer struct {
	body *hclsyntax.Body
	ctx  *hcl.EvalContext
}

// block is a view on one or more bodies, such as a bucket's over the
// defaults': an attribute is taken from the first body that sets it.
type block struct {
	l *loader
	// at is where findings about a missing attribute point at.
	at     hcl.Range
	layers []layer
}

// sub is the view on the nested blocks of a type; at stays the outer one's
// when there is none.
func (b block) sub(typ string) block {
	s := block{l: b.l, at: b.at}
	for _, ly := range b.layers {
		for _, n := range ly.body.Blocks {
			if n.Type == typ {
				if len(s.layers) == 0 {
					s.at = n.DefRange()
				}
				s.layers = append(s.layers, layer{n.Body, ly.ctx})
				break
			}
		}
	}
	return s
}

// exists says whether any of the bodies stands in the files.
func (b block) exists() bool { return len(b.layers) > 0 }

// secrecy says whether a value may be sensitive.
type secrecy bool

const (
	shown  secrecy = false
	hidden secrecy = true
)

// value evaluates an attribute and converts it. ok is false when it is not
// set, is null, or is wrong, which is reported. Marks are removed.
func (b block) value(name string, want cty.Type, s secrecy) (v cty.Value, at place, ok bool) {
	for _, ly := range b.layers {
		a := ly.body.Attributes[name]
		if a == nil {
			continue
		}
		at = place{rng: a.Expr.Range(), expr: a.Expr, ctx: ly.ctx}
		v, ok = b.l.evalAs(a.Expr, ly.ctx, s)
		if !ok {
			return cty.NilVal, at, false
		}
		if v.IsNull() {
			continue
		}
		v, ok = b.l.settle(name, v, want, s, at)
		return v, at, ok
	}
	return cty.NilVal, place{rng: b.at}, false
}

// settle checks that a value may be shown, has the type, and is known.
func (l *loader) settle(name string, v cty.Value, want cty.Type, s secrecy, at place) (cty.Value, bool) {
	if v.ContainsMarked() && s == shown {
		l.errorf(place{rng: at.rng}, "Sensitive value not allowed",
			"%q is shown in plans and reports, so it cannot be a sensitive value. Use a variable that is not sensitive (EDGEWARD_VAR_name sets one from the environment); env() is always sensitive.", name)
		return cty.NilVal, false
	}
	if v.ContainsMarked() {
		l.secrets = append(l.secrets, leaves(v)...)
	}
	v, _ = v.UnmarkDeep()
	if !v.IsWhollyKnown() {
		return cty.NilVal, false
	}
	got, err := convert.Convert(v, want)
	if err == nil && got.IsNull() {
		err = convertError("it is null")
	}
	if err != nil {
		if s == hidden {
			at.expr, at.ctx = nil, nil
		}
		l.errorf(at, "Wrong type of value", "%q must be %s; this is %s. %s", name, typeWords(want), typeWords(v.Type()), typeExample(name, want))
		return cty.NilVal, false
	}
	return got, true
}

type convertError string

func (e convertError) Error() string { return string(e) }

// typeWords is a type in a sentence.
func typeWords(t cty.Type) string {
	switch {
	case t == cty.String:
		return "a string"
	case t == cty.Bool:
		return "true or false"
	case t == cty.Number:
		return "a number"
	case t.IsListType() || t.IsTupleType():
		return "a list"
	case t.IsSetType():
		return "a set"
	case t.IsMapType() || t.IsObjectType():
		return "a map"
	case t == refType:
		return "a reference"
	default:
		return t.FriendlyName()
	}
}

func typeExample(name string, t cty.Type) string {
	switch {
	case t == cty.String:
		return "Write " + name + " = \"…\"."
	case t == cty.Bool:
		return "Write " + name + " = true or " + name + " = false."
	case t == cty.Number:
		return "Write " + name + " = 10, say."
	case t.IsMapType():
		return "Write " + name + " = { key = \"value\" }, all values strings."
	default:
		return "Write " + name + " = [\"…\"], all elements strings."
	}
}

// rule judges a string; nil means that it is right.
type rule func(string) *flaw

// text is a string attribute, nil when not set or wrong.
func (b block) text(name string, check rule) *string { return b.words(name, shown, check) }

// secret is a string attribute that may be sensitive.
func (b block) secret(name string, check rule) *string { return b.words(name, hidden, check) }

func (b block) words(name string, s secrecy, check rule) *string {
	v, at, ok := b.value(name, cty.String, s)
	if !ok {
		return nil
	}
	t := v.AsString()
	if check != nil {
		if f := check(t); f != nil {
			if s == hidden {
				at.expr, at.ctx = nil, nil
			}
			b.l.report(hcl.DiagError, at, f)
			return nil
		}
	}
	return &t
}

// enum is a string attribute with a fixed list of values.
func (b block) enum(name string, allowed []string) *string {
	return b.text(name, func(s string) *flaw {
		if slices.Contains(allowed, s) {
			return nil
		}
		f := flawf("Unsupported value", "%q cannot be %q. Write one of %s.", name, s, quoted(allowed))
		if near := DidYouMean(s, allowed); near != "" {
			f.detail += " Did you mean " + quoted([]string{near}) + "?"
		}
		return f
	})
}

// flag is a bool attribute, nil when not set or wrong.
func (b block) flag(name string) *bool {
	v, _, ok := b.value(name, cty.Bool, shown)
	if !ok {
		return nil
	}
	t := v.True()
	return &t
}

// whole is a whole number of at least low, or def when it is not set.
func (b block) whole(name string, low, def int, hint string) int {
	v, at, ok := b.value(name, cty.Number, shown)
	if !ok {
		return def
	}
	f := v.AsBigFloat()
	n, _ := f.Int64()
	if !f.IsInt() || f.IsInf() || n < int64(low) || n > math.MaxInt32 {
		b.l.errorf(at, "Unsupported value", "%q must be a whole number from %d to %d. %s", name, low, math.MaxInt32, hint)
		return def
	}
	return int(n)
}

// duration is an attribute such as "60s", nil when not set or wrong.
func (b block) duration(name string, check func(time.Duration) *flaw) (*time.Duration, place) {
	v, at, ok := b.value(name, cty.String, shown)
	if !ok {
		return nil, at
	}
	d, f := parseDuration(v.AsString())
	if f == nil && check != nil {
		f = check(d)
	}
	if f != nil {
		b.l.report(hcl.DiagError, at, f)
		return nil, at
	}
	return &d, at
}

// item is one element of a list, and where it stands.
type item struct {
	text string
	at   place
}

// list is a list of strings. set is false when it is not set or is no list;
// elements that are wrong are reported and left out.
func (b block) list(name string, s secrecy, check rule) (items []item, set bool) {
	v, at, ok := b.value(name, cty.List(cty.String), s)
	if !ok {
		return nil, false
	}
	if s == hidden {
		at.expr, at.ctx = nil, nil
	}
	places := elementPlaces(b, name, v.LengthInt(), at)
	i := 0
	for it := v.ElementIterator(); it.Next(); i++ {
		_, e := it.Element()
		if e.IsNull() {
			b.l.errorf(places[i], "Unsupported value", "An element of %q is null. Leave it out, or write a string.", name)
			continue
		}
		if check != nil {
			if f := check(e.AsString()); f != nil {
				b.l.report(hcl.DiagError, places[i], f)
				continue
			}
		}
		items = append(items, item{e.AsString(), places[i]})
	}
	return items, true
}

// elementPlaces are the places of a list's elements: their own where the list
// is written out, else the whole expression's.
func elementPlaces(b block, name string, n int, at place) []place {
	places := slices.Repeat([]place{at}, n)
	for _, ly := range b.layers {
		a := ly.body.Attributes[name]
		if a == nil || a.Expr.Range() != at.rng {
			continue
		}
		tuple, ok := a.Expr.(*hclsyntax.TupleConsExpr)
		if !ok || len(tuple.Exprs) != n {
			return places
		}
		for i, e := range tuple.Exprs {
			places[i] = place{rng: e.Range(), ctx: at.ctx}
			if at.expr != nil {
				places[i].expr = e
			}
		}
	}
	return places
}

// texts are the strings of items, never nil.
func texts(items []item) []string {
	out := make([]string, 0, len(items))
	for _, it := range items {
		out = append(out, it.text)
	}
	return out
}

// stringMap is a map of strings; entries that are wrong are reported.
func (b block) stringMap(name string, check func(k, v string) *flaw) (map[string]string, place) {
	v, at, ok := b.value(name, cty.Map(cty.String), shown)
	if !ok {
		return nil, at
	}
	out := map[string]string{}
	for it := v.ElementIterator(); it.Next(); {
		key, val := it.Element()
		k := key.AsString()
		if val.IsNull() {
			b.l.errorf(b.entryPlace(name, k, at), "Unsupported value", "The value of %q in %q is null. Leave the entry out, or write a string.", k, name)
			continue
		}
		if f := check(k, val.AsString()); f != nil {
			b.l.report(hcl.DiagError, b.entryPlace(name, k, at), f)
			continue
		}
		out[k] = val.AsString()
	}
	return out, at
}

// entryPlace is where the entry of a key stands in a map that is written out,
// else the whole expression's place.
func (b block) entryPlace(name, key string, at place) place {
	obj, ok := at.expr.(*hclsyntax.ObjectConsExpr)
	if !ok {
		return at
	}
	for _, it := range obj.Items {
		k, diags := it.KeyExpr.Value(at.ctx)
		if diags.HasErrors() || !k.IsWhollyKnown() || k.IsNull() || k.IsMarked() || k.Type() != cty.String || k.AsString() != key {
			continue
		}
		return place{rng: hcl.RangeBetween(it.KeyExpr.Range(), it.ValueExpr.Range()), expr: it.ValueExpr, ctx: at.ctx}
	}
	return at
}
