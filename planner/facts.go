package planner

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/edgeward/edgeward/providers"
)

// Fact is one thing that was observed of a bucket and that a plan stands on
// (rule 3): a record, a managed field of the distribution, the certificate, a
// setting of S3. Never an ETag, a status, a resolver's answer, a time, a metric.
type Fact struct {
	// Name is the path that a change of it has in a step, such as "record
	// assets.example.com" or "viewer_protocol"; S3's settings have names of their
	// own, such as "bucket policy".
	Name string `json:"name"`
	// Value is what it was; "" is absent. What is long is a digest.
	Value string `json:"value"`
}

// facts are what was observed, in a stable order. What was not looked at is
// left out.
func facts(a Actual) []Fact {
	var fs []Fact
	add := func(name, value string) { fs = append(fs, Fact{name, value}) }
	for _, n := range a.Names {
		if n.CNAME.Name != "" {
			add(recordPath(n.CNAME.Name), showRecords(n.Set.Records))
		}
	}
	if a.Retry {
		add(factHold, a.Crumbs[crumbHold])
	}
	if a.Dist == nil {
		cert := ""
		if a.Chosen != nil {
			cert = a.Chosen.ARN
		}
		add("distribution", "")
		add(string(providers.FieldCertificate), cert)
		return append(fs, bucketFacts(a.Bucket, nil)...)
	}
	add("distribution", a.Dist.ID+" "+a.Dist.Domain)
	for _, f := range settingFields() {
		if (f == providers.FieldDefaultRootObject || f == providers.FieldLogging) && !a.Dist.SettingsFull {
			continue
		}
		add(string(f), show(a.Dist.Settings, f, a))
	}
	return append(fs, bucketFacts(a.Bucket, a.Dist)...)
}

// factHold is the way back that -retry lifts: that one, and none begun since.
const factHold = "hold"

// settingFields are all managed fields, in the order that plans show.
func settingFields() []providers.Field {
	return []providers.Field{
		providers.FieldEnabled, providers.FieldAliases, providers.FieldCertificate, providers.FieldMinimumTLS,
		providers.FieldOrigin, providers.FieldViewerProtocol, providers.FieldMethods, providers.FieldPriceClass,
		providers.FieldHTTPVersion, providers.FieldIPv6, providers.FieldCompress, providers.FieldCachePolicy,
		providers.FieldOriginRequest, providers.FieldResponseHeaders, providers.FieldWebACL,
		providers.FieldDefaultRootObject, providers.FieldLogging, providers.FieldOriginAccess,
	}
}

func bucketFacts(s *providers.Bucket, d *providers.Distribution) []Fact {
	if s == nil {
		return nil
	}
	return []Fact{
		{"bucket region", s.Region},
		{"bucket policy", factDigest(policyWithout(s.Policy, d))},
		{pathBlock, blockWords(s.Block)},
		{"bucket ACLs", onOff(s.ACLsEnabled)},
		{"bucket requester pays", onOff(s.RequesterPays)},
		{"bucket website", factDigest(s.Website)},
		{"bucket CORS rules", factDigest(s.CORS)},
	}
}

// meaning is a policy without the spaces and the order of keys that S3 may
// write differently.
func meaning(policy string) any {
	var v any
	if json.Unmarshal([]byte(policy), &v) != nil {
		return policy
	}
	return v
}

// factDigest stands for a setting that is too long to show; "" for none.
func factDigest(v any) string {
	text, err := json.Marshal(v)
	switch string(text) {
	case "null", `""`, "[]":
		return ""
	}
	if err != nil {
		return ""
	}
	return "sha256:" + digest(string(text))[:16]
}

func onOff(b bool) string {
	if b {
		return "on"
	}
	return "off"
}

func blockWords(p providers.PublicAccessBlock) string {
	var on []string
	for _, f := range []struct {
		set  bool
		name string
	}{
		{p.BlockPublicACLs, "BlockPublicAcls"}, {p.IgnorePublicACLs, "IgnorePublicAcls"},
		{p.BlockPublicPolicy, "BlockPublicPolicy"}, {p.RestrictPublicBuckets, "RestrictPublicBuckets"},
	} {
		if f.set {
			on = append(on, f.name)
		}
	}
	if on == nil {
		return "off"
	}
	return strings.Join(on, ", ")
}

// fingerprint is a digest of the facts.
func fingerprint(fs []Fact) string { return digest(fmt.Sprintf("%q", fs))[:16] }

// MovedError says that a fact is not what it was when the plan was saved.
type MovedError struct {
	Fact     string
	Old, New string
}

func (e *MovedError) Error() string {
	return fmt.Sprintf("%s is %s now, but was %s when the plan was saved", e.Fact, quoted(e.New), quoted(e.Old))
}

// Hint says what to do.
func (e *MovedError) Hint() string {
	return "look at who changed it; then save a new plan: edgeward plan -out=FILE"
}

func quoted(s string) string {
	if s == "" {
		return "absent"
	}
	return fmt.Sprintf("%q", s)
}

// moved is the first fact that is neither what it was nor what an approved step
// of the same bucket was to make of it: our own progress is never stale (rule
// 2). What was not looked at on one of the two occasions has not moved.
func moved(saved, live []Fact, steps []Step) *MovedError {
	now := map[string]string{}
	for _, f := range live {
		now[f.Name] = f.Value
	}
	_, domain, _ := strings.Cut(now["distribution"], " ")
	for _, f := range saved {
		v, known := now[f.Name]
		if known && v != f.Value && !progress(f.Name, v, domain, steps) {
			return &MovedError{Fact: f.Name, Old: f.Value, New: v}
		}
	}
	return nil
}

// progress says whether value is what an approved step makes of a fact. domain
// is the live distribution's, and no other will do where a plan could not know
// it yet.
func progress(name, value, domain string, steps []Step) bool {
	const unknown = "(known after " + string(DistributionCreate) + ")"
	if name == factHold && value == "" {
		return true // lifted
	}
	for _, s := range steps {
		if name == "distribution" && s.Kind == DistributionCreate && s.Action == Create && value != "" {
			return true
		}
		for _, c := range s.Changes {
			after := c.After
			if domain != "" {
				after = strings.ReplaceAll(after, unknown, domain)
			}
			if c.Path == name && after != "" && !strings.Contains(after, unknown) && fits(after, value) {
				return true
			}
		}
	}
	return false
}
