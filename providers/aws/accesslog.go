package aws

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/edgeward/edgeward/providers"
)

const (
	// logPages bounds the listing of one access log, in requests; a page has 1000
	// keys.
	logPages = 20
	// logTries is how many log objects are begun for each that is wanted: several
	// buckets may have one place for their logs.
	logTries = 4
	// maxLogLine is the longest line that is read; a request line and two headers
	// of 8 KiB each fit in.
	maxLogLine = 64 << 10
)

// access is one reading of the access log of a bucket.
type access struct {
	b      *buckets
	client *s3.Client
	of     providers.Bucket
	since  time.Time
	each   func(providers.LogEntry)
	pages  int
}

// AccessLog implements providers.Buckets. The log is in the bucket's region and
// account [S3 User Guide: Logging requests with server access logging].
func (b *buckets) AccessLog(ctx context.Context, of providers.Bucket, since time.Time, files int, each func(providers.LogEntry)) (int, error) {
	if of.Log.Bucket == "" || files <= 0 {
		return 0, ctx.Err()
	}
	client, err := b.client(ctx, of.Region)
	if err != nil {
		return 0, err
	}
	a := &access{b: b, client: client, of: of, since: since, each: each, pages: logPages}
	objects, err := a.newest(ctx, files*logTries)
	if err != nil {
		return 0, err
	}
	read := 0
	for _, o := range objects {
		about, err := a.read(ctx, sdk.ToString(o.Key), sdk.ToTime(o.LastModified))
		if about {
			read++
		}
		if err != nil || read == files {
			return read, err
		}
	}
	return read, nil
}

// logKey is the end of a log object's key: the time and a unique string [S3 User
// Guide: Log object key format].
var logKey = regexp.MustCompile(`^(\d{4}/\d\d/\d\d/)?\d{4}(-\d\d){5}-[^/]+/?$`)

// stamp is how a log key goes on after its base at t. A day's keys may all have
// the time 00-00-00 where the log is partitioned by the time of the events.
func (a *access) stamp(t time.Time) string {
	if a.of.Log.Partitioned {
		return t.UTC().Format("2006/01/02/")
	}
	return t.UTC().Format("2006-01-02-15-04-05")
}

// newest lists the log objects since a.since, the newest first and at most want.
// Keys are ordered by time and listed from the front, so the last hour is listed
// first, and then ever longer times before it.
func (a *access) newest(ctx context.Context, want int) ([]types.Object, error) {
	bases, err := a.bases(ctx)
	if err != nil {
		return nil, err
	}
	var found []types.Object
	now, end := a.b.c.opts.Clock.Now(), ":" // after every digit
	for back := time.Hour; ; back *= 4 {
		begin := now.Add(-back)
		last := !begin.After(a.since) || back > 1<<60
		if last {
			begin = a.since
		}
		for _, base := range bases {
			if a.stamp(begin) == end {
				continue
			}
			some, err := a.list(ctx, base, a.stamp(begin), end)
			if err != nil {
				return nil, err
			}
			found = append(found, some...)
		}
		if last || len(found) >= want || a.pages <= 0 {
			break
		}
		end = a.stamp(begin)
	}
	slices.SortStableFunc(found, func(x, y types.Object) int {
		return sdk.ToTime(y.LastModified).Compare(sdk.ToTime(x.LastModified))
	})
	return found[:min(want, len(found))], nil
}

// bases are what the keys of the log begin with, before the time. The account in
// a partitioned key is not known here: S3 is asked for it.
func (a *access) bases(ctx context.Context) ([]string, error) {
	if !a.of.Log.Partitioned {
		return []string{a.of.Log.Prefix}, nil
	}
	out, err := a.page(ctx, &s3.ListObjectsV2Input{Prefix: optional(a.of.Log.Prefix), Delimiter: sdk.String("/")})
	if err != nil {
		return nil, err
	}
	var bases []string
	for _, p := range out.CommonPrefixes {
		base, err := plainKey(out, p.Prefix)
		if err != nil {
			return nil, a.fail("s3:ListBucket", err)
		}
		account := strings.TrimSuffix(strings.TrimPrefix(base, a.of.Log.Prefix), "/")
		if len(account) == 12 && strings.Trim(account, "0123456789") == "" {
			bases = append(bases, base+a.of.Region+"/"+a.of.Name+"/")
		}
	}
	return bases, nil
}

