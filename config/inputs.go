package config

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/json"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// EnvPrefix begins the names of environment variables that set variables.
const EnvPrefix = "EDGEWARD_VAR_"

// setVariables gives the variables their values. A later source wins: the
// default, the environment, the -var-file files in order, -var in order.
func (l *loader) setVariables() {
	for _, name := range sortedKeys(l.variables) {
		if text, ok := l.o.Env(EnvPrefix + name); ok {
			l.setFromText(l.variables[name], text, EnvPrefix+name)
		}
	}
	for _, path := range l.o.VarFiles {
		l.readVarFile(path)
	}
	for i, arg := range l.o.Vars {
		l.setFromFlag(i, arg)
	}
	for _, name := range sortedKeys(l.variables) {
		v := l.variables[name]
		if !v.given && !v.hasDefault && !v.broken {
			l.errorf(place{rng: v.block.DefRange()}, "No value for variable",
				"Variable %q has no default. Set it with -var '%s=VALUE', in a -var-file, or with %s%s in the environment.", name, name, EnvPrefix, name)
		}
	}
}

func (l *loader) setFromFlag(i int, arg string) {
	name, text, ok := strings.Cut(arg, "=")
	name = strings.TrimSpace(name)
	if !ok || name == "" {
		l.errorf(place{rng: fileRange(fmt.Sprintf("-var number %d", i+1))}, "Invalid -var", "Write -var 'NAME=VALUE'.")
		return
	}
	if v := l.lookUp(name, fileRange("-var "+name)); v != nil {
		l.setFromText(v, text, "-var "+name)
	}
}

// lookUp finds a declared variable, or reports that there is none.
func (l *loader) lookUp(name string, at hcl.Range) *variable {
	v := l.variables[name]
	if v == nil {
		way := "Declare it"
		if len(l.variables) > 0 {
			way = suggest(name, sortedKeys(l.variables), "variable") + " Or declare it"
		}
		l.errorf(place{rng: at}, "Undeclared variable", "No variable %q is declared. %s: variable %q { … }.", name, way, name)
	}
	return v
}

// setFromText gives a variable a value that came as text: the text itself for
// a string, else an expression without references.
func (l *loader) setFromText(v *variable, text, source string) {
	at := fileRange(source)
	if !v.sensitive {
		l.files[source] = &hcl.File{Bytes: []byte(text)}
	}
	// A number or bool in its plain form needs no expression either, and what
	// is neither gets the message about the type.
	_, err := convert.Convert(cty.StringVal(text), v.typ)
	plain := v.typ.IsPrimitiveType() && (err == nil || hclsyntax.ValidIdentifier(text))
	if v.literal || plain {
		l.assign(v, cty.StringVal(text), at, "value from "+source)
		return
	}
	if _, f := excessive(source, []byte(text)); f != nil {
		l.report(hcl.DiagError, place{rng: at}, f)
		v.broken = true
		return
	}
	expr, diags := hclsyntax.ParseExpression([]byte(text), source, hcl.InitialPos)
	var val cty.Value
	if !diags.HasErrors() {
		val, diags = expr.Value(nil)
	}
	if !diags.HasErrors() {
		l.assign(v, val, at, "value from "+source)
		return
	}
	v.broken = true
	if v.sensitive {
		l.errorf(place{rng: at}, "Invalid value for variable",
			"The value from %s is no expression of the configuration language; it is not shown because variable %q is sensitive. Write a number, true, false, [\"…\"] or { key = \"…\" }.", source, v.name)
		return
	}
	for _, d := range diags {
		if d.Summary == "Variables not allowed" {
			d.Detail += " A text inside a list or a map stands in quotes."
		}
		d.Detail += fmt.Sprintf(" The value of variable %q comes from %s.", v.name, source)
		l.add(d)
	}
}

// readVarFile reads the attributes of one -var-file. The file is among the
// Files only when it cannot hold a sensitive value.
func (l *loader) readVarFile(path string) {
	src, err := readBounded(path)
	if err != nil {
		l.errorf(place{rng: fileRange(path)}, "Cannot read -var-file", "%s: %v.", path, plainCause(err))
		return
	}
	attrs, diags := parseVarFile(path, src)
	if !diags.HasErrors() && !l.holdsSecret(attrs) || diags.HasErrors() && !l.anySensitive() {
		l.files[path] = &hcl.File{Bytes: src}
	}
	if diags.HasErrors() {
		for _, d := range diags {
			if l.anySensitive() {
				d.Detail = "The details are hidden because a -var-file may hold the value of a sensitive variable. Write NAME = VALUE lines without blocks, or one JSON object when the name ends in .json."
			}
			l.add(d)
		}
		return
	}
	for _, name := range sortedKeys(attrs) {
		a := attrs[name]
		v := l.lookUp(name, a.NameRange)
		if v == nil {
			continue
		}
		val, diags := a.Expr.Value(nil)
		switch {
		case diags.HasErrors() && v.sensitive:
			l.errorf(place{rng: a.NameRange}, "Invalid value for variable", "The value of sensitive variable %q is no constant.", name)
			v.broken = true
		case diags.HasErrors():
			l.addAll(diags)
			v.broken = true
		default:
			l.assign(v, val, a.NameRange, "value from "+path)
		}
	}
}

func parseVarFile(path string, src []byte) (hcl.Attributes, hcl.Diagnostics) {
	if rng, f := excessive(path, src); f != nil {
		return nil, hcl.Diagnostics{{Severity: hcl.DiagError, Summary: f.summary, Detail: f.detail, Subject: &rng}}
	}
	parse := func() (*hcl.File, hcl.Diagnostics) { return hclsyntax.ParseConfig(src, path, hcl.InitialPos) }
	if strings.HasSuffix(path, ".json") {
		parse = func() (*hcl.File, hcl.Diagnostics) { return json.Parse(src, path) }
	}
	file, diags := parse()
	if diags.HasErrors() {
		return nil, diags
	}
	attrs, more := file.Body.JustAttributes()
	return attrs, append(diags, more...)
}

// holdsSecret says whether any of the attributes sets, or may be a misspelt
// setting of, a sensitive variable.
func (l *loader) holdsSecret(attrs hcl.Attributes) bool {
	for name := range attrs {
		if v := l.variables[name]; v == nil || v.sensitive {
			return l.anySensitive()
		}
	}
	return false
}

func (l *loader) anySensitive() bool {
	for _, v := range l.variables {
		if v.sensitive {
			return true
		}
	}
	return false
}
