package aws_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/edgeward/edgeward/providers"
	"github.com/edgeward/edgeward/providers/aws"
)

// row is a DistributionSummary and list one page of ListDistributions
// [CloudFront API Reference: DistributionList].
func row(id, etag, status string, aliases ...string) string {
	var names string
	for _, a := range aliases {
		names += "<CNAME>" + a + "</CNAME>"
	}
	return fmt.Sprintf(`<DistributionSummary><Id>%s</Id><ARN>arn:aws:cloudfront::123456789012:distribution/%s</ARN><ETag>%s</ETag><Status>%s</Status><DomainName>d%s.cloudfront.net</DomainName><Enabled>true</Enabled>
<Aliases><Quantity>%d</Quantity><Items>%s</Items></Aliases>
<Origins><Quantity>1</Quantity><Items><Origin><Id>o</Id><DomainName>b.s3.eu-west-1.amazonaws.com</DomainName><S3OriginConfig><OriginAccessIdentity></OriginAccessIdentity></S3OriginConfig></Origin></Items></Origins>
<DefaultCacheBehavior><TargetOriginId>o</TargetOriginId><ViewerProtocolPolicy>allow-all</ViewerProtocolPolicy><CachePolicyId>ours</CachePolicyId></DefaultCacheBehavior>
<ViewerCertificate><ACMCertificateArn>arn:c</ACMCertificateArn><MinimumProtocolVersion>TLSv1.2_2021</MinimumProtocolVersion></ViewerCertificate>
<PriceClass>PriceClass_All</PriceClass><HttpVersion>HTTP2</HttpVersion><IsIPV6Enabled>true</IsIPV6Enabled><WebACLId></WebACLId></DistributionSummary>`,
		id, id, etag, status, strings.ToLower(id), len(aliases), names)
}

func list(next string, rows ...string) string {
	marker := ""
	if next != "" {
		marker = "<NextMarker>" + next + "</NextMarker>"
	}
	return fmt.Sprintf(`<?xml version="1.0"?><DistributionList %s><Marker></Marker>%s<MaxItems>100</MaxItems><IsTruncated>%t</IsTruncated><Quantity>%d</Quantity><Items>%s</Items></DistributionList>`,
		cfNS, marker, next != "", len(rows), strings.Join(rows, ""))
}

// mapping is a page of GetResources [Resource Groups Tagging API Reference].
func mapping(next string, tags map[string]string) string {
	var items []string
	for id, bucket := range tags {
		items = append(items, fmt.Sprintf(`{"ResourceARN":"arn:aws:cloudfront::123456789012:distribution/%s","Tags":[{"Key":"edgeward:bucket","Value":%q}]}`, id, bucket))
	}
	return fmt.Sprintf(`{"PaginationToken":%q,"ResourceTagMappingList":[%s]}`, next, strings.Join(items, ","))
}

func ids(t *testing.T, account providers.Account, bucket string, names ...string) []string {
	t.Helper()
	found, err := account.Distributions.Find(t.Context(), bucket, names)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, d := range found {
		out = append(out, d.ID)
	}
	return out
}

