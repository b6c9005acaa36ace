package dns

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/libdns/dnsimple"
	"github.com/libdns/libdns"
	"golang.org/x/oauth2"

	"github.com/edgeward/edgeward/providers"
)

// dnsimpleType is DNSimple.
//
// Read in libdns/dnsimple v0.5.0 and dnsimple-go v8.0.0: SetRecords updates the
// record in place, but takes the first whose name contains the name that is
// asked for (name_like), leaves the TTL out of an update, and lists one page of
// 30 records; the top of a zone is "" there. Without account_id it asks for the
// account and panics where the token is wrong. The HTTP client is taken from
// the context of the first call, so dnsimpleTransport corrects the requests.
func dnsimpleType() Type {
	top := ""
	return libdnsType(libdnsRow{
		name: "dnsimple", title: "DNSimple",
		settings: []Setting{
			{Name: "api_access_token", Required: true, Sensitive: true, Env: []string{"DNSIMPLE_OAUTH_TOKEN", "DNSIMPLE_TOKEN"}, Doc: "an account access token"},
			{Name: "account_id", Required: true, Env: []string{"DNSIMPLE_ACCOUNT"}, Doc: "the number of the account"},
			{Name: "api_url", Env: []string{"DNSIMPLE_BASE_URL"}, Doc: "another address of the API, such as https://api.sandbox.dnsimple.com"},
		},
		features:   providers.Features{InPlace: true},
		notes:      "A name with several A or AAAA records is not changed.",
		module:     func() libdnsModule { return new(dnsimple.Provider) },
		single:     true,
		apex:       &top,
		neverEmpty: true,
		context: func(ctx context.Context, write []libdns.RR) context.Context {
			ctx = context.WithValue(ctx, oauth2.HTTPClient, &http.Client{Transport: dnsimpleTransport{}})
			if len(write) == 1 {
				ctx = context.WithValue(ctx, dnsimpleTTL{}, write[0].TTL)
			}
			return ctx
		},
	})
}

// dnsimpleTTL is the key of a context's TTL for the update that is sent with it.
type dnsimpleTTL struct{}

// dnsimpleTransport corrects the requests of libdns/dnsimple: lists are read to
// their last page, a look-up by name gives only records of that very name, and
// an update says its TTL.
type dnsimpleTransport struct{}

const (
	dnsimplePage  = 100 // the largest that the API gives [DNSimple API v2, Pagination]
	dnsimplePages = 1000
	dnsimpleBody  = 16 << 20
)

// RoundTrip implements http.RoundTripper.
func (t dnsimpleTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	switch {
	case req.Method == http.MethodGet && strings.HasSuffix(req.URL.Path, "/records"):
		return t.list(req)
	case req.Method == http.MethodPatch && strings.Contains(req.URL.Path, "/records/"):
		ttl, _ := req.Context().Value(dnsimpleTTL{}).(time.Duration)
		return t.update(req, ttl)
	}
	return http.DefaultTransport.RoundTrip(req)
}

func (dnsimpleTransport) list(req *http.Request) (*http.Response, error) {
	q := req.URL.Query()
	name, named := q.Get("name_like"), q.Has("name_like")
	if named {
		q.Del("name_like")
		q.Set("name", name)
	}
	q.Set("per_page", strconv.Itoa(dnsimplePage))
	all := []json.RawMessage{}
	for page := 1; page <= dnsimplePages; page++ {
		q.Set("page", strconv.Itoa(page))
		one := req.Clone(req.Context())
		one.URL.RawQuery = q.Encode()
		res, err := http.DefaultTransport.RoundTrip(one)
		if err != nil || res.StatusCode != http.StatusOK {
			return res, err
		}
		var answer struct {
			Data       []json.RawMessage `json:"data"`
			Pagination struct {
				Pages int `json:"total_pages"`
			} `json:"pagination"`
		}
		err = json.NewDecoder(io.LimitReader(res.Body, dnsimpleBody)).Decode(&answer)
		res.Body.Close()
		if err != nil {
			return nil, fmt.Errorf("read records, page %d, status %d: %w", page, res.StatusCode, err)
		}
		for _, r := range answer.Data {
			var record struct {
				Name string `json:"name"`
			}
			if err := json.Unmarshal(r, &record); err != nil {
				return nil, fmt.Errorf("read records, page %d: %w", page, err)
			}
			if !named || strings.EqualFold(record.Name, name) {
				all = append(all, r)
			}
		}
		if page >= answer.Pagination.Pages {
			return withBody(res, map[string]any{"data": all})
		}
	}
	return nil, fmt.Errorf("read records: more than %d pages", dnsimplePages)
}

func withBody(res *http.Response, v any) (*http.Response, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	res.Body, res.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
	res.Header.Del("Content-Length")
	return res, nil
}

func (dnsimpleTransport) update(req *http.Request, ttl time.Duration) (*http.Response, error) {
	text, err := io.ReadAll(io.LimitReader(req.Body, dnsimpleBody))
	req.Body.Close()
	if err != nil {
		return nil, err
	}
	var fields map[string]any
	if err := json.Unmarshal(text, &fields); err != nil {
		return nil, fmt.Errorf("read update: %w", err)
	}
	if ttl >= time.Second {
		fields["ttl"] = int64(ttl / time.Second)
	}
	if text, err = json.Marshal(fields); err != nil {
		return nil, err
	}
	out := req.Clone(req.Context())
	out.Body, out.ContentLength, out.GetBody = io.NopCloser(bytes.NewReader(text)), int64(len(text)), nil
	return http.DefaultTransport.RoundTrip(out)
}
