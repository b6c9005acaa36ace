package view

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// MarkdownLimit is the most characters of a Markdown report. GitHub takes
// comments of at most 65,536; the rest is for what a job puts around it. Bytes are
// counted, of which no text has fewer than characters, whoever counts those.
const MarkdownLimit = 60_000

// markdownReserve is kept for the end of a page, which says what was cut.
const markdownReserve = 1_500

// markdownPage is a Markdown text that never grows beyond MarkdownLimit
// characters. What does not fit is refused, and its writer must say so at the
// end of the page.
type markdownPage struct {
	b     strings.Builder
	count int
	limit int // 0 is MarkdownLimit
}

// newMarkdownPage begins with a line that readers do not see and by which a
// job finds its own comment again.
func newMarkdownPage(command string) *markdownPage {
	p := &markdownPage{}
	p.end("<!-- edgeward " + command + " -->\n")
	return p
}

// add appends text if it fits together with what is still to be closed after
// it, and says whether it did.
func (p *markdownPage) add(text, closing string) bool {
	limit := p.limit
	if limit == 0 {
		limit = MarkdownLimit
	}
	if p.count+len(text)+len(closing) > limit-markdownReserve {
		return false
	}
	p.end(text)
	return true
}

// end appends text without asking; it is for short texts: what closes a part,
// and the end of the page.
func (p *markdownPage) end(text string) {
	p.b.WriteString(text)
	p.count += len(text)
}

func (p *markdownPage) String() string { return p.b.String() }

// markdownCode shows text exactly as it is, in a paragraph, a list or a table:
// nothing in it is markup, a link, a mention or the end of a cell.
func markdownCode(text string) string {
	text = visible(text)
	if text == "" {
		return ""
	}
	if !strings.ContainsAny(text, "`|\\<") && strings.TrimSpace(text) == text {
		return "`" + text + "`"
	}
	// Code between backticks cannot hold every text in a table [GFM 4.10, 6.3].
	return "<code>" + entities(text) + "</code>"
}

// markdownText is a sentence in which nothing is markup.
func markdownText(text string) string {
	// A comment within parts the @ from the name behind it, so that nobody is
	// called by it, and # from a number, so that no issue is.
	return strings.NewReplacer("&#64;", "&#64;<!-- -->", "&#35;", "&#35;<!-- -->").Replace(entities(visible(text)))
}

// entities writes all that Markdown could read as markup as numeric character
// references, which it never reads so [CommonMark 0.31 section 2.5].
func entities(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r < utf8.RuneSelf && strings.ContainsRune("<>&|\\`*_[]#@~!$", r):
			fmt.Fprintf(&b, "&#%d;", r)
		default:
			b.WriteRune(r)
		}
	}
	// No link of its own accord.
	return strings.NewReplacer("://", "&#58;//", "www.", "www&#46;").Replace(b.String())
}

// markdownRow is a row of a table; the cells are Markdown.
func markdownRow(cells ...string) string {
	return "| " + strings.Join(cells, " | ") + " |\n"
}
