package dns

import (
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/edgeward/edgeward/providers"
	"github.com/edgeward/edgeward/providers/providertest"
)

// server is Route 53's API as an http.RoundTripper, in memory and scripted from
// AWS's documents. moto, the independent mock server, is not faithful in these:
//
//   - a ChangeBatch is done as a whole or not at all [API Reference,
//     ChangeResourceRecordSets: "Route 53 validates the changes in the request and
//     then either makes all or none of the changes"];
//   - DELETE must have the values and the TTL that stand, CREATE must find
//     nothing [same page, Change: Action; Troubleshooting: "Tried to delete resource
//     record set … but the values provided do not match the current values", "Tried to
//     create resource record set … but it already exists"];
//   - a CNAME stands alone and not at the apex [Developer Guide, Supported DNS
//     record types: CNAME];
//   - at most 1000 ResourceRecord elements and 32000 characters [Developer Guide,
//     Quotas: ChangeResourceRecordSets requests];
//   - a change is PENDING, then INSYNC; an unknown one is NoSuchChange
//     [API Reference, GetChange];
//   - one request after another in a zone, else PriorRequestNotComplete [same page];
//   - 5 requests a second, else Throttling [Developer Guide, Quotas];
//   - names are answered with octal escapes [Developer Guide, DNS domain name format],
//     lists are sorted by reversed labels, in pages of at most 300 [API Reference,
//     ListResourceRecordSets].
type server struct {
	mu      sync.Mutex
	zones   []hostedZone
	sets    map[string][]xmlSet // by zone id
	changes map[string]time.Time
	counts  map[string]int
	busy    map[string]bool
	// rate is the number of requests a second that are served, 0: all.
	rate    int
	seconds map[int64]int

	// latency is how long a request takes; settle until a change is INSYNC.
	latency, settle time.Duration
	// delay holds an answer back after the request was served.
	delay func(op string, n int) time.Duration
	// denied is a name that a policy forbids to change.
	denied string
	// fault may answer in the server's place: before the request is served (nil
	// lets it pass) or, with after, in place of its answer.
	fault func(op string, n int) (code string, after bool)
}

type hostedZone struct {
	id, name string
	private  bool
}

type xmlSet struct {
	Name            string
	Type            string
	SetIdentifier   string       `xml:",omitempty"`
	Weight          *int         `xml:",omitempty"`
	Region          string       `xml:",omitempty"`
	TTL             *int64       `xml:",omitempty"`
	ResourceRecords *xmlRecords  `xml:",omitempty"`
	AliasTarget     *aliasTarget `xml:",omitempty"`
	HealthCheckID   string       `xml:"HealthCheckId,omitempty"`
}

type xmlRecords struct{ ResourceRecord []xmlRecord }

type xmlRecord struct{ Value string }

type aliasTarget struct {
	HostedZoneID         string `xml:"HostedZoneId"`
	DNSName              string
	EvaluateTargetHealth bool
}

type xmlZone struct {
	ID                     string `xml:"Id"`
	Name                   string
	CallerReference        string
	Config                 struct{ PrivateZone bool }
	ResourceRecordSetCount int
}

type xmlChangeInfo struct {
	ID          string `xml:"Id"`
	Status      string
	SubmittedAt string
}

// refusal is an error answer.
type refusal struct {
	status   int
	code     string
	messages []string
}

func newServer() *server {
	s := &server{sets: map[string][]xmlSet{}, changes: map[string]time.Time{}, counts: map[string]int{},
		busy: map[string]bool{}, seconds: map[int64]int{}, settle: 30 * time.Second, latency: 80 * time.Millisecond}
	return s
}

// add makes a hosted zone with its SOA and NS.
func (s *server) add(id, name string, private bool, sets ...xmlSet) {
	s.zones = append(s.zones, hostedZone{id, name, private})
	s.sets[id] = append(s.sets[id], simple(name, "NS", 172800, "ns-1.awsdns-01.org."),
		simple(name, "SOA", 900, "ns-1.awsdns-01.org. awsdns-hostmaster.amazon.com. 1 7200 900 1209600 86400"))
	s.sets[id] = append(s.sets[id], sets...)
}