func TestFind(t *testing.T) {
	environment(t, map[string]string{"AWS_REGION": "eu-central-1"})
	w, account := connect(func(c call) (*http.Response, error) {
		switch {
		case c.op == "GET /distribution":
			return respond(200, list("m", row("E5", "V", "Deployed", "*.example.com"), row("E1", "V", "Deployed", "a.example.com", "b.example.com")))
		case c.op == "GET /distribution?Marker=m":
			return respond(200, list("", row("E2", "V", "InProgress", "x.example.org"), row("E3", "V", "Deployed")))
		case c.op == "GetResources" && c.n == 1:
			return respond(200, mapping("p", map[string]string{"E2": "a.example.com"}))
		case c.op == "GetResources":
			return respond(200, mapping("", map[string]string{"EGONE": "gone", "E1": "a.example.com"}))
		}
		return refusal(404, "NoSuchDistribution", "m")
	}, fast())
	tests := map[string]struct {
		bucket string
		names  []string
		want   []string
	}{
		"alias, wildcard over it, tag": {"a.example.com", []string{"a.example.com"}, []string{"E1", "E2", "E5"}},
		"the wildcard itself":          {"none", []string{"*.example.com"}, []string{"E1", "E5"}},
		"two labels":                   {"none", []string{"deep.a.example.com"}, []string{"E5"}},
		"apex":                         {"none", []string{"example.com"}, nil},
		"nobody":                       {"none", []string{"example.net"}, nil},
		// The tagging API still tells of it; the distribution is gone.
		"deleted": {"gone", nil, nil},
	}
	for name, test := range tests {
		if d := cmp.Diff(test.want, ids(t, account, test.bucket, test.names...)); d != "" {
			t.Errorf("%s: -want +got\n%s", name, d)
		}
	}
	found, err := account.Distributions.Find(t.Context(), "a.example.com", nil)
	if err != nil || len(found) != 2 {
		t.Fatal(found, err)
	}
	want := providers.Distribution{
		ID: "E1", ARN: "arn:aws:cloudfront::123456789012:distribution/E1", Domain: "de1.cloudfront.net", Status: "Deployed", ETag: "V",
		Tags: map[string]string{providers.TagBucket: "a.example.com"},
		Settings: providers.Settings{
			Enabled: true, Aliases: []string{"a.example.com", "b.example.com"}, CertificateARN: "arn:c", MinimumTLS: "TLSv1.2_2021",
			OriginDomain: "b.s3.eu-west-1.amazonaws.com", OriginKind: providers.RESTOrigin, ViewerProtocol: "allow-all",
			Methods: []string{"GET", "HEAD"}, PriceClass: "PriceClass_All", HTTPVersion: "http2", IPv6: true, CachePolicyID: "ours",
		},
	}
	if d := cmp.Diff(want, found[0]); d != "" {
		t.Errorf("-want +got\n%s", d)
	}
	if wild, _ := account.Distributions.Find(t.Context(), "none", []string{"z.example.com"}); len(wild) != 1 || wild[0].Tags != nil {
		t.Errorf("tags that are not known are not nil: %+v", wild)
	}
	tagging := w.made("GetResources")
	if tagging[0].host != "tagging.us-east-1.amazonaws.com" || !strings.Contains(tagging[0].body, `"ResourceTypeFilters":["cloudfront:distribution"]`) ||
		!strings.Contains(tagging[0].body, `"Key":"edgeward:bucket"`) || !strings.Contains(tagging[1].body, `"PaginationToken":"p"`) {
		t.Errorf("asked %s: %s, %s", tagging[0].host, tagging[0].body, tagging[1].body)
	}
	if len(tagging) != 2 || len(w.made("GET /distribution")) != 1 {
		t.Errorf("asked %v", w.count())
	}
}

// A list is whole or an error: a page that fails, repeats itself or is short.
func TestPartialListsAreErrors(t *testing.T) {
	tests := map[string]func() (*http.Response, error){
		"second page denied":    func() (*http.Response, error) { return refusal(403, "AccessDenied", "m") },
		"second page lost":      func() (*http.Response, error) { return respond(503, "") },
		"second page cut off":   func() (*http.Response, error) { return respond(200, `<DistributionList><Marker>m</Mar`) },
		"second page of nobody": func() (*http.Response, error) { return respond(200, `<html></html>`) },
		"page of itself":        func() (*http.Response, error) { return respond(200, list("m")) },
		"no next page named": func() (*http.Response, error) {
			return respond(200, `<DistributionList><IsTruncated>true</IsTruncated><Quantity>0</Quantity></DistributionList>`)
		},
		"fewer rows than said": func() (*http.Response, error) {
			return respond(200, `<DistributionList><IsTruncated>false</IsTruncated><Quantity>2</Quantity><Items>`+row("E2", "V", "Deployed")+`</Items></DistributionList>`)
		},
	}
	for name, second := range tests {
		t.Run(name, func(t *testing.T) {
			environment(t, nil)
			broken := true
			_, account := connect(func(c call) (*http.Response, error) {
				switch {
				case c.op == "GetResources":
					return respond(200, mapping("", nil))
				case c.op == "GET /distribution":
					return respond(200, list("m", row("E1", "V", "Deployed", "a.example.com")))
				case broken:
					return second()
				}
				return respond(200, list("", row("E2", "V", "Deployed", "a.example.com")))
			}, fast())
			found, err := account.Distributions.Find(t.Context(), "b", []string{"a.example.com"})
			if err == nil || found != nil {
				t.Fatalf("found %v, %v", found, err)
			}
			broken = false
			if d := cmp.Diff([]string{"E1", "E2"}, ids(t, account, "b", "a.example.com")); d != "" {
				t.Error(d)
			}
		})
	}
}

// lagging answers Find's sweeps after a second, from what was true when the
// question arrived.
func lagging(rows func() []string) func(call) (*http.Response, error) {
	return func(c call) (*http.Response, error) {
		if c.op == "GetResources" {
			return respond(200, mapping("", nil))
		}
		text := list("", rows()...)
		if err := (providers.RealClock{}).Sleep(c.req.Context(), time.Second); err != nil {
			return nil, err
		}
		return respond(200, text)
	}
}

// quick has no limits to wait for, so that the times are the sweeps' own.
func quick() aws.Options { return aws.Options{Limits: aws.Limits{}.Times(1e6)} }

