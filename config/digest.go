package config

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// Digest is of all that c says, whichever files it stands in and however it is
// written; the folder, the places in files and every value that may be a secret
// are left out: the settings that types mark as sensitive, external IDs. Two
// configurations with one digest ask for the same. It may be shown.
func (c *Config) Digest(types []DNSType) string {
	d := *c
	d.Dir = ""
	d.Buckets = slices.Clone(c.Buckets)
	for i := range d.Buckets {
		d.Buckets[i].Range = hcl.Range{}
	}
	d.Accounts = slices.Clone(c.Accounts)
	for i := range d.Accounts {
		d.Accounts[i].ExternalID = ""
	}
	d.DNSProviders = slices.Clone(c.DNSProviders)
	for i := range d.DNSProviders {
		p := &d.DNSProviders[i]
		p.Settings, p.Range = p.shown(types), hcl.Range{}
	}
	d.Probe.CAFile = strings.TrimPrefix(c.Probe.CAFile, c.Dir)
	if c.RunLock != nil {
		lock := *c.RunLock
		lock.Range = hcl.Range{}
		d.RunLock = &lock
	}
	text, err := json.Marshal(d)
	if err != nil { // nothing in a Config can make it fail
		text = fmt.Appendf(nil, "%+v", err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])[:32]
}

// shown are the settings that are no secrets; one that types do not know is
// left out.
func (p DNSProvider) shown(types []DNSType) map[string]any {
	out := map[string]any{}
	i := slices.IndexFunc(types, func(t DNSType) bool { return t.Type == p.Type })
	if i < 0 {
		return out
	}
	for _, s := range types[i].Settings {
		if v, ok := p.Settings[s.Name]; ok && !s.Sensitive {
			out[s.Name] = v
		}
	}
	return out
}