func simple(name, typ string, ttl int64, values ...string) xmlSet {
	set := xmlSet{Name: name, Type: typ, TTL: &ttl, ResourceRecords: &xmlRecords{}}
	for _, v := range values {
		set.ResourceRecords.ResourceRecord = append(set.ResourceRecords.ResourceRecord, xmlRecord{v})
	}
	return set
}

// RoundTrip implements http.RoundTripper.
func (s *server) RoundTrip(req *http.Request) (*http.Response, error) {
	var body []byte
	if req.Body != nil {
		var err error
		if body, err = io.ReadAll(req.Body); err != nil {
			return nil, err
		}
	}
	op := operation(req)
	s.mu.Lock()
	s.counts[op]++
	n := s.counts[op]
	second := time.Now().Unix()
	s.seconds[second]++
	throttled := s.rate > 0 && s.seconds[second] > s.rate
	var code string
	var after bool
	if s.fault != nil {
		code, after = s.fault(op, n)
	}
	s.mu.Unlock()
	if err := (providers.RealClock{}).Sleep(req.Context(), s.latency); err != nil {
		return nil, err
	}
	switch {
	case throttled:
		return answer(req, 400, errorBody(refusal{400, "Throttling", []string{"Rate exceeded"}}))
	case code != "" && !after:
		return faulty(req, code)
	}
	out, bad := s.serve(req, op, body)
	if s.delay != nil {
		if err := (providers.RealClock{}).Sleep(req.Context(), s.delay(op, n)); err != nil {
			return nil, err
		}
	}
	if code != "" {
		return faulty(req, code)
	}
	if bad != nil {
		return answer(req, bad.status, errorBody(*bad))
	}
	text, err := xml.Marshal(out)
	if err != nil {
		return nil, err
	}
	return answer(req, 200, string(text))
}

func operation(req *http.Request) string {
	p := strings.TrimPrefix(req.URL.Path, "/2013-04-01/")
	switch {
	case p == "hostedzonesbyname":
		return "ListHostedZonesByName"
	case strings.HasPrefix(p, "change/"):
		return "GetChange"
	case strings.HasSuffix(p, "/rrset") && req.Method == http.MethodGet:
		return "ListResourceRecordSets"
	case strings.Contains(p, "/rrset"):
		return "ChangeResourceRecordSets"
	}
	return "GetHostedZone"
}

func faulty(req *http.Request, code string) (*http.Response, error) {
	switch code {
	case "reset":
		return nil, io.ErrUnexpectedEOF
	case "InternalError":
		return answer(req, 500, errorBody(refusal{500, code, []string{"We encountered an internal error."}}))
	case "AccessDenied":
		return answer(req, 403, errorBody(refusal{403, code, []string{"User: arn:aws:iam::111122223333:user/dns is not authorized"}}))
	}
	return answer(req, 400, errorBody(refusal{400, code, []string{"scripted"}}))
}

func answer(req *http.Request, status int, body string) (*http.Response, error) {
	return &http.Response{StatusCode: status, Status: strconv.Itoa(status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {"text/xml"}, "X-Amzn-Requestid": {"00000000-0000-0000-0000-000000000000"}},
		Body:   io.NopCloser(strings.NewReader(body)), Request: req}, nil
}

// errorBody is what Route 53 answers: InvalidChangeBatch has a root element of
// its own [API Reference, ChangeResourceRecordSets: Errors].
func errorBody(r refusal) string {
	if r.code == "InvalidChangeBatch" {
		var b strings.Builder
		for _, m := range r.messages {
			b.WriteString("<Message>")
			_ = xml.EscapeText(&b, []byte(m))
			b.WriteString("</Message>")
		}
		return "<InvalidChangeBatch><Messages>" + b.String() + "</Messages><RequestId>1</RequestId></InvalidChangeBatch>"
	}
	return fmt.Sprintf("<ErrorResponse><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error><RequestId>1</RequestId></ErrorResponse>",
		r.code, strings.Join(r.messages, " "))
}

