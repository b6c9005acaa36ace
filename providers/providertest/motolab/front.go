//go:build peers

package motolab

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/edgeward/edgeward/providers"
)

const namespace = `xmlns="http://cloudfront.amazonaws.com/doc/2020-05-31/"`

// managedPolicies starts the IDs of policies that AWS itself manages, which a
// distribution may name [CloudFront Developer Guide: Use managed cache
// policies].
var managedPolicies = []string{
	"658327ea-f89d-4fab-a63d-7e88639e58f6", "b2884449-e4de-46a7-ac36-70bc7f1ddd6d",
	"4135ea2d-6df8-44a3-9df3-4b5a84be39ad", "83da9c7e-98b4-4e11-a168-04f0df8e2c65",
	"4cc15a8a-d715-48a4-82b8-cc0b614638fe",
}

// front answers what moto cannot.
type front struct {
	moto   string
	proxy  *httputil.ReverseProxy
	deploy atomic.Int64 // a time.Duration

	// atomic is what AtomicChanges sets; zones then keeps lists out of the middle
	// of a batch.
	atomic atomic.Bool
	zones  sync.RWMutex
	puts   sync.Mutex

	mu            sync.Mutex
	distributions []*distribution // in the order of their creation
	policies      []*cachePolicy
	version       int
	tags          map[string][]tag // moto's, by ARN
}

type distribution struct {
	id, arn, domain, etag string
	config                []byte // inside of DistributionConfig, as it was sent
	changed               time.Time
}

type cachePolicy struct {
	id, name string
	config   []byte
}

type tag struct{ Key, Value string }

func newFront(moto string, proxy *httputil.ReverseProxy) *front {
	return &front{moto: moto, proxy: proxy, tags: map[string][]tag{}}
}

// inner is the text inside of an element.
type inner struct {
	Text []byte `xml:",innerxml"`
}

// part is what the front itself reads of a DistributionConfig.
type part struct {
	CallerReference string
	Enabled         bool
	Aliases         []string `xml:"Aliases>Items>CNAME"`
	Policy          string   `xml:"DefaultCacheBehavior>CachePolicyId"`
}

func parse(config []byte) (part, error) {
	var p part
	err := xml.Unmarshal(slices.Concat([]byte("<c>"), config, []byte("</c>")), &p)
	return p, err
}

func (f *front) serve(w http.ResponseWriter, r *http.Request, op string, body []byte) {
	id := strings.Split(strings.TrimPrefix(r.URL.Path, "/2020-05-31/distribution/"), "/")[0]
	switch op {
	case "CreateDistributionWithTags", "CreateDistribution":
		f.create(w, r, op, body)
	case "UpdateDistribution":
		f.update(w, r, id, body)
	case "DeleteDistribution":
		f.remove(w, r, id)
	case "GetDistribution", "GetDistributionConfig":
		f.get(w, r, op, id)
	case "ListDistributions":
		f.list(w, r)
	case "CreateCachePolicy":
		f.createPolicy(w, body)
	case "ListCachePolicies":
		f.listPolicies(w, r)
	case "GetCachePolicy":
		f.getPolicy(w, strings.TrimPrefix(r.URL.Path, "/2020-05-31/cache-policy/"))
	case "GetResources":
		f.resources(w, r, body)
	case "GetBucketRequestPayment":
		answer(w, http.StatusOK, "", `<RequestPaymentConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Payer>BucketOwner</Payer></RequestPaymentConfiguration>`)
	case "GetAWSDefaultServiceQuota":
		f.defaultQuota(w, body)
	case "GetBucketPolicyStatus":
		f.policyStatus(w, r)
	case "PutObject":
		f.puts.Lock()
		defer f.puts.Unlock()
		f.proxy.ServeHTTP(w, r)
	case "HeadObject":
		w.Header().Set("X-Amz-Request-Id", "LAB")
		f.proxy.ServeHTTP(w, r)
	case "ChangeResourceRecordSets":
		if !f.atomic.Load() {
			f.proxy.ServeHTTP(w, r)
			return
		}
		f.changeRecords(w, r, body)
	case "ListResourceRecordSets":
		f.zones.RLock()
		defer f.zones.RUnlock()
		f.proxy.ServeHTTP(w, r)
	case "TagResource", "UntagResource":
		f.proxy.ServeHTTP(w, r)
		f.mu.Lock()
		delete(f.tags, r.URL.Query().Get("Resource"))
		f.mu.Unlock()
	default:
		f.proxy.ServeHTTP(w, r)
	}
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "text/xml")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `<?xml version="1.0"?><ErrorResponse %s><Error><Type>Sender</Type><Code>%s</Code><Message>%s</Message></Error><RequestId>lab</RequestId></ErrorResponse>`, namespace, code, message)
}

