package sandbox

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/edgeward/edgeward/providers"
)

type certificate struct {
	providers.Certificate
	token string
	// handle is the process that requested it, and sees it whatever its status.
	handle int
	// asked is when it was requested, shown when its validation records appear.
	asked, shown time.Time
	// issuing: an issue is on its way.
	issuing bool
}

type certificatesPort struct{ accountPort }

// certifies is whether one of names covers host; a wildcard stands for exactly
// one label.
func certifies(names []string, host string) bool {
	for _, n := range names {
		if n == host {
			return true
		}
		rest, ok := strings.CutPrefix(n, "*.")
		_, after, dot := strings.Cut(host, ".")
		if ok && dot && after == rest && !strings.HasPrefix(host, "*") {
			return true
		}
	}
	return false
}

// coversNow is whether the certificate of d's deployed configuration is good
// for host.
func (w *World) coversNow(d *distribution, host string, now time.Time) bool {
	if d.account == elsewhere {
		return true
	}
	c := w.accounts[d.account].certificates[d.served.CertificateARN]
	return c != nil && now.Before(c.NotAfter) && certifies(c.Names, host)
}

func (c *certificate) status(now time.Time) string {
	if c.Status == providers.CertificateIssued && !now.Before(c.NotAfter) {
		return "EXPIRED"
	}
	return c.Status
}

func (c *certificate) port(now time.Time) providers.Certificate {
	out := c.Certificate
	out.Status = c.status(now)
	out.Names = slices.Clone(c.Names)
	out.Tags = map[string]string{}
	for k, v := range c.Tags {
		out.Tags[k] = v
	}
	out.Validation = slices.Clone(c.Validation)
	if now.Before(c.shown) {
		for i := range out.Validation {
			out.Validation[i].RecordName, out.Validation[i].RecordValue = "", ""
		}
	}
	return out
}

