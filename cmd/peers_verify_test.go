//go:build peers

package cmd_test

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/edgeward/edgeward/planner/proof"
	"github.com/edgeward/edgeward/providers"
	"github.com/edgeward/edgeward/providers/probe"
	"github.com/edgeward/edgeward/providers/providertest/motolab"
)

// proofLab is moto's S3 as the left site, and as the right one an edge before
// it, in which a fault may be.
type proofLab struct {
	*fronts
	web    providers.Web
	mu     sync.Mutex
	faults map[string]proofFault // by host
}

// proofFault is a fault of the edge: asked changes what it asks the origin, said
// what the origin answered.
type proofFault struct {
	asked func(r *http.Request)
	said  func(r *http.Response, body []byte) []byte
}

// edgeHost is where the distributions of the test are reached.
const edgeHost = "d1.cloudfront.net"

func newProofLab(t *testing.T) *proofLab {
	t.Helper()
	lab := motolab.Start(t)
	lab.Setenv(t)
	cfg, err := config.LoadDefaultConfig(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	l := &proofLab{fronts: startFronts(t, cfg, lab.MotoURL), faults: map[string]proofFault{}}
	certificate, err := l.ca.issue([]string{"*.example.com"})
	if err != nil {
		t.Fatal(err)
	}
	secure := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{*certificate}}
	website := serveHTTP(t, http.HandlerFunc(l.serveSite), nil)
	l.web, err = probe.NewWeb(probe.WebOptions{CAFile: l.ca.File, ConnectTo: map[string]string{
		"*" + restSuffix + ":80": l.rest, "*" + websiteSuffix + ":80": website,
		edgeHost + ":80":  serveHTTP(t, l.distribution(website), nil),
		edgeHost + ":443": serveHTTP(t, l.distribution(website), secure),
	}})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// distribution is an edge before moto: query strings and what CORS needs go on,
// as our own cache policy has it, nothing is kept.
func (l *proofLab) distribution(website string) http.Handler {
	forwarded := []string{"Range", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range",
		"Origin", "Access-Control-Request-Method", "Access-Control-Request-Headers"}
	return &httputil.ReverseProxy{
		Transport: l.client.Transport,
		Rewrite: func(p *httputil.ProxyRequest) {
			place, suffix := l.rest, restSuffix
			if strings.HasPrefix(p.In.Host, "www") {
				place, suffix = website, websiteSuffix
			}
			p.SetURL(&url.URL{Scheme: "http", Host: place})
			p.Out.Host = p.In.Host + suffix
			header := http.Header{"User-Agent": {"Amazon CloudFront"}}
			for _, name := range forwarded {
				if v := p.In.Header.Get(name); v != "" {
					header.Set(name, v)
				}
			}
			p.Out.Header = header
			*p.Out = *p.Out.WithContext(context.WithValue(p.Out.Context(), visitorKey{}, p.In))
			if f := l.fault(p.In.Host); f.asked != nil {
				f.asked(p.Out)
			}
		},
		ModifyResponse: l.answer,
		ErrorLog:       log.New(io.Discard, "", 0),
	}
}

// visitorKey is of the request as the visitor sent it.
type visitorKey struct{}

func (l *proofLab) fault(host string) proofFault {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.faults[host]
}

// answer adds CloudFront's headers, and the fault.
func (l *proofLab) answer(resp *http.Response) error {
	visitor := resp.Request.Context().Value(visitorKey{}).(*http.Request)
	if f := l.fault(visitor.Host); f.said != nil {
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			return err
		}
		resp.Request = visitor
		now := f.said(resp, slices.Clone(body))
		if !bytes.Equal(now, body) {
			resp.Header.Set("Content-Length", strconv.Itoa(len(now)))
			resp.ContentLength = int64(len(now))
		}
		resp.Body = io.NopCloser(bytes.NewReader(now))
	}
	resp.Header.Set("X-Cache", "Miss from cloudfront")
	resp.Header.Set("Via", "1.1 lab.cloudfront.net (CloudFront)")
	resp.Header.Set("X-Amz-Cf-Id", fmt.Sprintf("lab-%d==", l.requests.Add(1)))
	return nil
}

