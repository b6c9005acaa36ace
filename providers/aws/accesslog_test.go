package aws_test

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/edgeward/edgeward/providers"
)

// store is a bucket of logs: text by key, with the times of delivery.
type store struct {
	text      map[string]string
	delivered map[string]time.Time
	refuse    map[string]string // code by key
}

// list answers ListObjectsV2 [S3 API Reference: ListObjectsV2].
func (s store) list(q url.Values) (*http.Response, error) {
	if q.Get("encoding-type") != "url" { // a key may be one that XML cannot say
		return s3Refusal(400, "InvalidArgument")
	}
	from := max(q.Get("start-after"), q.Get("continuation-token"))
	var rows strings.Builder
	n, next, groups := 0, "", map[string]bool{}
	for _, key := range slices.Sorted(maps.Keys(s.text)) {
		rest, fits := strings.CutPrefix(key, q.Get("prefix"))
		if !fits || key <= from {
			continue
		}
		if group, _, cut := strings.Cut(rest, q.Get("delimiter")); q.Has("delimiter") && cut {
			groups[q.Get("prefix")+group+q.Get("delimiter")] = true
			continue
		}
		if n == 1000 {
			break
		}
		n++
		next = key
		fmt.Fprintf(&rows, `<Contents><Key>%s</Key><LastModified>%s</LastModified><Size>%d</Size></Contents>`,
			url.QueryEscape(key), s.delivered[key].UTC().Format("2006-01-02T15:04:05.000Z"), len(s.text[key]))
	}
	for g := range groups {
		fmt.Fprintf(&rows, `<CommonPrefixes><Prefix>%s</Prefix></CommonPrefixes>`, url.QueryEscape(g))
	}
	more := ""
	if n == 1000 {
		var token strings.Builder
		_ = xml.EscapeText(&token, []byte(next))
		more = "<IsTruncated>true</IsTruncated><NextContinuationToken>" + token.String() + "</NextContinuationToken>"
	}
	return respond(200, `<ListBucketResult `+s3NS+`><Name>logs.example.com</Name><EncodingType>url</EncodingType>`+more+rows.String()+`</ListBucketResult>`)
}

func (s store) answer(c call) (*http.Response, error) {
	key, ok := strings.CutPrefix(c.req.URL.Path, "/logs.example.com/")
	if !ok || key == "" {
		if code := s.refuse[""]; code != "" {
			return s3Refusal(403, code)
		}
		return s.list(c.req.URL.Query())
	}
	if code := s.refuse[key]; code != "" {
		return s3Refusal(403, code)
	}
	return respond(200, s.text[key])
}

// line is a request for path at a time.
func line(bucket, path string, at time.Time) string {
	return fmt.Sprintf("owner %s [%s] 192.0.2.3 - id REST.GET.OBJECT k \"GET %s HTTP/1.1\" 200 - 1 1 1 1 \"-\" \"curl\" - h - - - %s -\n",
		bucket, at.UTC().Format("02/Jan/2006:15:04:05 -0700"), path, bucket)
}

const logged = "assets.example.com"