func answer(w http.ResponseWriter, status int, etag, text string) {
	w.Header().Set("Content-Type", "text/xml")
	if etag != "" {
		w.Header().Set("ETag", etag)
	}
	w.WriteHeader(status)
	_, _ = fmt.Fprint(w, `<?xml version="1.0"?>`+text)
}

// taken is the alias of a configuration that another distribution has, or "".
func (f *front) taken(p part, own string) string {
	for _, d := range f.distributions {
		other, err := parse(d.config)
		if err != nil || d.id == own {
			continue
		}
		for _, a := range p.Aliases {
			if slices.Contains(other.Aliases, a) {
				return a
			}
		}
	}
	return ""
}

// acceptable refuses what CloudFront would and moto does not.
func (f *front) acceptable(w http.ResponseWriter, p part, own string) bool {
	if a := f.taken(p, own); a != "" {
		refuse(w, http.StatusConflict, "CNAMEAlreadyExists", "One or more of the CNAMEs you provided are already associated with a different resource.")
		return false
	}
	known := p.Policy == "" || slices.Contains(managedPolicies, p.Policy) ||
		slices.ContainsFunc(f.policies, func(c *cachePolicy) bool { return c.id == p.Policy })
	if !known {
		refuse(w, http.StatusNotFound, "NoSuchCachePolicy", "The specified cache policy does not exist.")
	}
	return known
}

func (f *front) nextETag() string {
	f.version++
	return fmt.Sprintf("ELAB%08d", f.version)
}

