package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// sensitive is the mark of values that must not be shown.
type sensitive struct{}

// eval evaluates an expression after looking at its references, whose
// messages are better than the language's own. ok is false when it was
// reported, or when the value hangs on something that was reported.
func (l *loader) eval(expr hcl.Expression, ctx *hcl.EvalContext) (v cty.Value, ok bool) {
	return l.evalAs(expr, ctx, shown)
}

// evalAs is eval for a value that may be a secret which nothing marks as one,
// such as the contents of a file.
func (l *loader) evalAs(expr hcl.Expression, ctx *hcl.EvalContext, s secrecy) (v cty.Value, ok bool) {
	if !l.checkReferences(expr, ctx) {
		return cty.DynamicVal, false
	}
	v, diags := expr.Value(ctx)
	for _, d := range diags {
		nameAttributes(d)
		explainPanic(d)
		explainDuplicate(d)
		if s == hidden {
			hide(d)
		}
		l.add(d)
	}
	if diags.HasErrors() {
		return cty.DynamicVal, false
	}
	// Nothing but an earlier error makes a value unknown.
	return v, v.IsWhollyKnown()
}

// checkReferences reports names that do not exist.
func (l *loader) checkReferences(expr hcl.Expression, ctx *hcl.EvalContext) bool {
	ok := true
	for _, t := range expr.Variables() {
		if f := l.badReference(t, ctx); f != nil {
			l.report(hcl.DiagError, place{rng: t.SourceRange()}, f)
			ok = false
		}
	}
	return l.checkCalls(expr) && ok
}

// checkCalls reports functions that do not exist.
func (l *loader) checkCalls(expr hcl.Expression) bool {
	node, isNode := expr.(hclsyntax.Node)
	if !isNode {
		return true
	}
	ok := true
	_ = hclsyntax.VisitAll(node, func(n hclsyntax.Node) hcl.Diagnostics {
		call, is := n.(*hclsyntax.FunctionCallExpr)
		if !is {
			return nil
		}
		if _, exists := l.functions[call.Name]; !exists {
			l.errorf(place{rng: call.NameRange}, "Unknown function", "There is no function %q. %s",
				call.Name, suggest(call.Name, sortedKeys(l.functions), "function"))
			ok = false
		}
		return nil
	})
	return ok
}

func (l *loader) badReference(t hcl.Traversal, ctx *hcl.EvalContext) *flaw {
	root := t.RootName()
	name, named := step(t, 1)
	switch root {
	case "var":
		return undeclared("variable", "var", name, named, sortedKeys(l.variables),
			"Declare it: variable %q { … }.")
	case "local":
		return undeclared("local value", "local", name, named, sortedKeys(l.locals),
			"Declare it: locals { %s = … }.")
	case "aws":
		if !named {
			return nil
		}
		return undeclared("aws account", "aws", name, named, sortedKeys(l.accounts),
			"Declare it: aws %q { … }.")
	case "dns_provider":
		return l.badProviderReference(t)
	case "each":
		return badEach(t, ctx)
	}
	known := []string{"var", "local", "aws", "dns_provider", "each"}
	near := DidYouMean(root, known)
	if near == "" {
		return flawf("Unknown name", "There is no %q here. References begin with var., local., aws., dns_provider. or, under for_each, each.; a text is written in quotes: %q.", root, root)
	}
	return flawf("Unknown name", "There is no %q here. Did you mean %q?", root, near)
}

func undeclared(what, root, name string, named bool, known []string, declare string) *flaw {
	if !named {
		return flawf("Incomplete reference", "Name one %s: write %s.NAME.", what, root)
	}
	if slices.Contains(known, name) {
		return nil
	}
	hint := fmt.Sprintf(declare, name)
	if near := DidYouMean(name, known); near != "" {
		hint = fmt.Sprintf("Did you mean %s.%s?", root, near)
	}
	return flawf("Unknown "+what, "There is no %s %q. %s", what, name, hint)
}

func (l *loader) badProviderReference(t hcl.Traversal) *flaw {
	typ, ok := step(t, 1)
	if !ok {
		return nil
	}
	name, ok := step(t, 2)
	if !ok && len(l.dns[typ]) > 0 {
		return nil
	}
	if _, exists := l.dns[typ][name]; exists {
		return nil
	}
	var known []string
	for _, ty := range sortedKeys(l.dns) {
		for _, n := range sortedKeys(l.dns[ty]) {
			known = append(known, ty+"."+n)
		}
	}
	given := strings.TrimSuffix(typ+"."+name, ".")
	hint := fmt.Sprintf("Declare it: dns_provider %q %q { zones = [\"example.com\"] }.", typ, name)
	if name == "" {
		hint = "Write dns_provider.TYPE.NAME."
	}
	if near := DidYouMean(given, known); near != "" {
		hint = fmt.Sprintf("Did you mean dns_provider.%s?", near)
	} else if len(known) > 0 {
		hint = fmt.Sprintf("Declared are: dns_provider.%s.", strings.Join(known, ", dns_provider."))
	}
	return flawf("Unknown DNS provider", "There is no dns_provider.%s. %s", given, hint)
}

