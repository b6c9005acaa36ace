package config

import (
	"errors"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// maxTTL is the largest TTL that DNS can say, in seconds (RFC 2181, part 8).
const maxTTL = math.MaxInt32 * time.Second

// maxDuration bounds every duration of the configuration: ten years of 366 days.
const maxDuration = 10 * 366 * 24 * time.Hour

var (
	plainNumber  = regexp.MustCompile(`^[0-9]+(\.[0-9]+)?$`)
	durationPart = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?)(ms|w|d|h|m|s)`)
)

const durationHint = "Write a number with a unit, such as \"60s\", \"15m\", \"1h30m\" or \"7d\"."

// parseDuration reads a duration such as "60s", "1h30m", "1.5h", "7d". Units
// are w, d, h, m, s and ms. Negative ones are refused.
func parseDuration(s string) (time.Duration, *flaw) {
	switch {
	case s == "":
		return 0, flawf("Invalid duration", "The duration is empty. %s", durationHint)
	case plainNumber.MatchString(s):
		return 0, flawf("Invalid duration", "%q has no unit: write %q for seconds, or %q for minutes.", s, s+"s", s+"m")
	case strings.HasPrefix(s, "-"):
		return 0, flawf("Invalid duration", "%q is negative. %s", s, durationHint)
	}
	units := map[string]time.Duration{
		"ms": time.Millisecond, "s": time.Second, "m": time.Minute, "h": time.Hour,
		"d": 24 * time.Hour, "w": 7 * 24 * time.Hour,
	}
	total, rest := 0.0, s
	for rest != "" {
		m := durationPart.FindStringSubmatch(rest)
		if m == nil {
			return 0, flawf("Invalid duration", "%q is no duration: the part %q is not understood. %s", s, rest, durationHint)
		}
		// The pattern leaves only digits, which parse, to infinity at worst.
		n, _ := strconv.ParseFloat(m[1], 64)
		total += n * float64(units[m[2]])
		rest = rest[len(m[0]):]
	}
	if total > float64(maxDuration) {
		return 0, flawf("Invalid duration", "%q is longer than ten years. %s", s, durationHint)
	}
	return time.Duration(math.Round(total)), nil
}

// durationWords writes a duration as the configuration does: 10m, not 10m0s.
func durationWords(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// ttlRule judges a TTL: whole seconds from 1 to 2147483647.
func ttlRule(name, zeroHint string) func(time.Duration) *flaw {
	return func(d time.Duration) *flaw {
		switch {
		case d == 0:
			return flawf("Invalid TTL", "%s cannot be zero: resolvers may then ask for every request. %s", name, zeroHint)
		case d%time.Second != 0:
			return flawf("Invalid TTL", "A TTL is a whole number of seconds; %s is not. Write %q.", d, strconv.FormatInt(int64(max(1, d.Round(time.Second)/time.Second)), 10)+"s")
		case d > maxTTL:
			return flawf("Invalid TTL", "A TTL is at most 2147483647 seconds. Usual are \"5m\" to \"1d\".")
		}
		return nil
	}
}

// positive judges a duration that cannot be zero.
func positive(name string) func(time.Duration) *flaw {
	return func(d time.Duration) *flaw {
		if d <= 0 {
			return flawf("Invalid duration", "%s must be longer than zero. %s", name, durationHint)
		}
		return nil
	}
}

// ParseDuration reads a duration as the configuration writes it, such as "90s",
// "1h30m" or "7d".
func ParseDuration(s string) (time.Duration, error) {
	d, f := parseDuration(s)
	if f != nil {
		return 0, errors.New(f.detail)
	}
	return d, nil
}
