package config

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// variable is one variable block and the value it got.
type variable struct {
	name  string
	block *hclsyntax.Block
	// typ is the constraint; literal means that a value given as text is the
	// value itself and no expression.
	typ         cty.Type
	optional    *typeexpr.Defaults
	literal     bool
	sensitive   bool
	hasDefault  bool
	value       cty.Value
	given       bool
	broken      bool
	validations []*hclsyntax.Block
}

// declareVariables reads the variable blocks with their defaults.
func (l *loader) declareVariables() {
	for _, b := range l.blocks["variable"] {
		name := b.Labels[0]
		if !hclsyntax.ValidIdentifier(name) {
			l.errorf(place{rng: b.LabelRanges[0]}, "Invalid variable name",
				"%q cannot be written as var.NAME. Use letters, digits, _ and -, beginning with a letter.", name)
			continue
		}
		if first := l.variables[name]; first != nil {
			l.errorf(place{rng: b.DefRange()}, "Duplicate variable",
				"Variable %q is declared already at %s. Rename one of them.", name, where(first.block.DefRange()))
			continue
		}
		l.variables[name] = l.declareVariable(name, b)
	}
}

func (l *loader) declareVariable(name string, b *hclsyntax.Block) *variable {
	v := &variable{name: name, block: b, typ: cty.DynamicPseudoType, literal: true, value: cty.DynamicVal}
	l.checkShape(b.Body, shape{
		what: "a variable block", attrs: []string{"type", "default", "sensitive", "description"},
		blocks: map[string]int{"validation": 0}, order: []string{"validation"}, repeated: []string{"validation"},
	})
	bl := block{l: l, at: b.DefRange(), layers: []layer{{b.Body, &hcl.EvalContext{}}}}
	if s := bl.flag("sensitive"); s != nil {
		v.sensitive = *s
	}
	bl.text("description", nil)
	if a := b.Body.Attributes["type"]; a != nil {
		typ, optional, diags := typeexpr.TypeConstraintWithDefaults(a.Expr)
		for _, d := range diags {
			d.Detail += " Types are string, number, bool, any, list(TYPE), set(TYPE), map(TYPE), tuple([TYPE, …]) and object({ NAME = TYPE, … })."
			l.add(d)
		}
		if diags.HasErrors() {
			v.broken = true
		} else {
			v.typ, v.optional, v.literal = typ, optional, typ == cty.String
		}
	}
	for _, n := range b.Body.Blocks {
		if n.Type == "validation" {
			v.validations = append(v.validations, n)
		}
	}
	if a := b.Body.Attributes["default"]; a != nil {
		l.readDefault(v, a)
	}
	return v
}

// readDefault evaluates a default, which is a constant.
func (l *loader) readDefault(v *variable, a *hclsyntax.Attribute) {
	v.hasDefault = true
	at := a.Expr.Range()
	if v.sensitive {
		// The line of a sensitive default is not printed.
		at = v.block.DefRange()
	}
	if len(a.Expr.Variables()) > 0 || callsFunction(a.Expr) {
		l.errorf(place{rng: at}, "Default is not a constant",
			"The default of a variable cannot refer to other values or call functions. Compute such a value in a locals block.")
		v.broken = true
		return
	}
	val, diags := a.Expr.Value(nil)
	if diags.HasErrors() {
		if v.sensitive {
			l.errorf(place{rng: at}, "Invalid default", "The default of sensitive variable %q is no valid value.", v.name)
		} else {
			l.addAll(diags)
		}
		v.broken = true
		return
	}
	l.assign(v, val, at, "default")
	v.given = false
}

func callsFunction(expr hclsyntax.Expression) bool {
	found := false
	_ = hclsyntax.VisitAll(expr, func(n hclsyntax.Node) hcl.Diagnostics {
		if _, ok := n.(*hclsyntax.FunctionCallExpr); ok {
			found = true
		}
		return nil
	})
	return found
}

// assign converts a value to the variable's type and makes it the variable's.
func (l *loader) assign(v *variable, val cty.Value, at hcl.Range, from string) {
	if v.broken {
		return
	}
	if v.optional != nil && !val.IsNull() {
		val = v.optional.Apply(val)
	}
	got, err := convert.Convert(val, v.typ)
	if err != nil {
		detail := "The " + from + " of variable \"" + v.name + "\" does not fit its type, " + typeexpr.TypeString(v.typ)
		if !v.sensitive {
			detail += ": " + err.Error()
		}
		l.errorf(place{rng: at}, "Wrong type of variable", "%s.", detail)
		v.broken = true
		return
	}
	if v.sensitive {
		got = got.Mark(sensitive{})
	}
	v.value, v.given = got, true
}

// variablesObject is the value of var. A variable without a value is unknown,
// which is reported once and not at each use.
func (l *loader) variablesObject() cty.Value {
	values := map[string]cty.Value{}
	for name, v := range l.variables {
		values[name] = v.value
		if v.broken {
			values[name] = cty.DynamicVal
		}
	}
	return cty.ObjectVal(values)
}

// validateVariables checks the validation blocks of every variable that has a
// value.
func (l *loader) validateVariables() {
	for _, name := range sortedKeys(l.variables) {
		v := l.variables[name]
		for _, b := range v.validations {
			l.validateVariable(v, b)
		}
	}
}

func (l *loader) validateVariable(v *variable, b *hclsyntax.Block) {
	l.checkShape(b.Body, shape{what: "a validation block", attrs: []string{"condition", "error_message"}})
	cond, msg := b.Body.Attributes["condition"], b.Body.Attributes["error_message"]
	if cond == nil || msg == nil {
		l.errorf(place{rng: b.DefRange()}, "Missing argument",
			"A validation block needs both: condition = EXPRESSION and error_message = \"…\".")
		return
	}
	ok, valid := l.condition(cond, v)
	if !ok || valid {
		return
	}
	text := "The value of this variable is refused by its validation block."
	m, known := l.eval(msg.Expr, l.ctx)
	if known && !m.IsNull() {
		s, err := convert.Convert(m, cty.String)
		switch {
		case m.ContainsMarked():
			text = "The value of this variable is refused; the message of its validation is hidden because it uses a sensitive value."
		case err == nil && s.AsString() != "":
			text = s.AsString()
		}
	}
	l.errorf(place{rng: cond.Expr.Range(), expr: cond.Expr, ctx: l.ctx}, "Invalid value for variable", "%s", text)
}

// condition evaluates a condition; ok is false when that was not possible.
func (l *loader) condition(cond *hclsyntax.Attribute, v *variable) (ok, valid bool) {
	c, known := l.eval(cond.Expr, l.ctx)
	if !known {
		return false, false
	}
	c, _ = c.UnmarkDeep()
	b, err := convert.Convert(c, cty.Bool)
	if err != nil || b.IsNull() {
		l.errorf(place{rng: cond.Expr.Range()}, "Wrong type of value",
			"The condition must be true or false. Write a comparison with var.%s.", v.name)
		return false, false
	}
	return true, b.True()
}