// A thousand callers are one sweep; its answer is used for five seconds.
func TestSweepsAreShared(t *testing.T) {
	environment(t, nil)
	synctest.Test(t, func(t *testing.T) {
		w, account := connect(lagging(func() []string { return []string{row("E1", "V", "Deployed", "a.example.com")} }), quick())
		ask := func() {
			done := make(chan error)
			for range 1000 {
				go func() {
					found, err := account.Distributions.Find(t.Context(), "b", []string{"a.example.com"})
					if err == nil && len(found) != 1 {
						err = errors.New("not found")
					}
					done <- err
				}()
			}
			for range 1000 {
				if err := <-done; err != nil {
					t.Fatal(err)
				}
			}
		}
		for i, want := range []int{1, 1, 2} {
			ask()
			if n := len(w.made("GET /distribution")); n != want {
				t.Errorf("round %d: %d sweeps, want %d", i, n, want)
			}
			_ = providers.RealClock{}.Sleep(t.Context(), 3*time.Second)
		}
	})
}

// One caller's end is no other's: the sweep goes on while somebody waits, and
// ends when nobody does.
func TestOneCallerGivesUp(t *testing.T) {
	environment(t, nil)
	synctest.Test(t, func(t *testing.T) {
		w, account := connect(lagging(func() []string { return []string{row("E1", "V", "Deployed", "a.example.com")} }), quick())
		first, cancel := context.WithCancel(t.Context())
		gone, other := make(chan error), make(chan error)
		go func() {
			_, err := account.Distributions.Find(first, "b", nil)
			gone <- err
		}()
		synctest.Wait()
		go func() {
			_, err := account.Distributions.Find(t.Context(), "b", nil)
			other <- err
		}()
		synctest.Wait()
		cancel()
		if err := <-gone; !errors.Is(err, context.Canceled) {
			t.Errorf("the one that gave up: %v", err)
		}
		if err := <-other; err != nil {
			t.Errorf("the other: %v", err)
		}
		if n := len(w.made("GET /distribution")); n != 1 {
			t.Errorf("%d sweeps", n)
		}

		_ = providers.RealClock{}.Sleep(t.Context(), 10*time.Second)
		alone, cancel := context.WithCancel(t.Context())
		go func() {
			_, err := account.Distributions.Find(alone, "b", nil)
			gone <- err
		}()
		synctest.Wait()
		cancel()
		<-gone
		synctest.Wait()
		calls := w.made("GET /distribution")
		if err := calls[len(calls)-1].req.Context().Err(); err == nil {
			t.Error("the read nobody waits for goes on")
		}
	})
}

// Rule 1: after a write the answer about that distribution comes from a read
// that began after it, while the rest still comes from the sweep.
func TestAfterAWrite(t *testing.T) {
	environment(t, nil)
	synctest.Test(t, func(t *testing.T) {
		etag, alias, tag, config := "V1", "a.example.com", "", ""
		stale := func() []string {
			return []string{row("E1", "V1", "Deployed", "a.example.com"), row("E2", "V1", "Deployed", "a.example.com", "z.example.com")}
		}
		rows := stale
		sweeps := lagging(func() []string { return rows() })
		w, account := connect(func(c call) (*http.Response, error) {
			switch {
			case c.op == "GET /distribution/E1/config":
				return respond(200, strings.ReplaceAll(golden(t, "foreign.xml"), "old.example.com", alias), "ETag: "+etag)
			case c.op == "PUT /distribution/E1/config":
				etag, alias, config = "V2", "new.example.com", c.body
				return distribution("E1", etag, "InProgress", config)
			case c.op == "GET /distribution/E1":
				return distribution("E1", etag, "InProgress", config)
			case strings.HasPrefix(c.op, "POST /tagging"):
				tag = "held"
				return respond(204, "")
			case strings.HasPrefix(c.op, "GET /tagging"):
				return respond(200, `<Tags><Items><Tag><Key>edgeward:hold</Key><Value>`+tag+`</Value></Tag></Items></Tags>`)
			}
			return sweeps(c)
		}, quick())

		if d := cmp.Diff([]string{"E1", "E2"}, ids(t, account, "b", "a.example.com")); d != "" {
			t.Fatal(d)
		}
		s := providers.Settings{Aliases: []string{"new.example.com"}}
		if _, err := account.Distributions.Update(t.Context(), "E1", "V1", s, []providers.Field{providers.FieldAliases}); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff([]string{"E2"}, ids(t, account, "b", "a.example.com")); d != "" {
			t.Errorf("the alias was taken away: %s", d)
		}
		found, err := account.Distributions.Find(t.Context(), "b", []string{"new.example.com"})
		if err != nil || len(found) != 1 || found[0].ETag != "V2" || found[0].Status != providers.InProgress {
			t.Fatalf("found %+v, %v", found, err)
		}
		if n := len(w.made("GET /distribution")); n != 1 {
			t.Errorf("%d sweeps: a write must not make every caller sweep again", n)
		}

		// A sweep that began later but does not show the write yet is not believed.
		_ = providers.RealClock{}.Sleep(t.Context(), 6*time.Second)
		if got := ids(t, account, "b", "new.example.com"); len(got) != 1 {
			t.Errorf("found %v while the list lags", got)
		}
		reads := len(w.made("GET /distribution/E1"))
		rows = func() []string { return []string{row("E1", "V2", "Deployed", "new.example.com")} }
		_ = providers.RealClock{}.Sleep(t.Context(), 6*time.Second)
		if got := ids(t, account, "b", "new.example.com"); len(got) != 1 || len(w.made("GET /distribution/E1")) != reads {
			t.Errorf("found %v; once the list shows the write it is enough (%v)", got, w.count())
		}

		// Tags that this process wrote are read from the distribution.
		if err := account.Distributions.SetTags(t.Context(), found[0].ARN, map[string]string{"edgeward:hold": "held"}); err != nil {
			t.Fatal(err)
		}
		found, err = account.Distributions.Find(t.Context(), "b", []string{"new.example.com"})
		if err != nil || len(found) != 1 || found[0].Tags["edgeward:hold"] != "held" {
			t.Errorf("found %+v, %v", found, err)
		}
	})
}