func (p certificatesPort) Covering(ctx context.Context, names []string) ([]providers.Certificate, error) {
	var out []providers.Certificate
	err := p.w.call(ctx, p.op("Certificates.Covering", strings.Join(names, " "), false), func(now time.Time) error {
		for _, arn := range sortedKeys(p.a.certificates) {
			if c := p.a.certificates[arn]; (c.listed(now) || c.handle == p.handle) && coversAll(c.Names, names) {
				out = append(out, c.port(now))
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// listed is whether ListCertificates in us-east-1 shows c to us.
func (c *certificate) listed(now time.Time) bool {
	s := c.status(now)
	return strings.HasPrefix(c.ARN, "arn:aws:acm:us-east-1:") &&
		(s == providers.CertificateIssued || s == providers.CertificatePending) &&
		(c.KeyType == "RSA_2048" || c.KeyType == "EC_prime256v1")
}

func coversAll(have, names []string) bool {
	for _, n := range names {
		if !certifies(have, n) {
			return false
		}
	}
	return true
}

func (p certificatesPort) Certificate(ctx context.Context, arn string) (providers.Certificate, error) {
	var out providers.Certificate
	err := p.w.call(ctx, p.op("Certificates.Certificate", arn, false), func(now time.Time) error {
		c := p.a.certificates[arn]
		if c == nil {
			return fmt.Errorf("read certificate %s: ResourceNotFoundException: %w", arn, providers.ErrNotFound)
		}
		out = c.port(now)
		return nil
	})
	if err != nil {
		return providers.Certificate{}, err
	}
	return out, nil
}

func (p certificatesPort) Tags(ctx context.Context, arn string) (map[string]string, error) {
	c, err := p.Certificate(ctx, arn)
	return c.Tags, err
}

func (p certificatesPort) Request(ctx context.Context, names []string, token string, tags map[string]string) (string, error) {
	var arn string
	err := p.w.call(ctx, p.op("Certificates.Request", strings.Join(names, " "), true), func(now time.Time) error {
		most, _ := p.w.limit(providers.QuotaCertificateNames)
		if err := requestOK(names, token, tags, most); err != nil {
			return fmt.Errorf("request certificate for %s: %w", strings.Join(names, ", "), err)
		}
		for _, c := range p.a.certificates {
			if token != "" && c.token == token && slices.Equal(c.Names, names) && now.Sub(c.asked) < time.Hour {
				arn = c.ARN
				return nil
			}
		}
		if p.full(providers.QuotaCertificates, now) || p.full(providers.QuotaCertificatesYear, now) {
			return fmt.Errorf("request certificate for %s: LimitExceededException: %w", strings.Join(names, ", "), providers.ErrQuota)
		}
		arn = p.w.request(p.accountPort, names, token, tags, now).ARN
		return nil
	})
	if err != nil {
		return "", err
	}
	return arn, nil
}

// requestOK refuses what ACM refuses [ACM API: RequestCertificate; quotas: the
// names in a certificate].
func requestOK(names []string, token string, tags map[string]string, most int) error {
	switch {
	case len(names) == 0:
		return fmt.Errorf("no names: %w", providers.ErrInvalid)
	case len(names) > most:
		return fmt.Errorf("LimitExceededException: %d names, at most %d: %w", len(names), most, providers.ErrQuota)
	case len(names[0]) > 64:
		return fmt.Errorf("the first name has %d characters, at most 64: %w", len(names[0]), providers.ErrInvalid)
	case len(token) > 32 || strings.ContainsFunc(token, func(r rune) bool {
		return r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}):
		return fmt.Errorf("the idempotency token %q: %w", token, providers.ErrInvalid)
	}
	for _, n := range names {
		if !strings.Contains(n, ".") || n != strings.ToLower(n) || strings.Contains(strings.TrimPrefix(n, "*."), "*") {
			return fmt.Errorf("the name %q: %w", n, providers.ErrInvalid)
		}
	}
	return checkTags(tags)
}

func (w *World) request(p accountPort, names []string, token string, tags map[string]string, now time.Time) *certificate {
	a := p.a
	words := append([]string{"certificate", a.label, token, strconv.Itoa(len(a.certificates))}, names...)
	c := &certificate{
		Certificate: providers.Certificate{
			ARN:    "arn:aws:acm:us-east-1:" + a.number + ":certificate/" + strings.ToLower(code(32, words...)),
			Status: providers.CertificatePending, Names: slices.Clone(names), KeyType: "RSA_2048", Tags: map[string]string{},
		},
		token: token, handle: p.handle, asked: now,
		shown: now.Add(w.draw(Span{time.Second, 6 * time.Second}, words...)),
	}
	for k, v := range tags {
		c.Tags[k] = v
	}
	for _, n := range names {
		rn, rv := validation(a, n)
		c.Validation = append(c.Validation, providers.Validation{Name: n, Status: providers.CertificatePending, RecordName: rn, RecordValue: rv})
	}
	a.certificates[c.ARN] = c
	w.at(now.Add(72*time.Hour), func(time.Time) {
		if c.Status == providers.CertificatePending {
			c.Status = "VALIDATION_TIMED_OUT"
		}
	})
	w.validate(now)
	return c
}

// validation is the record that proves ownership of name to ACM: the same
// whenever the account asks for the name, and for its wildcard.
func validation(a *account, name string) (record, value string) {
	base := strings.TrimPrefix(name, "*.")
	h := strings.ToLower(code(32, "validation", a.label, base))
	return "_" + h + "." + base, "_" + strings.ToLower(code(32, "value", a.label, base)) + ".acm-validations.aws"
}

// validate starts the issue of every pending certificate whose records all
// stand; called when something changed in the DNS or in ACM.
func (w *World) validate(now time.Time) {
	for _, label := range sortedKeys(w.accounts) {
		a := w.accounts[label]
		for _, arn := range sortedKeys(a.certificates) {
			if c := a.certificates[arn]; c.Status == providers.CertificatePending && !c.issuing && w.proven(c) {
				c.issuing = true
				w.at(now.Add(w.draw(w.o.Issue, "issue", arn)), func(at time.Time) { w.issue(c, at) })
			}
		}
	}
}

// issue makes c ISSUED if its records still stand, and FAILED where CAA records
// forbid it.
func (w *World) issue(c *certificate, at time.Time) {
	c.issuing = false
	if c.Status != providers.CertificatePending || !w.proven(c) {
		return
	}
	if slices.ContainsFunc(c.Names, w.forbidden) {
		c.Status, c.FailureReason = "FAILED", "CAA_ERROR"
		return
	}
	c.Status, c.NotAfter = providers.CertificateIssued, at.Add(198*24*time.Hour)
	for i := range c.Validation {
		c.Validation[i].Status = "SUCCESS"
	}
}

func (w *World) proven(c *certificate) bool {
	for _, v := range c.Validation {
		z := w.zoneOf(v.RecordName)
		if z == nil || v.RecordName == "" {
			return false
		}
		if !slices.ContainsFunc(z.latest(v.RecordName).records, func(r providers.Record) bool {
			return r.Type == "CNAME" && r.Value == v.RecordValue && !r.Proxied
		}) {
			return false
		}
	}
	return true
}
