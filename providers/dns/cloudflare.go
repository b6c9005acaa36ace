package dns

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/edgeward/edgeward/providers"
)

const (
	// Cloudflare takes 1200 requests in 5 minutes from one user, all tokens and
	// the dashboard together, and then none for 5 minutes [Cloudflare, API rate
	// limits]. cloudflareBurst and 5 minutes of cloudflareRate are 1200; the burst
	// lets a hundred names be switched at once.
	cloudflareBurst = 300
	cloudflareRate  = (1200 - cloudflareBurst) / 300.0
	// cloudflareAuto is what the TTL "automatic" (1) means [Cloudflare, Time to
	// Live].
	cloudflareAuto = 300 * time.Second
	// cloudflareMinTTL is the least TTL of a record that is not proxied; zones of
	// the Enterprise plan take 30 s [Cloudflare, Time to Live].
	cloudflareMinTTL = 60 * time.Second
)

func cloudflareFeatures() providers.Features {
	return providers.Features{Provider: "cloudflare", Flatten: true, InPlace: true, MinTTL: cloudflareMinTTL}
}

// cloudflareType is the row of the table.
func cloudflareType() Type {
	return Type{
		Name: "cloudflare", Title: "Cloudflare",
		Notes: "Whether a record is proxied is kept as it is. A CNAME at the top of a zone is flattened: visitors see the " +
			"addresses of its target. Several addresses cannot become one CNAME, for the name could be empty meanwhile. " +
			"Zones of the Enterprise plan keep a TTL of 30s.",
		Settings: []Setting{
			{Name: "api_token", Required: true, Sensitive: true, Env: []string{"CLOUDFLARE_API_TOKEN", "CF_API_TOKEN"},
				Doc: "an API token with the permissions Zone:Read and DNS:Edit for the zones"},
			{Name: "zone_token", Sensitive: true,
				Doc: "a second token with Zone:Read that only finds the zones; then api_token needs DNS:Edit only"},
		},
		Features: cloudflareFeatures(),
		New:      func(o Options) (providers.DNS, error) { return newCloudflare(o, nil) },
	}
}

// cloudflareDNS is Cloudflare as a providers.DNS. What stands is read by
// requests of its own, for libdns knows neither "proxied" nor record ids; it is
// written by libdns/cloudflare, in place.
type cloudflareDNS struct {
	api       *httpClient
	clock     providers.Clock
	token     string
	zoneToken string
	zones     []string

	// mu guards the fields below; it is never held while waiting.
	mu    sync.Mutex
	found map[string]*cloudflareZone
	finds map[string]*cloudflareFind
}

// newCloudflare makes the provider; send sends its requests, nil: the network.
func newCloudflare(o Options, send http.RoundTripper) (*cloudflareDNS, error) {
	if o.Clock == nil {
		return nil, errors.New("make cloudflare provider: a clock is needed")
	}
	if len(o.Zones) == 0 {
		return nil, errors.New(`read zones: no zone is given, write zones = ["example.com"]`)
	}
	d := &cloudflareDNS{clock: o.Clock, found: map[string]*cloudflareZone{}, finds: map[string]*cloudflareFind{}}
	var err error
	if d.token, err = tokenSetting(o.Settings, "api_token"); err != nil {
		return nil, err
	}
	if d.token == "" {
		return nil, errors.New("read api_token: it is missing; write api_token = env(\"CLOUDFLARE_API_TOKEN\"), " +
			"or set CLOUDFLARE_API_TOKEN or CF_API_TOKEN")
	}
	if d.zoneToken, err = tokenSetting(o.Settings, "zone_token"); err != nil {
		return nil, err
	}
	// Which tokens are of one user is not known, so that all share one limiter.
	limit := o.limiters().Get(providers.LimiterOptions{API: "cloudflare", PerSecond: cloudflareRate, Burst: cloudflareBurst})
	d.api = newHTTPClient(httpOptions{API: "Cloudflare", Clock: o.Clock, Limit: limit, Next: send,
		Secrets: []string{d.token, d.zoneToken}, Refused: d.refused, Trace: o.Trace})
	for _, z := range o.Zones {
		d.zones = append(d.zones, clean(z))
	}
	slices.SortStableFunc(d.zones, func(a, b string) int { return len(b) - len(a) })
	return d, nil
}

// tokenSetting reads a token, "" when there is none. Its value is in no error.
func tokenSetting(settings map[string]any, name string) (string, error) {
	v, ok := settings[name]
	if !ok || v == nil {
		return "", nil
	}
	s, ok := v.(string)
	if !ok {
		return "", fmt.Errorf("read %s: it is a %T, write a string", name, v)
	}
	s = strings.TrimSpace(s)
	if strings.HasPrefix(strings.ToLower(s), "bearer ") {
		return "", fmt.Errorf(`read %s: it begins with "Bearer"; write the token alone`, name)
	}
	if strings.ContainsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || r > unicode.MaxASCII || !unicode.IsPrint(r) }) {
		return "", fmt.Errorf("read %s: it has a character that no token has (a space, a line break or a letter outside ASCII)", name)
	}
	return s, nil
}

// Features implements providers.DNS.
func (d *cloudflareDNS) Features() providers.Features { return cloudflareFeatures() }

// Look implements providers.DNS. A zone of up to 5000 records is one request
// for all names. A record that is flattened other than at the top of the zone has
// Routing, for no look-up could prove its target.
func (d *cloudflareDNS) Look(ctx context.Context, name string) (providers.RecordSet, error) {
	name = clean(name)
	z, err := d.zone(ctx, name)
	if err != nil {
		return providers.RecordSet{}, fmt.Errorf("look up records of %s: %w", name, err)
	}
	raw, err := z.known.read(ctx, name, false)
	if err != nil {
		return providers.RecordSet{}, fmt.Errorf("look up records of %s in zone %s: %w", name, z.name, err)
	}
	return z.recordSet(name, raw), nil
}

// Replace implements providers.DNS. What stands is read, compared, written in
// place (the record keeps its id) and read back; Cloudflare has no condition
// that a write could carry. Whether a record is proxied is never changed: it is
// kept for what stands, whatever want says.
//
// Several records that become one CNAME, and the reverse, are refused
// (ErrInvalid): Cloudflare spreads each record's change for itself, so the name
// could be empty meanwhile.
func (d *cloudflareDNS) Replace(ctx context.Context, name string, have, want []providers.Record) error {
	name = clean(name)
	have, want = cleanRecords(have), cleanRecords(want)
	if providers.SameRecords(have, want) {
		return nil
	}
	z, err := d.zone(ctx, name)
	if err == nil {
		err = z.replace(ctx, name, have, want)
	}
	if err != nil {
		in := ""
		if z != nil {
			in = " in zone " + z.name
		}
		return fmt.Errorf("replace records of %s%s: %w", name, in, err)
	}
	return nil
}

// Ensure implements providers.DNS. The record is created without proxy and is
// read back, for a certificate authority sees neither a proxied nor a flattened
// CNAME.
func (d *cloudflareDNS) Ensure(ctx context.Context, r providers.Record, name string) error {
	name, r = clean(name), cleanRecord(r)
	z, err := d.zone(ctx, name)
	if err == nil {
		err = z.ensure(ctx, name, r)
	}
	if err != nil {
		return fmt.Errorf("create record %s at %s: %w", r, name, err)
	}
	return nil
}