func (s *server) serve(req *http.Request, op string, body []byte) (any, *refusal) {
	q := req.URL.Query()
	parts := strings.Split(strings.TrimPrefix(req.URL.Path, "/2013-04-01/"), "/")
	switch op {
	case "ListHostedZonesByName":
		return s.listZones(q.Get("dnsname"))
	case "GetChange":
		return s.getChange(parts[1])
	case "GetHostedZone":
		return s.getZone(parts[1])
	case "ListResourceRecordSets":
		return s.list(parts[1], q.Get("name"), q.Get("type"), q.Get("identifier"), q.Get("maxitems"))
	}
	return s.write(req.Context(), parts[1], body)
}

func (s *server) xmlZone(z hostedZone) xmlZone {
	x := xmlZone{ID: "/hostedzone/" + z.id, Name: z.name + ".", CallerReference: "c", ResourceRecordSetCount: len(s.sets[z.id])}
	x.Config.PrivateZone = z.private
	return x
}

func (s *server) listZones(from string) (any, *refusal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	type response struct {
		XMLName     xml.Name  `xml:"ListHostedZonesByNameResponse"`
		HostedZones []xmlZone `xml:"HostedZones>HostedZone"`
		IsTruncated bool
		MaxItems    int
	}
	out := response{MaxItems: 100}
	sorted := slices.Clone(s.zones)
	slices.SortStableFunc(sorted, func(a, b hostedZone) int { return strings.Compare(order(a.name), order(b.name)) })
	for _, z := range sorted {
		if order(z.name) >= order(from) {
			out.HostedZones = append(out.HostedZones, s.xmlZone(z))
		}
	}
	return out, nil
}

func (s *server) getZone(id string) (any, *refusal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	type response struct {
		XMLName    xml.Name `xml:"GetHostedZoneResponse"`
		HostedZone xmlZone
	}
	for _, z := range s.zones {
		if z.id == id {
			return response{HostedZone: s.xmlZone(z)}, nil
		}
	}
	return nil, &refusal{404, "NoSuchHostedZone", []string{"No hosted zone found with ID: " + id}}
}

func (s *server) getChange(id string) (any, *refusal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	type response struct {
		XMLName    xml.Name `xml:"GetChangeResponse"`
		ChangeInfo xmlChangeInfo
	}
	at, ok := s.changes[id]
	if !ok {
		return nil, &refusal{404, "NoSuchChange", []string{"A change with the specified ID does not exist."}}
	}
	return response{ChangeInfo: s.info(id, at)}, nil
}

func (s *server) info(id string, at time.Time) xmlChangeInfo {
	i := xmlChangeInfo{ID: "/change/" + id, Status: "PENDING", SubmittedAt: at.UTC().Format(time.RFC3339)}
	if time.Since(at) >= s.settle {
		i.Status = "INSYNC"
	}
	return i
}

// order is the sorting key of a name: its labels reversed, with the last dot.
func order(name string) string {
	labels := strings.Split(strings.TrimSuffix(name, "."), ".")
	slices.Reverse(labels)
	return strings.Join(labels, ".") + "."
}

func (s *server) list(id, name, typ, identifier, most string) (any, *refusal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	type response struct {
		XMLName              xml.Name `xml:"ListResourceRecordSetsResponse"`
		ResourceRecordSets   []xmlSet `xml:"ResourceRecordSets>ResourceRecordSet"`
		IsTruncated          bool
		NextRecordName       string `xml:",omitempty"`
		NextRecordType       string `xml:",omitempty"`
		NextRecordIdentifier string `xml:",omitempty"`
		MaxItems             int
	}
	if _, ok := s.sets[id]; !ok {
		return nil, &refusal{404, "NoSuchHostedZone", []string{"No hosted zone found with ID: " + id}}
	}
	limit := 300
	if n, err := strconv.Atoi(most); err == nil && n > 0 {
		limit = min(n, 300)
	}
	out := response{MaxItems: limit}
	sets := slices.Clone(s.sets[id])
	key := func(x xmlSet) string { return order(x.Name) + " " + x.Type + " " + x.SetIdentifier }
	slices.SortFunc(sets, func(a, b xmlSet) int { return strings.Compare(key(a), key(b)) })
	from := ""
	if name != "" {
		from = order(unescape(clean(name))) + " " + typ + " " + identifier
	}
	for _, x := range sets {
		if from != "" && key(x) < strings.TrimRight(from, " ") {
			continue
		}
		shown := x
		shown.Name = escape(x.Name) + "."
		if len(out.ResourceRecordSets) == limit {
			out.IsTruncated, out.NextRecordName, out.NextRecordType, out.NextRecordIdentifier = true, shown.Name, x.Type, x.SetIdentifier
			break
		}
		out.ResourceRecordSets = append(out.ResourceRecordSets, shown)
	}
	return out, nil
}

