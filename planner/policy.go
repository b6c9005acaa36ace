package planner

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// tri is an answer about a request of which not everything is known. Of two
// that must both hold the smaller counts, of two of which one is enough the
// larger.
type tri int

const (
	never  tri = 0
	maybe  tri = 1
	always tri = 2
)

func triOf(b bool) tri {
	if b {
		return always
	}
	return never
}

// policyDoc is a bucket policy [IAM User Guide, "IAM JSON policy element
// reference"].
type policyDoc struct{ Statement statements }

// statements are one statement or a list of them.
type statements []statement

func (s *statements) UnmarshalJSON(raw []byte) error {
	var list []statement
	err := json.Unmarshal(raw, &list)
	if err != nil {
		list = make([]statement, 1)
		err = json.Unmarshal(raw, &list[0])
	}
	*s = list
	return err
}

type statement struct {
	Sid, Effect             string
	Principal, NotPrincipal principals
	Action, NotAction       words
	Resource, NotResource   words
	// Condition has operators, then keys, then values.
	Condition map[string]map[string]words
	number    int
}

// words are one value or a list of them, numbers and booleans as text.
type words []string

func (w *words) UnmarshalJSON(raw []byte) error {
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		return err
	}
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	for _, e := range list {
		switch e.(type) {
		case string, bool, float64:
			*w = append(*w, fmt.Sprint(e))
		default:
			return fmt.Errorf("read a policy's value: %v is no text", e)
		}
	}
	return nil
}

// principals are who a statement is about: "*", or kinds and their names.
type principals map[string]words

func (p *principals) UnmarshalJSON(raw []byte) error {
	var all string
	if json.Unmarshal(raw, &all) == nil {
		*p = principals{"AWS": {all}}
		return nil
	}
	var m map[string]words
	err := json.Unmarshal(raw, &m)
	*p = m
	return err
}

// everybody says that requests without a signature are meant.
func (p principals) everybody() bool { return slices.Contains(p["AWS"], "*") }

// parsePolicy reads the text of a bucket policy, which may be "".
func parsePolicy(text string) ([]statement, error) {
	if text == "" {
		return nil, nil
	}
	var doc policyDoc
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		return nil, err
	}
	for i := range doc.Statement {
		doc.Statement[i].number = i + 1
	}
	return doc.Statement, nil
}

// name is how a person finds the statement.
func (s statement) name() string {
	if s.Sid != "" {
		return fmt.Sprintf("statement %q", s.Sid)
	}
	return fmt.Sprintf("statement %d", s.number)
}

func (s statement) deny() bool { return s.Effect == "Deny" }

// anonymous says that the statement is about requests without a signature, as
// visitors send them, and CloudFront without an origin access control.
func (s statement) anonymous() bool {
	if s.NotPrincipal != nil {
		return !s.NotPrincipal.everybody()
	}
	return s.Principal.everybody()
}

// about says whether the statement is about an action.
func (s statement) about(action string) bool {
	is := func(p string) bool { return wildcard(strings.ToLower(p), strings.ToLower(action)) }
	if s.NotAction != nil {
		return !slices.ContainsFunc(s.NotAction, is)
	}
	return slices.ContainsFunc(s.Action, is)
}

var arnPartition = regexp.MustCompile(`^arn:[^:]*:s3:`)

// objectsOf are the patterns of the statement's resources that some object of
// the bucket is under; all says that every object is.
func (s statement) objectsOf(bucket string) (patterns []string, all bool) {
	every := everyObject(bucket)
	normal := func(p string) string { return arnPartition.ReplaceAllString(p, "arn:aws:s3:") }
	if s.NotResource != nil {
		all = true
		for _, p := range s.NotResource {
			if covers(normal(p), every) {
				return nil, false
			}
			all = all && !overlap(normal(p), every)
		}
		return []string{every}, all
	}
	for _, p := range s.Resource {
		if p = normal(p); overlap(p, every) {
			patterns = append(patterns, p)
			all = all || covers(p, every)
		}
	}
	return patterns, all
}

func everyObject(bucket string) string { return "arn:aws:s3:::" + bucket + "/*" }

// wildcard matches a text with a pattern, in which * is any text and ? any
// character.
func wildcard(pattern, text string) bool {
	star, mark, i := -1, 0, 0
	for j := 0; j < len(text); {
		switch {
		case i < len(pattern) && pattern[i] == '*':
			star, mark = i, j
			i++
		case i < len(pattern) && (pattern[i] == '?' || pattern[i] == text[j]):
			i, j = i+1, j+1
		case star >= 0:
			mark++
			i, j = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[i:], "*") == ""
}

// covers says that all that q matches is matched by p; false where that is not
// plain to see.
func covers(p, q string) bool {
	return wildcard(strings.ReplaceAll(p, "?", "\x00"), q)
}

// overlap says whether some text is matched by both patterns.
func overlap(p, q string) bool {
	reach := make([]bool, len(q)+1)
	for i := len(p); i >= 0; i-- {
		next := slices.Clone(reach) // what is reached with one more of p
		for j := len(q); j >= 0; j-- {
			moreP, moreQ := i < len(p), j < len(q)
			switch {
			case !moreP && !moreQ:
				reach[j] = true
			case moreP && p[i] == '*':
				reach[j] = next[j] || moreQ && reach[j+1]
			case moreQ && q[j] == '*':
				reach[j] = reach[j+1] || moreP && next[j]
			case moreP && moreQ:
				reach[j] = (p[i] == q[j] || p[i] == '?' || q[j] == '?') && next[j+1]
			default:
				reach[j] = false
			}
		}
	}
	return reach[0]
}
