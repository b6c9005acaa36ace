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

// Answers are from the S3, S3 Control and CloudFront API References.
const (
	noPolicy   = "NoSuchBucketPolicy"
	noBlock    = "NoSuchPublicAccessBlockConfiguration"
	accessPath = "/assets.example.com?"
)

func TestAccessReads(t *testing.T) {
	environment(t, map[string]string{"AWS_ENDPOINT_URL": "https://lab.example"})
	for what, tc := range map[string]struct {
		status int
		code   string
		body   string
		class  error
		block  *providers.PublicAccessBlock
	}{
		"none":    {404, noBlock, "", nil, nil},
		"all off": {200, "", `<PublicAccessBlockConfiguration/>`, nil, &providers.PublicAccessBlock{}},
		"two": {200, "", `<PublicAccessBlockConfiguration><IgnorePublicAcls>true</IgnorePublicAcls><RestrictPublicBuckets>true</RestrictPublicBuckets></PublicAccessBlockConfiguration>`,
			nil, &providers.PublicAccessBlock{IgnorePublicACLs: true, RestrictPublicBuckets: true}},
		"no such bucket": {404, "NoSuchBucket", "", providers.ErrNotFound, nil},
		"denied":         {403, "AccessDenied", "", providers.ErrDenied, nil},
	} {
		t.Run(what, func(t *testing.T) {
			_, acc := connect(func(call) (*http.Response, error) {
				if tc.code != "" {
					return s3Refusal(tc.status, tc.code)
				}
				return respond(tc.status, tc.body)
			}, fast())
			got, err := acc.Access.Block(t.Context(), "assets.example.com", "eu-west-1")
			if diff := cmp.Diff(tc.block, got); diff != "" || !errors.Is(err, tc.class) || (err == nil) != (tc.class == nil) {
				t.Errorf("%v: %s", err, diff)
			}
		})
	}
	_, acc := connect(func(call) (*http.Response, error) { return s3Refusal(404, noPolicy) }, fast())
	if text, err := acc.Access.Policy(t.Context(), "assets.example.com", "eu-west-1"); text != "" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
}

func TestAccessWrites(t *testing.T) {
	environment(t, map[string]string{"AWS_ENDPOINT_URL": "https://lab.example"})
	refuse := ""
	w, acc := connect(func(call) (*http.Response, error) {
		if refuse != "" {
			return s3Refusal(http.StatusBadRequest, refuse)
		}
		return respond(http.StatusNoContent, "")
	}, fast())
	a, ctx := acc.Access, t.Context()
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
	}
	do(a.PutPolicy(ctx, "assets.example.com", "eu-west-1", `{"Statement":[]}`))
	do(a.PutPolicy(ctx, "assets.example.com", "eu-west-1", ""))
	do(a.PutBlock(ctx, "assets.example.com", "eu-west-1", &providers.PublicAccessBlock{IgnorePublicACLs: true, RestrictPublicBuckets: true}))
	do(a.PutBlock(ctx, "assets.example.com", "eu-west-1", nil))
	want := map[string]int{"PUT " + accessPath + "policy": 1, "DELETE " + accessPath + "policy": 1, "PUT " + accessPath + "publicAccessBlock": 1, "DELETE " + accessPath + "publicAccessBlock": 1}
	if diff := cmp.Diff(want, w.count()); diff != "" {
		t.Error(diff)
	}
	if c := w.made("PUT " + accessPath + "policy")[0]; c.body != `{"Statement":[]}` {
		t.Errorf("the policy that is sent is %s", c.body)
	}
	block := w.made("PUT " + accessPath + "publicAccessBlock")[0].body
	for _, flag := range []string{"<BlockPublicAcls>false<", "<IgnorePublicAcls>true<", "<BlockPublicPolicy>false<", "<RestrictPublicBuckets>true<"} {
		if !strings.Contains(block, flag) {
			t.Errorf("%s is not in %s", flag, block)
		}
	}
	for code, class := range map[string]error{"MalformedPolicy": providers.ErrInvalid, "AccessDenied": providers.ErrDenied, "NoSuchBucket": providers.ErrNotFound} {
		refuse = code
		err := a.PutPolicy(ctx, "assets.example.com", "eu-west-1", "{}")
		if !errors.Is(err, class) || !strings.Contains(err.Error(), "put the policy of bucket assets.example.com") {
			t.Errorf("%s: %v", code, err)
		}
		clean(t, err)
	}
}