func escape(name string) string {
	var b strings.Builder
	for _, c := range []byte(name) {
		if c == '-' || c == '_' || c == '.' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, `\%03o`, c)
		}
	}
	return b.String()
}

func (s *server) write(ctx context.Context, id string, body []byte) (any, *refusal) {
	var in struct {
		Changes []struct {
			Action            string
			ResourceRecordSet xmlSet
		} `xml:"ChangeBatch>Changes>Change"`
	}
	if err := xml.Unmarshal(body, &in); err != nil {
		return nil, &refusal{400, "InvalidInput", []string{err.Error()}}
	}
	s.mu.Lock()
	if s.busy[id] {
		s.mu.Unlock()
		return nil, &refusal{400, "PriorRequestNotComplete", []string{"The request was rejected because Route 53 was still processing a prior request."}}
	}
	s.busy[id] = true
	s.mu.Unlock()
	_ = providers.RealClock{}.Sleep(ctx, s.latency)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy[id] = false
	records, characters := 0, 0
	sets := slices.Clone(s.sets[id])
	var messages []string
	for _, c := range in.Changes {
		x := c.ResourceRecordSet
		x.Name = unescape(clean(x.Name))
		for _, v := range x.values() {
			records, characters = records+1, characters+len(v)
			if x.Name == s.denied {
				return nil, &refusal{403, "AccessDenied", []string{"User: arn:aws:iam::111122223333:user/dns is not authorized"}}
			}
			if v == "refused.example.net" {
				return nil, &refusal{400, "InvalidInput", []string{"Invalid value"}}
			}
		}
		var bad string
		if sets, bad = s.change(id, sets, c.Action, x); bad != "" {
			messages = append(messages, bad)
		}
	}
	if records > 1000 || characters > 32000 {
		messages = append(messages, "Number of records or characters limit exceeded")
	}
	if len(messages) > 0 {
		return nil, &refusal{400, "InvalidChangeBatch", messages}
	}
	s.sets[id] = sets
	change := fmt.Sprintf("C%d", len(s.changes)+1)
	s.changes[change] = time.Now()
	type response struct {
		XMLName    xml.Name `xml:"ChangeResourceRecordSetsResponse"`
		ChangeInfo xmlChangeInfo
	}
	return response{ChangeInfo: s.info(change, time.Now())}, nil
}

func (x xmlSet) values() []string {
	var vs []string
	if x.ResourceRecords != nil {
		for _, r := range x.ResourceRecords.ResourceRecord {
			vs = append(vs, clean(r.Value))
		}
	}
	slices.Sort(vs)
	return vs
}

// equal says whether a DELETE of x is one of what stands.
func (x xmlSet) equal(stands xmlSet) bool {
	if (x.AliasTarget == nil) != (stands.AliasTarget == nil) || (x.TTL == nil) != (stands.TTL == nil) {
		return false
	}
	if x.TTL != nil && *x.TTL != *stands.TTL {
		return false
	}
	if a, b := x.AliasTarget, stands.AliasTarget; a != nil {
		if a.HostedZoneID != b.HostedZoneID || clean(a.DNSName) != clean(b.DNSName) || a.EvaluateTargetHealth != b.EvaluateTargetHealth {
			return false
		}
	}
	return slices.Equal(x.raw(), stands.raw())
}

// raw are the values as they were written. Whether AWS compares them without
// regard to case and last dot is not documented, so here it does not.
func (x xmlSet) raw() []string {
	var vs []string
	if x.ResourceRecords != nil {
		for _, r := range x.ResourceRecords.ResourceRecord {
			vs = append(vs, r.Value)
		}
	}
	slices.Sort(vs)
	return vs
}

