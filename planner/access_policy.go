package planner

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/edgeward/edgeward/providers"
)

const actionList = "s3:ListBucket"

// actionVersion is what ?versionId= asks for, whichever version it names [S3 API
// Reference, GetObject: Permissions].
const actionVersion = "s3:GetObjectVersion"

// edgeService is the service that CloudFront signs as.
const edgeService = "cloudfront.amazonaws.com"

// grantSid names edgeward's statement in a bucket policy.
func grantSid(d providers.Distribution) string { return "Edgeward" + d.ID }

// opening is what of a bucket everybody may do today, and so what a distribution
// has to be let do in their place: no more, for what it may read the world reads.
type opening struct {
	// patterns are the resources of objects that everybody may read.
	patterns []string
	// versions: their versions too, by ?versionId=.
	versions bool
	// lists: everybody may list the bucket, so that a missing key is a 404.
	lists bool
}

// openings reads a policy; the error says why nobody can tell what is public.
func openings(bucket, policy string) (opening, error) {
	sts, err := parsePolicy(policy)
	if err != nil {
		return opening{}, providers.Doing(err, "it is not understood")
	}
	var o opening
	var versions []string
	for _, st := range sts {
		if st.deny() || !st.anonymous() {
			continue
		}
		for action, list := range map[string]*[]string{actionRead: &o.patterns, actionVersion: &versions} {
			if !st.about(action) {
				continue
			}
			patterns, _ := st.objectsOf(bucket)
			switch {
			case patterns == nil:
			case len(st.Condition) > 0:
				return o, fmt.Errorf("%s lets everybody read on conditions, which CloudFront's signed requests do not meet alike", st.name())
			case st.NotResource != nil:
				return o, fmt.Errorf("%s says by NotResource what everybody may read", st.name())
			}
			for _, p := range patterns {
				if p = arnPartition.ReplaceAllString(p, "arn:aws:s3:"); !slices.Contains(*list, p) {
					*list = append(*list, p)
				}
			}
		}
		o.lists = o.lists || len(st.Condition) == 0 && st.about(actionList) &&
			slices.ContainsFunc(st.Resource, func(p string) bool { return wildcard(p, "arn:aws:s3:::"+bucket) })
	}
	if o.patterns == nil {
		return o, fmt.Errorf("no statement of it lets everybody read objects")
	}
	slices.Sort(o.patterns)
	slices.Sort(versions)
	if o.versions = versions != nil; o.versions && !slices.Equal(versions, o.patterns) {
		return o, fmt.Errorf("it lets everybody read versions (%s) of other objects than it lets everybody read", actionVersion)
	}
	return o, nil
}

// covers says that everybody may read the key.
func (o opening) covers(bucket, key string) bool {
	return slices.ContainsFunc(o.patterns, func(p string) bool { return wildcard(p, "arn:aws:s3:::"+bucket+"/"+key) })
}

// grantOf is edgeward's statement for a distribution.
func grantOf(bucket string, d providers.Distribution, o opening, list bool) map[string]any {
	actions, resources := []any{actionRead}, []any{}
	for _, p := range o.patterns {
		resources = append(resources, p)
	}
	if o.versions {
		actions = append(actions, actionVersion)
	}
	if list {
		actions, resources = append(actions, actionList), append(resources, "arn:aws:s3:::"+bucket)
	}
	return map[string]any{"Sid": grantSid(d), "Effect": "Allow", "Principal": map[string]any{"Service": edgeService},
		"Action": actions, "Resource": resources, "Condition": map[string]any{"StringEquals": map[string]any{"AWS:SourceArn": d.ARN}}}
}

// document is a policy with its statements as they are, nothing of them lost.
type document struct {
	rest       map[string]any
	statements []any
}

