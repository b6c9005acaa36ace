package proof

import (
	"slices"
	"strings"
)

// follows says which aspects follow from a cause: they are not told again at
// that site, unless they are worse.
func follows(cause Aspect) []Aspect {
	switch cause {
	case Answer, StatusCode, Redirect:
		return Aspects()
	case Body, Caching:
		return []Aspect{Body, ContentLength, ETag, LastModified, AcceptRanges, Range, Conditional, Compression, QueryString, Caching}
	case ContentEncoding, Compression:
		return []Aspect{Body, ContentLength, ContentEncoding, ETag, Vary, AcceptRanges, Range, Conditional, Compression}
	case ETag, LastModified:
		return []Aspect{Conditional}
	case ContentType, ContentDisposition, ContentLanguage, CacheControl, Expires:
		return []Aspect{QueryString}
	case CORS:
		return []Aspect{Vary, Preflight}
	case Range:
		return []Aspect{AcceptRanges}
	}
	return nil
}

// causes says whether c can be the cause of a difference of f's aspect: what a
// plain GET shows the other requests show too. Some causes have requests of
// their own.
func (c finding) causes(f finding) bool {
	plain := c.get == partPlain && !c.warm
	switch c.Aspect {
	case CORS:
		// Where a preflight fails, other requests of other pages fail.
		return f.Aspect != Preflight || f.Verdict != Broken
	case Range:
		return true
	case Body, Caching:
		return c.get == partPlain || c.get == partCold
	case StatusCode, Answer:
		return plain || c.get == partCold && f.Aspect == QueryString // those with any query
	}
	return plain
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
// leaves out what follows from another one. accept are the aspects that the user
// accepts: they count for themselves.
func merge(found []finding, accept []Aspect) []Difference {
	var out []Difference
	at := map[string]int{}
	hidden := hide(found, accept)
	for i, f := range found {
		if hidden[i] {
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

// hide says which findings a cause at the same site explains. Of two that explain
// each other the one that was seen first is told; of several in a circle one is.
func hide(found []finding, accept []Aspect) []bool {
	hidden := make([]bool, len(found))
	for i, f := range slices.Backward(found) {
		for k, c := range found {
			if !hidden[k] && explains(c, f) && (!c.accepted(accept) || f.accepted(accept) || c.implies(f)) {
				hidden[i] = true
				break
			}
		}
	}
	return hidden
}

// accepted: the user lets visitors see it.
func (c finding) accepted(accept []Aspect) bool {
	return c.Verdict == Changed && slices.Contains(accept, c.Aspect)
}

// implies: who accepts c has accepted f too. Another status, page or place does
// not tell what else is another one.
func (c finding) implies(f finding) bool {
	switch c.Aspect {
	case StatusCode, Redirect, Body:
		return f.Verdict.Passes() || c.alike(f)
	case Caching:
		return f.Aspect != Compression && f.Aspect != QueryString
	}
	return true
}

func explains(c, f finding) bool {
	return c.site == f.site && c.Aspect != f.Aspect && f.Verdict.rank() <= c.Verdict.rank() &&
		slices.Contains(follows(c.Aspect), f.Aspect) && c.causes(f) && (f.Aspect != QueryString || c.Verdict == Broken || c.alike(f))
}

// alike: both show the same, so the query of one has no part in it.
func (c finding) alike(f finding) bool { return c.Left == f.Left && c.Right == f.Right }