func (s *server) change(id string, sets []xmlSet, action string, x xmlSet) ([]xmlSet, string) {
	what := fmt.Sprintf("resource record set [name='%s.', type='%s']", x.Name, x.Type)
	zone := s.zones[slices.IndexFunc(s.zones, func(z hostedZone) bool { return z.id == id })]
	if !holds(zone.name, x.Name) {
		return sets, "RRSet with DNS name " + x.Name + ". is not permitted in zone " + zone.name + "."
	}
	at := slices.IndexFunc(sets, func(y xmlSet) bool {
		return y.Name == x.Name && y.Type == x.Type && y.SetIdentifier == x.SetIdentifier
	})
	if action == "DELETE" {
		switch {
		case at < 0:
			return sets, "Tried to delete " + what + " but it was not found"
		case !x.equal(sets[at]):
			return sets, "Tried to delete " + what + " but the values provided do not match the current values"
		}
		return slices.Delete(slices.Clone(sets), at, at+1), ""
	}
	if action != "CREATE" {
		return sets, "Invalid action " + action
	}
	if x.AliasTarget != nil && x.AliasTarget.HostedZoneID == "" {
		return sets, "alias without hosted zone"
	}
	for _, y := range sets {
		switch {
		case y.Name == x.Name && y.Type == x.Type:
			return sets, "Tried to create " + what + " but it already exists"
		case y.Name == x.Name && (y.Type == "CNAME") != (x.Type == "CNAME"):
			return sets, "RRSet of type " + x.Type + " with DNS name " + x.Name + ". is not permitted as it conflicts with other records with the same DNS name in zone " + zone.name + "."
		case x.Type == "CNAME" && x.Name == zone.name:
			return sets, "RRSet of type CNAME with DNS name " + x.Name + ". is not permitted at apex in zone " + zone.name + "."
		}
	}
	return append(sets, x), ""
}

// count is how often an operation was asked, in all with "".
func (s *server) count(op string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if op != "" {
		return s.counts[op]
	}
	n := 0
	for _, c := range s.counts {
		n += c
	}
	return n
}

// options are those of a provider of this server.
func (s *server) options(zones ...string) Options {
	return Options{Zones: zones, Clock: providers.RealClock{}, AWS: func(context.Context) (aws.Config, error) {
		return aws.Config{HTTPClient: &http.Client{Transport: s},
			Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", "")}, nil
	}}
}

func newProvider(t *testing.T, o Options) *route53DNS {
	t.Helper()
	d, err := newRoute53(o)
	if err != nil {
		t.Fatal(err)
	}
	return d.(*route53DNS)
}

// view is a server's zone as the conformance suite sees it.
type view struct {
	s        *server
	id, zone string
}

func (v view) Rows(t *testing.T) []providertest.Row {
	v.s.mu.Lock()
	defer v.s.mu.Unlock()
	var rows []providertest.Row
	for _, x := range v.s.sets[v.id] {
		r := providertest.Row{Name: x.Name, Type: x.Type, Values: x.values(), Weighted: x.Weight != nil}
		if x.TTL != nil {
			r.TTL = time.Duration(*x.TTL) * time.Second
		}
		if x.AliasTarget != nil {
			r.AliasTo = clean(x.AliasTarget.DNSName)
		}
		rows = append(rows, r)
	}
	return rows
}

func (v view) Put(t *testing.T, row providertest.Row) {
	v.Remove(t, row.Name, row.Type)
	x := simple(row.Name, row.Type, int64(row.TTL/time.Second), row.Values...)
	if row.Weighted {
		one := 1
		x.Weight, x.SetIdentifier = &one, "a"
	}
	if row.AliasTo != "" {
		x.TTL, x.ResourceRecords = nil, nil
		x.AliasTarget = &aliasTarget{HostedZoneID: cloudFrontZone, DNSName: row.AliasTo + "."}
	}
	v.s.mu.Lock()
	defer v.s.mu.Unlock()
	v.s.sets[v.id] = append(v.s.sets[v.id], x)
}

func (v view) Remove(t *testing.T, name, typ string) {
	v.s.mu.Lock()
	defer v.s.mu.Unlock()
	v.s.sets[v.id] = slices.DeleteFunc(v.s.sets[v.id], func(x xmlSet) bool { return x.Name == name && x.Type == typ })
}