func TestAccountBlock(t *testing.T) {
	environment(t, nil)
	for what, tc := range map[string]struct {
		answer func() (*http.Response, error)
		want   *providers.PublicAccessBlock
		class  error
	}{
		"none": {func() (*http.Response, error) { return refusal(404, noBlock, "none") }, nil, nil},
		"one": {func() (*http.Response, error) {
			return respond(200, `<PublicAccessBlockConfiguration><BlockPublicPolicy>true</BlockPublicPolicy></PublicAccessBlockConfiguration>`)
		}, &providers.PublicAccessBlock{BlockPublicPolicy: true}, nil},
		"denied": {func() (*http.Response, error) { return refusal(403, "AccessDenied", "denied") }, nil, providers.ErrDenied},
	} {
		t.Run(what, func(t *testing.T) {
			w, acc := connect(func(c call) (*http.Response, error) {
				if c.op == "GetCallerIdentity" {
					return respond(200, `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult><Account>123456789012</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`)
				}
				if !strings.HasPrefix(c.host, "123456789012.s3-control.") {
					t.Errorf("asked at %s", c.host)
				}
				return tc.answer()
			}, fast())
			for range 2 { // once for all buckets
				got, err := acc.Access.AccountBlock(t.Context())
				if diff := cmp.Diff(tc.want, got); diff != "" || !errors.Is(err, tc.class) || (err == nil) != (tc.class == nil) {
					t.Errorf("%v: %s", err, diff)
				}
			}
			if n := len(w.made("GET /v20180820/configuration/publicAccessBlock")); tc.class == nil && n != 1 {
				t.Errorf("asked %d times: %v", n, w.count())
			}
		})
	}
}

const controlRow = `<OriginAccessControlSummary><Id>%s</Id><Name>%s</Name><OriginAccessControlOriginType>s3</OriginAccessControlOriginType><SigningBehavior>%s</SigningBehavior><SigningProtocol>sigv4</SigningProtocol></OriginAccessControlSummary>`

func controlPage(next string, rows ...[3]string) string {
	var items string
	for _, r := range rows {
		items += strings.NewReplacer("%s</Id>", r[0]+"</Id>", "%s</Name>", r[1]+"</Name>", "%s</SigningBehavior>", r[2]+"</SigningBehavior>").Replace(controlRow)
	}
	more := "false"
	if next != "" {
		more, next = "true", "<NextMarker>"+next+"</NextMarker>"
	}
	return `<OriginAccessControlList><Marker></Marker>` + next + `<MaxItems>100</MaxItems><IsTruncated>` + more + `</IsTruncated><Quantity>` + string(rune('0'+len(rows))) + `</Quantity><Items>` + items + `</Items></OriginAccessControlList>`
}

