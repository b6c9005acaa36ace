package sandbox

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"reflect"
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
	created time.Time
	access  bucketAccess
	// meter counts all requests, direct those that were not CloudFront's.
	meter, direct meter
	// counting is by filter ID.
	counting map[string]*counting
}

// object is one object as it is stored; it never changes.
type object struct {
	Object
	etag     string
	modified time.Time
	content  *content
	// header has what every answer with the object has, except its type.
	header http.Header
	// zipped is the object compressed by CloudFront, nil until then.
	zipped *content
}

// gzipped is the object compressed by CloudFront. The world's lock is held.
func (o *object) gzipped() *content {
	if o.zipped == nil {
		o.zipped = o.content.gzipped()
	}
	return o.zipped
}

func (w *World) addBucket(b Bucket, now time.Time) {
	if b.Region == "" {
		b.Region = "us-east-1"
	}
	x := &bucket{Bucket: b, objects: make(map[string]*object, len(b.Objects)), created: now, meter: meter{}, direct: meter{}}
	for _, o := range b.Objects {
		x.objects[o.Key] = newObject(o, now)
	}
	x.keys = sortedKeys(x.objects)
	w.buckets[b.Name] = x
}

// put writes an object; what stands there already stays as it was written.
func (b *bucket) put(o Object, now time.Time) {
	o.ContentType = cmp.Or(o.ContentType, defaultType)
	if had := b.objects[o.Key]; had != nil && reflect.DeepEqual(had.Object, o) {
		return
	}
	if at, ok := slices.BinarySearch(b.keys, o.Key); !ok {
		b.keys = slices.Insert(b.keys, at, o.Key)
	}
	b.objects[o.Key] = newObject(o, now)
}

// defaultType is the type of an object that was written without one.
const defaultType = "binary/octet-stream"

func newObject(o Object, now time.Time) *object {
	o.ContentType = cmp.Or(o.ContentType, defaultType)
	x := &object{Object: o, modified: now.UTC().Truncate(time.Second)}
	if !o.Modified.IsZero() {
		x.modified = o.Modified.UTC().Truncate(time.Second)
	}
	if x.content = bytesOf(o.Body); o.Size > 0 {
		x.content = generated(o.Size, o.Key, o.Fill)
	}
	x.etag = x.content.etag()
	h := http.Header{
		"Etag":          {`"` + x.etag + `"`},
		"Last-Modified": {x.modified.Format(http.TimeFormat)},
		"Accept-Ranges": {"bytes"},
	}
	for k, v := range map[string]string{
		"Cache-Control": o.CacheControl, "Expires": o.Expires, "Content-Encoding": o.ContentEncoding,
		"Content-Language": o.ContentLanguage, "Content-Disposition": o.ContentDisposition,
		"X-Amz-Website-Redirect-Location": o.Redirect, "X-Amz-Version-Id": o.VersionID,
		"X-Amz-Server-Side-Encryption": o.Encryption,
	} {
		if v != "" {
			h[k] = []string{v}
		}
	}
	if o.StorageClass != "" && o.StorageClass != "STANDARD" {
		h.Set("X-Amz-Storage-Class", o.StorageClass)
	}
	for k, v := range o.Metadata {
		h.Set("X-Amz-Meta-"+k, v)
	}
	x.header = h
	return x
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

func (p bucketsPort) Site(ctx context.Context, name, region string, website bool) (providers.Bucket, error) {
	var out providers.Bucket
	err := p.w.call(ctx, p.op("Buckets.Site", name, false), func(time.Time) error {
		b, err := p.own(name, region)
		if err != nil {
			return err
		}
		all := b.port()
		out = providers.Bucket{Name: all.Name, Region: all.Region, CORS: all.CORS}
		if website {
			out.Website = all.Website
		}
		return nil
	})
	return out, err
}

func (b *bucket) port() providers.Bucket {
	out := providers.Bucket{
		Name: b.Name, Region: b.Region, RequesterPays: b.RequesterPays,
		PolicyPublic: publicPolicy(b.policy()), Policy: b.policy(), Log: b.log.to, ACLsEnabled: b.ACLs,
	}
	for _, r := range b.CORS {
		r.Origins, r.Methods, r.Headers, r.Expose = slices.Clone(r.Origins), slices.Clone(r.Methods), slices.Clone(r.Headers), slices.Clone(r.Expose)
		out.CORS = append(out.CORS, r)
	}
	if b.Website != nil {
		site := *b.Website
		site.RoutingRules = slices.Clone(site.RoutingRules)
		out.Website = &site
	}
	if block := b.block(); block != nil {
		out.Block = *block
	}
	return out
}

// policy is the text of the bucket's policy: what was put, or what the bucket
// began with, "" for a private one.
func (b *bucket) policy() string {
	if b.access.policy != nil {
		return *b.access.policy
	}
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
		out = providers.ObjectHead{
			ContentType: o.ContentType, ContentEncoding: o.ContentEncoding, ContentLanguage: o.ContentLanguage,
			ContentDisposition: o.ContentDisposition, CacheControl: o.CacheControl, Expires: o.Expires, Redirect: o.Redirect, Encryption: o.Encryption,
		}
		for k, v := range o.Metadata {
			if out.Metadata == nil {
				out.Metadata = map[string]string{}
			}
			out.Metadata[strings.ToLower(k)] = v
		}
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
				Key: k, Size: o.content.size, ETag: o.etag, StorageClass: storageClass(o), LastModified: o.modified,
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

func storageClass(o *object) string { return cmp.Or(o.StorageClass, "STANDARD") }

func (p bucketsPort) List(ctx context.Context) ([]providers.BucketEntry, error) {
	var out []providers.BucketEntry
	err := p.w.call(ctx, p.op("Buckets.List", "", false), func(time.Time) error {
		for _, name := range slices.Sorted(maps.Keys(p.w.buckets)) {
			if b := p.w.buckets[name]; !b.Foreign && b.Account == p.a.label {
				out = append(out, providers.BucketEntry{Name: name, Region: b.Region, Created: b.created})
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
