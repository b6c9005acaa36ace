package planner

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/providers"
)

// siteFindings say what of the bucket's content and use will not be the same.
func siteFindings(b config.Bucket, a Actual) []Finding {
	if a.Bucket == nil {
		return nil
	}
	return slices.Concat(routingFindings(b, a), largeFindings(a), logFindings(b, a), useFindings(b, a), acceptFindings(b))
}

// routingFindings: a rule without HostName leads to the host that S3 was asked
// under, which behind CloudFront is the endpoint's own [S3 API: Redirect].
func routingFindings(b config.Bucket, a Actual) []Finding {
	w := a.Bucket.Website
	if w == nil || originKind(b, a) != providers.WebsiteOrigin {
		return nil
	}
	var leak []string
	for i, r := range w.RoutingRules {
		if r.HostName == "" {
			leak = append(leak, fmt.Sprint(i+1))
		}
	}
	if leak == nil {
		return nil
	}
	rules := "routing rule " + leak[0] + " of the website leads"
	if len(leak) > 1 {
		rules = "routing rules " + strings.Join(leak, ", ") + " of the website lead"
	}
	return []Finding{{Error, "routing-host", rules + " to S3's own host",
		fmt.Sprintf("without a HostName S3 redirects to the host that it was asked under: %s today, and %s when CloudFront asks, where visitors would land, by http and past CloudFront. Put \"HostName\": %q, \"Protocol\": \"http\" into the Redirect of each: today that changes nothing",
			b.Name, originDomain(b.Name, a.Bucket.Region, providers.WebsiteOrigin), b.Name)}}
}

// maxGet is the largest answer that CloudFront gives, in bytes [CloudFront
// quotas: maximum file size for HTTP GET responses].
const maxGet = 50_000_000_000

// largeFindings: what CloudFront gives only in parts.
func largeFindings(a Actual) []Finding {
	var large []providers.Object
	for _, o := range a.Objects {
		if o.Size > maxGet {
			large = append(large, o)
		}
	}
	if large == nil {
		return nil
	}
	largest := slices.MaxFunc(large, func(x, y providers.Object) int { return int(x.Size/1e6 - y.Size/1e6) })
	return []Finding{{Warning, "object-too-large", fmt.Sprintf("%d of %d listed objects are larger than 50 GB", len(large), len(a.Objects)),
		fmt.Sprintf("CloudFront gives no more in one answer: who fetches %q (%d GB) as a whole gets an error, who asks for ranges gets them. Divide them, or move them to a bucket of their own that stays at S3",
			largest.Key, largest.Size/1e9)}}
}

// logFindings: what the access log shows that CloudFront will refuse.
func logFindings(b config.Bucket, a Actual) []Finding {
	l := a.Looks.Log
	since := l.Since.UTC().Format(time.RFC3339)
	if l.Err != nil {
		why := "these credentials may not read it"
		if errors.Is(l.Err, providers.ErrNotFound) {
			why = "its bucket does not exist"
		}
		return []Finding{{Note, "log-unread", "the access log of bucket " + b.Name + " was not looked at",
			fmt.Sprintf("it goes to bucket %s, and %s (%v). Whether anybody uploads by the name, or uses signed links, is not known: CloudFront refuses both", a.Bucket.Log.Bucket, why, l.Err)}}
	}
	seen := fmt.Sprintf("of %d requests by the name since %s that S3 served (%d log files, the newest ones; S3 delivers late and not all)", l.Requests, since, l.Files)
	var fs []Finding
	if len(l.Writes) > 0 {
		n, each := 0, []string{}
		for _, m := range slices.Sorted(maps.Keys(l.Writes)) {
			n += l.Writes[m]
			each = append(each, fmt.Sprintf("%d %s", l.Writes[m], m))
		}
		fs = append(fs, Finding{lostUse(b), "log-methods", fmt.Sprintf("%d of %d requests by the name are neither GET nor HEAD", n, l.Requests),
			fmt.Sprintf("%s, %s. CloudFront answers them 403 after the switch; have whoever sends them use the bucket's own endpoint, %s%s", strings.Join(each, ", "), seen, originDomain(b.Name, a.Bucket.Region, providers.RESTOrigin), usesAccept(b))})
	}
	if l.Signed > 0 {
		fs = append(fs, Finding{lostUse(b), "log-signed", fmt.Sprintf("%d of %d requests by the name are signed", l.Signed, l.Requests),
			fmt.Sprintf("%d in the query (presigned links), %d in a header, %s. A signature is for one host, and CloudFront asks S3 under another: signed for %s they are refused after the switch; have them made for %s%s",
				l.Presigned, l.Signed-l.Presigned, seen, b.Name, originDomain(b.Name, a.Bucket.Region, providers.RESTOrigin), usesAccept(b))})
	}
	return fs
}

