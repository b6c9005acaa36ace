package aws_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/edgeward/edgeward/providers"
	"github.com/edgeward/edgeward/providers/aws"
)

func lockAt(t *testing.T, region string, answer func(call) (*http.Response, error)) (*wire, providers.LockStore) {
	t.Helper()
	environment(t, nil)
	w := &wire{answer: answer}
	o := fast()
	o.Clock, o.HTTPClient = providers.RealClock{}, w
	return w, aws.New(o).LockStore("our-tools", "edgeward/lock.json", region)
}

// always answers every call alike.
func always(f func() (*http.Response, error)) func(call) (*http.Response, error) {
	return func(call) (*http.Response, error) { return f() }
}

func TestReadLock(t *testing.T) {
	const date, modified = "Date: Wed, 28 Oct 2026 22:32:10 GMT", "Last-Modified: Wed, 28 Oct 2026 22:30:00 GMT"
	cases := map[string]struct {
		answer func() (*http.Response, error)
		want   providers.LockObject
		class  error
		says   string
	}{
		"a lock": {
			answer: func() (*http.Response, error) { return respond(200, `{"id":"a"}`, `ETag: "e1"`, date, modified) },
			want:   providers.LockObject{Text: []byte(`{"id":"a"}`), Version: `"e1"`, Age: 2*time.Minute + 10*time.Second},
		},
		// Clocks of S3's own machines may differ by a second.
		"written after now": {
			answer: func() (*http.Response, error) {
				return respond(200, `{}`, `ETag: "e1"`, date, "Last-Modified: Wed, 28 Oct 2026 22:32:12 GMT")
			},
			want: providers.LockObject{Text: []byte(`{}`), Version: `"e1"`},
		},
		"empty": {
			answer: func() (*http.Response, error) { return respond(200, ``, `ETag: "e1"`, date, modified) },
			want:   providers.LockObject{Text: []byte{}, Version: `"e1"`, Age: 2*time.Minute + 10*time.Second},
		},
		// [S3 API Reference: GetObject, Errors]
		"none": {
			answer: func() (*http.Response, error) { return s3Refusal(404, "NoSuchKey") },
			class:  providers.ErrNotFound,
		},
		// [S3 API Reference: GetObject, Permissions: 403 without s3:ListBucket]
		"denied": {
			answer: func() (*http.Response, error) { return s3Refusal(403, "AccessDenied") },
			class:  providers.ErrDenied, says: "allow s3:GetObject",
		},
		"no bucket": {
			answer: func() (*http.Response, error) { return s3Refusal(404, "NoSuchBucket") },
			class:  providers.ErrNotFound, says: "our-tools",
		},
		"huge": {
			answer: func() (*http.Response, error) {
				return respond(200, strings.Repeat("x", 64<<10+1), `ETag: "e1"`, date, modified)
			},
			class: providers.ErrInvalid, says: "it is no lock of edgeward",
		},
		"no version": {
			answer: func() (*http.Response, error) { return respond(200, `{}`, date, modified) },
			class:  providers.ErrInvalid,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w, store := lockAt(t, "eu-west-1", always(c.answer))
			got, err := store.ReadLock(t.Context())
			if !errors.Is(err, c.class) {
				t.Fatalf("error is %v, want one that is %v", err, c.class)
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("-want +got\n%s", d)
			}
			if err != nil {
				clean(t, err)
				if !strings.Contains(err.Error()+hint(err), c.says) || !strings.Contains(err.Error(), "s3://our-tools/edgeward/lock.json") {
					t.Errorf("says %v (%s), want %q", err, hint(err), c.says)
				}
			}
			if calls := w.made("GET /edgeward/lock.json"); len(calls) != 1 || calls[0].host != "our-tools.s3.eu-west-1.amazonaws.com" {
				t.Errorf("calls %v", w.count())
			}
		})
	}
}

