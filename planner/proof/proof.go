// Package proof compares two sites as their visitors use them: left as it is,
// right as it will be. It knows HTTP, and what Amazon S3 and CloudFront make of
// it; it knows no API of theirs, no configuration and no stage. It fetches
// nothing from the world but the two sites, and only with GET, HEAD and OPTIONS.
package proof

import (
	"fmt"

	"github.com/edgeward/edgeward/providers"
)

// Site is one of the two sites, reached in one way.
type Site struct {
	// URL is scheme, host and maybe a path to put before every target's, such as
	// http://assets.example.com; no slash at the end.
	URL string `json:"url"`
	// Dial is the host or address to connect to in place of the URL's host; "" is
	// the URL's own.
	Dial string `json:"dial,omitempty"`
}

// Target is one path that visitors ask for.
type Target struct {
	// Path begins with a slash, is escaped as it is sent, and may have a query.
	Path string `json:"path"`
	// Why says what made it a target: "listed", "largest", "type image/png", …
	Why string `json:"why,omitempty"`
	// Listed: the user named it, so it must be readable on the left.
	Listed bool `json:"listed,omitempty"`
	// Aside: it need not be readable (the root, a folder, a missing key); what
	// counts is the same answer.
	Aside bool `json:"aside,omitempty"`
	// Size is the object's, from the listing, in bytes; -1 when not known.
	Size int64 `json:"size"`
	// Whole: the whole matrix of requests is sent, not only the plain ones.
	Whole bool `json:"-"`
}

// Facts are what is known of the two sites besides their answers. The zero
// value knows nothing: then only what HTTP itself allows to differ is expected.
type Facts struct {
	// CloudFront: the right is a distribution, the left its origin's S3 endpoint.
	CloudFront bool
	// Website: the left is a website endpoint of S3.
	Website bool
	// Settings that the user asked for and whose whole purpose is a difference
	// that visitors see; empty and false when not asked for.
	ViewerProtocol, DefaultRootObject string
	Compress, ResponseHeaders         bool
	// Hosts that must not reach a visitor in a Location of the right: the
	// origin's own.
	OriginHosts []string
	// CORS are the bucket's rules; empty: no Origin is allowed.
	CORS []providers.CORSRule
}

// Verdict of a difference, and of a whole comparison: the worst one.
type Verdict string

// The verdicts, from the best to the worst.
const (
	Same     Verdict = "same"
	Expected Verdict = "expected" // named, with its source
	Changed  Verdict = "changed"  // visitors see it; they still get the object
	Broken   Verdict = "broken"   // a visitor does not get what S3 gives

	// NotCompared stands in reports where there is no verdict: an error, or no
	// distribution yet. No comparison gives it, and it is no pass.
	NotCompared Verdict = "not compared"
)

// rank orders verdicts.
func (v Verdict) rank() int {
	return map[Verdict]int{Same: 0, Expected: 1, Changed: 2, Broken: 3}[v]
}

// Worst is the worse of two verdicts.
func (v Verdict) Worst(o Verdict) Verdict {
	if o.rank() > v.rank() {
		return o
	}
	return v
}

// Passes says whether visitors may be sent to the right.
func (v Verdict) Passes() bool { return v != NotCompared && v.rank() <= Expected.rank() }

// Aspect names what differs; the names are stable, and the values of
// verify.accept in a configuration.
type Aspect string

