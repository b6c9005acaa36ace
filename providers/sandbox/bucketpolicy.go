package sandbox

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/edgeward/edgeward/providers"
)

// rule is one statement of a bucket policy, as far as this world judges it.
type rule struct {
	deny, everybody    bool
	service            string
	actions, resources []string
	// condition has operators, then keys, then values.
	condition map[string]map[string]many
}

// many is one value or a list of them.
type many []string

func (m *many) UnmarshalJSON(raw []byte) error {
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		return err
	}
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	for _, e := range list {
		*m = append(*m, fmt.Sprint(e))
	}
	return nil
}

// readPolicy reads the statements of a policy; "" has none.
func readPolicy(text string) ([]rule, error) {
	if text == "" {
		return nil, nil
	}
	var doc struct{ Statement json.RawMessage }
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		return nil, err
	}
	type statement struct {
		Effect           string
		Principal        json.RawMessage
		Action, Resource many
		Condition        map[string]map[string]many
	}
	var list []statement
	if json.Unmarshal(doc.Statement, &list) != nil {
		list = make([]statement, 1)
		if err := json.Unmarshal(doc.Statement, &list[0]); err != nil {
			return nil, err
		}
	}
	var rules []rule
	for _, s := range list {
		r := rule{deny: s.Effect == "Deny", actions: s.Action, resources: s.Resource, condition: s.Condition}
		var all string
		var kinds map[string]many
		if json.Unmarshal(s.Principal, &all) != nil {
			if err := json.Unmarshal(s.Principal, &kinds); err != nil {
				return nil, fmt.Errorf("the principal: %w", err)
			}
		}
		r.everybody = all == "*" || slices.Contains(kinds["AWS"], "*")
		if of := kinds["Service"]; len(of) > 0 {
			r.service = of[0]
		}
		rules = append(rules, r)
	}
	return rules, nil
}

// about says whether a rule is about an action on a resource.
func (r rule) about(action, resource string) bool {
	return slices.ContainsFunc(r.actions, func(p string) bool { return like(strings.ToLower(p), strings.ToLower(action)) }) &&
		slices.ContainsFunc(r.resources, func(p string) bool { return like(p, resource) })
}

// meets says whether a request fulfils the conditions. One that this world does
// not know is never fulfilled.
func (r rule) meets(q request) bool {
	for op, keys := range r.condition {
		for key, values := range keys {
			got := ""
			switch strings.ToLower(key) {
			case "aws:sourcearn":
				if q.by != byOwner {
					got = q.by
				}
			case "aws:securetransport":
				got = fmt.Sprint(q.scheme == "https")
			case "aws:useragent":
				got = q.get("User-Agent")
			}
			is := slices.ContainsFunc(values, func(v string) bool {
				if strings.Contains(strings.ToLower(op), "like") {
					return like(v, got)
				}
				return v == got
			})
			if got == "" || is == strings.Contains(op, "Not") {
				return false
			}
		}
	}
	return true
}

// like matches a text with a pattern, in which * is any text.
func like(pattern, text string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == text
	}
	rest, ok := strings.CutPrefix(text, parts[0])
	if !ok {
		return false
	}
	for _, p := range parts[1 : len(parts)-1] {
		i := strings.Index(rest, p)
		if i < 0 {
			return false
		}
		rest = rest[i+len(p):]
	}
	return strings.HasSuffix(rest, parts[len(parts)-1])
}

// publicRules says what GetBucketPolicyStatus would: somebody unknown may do
// something [Amazon S3 User Guide: The meaning of "public"].
func publicRules(rules []rule) bool {
	return slices.ContainsFunc(rules, func(r rule) bool { return !r.deny && r.everybody && len(r.condition) == 0 })
}

func publicPolicy(text string) bool {
	rules, err := readPolicy(text)
	return err == nil && publicRules(rules)
}

// rewritten is a policy as S3 gives it back: in one line, in another order, and
// with lists of one element as that element. A text that is no policy about the
// bucket is refused.
func rewritten(text, bucket string) (string, error) {
	rules, err := readPolicy(text)
	var doc map[string]any
	if err == nil {
		err = json.Unmarshal([]byte(text), &doc)
	}
	if err != nil {
		return "", fmt.Errorf("%w: %w: %w", errMalformed, err, providers.ErrInvalid)
	}
	for _, r := range rules {
		if len(r.actions) == 0 || len(r.resources) == 0 || !r.everybody && r.service == "" && !strings.Contains(text, `"AWS"`) {
			return "", fmt.Errorf("%w: a statement without principal, action or resource: %w", errMalformed, providers.ErrInvalid)
		}
		for _, of := range r.resources {
			if own := "arn:aws:s3:::" + bucket; of != own && !strings.HasPrefix(of, own+"/") {
				return "", fmt.Errorf("%w: policy has invalid resource: %w", errMalformed, providers.ErrInvalid)
			}
		}
	}
	sids := map[any]bool{}
	list, ok := doc["Statement"].([]any)
	if !ok {
		list = []any{doc["Statement"]}
	}
	for i, s := range list {
		one, _ := s.(map[string]any)
		if sid := one["Sid"]; sid != nil && sids[sid] {
			return "", fmt.Errorf("%w: statement IDs must be unique: %w", errMalformed, providers.ErrInvalid)
		} else if sid != nil {
			sids[sid] = true
		}
		for k, v := range one {
			one[k] = single(v)
		}
		list[i] = one
	}
	doc["Statement"] = list
	out, err := json.Marshal(doc)
	if err != nil {
		return "", err
	}
	return string(out), nil
}

// single is a list of one element as that element, at any depth.
func single(v any) any {
	switch v := v.(type) {
	case []any:
		if len(v) == 1 {
			return v[0]
		}
	case map[string]any:
		for k, e := range v {
			v[k] = single(e)
		}
	}
	return v
}