func badEach(t hcl.Traversal, ctx *hcl.EvalContext) *flaw {
	if ctx == nil || !defined(ctx, "each") {
		return flawf("Reference outside for_each", "each.key and each.value exist only inside a bucket block that has for_each.")
	}
	if name, ok := step(t, 1); ok && name != "key" && name != "value" {
		return flawf("Unknown name", "There is no each.%s; only each.key and each.value. For an attribute of the element write each.value.%s.", name, name)
	}
	return nil
}

func defined(ctx *hcl.EvalContext, name string) bool {
	for ; ctx != nil; ctx = ctx.Parent() {
		if _, ok := ctx.Variables[name]; ok {
			return true
		}
	}
	return false
}

// step is the name at position i of a traversal, written .name or ["name"].
func step(t hcl.Traversal, i int) (string, bool) {
	if len(t) <= i {
		return "", false
	}
	switch s := t[i].(type) {
	case hcl.TraverseAttr:
		return s.Name, true
	case hcl.TraverseIndex:
		if s.Key.Type() == cty.String && s.Key.IsKnown() && !s.Key.IsNull() {
			return s.Key.AsString(), true
		}
	}
	return "", false
}

// nameAttributes says which attributes an object has when one was asked for
// that it has not.
func nameAttributes(d *hcl.Diagnostic) {
	e, ok := d.Expression.(*hclsyntax.ScopeTraversalExpr)
	if !ok || d.Summary != "Unsupported attribute" || d.EvalContext == nil {
		return
	}
	for i := len(e.Traversal) - 1; i > 0; i-- {
		v, diags := e.Traversal[:i].TraverseAbs(d.EvalContext)
		if diags.HasErrors() || !v.Type().IsObjectType() {
			continue
		}
		if name, ok := step(e.Traversal, i); ok {
			d.Detail += " " + suggest(name, sortedKeys(v.Type().AttributeTypes()), "attribute")
		}
		return
	}
}

// local is one local value.
type local struct {
	attr *hclsyntax.Attribute
	// state: 0 not looked at, 1 being evaluated, 2 done.
	state int
	value cty.Value
}

// declareLocals collects the local values of all files.
func (l *loader) declareLocals() {
	for _, b := range l.blocks["locals"] {
		for _, n := range b.Body.Blocks {
			l.errorf(place{rng: n.TypeRange}, "Unsupported block", "A locals block has only arguments: write %s = { … } with an equals sign.", n.Type)
		}
		for _, name := range sortedKeys(b.Body.Attributes) {
			a := b.Body.Attributes[name]
			if first := l.locals[name]; first != nil {
				l.errorf(place{rng: a.NameRange}, "Duplicate local value",
					"local.%s is defined already at %s. Rename one of them.", name, where(first.attr.NameRange))
				continue
			}
			l.locals[name] = &local{attr: a, value: cty.DynamicVal}
		}
	}
}

// evaluateLocals evaluates each local value after those it refers to.
func (l *loader) evaluateLocals() {
	for _, name := range sortedKeys(l.locals) {
		l.evaluateLocal(name, nil)
	}
	l.ctx.Variables["local"] = l.localsObject()
}

func (l *loader) localsObject() cty.Value {
	values := map[string]cty.Value{}
	for name, lo := range l.locals {
		values[name] = lo.value
	}
	return cty.ObjectVal(values)
}

// evaluateLocal evaluates one; path is the chain of those that wait for it.
func (l *loader) evaluateLocal(name string, path []string) {
	lo := l.locals[name]
	if lo == nil || lo.state == 2 {
		return
	}
	if lo.state == 1 {
		path = append(path[slices.Index(path, name):], name)
		l.errorf(place{rng: lo.attr.NameRange}, "Local values refer to each other",
			"local.%s needs itself: %s. Take one of the references out.", name, "local."+strings.Join(path, " → local."))
		return
	}
	lo.state = 1
	for _, t := range lo.attr.Expr.Variables() {
		if t.RootName() != "local" {
			continue
		}
		if ref, ok := step(t, 1); ok {
			l.evaluateLocal(ref, append(slices.Clone(path), name))
		}
	}
	values := map[string]cty.Value{}
	for _, t := range lo.attr.Expr.Variables() {
		if ref, ok := step(t, 1); ok && t.RootName() == "local" && l.locals[ref] != nil {
			values[ref] = l.locals[ref].value
		}
	}
	ctx := l.ctx.NewChild()
	ctx.Variables = map[string]cty.Value{"local": cty.ObjectVal(values)}
	lo.value = cty.DynamicVal
	if v, ok := l.eval(lo.attr.Expr, ctx); ok {
		lo.value = v
	}
	lo.state = 2
}
