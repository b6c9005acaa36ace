package providertest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/edgeward/edgeward/providers"
)

// accessPolicy: what is put is read back, by its meaning; a text that is no policy
// is refused, and "" removes it.
func accessPolicy(t *testing.T, p AccountParty) {
	ctx, port := t.Context(), p.Account.Access
	read := func() string {
		t.Helper()
		text, err := port.Policy(ctx, p.Bucket, p.Region)
		if err != nil {
			t.Fatalf("Policy: %v", err)
		}
		return text
	}
	before := read()
	defer func() { // t's context has ended by the time of a Cleanup
		if err := port.PutPolicy(ctx, p.Bucket, p.Region, before); err != nil {
			t.Error(err)
		}
	}()
	put := fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Sid":"all","Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::%[1]s/*"},`+
		`{"Sid":"Edgeward","Effect":"Allow","Principal":{"Service":"cloudfront.amazonaws.com"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::%[1]s/*",`+
		`"Condition":{"StringEquals":{"AWS:SourceArn":"arn:aws:cloudfront::123456789012:distribution/E1"}}}]}`, p.Bucket)
	for range 2 { // the second time nothing changes
		if err := port.PutPolicy(ctx, p.Bucket, p.Region, put); err != nil {
			t.Fatalf("PutPolicy: %v", err)
		}
		var want, got any
		if err := json.Unmarshal([]byte(put), &want); err != nil {
			t.Fatal(err)
		}
		if text := read(); json.Unmarshal([]byte(text), &got) != nil || !reflect.DeepEqual(want, got) {
			t.Errorf("the policy is %s", text)
		}
	}
	if err := port.PutPolicy(ctx, p.Bucket, p.Region, ""); err != nil {
		t.Fatalf("PutPolicy of none: %v", err)
	}
	if text := read(); text != "" {
		t.Errorf("the policy is %s", text)
	}
	_, err := port.Policy(ctx, "absent-"+p.Bucket, p.Region)
	class(t, err, providers.ErrNotFound)
}

// accessMalformed is refused and changes nothing.
func accessMalformed(t *testing.T, p AccountParty) {
	class(t, p.Account.Access.PutPolicy(t.Context(), p.Bucket, p.Region, `{"Statement":`), providers.ErrInvalid)
}

// accessBlock: each flag is read back as it was put; none is told from all off.
func accessBlock(t *testing.T, p AccountParty) {
	ctx, port := t.Context(), p.Account.Access
	for _, b := range []*providers.PublicAccessBlock{
		nil, {BlockPublicACLs: true}, {IgnorePublicACLs: true}, {RestrictPublicBuckets: true, IgnorePublicACLs: true}, {}, {BlockPublicPolicy: true}, nil, nil,
	} {
		if err := port.PutBlock(ctx, p.Bucket, p.Region, b); err != nil {
			t.Fatalf("PutBlock(%+v): %v", b, err)
		}
		if got, err := port.Block(ctx, p.Bucket, p.Region); err != nil || !reflect.DeepEqual(got, b) {
			t.Errorf("Block is %+v, %v, want %+v", got, err, b)
		}
	}
	_, err := port.Block(ctx, "absent-"+p.Bucket, p.Region)
	class(t, err, providers.ErrNotFound)
}

// accessControls: one is made, listed as one that signs, and its name is taken.
func accessControls(t *testing.T, p AccountParty) {
	ctx, port := t.Context(), p.Account.Access
	made, err := port.CreateOriginAccess(ctx, "edgeward-suite-1")
	if err != nil || made.ID == "" || !made.Signs {
		t.Fatalf("CreateOriginAccess: %+v, %v", made, err)
	}
	all, err := port.OriginAccess(ctx)
	if err != nil {
		t.Fatalf("OriginAccess: %v", err)
	}
	found := false
	for _, c := range all {
		found = found || c == providers.OriginAccess{ID: made.ID, Name: "edgeward-suite-1", Signs: true}
	}
	if !found {
		t.Errorf("%+v is not in %+v", made, all)
	}
}

func accessControlTaken(t *testing.T, p AccountParty) {
	for i := range 2 {
		_, err := p.Account.Access.CreateOriginAccess(t.Context(), "edgeward-suite-2")
		if i == 1 {
			class(t, err, providers.ErrConflict)
		}
	}
}

// accessSigned: a bucket that is closed to everybody answers the account; what is
// not there is missing.
func accessSigned(t *testing.T, p AccountParty) {
	ctx := t.Context()
	host := "https://" + p.Bucket + ".s3." + p.Region + ".amazonaws.com/"
	if err := p.Account.Access.PutBlock(ctx, p.Bucket, p.Region, &providers.PublicAccessBlock{IgnorePublicACLs: true, RestrictPublicBuckets: true}); err != nil {
		t.Fatal(err)
	}
	given := 0
	for key, size := range p.Sizes {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			r, err := p.Account.Signed.Fetch(ctx, providers.Request{Method: method, URL: host + (&url.URL{Path: key}).EscapedPath()})
			switch {
			case err == nil && r.Status == http.StatusForbidden: // a Deny keeps the owner out too
			case err != nil || r.Status != http.StatusOK || method == http.MethodGet && r.Length != size || method == http.MethodHead && r.Length != 0:
				t.Errorf("%s %s: %+v, %v", method, key, r, err)
			default:
				given++
			}
		}
	}
	if given < 2 {
		t.Error("no object is given")
	}
	if r, err := p.Account.Signed.Fetch(ctx, providers.Request{URL: host + "absent.txt"}); err != nil || r.Status != http.StatusNotFound {
		t.Errorf("an absent key: %+v, %v", r, err)
	}
	if err := p.Account.Access.PutBlock(ctx, p.Bucket, p.Region, nil); err != nil {
		t.Fatal(err)
	}
	_, err := p.Account.Signed.Fetch(ctx, providers.Request{URL: "https://www.example.com/"})
	class(t, err, providers.ErrInvalid)
}

// accessAccountBlock: an account that has none says so each time.
func accessAccountBlock(t *testing.T, p AccountParty) {
	for range 2 {
		if b, err := p.Account.Access.AccountBlock(t.Context()); b != nil || err != nil {
			t.Errorf("AccountBlock is %+v, %v", b, err)
		}
	}
}

// accessPublicRefused: under BlockPublicPolicy a public policy is refused and
// changes nothing; one for a service alone is taken.
func accessPublicRefused(t *testing.T, p AccountParty) {
	ctx, port := t.Context(), p.Account.Access
	before, err := port.Policy(ctx, p.Bucket, p.Region)
	if err != nil {
		t.Fatal(err)
	}
	if err := port.PutBlock(ctx, p.Bucket, p.Region, &providers.PublicAccessBlock{BlockPublicPolicy: true}); err != nil {
		t.Fatal(err)
	}
	public := fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Sid":"p","Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::%s/x/*"}]}`, p.Bucket)
	class(t, port.PutPolicy(ctx, p.Bucket, p.Region, public), providers.ErrDenied)
	if now, err := port.Policy(ctx, p.Bucket, p.Region); now != before || err != nil {
		t.Errorf("the policy is %s, %v, was %s", now, err, before)
	}
	service := fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Sid":"s","Effect":"Allow","Principal":{"Service":"cloudfront.amazonaws.com"},"Action":"s3:GetObject","Resource":"arn:aws:s3:::%s/*",`+
		`"Condition":{"StringEquals":{"AWS:SourceArn":"arn:aws:cloudfront::123456789012:distribution/E1"}}}]}`, p.Bucket)
	if err := port.PutPolicy(ctx, p.Bucket, p.Region, service); err != nil {
		t.Errorf("PutPolicy for a service: %v", err)
	}
}

// accessAbsent: of a bucket that is not there nothing is written either.
func accessAbsent(t *testing.T, p AccountParty) {
	ctx, port, absent := t.Context(), p.Account.Access, "absent-"+p.Bucket
	policy := fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::%s/*"}]}`, absent)
	class(t, port.PutPolicy(ctx, absent, p.Region, policy), providers.ErrNotFound)
	class(t, port.PutPolicy(ctx, absent, p.Region, ""), providers.ErrNotFound)
	class(t, port.PutBlock(ctx, absent, p.Region, &providers.PublicAccessBlock{}), providers.ErrNotFound)
	class(t, port.PutBlock(ctx, absent, p.Region, nil), providers.ErrNotFound)
}

// accessReaders: distributions are found by what they fetch from.
func accessReaders(t *testing.T, p AccountParty) {
	var want []providers.Reader
	for i, name := range p.Names {
		d := p.create(t, fmt.Sprintf("ref-%d", i), nil, name)
		want = append(want, providers.Reader{ID: d.ID, Origins: 1})
	}
	slices.SortFunc(want, func(x, y providers.Reader) int { return strings.Compare(x.ID, y.ID) })
	p.until(t, "both read the bucket", func() bool {
		got, err := p.Again.Access.Readers(t.Context(), p.Bucket)
		return err == nil && reflect.DeepEqual(got, want)
	})
	if got, err := p.Account.Access.Readers(t.Context(), "absent-"+p.Bucket); len(got) > 0 || err != nil {
		t.Errorf("Readers of a bucket that nobody reads: %+v, %v", got, err)
	}
}

// accessControlUsers: who signs by a control is counted, and who no longer does is
// not.
func accessControlUsers(t *testing.T, p AccountParty) {
	ctx := t.Context()
	c, err := p.Account.Access.CreateOriginAccess(ctx, "edgeward-suite-3")
	if err != nil {
		t.Fatal(err)
	}
	d := p.create(t, "ref", nil, p.Names[0])
	for n, id := range []string{"", c.ID} {
		if n == 1 {
			want := d.Settings
			want.OriginAccessID = id
			if _, err := p.Account.Distributions.Update(ctx, d.ID, d.ETag, want, []providers.Field{providers.FieldOriginAccess}); err != nil {
				t.Fatal(err)
			}
		}
		p.until(t, fmt.Sprintf("%d users", n), func() bool {
			all, err := p.Again.Access.OriginAccess(ctx)
			return err == nil && slices.Contains(all, providers.OriginAccess{ID: c.ID, Name: "edgeward-suite-3", Signs: true, InUse: n})
		})
	}
}
