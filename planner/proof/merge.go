package proof

import (
	"slices"
	"strings"
)

// follows says which aspects follow from a cause that a plain GET shows: they
// are not told again at that site, unless they are worse.
func follows(cause Aspect) []Aspect {
	switch cause {
	case Answer, StatusCode, Redirect:
		return Aspects()
	case Body, Caching:
		return []Aspect{Body, ContentLength, ETag, LastModified, Range, Conditional, Compression}
	case ContentEncoding, Compression:
		return []Aspect{Body, ContentLength, ContentEncoding, ETag, Vary, Range, Compression}
	case ETag, LastModified:
		return []Aspect{Conditional}
	case CORS:
		return []Aspect{Vary}
	case Range:
		return []Aspect{AcceptRanges}
	}
	return nil
}

// same is equal for two differences that have one cause: what differs, and for
// the headers without an aspect of their own which one.
func (d Difference) same() string {
	switch d.Aspect {
	case Header, Metadata, AmzHeader:
		for _, text := range []string{d.Left, d.Right} {
			if name, _, ok := strings.Cut(text, ":"); ok {
				return string(d.Aspect) + " " + strings.ToLower(name)
			}
		}
	}
	return string(d.Aspect)
}

// merge makes one difference of what many requests for a path show alike, and
// leaves out what follows from another one.
func merge(found []finding) []Difference {
	var out []Difference
	at := map[string]int{}
	for _, f := range found {
		if hidden(f, found) {
			continue
		}
		key := f.same()
		if f.Verdict.Passes() {
			key += " " + f.Source
		}
		i, ok := at[key]
		if !ok {
			at[key] = len(out)
			out = append(out, f.Difference)
			continue
		}
		also := out[i].Also + 1
		if f.Verdict.rank() > out[i].Verdict.rank() {
			out[i] = f.Difference
		}
		out[i].Also = also
	}
	return out
}

// hidden: a cause at the same site explains f.
func hidden(f finding, found []finding) bool {
	return slices.ContainsFunc(found, func(c finding) bool {
		return explains(c, f) && !(explains(f, c) && !before(c, f, found))
	})
}

// explains: f follows from c. Each of two may follow from the other; then the
// one that was seen first is told.
func explains(c, f finding) bool {
	cause := c.get || c.Aspect == Range
	return cause && c.site == f.site && c.Aspect != f.Aspect && f.Verdict.rank() <= c.Verdict.rank() &&
		slices.Contains(follows(c.Aspect), f.Aspect)
}

func before(c, f finding, found []finding) bool {
	for _, x := range found {
		switch {
		case x.Aspect == c.Aspect && x.site == c.site && x.get == c.get:
			return true
		case x.Aspect == f.Aspect && x.site == f.site && x.get == f.get:
			return false
		}
	}
	return false
}
