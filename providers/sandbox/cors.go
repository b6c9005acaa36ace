package sandbox

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/edgeward/edgeward/providers"
)

const varyCORS = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method"

// corsRule is the first rule that allows a method, for a preflight with the
// headers it asks for, to the request's origin; any: the rule says so of every
// origin [Amazon S3 User Guide: How does Amazon S3 evaluate the CORS
// configuration on a bucket].
func (b *bucket) corsRule(r request, method string, headers []string) (rule *providers.CORSRule, any bool) {
	origin := r.get("Origin")
	for i := range b.CORS {
		rule := &b.CORS[i]
		at := slices.IndexFunc(rule.Origins, func(form string) bool { return matches(form, origin) })
		if at < 0 || !slices.Contains(rule.Methods, method) {
			continue
		}
		refused := func(h string) bool {
			return !slices.ContainsFunc(rule.Headers, func(form string) bool {
				return matches(strings.ToLower(form), h)
			})
		}
		if !slices.ContainsFunc(headers, refused) {
			return rule, rule.Origins[at] == "*"
		}
	}
	return nil, false
}

// matches is whether s is form, which may have one * for anything.
func matches(form, s string) bool {
	before, after, star := strings.Cut(form, "*")
	if !star {
		return form == s
	}
	return len(s) >= len(before)+len(after) && strings.HasPrefix(s, before) && strings.HasSuffix(s, after)
}

// allowOrigin adds the CORS headers of an answer to a request with an Origin.
func (b *bucket) allowOrigin(out reply, r request) reply {
	if len(b.CORS) == 0 || r.get("Origin") == "" {
		return out
	}
	if rule, any := b.corsRule(r, r.method, nil); rule != nil {
		out = out.allow(rule, any, r.get("Origin"))
	}
	return out.with("Vary", varyCORS)
}

func (out reply) allow(rule *providers.CORSRule, any bool, origin string) reply {
	if any {
		out = out.with("Access-Control-Allow-Origin", "*")
	} else {
		out = out.with("Access-Control-Allow-Origin", origin).with("Access-Control-Allow-Credentials", "true")
	}
	out = out.with("Access-Control-Allow-Methods", strings.Join(rule.Methods, ", ")).
		with("Access-Control-Expose-Headers", strings.Join(rule.Expose, ", "))
	if rule.MaxAge > 0 {
		out = out.with("Access-Control-Max-Age", strconv.Itoa(int(rule.MaxAge)))
	}
	return out
}

// preflight answers OPTIONS [Amazon S3 API Reference: OPTIONS object].
func (w *World) preflight(out reply, b *bucket, r request) reply {
	origin, method := r.get("Origin"), r.get("Access-Control-Request-Method")
	switch {
	case origin == "":
		return w.refuse(out, 400, "BadRequest", "Insufficient information. Origin request header needed.")
	case method == "":
		return w.refuse(out, 400, "BadRequest", "Invalid Access-Control-Request-Method: null")
	case len(b.CORS) == 0:
		return w.refuse(out, 403, "AccessForbidden", "CORSResponse: CORS is not enabled for this bucket.", "Method", method, "ResourceType", "BUCKET")
	}
	var headers []string
	for h := range strings.SplitSeq(r.get("Access-Control-Request-Headers"), ",") {
		if h = strings.ToLower(strings.TrimSpace(h)); h != "" {
			headers = append(headers, h)
		}
	}
	rule, any := b.corsRule(r, method, headers)
	if rule == nil {
		return w.refuse(out, 403, "AccessForbidden", "CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, request method / Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the resource's CORS spec.",
			"Method", method, "ResourceType", "OBJECT")
	}
	out = out.text(http.StatusOK, "", nil).allow(rule, any, origin)
	return out.with("Access-Control-Allow-Headers", strings.Join(headers, ", ")).with("Vary", varyCORS)
}
