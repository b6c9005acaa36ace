package dns

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/edgeward/edgeward/providers"
)

const (
	cloudflareHost = "api.cloudflare.com"
	cloudflarePath = "/client/v4"
)

// cloudflareRecord is a record as the API has it; fields that we neither read
// nor send are left out, and PATCH leaves them as they are [Cloudflare API,
// Update DNS Record].
type cloudflareRecord struct {
	ID      string `json:"id,omitempty"`
	Type    string `json:"type,omitempty"`
	Name    string `json:"name,omitempty"`
	Content string `json:"content,omitempty"`
	TTL     int    `json:"ttl,omitempty"`
	Proxied bool   `json:"proxied,omitempty"`
	Locked  bool   `json:"locked,omitempty"`
	Meta    struct {
		ReadOnly bool `json:"read_only,omitempty"`
	} `json:"meta,omitzero"`
	Settings struct {
		Flatten bool `json:"flatten_cname,omitempty"`
	} `json:"settings,omitzero"`
}

// cloudflareZoneInfo is a zone as the API has it.
type cloudflareZoneInfo struct {
	ID          string   `json:"id"`
	Name        string   `json:"name"`
	Status      string   `json:"status"`
	Type        string   `json:"type"`
	NameServers []string `json:"name_servers"`
}

// cloudflareAnswer is the envelope of every answer [Cloudflare API, Responses].
type cloudflareAnswer struct {
	Success *bool              `json:"success"`
	Errors  []cloudflareNotice `json:"errors"`
	Result  json.RawMessage    `json:"result"`
	Info    *cloudflarePage    `json:"result_info"`
}

type cloudflareNotice struct {
	Code    int                `json:"code"`
	Message string             `json:"message"`
	Chain   []cloudflareNotice `json:"error_chain"`
}

type cloudflarePage struct {
	Page       int `json:"page"`
	PerPage    int `json:"per_page"`
	TotalPages int `json:"total_pages"`
	TotalCount int `json:"total_count"`
}

