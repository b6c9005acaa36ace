package config

import (
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// dnsType is the row of a provider's type.
func (l *loader) dnsType(typ string) (DNSType, bool) {
	for _, t := range l.o.DNSTypes {
		if t.Type == typ {
			return t, true
		}
	}
	return DNSType{}, false
}

// usableTypes are the types that a block may have; namedTypes are those and
// the refused ones.
func (l *loader) usableTypes() []string {
	return l.typeNames(func(t DNSType) bool { return t.Refused == "" })
}

func (l *loader) namedTypes() []string { return l.typeNames(func(DNSType) bool { return true }) }

func (l *loader) typeNames(keep func(DNSType) bool) []string {
	var names []string
	for _, t := range l.o.DNSTypes {
		if keep(t) {
			names = append(names, t.Type)
		}
	}
	slices.Sort(names)
	return names
}

// readSettings reads what belongs to the provider's type.
func (l *loader) readSettings(d *dnsBlock, v block) {
	p := &d.provider
	t, known := l.dnsType(p.Type)
	label := place{rng: d.block.LabelRanges[0]}
	if !known {
		f := flawf("Unknown type of DNS provider", "There is no DNS provider %q. Known are %s.", p.Type, quoted(l.usableTypes()))
		if near := DidYouMean(p.Type, l.namedTypes()); near != "" {
			f.detail += " Did you mean " + quoted([]string{near}) + "?"
		}
		l.report(hcl.DiagError, label, f)
		return
	}
	if t.Refused != "" {
		l.errorf(label, "Refused DNS provider", "%s", t.Refused)
		return
	}
	s := shape{what: "a dns_provider \"" + p.Type + "\" block", attrs: []string{"zones", "nameservers"}}
	p.Settings = map[string]any{}
	for _, set := range t.Settings {
		s.attrs = append(s.attrs, set.Name)
		before := len(l.diags)
		if l.readSetting(p, set, v) || len(l.diags) > before {
			continue
		}
		if l.settingFromEnv(p, set, v) || !set.Required || len(l.diags) > before {
			continue
		}
		l.errorf(place{rng: v.at}, "Missing argument", "A dns_provider %q needs %s: %s", p.Type, set.Name, missingSetting(set))
	}
	l.checkShape(d.block.Body, s)
}

// missingSetting says what a setting is and where its value may come from.
func missingSetting(set Setting) string {
	text := strings.TrimSuffix(set.Doc, ".") + "."
	if len(set.Env) == 0 {
		return text
	}
	return text + " Write it in the block, or set the environment variable " + strings.Join(set.Env, " or ") + "."
}

// readSetting reads one setting of the block and says whether it is set.
func (l *loader) readSetting(p *DNSProvider, set Setting, v block) bool {
	switch {
	case set.Account:
		p.Account, _ = v.accountRef(set.Name)
		return p.Account != ""
	case set.List:
		items, ok := v.list(set.Name, hidden, notEmpty(set.Name))
		if ok && len(items) > 0 {
			p.Settings[set.Name] = trimmed(texts(items))
		}
		return ok && len(items) > 0
	case set.Duration:
		d, _ := v.duration(set.Name, nil)
		if d != nil {
			p.Settings[set.Name] = *d
		}
		return d != nil
	case set.Bool:
		b := v.flag(set.Name)
		if b != nil {
			p.Settings[set.Name] = *b
		}
		return b != nil
	default:
		s := v.secret(set.Name, notEmpty(set.Name))
		if s != nil {
			p.Settings[set.Name] = strings.TrimSpace(*s)
		}
		return s != nil
	}
}

// settingFromEnv takes a setting that the block leaves out from the
// environment, and says whether it is set there. A value is never quoted.
func (l *loader) settingFromEnv(p *DNSProvider, set Setting, v block) bool {
	if set.Account {
		return false
	}
	for _, name := range set.Env {
		text, ok := l.o.Env(name)
		if text = strings.TrimSpace(text); !ok || text == "" {
			continue
		}
		value, why := settingValue(set, text)
		if why != "" {
			l.errorf(place{rng: v.at}, "Wrong environment variable", "%s of %s is taken from the environment variable %s, whose value is not %s. Correct it, or write %s in the block.",
				set.Name, p.Address, name, why, set.Name)
			return false
		}
		p.Settings[set.Name] = value
		return true
	}
	return false
}

// settingValue reads a setting's value from a text; why says what it is not.
func settingValue(set Setting, text string) (value any, why string) {
	switch {
	case set.List:
		items := slices.DeleteFunc(trimmed(strings.Split(text, ",")), func(s string) bool { return s == "" })
		if len(items) == 0 {
			return nil, "a list separated by commas"
		}
		return items, ""
	case set.Duration:
		d, f := parseDuration(text)
		if f != nil {
			return nil, "a duration such as 60s"
		}
		return d, ""
	case set.Bool:
		switch strings.ToLower(text) {
		case "true", "1", "yes":
			return true, ""
		case "false", "0", "no":
			return false, ""
		}
		return nil, "true or false"
	default:
		return text, ""
	}
}

func trimmed(texts []string) []string {
	out := make([]string, 0, len(texts))
	for _, s := range texts {
		out = append(out, strings.TrimSpace(s))
	}
	return out
}