// The aspects.
const (
	Answer             Aspect = "answer" // no HTTP answer at all: connection, TLS, timeout
	StatusCode         Aspect = "status"
	Body               Aspect = "body"
	ContentType        Aspect = "content-type"
	ContentLength      Aspect = "content-length"
	ContentEncoding    Aspect = "content-encoding"
	ContentLanguage    Aspect = "content-language"
	ContentDisposition Aspect = "content-disposition"
	CacheControl       Aspect = "cache-control"
	Expires            Aspect = "expires"
	ETag               Aspect = "etag"
	LastModified       Aspect = "last-modified"
	AcceptRanges       Aspect = "accept-ranges"
	Vary               Aspect = "vary"
	Metadata           Aspect = "metadata" // x-amz-meta-*
	AmzHeader          Aspect = "amz-header"
	Header             Aspect = "header" // any other header
	CORS               Aspect = "cors"
	Preflight          Aspect = "preflight"
	Redirect           Aspect = "redirect"
	Range              Aspect = "range"
	Conditional        Aspect = "conditional"
	Compression        Aspect = "compression"
	QueryString        Aspect = "query-string"
	Caching            Aspect = "caching"  // how long an answer may be old
	Unsteady           Aspect = "unsteady" // the right answers differently from time to time
)

// Aspects are all of them, in the order above.
func Aspects() []Aspect {
	return []Aspect{Answer, StatusCode, Body, ContentType, ContentLength, ContentEncoding, ContentLanguage, ContentDisposition,
		CacheControl, Expires, ETag, LastModified, AcceptRanges, Vary, Metadata, AmzHeader, Header, CORS, Preflight, Redirect,
		Range, Conditional, Compression, QueryString, Caching, Unsteady}
}

// Difference is one thing that is not the same. What many requests for one path
// show alike is one difference.
type Difference struct {
	Path string `json:"path"`
	// Request is the method and the headers that were special, and how the right
	// was reached, such as "GET Range: bytes=0-0 (https, warm)".
	Request string  `json:"request"`
	Aspect  Aspect  `json:"aspect"`
	Verdict Verdict `json:"verdict"`
	// Left and Right are what the two sites answered, in a few words.
	Left  string `json:"left"`
	Right string `json:"right"`
	// Means is what it means for a visitor: a sentence.
	Means string `json:"means"`
	// Mend is the setting that would mend it, or "".
	Mend string `json:"mend,omitempty"`
	// Source says why an expected difference is: a document, or a setting of the
	// user's, verify.accept too.
	Source string `json:"source,omitempty"`
	// Also is how many further requests for the path showed the same.
	Also int `json:"also,omitempty"`
}

// Options of a comparison.
type Options struct {
	Web   providers.Web
	Clock providers.Clock
	Left  Site
	// Right is one Site for each name and scheme that visitors will use; the
	// first ones get the whole matrix, see Compare.
	Right []Site
	Facts Facts
	// Accept are aspects whose changed differences are accepted; broken ones
	// cannot be.
	Accept []Aspect
	// Seed makes the nonce of requests past a cache; it says nothing else.
	Seed string
	// Parallel is how many requests are under way at a time (8), Rate how many
	// begin each second at each host (100).
	Parallel int
	Rate     float64
	// MaxRequests and MaxBytes bound the comparison; 0 is no bound.
	MaxRequests int
	MaxBytes    int64
	// Resume has what an earlier, interrupted comparison of the same targets
	// found, by path; those are not asked again. Keep is called for each target
	// that is finished, one at a time. Both may be nil.
	Resume map[string]Outcome
	Keep   func(Outcome) error
	// Progress is called one at a time, now and then. May be nil.
	Progress func(Progress)
}

// Progress is how far a comparison is.
type Progress struct {
	Done, Targets, Requests, Differences int
	Bytes                                int64
}

// Outcome is what was found for one target.
type Outcome struct {
	Path string `json:"path"`
	// Readable: the left answered with less than 300. Object: and the target is no
	// Aside, such as a listing or an error page.
	Readable bool `json:"readable,omitempty"`
	Object   bool `json:"object,omitempty"`
	// Refused is true when the left refused it (403), so it is no test link.
	Refused     bool         `json:"refused,omitempty"`
	Requests    int          `json:"requests"`
	Bytes       int64        `json:"bytes"`
	Differences []Difference `json:"differences,omitempty"`
	// Repeated: a difference went away when it was looked at again. Blamed: it
	// was the right that had answered otherwise. Failed: and what it had answered
	// was broken, not only changed.
	Repeated bool `json:"repeated,omitempty"`
	Blamed   bool `json:"blamed,omitempty"`
	Failed   bool `json:"failed,omitempty"`
	// NoCacheControl: the object says nothing of how long it may be kept.
	NoCacheControl bool `json:"no_cache_control,omitempty"`
}

