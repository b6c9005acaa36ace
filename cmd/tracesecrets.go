package cmd

import (
	"cmp"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// credentialShapes are credentials whoever's they are: headers that carry one, as
// a server repeats them, and access keys of AWS [IAM User Guide: IAM identifiers,
// Understanding unique ID prefixes].
var credentialShapes = regexp.MustCompile(`(?i:\b(?:proxy-)?authorization|\b(?:set-)?cookie|\bx-amz-(?:security-token|signature)|\bx-api-key|\bapi[-_ ]?key)["']?\s*[:=]\s*[\["']*` +
	`(?i:(?:bearer|basic|token|sso-key|apikey)\s+)?[^\s,;"'\]]+|\b(?i:bearer|basic)\s+[\w.~+/-]*[\d+/=][\w.~+/=-]{7,}|\b(?:AKIA|ASIA)[A-Z0-9]{12,}\b`)

// urlShapes are URLs with a user or a query, which are left out.
var urlShapes = regexp.MustCompile(`(https?://)(?:[^\s/@"'?]+@)?([^\s"'?]*)(?:\?[^\s"'\\]*)?`)

const (
	// leastSecret is how long a text is at least that is looked for: shorter ones are
	// in everything.
	leastSecret = 4
	// leastEncoded is the same for the forms of it that look like any text.
	leastEncoded = 8
)

// remover puts "(removed)" in the place of secrets, in the forms that they have in
// URLs, in JSON, in headers.
func remover(secrets []string) *strings.Replacer {
	var forms []string
	for _, s := range secrets {
		if len(s) < leastSecret {
			continue
		}
		quoted, _ := json.Marshal(s) // a string has always a form in JSON
		forms = append(forms, s, url.QueryEscape(s), url.PathEscape(s), strings.Trim(string(quoted), `"`))
		if len(s) >= leastEncoded {
			forms = append(forms, hex.EncodeToString([]byte(s)), strings.ToUpper(hex.EncodeToString([]byte(s))))
			forms = append(forms, inBase64(s)...)
		}
	}
	slices.SortFunc(forms, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	var pairs []string
	for _, f := range slices.Compact(forms) {
		pairs = append(pairs, f, "(removed)")
	}
	return strings.NewReplacer(pairs...)
}

// inBase64 are the characters that s becomes within a longer text, wherever in it
// s begins. Those at both ends are made of what stands beside it, too.
func inBase64(s string) []string {
	var forms []string
	for i := range 3 {
		for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			text := enc.EncodeToString([]byte(strings.Repeat("\x00", i) + s))
			forms = append(forms, text[(i*8+5)/6:len(text)-1])
		}
	}
	return forms
}
