package config

import (
	"bytes"
	"regexp"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// maskSecrets hides, in the source lines that findings are shown with, what
// was written down as a secret: in a dns_provider or aws block every text and
// number but those of settings that are known to be none, and the default of a
// sensitive variable. A misspelt setting is not known, so it is hidden too. The
// names in env("…") and file("…") stay. It needs no valid syntax.
func (l *loader) maskSecrets() {
	if len(l.diags) == 0 {
		return
	}
	for name, f := range l.files {
		masked := slices.Clone(f.Bytes)
		// The diagnostics are those of parsing, which were reported.
		tokens, _ := hclsyntax.LexConfig(f.Bytes, name, hcl.InitialPos)
		for len(tokens) > 0 {
			if isWord(tokens[0], "dns_provider", "aws", "variable") {
				block := tokens[:blockEnd(tokens)]
				l.maskBlock(masked, block)
				tokens = tokens[len(block):]
				continue
			}
			tokens = tokens[1:]
		}
		if f.Body == nil || l.broken[name] {
			maskLines(masked)
		}
		l.files[name] = &hcl.File{Body: f.Body, Bytes: masked, Nav: f.Nav}
	}
}

func isWord(t hclsyntax.Token, words ...string) bool {
	return t.Type == hclsyntax.TokenIdent && slices.Contains(words, string(t.Bytes))
}

// bracketStep is +1 for an opening bracket of any kind, -1 for a closing one.
func bracketStep(t hclsyntax.Token) int {
	switch t.Type {
	case hclsyntax.TokenOBrace, hclsyntax.TokenOBrack, hclsyntax.TokenOParen, hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl:
		return 1
	case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen, hclsyntax.TokenTemplateSeqEnd:
		return -1
	}
	return 0
}

// blockEnd is the number of tokens of the block, or of the attribute of that
// name, which tokens begin with.
func blockEnd(tokens hclsyntax.Tokens) int {
	depth := 0
	for i, t := range tokens {
		step := bracketStep(t)
		depth += step
		if depth <= 0 && (step < 0 || t.Type == hclsyntax.TokenNewline) {
			return i + 1
		}
	}
	return len(tokens)
}

func (l *loader) maskBlock(src []byte, block hclsyntax.Tokens) {
	open := slices.IndexFunc(block, func(t hclsyntax.Token) bool { return t.Type == hclsyntax.TokenOBrace })
	if open < 0 {
		return
	}
	secret := l.secretSettings(block[:open])
	if isWord(block[0], "variable") {
		if !slices.ContainsFunc(block, func(t hclsyntax.Token) bool { return isWord(t, "sensitive") }) {
			return
		}
		secret = func(name string) bool { return name == "default" }
	}
	depth, attr := 0, ""
	for i, t := range block {
		depth += bracketStep(t)
		if i < open {
			continue
		}
		if depth == 1 && t.Type == hclsyntax.TokenIdent && i+1 < len(block) && block[i+1].Type == hclsyntax.TokenEqual {
			attr = string(t.Bytes)
		}
		switch t.Type {
		case hclsyntax.TokenQuotedLit, hclsyntax.TokenStringLit, hclsyntax.TokenNumberLit:
			named := i >= 3 && block[i-2].Type == hclsyntax.TokenOParen && isWord(block[i-3], "env", "file")
			if attr != "" && secret(attr) && !named {
				mask(src[t.Range.Start.Byte:t.Range.End.Byte])
			}
		}
	}
}

// secretSettings says which attributes of a dns_provider or aws block, of which
// head is the header, may hold a secret.
func (l *loader) secretSettings(head hclsyntax.Tokens) func(name string) bool {
	plain := []string{"zones", "nameservers"}
	if isWord(head[0], "aws") {
		plain = []string{"profile", "role_arn", "region", "default_tags"}
		head = nil
	}
	for _, t := range head {
		if t.Type != hclsyntax.TokenQuotedLit {
			continue
		}
		row, _ := l.dnsType(string(t.Bytes))
		for _, s := range row.Settings {
			if !s.Sensitive {
				plain = append(plain, s.Name)
			}
		}
		break
	}
	return func(name string) bool { return !slices.Contains(plain, name) }
}

// maskLines is for a file that has no syntax to go by, where a quote that is
// missing turns texts and names round: what a line sets whose name sounds like
// a secret.
func maskLines(src []byte) {
	for _, m := range secretLine.FindAllSubmatchIndex(src, -1) {
		mask(src[m[2]:m[3]])
	}
}

var secretLine = regexp.MustCompile(`(?im)^[ \t]*\w*(?:token|secret|password|api_key)\w*[ \t]*=[ \t]*"?([^"\n]*)`)

// mask overwrites text byte by byte, so that positions in the file stay true.
func mask(text []byte) {
	for i, c := range text {
		if !bytes.ContainsRune([]byte("\r\n\t "), rune(c)) {
			text[i] = '*'
		}
	}
}
