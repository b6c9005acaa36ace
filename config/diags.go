package config

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// place is where a finding points at. Expr and ctx, when set, let a printer
// show the values that the expression was evaluated with.
type place struct {
	rng  hcl.Range
	expr hcl.Expression
	ctx  *hcl.EvalContext
}

// flaw is what is wrong with a value: the finding's summary, and a detail that
// says what to write instead.
type flaw struct{ summary, detail string }

// flawf makes a flaw; the detail is a format.
func flawf(summary, detail string, args ...any) *flaw {
	return &flaw{summary, fmt.Sprintf(detail, args...)}
}

// report adds a finding of our own, whose text never has a sensitive value in
// it; the values that a printer would add are left out near a secret.
func (l *loader) report(severity hcl.DiagnosticSeverity, at place, f *flaw) {
	if at.expr == nil || at.ctx == nil || touchesSecret(at.expr, at.ctx) {
		at.expr, at.ctx = nil, nil
	}
	l.add(&hcl.Diagnostic{
		Severity:    severity,
		Summary:     f.summary,
		Detail:      f.detail,
		Subject:     &at.rng,
		Expression:  at.expr,
		EvalContext: at.ctx,
	})
}

// errorf reports an error at a place.
func (l *loader) errorf(at place, summary, detail string, args ...any) {
	l.report(hcl.DiagError, at, flawf(summary, detail, args...))
}

// warnf reports a warning at a place.
func (l *loader) warnf(at place, summary, detail string, args ...any) {
	l.report(hcl.DiagWarning, at, flawf(summary, detail, args...))
}

// add keeps d unless the very same finding is there already: one block is
// read once for each of its instances, defaults once for each bucket.
func (l *loader) add(d *hcl.Diagnostic) {
	redact(d)
	key := fmt.Sprintf("%d\x00%v\x00%s\x00%s", d.Severity, d.Subject, d.Summary, d.Detail)
	if had := l.said[key]; had != nil {
		had.also(l.address)
		return
	}
	f := &finding{Diagnostic: d}
	if l.many {
		f.also(l.address)
		l.alike(fmt.Sprintf("%d\x00%v\x00%s", d.Severity, d.Subject, d.Summary), f)
	}
	l.said[key] = f
	l.diags = append(l.diags, d)
}

func (l *loader) addAll(diags hcl.Diagnostics) {
	for _, d := range diags {
		l.add(d)
	}
}

// sortDiags puts findings into the order of the files and lines, so that two
// runs print the same.
func sortDiags(diags hcl.Diagnostics) {
	slices.SortStableFunc(diags, func(a, b *hcl.Diagnostic) int {
		if a.Subject == nil || b.Subject == nil {
			return 0
		}
		return cmp.Or(
			cmp.Compare(a.Subject.Filename, b.Subject.Filename),
			cmp.Compare(a.Subject.Start.Byte, b.Subject.Start.Byte),
		)
	})
}

// tellsNoValue knows the findings of the language whose text names only what stands
// in the source, never a value. All others are hidden where a secret is near.
func tellsNoValue(summary string) bool {
	return slices.Contains([]string{
		"Call to unknown function", "Not enough function arguments", "Too many function arguments",
		"Function calls not allowed", "Unknown variable", "Variables not allowed", "Incorrect condition type",
		"Condition is null", "Null condition", "Invalid operand", "Iteration over null value",
		"Iteration over non-iterable value", "Unsupported operator",
	}, summary)
}

// redact takes everything out of d that could show a sensitive value: the
// values of the expression, and a text that the language or a function made.
func redact(d *hcl.Diagnostic) {
	if d.Expression != nil && d.EvalContext != nil && touchesSecret(d.Expression, d.EvalContext) {
		hide(d)
	}
}

// hide is redact for a finding that is known to be near a secret.
func hide(d *hcl.Diagnostic) {
	if _, plain := functionError(d).(plainError); !plain && !tellsNoValue(d.Summary) {
		d.Detail = hiddenDetail
	}
	d.Expression, d.EvalContext, d.Extra = nil, nil, nil
}

// functionError is the error of the function that d is about, or nil.
func functionError(d *hcl.Diagnostic) error {
	if extra, ok := d.Extra.(hclsyntax.FunctionCallDiagExtra); ok {
		return extra.FunctionCallError()
	}
	return nil
}

// explainPanic says in a sentence that a function of the library cannot take
// its arguments, in place of the stack that it left.
func explainPanic(d *hcl.Diagnostic) {
	var p function.PanicError
	if errors.As(functionError(d), &p) {
		d.Detail = "The function cannot work with these arguments, which are too large or outside of what it is defined for."
	}
}

const hiddenDetail = "The details are hidden because this expression uses a sensitive value. Check that value where it is set."

// touchesSecret says whether an expression uses a sensitive value: by a
// reference or by a call of env.
func touchesSecret(expr hcl.Expression, ctx *hcl.EvalContext) bool {
	for _, t := range expr.Variables() {
		if marked(t, ctx) {
			return true
		}
	}
	node, ok := expr.(hclsyntax.Node)
	if !ok {
		return false
	}
	found := false
	_ = hclsyntax.VisitAll(node, func(n hclsyntax.Node) hcl.Diagnostics {
		if call, ok := n.(*hclsyntax.FunctionCallExpr); ok && call.Name == "env" {
			found = true
		}
		return nil
	})
	return found
}

// marked says whether what a traversal refers to is or holds a sensitive
// value. What cannot be resolved is judged by the root it starts from.
func marked(t hcl.Traversal, ctx *hcl.EvalContext) bool {
	v, diags := t.TraverseAbs(ctx)
	for diags.HasErrors() && len(t) > 1 {
		t = t[:len(t)-1]
		v, diags = t.TraverseAbs(ctx)
	}
	return !diags.HasErrors() && v != cty.NilVal && v.ContainsMarked()
}

// DidYouMean returns the candidate nearest to a misspelt word, or "".
func DidYouMean(given string, candidates []string) string {
	best, bestDist := "", 4
	for _, c := range candidates {
		if strings.EqualFold(given, c) {
			return c
		}
		limit := min(len(given), len(c), 9) / 3
		if d := editDistance(given, c); d < bestDist && d <= limit {
			best, bestDist = c, d
		}
	}
	return best
}

// editDistance counts the insertions, removals, replacements and swaps of
// neighbours between two words (optimal string alignment).
func editDistance(a, b string) int {
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}

// suggest is the sentence that ends a message about an unknown word.
func suggest(given string, candidates []string, what string) string {
	if s := DidYouMean(given, candidates); s != "" {
		return fmt.Sprintf("Did you mean %q?", s)
	}
	if len(candidates) == 0 {
		return fmt.Sprintf("No %s stands here.", what)
	}
	return fmt.Sprintf("Known here: %s.", quoted(candidates))
}

// quoted joins words for a message.
func quoted(words []string) string {
	q := make([]string, len(words))
	for i, w := range words {
		q[i] = fmt.Sprintf("%q", w)
	}
	return strings.Join(q, ", ")
}
