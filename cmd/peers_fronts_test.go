//go:build peers

package cmd_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"maps"
	"math/big"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/edgeward/edgeward/providers"
)

// The suffixes of S3's endpoints in the region of the test's buckets.
const (
	region        = "eu-west-1"
	restSuffix    = ".s3." + region + ".amazonaws.com"
	websiteSuffix = ".s3-website-" + region + ".amazonaws.com"
)

// fronts are the places that visitors reach: S3's endpoints and an edge of
// CloudFront, all on loopback, all reading what is in moto.
type fronts struct {
	moto   *url.URL
	client *http.Client
	cdn    *cloudfront.Client
	s3     *s3.Client
	ca     *authorityOfCertificates

	// HOST:PORT of each.
	rest, website, edge, edgeTLS string

	requests atomic.Int64 // at the edge

	// relist is how long an edge goes by what it knows of a distribution; one that it
	// does not know it looks for sooner.
	relist time.Duration

	mu       sync.Mutex
	listed   time.Time
	deployed map[string]types.DistributionSummary // by alias
	websites map[string]*s3.GetBucketWebsiteOutput
}

// startFronts serves until the test ends.
func startFronts(t *testing.T, cfg aws.Config, moto string) *fronts {
	t.Helper()
	target, err := url.Parse(moto)
	if err != nil {
		t.Fatal(err)
	}
	f := &fronts{
		moto:     target,
		client:   &http.Client{Transport: &patient{&http.Transport{DisableKeepAlives: true, DisableCompression: true}}, Timeout: 20 * time.Second},
		cdn:      cloudfront.NewFromConfig(cfg),
		s3:       s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true }),
		ca:       newCertificateAuthority(t),
		websites: map[string]*s3.GetBucketWebsiteOutput{},
		relist:   200 * time.Millisecond,
	}
	f.rest = serveHTTP(t, f.restFront(), nil)
	f.website = serveHTTP(t, http.HandlerFunc(f.serveWebsite), nil)
	f.edge = serveHTTP(t, http.HandlerFunc(f.serveEdge), nil)
	f.edgeTLS = serveHTTP(t, http.HandlerFunc(f.serveEdge), &tls.Config{GetCertificate: f.certificate, MinVersion: tls.VersionTLS12})
	return f
}

// connectTo is what probe.connect_to has to say, and how visitors dial.
func (f *fronts) connectTo() map[string]string {
	return map[string]string{
		"*" + restSuffix + ":80": f.rest, "*" + websiteSuffix + ":80": f.website,
		"*.cloudfront.net:80": f.edge, "*.cloudfront.net:443": f.edgeTLS,
		edgeAddress + ":80": f.edge, edgeAddress + ":443": f.edgeTLS,
		websiteAddress + ":80": f.website, restAddress + ":80": f.rest,
	}
}

// patient asks moto again after a 500 or a broken connection, which it gives at
// times under load and which is no answer of S3's.
type patient struct{ inner http.RoundTripper }

// RoundTrip implements http.RoundTripper, for requests without a body.
func (p *patient) RoundTrip(r *http.Request) (resp *http.Response, err error) {
	for range 4 {
		resp, err = p.inner.RoundTrip(r)
		if err == nil && resp.StatusCode < 500 || r.Context().Err() != nil {
			return resp, err
		}
		if err == nil {
			_ = resp.Body.Close()
		}
	}
	return resp, err
}

func serveHTTP(t *testing.T, h http.Handler, secure *tls.Config) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: h, TLSConfig: secure, ErrorLog: log.New(io.Discard, "", 0)}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if secure != nil {
			_ = s.ServeTLS(l, "", "")
		} else {
			_ = s.Serve(l)
		}
	}()
	t.Cleanup(func() { _ = s.Close(); <-ended })
	return l.Addr().String()
}

// bucketOf is the bucket that S3 reads from a Host header.
func bucketOf(host, suffix string) string { return strings.TrimSuffix(strings.ToLower(host), suffix) }

// restFront is S3's REST endpoint for anonymous visitors. moto knows a bucket by
// Host only in the form BUCKET.s3.REGION.amazonaws.com.
func (f *fronts) restFront() http.Handler {
	return &httputil.ReverseProxy{
		Transport: f.client.Transport,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(f.moto)
			r.Out.Host = bucketOf(r.In.Host, restSuffix) + restSuffix
		},
		ErrorLog: log.New(io.Discard, "", 0),
	}
}

// serveWebsite is S3's website endpoint: index documents, the redirect to a
// folder, the error document [S3 User Guide: Hosting a static website].
func (f *fronts) serveWebsite(w http.ResponseWriter, r *http.Request) {
	bucket := bucketOf(r.Host, websiteSuffix)
	site, err := f.websiteOf(r.Context(), bucket)
	if err != nil {
		http.Error(w, "NoSuchWebsiteConfiguration", http.StatusNotFound)
		return
	}
	key, index := r.URL.EscapedPath(), aws.ToString(site.IndexDocument.Suffix)
	if strings.HasSuffix(key, "/") {
		key += index
	}
	resp, err := f.object(r.Context(), bucket, key)
	if err == nil && resp.StatusCode >= 400 && !strings.HasSuffix(r.URL.Path, "/") {
		if folder, ferr := f.object(r.Context(), bucket, key+"/"+index); ferr == nil {
			_ = folder.Body.Close()
			if folder.StatusCode == http.StatusOK {
				_ = resp.Body.Close()
				w.Header().Set("Location", key+"/")
				w.WriteHeader(http.StatusFound)
				return
			}
		}
	}
	status := 0
	if err == nil && resp.StatusCode >= 400 && site.ErrorDocument != nil {
		status = resp.StatusCode
		_ = resp.Body.Close()
		resp, err = f.object(r.Context(), bucket, "/"+aws.ToString(site.ErrorDocument.Key))
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	defer resp.Body.Close()
	if status == 0 {
		status = resp.StatusCode
	}
	maps.Copy(w.Header(), resp.Header)
	w.WriteHeader(status)
	_, _ = io.Copy(w, resp.Body)
}

func (f *fronts) object(ctx context.Context, bucket, escapedKey string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, f.moto.String()+"/"+bucket+escapedKey, nil)
	if err != nil {
		return nil, err
	}
	return f.client.Transport.RoundTrip(req)
}

