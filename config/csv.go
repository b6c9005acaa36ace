package config

import (
	"encoding/csv"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

// byteOrderMark begins a UTF-8 file of Excel.
const byteOrderMark = "\ufeff"

// csvFunc is csvdecode(text), which says what is wrong with a sheet in its words.
func csvFunc() function.Function { return decodeFunc(stdlib.CSVDecodeFunc, sheetFlaw) }

// decodeFunc is f of one text, without a byte order mark, after flaw found nothing.
func decodeFunc(f function.Function, flaw func(string) error) function.Function {
	plain := func(v cty.Value) cty.Value {
		if !v.IsKnown() {
			return v
		}
		return cty.StringVal(strings.TrimPrefix(v.AsString(), byteOrderMark))
	}
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "str", Type: cty.String}},
		Type: func(args []cty.Value) (cty.Type, error) {
			v := plain(args[0])
			if v.IsKnown() {
				if err := flaw(v.AsString()); err != nil {
					return cty.DynamicPseudoType, function.NewArgError(0, err)
				}
			}
			return f.ReturnTypeForValues([]cty.Value{v})
		},
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) { return f.Call([]cty.Value{plain(args[0])}) },
	})
}

// sheetFlaw is what is wrong with a CSV file that spreadsheets write.
func sheetFlaw(text string) error {
	r := csv.NewReader(strings.NewReader(text))
	header, err := r.Read()
	if err != nil {
		return nil // csvdecode says it
	}
	if len(header) == 1 && strings.Contains(header[0], ";") {
		return errors.New("the columns are separated by semicolons; separate them by commas")
	}
	for _, name := range header {
		if trimmed := strings.TrimSpace(name); trimmed != name {
			return fmt.Errorf("the column %q has a blank before or behind its name; remove the blank in the header", trimmed)
		}
	}
	for {
		row, err := r.Read()
		if err == nil {
			continue
		}
		if errors.Is(err, csv.ErrFieldCount) {
			line, _ := r.FieldPos(0)
			return fmt.Errorf("line %d has %d fields, and the header has %d: %s", line, len(row), len(header), strings.Join(header, ", "))
		}
		return nil
	}
}

var duplicateKey = regexp.MustCompile(`produced the key ("(?:[^"\\]|\\.)*")`)

// explainDuplicate says what to do about two elements with one key. The language
// advises to group them, which makes no map of buckets.
func explainDuplicate(d *hcl.Diagnostic) {
	m := duplicateKey.FindStringSubmatch(d.Detail)
	if d.Summary != "Duplicate object key" || m == nil {
		return
	}
	what := "key"
	if key, ok := d.Expression.(*hclsyntax.ScopeTraversalExpr); ok && len(key.Traversal) > 1 {
		if name, ok := step(key.Traversal, len(key.Traversal)-1); ok {
			what = name
		}
	}
	d.Detail = fmt.Sprintf("Two rows have the %s %s: remove one.", what, m[1])
}