func TestOriginAccess(t *testing.T) {
	environment(t, nil)
	const origins = `<Origins><Quantity>2</Quantity><Items><Origin><Id>o</Id><DomainName>assets.example.com.s3.eu-west-1.amazonaws.com</DomainName><OriginAccessControlId>EC1</OriginAccessControlId></Origin>` +
		`<Origin><Id>p</Id><DomainName>other.s3-website-eu-west-1.amazonaws.com</DomainName></Origin></Items></Origins><DefaultCacheBehavior><TargetOriginId>o</TargetOriginId><ViewerProtocolPolicy>allow-all</ViewerProtocolPolicy></DefaultCacheBehavior>`
	w, acc := connect(func(c call) (*http.Response, error) {
		switch {
		case strings.HasPrefix(c.op, "GET /origin-access-control?Marker=m1"):
			return respond(200, controlPage("", [3]string{"EC3", "mine", "never"}))
		case strings.HasPrefix(c.op, "GET /origin-access-control"):
			return respond(200, controlPage("m1", [3]string{"EC1", "edgeward-s3-1", "always"}, [3]string{"EC2", "edgeward-s3-2", "always"}))
		case strings.HasPrefix(c.op, "POST /origin-access-control"):
			if c.n > 1 {
				return refusal(409, "OriginAccessControlAlreadyExists", "an origin access control of that name exists")
			}
			return respond(201, `<OriginAccessControl><Id>EC9</Id></OriginAccessControl>`)
		case strings.HasPrefix(c.op, "GET /distribution"):
			return respond(200, `<DistributionList><Marker></Marker><MaxItems>100</MaxItems><IsTruncated>false</IsTruncated><Quantity>1</Quantity><Items><DistributionSummary><Id>E1</Id><ARN>a</ARN>`+origins+`</DistributionSummary></Items></DistributionList>`)
		}
		return jsonRefusal("ValidationException", c.op)
	}, fast())
	got, err := acc.Access.OriginAccess(t.Context())
	want := []providers.OriginAccess{{ID: "EC1", Name: "edgeward-s3-1", Signs: true, InUse: 1}, {ID: "EC2", Name: "edgeward-s3-2", Signs: true}, {ID: "EC3", Name: "mine"}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Fatalf("%v: %s", err, diff)
	}
	for bucket, want := range map[string][]providers.Reader{"assets.example.com": {{ID: "E1", Origins: 1}}, "other": {{ID: "E1", Origins: 1}}, "nobody": nil} {
		if ids, err := acc.Access.Readers(t.Context(), bucket); err != nil || !cmp.Equal(ids, want) {
			t.Errorf("%s is read by %v, %v", bucket, ids, err)
		}
	}
	made, err := acc.Access.CreateOriginAccess(t.Context(), "edgeward-s3-3")
	if err != nil || made != (providers.OriginAccess{ID: "EC9", Name: "edgeward-s3-3", Signs: true}) {
		t.Errorf("%+v, %v", made, err)
	}
	sent := w.made("POST /origin-access-control")[0].body
	for _, part := range []string{">s3<", ">always<", ">sigv4<", ">edgeward-s3-3<"} {
		if !strings.Contains(sent, part) {
			t.Errorf("%s is not in %s", part, sent)
		}
	}
	if _, err := acc.Access.CreateOriginAccess(t.Context(), "edgeward-s3-3"); !errors.Is(err, providers.ErrConflict) {
		t.Errorf("error %v", err)
	}
	if _, err := acc.Access.OriginAccess(t.Context()); err != nil || len(w.made("GET /origin-access-control")) != 2 {
		t.Errorf("the list was not read anew after a creation: %v, %v", w.count(), err)
	}
}

// TestReaders: an origin is the bucket's by whatever endpoint it asks, and in a
// group of origins too [S3 User Guide: Methods for accessing a bucket; CloudFront
// API Reference: Origin].
func TestReaders(t *testing.T) {
	environment(t, nil)
	row := func(id string, origins ...string) string {
		var items string
		for i, o := range origins {
			host, path, _ := strings.Cut(o, "/")
			if path != "" {
				path = "/" + path
			}
			items += fmt.Sprintf("<Origin><Id>o%d</Id><DomainName>%s</DomainName><OriginPath>%s</OriginPath></Origin>", i, host, path)
		}
		return "<DistributionSummary><Id>" + id + "</Id><ARN>" + id + "</ARN><Origins><Quantity>" + fmt.Sprint(len(origins)) + "</Quantity><Items>" + items + "</Items></Origins></DistributionSummary>"
	}
	rows := []string{
		row("E1", "a.b.s3.eu-west-1.amazonaws.com", "other.example.com"), row("E2", "A.B.s3-website.eu-west-3.amazonaws.com"),
		row("E3", "a.b.s3.amazonaws.com", "a.b.s3.dualstack.eu-west-1.amazonaws.com"), row("E4", "s3.eu-west-1.amazonaws.com/a.b/img"),
		row("E5", "s3-eu-west-1.amazonaws.com"), row("E6", "x.s3.eu-west-1.amazonaws.com", "s3.amazonaws.com/a.bc"),
		row("E7", "a.b"), row("E8", "notamazons3.example.com"), row("E9", "s3.x.s3.eu-west-1.amazonaws.com"),
	}
	_, acc := connect(func(c call) (*http.Response, error) {
		return respond(200, `<DistributionList><Marker></Marker><MaxItems>100</MaxItems><IsTruncated>false</IsTruncated><Quantity>9</Quantity><Items>`+strings.Join(rows, "")+`</Items></DistributionList>`)
	}, fast())
	readers := func(rows ...string) (out []providers.Reader) {
		for _, r := range rows {
			id, twice := strings.CutSuffix(r, " 2")
			out = append(out, providers.Reader{ID: id, Origins: 1})
			if twice {
				out[len(out)-1].Origins = 2
			}
		}
		return out
	}
	for bucket, want := range map[string][]providers.Reader{
		"a.b":     readers("E1", "E2", "E3 2", "E4", "E5"),
		"x":       readers("E5", "E6"),
		"s3.x":    readers("E5", "E9"),
		"a.bc":    readers("E5", "E6"),
		"nothing": readers("E5"), // S3 itself may be asked for any
	} {
		got, err := acc.Access.Readers(t.Context(), bucket)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v: %s", bucket, err, diff)
		}
	}
}