// Result of a comparison.
type Result struct {
	Verdict  Verdict `json:"verdict"`
	Requests int     `json:"requests"`
	Bytes    int64   `json:"bytes"`
	// Paths is how many targets were compared, Readable how many of them the left
	// served, Objects how many of these are no Asides, Refused how many picked objects it refused, NoCacheControl how many
	// served objects have neither Cache-Control nor Expires.
	Paths          int `json:"paths"`
	Readable       int `json:"readable"`
	Objects        int `json:"objects,omitempty"`
	Refused        int `json:"refused,omitempty"`
	NoCacheControl int `json:"no_cache_control,omitempty"`
	// Repeated is how many targets were looked at again and then were the same.
	Repeated int `json:"repeated,omitempty"`
	// Differences are ordered: the worst first, then by path, request, aspect. At
	// most MaxKept of each verdict and aspect are kept; More counts the others.
	Differences []Difference `json:"differences"`
	More        int          `json:"more,omitempty"`
	// Digest is of the targets, the sites and the verdicts, 12 letters and digits.
	Digest string `json:"digest"`
}

// MaxKept is how many differences of one verdict and aspect a Result keeps.
const MaxKept = 1000

// BudgetError says that a comparison needs, or needed, more than it may use. It
// is no verdict.
type BudgetError struct {
	// What is "requests" or "bytes"; Needs is an estimate before the first
	// request, or what was used when it ended.
	What       string
	Needs, Max int64
	// Begun: requests were made.
	Begun bool
}

func (e *BudgetError) Error() string {
	if e.Begun {
		return fmt.Sprintf("compare the sites: ended after %d %s, at most %d are allowed", e.Needs, e.What, e.Max)
	}
	return fmt.Sprintf("compare the sites: it takes about %d %s, at most %d are allowed", e.Needs, e.What, e.Max)
}

// Hint says what to do.
func (e *BudgetError) Hint() string {
	return fmt.Sprintf("raise verify { max_%s } or compare fewer objects (verify.sample, verify.paths)", e.What)
}

// LeftError says that the left site could not be asked, so nothing is judged.
type LeftError struct {
	Path string
	Err  error
}

func (e *LeftError) Error() string {
	return fmt.Sprintf("fetch %s from the left site: %v", e.Path, e.Err)
}

// Unwrap gives the cause.
func (e *LeftError) Unwrap() error { return e.Err }

// shape is one kind of request that is sent for a target, to both sites.
type shape struct {
	// name is how a Difference calls it, after the method: "Range: bytes=0-0".
	name   string
	method string
	header map[string]string
	// query is added to the target's.
	query string
	// part says what the shape is about; it decides how two answers are judged.
	part part
	// limit is the most bytes of the body that are read; 0: all.
	limit int64
}

// part is what a shape is about.
type part string

// The parts of the matrix.
const (
	partPlain       part = "plain" // GET and HEAD as they are
	partCold        part = "cold"  // past every cache, by a query of its own
	partRange       part = "range"
	partConditional part = "conditional"
	partCORS        part = "cors"
	partPreflight   part = "preflight"
	partEncoding    part = "encoding"
	partQuery       part = "query"
)

// answer is what one site said to one request; err is set when it said nothing.
type answer struct {
	providers.Response
	err error
}

// pair is the two answers to one shape.
type pair struct {
	shape       shape
	base        Site // the left, whose own host a Location may name
	right       Site
	host        string // the right's, when it is not the first one's
	warm        bool   // the right was asked the same just before
	left, reply answer
}
