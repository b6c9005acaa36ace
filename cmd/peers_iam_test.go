//go:build peers

package cmd_test

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/edgeward/edgeward/providers/providertest/motolab"
)

// edgewardKey is the access key of the role that edgeward has: only its requests
// are judged, and not those of the test.
const edgewardKey = "edgewardrolekey"

// policy is an IAM policy as AWS would read it.
type policy struct {
	Statement []struct {
		Sid, Effect      string
		Action, Resource []string
		Condition        map[string]map[string][]string
	}
}

// right is one thing that a request must be allowed to do, with the condition keys
// that it has [Service Authorization Reference; written here once more, apart from
// the tables of the adapters].
type right struct {
	action, resource string
	keys             map[string][]string
}

// allows evaluates the policy [IAM User Guide: Policy evaluation logic; ForAllValues
// is true without a value].
func (p policy) allows(r right) bool {
	return slices.ContainsFunc(p.Statement, func(s struct {
		Sid, Effect      string
		Action, Resource []string
		Condition        map[string]map[string][]string
	}) bool {
		like := func(patterns []string, v string) bool {
			return slices.ContainsFunc(patterns, func(p string) bool { return wild(p, v) })
		}
		if s.Effect != "Allow" || !like(s.Action, r.action) || !like(s.Resource, r.resource) {
			return false
		}
		for operator, tests := range s.Condition {
			for key, want := range tests {
				have, all := r.keys[key], strings.HasPrefix(operator, "ForAllValues:")
				if len(have) == 0 && !all {
					return false
				}
				for _, v := range have {
					if strings.HasSuffix(operator, "Like") && !like(want, v) || strings.HasSuffix(operator, "Equals") && !slices.Contains(want, v) {
						return false
					}
				}
			}
		}
		return true
	})
}

// wild matches * as IAM does: any characters, slashes too.
func wild(pattern, v string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == v
	}
	if !strings.HasPrefix(v, parts[0]) {
		return false
	}
	v = v[len(parts[0]):]
	for _, p := range parts[1 : len(parts)-1] {
		i := strings.Index(v, p)
		if i < 0 {
			return false
		}
		v = v[i+len(p):]
	}
	return strings.HasSuffix(v, parts[len(parts)-1])
}

// rights are what a request needs.
func rights(t *testing.T, w *world, op string, r *http.Request, body []byte) []right {
	const cloudfront, acm = "arn:aws:cloudfront::" + motolab.Account + ":", "arn:aws:acm:us-east-1:" + motolab.Account + ":"
	last := path.Base(strings.TrimSuffix(r.URL.Path, "/config"))
	switch op {
	case "GetCallerIdentity", "HeadBucket":
		return nil // nothing is needed, or its refusal is answer enough
	case "ListDistributions", "ListCachePolicies", "CreateCachePolicy":
		return []right{{"cloudfront:" + op, "*", nil}}
	case "GetDistribution", "GetDistributionConfig":
		return []right{{"cloudfront:" + op, cloudfront + "distribution/" + last, nil}}
	case "GetCachePolicy":
		return []right{{"cloudfront:" + op, cloudfront + "cache-policy/" + last, nil}}
	case "ListTagsForResource":
		// moto's ARNs of distributions have a colon too few.
		return []right{{"cloudfront:" + op, cloudfront + "distribution/" + path.Base(r.URL.Query().Get("Resource")), nil}}
	case "TagResource":
		return []right{{"cloudfront:" + op, cloudfront + "distribution/" + path.Base(r.URL.Query().Get("Resource")), tagKeys(t, body)}}
	case "CreateDistributionWithTags":
		return []right{{"cloudfront:CreateDistribution", "*", tagKeys(t, body)}, {"cloudfront:TagResource", cloudfront + "distribution/ENEW", tagKeys(t, body)}}
	case "UpdateDistribution":
		return []right{{"cloudfront:" + op, cloudfront + "distribution/" + last, w.tagsOf(t, last)}}
	case "GetResources":
		return []right{{"tag:" + op, "*", nil}}
	case "GetServiceQuota", "GetAWSDefaultServiceQuota":
		return []right{{"servicequotas:" + op, "*", nil}}
	case "GetMetricData":
		return []right{{"cloudwatch:" + op, "*", nil}}
	case "ListCertificates":
		return []right{{"acm:" + op, "*", nil}}
	case "DescribeCertificate", "ListTagsForCertificate":
		return []right{{"acm:" + op, field(t, body, "CertificateArn"), nil}}
	case "RequestCertificate":
		return requestRights(t, body, acm)
	case "ListHostedZonesByName":
		return []right{{"route53:" + op, "*", nil}}
	case "ListResourceRecordSets":
		return []right{{"route53:" + op, "arn:aws:route53:::hostedzone/" + strings.Split(r.URL.Path, "/")[3], nil}}
	case "ChangeResourceRecordSets":
		return []right{{"route53:" + op, "arn:aws:route53:::hostedzone/" + strings.Split(r.URL.Path, "/")[3], recordKeys(t, body)}}
	case "GetChange":
		return []right{{"route53:" + op, "arn:aws:route53:::change/" + last, nil}}
	}
	bucket, key, _ := strings.Cut(strings.Trim(r.URL.Path, "/"), "/")
	bucket = "arn:aws:s3:::" + bucket
	switch op {
	case "ListObjectsV2":
		return []right{{"s3:ListBucket", bucket, nil}}
	case "GetObject", "HeadObject":
		return []right{{"s3:GetObject", bucket + "/" + key, nil}, {"s3:ListBucket", bucket, nil}} // 404 needs the second
	case "PutObject":
		return []right{{"s3:PutObject", bucket + "/" + key, nil}}
	case "GetPublicAccessBlock":
		return []right{{"s3:GetBucketPublicAccessBlock", bucket, nil}}
	case "GetBucketMetricsConfiguration":
		return []right{{"s3:GetMetricsConfiguration", bucket, nil}}
	case "GetBucketCors":
		return []right{{"s3:GetBucketCORS", bucket, nil}}
	}
	if strings.HasPrefix(op, "GetBucket") {
		return []right{{"s3:" + op, bucket, nil}}
	}
	return []right{{"unknown:" + op, r.Method + " " + r.URL.Path, nil}}
}

