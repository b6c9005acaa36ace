package planner

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/planner/proof"
	"github.com/edgeward/edgeward/providers"
)

// closedLeft is the left of a comparison of a locked bucket: S3 answers nobody but
// its distribution and the account, so the account asks, and what visitors could
// not have read is refused as S3 would refuse them.
type closedLeft struct {
	web, signed providers.Web
	bucket      string
	// host is the bucket's REST endpoint, the left's host.
	host  string
	open  opening
	lists bool
}

// closeLeft has a comparison of a locked bucket read S3 with a signature (rule 16).
func closeLeft(o proof.Options, w providers.World, b config.Bucket, a Actual) proof.Options {
	signed := w.Accounts[b.Account].Signed
	open, err := openings(b.Name, a.Bucket.Policy)
	if !a.Crumbs.locked() || signed == nil || err != nil || a.Dist == nil {
		return o
	}
	l := closedLeft{web: w.Web, signed: signed, bucket: b.Name, host: originDomain(b.Name, a.Bucket.Region, providers.RESTOrigin), open: open}
	if doc, err := readDocument(a.Bucket.Policy); err == nil {
		if st := doc.find(grantSid(*a.Dist)); st != nil {
			actions, _ := st["Action"].([]any) // one alone reads and does not list
			l.lists = slices.Contains(actions, any(actionList))
		}
	}
	o.Web, o.Left = l, proof.Site{URL: "https://" + l.host}
	return o
}

// Fetch implements providers.Web.
func (l closedLeft) Fetch(ctx context.Context, r providers.Request) (providers.Response, error) {
	u, err := url.Parse(r.URL)
	if err != nil || u.Hostname() != l.host {
		return l.web.Fetch(ctx, r)
	}
	if r.Method == http.MethodOptions { // a preflight is not signed for, nor kept out
		u.Scheme, u.Host = "http", l.bucket
		r.URL, r.Dial = u.String(), l.host
		return l.web.Fetch(ctx, r)
	}
	r.Dial = ""
	got, err := l.signed.Fetch(ctx, r)
	key := strings.TrimPrefix(u.Path, "/")
	hidden := got.Status == http.StatusNotFound && !l.lists || key == "" && !l.lists || key != "" && got.Status < 400 && !l.open.covers(l.bucket, key)
	if err != nil || !hidden {
		return got, err
	}
	return l.refused(r, got), nil
}

// refused is S3's refusal of somebody who may not read, in the place of an answer.
func (l closedLeft) refused(r providers.Request, got providers.Response) providers.Response {
	const body = `<?xml version="1.0" encoding="UTF-8"?>` + "\n<Error><Code>AccessDenied</Code><Message>Access Denied</Message><RequestId>-</RequestId><HostId>-</HostId></Error>"
	h := http.Header{"Content-Type": {"application/xml"}, "Server": {"AmazonS3"}, "Date": got.Header["Date"]}
	for _, k := range []string{"X-Amz-Request-Id", "X-Amz-Id-2", "Access-Control-Allow-Origin", "Access-Control-Allow-Methods", "Access-Control-Expose-Headers", "Access-Control-Allow-Credentials", "Vary"} {
		if v := got.Header[k]; v != nil {
			h[k] = v
		}
	}
	out := providers.Response{Status: http.StatusForbidden, Header: h}
	if r.Method != http.MethodHead {
		sum := sha256.Sum256([]byte(body))
		out.Length, out.SHA256, out.Body = int64(len(body)), hex.EncodeToString(sum[:]), []byte(body)[:min(r.Keep, len(body))]
	}
	return out
}
