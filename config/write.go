package config

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
)

// Found is a bucket that discover writes a block for.
type Found struct {
	// Bucket is the bucket's name, and the name that visitors use.
	Bucket string
	// Region is "" when S3 is to be asked.
	Region string
	// Account is the label of an aws block, "" for the default chain.
	Account string
	// DNSProvider is the address of the provider to write down, "" where the zones
	// lead to it.
	DNSProvider string
	// Said are the lines of the comment above the block. Any text is harmless there.
	Said []string
	// Off: the block is written as a comment, since it would not plan.
	Off bool
}

// commentWidth is where the lines of a written comment break.
const commentWidth = 100

// Blocks is a file with a block for each of found, in their order, as Format would
// write it.
func Blocks(found []Found) []byte {
	var b bytes.Buffer
	alike := alikeSaid(found)
	for i, f := range found {
		if i > 0 {
			b.WriteByte('\n')
		}
		for _, text := range f.Said {
			if names := alike[f.without(text)]; names != nil && names[0] != f.Bucket {
				code, _, _ := strings.Cut(text, ": ")
				text = code + ": as for " + names[0]
			}
			writeSaid(&b, []string{text})
		}
		text := Format(f.block())
		if f.Off {
			text = commented(text)
		}
		b.Write(text)
	}
	return b.Bytes()
}

// block is the block of f, not yet formatted.
func (f Found) block() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "bucket %s {", quote(f.Bucket))
	var lines []string
	if f.Region != "" {
		lines = append(lines, "region = "+quote(f.Region))
	}
	if f.Account != "" {
		lines = append(lines, "aws = aws."+f.Account)
	}
	if f.DNSProvider != "" {
		lines = append(lines, "dns_provider = "+f.DNSProvider)
	}
	if lines != nil {
		b.WriteString("\n  " + strings.Join(lines, "\n  ") + "\n")
	}
	b.WriteString("}\n")
	return b.Bytes()
}

// without is text without the name of the bucket.
func (f Found) without(text string) string { return strings.ReplaceAll(text, f.Bucket, "\x00") }

// alikeSaid are the buckets of which the very same is said but for their names, in
// their order, by that text; only where there are more than two.
func alikeSaid(found []Found) map[string][]string {
	alike := map[string][]string{}
	for _, f := range found {
		for i, text := range f.Said {
			if i > 0 { // the first line says what stands there
				alike[f.without(text)] = append(alike[f.without(text)], f.Bucket)
			}
		}
	}
	for text, names := range alike {
		if len(names) < 3 {
			delete(alike, text)
		}
	}
	return alike
}

// writeSaid writes the comment above a block.
func writeSaid(b *bytes.Buffer, said []string) {
	for _, text := range said {
		indent := "# "
		for _, line := range wrapped(harmless(text), commentWidth-len(indent)-2) {
			b.WriteString(indent + line + "\n")
			indent = "#   "
		}
	}
}

// commented puts a # before every line.
func commented(text []byte) []byte {
	var b bytes.Buffer
	for line := range strings.Lines(string(text)) {
		b.WriteString(strings.TrimRight("# "+strings.TrimRight(line, "\n"), " ") + "\n")
	}
	return b.Bytes()
}

// harmless is text without what could end a comment or hide what it says.
func harmless(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == utf8.RuneError:
			return '?'
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return '?'
		}
		return r
	}, text)
}

// wrapped breaks text at spaces into lines of at most width characters; a longer
// word stays whole.
func wrapped(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		switch {
		case line == "":
			line = word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width:
			lines, line = append(lines, line), word
		default:
			line += " " + word
		}
	}
	return append(lines, line)
}

// Batch is a CSV file with a row for each of found that is not Off, and the file
// with a for_each block over it for every account and provider that they name; those
// that are Off stand below as comments. sheet is how the second file calls the
// first; label is the block's, with a number behind for the second one and on.
// instances are the keys by which the buckets have their addresses.
func Batch(found []Found, sheet, label string) (blocks, rows []byte, addresses map[string]string) {
	groups := map[string][]Found{}
	var keys []string
	var off []Found
	for _, f := range found {
		if f.Off {
			off = append(off, f)
			continue
		}
		key := f.Account + "\n" + f.DNSProvider
		if groups[key] == nil {
			keys = append(keys, key)
		}
		groups[key] = append(groups[key], f)
	}
	slices.Sort(keys)
	addresses = map[string]string{}
	var b, c bytes.Buffer
	w := csv.NewWriter(&c)
	// Errors of a buffer there are none.
	_ = w.Write([]string{"bucket", "region", "wave", "block"})
	for i, key := range keys {
		name := label
		if i > 0 {
			name = fmt.Sprintf("%s_%d", label, i+1)
		}
		for _, f := range groups[key] {
			_ = w.Write([]string{f.Bucket, f.Region, "", name})
			addresses[f.Bucket] = "bucket." + name + "[" + quote(f.Bucket) + "]"
		}
		if i > 0 {
			b.WriteByte('\n')
		}
		b.Write(Format(batchBlock(name, sheet, groups[key])))
	}
	w.Flush()
	if len(keys) > 0 && len(off) > 0 {
		b.WriteByte('\n')
	}
	b.Write(Blocks(off))
	return b.Bytes(), c.Bytes(), addresses
}

