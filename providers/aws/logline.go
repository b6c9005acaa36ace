package aws

import (
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/edgeward/edgeward/providers"
)

// logLine is a line of an access log up to the two headers of the client's [S3
// User Guide: Amazon S3 server access log format]. S3 escapes no quote within
// the request line, hence its end is where the numbers follow. Requesters have no
// blank, but for origin access identities, whose ARN has four.
var logLine = regexp.MustCompile(`^(\S+) (\S+) \[([^\]]+)\] \S+ (\S+(?: \S+){0,4}?) \S+ (\S+) \S+ (?:"(.*?)"|-) (\d{3}|-) (\S+) (?:\d+|-) (?:\d+|-) (?:\d+|-) (?:\d+|-) (.*)$`)

// parseLog reads one line; ok is false for one that is not as documented. Fields
// that S3 added in the course of time may be missing at the end, and others may
// follow.
func parseLog(line string) (e providers.LogEntry, bucket string, ok bool) {
	m := logLine.FindStringSubmatch(line)
	if m == nil {
		return providers.LogEntry{}, "", false
	}
	at, err := time.Parse("02/Jan/2006:15:04:05 -0700", m[3])
	if err != nil {
		return providers.LogEntry{}, "", false
	}
	e = providers.LogEntry{Time: at.UTC(), Operation: printable(given(m[5])), Error: printable(given(m[8]))}
	e.Status, _ = strconv.Atoi(m[7]) // 0 for "-"
	e.Method, e.Path, e.Query = requestLine(m[6])
	agent, more := clientHeaders(m[9])
	e.UserAgent = printable(agent)
	// version, host id, signature, cipher, authentication, host, TLS, …
	field := func(i int) string {
		if i < len(more) {
			return given(more[i])
		}
		return ""
	}
	presigned := func(p string) bool { return strings.EqualFold(p, "X-Amz-Signature") || p == "Signature" }
	e.Presigned = field(4) == "QueryString" || slices.ContainsFunc(e.Query, presigned)
	e.Signed = e.Presigned || given(m[4]) != "" || field(2) != "" || field(4) != ""
	if e.Signed {
		e.Signer = signer(m[1], m[4])
	}
	e.TLS = field(3) != ""
	e.Host = hostName(field(5))
	return e, m[2], true
}

// principal is the ARN of a user, a role or a whole account, service a service's
// name as the log spells it.
var (
	principal = regexp.MustCompile(`^arn:aws[a-z-]*:(?:iam|sts)::(\d{12}):`)
	service   = regexp.MustCompile(`^svc:([a-z0-9.-]+\.amazonaws\.com)$`)
)

// signer is whose credentials a request had: the canonical ID of an account, the
// ARN of a user or of an assumed role, svc: and a service's name [S3 User Guide:
// Amazon S3 server access log format, Requester].
func signer(owner, requester string) string {
	if m := principal.FindStringSubmatch(requester); m != nil {
		return m[1]
	}
	if m := service.FindStringSubmatch(requester); m != nil {
		return m[1]
	}
	if given(requester) != "" && requester == owner {
		return providers.SignerOwner
	}
	return providers.SignerUnknown
}

// given is a field, "" for one that S3 does not know or that does not apply.
func given(field string) string {
	if field == "-" {
		return ""
	}
	return field
}

// requestLine reads METHOD TARGET VERSION; the version may be missing, and so may
// all of it.
func requestLine(line string) (method, path string, query []string) {
	method, target, ok := strings.Cut(line, " ")
	if !ok || strings.Trim(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-") != "" {
		return "", "", nil
	}
	if i := strings.LastIndex(target, " HTTP/"); i >= 0 {
		target = target[:i]
	}
	path, text, _ := strings.Cut(target, "?")
	if _, rest, absolute := strings.Cut(path, "://"); absolute && !strings.HasPrefix(path, "/") {
		_, rest, _ = strings.Cut(rest, "/")
		path = "/" + rest
	}
	for _, pair := range strings.Split(text, "&") {
		name, _, _ := strings.Cut(pair, "=")
		if plain, err := url.QueryUnescape(name); err == nil {
			name = plain
		}
		if name != "" {
			query = append(query, printable(name))
		}
	}
	slices.Sort(query)
	return method, printable(path), slices.Compact(query)
}

// clientHeaders reads the tail of a line: Referer and User-Agent, which the
// client may have filled with anything, quotes and blanks included, and the
// fields behind them, which have neither. Only the outer quotes can be trusted.
func clientHeaders(tail string) (agent string, more []string) {
	end := strings.LastIndexByte(tail, '"')
	if end < 0 {
		fields := strings.Fields(tail)
		return "", fields[min(2, len(fields)):]
	}
	quoted, more := tail[:end+1], strings.Fields(tail[end+1:])
	if rest, ok := strings.CutPrefix(quoted, `- "`); ok {
		quoted = rest
	} else if _, rest, ok := strings.Cut(quoted, `" "`); ok {
		quoted = rest
	} else { // only the Referer is quoted
		return "", more[min(1, len(more)):]
	}
	return given(strings.TrimSuffix(quoted, `"`)), more
}

func hostName(host string) string {
	if name, port, err := net.SplitHostPort(host); err == nil && strings.Trim(port, "0123456789") == "" {
		host = name
	}
	return printable(strings.TrimSuffix(strings.ToLower(host), "."))
}

// printable leaves out what a terminal should not be shown.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == '\uFFFD' {
			return -1
		}
		return r
	}, s)
}