// A condition goes with every write, and what S3 says of it is ErrConflict [S3
// User Guide: Conditional write behavior].
func TestWriteLock(t *testing.T) {
	cases := map[string]struct {
		version string
		answer  func() (*http.Response, error)
		want    string
		class   error
		says    string
	}{
		"new":     {answer: func() (*http.Response, error) { return respond(200, "", `ETag: "e1"`) }, want: `"e1"`},
		"renewed": {version: `"e1"`, answer: func() (*http.Response, error) { return respond(200, "", `ETag: "e2"`) }, want: `"e2"`},
		"one stands": {
			answer: func() (*http.Response, error) { return s3Refusal(412, "PreconditionFailed") },
			class:  providers.ErrConflict, says: "somebody wrote it meanwhile",
		},
		"another stands": {
			version: `"e1"`, answer: func() (*http.Response, error) { return s3Refusal(412, "PreconditionFailed") },
			class: providers.ErrConflict, says: "somebody wrote it meanwhile",
		},
		"written at the same time": {
			version: `"e1"`, answer: func() (*http.Response, error) { return s3Refusal(409, "ConditionalRequestConflict") },
			class: providers.ErrConflict,
		},
		"gone meanwhile": {
			version: `"e1"`, answer: func() (*http.Response, error) { return s3Refusal(404, "NoSuchKey") },
			class: providers.ErrConflict,
		},
		"denied": {
			answer: func() (*http.Response, error) { return s3Refusal(403, "AccessDenied") },
			class:  providers.ErrDenied, says: "allow s3:PutObject",
		},
		"no bucket": {
			answer: func() (*http.Response, error) { return s3Refusal(404, "NoSuchBucket") },
			class:  providers.ErrNotFound,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w, store := lockAt(t, "eu-west-1", always(c.answer))
			got, err := store.WriteLock(t.Context(), []byte(`{"id":"a"}`), c.version)
			if !errors.Is(err, c.class) || got != c.want {
				t.Fatalf("version %q, error %v; want %q, %v", got, err, c.want, c.class)
			}
			if err != nil {
				clean(t, err)
				if !strings.Contains(err.Error()+hint(err), c.says) {
					t.Errorf("says %v (%s), want %q", err, hint(err), c.says)
				}
			}
			calls := w.made("PUT /edgeward/lock.json")
			if len(calls) != 1 {
				t.Fatalf("calls %v", w.count())
			}
			h := calls[0].header
			match, noneMatch := c.version, ""
			if c.version == "" {
				noneMatch = "*"
			}
			if h.Get("If-Match") != match || h.Get("If-None-Match") != noneMatch || h.Get("Content-Type") != "application/json" ||
				!strings.Contains(calls[0].body, `{"id":"a"}`) {
				t.Errorf("sent %v %q", h, calls[0].body)
			}
		})
	}
}

// A write that met a fault is tried again with the same condition, so its own
// lost effect shows as a conflict and not as a second lock.
func TestWriteLockAgain(t *testing.T) {
	w, store := lockAt(t, "eu-west-1", func(c call) (*http.Response, error) {
		if c.n == 1 {
			return s3Refusal(500, "InternalError")
		}
		return s3Refusal(412, "PreconditionFailed")
	})
	_, err := store.WriteLock(t.Context(), []byte("x"), "")
	if !errors.Is(err, providers.ErrConflict) {
		t.Errorf("error %v", err)
	}
	for _, c := range w.made("PUT /edgeward/lock.json") {
		if c.header.Get("If-None-Match") != "*" || c.body != w.made("PUT /edgeward/lock.json")[0].body {
			t.Errorf("sent %v %q", c.header, c.body)
		}
	}
}

// Without a region S3 is asked for it, once.
func TestLockRegion(t *testing.T) {
	w, store := lockAt(t, "", func(c call) (*http.Response, error) {
		switch {
		case strings.HasPrefix(c.op, "HEAD "):
			return respond(403, "", "X-Amz-Bucket-Region: ap-south-1")
		case strings.HasPrefix(c.op, "PUT "):
			return respond(200, "", `ETag: "e1"`)
		}
		return s3Refusal(404, "NoSuchKey")
	})
	for range 2 {
		if _, err := store.ReadLock(t.Context()); !errors.Is(err, providers.ErrNotFound) {
			t.Fatal(err)
		}
		if _, err := store.WriteLock(t.Context(), []byte("x"), ""); err != nil {
			t.Fatal(err)
		}
	}
	for op, n := range w.count() {
		if strings.HasPrefix(op, "HEAD ") && n != 1 || !strings.HasPrefix(op, "HEAD ") && n != 2 {
			t.Errorf("calls %v", w.count())
		}
	}
	for _, c := range w.made("PUT /edgeward/lock.json") {
		if c.host != "our-tools.s3.ap-south-1.amazonaws.com" {
			t.Errorf("asked %s", c.host)
		}
	}
}
