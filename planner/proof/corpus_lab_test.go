package proof_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/edgeward/edgeward/planner/proof"
	"github.com/edgeward/edgeward/providers"
	"github.com/edgeward/edgeward/providers/probe"
	"github.com/edgeward/edgeward/providers/sandbox"
)

// lab is where both sites of every case are served: HTTP and HTTPS servers on
// loopback, which know a site by its Host as S3 and CloudFront do.
type lab struct {
	web   providers.Web
	count atomic.Int64
	// left and right are handlers by host name.
	left, right sync.Map
}

// zone is where all names of the lab lie; its certificate does not cover those
// below "other.".
const zone = ".example.test"

func newLab(t testing.TB) *lab {
	t.Helper()
	l := &lab{}
	authority := newAuthority(t)
	right, other := authority.issue(t, "*"+zone), authority.issue(t, "*.elsewhere.test")
	secure := &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		switch {
		case strings.HasPrefix(hello.ServerName, "other-"):
			return other, nil
		case strings.HasPrefix(hello.ServerName, "refused-"):
			return nil, errors.New("no such name")
		}
		return right, nil
	}}
	web, err := probe.NewWeb(probe.WebOptions{CAFile: authority.file, Timeout: 20 * time.Second, ConnectTo: map[string]string{
		"left.test:80":  l.serve(t, &l.left, nil),
		"edge.test:80":  l.serve(t, &l.right, nil),
		"edge.test:443": l.serve(t, &l.right, secure),
		"closed.test":   "127.0.0.1:1",
	}})
	if err != nil {
		t.Fatal(err)
	}
	l.web = web
	return l
}

// serve answers until the test ends.
func (l *lab) serve(t testing.TB, sites *sync.Map, secure *tls.Config) string {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		site, ok := sites.Load(r.Host)
		if !ok {
			w.WriteHeader(http.StatusMisdirectedRequest)
			return
		}
		site.(http.Handler).ServeHTTP(w, r)
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.EnableHTTP2 = true
	if secure != nil {
		s.TLS = secure
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// sites are what one comparison is about: a bucket reached through S3, and the
// same one, or nearly, reached through a distribution of CloudFront.
type sites struct {
	left, right sandbox.Bucket
	// edge changes the distribution that edgeward would make, and its cache policy.
	edge func(s *providers.Settings, c *providers.CacheSettings)
	// front stands before the distribution; nil: nothing does.
	front front
	// prefix of the name, and the schemes compared; nil: http.
	prefix  string
	schemes []string
}

// options puts both sites into simulated worlds, serves them under a new name and
// returns the options to compare them.
func (l *lab) options(s sites) proof.Options {
	host := fmt.Sprintf("%s%d%s", s.prefix, l.count.Add(1), zone)
	suffix, kind := ".s3.eu-west-1.amazonaws.com", providers.RESTOrigin
	if s.left.Website != nil {
		suffix, kind = ".s3-website-eu-west-1.amazonaws.com", providers.WebsiteOrigin
	}
	world := func(b sandbox.Bucket) *sandbox.World {
		b.Name, b.Region = host, "eu-west-1"
		return sandbox.New(sandbox.Options{Clock: providers.RealClock{}, Buckets: []sandbox.Bucket{b}})
	}
	right := world(s.right)
	settings := providers.Settings{Enabled: true, Aliases: []string{host}, OriginDomain: host + suffix, OriginKind: kind,
		CertificateARN: right.AddCertificate("", providers.Certificate{Names: []string{host}}), MinimumTLS: "TLSv1.2_2021",
		ViewerProtocol: "allow-all", Methods: []string{"GET", "HEAD"}, PriceClass: "PriceClass_All", HTTPVersion: "http2", IPv6: true}
	policy := providers.CacheSettings{MaxTTL: 31536000, QueryStrings: true}
	if len(s.left.CORS) > 0 {
		settings.Methods = append(settings.Methods, "OPTIONS")
		policy.Headers = []string{"Access-Control-Request-Headers", "Access-Control-Request-Method", "Origin"}
	}
	if s.edge != nil {
		s.edge(&settings, &policy)
	}
	if settings.CachePolicyID == "" {
		settings.CachePolicyID = right.AddCachePolicy("", "edgeward-1", policy, false)
	}
	right.AddDistribution("", settings, nil)
	before := right.Handler("cloudfront")
	if s.front != nil {
		before = s.front(before)
	}
	l.left.Store(host, world(s.left).Handler(host+suffix))
	l.right.Store(host, before)
	o := proof.Options{
		Web: l.web, Clock: &quick{}, Left: proof.Site{URL: "http://" + host, Dial: "left.test"}, Seed: host, Rate: 1e6,
		Facts: proof.Facts{CloudFront: true, Website: s.left.Website != nil, OriginHosts: []string{host + suffix}, CORS: s.left.CORS},
	}
	if s.schemes == nil {
		s.schemes = []string{"http"}
	}
	for _, scheme := range s.schemes {
		o.Right = append(o.Right, proof.Site{URL: scheme + "://" + host, Dial: "edge.test"})
	}
	return o
}

// targets are paths of a bucket, all with the whole matrix.
func targets(b sandbox.Bucket, paths []string) []proof.Target {
	sizes := map[string]int64{}
	for _, o := range b.Objects {
		if !o.Private && o.Redirect == "" {
			sizes[o.Key] = max(o.Size, int64(len(o.Body)))
		}
	}
	var out []proof.Target
	for _, path := range paths {
		t := proof.Target{Path: path, Aside: true, Size: -1, Whole: true}
		if size, ok := sizes[keyOf(path)]; ok {
			t.Aside, t.Size = false, size
		}
		out = append(out, t)
	}
	return out
}

// quick is a clock on which no wait takes time.
type quick struct {
	mu   sync.Mutex
	late time.Duration
}

func (q *quick) Now() time.Time {
	q.mu.Lock()
	defer q.mu.Unlock()
	return time.Now().Add(q.late)
}

func (q *quick) Sleep(ctx context.Context, d time.Duration) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.late += max(d, 0)
	return ctx.Err()
}

// authority signs the certificates of the lab.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string
	n    int64
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	a := &authority{file: filepath.Join(t.TempDir(), "ca.pem")}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a.key = key
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(a.file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return a
}

func (a *authority) issue(t testing.TB, name string) *tls.Certificate {
	t.Helper()
	a.n++
	template := &x509.Certificate{SerialNumber: big.NewInt(a.n + 1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// keyOf is the key that an escaped path, maybe with a query, asks for.
func keyOf(path string) string {
	path, _, _ = strings.Cut(strings.TrimPrefix(path, "/"), "?")
	key, err := url.PathUnescape(path)
	if err != nil {
		panic(err)
	}
	return key
}

// escaped is the path of a key as a visitor's browser sends it.
func escaped(key string) string { return (&url.URL{Path: "/" + key}).EscapedPath() }
