package cmd

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/edgeward/edgeward/cmd/view"
	"github.com/edgeward/edgeward/planner"
	"github.com/edgeward/edgeward/providers"
	"github.com/edgeward/edgeward/providers/dns"
	"github.com/spf13/cobra"
)

func (a *app) providersCommand() *cobra.Command {
	asJSON := false
	c := &cobra.Command{
		Use: "providers [FLAGS]", GroupID: groupConfig,
		Short: "Print the DNS providers that are built in",
		Long: `providers prints the types of dns_provider blocks: the settings of each, where
their values may come from, and what the provider can do. Providers that are
known and refused stand at the end, each with the reason.

It reads no configuration and asks no network.`,
		Example: `  edgeward providers
  edgeward providers -json`,
		Args:        noArguments,
		Annotations: map[string]string{noFolder: "yes"},
		RunE: func(*cobra.Command, []string) error {
			list := providerList(dns.Types(), dns.Refused())
			if asJSON {
				e := json.NewEncoder(a.stdout)
				e.SetIndent("", "  ")
				e.SetEscapeHTML(false)
				return e.Encode(list)
			}
			return list.text(a.stdout)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print the list as JSON")
	return c
}

// providersList is what edgeward providers prints.
type providersList struct {
	FormatVersion string          `json:"format_version"`
	Providers     []providerEntry `json:"providers"`
	Refused       []refusedEntry  `json:"refused"`
}

type providerEntry struct {
	Type     string         `json:"type"`
	Title    string         `json:"title"`
	Settings []settingEntry `json:"settings"`
	// Can is the capabilities; Words say the same in sentences.
	Can   capabilities `json:"can"`
	Words []string     `json:"words"`
	Notes string       `json:"notes,omitempty"`
}

type settingEntry struct {
	Name      string   `json:"name"`
	Kind      string   `json:"kind"`
	Required  bool     `json:"required"`
	Sensitive bool     `json:"sensitive"`
	Env       []string `json:"env"`
	Doc       string   `json:"doc"`
}

type capabilities struct {
	CompareAndSet bool `json:"compare_and_set"`
	Atomic        bool `json:"atomic"`
	InPlace       bool `json:"in_place"`
	WholeZone     bool `json:"whole_zone"`
	ByHand        bool `json:"by_hand"`
	ApexAlias     bool `json:"apex_alias"`
	ApexFlatten   bool `json:"apex_flatten"`
	// MinTTL is in seconds.
	MinTTL int64 `json:"min_ttl"`
}

type refusedEntry struct {
	Type string `json:"type"`
	Why  string `json:"why"`
}

func providerList(types []dns.Type, refused []dns.Refusal) providersList {
	list := providersList{FormatVersion: planner.FormatVersion}
	for _, t := range types {
		f := t.Features
		e := providerEntry{Type: t.Name, Title: t.Title, Settings: []settingEntry{}, Words: capabilityWords(f), Notes: t.Notes,
			Can: capabilities{CompareAndSet: f.Swap, Atomic: f.Atomic, InPlace: f.InPlace, WholeZone: f.WholeZone, ByHand: f.ByHand,
				ApexAlias: f.Alias, ApexFlatten: f.Flatten, MinTTL: int64(f.MinTTL / time.Second)}}
		for _, s := range t.Settings {
			e.Settings = append(e.Settings, settingEntry{Name: s.Name, Kind: settingKind(s), Required: s.Required,
				Sensitive: s.Sensitive, Env: append([]string{}, s.Env...), Doc: s.Doc})
		}
		list.Providers = append(list.Providers, e)
	}
	for _, r := range refused {
		list.Refused = append(list.Refused, refusedEntry{Type: r.Name, Why: r.Why})
	}
	return list
}

func settingKind(s dns.Setting) string {
	switch {
	case s.List:
		return "list of strings"
	case s.Account:
		return "reference to an aws block"
	case s.Duration:
		return "duration"
	case s.Bool:
		return "true or false"
	}
	return "string"
}

// capabilityWords are a provider's features as people read them.
func capabilityWords(f providers.Features) []string {
	var words []string
	switch {
	case f.ByHand:
		words = append(words, "by hand: edgeward says what to set and waits until the name servers have it")
	case f.Swap:
		words = append(words, "compare-and-set: a change is refused where somebody else changed the record meanwhile")
	default:
		words = append(words, "no compare-and-set: an edit within the write itself can be lost")
	}
	if f.Atomic {
		words = append(words, "atomic: a record set is replaced by one write")
	}
	if f.InPlace {
		words = append(words, "in place: a record is changed, never deleted and made anew")
	}
	if f.WholeZone {
		words = append(words, "whole zone: every write sends all records of the zone")
	}
	switch {
	case f.Alias:
		words = append(words, "apex: alias records")
	case f.Flatten:
		words = append(words, "apex: a CNAME, which the provider flattens")
	default:
		words = append(words, "apex: a name at the top of a zone cannot be switched, for no CNAME can stand there")
	}
	if f.MinTTL > 0 {
		words = append(words, "TTL: at least "+durationText(f.MinTTL))
	}
	if f.Unsafe != "" {
		words = append(words, "refused for the switch: "+f.Unsafe)
	}
	return words
}

// durationText is a duration as the configuration has it: 1h, 10m, 30s.
func durationText(d time.Duration) string {
	text := d.String()
	text = strings.TrimSuffix(text, "0s")
	if strings.HasSuffix(text, "h0m") {
		return strings.TrimSuffix(text, "0m")
	}
	if text == "" || strings.HasSuffix(text, "m") {
		return text
	}
	return d.String()
}

// text writes the list for a terminal.
func (l providersList) text(w io.Writer) error {
	var b strings.Builder
	line := func(indent int, first, text string) {
		for i, part := range view.Wrap(text, view.DefaultWidth-indent-len(first)) {
			if i > 0 {
				first = strings.Repeat(" ", len(first))
			}
			b.WriteString(strings.TrimRight(strings.Repeat(" ", indent)+first+part, " ") + "\n")
		}
	}
	for _, p := range l.Providers {
		fmt.Fprintf(&b, "%s: %s\n", p.Type, p.Title)
		for _, s := range p.Settings {
			line(2, "", s.Name+" ("+s.manner()+")")
			line(6, "", s.Doc)
			if len(s.Env) > 0 {
				line(6, "", "environment: "+strings.Join(s.Env, ", "))
			}
		}
		for _, word := range p.Words {
			line(2, "- ", word)
		}
		if p.Notes != "" {
			line(2, "- ", p.Notes)
		}
		b.WriteString("\n")
	}
	b.WriteString("Refused; write dns_provider \"manual\" for zones at these:\n\n")
	for _, r := range l.Refused {
		line(0, fmt.Sprintf("%-13s", r.Type), r.Why)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// manner is what kind of value a setting takes: "string, required, secret".
func (s settingEntry) manner() string {
	words := s.Kind
	if s.Required {
		words += ", required"
	}
	if s.Sensitive {
		words += ", secret"
	}
	return words
}

// markdown is docs/providers.md.
func (l providersList) markdown() string {
	var b strings.Builder
	b.WriteString(providersPreface)
	for _, p := range l.Providers {
		fmt.Fprintf(&b, "\n## `%s`: %s\n\n", p.Type, p.Title)
		if len(p.Settings) > 0 {
			b.WriteString("| setting | value | environment | |\n|---|---|---|---|\n")
			for _, s := range p.Settings {
				var env []string
				for _, e := range s.Env {
					env = append(env, "`"+e+"`")
				}
				fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", s.Name, s.manner(), strings.Join(env, ", "), strings.ReplaceAll(s.Doc, "|", `\|`))
			}
			b.WriteString("\n")
		}
		for _, word := range p.Words {
			b.WriteString("- " + word + "\n")
		}
		if p.Notes != "" {
			b.WriteString("- " + p.Notes + "\n")
		}
	}
	b.WriteString("\n## Refused\n\nThese are known and not used: with them a name could vanish for a while, or somebody's record be lost. Write\n" +
		"`dns_provider \"manual\"` for their zones.\n\n| type | why |\n|---|---|\n")
	for _, r := range l.Refused {
		fmt.Fprintf(&b, "| `%s` | %s |\n", r.Type, r.Why)
	}
	return b.String()
}

const providersPreface = `# DNS providers

<!-- Made from the table in providers/dns by: go test ./cmd -run TestProvidersDoc -update -->

A block ` + "`dns_provider \"TYPE\" \"NAME\"`" + ` says where the records of some zones are changed. Every type takes ` + "`zones`" + `, which is
required, and ` + "`nameservers`" + `: servers to ask instead of those that the zone is delegated to. Credentials are written
with ` + "`env(\"NAME\")` or `file(\"PATH\")`" + `; a setting that is left out is taken from the first environment variable of its row
that is set. No secret is ever printed. The same list is printed by ` + "`edgeward providers`" + `.

Before it writes, edgeward reads what stands and compares it with what the plan said; afterwards it reads back. A
provider with compare-and-set does the comparison itself, in the write.
`
