package sandbox

import (
	"testing"

	"github.com/edgeward/edgeward/providers"
)

// TestCORS follows the Amazon S3 User Guide (Using cross-origin resource
// sharing, Troubleshooting CORS) and the API Reference (OPTIONS object).
func TestCORS(t *testing.T) {
	rules := func(rs ...providers.CORSRule) func(*Bucket) { return func(b *Bucket) { b.CORS = rs } }
	star := rules(providers.CORSRule{Origins: []string{"*"}, Methods: []string{"GET", "HEAD"}, Headers: []string{"x-*", "Range"}, Expose: []string{"ETag", "x-amz-id-2"}, MaxAge: 300})
	two := rules(
		providers.CORSRule{Origins: []string{"https://a.example"}, Methods: []string{"GET"}},
		providers.CORSRule{Origins: []string{"http://*.example"}, Methods: []string{"GET", "PUT"}, Headers: []string{"*"}})
	none := map[string]string{"Access-Control-Allow-Origin": "", "Vary": ""}
	refused := map[string]string{"Access-Control-Allow-Origin": "", "Content-Type": "application/xml"}
	pre := func(origin, method, headers string) []string {
		f := []string{"Origin", origin, "Access-Control-Request-Method", method}
		if headers != "" {
			f = append(f, "Access-Control-Request-Headers", headers)
		}
		return f
	}
	for title, x := range map[string]exchange{
		"no Origin":            {change: star, path: "/digits", status: 200, header: none},
		"no rules":             {path: "/digits", fields: []string{"Origin", "http://o"}, status: 200, header: none},
		"any origin":           {change: star, path: "/digits", fields: []string{"Origin", "http://o"}, status: 200, header: map[string]string{"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Credentials": "", "Access-Control-Allow-Methods": "GET, HEAD", "Access-Control-Expose-Headers": "ETag, x-amz-id-2", "Access-Control-Max-Age": "300", "Vary": varyCORS}},
		"named origin":         {change: two, path: "/digits", fields: []string{"Origin", "https://a.example"}, status: 200, header: map[string]string{"Access-Control-Allow-Origin": "https://a.example", "Access-Control-Allow-Credentials": "true", "Access-Control-Max-Age": "", "Access-Control-Allow-Methods": "GET", "Vary": varyCORS}},
		"origin of a form":     {change: two, path: "/digits", fields: []string{"Origin", "http://b.example"}, status: 200, header: map[string]string{"Access-Control-Allow-Origin": "http://b.example", "Access-Control-Allow-Methods": "GET, PUT"}},
		"other origin":         {change: two, path: "/digits", fields: []string{"Origin", "http://b.test"}, status: 200, header: map[string]string{"Access-Control-Allow-Origin": "", "Vary": varyCORS}},
		"method of no rule":    {change: two, method: "HEAD", path: "/digits", fields: []string{"Origin", "https://a.example"}, status: 200, header: map[string]string{"Access-Control-Allow-Origin": ""}},
		"with an error":        {change: star, path: "/none", fields: []string{"Origin", "http://o"}, status: 403, header: map[string]string{"Access-Control-Allow-Origin": "*"}},
		"with a range":         {change: star, path: "/digits", fields: []string{"Origin", "http://o", "Range", "bytes=0-0"}, status: 206, header: map[string]string{"Access-Control-Allow-Origin": "*"}},
		"preflight":            {change: star, method: "OPTIONS", path: "/digits", fields: pre("http://o", "GET", ""), status: 200, exact: true, header: map[string]string{"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Methods": "GET, HEAD", "Access-Control-Allow-Headers": "", "Content-Length": "0", "Content-Type": "", "Vary": varyCORS}},
		"preflight, headers":   {change: star, method: "OPTIONS", path: "/digits", fields: pre("http://o", "GET", "X-One, range"), status: 200, header: map[string]string{"Access-Control-Allow-Headers": "x-one, range"}},
		"preflight, header":    {change: star, method: "OPTIONS", path: "/digits", fields: pre("http://o", "GET", "y"), status: 403, header: refused, body: "<Code>AccessForbidden</Code>"},
		"preflight, method":    {change: star, method: "OPTIONS", path: "/digits", fields: pre("http://o", "DELETE", ""), status: 403, header: refused},
		"preflight, origin":    {change: two, method: "OPTIONS", path: "/digits", fields: pre("ftp://o", "GET", ""), status: 403, header: refused},
		"preflight, 2nd rule":  {change: two, method: "OPTIONS", path: "/digits", fields: pre("http://a.example", "PUT", "z"), status: 200, header: map[string]string{"Access-Control-Allow-Origin": "http://a.example", "Access-Control-Allow-Credentials": "true"}},
		"preflight, no rules":  {method: "OPTIONS", path: "/digits", fields: pre("http://o", "GET", ""), status: 403, header: refused, body: "CORS is not enabled for this bucket"},
		"preflight, no origin": {change: star, method: "OPTIONS", path: "/digits", fields: []string{"Access-Control-Request-Method", "GET"}, status: 400, body: "Origin request header needed"},
		"preflight, what for":  {change: star, method: "OPTIONS", path: "/digits", fields: []string{"Origin", "http://o"}, status: 400, body: "Access-Control-Request-Method"},
		"preflight of missing": {change: star, method: "OPTIONS", path: "/none", fields: pre("http://o", "GET", ""), status: 200},
	} {
		t.Run(title, func(t *testing.T) {
			w, _ := shop(x.change)
			x.run(t, w, restHost)
		})
	}
}