// call sends one request and decodes its result.
func (d *cloudflareDNS) call(ctx context.Context, method, path string, query url.Values, send, result any) (*cloudflarePage, error) {
	u := url.URL{Scheme: "https", Host: cloudflareHost, Path: cloudflarePath + path, RawQuery: query.Encode()}
	var body []byte
	if send != nil {
		var err error
		if body, err = json.Marshal(send); err != nil {
			return nil, fmt.Errorf("encode request: %w", err)
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	token := d.token
	if path == "/zones" && d.zoneToken != "" {
		token = d.zoneToken
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := d.api.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	var answer cloudflareAnswer
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return nil, fmt.Errorf("read the answer of Cloudflare (%s %s): %s", method, path, d.api.safe(err.Error()))
	}
	if err := json.Unmarshal(answer.Result, result); err != nil {
		return nil, fmt.Errorf("read the answer of Cloudflare (%s %s): %s", method, path, d.api.safe(err.Error()))
	}
	return answer.Info, nil
}

// cloudflareError is a refusal of the API in one of the port's classes, or nil
// for an unknown one.
type cloudflareError struct {
	class  error
	status int
	codes  []int
	text   string
}

func (e *cloudflareError) Error() string {
	if e.class == nil {
		return e.text
	}
	return e.text + ": " + e.class.Error()
}

// Unwrap gives the class.
func (e *cloudflareError) Unwrap() error { return e.class }

// refused turns an answer that is no success into an error. libdns would give
// its codes in a text only.
func (d *cloudflareDNS) refused(status int, body []byte) error {
	var answer cloudflareAnswer
	if err := json.Unmarshal(body, &answer); err != nil {
		return &cloudflareError{status: status, class: classOfStatus(status),
			text: fmt.Sprintf("Cloudflare answers with JSON that is not its API's (status %d)", status)}
	}
	if status < 400 && len(answer.Errors) == 0 && answer.Success != nil && *answer.Success {
		return nil
	}
	if status < 400 && answer.Success == nil && len(answer.Errors) == 0 {
		return &cloudflareError{status: status, text: fmt.Sprintf("Cloudflare answers with JSON that is not its API's (status %d)", status)}
	}
	e := &cloudflareError{status: status}
	var words []string
	for _, n := range answer.Errors {
		e.codes = append(e.codes, n.Code)
		words = append(words, n.say())
		for _, c := range n.Chain {
			e.codes = append(e.codes, c.Code)
			words = append(words, c.say())
		}
	}
	e.class = cloudflareClass(status, answer.Errors, e.codes)
	e.text = "Cloudflare refuses"
	if len(words) > 0 {
		// A message about credentials may quote what was sent.
		e.text = "Cloudflare says " + d.api.safe(strings.Join(words, "; "))
	} else {
		e.text += fmt.Sprintf(" (status %d)", status)
	}
	return e
}

func (n cloudflareNotice) say() string {
	if n.Message == "" {
		return fmt.Sprintf("%d", n.Code)
	}
	return fmt.Sprintf("%d %q", n.Code, strings.TrimSuffix(n.Message, "."))
}

// cloudflareClass sorts the error codes. Cloudflare documents few of them; those
// here stand in its documentation of DNS records with the same name, in
// cloudflare-go's tests, and in issues that quote answers of the API
// (cloudflare-ddns, acme.sh, ddns-go). What is unknown is sorted by its status.
func cloudflareClass(status int, errs []cloudflareNotice, codes []int) error {
	for _, code := range codes {
		switch code {
		case 1000, 6003, 6103, 6111, 9106, 9107:
			// Invalid API token; invalid request headers, with their reason.
			return providers.ErrCredentials
		case 9109:
			// "Invalid access token", or "Unauthorized to access requested resource",
			// or "Cannot use the access token from location: ADDRESS".
			for _, n := range errs {
				if strings.Contains(strings.ToLower(n.Message), "invalid access token") {
					return providers.ErrCredentials
				}
			}
			return providers.ErrDenied
		case 971, 10100, 10429:
			return providers.ErrThrottled
		case 81044:
			// The record does not exist: somebody removed it since it was read.
			return providers.ErrConflict
		case 81045:
			return providers.ErrQuota
		case 81053, 81054, 81055, 81056, 81057, 81058:
			// A record of the same name stands: A, AAAA or CNAME; CNAME; NS; the same.
			return providers.ErrConflict
		case 7000, 7003:
			// No route: the zone's id is unknown.
			return providers.ErrNotFound
		}
	}
	switch status {
	case http.StatusNotFound:
		return providers.ErrNotFound
	case http.StatusConflict:
		return providers.ErrConflict
	case http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusMethodNotAllowed:
		return providers.ErrInvalid
	}
	return classOfStatus(status)
}

// explain adds to a refusal for the token's sake what the token needs.
func (d *cloudflareDNS) explain(zone string, write bool, err error) error {
	var refusal *cloudflareError
	if !errors.As(err, &refusal) {
		return err
	}
	setting := "api_token"
	if !write && d.zoneToken != "" {
		setting = "zone_token or api_token"
	}
	switch {
	case errors.Is(err, providers.ErrCredentials):
		return &keyError{err: fmt.Errorf("%s is not taken by Cloudflare: %w", setting, err),
			hint: "check that it is a whole and valid API token, not a Global API Key"}
	case errors.Is(err, providers.ErrDenied) && write:
		return fmt.Errorf("the token (%s) may not change zone %s: it needs the permission DNS:Edit for this zone: %w", setting, zone, err)
	case errors.Is(err, providers.ErrDenied):
		return fmt.Errorf("the token (%s) may not read zone %s: it needs the permissions Zone:Read and DNS:Edit for this zone: %w",
			setting, zone, err)
	}
	return err
}
