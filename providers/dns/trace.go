package dns

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"github.com/libdns/libdns"
	"github.com/miekg/dns"

	"github.com/edgeward/edgeward/providers"
)

// tried is one attempt of an httpClient.
type tried struct {
	req     *http.Request
	attempt int
	// free is when it could have been sent.
	free, sent time.Time
	answer     *http.Response // nil: none came
	text       []byte
	// failed is why it is no answer, nil where it is one.
	failed *httpError
}

// apiID is a segment of a path that is the id of something.
var apiID = regexp.MustCompile(`/[0-9a-f]{32}\b`)

// note takes note of an attempt, and says when the next one could be sent.
func (c *httpClient) note(t tried) time.Time {
	now := c.o.Clock.Now()
	if c.o.Trace == nil {
		return now
	}
	u := t.req.URL
	e := providers.Exchange{API: strings.ToLower(c.o.API), Attempt: t.attempt,
		Operation: t.req.Method + " " + apiID.ReplaceAllString(strings.TrimPrefix(u.Path, cloudflarePath), "/{id}"),
		URL:       c.safe(u.Scheme + "://" + u.Host + u.EscapedPath())}
	e.Timed(t.free, t.sent, now)
	var err error // its words have no secret
	if t.failed != nil {
		err = t.failed
	}
	if t.answer != nil {
		e.Status, e.RequestID = t.answer.StatusCode, c.safe(t.answer.Header.Get("Cf-Ray"))
		if err == nil && c.o.Refused != nil {
			err = c.o.Refused(t.answer.StatusCode, t.text)
		}
	}
	if err != nil {
		e.Error, e.Throttled = readable(err.Error()), errors.Is(err, providers.ErrThrottled)
	}
	c.o.Trace(e)
	return now
}

// tracedModule takes note of every call of a libdns module. Most modules send
// their requests by a client of their own, so that a call may be several of them;
// they are counted where the module hands its context on.
type tracedModule struct {
	d      *libdnsDNS
	module libdnsModule
	trace  providers.Trace
}

func (t *tracedModule) call(ctx context.Context, operation, zone string, about []libdns.Record, f func(context.Context) ([]libdns.Record, error)) (
	records []libdns.Record, err error,
) {
	var requests atomic.Int32
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(c httptrace.GotConnInfo) {
		if c.Conn.RemoteAddr() != nil { // go-powerdns v0.6.6 also writes each request into nowhere (httputil.DumpRequestOut)
			requests.Add(1)
		}
	}})
	sent, ended := t.d.clock.Now(), false
	defer func() {
		e := providers.Exchange{API: t.d.row.name, Operation: operation, About: clean(zone), Requests: int(requests.Load())}
		for _, r := range about {
			rr := r.RR()
			e.About += " " + clean(libdns.AbsoluteName(rr.Name, zone)) + " " + rr.Type
		}
		e.Timed(time.Time{}, sent, t.d.clock.Now())
		if !ended {
			e.Error = "the module for it broke down"
		}
		if err != nil {
			e.Error = readable(t.d.redact(err.Error()))
			e.Status, e.Throttled = statusIn(err.Error()), errors.Is(t.d.classify(err), providers.ErrThrottled)
		}
		t.trace(e)
	}()
	records, err = f(ctx)
	ended = true
	return records, err
}

// GetRecords implements libdns.RecordGetter.
func (t *tracedModule) GetRecords(ctx context.Context, zone string) ([]libdns.Record, error) {
	return t.call(ctx, "GetRecords", zone, nil, func(ctx context.Context) ([]libdns.Record, error) { return t.module.GetRecords(ctx, zone) })
}

// AppendRecords implements libdns.RecordAppender.
func (t *tracedModule) AppendRecords(ctx context.Context, zone string, recs []libdns.Record) ([]libdns.Record, error) {
	return t.call(ctx, "AppendRecords", zone, recs, func(ctx context.Context) ([]libdns.Record, error) {
		return t.module.AppendRecords(ctx, zone, recs)
	})
}

// SetRecords implements libdns.RecordSetter.
func (t *tracedModule) SetRecords(ctx context.Context, zone string, recs []libdns.Record) ([]libdns.Record, error) {
	return t.call(ctx, "SetRecords", zone, recs, func(ctx context.Context) ([]libdns.Record, error) {
		return t.module.SetRecords(ctx, zone, recs)
	})
}

// DeleteRecords implements libdns.RecordDeleter.
func (t *tracedModule) DeleteRecords(ctx context.Context, zone string, recs []libdns.Record) ([]libdns.Record, error) {
	return t.call(ctx, "DeleteRecords", zone, recs, func(ctx context.Context) ([]libdns.Record, error) {
		return t.module.DeleteRecords(ctx, zone, recs)
	})
}

// note takes note of what was sent to the server.
func (u *updateServer) note(e providers.Exchange, sent time.Time, err error) {
	if u.trace == nil {
		return
	}
	e.API, e.Server, e.Network = "dns", u.address, "tcp"
	if u.key != nil && e.Operation != "CONNECT" {
		e.Key = clean(u.key.name)
	}
	e.Timed(time.Time{}, sent, u.clock.Now())
	if err != nil {
		e.Error = readable(err.Error())
	}
	u.trace(e)
}

// noteMessage takes note of one message and its answer, nil: none came.
func (u *updateServer) noteMessage(m, answer *dns.Msg, sent time.Time, err error) {
	if u.trace == nil {
		return
	}
	e := providers.Exchange{Operation: dns.OpcodeToString[m.Opcode]}
	if m.Opcode == dns.OpcodeUpdate {
		e.Sections = fmt.Sprintf("%d prerequisites, %d updates", len(m.Answer), len(m.Ns))
		e.About = strings.Join(updated(m), " ")
	} else if len(m.Question) == 1 {
		e.About = clean(m.Question[0].Name) + " " + dns.Type(m.Question[0].Qtype).String()
	}
	if answer != nil {
		e.RCode = rcodeName(answer.Rcode)
		if t := answer.IsTsig(); t != nil && t.Error != 0 {
			e.RCode += " " + rcodeName(int(t.Error))
		}
		if m.Opcode == dns.OpcodeQuery && answer.Rcode == dns.RcodeSuccess {
			e.Sections = fmt.Sprintf("%d answers", len(answer.Answer))
		}
	}
	u.note(e, sent, err)
}

// updated are the names that an UPDATE changes, each once.
func updated(m *dns.Msg) []string {
	var names []string
	seen := map[string]bool{}
	for _, rr := range m.Ns {
		if name := clean(rr.Header().Name); !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	return names
}

// noteTransfer takes note of a listing of a zone.
func (u *updateServer) noteTransfer(zone string, records int, code string, sent time.Time, err error) {
	u.note(providers.Exchange{Operation: "AXFR", About: zone, RCode: code, Sections: fmt.Sprintf("%d records", records)}, sent, err)
}
