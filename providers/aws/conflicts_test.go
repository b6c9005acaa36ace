package aws_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/edgeward/edgeward/providers"
)

// conflict is one entry of an answer [CloudFront API Reference: DomainConflict].
func conflict(domain, kind, id, account string) string {
	return fmt.Sprintf(`<DomainConflicts><Domain>%s</Domain><ResourceType>%s</ResourceType><ResourceId>%s</ResourceId><AccountId>%s</AccountId></DomainConflicts>`, domain, kind, id, account)
}

// conflicts is an answer [CloudFront API Reference: ListDomainConflicts, Response
// Syntax].
func conflicts(next string, entries ...string) (*http.Response, error) {
	if next != "" {
		next = "<NextMarker>" + next + "</NextMarker>"
	}
	return respond(200, `<?xml version="1.0"?><ListDomainConflictsResult `+cfNS+`><DomainConflicts>`+strings.Join(entries, "")+`</DomainConflicts>`+next+`</ListDomainConflictsResult>`)
}

// The masked values are those of the CloudFront Developer Guide, "Find the source
// standard distribution or distribution tenant".
func TestConflicts(t *testing.T) {
	const name = "www.example.com"
	own := conflict(name, "distribution", "*******EXAMPLE", "******789012")
	other := conflict("*.example.com", "distribution", "*******ELSEWHE", "******112233")
	tenant := conflict(name, "distribution-tenant", "***************ohWzv1b9It8JABC", "******112233")
	holders := map[string]providers.Holder{
		own:    {Alias: name, ID: "*******EXAMPLE", Account: "******789012"},
		other:  {Alias: "*.example.com", ID: "*******ELSEWHE", Account: "******112233"},
		tenant: {Alias: name, ID: "***************ohWzv1b9It8JABC", Account: "******112233", Tenant: true},
	}
	always := func(status int, code string) func(call) (*http.Response, error) {
		return func(call) (*http.Response, error) { return refusal(status, code, "m") }
	}
	tests := map[string]struct {
		answer func(call) (*http.Response, error)
		want   []string
		calls  int
		class  error // of the error
		says   string
		fails  bool
	}{
		"nobody":          {answer: func(call) (*http.Response, error) { return conflicts("") }, calls: 1},
		"this account":    {answer: func(call) (*http.Response, error) { return conflicts("", own) }, want: []string{own}, calls: 1},
		"another account": {answer: func(call) (*http.Response, error) { return conflicts("", other) }, want: []string{other}, calls: 1},
		"a tenant":        {answer: func(call) (*http.Response, error) { return conflicts("", tenant) }, want: []string{tenant}, calls: 1},
		"pages": {answer: func(c call) (*http.Response, error) {
			if !strings.Contains(c.body, "<Marker>2</Marker>") {
				return conflicts("2", own, other)
			}
			return conflicts("", tenant)
		}, want: []string{own, other, tenant}, calls: 2},
		"a page again": {answer: func(call) (*http.Response, error) { return conflicts("2", own) }, calls: 2, fails: true, says: "next page is the page itself"},
		"no name":      {answer: func(call) (*http.Response, error) { return conflicts("", conflict("", "distribution", "E", "1")) }, calls: 1, fails: true},
		"throttled once": {answer: func(c call) (*http.Response, error) {
			if c.n == 1 {
				return refusal(400, "Throttling", "Rate exceeded")
			}
			return conflicts("", own)
		}, want: []string{own}, calls: 2},
		"throttled":       {answer: always(400, "Throttling"), calls: 10, fails: true, class: providers.ErrThrottled, says: "after all retries"},
		"denied":          {answer: always(403, "AccessDenied"), calls: 1, fails: true, class: providers.ErrDenied, says: "ask who else has the alias www.example.com: AccessDenied"},
		"not its own":     {answer: always(404, "EntityNotFound"), calls: 1, fails: true, class: providers.ErrNotFound},
		"not covered":     {answer: always(400, "InvalidArgument"), calls: 1, fails: true, class: providers.ErrInvalid},
		"not implemented": {answer: always(501, "NotImplemented"), calls: 1, fails: true},
		"no such path": {answer: func(call) (*http.Response, error) {
			return respond(404, "<!doctype html><html lang=en><title>404 Not Found</title></html>")
		}, calls: 1, fails: true},
	}
	for what, test := range tests {
		t.Run(what, func(t *testing.T) {
			environment(t, nil)
			w, account := connect(test.answer, fast())
			got, err := account.Distributions.Conflicts(t.Context(), "E1", name)
			var want []providers.Holder
			for _, entry := range test.want {
				want = append(want, holders[entry])
			}
			if d := cmp.Diff(want, got); d != "" || (err != nil) != test.fails {
				t.Errorf("%v\n%s", err, d)
			}
			calls := w.made("POST /domain-conflicts")
			if len(calls) != test.calls {
				t.Fatalf("%d calls, want %d", len(calls), test.calls)
			}
			if sent := calls[0].body; !strings.Contains(sent, "<Domain>www.example.com</Domain>") || !strings.Contains(sent, "<DomainControlValidationResource><DistributionId>E1</DistributionId></DomainControlValidationResource>") {
				t.Errorf("sent %s", sent)
			}
			if err == nil {
				return
			}
			if !strings.Contains(err.Error(), test.says) || test.class != nil && !errors.Is(err, test.class) {
				t.Errorf("error %v", err)
			}
			if errors.Is(err, providers.ErrDenied) && !strings.Contains(hint(err), "cloudfront:ListDomainConflicts") {
				t.Errorf("hint %q", hint(err))
			}
			clean(t, err)
		})
	}
}