// serveSite is S3's website endpoint before moto's objects, with redirects of the
// website, of rules and of objects [S3 User Guide: Hosting a static website,
// Configuring a redirect].
func (l *proofLab) serveSite(w http.ResponseWriter, r *http.Request) {
	bucket := bucketOf(r.Host, websiteSuffix)
	site, err := l.websiteOf(r.Context(), bucket)
	if err != nil {
		http.Error(w, "NoSuchWebsiteConfiguration", http.StatusNotFound)
		return
	}
	leave := func(status int, to string) {
		w.Header().Set("Location", to)
		w.WriteHeader(status)
	}
	path, index := r.URL.EscapedPath(), ""
	if site.IndexDocument != nil {
		index = aws.ToString(site.IndexDocument.Suffix)
	}
	if all := site.RedirectAllRequestsTo; all != nil {
		leave(http.StatusMovedPermanently, cmp.Or(string(all.Protocol), "http")+"://"+aws.ToString(all.HostName)+path)
		return
	}
	for _, rule := range site.RoutingRules {
		rest, ok := strings.CutPrefix(path, "/"+aws.ToString(rule.Condition.KeyPrefixEquals))
		if !ok {
			continue
		}
		to := rule.Redirect
		status, err := strconv.Atoi(cmp.Or(aws.ToString(to.HttpRedirectCode), "301"))
		if err != nil {
			status = http.StatusMovedPermanently
		}
		leave(status, cmp.Or(string(to.Protocol), "http")+"://"+cmp.Or(aws.ToString(to.HostName), r.Host)+"/"+aws.ToString(to.ReplaceKeyPrefixWith)+rest)
		return
	}
	got := l.visit(r, bucket, path+map[bool]string{true: index}[strings.HasSuffix(path, "/")])
	switch to := got.Header().Get("X-Amz-Website-Redirect-Location"); {
	case got.Code < 300 && to != "":
		leave(http.StatusMovedPermanently, to)
		return
	case got.Code == http.StatusNotFound && !strings.HasSuffix(path, "/") && l.visit(r, bucket, path+"/"+index).Code < 300:
		leave(http.StatusFound, path+"/")
		return
	case got.Code >= 400 && got.Code != http.StatusRequestedRangeNotSatisfiable && site.ErrorDocument != nil:
		plain := r.Clone(r.Context())
		plain.Header = http.Header{}
		page := l.visit(plain, bucket, "/"+aws.ToString(site.ErrorDocument.Key))
		page.Code, got = got.Code, page
	}
	maps.Copy(w.Header(), got.Header())
	w.WriteHeader(got.Code)
	_, _ = w.Write(got.Body.Bytes())
}

// visit asks moto for an object as a visitor's request has it, but for the path.
func (l *proofLab) visit(r *http.Request, bucket, path string) *httptest.ResponseRecorder {
	out := httptest.NewRecorder()
	proxy := &httputil.ReverseProxy{
		Transport: l.client.Transport,
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(l.moto)
			p.Out.URL.Path, p.Out.URL.RawPath, p.Out.URL.RawQuery = path, "", ""
			if plain, err := url.PathUnescape(path); err == nil {
				p.Out.URL.Path, p.Out.URL.RawPath = plain, path
			}
			p.Out.Host = bucket + restSuffix
		},
		ErrorLog: log.New(io.Discard, "", 0),
	}
	proxy.ServeHTTP(out, r)
	return out
}

// proofSite is a bucket and what is compared of it.
type proofSite struct {
	bucket  string
	website *types.WebsiteConfiguration
	cors    []types.CORSRule
	objects []s3.PutObjectInput
	bodies  map[string]string
	paths   []string
}

func (p *proofSite) put(key, body string, in s3.PutObjectInput) {
	in.Key = aws.String(key)
	if p.bodies == nil {
		p.bodies = map[string]string{}
	}
	p.bodies[key] = body
	p.objects = append(p.objects, in)
}

