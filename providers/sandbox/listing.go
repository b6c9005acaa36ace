package sandbox

import (
	"encoding/base64"
	"encoding/xml"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// listing is one page of a listing.
type listing struct {
	v2, escaped                           bool
	prefix, delimiter, marker, after, tok string
	max                                   int
	keys, folders                         []string
	next                                  string
}

// root answers for the bucket itself: HeadBucket and the two ListObjects
// [Amazon S3 API Reference: HeadBucket, ListObjects, ListObjectsV2].
func (w *World) root(out reply, b *bucket, r request, query url.Values) reply {
	if !w.mayList(b, r) {
		return w.refuse(out, 403, "AccessDenied", "")
	}
	if r.method == http.MethodHead {
		out = out.text(http.StatusOK, "application/xml", nil).with("X-Amz-Bucket-Region", b.Region)
		out.chunked = true
		return out
	}
	l := listing{
		v2: query.Get("list-type") == "2", escaped: query.Get("encoding-type") == "url", prefix: query.Get("prefix"),
		delimiter: query.Get("delimiter"), marker: query.Get("marker"), tok: query.Get("continuation-token"),
		after: query.Get("start-after"), max: 1000,
	}
	bad := func(name string) reply {
		return w.refuse(out, 400, "InvalidArgument", "Argument "+name+" must be an integer between 0 and 2147483647", "ArgumentName", name, "ArgumentValue", query.Get(name))
	}
	if t := query.Get("list-type"); t != "" && t != "2" {
		return w.refuse(out, 400, "InvalidArgument", "Invalid List Type specified in Request", "ArgumentName", "list-type", "ArgumentValue", t)
	}
	if v := query.Get("max-keys"); v != "" {
		n, err := strconv.ParseInt(v, 10, 32)
		if err != nil || n < 0 {
			return bad("max-keys")
		}
		l.max = int(min(n, 1000))
	}
	from := l.marker
	if l.v2 {
		from = l.after
		if query.Has("continuation-token") {
			t, err := base64.RawURLEncoding.DecodeString(l.tok)
			if err != nil || len(t) == 0 {
				return w.refuse(out, 400, "InvalidArgument", "The continuation token provided is incorrect", "ArgumentName", "continuation-token")
			}
			from = string(t)
		}
	}
	l.fill(b, from)
	out = out.text(http.StatusOK, "application/xml", l.write(b))
	out.chunked = true
	if r.method == http.MethodGet {
		out = out.with("X-Amz-Bucket-Region", b.Region)
	}
	return out
}

// fill takes the keys after from, and one folder for all the keys below it.
func (l *listing) fill(b *bucket, from string) {
	at, found := slices.BinarySearch(b.keys, max(from, l.prefix))
	if found && from == b.keys[at] {
		at++
	}
	var folder, last string
	for _, k := range b.keys[at:] {
		rest, ok := strings.CutPrefix(k, l.prefix)
		if !ok {
			break
		}
		if folder != "" && strings.HasPrefix(k, folder) {
			last = k
			continue
		}
		if l.delimiter != "" {
			if i := strings.Index(rest, l.delimiter); i >= 0 {
				folder = k[:len(l.prefix)+i+len(l.delimiter)]
			} else {
				folder = ""
			}
		}
		if folder != "" && strings.HasPrefix(from, folder) {
			last = k
			continue
		}
		if len(l.keys)+len(l.folders) == l.max {
			l.next = last
			return
		}
		if last = k; folder != "" {
			l.folders = append(l.folders, folder)
		} else {
			l.keys = append(l.keys, k)
		}
	}
}

func (l *listing) write(b *bucket) []byte {
	var s strings.Builder
	text := func(v string) string {
		if l.escaped {
			return strings.ReplaceAll(url.QueryEscape(v), "%2F", "/")
		}
		return v
	}
	s.WriteString(xml.Header + `<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">`)
	element(&s, "Name", b.Name)
	element(&s, "Prefix", text(l.prefix))
	if l.v2 {
		if l.tok != "" {
			element(&s, "ContinuationToken", l.tok)
		}
		if l.after != "" {
			element(&s, "StartAfter", text(l.after))
		}
		element(&s, "KeyCount", strconv.Itoa(len(l.keys)+len(l.folders)))
	} else {
		element(&s, "Marker", text(l.marker))
	}
	element(&s, "MaxKeys", strconv.Itoa(l.max))
	if l.delimiter != "" {
		element(&s, "Delimiter", text(l.delimiter))
	}
	if l.escaped {
		element(&s, "EncodingType", "url")
	}
	element(&s, "IsTruncated", strconv.FormatBool(l.next != ""))
	switch {
	case l.next != "" && l.v2:
		element(&s, "NextContinuationToken", base64.RawURLEncoding.EncodeToString([]byte(l.next)))
	case l.next != "" && l.delimiter != "":
		element(&s, "NextMarker", text(l.next))
	}
	for _, k := range l.keys {
		o := b.objects[k]
		s.WriteString("<Contents>")
		element(&s, "Key", text(k))
		element(&s, "LastModified", o.modified.Format("2006-01-02T15:04:05.000Z"))
		element(&s, "ETag", `"`+o.etag+`"`)
		element(&s, "Size", strconv.FormatInt(o.content.size, 10))
		element(&s, "StorageClass", storageClass(o))
		s.WriteString("</Contents>")
	}
	for _, f := range l.folders {
		s.WriteString("<CommonPrefixes>")
		element(&s, "Prefix", text(f))
		s.WriteString("</CommonPrefixes>")
	}
	s.WriteString("</ListBucketResult>")
	return []byte(s.String())
}
