package probe

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"

	"github.com/edgeward/edgeward/providers"
)

// noteMessage takes note of a question and its answer, nil: none came.
func noteMessage(trace providers.Trace, e providers.Exchange, q, m *dns.Msg, sent time.Time, err error) {
	if trace == nil {
		return
	}
	e.API, e.Operation = "dns", "QUERY"
	e.About = clean(q.Question[0].Name) + " " + dns.Type(q.Question[0].Qtype).String()
	e.Timed(time.Time{}, sent, time.Now())
	if m != nil {
		e.RCode, e.Sections = rcode(m.Rcode), sections(m)
	}
	if err != nil {
		e.Error = sentence(bare(err))
	}
	trace(e)
}

// mostTold is how many records of an answer are told one by one.
const mostTold = 8

// sections are what an answer has, in short. Of records that may have anything in
// them only the type is told.
func sections(m *dns.Msg) string {
	var parts []string
	if m.Truncated {
		parts = append(parts, "cut off")
	}
	if m.Authoritative {
		parts = append(parts, "authoritative")
	}
	if n := len(m.Answer); n > mostTold {
		parts = append(parts, fmt.Sprintf("%d answers", n))
	} else {
		for _, r := range records(m) {
			text := "answer " + r.Type
			switch r.Type {
			case "A", "AAAA", "CNAME", "NS":
				text += " " + r.Value
			}
			parts = append(parts, fmt.Sprintf("%s TTL %d", text, r.TTL))
		}
	}
	if n := len(m.Ns); n > 0 && len(m.Answer) == 0 {
		parts = append(parts, fmt.Sprintf("authority %d", n))
	}
	return strings.Join(parts, ", ")
}

// note begins to take note of a fetch, which note ends.
func (w *Web) note(ctx context.Context, u *url.URL, method, address string) (context.Context, func(providers.Response, error)) {
	if w.trace == nil {
		return ctx, func(providers.Response, error) {}
	}
	var mu sync.Mutex
	var peer string
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(c httptrace.GotConnInfo) {
		mu.Lock()
		defer mu.Unlock()
		peer = c.Conn.RemoteAddr().String()
	}})
	sent := time.Now()
	return ctx, func(r providers.Response, err error) {
		mu.Lock()
		defer mu.Unlock()
		e := providers.Exchange{API: "http", Operation: cmp.Or(method, http.MethodGet), URL: bareURL(u), Server: address, Status: r.Status,
			XCache: told(r, "X-Cache"), Via: told(r, "Via"), Age: told(r, "Age"), RequestID: cmp.Or(told(r, "X-Amz-Cf-Id"), told(r, "X-Amz-Request-Id"))}
		if peer != address {
			e.Peer = peer
		}
		e.Timed(time.Time{}, sent, time.Now())
		if err != nil {
			e.Error = sentence(bare(err))
		}
		w.trace(e)
	}
}

// told is a header of an answer, as far as it is of a length that one has.
func told(r providers.Response, name string) string {
	text := strings.Join(r.Header.Values(name), ", ")
	if len(text) > 200 {
		text = strings.ToValidUTF8(text[:200], "") + "…"
	}
	return text
}

// bareURL is a URL without what may be secret in it: its query and its user.
func bareURL(u *url.URL) string { return u.Scheme + "://" + u.Host + u.EscapedPath() }
