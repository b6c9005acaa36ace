package providers

import "time"

// Trace takes note of an exchange that has ended. Adapters call it from many
// goroutines at once; it returns soon and never fails a call. nil takes no notes.
type Trace func(Exchange)

// Exchange is one message to another party and what came of it. It has no body,
// no header and no query of a request, and no secret. A field that does not
// apply is zero.
type Exchange struct {
	// Time is when it was sent, in UTC.
	Time time.Time `json:"time"`
	// API is the party's: "cloudfront", "cloudflare", "dns", "http"; Operation is
	// what it was asked to do.
	API       string `json:"api"`
	Operation string `json:"operation"`
	// Account is the aws block, "aws.NAME", or the address of the DNS provider.
	Account string `json:"account,omitempty"`
	Region  string `json:"region,omitempty"`
	// About is what was asked about: a bucket, a distribution, a zone, names.
	About string `json:"about,omitempty"`
	// URL has no query. Server is what was dialled, HOST:PORT, Peer the address that
	// answered where that is another text, Network "udp", "tcp" or "https" for DNS.
	URL     string `json:"url,omitempty"`
	Server  string `json:"server,omitempty"`
	Peer    string `json:"peer,omitempty"`
	Network string `json:"network,omitempty"`
	// Key is the name of the TSIG key that signed it; Sections are those of a DNS
	// message in short.
	Key      string `json:"key,omitempty"`
	Sections string `json:"sections,omitempty"`
	// Attempt counts from 1; 0 where attempts are not counted. Requests is how many
	// HTTP requests one call of a module was, as far as they were seen.
	Attempt  int `json:"attempt,omitempty"`
	Requests int `json:"requests,omitempty"`
	// Waited is how many milliseconds passed between the call, or the end of the
	// attempt before, and the sending; Duration those from there to the answer.
	Waited   int64 `json:"waited_ms,omitempty"`
	Duration int64 `json:"duration_ms"`
	// Status is that of HTTP, RCode that of DNS, RequestID the party's own name for
	// the exchange.
	Status    int    `json:"status,omitempty"`
	RCode     string `json:"rcode,omitempty"`
	RequestID string `json:"request_id,omitempty"`
	// XCache, Via and Age are the headers of an answer to a fetch.
	XCache string `json:"x_cache,omitempty"`
	Via    string `json:"via,omitempty"`
	Age    string `json:"age,omitempty"`
	// Code and Error are a refusal's, or a fault's; Throttled says that it was for
	// the rate of requests.
	Code      string `json:"error_code,omitempty"`
	Error     string `json:"error,omitempty"`
	Throttled bool   `json:"throttled,omitempty"`
}

// Timed sets when e was sent, how long it waited for that since free, a zero time
// for not at all, and how long it took.
func (e *Exchange) Timed(free, sent, ended time.Time) {
	e.Time, e.Duration = sent.UTC().Truncate(time.Millisecond), ended.Sub(sent).Milliseconds()
	if !free.IsZero() {
		e.Waited = max(0, sent.Sub(free).Milliseconds())
	}
}
