package config

import (
	"fmt"
	"maps"
	"path/filepath"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2/ext/tryfunc"
	ctyyaml "github.com/zclconf/go-cty-yaml"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

// functionTable is every function of the language: the standard library of
// cty under Terraform's names, and those that read files and the environment.
func (l *loader) functionTable() map[string]function.Function {
	t := map[string]function.Function{
		"env":        l.envFunc(),
		"file":       l.fileFunc(),
		"length":     lengthFunc(),
		"yamldecode": ctyyaml.YAMLDecodeFunc,
		"yamlencode": ctyyaml.YAMLEncodeFunc,
		"try":        tryfunc.TryFunc,
		"can":        tryfunc.CanFunc,
		"tostring":   stdlib.MakeToFunc(cty.String),
		"tonumber":   stdlib.MakeToFunc(cty.Number),
		"tobool":     stdlib.MakeToFunc(cty.Bool),
		"tolist":     stdlib.MakeToFunc(cty.List(cty.DynamicPseudoType)),
		"toset":      stdlib.MakeToFunc(cty.Set(cty.DynamicPseudoType)),
		"tomap":      stdlib.MakeToFunc(cty.Map(cty.DynamicPseudoType)),
	}
	maps.Copy(t, collectionFunctions())
	maps.Copy(t, textFunctions())
	return t
}

func collectionFunctions() map[string]function.Function {
	return map[string]function.Function{
		"chunklist":              stdlib.ChunklistFunc,
		"coalesce":               stdlib.CoalesceFunc,
		"coalescelist":           stdlib.CoalesceListFunc,
		"compact":                stdlib.CompactFunc,
		"concat":                 stdlib.ConcatFunc,
		"contains":               stdlib.ContainsFunc,
		"distinct":               stdlib.DistinctFunc,
		"element":                stdlib.ElementFunc,
		"flatten":                stdlib.FlattenFunc,
		"hasindex":               stdlib.HasIndexFunc,
		"index":                  indexFunc(),
		"keys":                   stdlib.KeysFunc,
		"lookup":                 stdlib.LookupFunc,
		"merge":                  stdlib.MergeFunc,
		"range":                  stdlib.RangeFunc,
		"reverse":                stdlib.ReverseListFunc,
		"sethaselement":          stdlib.SetHasElementFunc,
		"setintersection":        stdlib.SetIntersectionFunc,
		"setproduct":             stdlib.SetProductFunc,
		"setsubtract":            stdlib.SetSubtractFunc,
		"setsymmetricdifference": stdlib.SetSymmetricDifferenceFunc,
		"setunion":               stdlib.SetUnionFunc,
		"slice":                  stdlib.SliceFunc,
		"sort":                   stdlib.SortFunc,
		"values":                 stdlib.ValuesFunc,
		"zipmap":                 stdlib.ZipmapFunc,
	}
}

func textFunctions() map[string]function.Function {
	return map[string]function.Function{
		"abs":          stdlib.AbsoluteFunc,
		"ceil":         stdlib.CeilFunc,
		"chomp":        stdlib.ChompFunc,
		"csvdecode":    csvFunc(),
		"floor":        stdlib.FloorFunc,
		"format":       stdlib.FormatFunc,
		"formatdate":   stdlib.FormatDateFunc,
		"formatlist":   stdlib.FormatListFunc,
		"indent":       stdlib.IndentFunc,
		"int":          stdlib.IntFunc,
		"join":         stdlib.JoinFunc,
		"jsondecode":   decodeFunc(stdlib.JSONDecodeFunc, func(string) error { return nil }),
		"jsonencode":   stdlib.JSONEncodeFunc,
		"log":          stdlib.LogFunc,
		"lower":        stdlib.LowerFunc,
		"max":          stdlib.MaxFunc,
		"min":          stdlib.MinFunc,
		"parseint":     stdlib.ParseIntFunc,
		"pow":          stdlib.PowFunc,
		"regex":        stdlib.RegexFunc,
		"regexall":     stdlib.RegexAllFunc,
		"regexreplace": stdlib.RegexReplaceFunc,
		"replace":      replaceFunc(),
		"signum":       stdlib.SignumFunc,
		"split":        stdlib.SplitFunc,
		"strlen":       stdlib.StrlenFunc,
		"strrev":       stdlib.ReverseFunc,
		"substr":       stdlib.SubstrFunc,
		"timeadd":      stdlib.TimeAddFunc,
		"title":        stdlib.TitleFunc,
		"trim":         stdlib.TrimFunc,
		"trimprefix":   stdlib.TrimPrefixFunc,
		"trimspace":    stdlib.TrimSpaceFunc,
		"trimsuffix":   stdlib.TrimSuffixFunc,
		"upper":        stdlib.UpperFunc,
	}
}

// indexFunc is index(list, value) as Terraform has it: where the value stands,
// counted from 0. Cty's own function of that name takes an element out.
func indexFunc() function.Function {
	return function.New(&function.Spec{
		Description: "Where a value stands in a list, counted from 0.",
		Params:      []function.Parameter{{Name: "list", Type: cty.DynamicPseudoType}, {Name: "value", Type: cty.DynamicPseudoType}},
		Type:        function.StaticReturnType(cty.Number),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			list, value := args[0], args[1]
			if !list.Type().IsListType() && !list.Type().IsTupleType() {
				return cty.NilVal, function.NewArgErrorf(0, "a list or a tuple is needed")
			}
			at := 0
			for it := list.ElementIterator(); it.Next(); at++ {
				_, v := it.Element()
				if same, err := stdlib.Equal(v, value); err == nil && same.RawEquals(cty.True) {
					return cty.NumberIntVal(int64(at)), nil
				}
			}
			return cty.NilVal, function.NewArgErrorf(1, "the list does not have this value")
		},
	})
}

