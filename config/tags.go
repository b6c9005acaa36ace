package config

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// maxTags is how many tags of the user's a distribution can have: CloudFront
// allows 50, and 12 are kept for edgeward's own.
const maxTags = 38

var tagChars = regexp.MustCompile(`^[A-Za-z0-9 _.:/=+\-@]*$`)

// tagFlaw judges one tag by CloudFront's rules [CloudFront API Reference: Tag].
func tagFlaw(k, v string) *flaw {
	const summary = "Invalid tag"
	lower := strings.ToLower(k)
	switch {
	case k == "":
		return flawf(summary, "A tag's key cannot be empty. Write key = \"value\".")
	case strings.HasPrefix(lower, "edgeward:"):
		return flawf(summary, "The key %q: keys that begin with \"edgeward:\" are written by edgeward itself. Use another key.", k)
	case strings.HasPrefix(lower, "aws:"):
		return flawf(summary, "The key %q: keys that begin with \"aws:\" are reserved by AWS. Use another key.", k)
	case utf8.RuneCountInString(k) > 128:
		return flawf(summary, "The key %q has %d characters; a tag's key has at most 128.", k, utf8.RuneCountInString(k))
	case utf8.RuneCountInString(v) > 256:
		return flawf(summary, "The value of %q has %d characters; a tag's value has at most 256.", k, utf8.RuneCountInString(v))
	case !tagChars.MatchString(k):
		return flawf(summary, "The key %q: CloudFront's tags have letters, digits, spaces and _ . : / = + - @ only.", k)
	case !tagChars.MatchString(v):
		return flawf(summary, "The value of %q: CloudFront's tags have letters, digits, spaces and _ . : / = + - @ only.", k)
	}
	return nil
}
