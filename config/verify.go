package config

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// The bounds of a comparison where a verify block sets none.
const (
	DefaultMaxRequests = 200_000
	DefaultMaxBytes    = 20_000_000_000
)

// Aspect is one name of verify.accept: what a difference between S3 and
// CloudFront is about.
type Aspect struct {
	Name string
	// Means is one line for a reader of the configuration.
	Means string
	// Broken: a difference in it always means that a visitor does not get what S3
	// gives, so it cannot be accepted.
	Broken bool
}

// Aspects are all of them; the comparison's own list (planner/proof) has the
// same names in the same order. Of those that are not Broken, what is accepted
// are the changes that visitors see while they still get the object; a
// difference that is broken never is, whatever its aspect.
func Aspects() []Aspect {
	return []Aspect{
		{"answer", "there is no HTTP answer at all: connection, TLS, timeout", true},
		{"status", "another status, where the object still comes or is missing on both sides", false},
		{"body", "another body where no object is meant, such as that of an error", false},
		{"content-type", "another Content-Type", false},
		{"content-length", "a Content-Length more or less", false},
		{"content-encoding", "another Content-Encoding of the same content", false},
		{"content-language", "another Content-Language", false},
		{"content-disposition", "another Content-Disposition", false},
		{"cache-control", "another Cache-Control", false},
		{"expires", "another Expires", false},
		{"etag", "another ETag, or a weak one", false},
		{"last-modified", "another Last-Modified", false},
		{"accept-ranges", "an Accept-Ranges more or less", false},
		{"vary", "another Vary", false},
		{"metadata", "the object's own metadata (x-amz-meta-…)", false},
		{"amz-header", "another header of S3's (x-amz-…)", false},
		{"header", "any other header", false},
		{"cors", "the CORS headers of an answer", false},
		{"preflight", "the answer to a preflight request (OPTIONS)", false},
		{"redirect", "a redirect more, or to another place", false},
		{"range", "the answer to a request for a part of an object", false},
		{"conditional", "the answer to a conditional request (If-None-Match, If-Modified-Since)", false},
		{"compression", "compression of what S3 sends as it is", false},
		{"query-string", "what a query string does", false},
		{"caching", "how old an answer may be", false},
		{"unsteady", "CloudFront answers differently from time to time", true},
	}
}

// AcceptUses in verify.accept lets a bucket be switched though its access log shows
// uploads or signed requests by the name, which CloudFront refuses. It is no aspect
// of a comparison.
const AcceptUses = "uses"

// aspectNames are the names that verify.accept may have.
func aspectNames() []string {
	var names []string
	for _, a := range Aspects() {
		if !a.Broken {
			names = append(names, a.Name)
		}
	}
	return append(names, AcceptUses)
}

// acceptable judges one element of accept.
func acceptable(s string) *flaw {
	const summary = "Unsupported value"
	names := aspectNames()
	if slices.Contains(names, s) {
		return nil
	}
	for _, a := range Aspects() {
		if a.Name == s {
			return flawf(summary, "%q cannot be accepted: it means that %s, and a visitor does not get what S3 gives. Broken differences are never accepted, whatever stands here.", s, a.Means)
		}
	}
	switch s {
	case "broken":
		return flawf(summary, "Broken differences are never accepted: a visitor does not get what S3 gives. Write the aspects whose changes visitors may see, such as \"cache-control\".")
	case "*", "all", "changed":
		return flawf(summary, "%q would accept what nobody has looked at. Write each aspect whose changes visitors may see, of %s.", s, quoted(names))
	}
	return flawf(summary, "There is no aspect %q. %s", s, suggest(strings.ReplaceAll(s, "_", "-"), names, "aspect"))
}

func verifyShape() shape {
	return shape{what: "a verify block", attrs: []string{"paths", "sample", "accept", "max_requests", "max_bytes", "max_age"}}
}

func (l *loader) readVerify(b block, pb *placedBucket) {
	v := &pb.Verify
	paths, _ := b.list("paths", shown, linkPath)
	v.Paths = texts(paths)
	v.Sample = b.sampleSize()
	accept, _ := b.list("accept", shown, acceptable)
	for _, a := range accept {
		if !slices.Contains(v.Accept, a.text) {
			v.Accept = append(v.Accept, a.text)
		}
	}
	v.MaxRequests = b.whole("max_requests", 1, DefaultMaxRequests, "Leave it out for 200000.")
	v.MaxBytes = b.bytes("max_bytes", DefaultMaxBytes)
	v.MaxAge = 15 * time.Minute
	if d, _ := b.duration("max_age", positive("max_age")); d != nil {
		v.MaxAge = *d
	}
}

// sampleSize is the attribute sample: a whole number, or "all".
func (b block) sampleSize() int {
	const hint = "0 means that only paths are fetched, \"all\" every object."
	v, at, ok := b.value("sample", cty.DynamicPseudoType, shown)
	if ok && v.Type() == cty.String {
		if v.AsString() == "all" {
			return SampleAll
		}
		if !plainNumber.MatchString(strings.TrimPrefix(v.AsString(), "-")) {
			f := flawf("Unsupported value", "\"sample\" cannot be %q. Write a whole number, such as 20, or \"all\" for every object.", v.AsString())
			if strings.EqualFold(strings.TrimSpace(v.AsString()), "all") {
				f.detail += " Did you mean \"all\"?"
			}
			b.l.report(hcl.DiagError, at, f)
			return 20
		}
	}
	return b.whole("sample", 0, 20, hint)
}

// linkPath judges a path of a test link.
func linkPath(s string) *flaw {
	const summary = "Invalid path"
	switch {
	case strings.Contains(s, "://"):
		return flawf(summary, "%q is a whole URL. Write only its path, beginning with a slash; it is fetched under every name.", s)
	case !strings.HasPrefix(s, "/"):
		return flawf(summary, "A path begins with a slash: write %q.", "/"+s)
	case strings.ContainsAny(s, " \t\r\n"):
		return flawf(summary, "%q has a space: write it as %%20.", s)
	case strings.Contains(s, "#"):
		return flawf(summary, "%q has a #, which browsers never send. Leave that part out, or write %%23 when it is in the object's key.", s)
	}
	if _, err := url.ParseRequestURI(s); err != nil {
		return flawf(summary, "%q is no valid path: a %% is followed by two hexadecimal digits. Write %%25 for the character itself.", s)
	}
	return globFlaw(s)
}

// globFlaw judges a path with * and without a query, which picks the keys that
// match it; only * and ** mean something.
func globFlaw(s string) *flaw {
	const summary = "Invalid path"
	switch {
	case !strings.Contains(s, "*") || strings.Contains(s, "?"):
		return nil
	case strings.Contains(s, "***"):
		return flawf(summary, "%q has three * in a row. * stands for anything within one folder, ** for anything in folders below too.", s)
	case strings.ContainsAny(s, "[]{}"):
		return flawf(summary, "%q has brackets, which pick nothing here: only * and ** do. Write a path for each case, or %%5B, %%5D, %%7B and %%7D for the characters themselves.", s)
	}
	return nil
}