// The first log object of each day and each moment, in the two forms of keys.
func TestAccessLog(t *testing.T) {
	type object struct {
		ago  time.Duration
		text func(at time.Time) string
	}
	one := func(path string) func(time.Time) string {
		return func(at time.Time) string { return line(logged, path, at.Add(-time.Minute)) }
	}
	objects := []object{
		{10 * time.Minute, one("/newest")},
		{20 * time.Minute, func(at time.Time) string { return line("other.example.com", "/others", at) }},
		{30 * time.Minute, func(at time.Time) string {
			return "nonsense\n" + strings.Replace(line(logged, "/overlong", at), "curl", strings.Repeat("x", 200_000), 1) + "\n" + line(logged, "/among nonsense"[:6], at) + line("other.example.com", "/odd", at) + strings.TrimSuffix(line(logged, "/unended", at), "\n")
		}},
		{5 * time.Hour, one("/hours")},
		{26 * time.Hour, func(at time.Time) string {
			return line(logged, "/yesterday", at) + line(logged, "/late", at.Add(-90*time.Hour))
		}},
		{80 * time.Hour, one("/too old")},
	}
	synctest.Test(t, func(t *testing.T) {
		environment(t, nil)
		time.Sleep(20*24*time.Hour + 13*time.Hour)
		now := time.Now()
		for _, l := range []providers.BucketLog{
			{Bucket: "logs.example.com"}, {Bucket: "logs.example.com", Prefix: "a b/"}, {Bucket: "logs.example.com", Prefix: "p+é-"},
			{Bucket: "logs.example.com", Prefix: "x/", Partitioned: true}, {Bucket: "logs.example.com", Prefix: "x", Partitioned: true}, {Bucket: "logs.example.com", Partitioned: true},
		} {
			s := store{map[string]string{"zz": "no log", l.Prefix + "other/2000": "no log", l.Prefix + "9": "-"}, map[string]time.Time{}, map[string]string{}}
			for i, o := range objects {
				at := now.Add(-o.ago)
				key := l.Prefix + at.Format("2006-01-02-15-04-05-") + fmt.Sprintf("%016X", 99-i)
				if l.Partitioned {
					key = l.Prefix + "123456789012/eu-west-1/" + logged + at.Format("/2006/01/02/2006-01-02-00-00-00-") + fmt.Sprintf("%016X", i)
				}
				s.text[key], s.delivered[key] = o.text(at), at
			}
			for _, key := range slices.Sorted(maps.Keys(s.text)) { // beside a log object, what is none
				if strings.HasPrefix(s.text[key], "owner ") {
					odd := key[:strings.LastIndexByte(key, '-')] + ".txt"
					s.text[odd], s.delivered[odd] = line(logged, "/no log", now), now
				}
			}
			w, account := connect(s.answer, fast())
			for files, want := range map[int][]string{
				1: {"/newest"}, 2: {"/newest", "/among", "/unended", "odd", "odd"}, 3: {"/newest", "/among", "/unended", "odd", "odd", "/hours"},
				50: {"/newest", "/among", "/unended", "odd", "odd", "/hours", "/yesterday"},
			} {
				var paths []string
				read, err := account.Buckets.AccessLog(t.Context(), providers.Bucket{Name: logged, Region: "eu-west-1", Log: l}, now.Add(-72*time.Hour), files,
					func(e providers.LogEntry) {
						if e.Operation == "" && !e.Time.IsZero() {
							e.Path = "odd" // a line that is not as documented is told
						}
						paths = append(paths, e.Path)
					})
				if err != nil || read != min(files, 4) {
					t.Errorf("%+v, %d files: read %d, %v", l, files, read, err)
				}
				if d := cmp.Diff(want, paths); d != "" {
					t.Errorf("%+v, %d files (-want +got):\n%s", l, files, d)
				}
			}
			for _, c := range w.calls {
				if c.host != "s3.eu-west-1.amazonaws.com" || strings.Contains(c.op, "zz") || strings.Contains(c.op, "too%20old") {
					t.Errorf("asked %s of %s", c.op, c.host)
				}
			}
		}
	})
}

func TestAccessLogIsPolite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		environment(t, nil)
		b := providers.Bucket{Name: logged, Region: "eu-west-1", Log: providers.BucketLog{Bucket: "logs.example.com"}}
		none := func(providers.LogEntry) { t.Error("an entry") }
		s := store{map[string]string{}, map[string]time.Time{}, nil}
		w, account := connect(s.answer, fast())
		off := b
		off.Log = providers.BucketLog{}
		for _, c := range []struct {
			b     providers.Bucket
			files int
		}{{off, 5}, {b, 0}} {
			if n, err := account.Buckets.AccessLog(t.Context(), c.b, time.Now(), c.files, none); n != 0 || err != nil || len(w.calls) > 0 {
				t.Errorf("%+v: %d, %v, asked %v", c, n, err, w.count())
			}
		}
		if n, err := account.Buckets.AccessLog(t.Context(), b, time.Now().Add(-72*time.Hour), 5, none); n != 0 || err != nil || len(w.calls) > 6 {
			t.Errorf("an empty log: %d, %v, asked %d times", n, err, len(w.calls))
		}
		// Enough in the last hour: the hours before are not asked for.
		few := store{map[string]string{}, map[string]time.Time{}, nil}
		for i := range 10 {
			at := time.Now().Add(-time.Duration(i) * time.Minute)
			key := at.Format("2006-01-02-15-04-05-A")
			few.text[key], few.delivered[key] = line(logged, "/", at), at
		}
		w, account = connect(few.answer, fast())
		if n, err := account.Buckets.AccessLog(t.Context(), b, time.Now().Add(-72*time.Hour), 2, func(providers.LogEntry) {}); n != 2 || err != nil || len(w.calls) != 3 {
			t.Errorf("two of a busy log: %d, %v, asked %d times", n, err, len(w.calls))
		}
		// 30,000 objects of other buckets within the hour, and no end of them.
		for i := range 30_000 {
			at := time.Now().Add(-time.Duration(i) * time.Second / 10)
			key := at.Format("2006-01-02-15-04-05-") + fmt.Sprintf("%016X", i)
			s.text[key], s.delivered[key] = line("other.example.com", "/", at), at
		}
		w, account = connect(s.answer, fast())
		if n, err := account.Buckets.AccessLog(t.Context(), b, time.Now().Add(-72*time.Hour), 5, none); n != 0 || err != nil {
			t.Errorf("others' logs: %d, %v", n, err)
		}
		gets, lists := 0, 0
		for _, c := range w.calls {
			if strings.Contains(c.op, "list-type") {
				lists++
			} else {
				gets++
			}
		}
		if lists > 20 || gets > 20 {
			t.Errorf("%d listings and %d objects were asked for", lists, gets)
		}
	})
}