// TestSigned: the path is signed as it is sent, with the bucket in it, and the
// answer is left as it is.
func TestSigned(t *testing.T) {
	environment(t, nil)
	w, acc := connect(func(c call) (*http.Response, error) {
		return respond(206, "0123456789", "Content-Encoding: gzip", "X-Amz-Request-Id: r")
	}, fast())
	r, err := acc.Signed.Fetch(t.Context(), providers.Request{URL: "https://assets.example.com.s3.eu-west-1.amazonaws.com/img/a%20b.png?x=1", Header: http.Header{"range": {"bytes=0-9"}}, Limit: 4, Keep: 2})
	if err != nil {
		t.Fatal(err)
	}
	if r.Status != 206 || r.Length != 4 || string(r.Body) != "01" || !r.Cut || r.Header.Get("Content-Encoding") != "gzip" {
		t.Errorf("%+v", r)
	}
	c := w.calls[0]
	if c.host != "s3.eu-west-1.amazonaws.com" || c.req.URL.EscapedPath() != "/assets.example.com/img/a%20b.png" || c.req.URL.RawQuery != "x=1" {
		t.Errorf("sent to %s", c.req.URL)
	}
	if auth := c.header.Get("Authorization"); !strings.Contains(auth, "/eu-west-1/s3/aws4_request") || c.header.Get("Range") != "bytes=0-9" || c.header.Get("Accept-Encoding") != "identity" {
		t.Errorf("%v", c.header)
	}
	for _, u := range []string{"https://www.example.com/x", "https://b.s3-website-eu-west-1.amazonaws.com/", "://"} {
		if _, err := acc.Signed.Fetch(t.Context(), providers.Request{URL: u}); !errors.Is(err, providers.ErrInvalid) {
			t.Errorf("%s: %v", u, err)
		}
	}
}

// TestUpdateOriginAccess changes the control of the default origin and nothing
// else, and reads it back.
func TestUpdateOriginAccess(t *testing.T) {
	environment(t, nil)
	old := golden(t, "foreign.xml")
	for _, id := range []string{"ENEW", ""} {
		w, account := connect(func(c call) (*http.Response, error) {
			if c.op == "GET /distribution/E1/config" {
				return respond(200, old, "ETag: V1")
			}
			return distribution("E1", "V2", "InProgress", c.body)
		}, fast())
		got, err := account.Distributions.Update(t.Context(), "E1", "V1", providers.Settings{OriginAccessID: id}, []providers.Field{providers.FieldOriginAccess})
		if err != nil || got.Settings.OriginAccessID != id {
			t.Fatal(got, err)
		}
		want := strings.Replace(old, "<OriginAccessControlId>EOAC<", "<OriginAccessControlId>"+id+"<", 1)
		if d := cmp.Diff(parseXML(t, want), parseXML(t, w.made("PUT /distribution/E1/config")[0].body)); d != "" {
			t.Errorf("-want +sent\n%s", d)
		}
	}
}