// What was created is found at once, by name and by tag, while neither list
// shows it, and no more after it is gone.
func TestCreatedIsFound(t *testing.T) {
	environment(t, nil)
	synctest.Test(t, func(t *testing.T) {
		config, gone := "", false
		sweeps := lagging(func() []string { return nil })
		_, account := connect(func(c call) (*http.Response, error) {
			switch {
			case c.op == "POST /distribution?WithTags":
				config = c.body
				return distribution("ENEW", "V1", "InProgress", config)
			case c.op == "GET /distribution/ENEW" && !gone:
				return distribution("ENEW", "V1", "Deployed", config)
			case c.op == "GET /distribution/ENEW":
				return refusal(404, "NoSuchDistribution", "m")
			case strings.HasPrefix(c.op, "GET /tagging"):
				return respond(200, `<Tags><Items><Tag><Key>edgeward:bucket</Key><Value>assets.example.com</Value></Tag></Items></Tags>`)
			}
			return sweeps(c)
		}, quick())
		if got := ids(t, account, "assets.example.com"); got != nil {
			t.Fatalf("found %v", got)
		}
		_, err := account.Distributions.Create(t.Context(), "ref", settings("arn:c", "p"), map[string]string{providers.TagBucket: "assets.example.com"})
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			byName, err := account.Distributions.Find(t.Context(), "other", []string{"assets.example.com"})
			if err != nil || len(byName) != 1 || byName[0].Status != providers.Deployed || byName[0].Tags[providers.TagBucket] != "assets.example.com" {
				t.Errorf("found %+v, %v", byName, err)
			}
			if got := ids(t, account, "assets.example.com"); len(got) != 1 {
				t.Errorf("found %v by tag", got)
			}
			_ = providers.RealClock{}.Sleep(t.Context(), 4*time.Second)
		}
		gone = true
		if got := ids(t, account, "assets.example.com", "assets.example.com"); got != nil {
			t.Errorf("found %v after it was deleted", got)
		}
	})
}

// A create whose answer was lost may have been done: what is found next comes
// from sweeps that began after it.
func TestLostCreateIsSweptFor(t *testing.T) {
	environment(t, nil)
	synctest.Test(t, func(t *testing.T) {
		made := false
		sweeps := lagging(func() []string {
			if made {
				return []string{row("E1", "V1", "InProgress", "assets.example.com")}
			}
			return nil
		})
		_, account := connect(func(c call) (*http.Response, error) {
			if c.op == "POST /distribution?WithTags" && !made {
				made = true
				return respond(502, "")
			}
			if c.op == "POST /distribution?WithTags" {
				return refusal(409, "CNAMEAlreadyExists", "m")
			}
			return sweeps(c)
		}, quick())
		if got := ids(t, account, "b", "assets.example.com"); got != nil {
			t.Fatalf("found %v", got)
		}
		_, err := account.Distributions.Create(t.Context(), "ref", settings("arn:c", "p"), nil)
		if !errors.Is(err, providers.ErrConflict) {
			t.Fatal(err)
		}
		if d := cmp.Diff([]string{"E1"}, ids(t, account, "b", "assets.example.com")); d != "" {
			t.Errorf("-want +got\n%s", d)
		}
	})
}
