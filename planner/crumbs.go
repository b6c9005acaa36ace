package planner

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/providers"
)

// The crumbs: tags of the distribution for what can no longer be seen after a
// change (design, rule 4). An empty value is an absent crumb, so that one write,
// which can only merge, also removes.
const (
	crumbWas      = providers.TagPrefix + "was"       // the moved name's records before the switch
	crumbWasAt    = providers.TagPrefix + "was-at"    // provider and zone that hold it
	crumbWasTTL   = providers.TagPrefix + "was-ttl"   // seconds; "300/3600": resolvers may hold 3600
	crumbLowSince = providers.TagPrefix + "low-since" // TIME/TTL: every server had this TTL then; asked/TTL: not seen yet
	crumbProof    = providers.TagPrefix + "proof"     // TIME/ETAG/ASKED/DIGEST of the links' proof
	crumbHold     = providers.TagPrefix + "hold"      // TIME/CODE of a rollback
	crumbFinished = providers.TagPrefix + "finished"  // TIME
	crumbServed   = providers.TagPrefix + "served"    // TIME or TIME/back: it was finished then; the moved name has gone back since
	crumbSwitched = providers.TagPrefix + "switched"  // TIME of the last dns.switch
	crumbCounting = providers.TagPrefix + "counting"  // the filter under which S3 goes on counting for a lock
)

// The room for tags: CloudFront takes 50 a distribution [CloudFront quotas], of
// which edgeward keeps 12.
const (
	maxTags     = 50
	maxTagValue = 256
	maxUserTags = maxTags - 12
)

// ownKeys are the keys of all tags that edgeward ever writes. They are written
// with the first of them, empty where there is nothing to say yet, so that no
// later write needs room for a key: when the way back has to be written down, no
// other tool's tags can have used it up.
func ownKeys() []string {
	return []string{providers.TagBucket, crumbWas, crumbWasAt, crumbWasTTL, crumbLowSince, crumbProof, crumbHold, crumbFinished, crumbServed, crumbSwitched, crumbCounting, crumbFlags}
}

// reserve adds to tags the keys that a distribution with c does not have.
func (c crumbs) reserve(tags map[string]string) {
	for _, k := range ownKeys() {
		_, stands := c[k]
		if _, set := tags[k]; !stands && !set {
			tags[k] = ""
		}
	}
}

// reserved says that a distribution with c has all keys that a way back writes.
func (c crumbs) reserved() bool {
	for _, k := range ownKeys() {
		if _, stands := c[k]; !stands {
			return false
		}
	}
	return true
}

// userTags counts the tags of others that the distribution has, or will have. AWS
// does not count its own, aws:….
func userTags(b config.Bucket, a Actual) int {
	keys := map[string]bool{}
	for _, tags := range []map[string]string{a.Crumbs, b.Distribution.Tags} {
		for k := range tags {
			if !strings.HasPrefix(k, providers.TagPrefix) && !strings.HasPrefix(k, "aws:") {
				keys[k] = true
			}
		}
	}
	return len(keys)
}

// tagValue is what AWS accepts as a tag's value [API_Tag].
var tagValue = regexp.MustCompile(`^[\pL\pN _.:/=+\-@]*$`)

// crumbs are the tags of a distribution, read exactly.
type crumbs map[string]string

func (c crumbs) held() bool { return c[crumbHold] != "" }

// writeTime and readTime are the form of times in crumbs.
func writeTime(t time.Time) string { return t.UTC().Format(time.RFC3339) }

func readTime(s string) (time.Time, bool) {
	t, err := time.Parse(time.RFC3339, s)
	return t, err == nil
}

// encodeRecords writes records, without TTLs, as a crumb:
// "CNAME target", "A alias/ZONE/target/health + AAAA alias/…", "absent".
func encodeRecords(rs []providers.Record) string {
	if len(rs) == 0 {
		return "absent"
	}
	var parts []string
	for _, r := range rs {
		v := r.Value
		if r.Alias {
			v = fmt.Sprintf("alias/%s/%s/%t", r.AliasZone, r.Value, r.EvaluateHealth)
		}
		if r.Proxied {
			v = "proxied/" + v
		}
		parts = append(parts, r.Type+" "+v)
	}
	return strings.Join(parts, " + ")
}

// decodeRecords is the inverse of encodeRecords; ttl is given to the records
// that have one of their own.
func decodeRecords(s string, ttl time.Duration) ([]providers.Record, error) {
	if s == "absent" {
		return nil, nil
	}
	var rs []providers.Record
	for part := range strings.SplitSeq(s, " + ") {
		typ, v, ok := strings.Cut(part, " ")
		if !ok {
			return nil, fmt.Errorf("tag %s: %q is no record", crumbWas, part)
		}
		r := providers.Record{Type: typ, TTL: ttl}
		if rest, ok := strings.CutPrefix(v, "proxied/"); ok {
			r.Proxied, r.TTL, v = true, 0, rest
		}
		if rest, ok := strings.CutPrefix(v, "alias/"); ok {
			f := strings.Split(rest, "/")
			if len(f) != 3 {
				return nil, fmt.Errorf("tag %s: %q is no alias record", crumbWas, part)
			}
			r.Alias, r.TTL, r.AliasZone, v = true, 0, f[0], f[1]
			r.EvaluateHealth = f[2] == "true"
		}
		r.Value = v
		rs = append(rs, r)
	}
	return rs, nil
}