// replaceFunc is replace(text, old, new) as Terraform has it: an old between
// slashes is a regular expression of Go's regexp package, and new may name its
// groups, such as "$1".
func replaceFunc() function.Function {
	return function.New(&function.Spec{
		Description: "The text with every old replaced by new; /old/ is a regular expression.",
		Params: []function.Parameter{
			{Name: "text", Type: cty.String}, {Name: "old", Type: cty.String}, {Name: "new", Type: cty.String},
		},
		Type: function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			old := args[1].AsString()
			if n := len(old); n > 1 && old[0] == '/' && old[n-1] == '/' {
				return stdlib.RegexReplace(args[0], cty.StringVal(old[1:n-1]), args[2])
			}
			return stdlib.Replace(args[0], args[1], args[2])
		},
	})
}

// plainError is an error of a function that never has a secret in it, so that
// it may be shown also where sensitive values are used.
type plainError string

func (e plainError) Error() string { return string(e) }

// envFunc is env("NAME"). Its result is always sensitive.
func (l *loader) envFunc() function.Function {
	return function.New(&function.Spec{
		Description: "The value of an environment variable, always sensitive.",
		Params:      []function.Parameter{{Name: "name", Type: cty.String, AllowMarked: true}},
		Type:        function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if args[0].IsMarked() {
				return cty.NilVal, plainError("the name of an environment variable cannot be a sensitive value")
			}
			name := args[0].AsString()
			v, ok := l.o.Env(name)
			if !ok {
				return cty.NilVal, plainError(fmt.Sprintf("the environment variable %s is not set; set it before running edgeward", name))
			}
			return cty.StringVal(v).Mark(sensitive{}), nil
		},
	})
}

// fileFunc is file("PATH"), relative to the configuration's folder.
func (l *loader) fileFunc() function.Function {
	return function.New(&function.Spec{
		Description: "The contents of a UTF-8 file, relative to the configuration's folder.",
		Params:      []function.Parameter{{Name: "path", Type: cty.String, AllowMarked: true}},
		Type:        function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if args[0].IsMarked() {
				return cty.NilVal, plainError("the path of a file cannot be a sensitive value")
			}
			path := l.path(args[0].AsString())
			src, err := readBounded(path)
			if err != nil {
				return cty.NilVal, plainError(fmt.Sprintf("cannot read %s: %v; paths are relative to the folder of the configuration", path, plainCause(err)))
			}
			if !utf8.Valid(src) {
				return cty.NilVal, plainError(path + " is not UTF-8 text")
			}
			return cty.StringVal(string(src)), nil
		},
	})
}

// path is a path of the configuration, relative to its folder.
func (l *loader) path(p string) string {
	if filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(l.dir, p)
}

// lengthFunc counts elements, or the characters of a string.
func lengthFunc() function.Function {
	return function.New(&function.Spec{
		Description: "The number of elements of a collection, or of characters of a string.",
		Params:      []function.Parameter{{Name: "value", Type: cty.DynamicPseudoType, AllowDynamicType: true}},
		Type:        function.StaticReturnType(cty.Number),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			switch t := args[0].Type(); {
			case t == cty.String:
				return stdlib.Strlen(args[0])
			case t.IsObjectType():
				return cty.NumberIntVal(int64(len(t.AttributeTypes()))), nil
			case t.IsCollectionType() || t.IsTupleType():
				return stdlib.Length(args[0])
			default:
				return cty.NilVal, function.NewArgError(0, fmt.Errorf("a collection or a string is needed"))
			}
		},
	})
}