// list gives the log objects whose keys, after base, are from begin to before
// end.
func (a *access) list(ctx context.Context, base, begin, end string) ([]types.Object, error) {
	var found []types.Object
	in := &s3.ListObjectsV2Input{Prefix: optional(base), StartAfter: sdk.String(base + begin)}
	for a.pages > 0 {
		out, err := a.page(ctx, in)
		if err != nil {
			return nil, err
		}
		for _, o := range out.Contents {
			key, err := plainKey(out, o.Key)
			if err != nil {
				return nil, a.fail("s3:ListBucket", err)
			}
			if key >= base+end {
				return found, nil
			}
			if !strings.HasPrefix(key, base) {
				continue
			}
			if logKey.MatchString(key[len(base):]) && sdk.ToInt64(o.Size) > 0 && !sdk.ToTime(o.LastModified).Before(a.since) {
				o.Key = &key
				found = append(found, o)
			}
		}
		next := sdk.ToString(out.NextContinuationToken)
		if next == "" {
			return found, nil
		}
		if next == sdk.ToString(in.ContinuationToken) {
			return nil, a.fail("", errRepeats)
		}
		in.ContinuationToken = &next
	}
	return found, nil
}

// page is one request of a listing.
func (a *access) page(ctx context.Context, in *s3.ListObjectsV2Input) (*s3.ListObjectsV2Output, error) {
	a.pages--
	in.Bucket, in.EncodingType = &a.of.Log.Bucket, types.EncodingTypeUrl
	out, err := a.client.ListObjectsV2(ctx, in)
	if err == nil && out.Name == nil {
		err = errPartial
	}
	if err != nil {
		return nil, a.fail("s3:ListBucket", err)
	}
	return out, nil
}

func (a *access) fail(action string, err error) error {
	if action != "" {
		action += " on the log's bucket " + a.of.Log.Bucket
	}
	return a.b.fail(fmt.Sprintf("read the access log of bucket %q in bucket %q", a.of.Name, a.of.Log.Bucket), action, err)
}

// read gives the requests of one log object, and of one about this bucket also the
// lines that are not as documented; about is whether it is. One that is gone since
// it was listed, or archived, is passed over.
func (a *access) read(ctx context.Context, key string, delivered time.Time) (about bool, err error) {
	out, err := a.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &a.of.Log.Bucket, Key: &key})
	switch c := code(err); {
	case c == "NoSuchKey" || c == "InvalidObjectState":
		return false, nil
	case err != nil:
		return false, a.fail("s3:GetObject", err)
	}
	defer out.Body.Close()
	lines := bufio.NewReaderSize(out.Body, maxLogLine)
	odd := 0
	defer func() {
		for ; about && odd > 0; odd-- {
			a.each(providers.LogEntry{Time: delivered.UTC()})
		}
	}()
	for {
		line, err := lines.ReadSlice('\n')
		text := strings.TrimRight(string(line), "\r\n")
		entry, bucket, ok := parseLog(text)
		for errors.Is(err, bufio.ErrBufferFull) { // no line of S3's is so long
			ok = false
			_, err = lines.ReadSlice('\n')
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return about, a.fail("", fmt.Errorf("read %s: %w", key, err))
		}
		if !ok && text != "" {
			odd++
		}
		// A log object is about one bucket [S3 User Guide: How are logs delivered?].
		if ok && bucket != a.of.Name && !about {
			return false, nil
		}
		if ok && bucket == a.of.Name {
			about = true
			if !entry.Time.Before(a.since) {
				a.each(entry)
			}
		}
		if err != nil {
			return about, nil
		}
	}
}
