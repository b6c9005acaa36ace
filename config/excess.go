package config

import (
	"bytes"
	"strconv"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// maxDepth bounds the nesting of expressions, because the parser recurses;
// maxExponent the exponent of a number, because its digits may be written out.
const (
	maxDepth    = 200
	maxExponent = 400
)

// excessive finds what could exhaust the stack or the time of the parser, and
// where. It looks at the tokens only, so it serves for JSON too, whose
// brackets, quotes and numbers are the same.
func excessive(name string, src []byte) (hcl.Range, *flaw) {
	// What is no token is reported by the parser.
	tokens, _ := hclsyntax.LexConfig(src, name, hcl.InitialPos)
	depth, run, conditions := 0, 0, 0
	for _, t := range tokens {
		depth += nesting(t.Type)
		switch t.Type {
		case hclsyntax.TokenNewline:
			conditions = 0
		case hclsyntax.TokenQuestion:
			conditions++
		case hclsyntax.TokenNumberLit:
			if hugeExponent(t.Bytes) {
				return t.Range, flawf("Number too large", "The exponent of a number is at most %d here. Write a smaller number.", maxExponent)
			}
		}
		if t.Type == hclsyntax.TokenBang || t.Type == hclsyntax.TokenMinus {
			run++
		} else {
			run = 0
		}
		if max(depth, run, conditions) > maxDepth {
			return t.Range, flawf("Nested too deeply",
				"Brackets, operators or conditions are nested more than %d deep here. Divide the expression by local values.", maxDepth)
		}
	}
	return hcl.Range{}, nil
}

// nesting is 1 for a token that opens, -1 for one that closes.
func nesting(t hclsyntax.TokenType) int {
	switch t {
	case hclsyntax.TokenOBrace, hclsyntax.TokenOBrack, hclsyntax.TokenOParen, hclsyntax.TokenOQuote,
		hclsyntax.TokenOHeredoc, hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl:
		return 1
	case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen, hclsyntax.TokenCQuote,
		hclsyntax.TokenCHeredoc, hclsyntax.TokenTemplateSeqEnd:
		return -1
	}
	return 0
}

func hugeExponent(number []byte) bool {
	i := bytes.IndexAny(number, "eE")
	if i < 0 {
		return false
	}
	n, err := strconv.Atoi(string(bytes.TrimLeft(number[i+1:], "+-")))
	return err != nil || n > maxExponent
}
