package aws

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/edgeward/edgeward/providers"
)

// signed is providers.Web that signs for S3 as the account. The SDK's own GetObject
// hides headers, follows hints and retries, and a comparison wants the answer as
// it is.
type signed struct{ c *Client }

// restHost is the regional REST endpoint of a bucket, which may have dots.
var restHost = regexp.MustCompile(`^(.+)\.s3\.([a-z0-9-]+)\.amazonaws\.com(\.cn)?$`)

// emptyHash is the digest of no body, which a signature is about.
const emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// Fetch implements providers.Web for the REST endpoints of buckets. The request is
// sent to the endpoint of the region with the bucket in the path, for the
// certificate of S3 covers no bucket whose name has dots [S3 User Guide: Virtual
// hosting of buckets].
func (s *signed) Fetch(ctx context.Context, r providers.Request) (providers.Response, error) {
	req, region, err := s.request(ctx, r)
	if err != nil {
		return providers.Response{}, err
	}
	op := "fetch " + r.URL + " from S3 with a signature"
	cfg, err := s.c.Config(ctx)
	if err != nil {
		return providers.Response{}, err
	}
	free := s.c.opts.Clock.Now()
	limiter := s.c.limits.get(ctx, s.c.limits.s3)
	if err := limiter.Wait(ctx, 1); err != nil {
		return providers.Response{}, err
	}
	creds, err := cfg.Credentials.Retrieve(ctx)
	if err != nil {
		return providers.Response{}, s.c.fail(op, "", err)
	}
	if cfg.BaseEndpoint != nil {
		own, err := url.Parse(*cfg.BaseEndpoint)
		if err != nil {
			return providers.Response{}, s.c.fail(op, "", err)
		}
		req.URL.Scheme, req.URL.Host, req.Host = own.Scheme, own.Host, own.Host
	}
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }) // S3 escapes once
	if err := signer.SignHTTP(ctx, creds, req, emptyHash, "s3", region, s.c.opts.Clock.Now()); err != nil {
		return providers.Response{}, s.c.fail(op, "", err)
	}
	sent := s.c.opts.Clock.Now()
	answer, err := cfg.HTTPClient.Do(req)
	s.c.noteSigned(req, region, free, sent, answer, err)
	if err != nil {
		return providers.Response{}, s.c.fail(op, "", err)
	}
	limiter.Saw(sent, answer.StatusCode == http.StatusServiceUnavailable) // S3's SlowDown
	out, err := received(answer, r)
	if err != nil {
		return providers.Response{}, s.c.fail(op, "", err)
	}
	return out, nil
}

// request is r as it is sent, and the region that it is signed for.
func (s *signed) request(ctx context.Context, r providers.Request) (*http.Request, string, error) {
	u, err := url.Parse(r.URL)
	if err != nil {
		return nil, "", fmt.Errorf("fetch %s: %w: %w", r.URL, err, providers.ErrInvalid)
	}
	m := restHost.FindStringSubmatch(u.Hostname())
	if m == nil {
		return nil, "", fmt.Errorf("fetch %s with a signature: %s is no regional REST endpoint of a bucket: %w", r.URL, u.Host, providers.ErrInvalid)
	}
	method := r.Method
	if method == "" {
		method = http.MethodGet
	}
	path := u.EscapedPath()
	if path == "" {
		path = "/"
	}
	req, err := http.NewRequestWithContext(ctx, method, "https://s3."+m[2]+".amazonaws.com"+m[3]+"/"+m[1]+path, nil)
	if err != nil {
		return nil, "", fmt.Errorf("fetch %s: %w: %w", r.URL, err, providers.ErrInvalid)
	}
	req.URL.RawQuery = u.RawQuery
	for k, v := range r.Header {
		req.Header[http.CanonicalHeaderKey(k)] = v
	}
	if req.Header.Get("Accept-Encoding") == "" {
		req.Header.Set("Accept-Encoding", "identity") // else the transport asks for gzip, and undoes it
	}
	req.Header.Set("X-Amz-Content-Sha256", emptyHash)
	return req, m[2], nil
}

// received reads an answer as r wants it.
func received(answer *http.Response, r providers.Request) (providers.Response, error) {
	defer func() { _ = answer.Body.Close() }() // it was read as far as it is wanted
	out := providers.Response{Status: answer.StatusCode, Header: answer.Header}
	sum, keep := sha256.New(), &kept{most: r.Keep}
	body := io.Reader(answer.Body)
	if r.Limit > 0 {
		body = io.LimitReader(body, r.Limit)
	}
	n, err := io.Copy(io.MultiWriter(sum, keep), body)
	if err != nil {
		return out, err
	}
	out.Length, out.SHA256, out.Body = n, hex.EncodeToString(sum.Sum(nil)), keep.bytes
	if r.Limit > 0 && n == r.Limit {
		more, err := answer.Body.Read(make([]byte, 1))
		if err != nil && !errors.Is(err, io.EOF) {
			return out, err
		}
		out.Cut = more > 0
	}
	return out, nil
}

// kept keeps the first bytes that are written to it.
type kept struct {
	most  int
	bytes []byte
}

func (k *kept) Write(p []byte) (int, error) {
	k.bytes = append(k.bytes, p[:min(len(p), k.most-len(k.bytes))]...)
	return len(p), nil
}
