package config

import (
	"math/big"
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// The least and the most that an attribute of bytes can be: below, no object is
// meant; above, nobody measures.
const (
	minBytes = 1_000_000
	maxBytes = 1_000_000_000_000_000
)

var (
	sizeForm  = regexp.MustCompile(`^([0-9]{1,30}(?:\.[0-9]{1,30})?)([A-Za-z]*)$`)
	sizeUnits = []string{"KB", "MB", "GB", "TB", "KiB", "MiB", "GiB", "TiB"}
)

const sizeHint = "Write a number with a unit, such as \"20GB\" or \"500MB\", or a whole number of bytes."

// parseSize reads a number of bytes such as "20GB", "1.5GiB" or "500000000":
// KB, MB, GB and TB are powers of 1000, KiB to TiB of 1024.
func parseSize(s string) (int64, *flaw) {
	const summary = "Invalid size"
	m := sizeForm.FindStringSubmatch(s)
	switch {
	case s == "":
		return 0, flawf(summary, "The size is empty. %s", sizeHint)
	case strings.HasPrefix(s, "-"):
		return 0, flawf(summary, "%q is negative. %s", s, sizeHint)
	case m == nil:
		return 0, flawf(summary, "%q is no size. %s", s, sizeHint)
	}
	unit := m[2]
	if unit != "" && unit != "B" && !slices.Contains(sizeUnits, unit) {
		f := flawf(summary, "The unit %q of %q is not known. Write one of %s.", unit, s, quoted(sizeUnits))
		for _, u := range sizeUnits {
			if strings.EqualFold(u, unit) || strings.EqualFold(u, unit+"B") {
				f.detail += " Did you mean \"" + m[1] + u + "\"?"
				break
			}
		}
		return 0, f
	}
	// The pattern leaves a decimal number, which parses.
	n, _ := new(big.Rat).SetString(m[1])
	n.Mul(n, new(big.Rat).SetInt64(unitBytes(unit)))
	switch {
	case !n.IsInt():
		return 0, flawf(summary, "%q is not a whole number of bytes. %s", s, sizeHint)
	case n.Cmp(new(big.Rat).SetInt64(minBytes)) < 0:
		return 0, flawf(summary, "%q is less than 1 MB, too little for any comparison. %s", s, sizeHint)
	case n.Cmp(new(big.Rat).SetInt64(maxBytes)) > 0:
		return 0, flawf(summary, "%q is more than 1000 TB. %s", s, sizeHint)
	}
	return n.Num().Int64(), nil
}

// unitBytes is how many bytes a unit is; "" and "B" are one.
func unitBytes(unit string) int64 {
	if unit == "" || unit == "B" {
		return 1
	}
	base := int64(1000)
	if strings.HasSuffix(unit, "iB") {
		base = 1024
	}
	n := int64(1)
	for range strings.Index("KMGT", unit[:1]) + 1 {
		n *= base
	}
	return n
}

// bytes is an attribute such as "20GB", or def when it is not set.
func (b block) bytes(name string, def int64) int64 {
	v, at, ok := b.value(name, cty.String, shown)
	if !ok {
		return def
	}
	n, f := parseSize(v.AsString())
	if f != nil {
		b.l.report(hcl.DiagError, at, f)
		return def
	}
	return n
}