func TestAccessLogErrors(t *testing.T) {
	b := providers.Bucket{Name: logged, Region: "eu-west-1", Log: providers.BucketLog{Bucket: "logs.example.com"}}
	synctest.Test(t, func(t *testing.T) {
		environment(t, nil)
		now := time.Now()
		key := func(i int) string {
			return now.Add(-time.Duration(i)*time.Minute).Format("2006-01-02-15-04-05-") + "A"
		}
		whole := func(refuse map[string]string) store {
			s := store{map[string]string{}, map[string]time.Time{}, refuse}
			for i := range 3 {
				at := now.Add(-time.Duration(i) * time.Minute)
				s.text[key(i)], s.delivered[key(i)] = line(logged, fmt.Sprint("/", i), at), at
			}
			return s
		}
		for name, c := range map[string]struct {
			answer     func(call) (*http.Response, error)
			class      error
			says, hint string
			read       int
		}{
			"may not list": {whole(map[string]string{"": "AccessDenied"}).answer, providers.ErrDenied,
				`read the access log of bucket "assets.example.com" in bucket "logs.example.com": AccessDenied`, "allow s3:ListBucket on the log's bucket logs.example.com to these credentials", 0},
			"may not read": {whole(map[string]string{key(1): "AccessDenied"}).answer, providers.ErrDenied, "AccessDenied", "allow s3:GetObject on the log's bucket logs.example.com", 1},
			"bucket gone":  {whole(map[string]string{"": "NoSuchBucket"}).answer, providers.ErrNotFound, "NoSuchBucket", "", 0},
			"object gone":  {whole(map[string]string{key(1): "NoSuchKey"}).answer, nil, "", "", 2},
			"archived":     {whole(map[string]string{key(0): "InvalidObjectState"}).answer, nil, "", "", 2},
			"breaks off": {func(c call) (*http.Response, error) {
				resp, err := whole(nil).answer(c)
				if !strings.Contains(c.op, "list-type") {
					resp.Body = io.NopCloser(io.MultiReader(resp.Body, iotest.ErrReader(io.ErrUnexpectedEOF)))
				}
				return resp, err
			}, io.ErrUnexpectedEOF, "read " + key(0) + ": unexpected EOF", "", 1},
			"another's, which breaks off": {func(c call) (*http.Response, error) {
				if strings.Contains(c.op, "list-type") {
					return whole(nil).answer(c)
				}
				resp, err := respond(200, "")
				resp.Body = io.NopCloser(io.MultiReader(strings.NewReader(line("other.example.com", "/", now)), iotest.ErrReader(io.ErrUnexpectedEOF)))
				return resp, err
			}, nil, "", "", 0},
			"not a listing": {func(call) (*http.Response, error) { return respond(200, "<Other/>") }, cmpopts.AnyError, "not complete", "", 0},
			"a bad escape": {func(call) (*http.Response, error) {
				return respond(200, `<ListBucketResult `+s3NS+`><Name>l</Name><EncodingType>url</EncodingType><Contents><Key>%zz</Key></Contents></ListBucketResult>`)
			}, cmpopts.AnyError, "%zz", "", 0},
		} {
			_, account := connect(c.answer, fast())
			n, err := account.Buckets.AccessLog(t.Context(), b, now.Add(-time.Hour), 3, func(providers.LogEntry) {})
			ok := c.class == nil && err == nil || err != nil && (errors.Is(c.class, cmpopts.AnyError) || errors.Is(err, c.class))
			if !ok || n != c.read || err != nil && !strings.Contains(err.Error(), c.says) || !strings.Contains(hint(err), c.hint) {
				t.Errorf("%s: read %d, %v, hint %q", name, n, err, hint(err))
			}
		}
	})
}
