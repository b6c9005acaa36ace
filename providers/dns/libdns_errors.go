package dns

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/edgeward/edgeward/providers"
)

// moduleError is an error of a libdns module in one of the port's classes,
// which is nil for a fault of transport or of the remote side. Its text has no
// secrets.
type moduleError struct {
	class error
	// cause is nil where its own text has a secret in it.
	cause      error
	text, hint string
}

func (e *moduleError) Error() string {
	if e.class == nil {
		return e.text
	}
	return e.text + ": " + e.class.Error()
}

// Unwrap gives the class and the cause, as far as there are any.
func (e *moduleError) Unwrap() []error {
	var errs []error
	for _, err := range []error{e.class, e.cause} {
		if err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

// Hint says what to do.
func (e *moduleError) Hint() string { return e.hint }

// classify puts an error of a module into the classes of the ports. Most
// modules have no types for their errors, so that the text decides.
func (d *libdnsDNS) classify(err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	whole := err.Error()
	text := readable(d.redact(whole))
	e := &moduleError{class: classOfText(whole), text: d.row.title + ": " + text}
	if d.redact(whole) == whole {
		e.cause = err
	}
	switch e.class {
	case providers.ErrCredentials, providers.ErrDenied:
		e.hint = "check " + d.credentials()
	case providers.ErrThrottled:
		e.hint = "wait a minute and run it again; " + d.row.title + " limits the number of requests"
	case providers.ErrNotFound:
		e.hint = "check the spelling of the zone, and that this account of " + d.row.title + " holds it"
	}
	return e
}

// credentials names the secret settings and where they may come from.
func (d *libdnsDNS) credentials() string {
	var names []string
	for _, s := range d.row.settings {
		if s.Sensitive {
			names = append(names, strings.Join(append([]string{s.Name}, s.Env...), " or "))
		}
	}
	if len(names) == 0 {
		return "the credentials of the dns_provider \"" + d.row.name + "\" block"
	}
	return strings.Join(names, ", ") + ", and what it may do"
}

// redact takes the secrets out of a text, also in the forms that they have in
// URLs and in JSON.
func (d *libdnsDNS) redact(text string) string {
	for _, s := range d.secrets {
		quoted := strings.Trim(strconv.Quote(s), `"`)
		for _, form := range []string{s, url.QueryEscape(s), url.PathEscape(s), quoted} {
			if form != "" {
				text = strings.ReplaceAll(text, form, "(secret)")
			}
		}
	}
	return text
}

var (
	webTitle    = regexp.MustCompile(`(?is)<title[^>]*>(.*?)</title>`)
	webMarks    = regexp.MustCompile(`(?i)<!doctype html|<html|invalid character '<'|bad content type \(text/html`)
	statusOf    = regexp.MustCompile(`googleapi: Error (\d{3})|RESPONSE (\d{3})|(?i:status(?: ?code)?):? \(?(\d{3})\b|(?:GET|POST|PUT|PATCH|DELETE) \S+: (\d{3})\b|\((\d{3})\)$`)
	zoneMissing = regexp.MustCompile(`zone \S+ not found`)
	jsonWords   = regexp.MustCompile(`"(?:message|detail|error|msg)"\s*:\s*"((?:[^"\\]|\\.)*)"`)
)

// readable is an error's text in one line of bounded length; a web page, which
// a proxy or a wrong address answers with, is only named.
func readable(text string) string {
	if webMarks.MatchString(text) {
		page := "a web page"
		if m := webTitle.FindStringSubmatch(text); m != nil {
			page += fmt.Sprintf(" (%q)", strings.Join(strings.Fields(m[1]), " "))
		}
		if n := statusIn(text); n != 0 {
			page += fmt.Sprintf(" with status %d", n)
		}
		return "it answered with " + page + " instead of data; a wrong address, or a proxy in between"
	}
	if i := strings.Index(text, "\n---"); i > 0 && strings.Contains(text, "RESPONSE ") { // azcore.ResponseError
		text = text[:i] + " " + strings.ReplaceAll(text[i:], "-----", "")
	}
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > 300 {
		text = string(runes[:300]) + "…"
		if m := jsonWords.FindStringSubmatch(string(runes)); m != nil && !strings.Contains(text, m[1]) {
			text += " " + m[1]
		}
	}
	return text
}

// statusIn is the HTTP status in an error's text, 0 where there is none. The
// forms are those of googleapi.Error; azcore.ResponseError; pdnshttp,
// libdns/desec, libdns/godaddy and luadns-go; godo and dnsimple-go; and
// libdns/ionos, in this order.
func statusIn(text string) int {
	for _, m := range statusOf.FindAllStringSubmatch(text, -1) {
		for _, digits := range m[1:] {
			if n, err := strconv.Atoi(digits); err == nil && n >= 400 && n < 600 {
				return n
			}
		}
	}
	return 0
}

// classOfText is the class of an error by its HTTP status or by its words; nil
// where neither is known.
func classOfText(text string) error {
	switch n := statusIn(text); n {
	case 401:
		return providers.ErrCredentials
	case 403:
		return providers.ErrDenied
	case 404:
		return providers.ErrNotFound
	case 409, 412:
		return providers.ErrConflict
	case 429:
		return providers.ErrThrottled
	case 400, 422:
		// Porkbun answers 400 to a wrong key, for one.
		if class := classOfWords(text); class != nil {
			return class
		}
		return providers.ErrInvalid
	}
	return classOfWords(text)
}

// classOfWords knows the modules' own sentences and those that the APIs give
// without a status that the module passes on.
func classOfWords(text string) error {
	text = strings.ToLower(text)
	for _, known := range []struct {
		class error
		words []string
	}{
		{providers.ErrThrottled, []string{"too many requests", "rate limit", "throttl"}},
		{providers.ErrCredentials, []string{
			"invalid api key", "all api keys", "(2200)", "authentication error", "authentication failed", "unable to authenticate", "unauthorized",
			"invalid token", "could not find default credentials", "invalid_grant", "invalid_client", "aadsts",
			"managed identity", "credentials: ", "no such file or directory",
		}},
		{providers.ErrDenied, []string{"(2201)", "permission denied", "permission_denied", "forbidden", "not opted in to api access", "authorizationfailed"}},
		{providers.ErrNotFound, []string{
			"zone not found", "zone named not found", "unable to find google managaged zone", "not found: http", "(2303)",
			"invalid domain",
		}},
	} {
		if slices.ContainsFunc(known.words, func(w string) bool { return strings.Contains(text, w) }) {
			return known.class
		}
	}
	if zoneMissing.MatchString(text) {
		return providers.ErrNotFound
	}
	return nil
}