func batchBlock(name, sheet string, of []Found) []byte {
	var b bytes.Buffer
	b.WriteString("# A row of " + harmless(sheet) + " is a bucket.\n")
	alike := alikeSaid(of)
	for _, f := range of {
		for i, text := range f.Said {
			names := alike[f.without(text)]
			if i == 0 || names != nil && names[0] != f.Bucket { // the first line says what the row shows
				continue
			}
			text = f.Bucket + ": " + text
			if names != nil {
				text += "; alike: " + strings.Join(names[1:], ", ")
			}
			writeSaid(&b, []string{text})
		}
	}
	fmt.Fprintf(&b, "bucket %s {\n  for_each = { for s in csvdecode(file(%s)) : s.bucket => s if s.block == %s }\n", quote(name), quote(sheet), quote(name))
	b.WriteString("  name = each.value.bucket\n")
	for _, field := range []string{"region", "wave"} { // either may be empty, now or once somebody edits the rows
		fmt.Fprintf(&b, "  %[1]s = each.value.%[1]s == \"\" ? null : each.value.%[1]s\n", field)
	}
	if a := of[0].Account; a != "" {
		b.WriteString("  aws = aws." + a + "\n")
	}
	if p := of[0].DNSProvider; p != "" {
		b.WriteString("  dns_provider = " + p + "\n")
	}
	b.WriteString("}\n")
	return b.Bytes()
}

// LoadFound is Load, with the blocks of found read as if they stood in the folder,
// whether they are Off or not, and without a warning when there is no bucket at all.
// A block that is not valid is left out; wrong says why, by bucket. The diagnostics
// are about the folder's own files.
func LoadFound(dir string, o Options, found []Found) (c *Config, files Files, diags hcl.Diagnostics, wrong map[string]string) {
	more, wrong := map[string][]byte{}, map[string]string{}
	c, l := loadMore(dir, o, nil)
	if l.diags.HasErrors() || len(found) == 0 {
		return c, l.files, l.diags, wrong
	}
	for _, f := range found {
		f.Said, f.Off = nil, false
		more[foundFile(f.Bucket)] = Blocks([]Found{f})
	}
	for {
		c, l = loadMore(dir, o, more)
		left := len(more)
		diags = nil
		for _, d := range l.diags {
			if d.Subject == nil || !strings.HasPrefix(d.Subject.Filename, foundPrefix) {
				diags = append(diags, d)
			} else if d.Severity == hcl.DiagError {
				blame(d.Subject.Filename, d, more, wrong)
			}
		}
		if left == len(more) && diags.HasErrors() {
			// What the folder says for all buckets, in defaults, does not fit some.
			for _, name := range sortedKeys(more) {
				if _, alone := loadMore(dir, o, map[string][]byte{name: more[name]}); alone.diags.HasErrors() {
					blame(name, alone.diags.Errs()[0].(*hcl.Diagnostic), more, wrong)
				}
			}
		}
		if left == len(more) {
			return c, l.files, diags, wrong
		}
	}
}

// blame takes a block out for the error d.
func blame(name string, d *hcl.Diagnostic, more map[string][]byte, wrong map[string]string) {
	if _, there := more[name]; there {
		wrong[strings.TrimPrefix(name, foundPrefix)] = d.Summary + ": " + d.Detail
		delete(more, name)
	}
}

func loadMore(dir string, o Options, more map[string][]byte) (*Config, *loader) {
	l, c := newLoader(dir, o), &Config{Dir: dir}
	l.more, l.bare = more, true
	l.load(c)
	return c, l
}

// foundPrefix begins the name that a block of LoadFound has in place of a file's.
const foundPrefix = "found block: "

func foundFile(bucket string) string { return foundPrefix + bucket }