// wasTTL reads the TTL that stood before and the longest that a resolver may
// still hold; false without a crumb.
func (c crumbs) wasTTL() (was, drain time.Duration, ok bool) {
	a, b, two := strings.Cut(c[crumbWasTTL], "/")
	n, err := strconv.ParseInt(a, 10, 64)
	if err != nil {
		return 0, 0, false
	}
	was = time.Duration(n) * time.Second
	drain = was
	if m, err := strconv.ParseInt(b, 10, 64); two && err == nil {
		drain = max(drain, time.Duration(m)*time.Second)
	}
	return was, drain, true
}

func writeTTL(was, drain time.Duration) string {
	if drain > was {
		return fmt.Sprintf("%d/%d", int64(was/time.Second), int64(drain/time.Second))
	}
	return strconv.FormatInt(int64(was/time.Second), 10)
}

// keeps says that the provider was asked for a low TTL and has ttl instead.
func (c crumbs) keeps(ttl time.Duration) bool {
	_, asked, _ := c.lowSince()
	return c[crumbLowSince] != "" && asked == ttl
}

// lowSince reads since when every authoritative server has had which TTL. The
// time is missing (ok is false) while that is not seen yet: "asked/600" says
// that the provider was asked to lower the TTL and has 600 s.
func (c crumbs) lowSince() (at time.Time, ttl time.Duration, ok bool) {
	a, b, _ := strings.Cut(c[crumbLowSince], "/")
	at, ok = readTime(a)
	n, err := strconv.ParseInt(b, 10, 64)
	if err != nil {
		return time.Time{}, -1, false
	}
	return at, time.Duration(n) * time.Second, ok
}

func writeProof(at time.Time, etag, asked, digest string) string {
	return strings.Join([]string{writeTime(at), etag, asked, digest}, "/")
}

// proof reads when the links were proven, for which ETag, and what was asked for
// (askedOf).
func (c crumbs) proof() (at time.Time, etag, asked string, ok bool) {
	f := strings.Split(c[crumbProof], "/")
	if len(f) != 4 {
		return time.Time{}, "", "", false
	}
	at, ok = readTime(f[0])
	return at, f[1], f[2], ok
}

// askedOf is a digest of what the configuration wants proven: which links, and
// what is accepted. A proof of less is none.
func askedOf(v config.Verify) string {
	return digest(fmt.Sprintf("%q %d %q", v.Paths, v.Sample, v.Accept))[:8]
}

// saveRecord is what must be written down before the moved name's record is
// changed: the record and its TTL, from the same observation as the write's
// have (rule 4). It is empty when the crumbs say it already: while the live
// value equals the crumb, or is ours, the crumb stands.
func (c crumbs) saveRecord(n NameActual, low time.Duration) map[string]string {
	if n.Serves == servesOurs {
		return nil
	}
	live := encodeRecords(n.Set.Records)
	save := map[string]string{}
	if c[crumbWas] != live {
		save[crumbWas] = live
		save[crumbWasAt] = n.CNAME.DNSProvider + "/" + n.CNAME.Zone
	}
	ttl, has := n.ttl()
	was, drain, ok := c.wasTTL()
	_, lowTTL, lowered := c.lowSince()
	switch {
	case !has || ok && (ttl == was || ttl == low || lowered && ttl == lowTTL):
	case ok:
		save[crumbWasTTL] = writeTTL(ttl, max(drain, ttl))
	default:
		save[crumbWasTTL] = writeTTL(ttl, ttl)
	}
	return save
}

// checkCrumbs finds at plan time what could not be written down later.
func checkCrumbs(b config.Bucket, a Actual) []Finding {
	var fs []Finding
	for _, n := range a.Names {
		if !b.Moved(n.CNAME) || n.Serves == servesOurs {
			continue
		}
		for k, v := range a.Crumbs.saveRecord(n, lowTarget(b, n)) {
			if len([]rune(v)) > maxTagValue || !tagValue.MatchString(v) {
				fs = append(fs, Finding{Error, "record-does-not-fit", "the old record of " + n.CNAME.Name + " cannot be written down",
					fmt.Sprintf("edgeward keeps the way back in tag %s of the distribution, and AWS takes at most %d letters, digits, spaces and _.:/=+-@ there, not %q; replace the record by a shorter one with the same target first", k, maxTagValue, v)})
			}
		}
	}
	if id := b.Distribution.Adopt; id != "" && !a.switched() {
		fs = append(fs, Finding{Note, "adopt-tags", "what manages distribution " + id + " has to leave edgeward's tags alone",
			"edgeward keeps the way back, and that a bucket is held after it, in tags " + providers.TagPrefix + "…; Terraform takes tags away that it does not know, and the next scheduled apply would switch the name again. Write ignore_tags { key_prefixes = [\"" + providers.TagPrefix + "\"] } in its provider"})
	}
	return append(fs, roomFindings(b, a)...)
}

// roomFindings: the tags of a distribution leave room for edgeward's. A bucket that
// is on its way is not stopped half-way.
func roomFindings(b config.Bucket, a Actual) []Finding {
	n := userTags(b, a)
	if n <= maxUserTags {
		return nil
	}
	f := Finding{Error, "too-many-tags", fmt.Sprintf("%d tags are too many", n),
		fmt.Sprintf("a distribution has at most %d tags and edgeward needs %d of them; keep at most %d in tags, in default_tags and of those that others have given it", maxTags, maxTags-maxUserTags, maxUserTags)}
	if a.begun() {
		f.Severity = Warning
		f.Detail = "what edgeward has to write down of a way back may not fit: " + f.Detail
	}
	return []Finding{f}
}
