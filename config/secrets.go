package config

import (
	"cmp"
	"net/url"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"
)

// Secrets are the texts that nobody may be shown, the longest first: what came
// from a sensitive variable or from env(), the settings that types mark as
// sensitive, external IDs. Of an address it is the host, too. They are for being
// taken out of other texts, and for nothing else.
func (c *Config) Secrets(types []DNSType) []string {
	found := slices.Clone(c.secrets)
	for _, a := range c.Accounts {
		found = append(found, a.ExternalID)
	}
	for _, p := range c.DNSProviders {
		shown := p.shown(types)
		for name, v := range p.Settings {
			if text, ok := v.(string); ok && shown[name] == nil {
				found = append(found, text)
			}
		}
	}
	for _, text := range slices.Clone(found) {
		if u, err := url.Parse(strings.TrimSpace(text)); err == nil && u.Host != "" {
			found = append(found, u.Host, u.Hostname())
		}
	}
	for i := range found {
		found[i] = strings.TrimSpace(found[i])
	}
	slices.SortFunc(found, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	return slices.DeleteFunc(slices.Compact(found), func(s string) bool { return s == "" })
}

// leaves are the texts in v, marked or not.
func leaves(v cty.Value) []string {
	v, _ = v.UnmarkDeep()
	var texts []string
	_ = cty.Walk(v, func(_ cty.Path, e cty.Value) (bool, error) {
		if e.Type() == cty.String && e.IsKnown() && !e.IsNull() {
			texts = append(texts, e.AsString())
		}
		return true, nil
	})
	return texts
}
