package providertest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/edgeward/edgeward/providers"
)

func (p AccountParty) keys(t *testing.T, after string, limit int) []string {
	t.Helper()
	got, err := p.Account.Buckets.Objects(t.Context(), p.Bucket, p.Region, after, limit)
	if err != nil {
		t.Fatalf("Objects(%s, %q, %d): %v", p.Bucket, after, limit, err)
	}
	var keys []string
	for _, o := range got {
		keys = append(keys, o.Key)
	}
	return keys
}

// bucketObjectsAfter: a listing goes on behind any key, one that exists or not,
// and page by page it is whole.
func bucketObjectsAfter(t *testing.T, p AccountParty) {
	keys := slices.Sorted(maps.Keys(p.Sizes))
	for i, k := range keys {
		same(t, p.keys(t, k, 1000), keys[i+1:])
		same(t, p.keys(t, k[:len(k)-1], 1000), slices.DeleteFunc(slices.Clone(keys), func(o string) bool { return o <= k[:len(k)-1] }))
	}
	same(t, p.keys(t, "\U0010fffd", 1000), nil)
	var all []string
	for after := ""; len(all) <= len(keys); {
		page := p.keys(t, after, 2)
		if len(page) == 0 {
			break
		}
		all = append(all, page...)
		after = page[len(page)-1]
	}
	same(t, all, keys)
}

func bucketHead(t *testing.T, p AccountParty) {
	for key := range p.Sizes {
		if h, err := p.Account.Buckets.Head(t.Context(), p.Bucket, p.Region, key); err != nil || h.ContentType == "" {
			t.Errorf("Head(%s) is %+v, %v", key, h, err)
		}
	}
	_, err := p.Account.Buckets.Head(t.Context(), p.Bucket, p.Region, "absent/"+p.Bucket)
	class(t, err, providers.ErrNotFound)
	_, err = p.Account.Buckets.Head(t.Context(), "absent-"+p.Bucket, p.Region, "x")
	class(t, err, providers.ErrNotFound)
}

// accessLog reads the log of the bucket since a day ago.
func (p AccountParty) accessLog(t *testing.T, since time.Time, files int) (int, []providers.LogEntry) {
	t.Helper()
	b, err := p.Account.Buckets.Bucket(t.Context(), p.Bucket, p.Region)
	if err != nil {
		t.Fatal(err)
	}
	var got []providers.LogEntry
	read, err := p.Account.Buckets.AccessLog(t.Context(), b, since, files, func(e providers.LogEntry) { got = append(got, e) })
	if err != nil {
		t.Fatalf("AccessLog: %v", err)
	}
	return read, got
}

func bucketNoLog(t *testing.T, p AccountParty) {
	if read, got := p.accessLog(t, p.Clock.Now().Add(-24*time.Hour), 10); read != 0 || len(got) > 0 {
		t.Errorf("a bucket without an access log: read %d, %v", read, got)
	}
}

// bucketLog: the newest objects of a log, and nothing from before the time asked
// for.
func bucketLog(t *testing.T, p AccountParty) {
	now := p.Clock.Now().UTC().Truncate(time.Second)
	request := func(path string, ago time.Duration) providers.LogEntry {
		return providers.LogEntry{Time: now.Add(-ago), Operation: "REST.GET.OBJECT", Method: "GET", Path: path, Query: []string{"versionId"},
			Status: 200, Host: p.Bucket, UserAgent: "curl/8"}
	}
	for i := range 3 {
		if err := p.Clock.Sleep(t.Context(), 2*time.Second); err != nil { // a listing's times are of whole seconds
			t.Fatal(err)
		}
		p.Log(t, request(fmt.Sprintf("/%d", i), time.Hour), request(fmt.Sprintf("/%d/old", i), 50*time.Hour))
	}
	for files, want := range map[int]string{1: "/2", 2: "/2 /1", 10: "/2 /1 /0"} {
		read, got := p.accessLog(t, now.Add(-24*time.Hour), files)
		var paths []string
		for _, e := range got {
			paths = append(paths, e.Path)
			same(t, e, request(e.Path, time.Hour))
		}
		if strings.Join(paths, " ") != want || read != min(files, 3) {
			t.Errorf("%d objects: read %d, %v; want %s", files, read, paths, want)
		}
	}
	if read, got := p.accessLog(t, now.Add(time.Hour), 10); read != 0 || len(got) > 0 {
		t.Errorf("since an hour from now: read %d, %v", read, got)
	}
}

// cachingOptimized is AWS's managed policy of that name.
const cachingOptimized = "658327ea-f89d-4fab-a63d-7e88639e58f6"

func policyByID(t *testing.T, p AccountParty) {
	made, err := p.Account.CachePolicies.CreateCachePolicy(t.Context(), "edgeward-test-1", cacheSettings())
	if err != nil {
		t.Fatal(err)
	}
	got, err := p.Again.CachePolicies.CachePolicy(t.Context(), made.ID)
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, made)
	got, err = p.Account.CachePolicies.CachePolicy(t.Context(), cachingOptimized)
	if err != nil {
		t.Fatal(err)
	}
	same(t, got.Settings, providers.CacheSettings{MinTTL: 1, DefaultTTL: 86400, MaxTTL: 31536000, Gzip: true, Brotli: true})
	_, err = p.Account.CachePolicies.CachePolicy(t.Context(), "00000000-0000-0000-0000-000000000000")
	class(t, err, providers.ErrNotFound)
}