// lostUse is how grave a use is that ends with the switch: whoever needs it is a
// visitor too.
func lostUse(b config.Bucket) Severity {
	if slices.Contains(b.Verify.Accept, config.AcceptUses) {
		return Warning
	}
	return Error
}

func usesAccept(b config.Bucket) string {
	if lostUse(b) == Warning {
		return ""
	}
	return ". If they may be refused, write verify { accept = [\"" + config.AcceptUses + "\"] }"
}

// useFindings: nobody wrote down what the bucket is asked for, and its settings hint
// at uses that CloudFront refuses.
func useFindings(b config.Bucket, a Actual) []Finding {
	if a.Bucket.Log.Bucket != "" && a.Looks.Log.Err == nil || lostUse(b) == Warning {
		return nil
	}
	var hints []string
	writes := func(m string) bool { return m == "PUT" || m == "POST" || m == "DELETE" }
	if slices.ContainsFunc(a.Bucket.CORS, func(r providers.CORSRule) bool { return slices.ContainsFunc(r.Methods, writes) }) {
		hints = append(hints, "its CORS rules let pages upload or delete")
	}
	if partlyPublic(b, a) {
		hints = append(hints, "only a part of its objects is public, so others may be fetched by signed links")
	}
	if hints == nil {
		return nil
	}
	return []Finding{{Warning, "uses-unknown", "bucket " + b.Name + " may be used in ways that CloudFront refuses",
		strings.Join(hints, ", and ") + ". Signed links and uploads by the name end with the switch, and there is no access log to look into: have them made for " +
			originDomain(b.Name, a.Bucket.Region, providers.RESTOrigin) + ", or switch S3's access log on and plan again a day later"}}
}

// partlyPublic says that the policy lets everybody read some objects and not all.
func partlyPublic(b config.Bucket, a Actual) bool {
	sts, err := parsePolicy(a.Bucket.Policy)
	if err != nil {
		return false
	}
	part := false
	for _, st := range sts {
		if st.deny() || !st.anonymous() || !st.about(actionRead) {
			continue
		}
		patterns, all := st.objectsOf(b.Name)
		if all {
			return false
		}
		part = part || patterns != nil
	}
	return part
}

// acceptFindings say what the configuration lets through.
func acceptFindings(b config.Bucket) []Finding {
	if len(b.Verify.Accept) == 0 {
		return nil
	}
	var each []string
	for _, as := range config.Aspects() {
		if slices.Contains(b.Verify.Accept, as.Name) {
			each = append(each, as.Name+" ("+as.Means+")")
		}
	}
	if slices.Contains(b.Verify.Accept, config.AcceptUses) {
		each = append(each, config.AcceptUses+" (uploads and signed requests by the name are refused)")
	}
	return []Finding{{Note, "verify-accepts", "changes in " + strings.Join(b.Verify.Accept, ", ") + " are accepted",
		"verify.accept lets visitors see another answer in: " + strings.Join(each, "; ") + ". Whatever means that they do not get the object stops the bucket all the same"}}
}