func (f *front) create(w http.ResponseWriter, r *http.Request, op string, body []byte) {
	var sent inner
	var tagged struct{ DistributionConfig inner }
	err := xml.Unmarshal(body, &sent)
	if op == "CreateDistributionWithTags" {
		err = xml.Unmarshal(body, &tagged)
		sent = tagged.DistributionConfig
	}
	p, perr := parse(sent.Text)
	if err != nil || perr != nil {
		refuse(w, http.StatusBadRequest, "MalformedXML", "The XML document is malformed.")
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	// CloudFront says first that the caller reference was used; that is moto's
	// to find out, with no alias in the way.
	used := slices.ContainsFunc(f.distributions, func(d *distribution) bool {
		other, _ := parse(d.config)
		return other.CallerReference == p.CallerReference
	})
	if !used && !f.acceptable(w, p, "") {
		return
	}
	resp, text, err := f.ask(r.Context(), "cloudfront", r.Method, r.URL.RequestURI(), nil, body)
	if err != nil || resp.StatusCode != http.StatusCreated {
		relay(w, resp, text, err)
		return
	}
	var made struct {
		ID         string `xml:"Id"`
		ARN        string
		DomainName string
	}
	if err := xml.Unmarshal(text, &made); err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	d := &distribution{
		id: made.ID, arn: made.ARN, domain: made.DomainName, etag: f.nextETag(),
		config: sent.Text, changed: providers.RealClock{}.Now(),
	}
	f.distributions = append(f.distributions, d)
	answer(w, http.StatusCreated, d.etag, d.xml(f.status(d, "InProgress")))
}

func relay(w http.ResponseWriter, resp *http.Response, body []byte, err error) {
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	w.Header().Set("Content-Type", resp.Header.Get("Content-Type"))
	w.WriteHeader(resp.StatusCode)
	_, _ = w.Write(body)
}

// status is moto's, or InProgress while our own deployment time runs.
func (f *front) status(d *distribution, moto string) string {
	if (providers.RealClock{}).Now().Sub(d.changed) < time.Duration(f.deploy.Load()) {
		return "InProgress"
	}
	return moto
}

func (d *distribution) xml(status string) string {
	return fmt.Sprintf(`<Distribution %s><Id>%s</Id><ARN>%s</ARN><Status>%s</Status><LastModifiedTime>%s</LastModifiedTime>`+
		`<InProgressInvalidationBatches>0</InProgressInvalidationBatches><DomainName>%s</DomainName>`+
		`<ActiveTrustedSigners><Enabled>false</Enabled><Quantity>0</Quantity></ActiveTrustedSigners>`+
		`<ActiveTrustedKeyGroups><Enabled>false</Enabled><Quantity>0</Quantity></ActiveTrustedKeyGroups>`+
		`<DistributionConfig>%s</DistributionConfig></Distribution>`,
		namespace, d.id, d.arn, status, d.changed.UTC().Format(time.RFC3339), d.domain, d.config)
}

// summaryParts are the elements of a DistributionConfig that a row of
// ListDistributions has too.
var summaryParts = []string{
	"Aliases", "Origins", "OriginGroups", "DefaultCacheBehavior", "CacheBehaviors", "CustomErrorResponses",
	"Comment", "PriceClass", "Enabled", "ViewerCertificate", "Restrictions", "WebACLId", "HttpVersion",
	"IsIPV6Enabled", "Staging",
}

func (d *distribution) summary(status string) string {
	var all struct {
		Parts []struct {
			XMLName xml.Name
			Text    []byte `xml:",innerxml"`
		} `xml:",any"`
	}
	if err := xml.Unmarshal(slices.Concat([]byte("<c>"), d.config, []byte("</c>")), &all); err != nil {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<DistributionSummary><Id>%s</Id><ARN>%s</ARN><ETag>%s</ETag><Status>%s</Status><LastModifiedTime>%s</LastModifiedTime><DomainName>%s</DomainName>`,
		d.id, d.arn, d.etag, status, d.changed.UTC().Format(time.RFC3339), d.domain)
	for _, p := range all.Parts {
		if name := p.XMLName.Local; slices.Contains(summaryParts, name) {
			fmt.Fprintf(&b, "<%s>%s</%s>", name, p.Text, name)
		}
	}
	b.WriteString("</DistributionSummary>")
	return b.String()
}

func (f *front) find(id string) *distribution {
	for _, d := range f.distributions {
		if d.id == id {
			return d
		}
	}
	return nil
}

func (f *front) get(w http.ResponseWriter, r *http.Request, op, id string) {
	resp, text, err := f.ask(r.Context(), "cloudfront", http.MethodGet, "/2020-05-31/distribution/"+id, nil, nil)
	f.mu.Lock()
	defer f.mu.Unlock()
	d := f.find(id)
	if err != nil || resp.StatusCode != http.StatusOK || d == nil {
		relay(w, resp, text, err)
		return
	}
	if op == "GetDistributionConfig" {
		answer(w, http.StatusOK, d.etag, fmt.Sprintf("<DistributionConfig %s>%s</DistributionConfig>", namespace, d.config))
		return
	}
	var now struct{ Status string }
	if err := xml.Unmarshal(text, &now); err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	answer(w, http.StatusOK, d.etag, d.xml(f.status(d, now.Status)))
}

// matches checks If-Match and refuses as CloudFront does.
func (d *distribution) matches(w http.ResponseWriter, r *http.Request) bool {
	switch have := r.Header.Get("If-Match"); {
	case d == nil:
		refuse(w, http.StatusNotFound, "NoSuchDistribution", "The specified distribution does not exist.")
	case have == "":
		refuse(w, http.StatusBadRequest, "InvalidIfMatchVersion", "The If-Match version is missing or not valid for the resource.")
	case have != d.etag:
		refuse(w, http.StatusPreconditionFailed, "PreconditionFailed", "The request failed because it didn't meet the preconditions in one or more request-header fields.")
	default:
		return true
	}
	return false
}

func (f *front) update(w http.ResponseWriter, r *http.Request, id string, body []byte) {
	var sent inner
	err := xml.Unmarshal(body, &sent)
	p, perr := parse(sent.Text)
	if err != nil || perr != nil {
		refuse(w, http.StatusBadRequest, "MalformedXML", "The XML document is malformed.")
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	d := f.find(id)
	if !d.matches(w, r) {
		return
	}
	if old, _ := parse(d.config); old.CallerReference != p.CallerReference {
		refuse(w, http.StatusBadRequest, "IllegalUpdate", "The update contains modifications that are not allowed.")
		return
	}
	if !f.acceptable(w, p, id) {
		return
	}
	resp, text, err := f.ask(r.Context(), "cloudfront", r.Method, r.URL.RequestURI(), http.Header{"If-Match": {"lab"}}, body)
	if err != nil || resp.StatusCode != http.StatusOK {
		relay(w, resp, text, err)
		return
	}
	d.config, d.etag, d.changed = sent.Text, f.nextETag(), providers.RealClock{}.Now()
	answer(w, http.StatusOK, d.etag, d.xml(f.status(d, "Deployed")))
}

func (f *front) remove(w http.ResponseWriter, r *http.Request, id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	d := f.find(id)
	if !d.matches(w, r) {
		return
	}
	if p, _ := parse(d.config); p.Enabled {
		refuse(w, http.StatusConflict, "DistributionNotDisabled", "The specified CloudFront distribution is not disabled.")
		return
	}
	resp, text, err := f.ask(r.Context(), "cloudfront", r.Method, r.URL.RequestURI(), http.Header{"If-Match": {"lab"}}, nil)
	if err == nil && resp.StatusCode == http.StatusNoContent {
		f.distributions = slices.DeleteFunc(f.distributions, func(o *distribution) bool { return o == d })
	}
	relay(w, resp, text, err)
}

// statuses are moto's, by ID. The edges have what the front knows.
func (f *front) statuses(r *http.Request) (map[string]string, error) {
	status := map[string]string{}
	if r.Header.Get(ownHeader) != "" {
		f.mu.Lock()
		defer f.mu.Unlock()
		for _, d := range f.distributions {
			status[d.id] = providers.Deployed
		}
		return status, nil
	}
	_, text, err := f.ask(r.Context(), "cloudfront", http.MethodGet, "/2020-05-31/distribution", nil, nil)
	var moto struct {
		Rows []struct {
			ID     string `xml:"Id"`
			Status string
		} `xml:"Items>DistributionSummary"`
	}
	if err == nil {
		err = xml.Unmarshal(text, &moto)
	}
	for _, row := range moto.Rows {
		status[row.ID] = row.Status
	}
	return status, err
}

func (f *front) list(w http.ResponseWriter, r *http.Request) {
	status, err := f.statuses(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	from, size := page(r.URL.Query().Get("Marker"), r.URL.Query().Get("MaxItems"))
	to := min(from+size, len(f.distributions))
	var rows strings.Builder
	shown := 0
	for _, d := range f.distributions[min(from, to):to] {
		if status[d.id] != "" {
			rows.WriteString(d.summary(f.status(d, status[d.id])))
			shown++
		}
	}
	next := ""
	if to < len(f.distributions) {
		next = fmt.Sprintf("<NextMarker>%d</NextMarker>", to)
	}
	answer(w, http.StatusOK, "", fmt.Sprintf(`<DistributionList %s><Marker></Marker>%s<MaxItems>%d</MaxItems><IsTruncated>%t</IsTruncated><Quantity>%d</Quantity><Items>%s</Items></DistributionList>`,
		namespace, next, size, next != "", shown, rows.String()))
}

// page reads a marker and a page's size, at most 100.
func page(marker, size string) (from, n int) {
	from, _ = strconv.Atoi(marker)
	if n, _ = strconv.Atoi(size); n <= 0 || n > 100 {
		n = 100
	}
	return from, n
}

func (p *cachePolicy) xml() string {
	return fmt.Sprintf(`<CachePolicy %s><Id>%s</Id><LastModifiedTime>2026-01-01T00:00:00Z</LastModifiedTime><CachePolicyConfig>%s</CachePolicyConfig></CachePolicy>`,
		namespace, p.id, p.config)
}

func (f *front) createPolicy(w http.ResponseWriter, body []byte) {
	var sent inner
	var named struct{ Name string }
	if xml.Unmarshal(body, &sent) != nil || xml.Unmarshal(body, &named) != nil {
		refuse(w, http.StatusBadRequest, "MalformedXML", "The XML document is malformed.")
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if slices.ContainsFunc(f.policies, func(p *cachePolicy) bool { return p.name == named.Name }) {
		refuse(w, http.StatusConflict, "CachePolicyAlreadyExists", "A cache policy with this name already exists.")
		return
	}
	if len(f.policies) == 20 {
		refuse(w, http.StatusBadRequest, "TooManyCachePolicies", "You have reached the maximum number of cache policies for this AWS account.")
		return
	}
	p := &cachePolicy{id: fmt.Sprintf("00000000-0000-4000-8000-%012d", len(f.policies)+1), name: named.Name, config: sent.Text}
	f.policies = append(f.policies, p)
	answer(w, http.StatusCreated, "ELABPOLICY", p.xml())
}

func (f *front) listPolicies(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	from, size := page(r.URL.Query().Get("Marker"), r.URL.Query().Get("MaxItems"))
	to := min(from+size, len(f.policies))
	var rows strings.Builder
	for _, p := range f.policies[min(from, to):to] {
		rows.WriteString("<CachePolicySummary><Type>custom</Type>" + p.xml() + "</CachePolicySummary>")
	}
	next := ""
	if to < len(f.policies) {
		next = fmt.Sprintf("<NextMarker>%d</NextMarker>", to)
	}
	answer(w, http.StatusOK, "", fmt.Sprintf(`<CachePolicyList %s>%s<MaxItems>%d</MaxItems><Quantity>%d</Quantity><Items>%s</Items></CachePolicyList>`,
		namespace, next, size, to-min(from, to), rows.String()))
}

func (f *front) getPolicy(w http.ResponseWriter, id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range f.policies {
		if p.id == id {
			answer(w, http.StatusOK, "ELABPOLICY", p.xml())
			return
		}
	}
	if settings, ok := managedSettings()[id]; ok {
		p := &cachePolicy{id: id, config: []byte(settings)}
		answer(w, http.StatusOK, "EAWSPOLICY", p.xml())
		return
	}
	refuse(w, http.StatusNotFound, "NoSuchCachePolicy", "The cache policy does not exist.")
}

// managedSettings are the configurations of two of AWS's own policies [CloudFront
// Developer Guide: Use managed cache policies].
func managedSettings() map[string]string {
	const form = `<Name>Managed-%s</Name><Comment></Comment><MinTTL>%d</MinTTL><DefaultTTL>%d</DefaultTTL><MaxTTL>%d</MaxTTL><ParametersInCacheKeyAndForwardedToOrigin><EnableAcceptEncodingGzip>%t</EnableAcceptEncodingGzip><EnableAcceptEncodingBrotli>%[5]t</EnableAcceptEncodingBrotli><HeadersConfig><HeaderBehavior>none</HeaderBehavior></HeadersConfig><CookiesConfig><CookieBehavior>none</CookieBehavior></CookiesConfig><QueryStringsConfig><QueryStringBehavior>none</QueryStringBehavior></QueryStringsConfig></ParametersInCacheKeyAndForwardedToOrigin>`
	return map[string]string{
		managedPolicies[0]: fmt.Sprintf(form, "CachingOptimized", 1, 86400, 31536000, true),
		managedPolicies[2]: fmt.Sprintf(form, "CachingDisabled", 0, 0, 0, false),
	}
}

// tagsOf are moto's tags of a distribution; f.mu is held.
func (f *front) tagsOf(ctx context.Context, arn string) ([]tag, error) {
	if have, ok := f.tags[arn]; ok {
		return have, nil
	}
	_, text, err := f.ask(ctx, "cloudfront", http.MethodGet, "/2020-05-31/tagging?Resource="+url.QueryEscape(arn), nil, nil)
	var got struct {
		Tags []tag `xml:"Items>Tag"`
	}
	if err == nil {
		err = xml.Unmarshal(text, &got)
	}
	if err == nil {
		f.tags[arn] = got.Tags
	}
	return got.Tags, err
}

func (f *front) resources(w http.ResponseWriter, r *http.Request, body []byte) {
	var asked struct {
		ResourceTypeFilters []string
		TagFilters          []struct {
			Key    string
			Values []string
		}
		ResourcesPerPage int
		PaginationToken  string
	}
	if err := json.Unmarshal(body, &asked); err != nil || !slices.Equal(asked.ResourceTypeFilters, []string{"cloudfront:distribution"}) {
		http.Error(w, `{"__type":"InvalidParameterException","message":"the lab knows distributions only"}`, http.StatusBadRequest)
		return
	}
	type mapping struct {
		ResourceARN string
		Tags        []tag
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	all := []mapping{}
	for _, d := range f.distributions {
		tags, err := f.tagsOf(r.Context(), d.arn)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		fits := true
		for _, want := range asked.TagFilters {
			fits = fits && slices.ContainsFunc(tags, func(t tag) bool {
				return t.Key == want.Key && (len(want.Values) == 0 || slices.Contains(want.Values, t.Value))
			})
		}
		if fits {
			all = append(all, mapping{d.arn, tags})
		}
	}
	from, size := page(asked.PaginationToken, strconv.Itoa(asked.ResourcesPerPage))
	to := min(from+size, len(all))
	next := ""
	if to < len(all) {
		next = strconv.Itoa(to)
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	_ = json.NewEncoder(w).Encode(map[string]any{"PaginationToken": next, "ResourceTagMappingList": all[min(from, to):to]})
}

func (f *front) policyStatus(w http.ResponseWriter, r *http.Request) {
	bucket := strings.Trim(r.URL.Path, "/")
	resp, text, err := f.ask(r.Context(), "s3", http.MethodGet, "/"+bucket+"?policy", nil, nil)
	if err != nil || resp.StatusCode != http.StatusOK {
		relay(w, resp, text, err)
		return
	}
	var policy struct{ Statement json.RawMessage }
	type statement struct {
		Effect    string
		Principal any
		Condition map[string]any
	}
	var all []statement
	if err := json.Unmarshal(text, &policy); err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	if json.Unmarshal(policy.Statement, &all) != nil {
		var one statement
		if err := json.Unmarshal(policy.Statement, &one); err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		all = []statement{one}
	}
	public := slices.ContainsFunc(all, func(s statement) bool {
		who, _ := s.Principal.(map[string]any)
		return s.Effect == "Allow" && len(s.Condition) == 0 && (s.Principal == "*" || who["AWS"] == "*")
	})
	answer(w, http.StatusOK, "", fmt.Sprintf(`<PolicyStatus xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><IsPublic>%t</IsPublic></PolicyStatus>`, public))
}