// websiteOf asks moto once for a bucket's website configuration.
func (f *fronts) websiteOf(ctx context.Context, bucket string) (*s3.GetBucketWebsiteOutput, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if have := f.websites[bucket]; have != nil {
		return have, nil
	}
	got, err := f.s3.GetBucketWebsite(ctx, &s3.GetBucketWebsiteInput{Bucket: &bucket})
	if err == nil {
		f.websites[bucket] = got
	}
	return got, err
}

// distribution is the deployed one that has a host name as alias.
func (f *fronts) distribution(ctx context.Context, host string) (types.DistributionSummary, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, known := f.deployed[host]
	if age := time.Since(f.listed); age > f.relist || !known && age > 200*time.Millisecond {
		byAlias := map[string]types.DistributionSummary{}
		pages := cloudfront.NewListDistributionsPaginator(f.cdn, &cloudfront.ListDistributionsInput{})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				break // what was known is known
			}
			for _, d := range page.DistributionList.Items {
				if aws.ToString(d.Status) == providers.Deployed && aws.ToBool(d.Enabled) {
					for _, alias := range d.Aliases.Items {
						byAlias[alias] = d
					}
				}
			}
			f.deployed, f.listed = byAlias, time.Now()
		}
	}
	d, ok := f.deployed[host]
	return d, ok
}

// serveEdge is an edge of CloudFront: it serves a name only when a deployed
// distribution has it, from that distribution's origin.
func (f *fronts) serveEdge(w http.ResponseWriter, r *http.Request) {
	host := strings.ToLower(r.Host)
	d, ok := f.distribution(r.Context(), host)
	id := fmt.Sprintf("lab-%d==", f.requests.Add(1))
	sign := func(h http.Header, cache string) {
		h.Set("X-Cache", cache+" from cloudfront")
		h.Set("Via", "1.1 lab.cloudfront.net (CloudFront)")
		h.Set("X-Amz-Cf-Id", id)
	}
	if !ok {
		sign(w.Header(), "Error")
		http.Error(w, "The request could not be satisfied.", http.StatusForbidden)
		return
	}
	if r.TLS == nil && d.DefaultCacheBehavior.ViewerProtocolPolicy == types.ViewerProtocolPolicyRedirectToHttps {
		sign(w.Header(), "Redirect")
		http.Redirect(w, r, "https://"+host+r.URL.RequestURI(), http.StatusMovedPermanently)
		return
	}
	origin := d.Origins.Items[0]
	place := f.rest
	if origin.CustomOriginConfig != nil {
		place = f.website
	}
	proxy := &httputil.ReverseProxy{
		Transport: &http.Transport{DisableKeepAlives: true, DisableCompression: true},
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(&url.URL{Scheme: "http", Host: place})
			p.Out.Host = aws.ToString(origin.DomainName)
		},
		ModifyResponse: func(resp *http.Response) error { sign(resp.Header, "Miss"); return nil },
		ErrorLog:       log.New(io.Discard, "", 0),
	}
	proxy.ServeHTTP(w, r)
}

// certificate is that of the distribution that has the name: no other name gets
// past the handshake.
func (f *fronts) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	d, ok := f.distribution(hello.Context(), strings.ToLower(hello.ServerName))
	if !ok || aws.ToString(d.ViewerCertificate.ACMCertificateArn) == "" {
		return nil, fmt.Errorf("no deployed distribution has %q", hello.ServerName)
	}
	return f.ca.issue(slices.Clone(d.Aliases.Items))
}

// authorityOfCertificates signs what the edge presents.
type authorityOfCertificates struct {
	// File is its own certificate in PEM form: probe.ca_file.
	File string
	// pool trusts it.
	pool *x509.CertPool
	cert *x509.Certificate
	key  *ecdsa.PrivateKey

	mu     sync.Mutex
	issued map[string]*tls.Certificate
}

func newCertificateAuthority(t *testing.T) *authorityOfCertificates {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "lab CA"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	a := &authorityOfCertificates{key: key, issued: map[string]*tls.Certificate{}, pool: x509.NewCertPool()}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	a.pool.AddCert(a.cert)
	a.File = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(a.File, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return a
}

func (a *authorityOfCertificates) issue(names []string) (*tls.Certificate, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	id := strings.Join(names, " ")
	if have := a.issued[id]; have != nil {
		return have, nil
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(int64(len(a.issued) + 2)), Subject: pkix.Name{CommonName: names[0]}, DNSNames: names,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		return nil, err
	}
	c := &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	a.issued[id] = c
	return c, nil
}
