package sandbox

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/edgeward/edgeward/providers"
)

type bucket struct {
	Bucket
	objects map[string]*object
	keys    []string
	log     accessLog
}

type object struct {
	Object
	etag, sha string
	modified  time.Time
}

func (w *World) addBucket(b Bucket, now time.Time) {
	if b.Region == "" {
		b.Region = "us-east-1"
	}
	x := &bucket{Bucket: b, objects: map[string]*object{}}
	for _, o := range b.Objects {
		x.put(o, now)
	}
	w.buckets[b.Name] = x
}

func (b *bucket) put(o Object, now time.Time) {
	if o.ContentType == "" {
		o.ContentType = "binary/octet-stream"
	}
	tag := md5.Sum(o.Body)
	if _, ok := b.objects[o.Key]; !ok {
		b.keys = append(b.keys, o.Key)
		slices.Sort(b.keys)
	}
	b.objects[o.Key] = &object{
		Object: o, etag: hex.EncodeToString(tag[:]), sha: digest(o.Body), modified: now.UTC().Truncate(time.Second),
	}
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

type bucketsPort struct{ accountPort }

// own finds a bucket that this account may read.
func (p bucketsPort) own(name, region string) (*bucket, error) {
	b := p.w.buckets[name]
	switch {
	case b == nil:
		return nil, fmt.Errorf("read bucket %s: no such bucket: %w", name, providers.ErrNotFound)
	case b.Foreign || b.Account != p.a.label:
		return nil, fmt.Errorf("read bucket %s: AccessDenied: %w", name, providers.ErrDenied)
	case region != "" && region != b.Region:
		return nil, fmt.Errorf("read bucket %s: it is in %s, not in %s (PermanentRedirect): %w",
			name, b.Region, region, providers.ErrInvalid)
	}
	return b, nil
}

func (p bucketsPort) Bucket(ctx context.Context, name, region string) (providers.Bucket, error) {
	var out providers.Bucket
	err := p.w.call(ctx, p.op("Buckets.Bucket", name, false), func(time.Time) error {
		b, err := p.own(name, region)
		if err != nil {
			return err
		}
		out = b.port()
		return nil
	})
	if err != nil {
		return providers.Bucket{}, err
	}
	return out, nil
}

func (b *bucket) port() providers.Bucket {
	out := providers.Bucket{
		Name: b.Name, Region: b.Region, RequesterPays: b.RequesterPays,
		PolicyPublic: !b.Private, Policy: b.policy(), Log: b.log.to,
	}
	if b.CORS {
		out.CORS = []providers.CORSRule{{Origins: []string{"*"}, Methods: []string{"GET", "HEAD"}}}
	}
	if b.Website != nil {
		site := *b.Website
		out.Website = &site
	}
	if b.Private {
		out.Block = providers.PublicAccessBlock{
			BlockPublicACLs: true, IgnorePublicACLs: true, BlockPublicPolicy: true, RestrictPublicBuckets: true,
		}
	}
	return out
}

// policy is the text of the bucket's policy, "" for a private bucket.
func (b *bucket) policy() string {
	if b.Private {
		return ""
	}
	const form = `{"Sid":"%s","Effect":"Allow","Principal":"*","Action":"%s","Resource":"arn:aws:s3:::%s"}`
	rows := []string{fmt.Sprintf(form, "PublicRead", "s3:GetObject", b.Name+"/*")}
	if b.Listing {
		rows = append(rows, fmt.Sprintf(form, "PublicList", "s3:ListBucket", b.Name))
	}
	return `{"Version":"2012-10-17","Statement":[` + strings.Join(rows, ",") + `]}`
}

func (p bucketsPort) Head(ctx context.Context, name, region, key string) (providers.ObjectHead, error) {
	var out providers.ObjectHead
	err := p.w.call(ctx, p.op("Buckets.Head", name, false), func(time.Time) error {
		b, err := p.own(name, region)
		if err != nil {
			return err
		}
		o := b.objects[key]
		if o == nil {
			return fmt.Errorf("read the metadata of object %q of bucket %q: NoSuchKey: %w", key, name, providers.ErrNotFound)
		}
		out = providers.ObjectHead{ContentType: o.ContentType, CacheControl: o.CacheControl, Redirect: o.Redirect}
		return nil
	})
	if err != nil {
		return providers.ObjectHead{}, err
	}
	return out, nil
}

func (p bucketsPort) Objects(ctx context.Context, name, region, after string, limit int) ([]providers.Object, error) {
	var out []providers.Object
	err := p.w.call(ctx, p.op("Buckets.Objects", name, false), func(time.Time) error {
		b, err := p.own(name, region)
		if err != nil {
			return err
		}
		from, found := slices.BinarySearch(b.keys, after)
		if found {
			from++
		}
		for _, k := range b.keys[from:][:min(len(b.keys)-from, max(0, min(limit, 1000)))] {
			o := b.objects[k]
			out = append(out, providers.Object{
				Key: k, Size: int64(len(o.Body)), ETag: o.etag, StorageClass: "STANDARD", LastModified: o.modified,
			})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// s3Host reads a host name of S3 from its end: [BUCKET.]s3[-REGION][.REGION] and
// [BUCKET.]s3-website(-|.)REGION under amazonaws.com(.cn), with dualstack or
// not [Amazon S3 User Guide: Virtual hosting of buckets, Website endpoints].
func s3Host(host string) (e endpoint, bucket string, ok bool) {
	rest, ok := strings.CutSuffix(strings.TrimSuffix(host, ".cn"), ".amazonaws.com")
	if !ok {
		return endpoint{}, "", false
	}
	labels := strings.Split(rest, ".")
	last := len(labels) - 1
	e = endpoint{kind: restEnd, host: host}
	switch l := labels[last]; {
	case l == "s3":
		e.region, e.global = "us-east-1", true
	case strings.HasPrefix(l, "s3-website-"):
		e.kind, e.region = siteEnd, strings.TrimPrefix(l, "s3-website-")
	case strings.HasPrefix(l, "s3-"):
		e.region = strings.TrimPrefix(l, "s3-")
	default:
		e.region = l
		if last--; last >= 1 && labels[last] == "dualstack" {
			last--
			e.v6 = true
		}
		switch {
		case last >= 0 && labels[last] == "s3":
		case last >= 0 && labels[last] == "s3-website":
			e.kind = siteEnd
		default:
			return endpoint{}, "", false
		}
	}
	return e, strings.Join(labels[:last], "."), e.region != ""
}

// s3 answers a request that reached an S3 endpoint; the bucket is named by the
// Host header, not by the endpoint.
func (w *World) s3(e endpoint, r request) reply {
	name, key := r.host, strings.TrimPrefix(r.path, "/")
	if _, b, ok := s3Host(r.host); ok {
		name = b
		if name == "" && e.kind == restEnd { // path style
			name, key, _ = strings.Cut(key, "/")
		}
	}
	out := reply{from: fromS3, site: e.kind == siteEnd, region: e.region}
	b := w.buckets[name]
	switch {
	case b == nil:
		return out.refuse(404, "NoSuchBucket")
	case b.Region != e.region && e.kind == siteEnd:
		return out.refuse(400, "IncorrectEndpoint")
	case b.Region != e.region && e.global:
		out.home, out.location = b.Region, "http://"+name+".s3."+b.Region+".amazonaws.com"+r.path
		return out.refuse(307, "TemporaryRedirect")
	case b.Region != e.region:
		out.home = b.Region
		return out.refuse(301, "PermanentRedirect")
	case r.method != "GET" && r.method != "HEAD" && r.method != "OPTIONS":
		return out.refuse(405, "MethodNotAllowed")
	}
	out.cors = b.CORS && r.origin
	if e.kind == siteEnd {
		return b.site(out, r, key)
	}
	return b.rest(out, key)
}

// open is whether an anonymous reader gets o.
func (b *bucket) open(o *object) bool { return !b.Private && !b.RequesterPays && !o.Private }

func (b *bucket) rest(out reply, key string) reply {
	o := b.objects[key]
	switch {
	case b.Private || b.RequesterPays || o != nil && !b.open(o):
		return out.refuse(403, "AccessDenied")
	case o != nil:
		return out.serve(o)
	case key == "" && b.Listing:
		out.object = &object{Object: Object{Body: b.list(), ContentType: "application/xml"}}
		out.status, out.body, out.ctype = 200, out.object.Body, "application/xml"
		return out
	case key == "" || !b.Listing:
		return out.refuse(403, "AccessDenied")
	}
	return out.refuse(404, "NoSuchKey")
}

// list is what GET / of a listable bucket answers.
func (b *bucket) list() []byte {
	var s strings.Builder
	s.WriteString(`<?xml version="1.0" encoding="UTF-8"?><ListBucketResult><Name>` + b.Name + `</Name>`)
	for _, k := range b.keys {
		s.WriteString("<Contents><Key>" + k + "</Key></Contents>")
	}
	s.WriteString("</ListBucketResult>")
	return []byte(s.String())
}

// site answers as a website endpoint does: index documents, redirects, the
// error document.
func (b *bucket) site(out reply, r request, key string) reply {
	if b.Website == nil {
		return out.refuse(404, "NoSuchWebsiteConfiguration")
	}
	if to := b.Website.RedirectAllTo; to != "" {
		out.status, out.location = 301, "http://"+to+r.path
		return out
	}
	if b.Private || b.RequesterPays {
		return b.siteError(out, 403, "AccessDenied")
	}
	full := key
	if full == "" || strings.HasSuffix(full, "/") {
		full += b.Website.IndexDocument
	}
	o := b.objects[full]
	switch {
	case o != nil && !b.open(o):
		return b.siteError(out, 403, "AccessDenied")
	case o != nil && o.Redirect != "":
		out.status, out.location = 301, o.Redirect
		return out
	case o != nil:
		return out.serve(o)
	case b.objects[key+"/"+b.Website.IndexDocument] != nil:
		out.status, out.location = 302, "/"+key+"/"
		return out
	}
	return b.siteError(out, 404, "NoSuchKey")
}

func (b *bucket) siteError(out reply, status int, code string) reply {
	if o := b.objects[b.Website.ErrorDocument]; b.Website.ErrorDocument != "" && o != nil && b.open(o) {
		out = out.serve(o)
		out.status = status
		return out
	}
	return out.refuse(status, code)
}