func field(t *testing.T, body []byte, name string) string {
	var all map[string]any
	if err := json.Unmarshal(body, &all); err != nil {
		t.Error(err)
	}
	s, _ := all[name].(string)
	return s
}

func requestRights(t *testing.T, body []byte, acm string) []right {
	var in struct {
		DomainName, ValidationMethod string
		SubjectAlternativeNames      []string
		Tags                         []struct{ Key, Value string }
	}
	if err := json.Unmarshal(body, &in); err != nil {
		t.Error(err)
	}
	keys := map[string][]string{"acm:DomainNames": append(in.SubjectAlternativeNames, in.DomainName), "acm:ValidationMethod": {in.ValidationMethod}}
	for _, tag := range in.Tags {
		keys["aws:TagKeys"] = append(keys["aws:TagKeys"], tag.Key)
	}
	return []right{{"acm:RequestCertificate", "*", keys}, {"acm:AddTagsToCertificate", acm + "certificate/new", keys}}
}

// tagKeys are the condition keys of the tags in a request to CloudFront.
func tagKeys(t *testing.T, body []byte) map[string][]string {
	type tags struct {
		Items []struct{ Key, Value string } `xml:"Items>Tag"`
	}
	var in struct {
		tags
		Tags tags
	}
	if err := xml.Unmarshal(body, &in); err != nil {
		t.Error(err)
	}
	keys := map[string][]string{}
	for _, tag := range slices.Concat(in.Items, in.Tags.Items) {
		keys["aws:TagKeys"] = append(keys["aws:TagKeys"], tag.Key)
		keys["aws:RequestTag/"+tag.Key] = []string{tag.Value}
	}
	if len(keys) == 0 {
		t.Errorf("no tags in %s", body)
	}
	return keys
}

func recordKeys(t *testing.T, body []byte) map[string][]string {
	var in struct {
		Changes []struct {
			Action string
			Set    struct{ Name, Type string } `xml:"ResourceRecordSet"`
		} `xml:"ChangeBatch>Changes>Change"`
	}
	if err := xml.Unmarshal(body, &in); err != nil || len(in.Changes) == 0 {
		t.Errorf("changes %s: %v", body, err)
	}
	const key = "route53:ChangeResourceRecordSets"
	keys := map[string][]string{}
	for _, c := range in.Changes {
		keys[key+"NormalizedRecordNames"] = append(keys[key+"NormalizedRecordNames"], strings.TrimSuffix(strings.ToLower(c.Set.Name), "."))
		keys[key+"RecordTypes"] = append(keys[key+"RecordTypes"], c.Set.Type)
		keys[key+"Actions"] = append(keys[key+"Actions"], c.Action)
	}
	return keys
}

// tagsOf are the condition keys of the tags that a distribution has.
func (w *world) tagsOf(t *testing.T, id string) map[string][]string {
	var out struct {
		Tags struct{ Items []struct{ Key, Value string } }
	}
	if err := json.Unmarshal(w.lab.AWS(t, "cloudfront", "list-tags-for-resource", "--resource", "arn:aws:cloudfront:"+motolab.Account+":distribution/"+id), &out); err != nil {
		t.Error(err)
	}
	keys := map[string][]string{}
	for _, tag := range out.Tags.Items {
		keys["aws:ResourceTag/"+tag.Key] = []string{tag.Value}
	}
	return keys
}

// judge lets edgeward do what a policy allows, from now on. used are the actions
// that it was allowed, refused what it was not.
type judge struct {
	mu      sync.Mutex
	used    map[string]bool
	refused []string
}