// make puts the bucket into moto through the SDK.
func (p *proofSite) make(t *testing.T, api *s3.Client) {
	t.Helper()
	must := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx, bucket := t.Context(), &p.bucket
	must(api.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: bucket, CreateBucketConfiguration: &types.CreateBucketConfiguration{LocationConstraint: region}}))
	must(api.PutBucketPolicy(ctx, &s3.PutBucketPolicyInput{Bucket: bucket, Policy: aws.String(fmt.Sprintf(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::%s/*"}]}`, p.bucket))}))
	if p.website != nil {
		must(api.PutBucketWebsite(ctx, &s3.PutBucketWebsiteInput{Bucket: bucket, WebsiteConfiguration: p.website}))
	}
	if p.cors != nil {
		must(api.PutBucketCors(ctx, &s3.PutBucketCorsInput{Bucket: bucket, CORSConfiguration: &types.CORSConfiguration{CORSRules: p.cors}}))
	}
	for _, in := range p.objects {
		in.Bucket, in.Body = bucket, strings.NewReader(p.bodies[*in.Key])
		in.ACL = types.ObjectCannedACLPublicRead // moto refuses an anonymous HEAD that only a policy allows
		must(api.PutObject(ctx, &in))
	}
}

// compare is the proof over http and https.
func (l *proofLab) compare(t *testing.T, p *proofSite) proof.Result {
	t.Helper()
	suffix := restSuffix
	if p.website != nil {
		suffix = websiteSuffix
	}
	origin := p.bucket + suffix
	o := proof.Options{
		Web: l.web, Clock: &hurried{}, Seed: p.bucket, Rate: 1e6,
		Left:  proof.Site{URL: "http://" + p.bucket, Dial: origin},
		Right: []proof.Site{{URL: "http://" + p.bucket, Dial: edgeHost}, {URL: "https://" + p.bucket, Dial: edgeHost}},
		Facts: proof.Facts{CloudFront: true, Website: p.website != nil, OriginHosts: []string{origin}},
	}
	for _, rule := range p.cors {
		o.Facts.CORS = append(o.Facts.CORS, providers.CORSRule{Origins: rule.AllowedOrigins, Methods: rule.AllowedMethods,
			Headers: rule.AllowedHeaders, Expose: rule.ExposeHeaders, MaxAge: aws.ToInt32(rule.MaxAgeSeconds)})
	}
	var targets []proof.Target
	for _, path := range p.paths {
		targets = append(targets, proof.Target{Path: path, Aside: true, Size: -1, Whole: true})
	}
	got, err := proof.Compare(t.Context(), o, targets)
	if err != nil {
		t.Fatalf("compare: %v", err)
	}
	return got
}

// hurried is a clock on which no wait takes time.
type hurried struct {
	mu   sync.Mutex
	late time.Duration
}

func (c *hurried) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.late)
}

func (c *hurried) Sleep(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.late += max(d, 0)
	return ctx.Err()
}

func gzipped(s string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte(s))
	_ = z.Close()
	return b.String()
}

// restSite has objects with everything that S3 stores beside a body.
func restSite(name string) *proofSite {
	p := &proofSite{bucket: name, paths: []string{"/page.html", "/app.js"}}
	p.put("page.html", strings.Repeat("<p>what a visitor reads</p>\n", 60), s3.PutObjectInput{
		ContentType: aws.String("text/html; charset=utf-8"), CacheControl: aws.String("max-age=300"), ContentLanguage: aws.String("de"),
		ContentDisposition: aws.String(`inline; filename="page.html"`), Metadata: map[string]string{"team": "web"},
		Expires: aws.Time(time.Date(2032, 1, 1, 0, 0, 0, 0, time.UTC)),
	})
	p.put("app.js", gzipped(strings.Repeat("f()\n", 900)), s3.PutObjectInput{ContentType: aws.String("application/javascript"), ContentEncoding: aws.String("gzip")})
	return p
}

// webSite has folders, an error document, a rule and a redirect.
func webSite(name string) *proofSite {
	p := &proofSite{bucket: name, paths: []string{"/", "/docs", "/missing", "/moved", "/old/a"}, website: &types.WebsiteConfiguration{
		IndexDocument: &types.IndexDocument{Suffix: aws.String("index.html")}, ErrorDocument: &types.ErrorDocument{Key: aws.String("error.html")},
		RoutingRules: []types.RoutingRule{{Condition: &types.Condition{KeyPrefixEquals: aws.String("old/")},
			Redirect: &types.Redirect{HostName: aws.String("docs.example.org"), Protocol: types.ProtocolHttps, ReplaceKeyPrefixWith: aws.String("new/")}}},
	}}
	html := s3.PutObjectInput{ContentType: aws.String("text/html")}
	p.put("index.html", "<p>the front page</p>", html)
	p.put("docs/index.html", "<p>documents</p>", html)
	p.put("error.html", "<p>no such page</p>", html)
	html.WebsiteRedirectLocation = aws.String("/docs/")
	p.put("moved", "", html)
	return p
}

// TestProofAgainstMoto compares sites whose S3 is moto_server: faults of the edge
// are named, and without one nothing is.
func TestProofAgainstMoto(t *testing.T) {
	l := newProofLab(t)
	found, n, asked := 0, 0, 0
	for name, c := range proofFaults() {
		n++
		t.Run(name, func(t *testing.T) {
			p := restSite(fmt.Sprintf("fault%d.example.com", n))
			if c.website {
				p = webSite(fmt.Sprintf("www-fault%d.example.com", n))
			}
			if c.cors {
				p.cors = []types.CORSRule{{AllowedMethods: []string{"GET"}, AllowedOrigins: []string{"https://app.example.org"}}}
			}
			p.make(t, l.s3)
			l.mu.Lock()
			l.faults[p.bucket] = c.fault
			l.mu.Unlock()
			got := l.compare(t, p)
			asked += got.Requests
			named := map[string]bool{}
			for _, d := range got.Differences {
				if !d.Verdict.Passes() {
					named[string(d.Aspect)+" "+string(d.Verdict)] = true
				}
			}
			if said := strings.Join(slices.Sorted(maps.Keys(named)), ", "); said != c.want {
				t.Errorf("named %q, want %q\n%s", said, c.want, told(got))
				return
			}
			found++
		})
	}
	t.Logf("differences before moto's S3: %d found and named right out of %d planted, %d requests", found, n, asked)
}

func told(got proof.Result) string {
	var b strings.Builder
	for _, d := range got.Differences {
		fmt.Fprintf(&b, "%s %s %s %s: %s -> %s\n", d.Path, d.Request, d.Aspect, d.Verdict, d.Left, d.Right)
	}
	return b.String()
}

type proofCase struct {
	website, cors bool
	fault         proofFault
	want          string
}

func proofFaults() map[string]proofCase {
	served := func(f func(r *http.Response, body []byte) []byte) proofFault {
		return proofFault{said: func(r *http.Response, body []byte) []byte {
			if r.StatusCode == http.StatusOK || r.StatusCode == http.StatusPartialContent {
				return f(r, body)
			}
			return body
		}}
	}
	header := func(name, value string) proofFault {
		return served(func(r *http.Response, body []byte) []byte {
			r.Header.Del(name)
			if value != "" {
				r.Header.Set(name, value)
			}
			return body
		})
	}
	forget := func(names ...string) proofFault {
		return proofFault{asked: func(r *http.Request) {
			for _, n := range names {
				r.Header.Del(n)
			}
		}}
	}
	refused := func(status int, path string) proofFault {
		return proofFault{said: func(r *http.Response, body []byte) []byte {
			if r.Request.URL.Path != path {
				return body
			}
			r.StatusCode, r.Header = status, http.Header{"Content-Type": {"text/html"}, "Server": {"CloudFront"}}
			return []byte("<p>The request could not be satisfied.</p>")
		}}
	}
	return map[string]proofCase{
		"wrong type":         {fault: header("Content-Type", "binary/octet-stream"), want: "content-type changed"},
		"metadata lost":      {fault: header("X-Amz-Meta-Team", ""), want: "metadata changed"},
		"disposition lost":   {fault: header("Content-Disposition", ""), want: "content-disposition changed"},
		"Cache-Control lost": {fault: header("Cache-Control", ""), want: "cache-control changed"},
		"encoding lost":      {fault: header("Content-Encoding", ""), want: "content-encoding broken"},
		"HSTS added":         {fault: header("Strict-Transport-Security", "max-age=60"), want: "header changed"},
		"other bytes": {fault: served(func(r *http.Response, body []byte) []byte {
			if r.Request.URL.Path == "/page.html" {
				return bytes.ToUpper(body)
			}
			return body
		}), want: "body broken"},
		"object refused":     {fault: refused(403, "/page.html"), want: "status broken"},
		"ranges ignored":     {fault: forget("Range"), want: "range changed"},
		"conditions ignored": {fault: forget("If-None-Match", "If-Modified-Since"), want: "conditional changed"},
		"CORS dropped": {cors: true, fault: served(func(r *http.Response, body []byte) []byte {
			if r.Request.Method != http.MethodOptions {
				r.Header.Del("Access-Control-Allow-Origin")
			}
			return body
		}), want: "cors broken"},
		"index missing":        {website: true, fault: refused(404, "/"), want: "status broken"},
		"folder redirect lost": {website: true, fault: refused(404, "/docs"), want: "redirect broken"},
		"redirect to the origin": {website: true, fault: proofFault{said: func(r *http.Response, body []byte) []byte {
			if r.Request.URL.Path == "/moved" {
				r.Header.Set("Location", "http://"+r.Request.Host+websiteSuffix+"/docs/")
			}
			return body
		}}, want: "redirect broken"},
		"routing rule lost": {website: true, fault: refused(404, "/old/a"), want: "redirect broken"},
		"error page with a 200": {website: true, fault: proofFault{said: func(r *http.Response, body []byte) []byte {
			if r.StatusCode == http.StatusNotFound {
				r.StatusCode = http.StatusOK
			}
			return body
		}}, want: "status changed"},
	}
}

// cleanVariants is how many clean sites are compared.
const cleanVariants = 24

// TestProofOfCleanSitesAgainstMoto: an edge that changes nothing gives no alarm,
// whatever moto's S3 has.
func TestProofOfCleanSitesAgainstMoto(t *testing.T) {
	l := newProofLab(t)
	alarms, asked := 0, 0
	for seed := range uint64(cleanVariants) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			p := cleanVariant(seed)
			p.make(t, l.s3)
			got := l.compare(t, p)
			asked += got.Requests
			if !got.Verdict.Passes() {
				alarms++
				t.Errorf("seed %d: %s\n%s", seed, got.Verdict, told(got))
			}
		})
	}
	t.Logf("clean sites before moto's S3: %d alarms in %d sites, %d requests", alarms, cleanVariants, asked)
}

// cleanVariant is a site made from a seed.
func cleanVariant(seed uint64) *proofSite {
	g := rand.New(rand.NewPCG(seed, 11))
	p := restSite(fmt.Sprintf("clean%d.example.com", seed))
	if seed%3 == 0 {
		p = webSite(fmt.Sprintf("www-clean%d.example.com", seed))
	}
	p.paths = p.paths[g.IntN(len(p.paths)):]
	optional := func(values ...string) *string {
		if v := values[g.IntN(len(values))]; v != "" {
			return &v
		}
		return nil
	}
	keys := []string{"a b.txt", "a+b.txt", "\u00e4/\u65e5\u672c.txt", "deep/er/x.css", "UPPER.TXT", "semi;colon", "100%.txt", "x&y=z", "empty"}
	for range 2 {
		key := keys[g.IntN(len(keys))]
		body := strings.Repeat("0123456789abcdef", g.IntN(300))
		if key == "empty" {
			body = ""
		}
		in := s3.PutObjectInput{
			ContentType:  optional("", "text/plain", "text/css", "image/png", "application/json"),
			CacheControl: optional("", "no-cache", "max-age=60", "public, max-age=31536000, immutable"), ContentLanguage: optional("", "en"),
			ContentDisposition: optional("", "attachment"), Metadata: map[string]string{"n": fmt.Sprint(g.IntN(9))},
		}
		p.put(key, body, in)
		p.paths = append(p.paths, (&url.URL{Path: "/" + key}).EscapedPath())
	}
	if g.IntN(2) == 0 {
		p.cors = []types.CORSRule{{AllowedMethods: []string{"GET", "HEAD"}, AllowedOrigins: []string{"*"}, AllowedHeaders: []string{"*"}, MaxAgeSeconds: aws.Int32(60)}}
	}
	p.paths = append(p.paths, "/missing")
	return p
}