func readDocument(policy string) (document, error) {
	d := document{rest: map[string]any{"Version": "2012-10-17"}}
	if policy == "" {
		return d, nil
	}
	d.rest = map[string]any{}
	dec := json.NewDecoder(strings.NewReader(policy))
	dec.UseNumber()
	if err := dec.Decode(&d.rest); err != nil {
		return d, providers.Doing(err, "read the bucket policy")
	}
	switch s := d.rest["Statement"].(type) {
	case []any:
		d.statements = s
	case map[string]any:
		d.statements = []any{s}
	}
	delete(d.rest, "Statement")
	return d, nil
}

func sidOf(statement any) string {
	m, ok := statement.(map[string]any)
	if !ok {
		return ""
	}
	sid, ok := m["Sid"].(string)
	if !ok {
		return ""
	}
	return sid
}

// without is the policy but for the statement with a Sid.
func (d document) without(sid string) document {
	out := document{rest: d.rest}
	for _, s := range d.statements {
		if sidOf(s) != sid {
			out.statements = append(out.statements, s)
		}
	}
	return out
}

// with is the policy with a statement at its end, in the place of one with its
// Sid.
func (d document) with(statement map[string]any) document {
	out := d.without(sidOf(statement))
	out.statements = append(slices.Clone(out.statements), statement)
	return out
}

// find is the statement with a Sid, nil when there is none.
func (d document) find(sid string) map[string]any {
	for _, s := range d.statements {
		if m, ok := s.(map[string]any); ok && sidOf(s) == sid {
			return m
		}
	}
	return nil
}

// text is the policy to send; "" when it has no statement left.
func (d document) text() (string, error) {
	if len(d.statements) == 0 {
		return "", nil
	}
	whole := map[string]any{"Statement": d.statements}
	for k, v := range d.rest {
		whole[k] = v
	}
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(whole); err != nil {
		return "", providers.Doing(err, "write the bucket policy")
	}
	return strings.TrimSpace(b.String()), nil
}

// sameMeaning compares two policies, or parts of them, as S3 reads them: it
// writes a list of one element as that element, and in no order of ours.
func sameMeaning(x, y any) bool { return reflect.DeepEqual(canonical(x), canonical(y)) }

// samePolicy compares the texts of two policies by their meaning.
func samePolicy(x, y string) bool {
	dx, errx := readDocument(x)
	dy, erry := readDocument(y)
	if errx != nil || erry != nil {
		return x == y
	}
	if len(dx.statements)+len(dy.statements) == 0 {
		return true
	}
	return sameMeaning(dx.rest, dy.rest) && sameMeaning(dx.statements, dy.statements)
}

// canonical has lists sorted, and of one element as that element.
func canonical(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, e := range v {
			if strings.EqualFold(k, "aws:sourcearn") {
				k = "aws:sourcearn" // keys of conditions have no case
			}
			out[k] = canonical(e)
		}
		return out
	case []any:
		if len(v) == 1 {
			return canonical(v[0])
		}
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = canonical(e)
		}
		slices.SortFunc(out, func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
		return out
	case bool:
		return fmt.Sprint(v)
	case json.Number:
		return v.String()
	}
	return v
}

// grantWords is a grant as plans print it.
func grantWords(bucket string, o opening, list bool) string {
	var of []string
	for _, p := range o.patterns {
		of = append(of, strings.TrimPrefix(p, "arn:aws:s3:::"))
	}
	words := "only this distribution may read " + strings.Join(of, ", ")
	if o.versions {
		words += " in every version"
	}
	if list {
		words += " and list " + bucket
	}
	return words
}

// policyWithout is the meaning of a policy but for edgeward's statements, which
// are of no plan's concern but its own.
func policyWithout(policy string, d *providers.Distribution) any {
	doc, err := readDocument(policy)
	if err != nil || d == nil || doc.find(grantSid(*d)) == nil {
		return meaning(policy)
	}
	text, err := doc.without(grantSid(*d)).text()
	if err != nil {
		return meaning(policy)
	}
	return meaning(text)
}