func (w *world) judge(t *testing.T, role string) (policy, *judge) {
	t.Helper()
	var p policy
	if err := json.Unmarshal([]byte(w.edgeward.run(t, 0, "2012-10-17", "iam-policy", "-role="+role).stdout), &p); err != nil {
		t.Fatal(err)
	}
	j := &judge{used: map[string]bool{}}
	w.lab.SetGuard(func(op string, r *http.Request, body []byte) string {
		if !strings.Contains(r.Header.Get("Authorization"), "Credential="+edgewardKey+"/") {
			return ""
		}
		needs := rights(t, w, op, r, body)
		j.mu.Lock()
		defer j.mu.Unlock()
		for _, need := range needs {
			if !p.allows(need) {
				what := fmt.Sprintf("not authorized to perform %s on %s", need.action, need.resource)
				j.refused = append(j.refused, what)
				return what
			}
			j.used[need.action] = true
		}
		return ""
	})
	return p, j
}

func (j *judge) actions() []string { return slices.Sorted(maps.Keys(j.used)) }

// all are the actions of a policy without those that no run here can need.
func (p policy) all(except ...string) []string {
	found := map[string]bool{}
	for _, s := range p.Statement {
		for _, a := range s.Action {
			found[a] = !slices.Contains(except, a)
		}
	}
	maps.DeleteFunc(found, func(_ string, needed bool) bool { return !needed })
	return slices.Sorted(maps.Keys(found))
}

// The policies that edgeward prints are enough for what it does, and each action
// in them is needed for it: an AWS that refuses whatever they do not allow lets
// whole migrations through, and every action is asked for on the way. A role that
// may only plan cannot begin an apply.
func TestPoliciesAreEnough(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.lab.AWS(t, "s3api", "create-bucket", "--bucket", "our-tools")
	for i, e := range w.edgeward.env {
		if strings.HasPrefix(e, "AWS_ACCESS_KEY_ID=") {
			w.edgeward.env[i] = "AWS_ACCESS_KEY_ID=" + edgewardKey
		}
	}
	file := filepath.Join(w.edgeward.dir, "edgeward.hcl")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	w.edgeward.configure(t, string(text)+"run_lock {\n  s3 = \"s3://our-tools/edgeward/lock.json\"\n}\n")

	plan, looking := w.judge(t, "plan")
	w.edgeward.run(t, 0, "Plan: 3 to migrate", "plan", "-out=m.plan")
	w.edgeward.run(t, 0, "Status: ", "status")
	if len(looking.refused) > 0 {
		t.Errorf("plan and status may not: %q", looking.refused)
	}
	before := w.records(t)
	w.edgeward.run(t, 1, "", "apply", "m.plan")
	if d := cmp.Diff([]string{"not authorized to perform s3:GetObject on arn:aws:s3:::our-tools/edgeward/lock.json"}, looking.refused); d != "" {
		t.Errorf("refused to the role that plans:\n%s", d)
	}
	w.edgeward.run(t, 4, "3 failed", "apply", "-lock=false", patience, "m.plan")
	if d := cmp.Diff(before, w.records(t)); d != "" || len(looking.refused) < 4 {
		t.Errorf("the role that plans changed records:\n%s\nrefused %q", d, looking.refused)
	}

	// Changed before visitors are sent there: the fronts have no distribution while
	// it is InProgress.
	apply, doing := w.judge(t, "apply")
	w.edgeward.run(t, 0, "Apply: 3 stopped where asked", "apply", "-auto-approve", "-until=links.verify", patience)
	text, err = os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	w.edgeward.configure(t, strings.Replace(string(text), `tags = { team = "web" }`, "tags = { team = \"sites\" }\n    price_class = \"100\"", 1))
	w.edgeward.run(t, 0, "Apply: 3 finished", "apply", "-auto-approve", patience)

	_, again := w.judge(t, "plan")
	w.edgeward.run(t, 0, "3 done", "plan", "-detailed-exitcode")
	w.edgeward.run(t, 0, "Status: ", "status", "-detailed-exitcode")
	if len(again.refused) > 0 {
		t.Errorf("plan and status of what was moved may not: %q", again.refused)
	}

	_, back := w.judge(t, "apply")
	w.edgeward.run(t, 0, "Rollback: 3 rolled back", "rollback", "-auto-approve", patience)
	if refused := slices.Concat(doing.refused, back.refused); len(refused) > 0 {
		t.Errorf("apply and rollback may not: %q", refused)
	}
	maps.Copy(doing.used, back.used)
	maps.Copy(looking.used, again.used)
	// moto has every change INSYNC at once, its list shows a new cache policy at once,
	// and HeadBucket names the region. Tags of certificates are read only while these
	// are pending: here that is within an apply. No bucket is watched, and no
	// distribution gets a further name.
	if d := cmp.Diff(apply.all("s3:GetBucketLocation", "route53:GetChange", "cloudwatch:GetMetricData", "cloudfront:GetCachePolicy", "cloudfront:ListDomainConflicts"), doing.actions()); d != "" {
		t.Errorf("actions of the policy (-) and those that were needed (+):\n%s", d)
	}
	if d := cmp.Diff(plan.all("s3:GetBucketLocation", "acm:ListTagsForCertificate", "cloudfront:ListDomainConflicts"), looking.actions()); d != "" {
		t.Errorf("actions of the policy of -role=plan (-) and those that were needed (+):\n%s", d)
	}
}
