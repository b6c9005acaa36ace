package view

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/edgeward/edgeward/planner"
)

// place is what of a bucket's texts follows from where it is: it makes no difference
// between buckets that are alike, and stands beside their names where it differs.
type place struct {
	region    string
	providers []string // of its zones
	account   string
}

// placed takes the place and the zones out of a text of bucket bp.
func (pl *place) placed(text string, bp planner.BucketPlan) string {
	text = zoneWords.ReplaceAllStringFunc(text, func(words string) string {
		zone := words[len("zone "):]
		inside := func(name string) bool { return name == zone || strings.HasSuffix(name, "."+zone) }
		if !inside(bp.Bucket) && !slices.ContainsFunc(bp.CNAMEs, inside) {
			return words
		}
		return "zone " + own + "zone"
	})
	text = providerWords.ReplaceAllStringFunc(text, func(address string) string {
		if !slices.Contains(pl.providers, address) {
			pl.providers = append(pl.providers, address)
		}
		return "dns_provider." + strings.SplitN(address, ".", 3)[1] + own
	})
	text = accountWords.ReplaceAllStringFunc(text, func(account string) string {
		pl.account = account
		return own + "account"
	})
	if bp.Region == "" {
		return text
	}
	pl.region = bp.Region
	return endpointWords.ReplaceAllStringFunc(text, func(host string) string {
		return strings.Replace(host, bp.Region+".", own+"region.", 1)
	})
}

var (
	zoneWords     = regexp.MustCompile(`\bzone [0-9A-Za-z_-]+(\.[0-9A-Za-z_-]+)+`)
	providerWords = regexp.MustCompile(`\bdns_provider\.[0-9a-z_]+(\.[0-9A-Za-z_-]+|\["[^"]*"\])`)
	accountWords  = regexp.MustCompile(`\baws\.[A-Za-z_][0-9A-Za-z_-]*\b`)
	endpointWords = regexp.MustCompile(`\bs3(-website)?[.-](dualstack\.)?[0-9a-z-]+\.amazonaws\.com`)
	// countWords count what differs from bucket to bucket.
	countWords = regexp.MustCompile(`\b[0-9]+( links?\b| names is shared)`)
	// ownThings are what AWS has made for one bucket, and times: the ID and the
	// domain of a distribution, a certificate, the record that validates one.
	ownThings = regexp.MustCompile(`\bE[0-9A-Z]{9,}\b|\bd[0-9a-z]{8,}\.cloudfront\.net\b|\barn:aws[a-z-]*:acm:[0-9a-z:/-]+|` +
		`\b_[0-9a-z]{8,}\.|\b[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]+Z`)
)

// validated are the validation records of a plan's buckets that are said with the
// bucket of the name: where many share a certificate, each of them waits for all.
type validated map[string]bool

func validatedIn(p planner.Plan) validated {
	v := validated{}
	for _, bp := range p.Buckets {
		for _, s := range bp.Steps {
			for _, c := range s.Changes {
				if name, ok := strings.CutPrefix(c.Path, validationPath); ok && slices.Contains(bp.CNAMEs, name) {
					v[validatedKey(c)] = true
				}
			}
		}
	}
	return v
}

// saidOnce are those of a plan of many buckets; of few each says all of its own.
func saidOnce(p planner.Plan) validated {
	if len(p.Buckets) < manyBuckets {
		return nil
	}
	return validatedIn(p)
}

const (
	validationPath = "validation record for "
	recordPath     = "record "
)

// validatedKey is a change of a validation record. The value is ACM's, and known
// after the request.
func validatedKey(c planner.ValueChange) string { return c.Path + "\x01" + c.Before + "\x01" + c.After }

// alone are the steps of a bucket without what is said with others: the names that
// share its certificate, and their validation records. sharers are all names of the
// certificate, none where it is the bucket's own.
func (o outlined) alone() (steps []planner.Step, sharers []string) {
	steps = slices.Clone(o.Steps)
	if o.said == nil {
		return steps, nil
	}
	for i, s := range steps {
		var kept []planner.ValueChange
		for _, c := range s.Changes {
			name, validation := strings.CutPrefix(c.Path, validationPath)
			if validation && !slices.Contains(o.CNAMEs, name) && o.said[validatedKey(c)] {
				continue
			}
			if names := strings.Split(c.After, ", "); s.Kind == planner.CertificateRequest && c.Path == "certificate" && len(names) > len(o.CNAMEs) {
				sharers = names
				c.After = strings.Join(o.CNAMEs, ", ") + othersShare
			}
			kept = append(kept, c)
		}
		steps[i].Changes = kept
	}
	return steps, sharers
}

const othersShare = ", and the others that share it"

// likeness is all that is said of a bucket, with a sign for each of its own names.
// What its steps say of its own distribution and certificate, and of times, is no
// difference, nor are some minutes more or less, where it is and how many share its
// certificate; the test links differ from bucket to bucket and are none; the times
// of a run are none either.
func (o outlined) likeness() (key string, at place, steps []planner.Step) {
	bp := o.BucketPlan
	bp.Fingerprint = ""
	bp.Expect, bp.Switch, bp.Mixed = roughly(bp.Expect), roughly(bp.Switch), roughly(bp.Mixed)
	mask := func(text string) string { return at.placed(ownThings.ReplaceAllString(text, own), o.BucketPlan) }
	bp.Steps, _ = o.alone()
	for i, s := range bp.Steps {
		s.Links, s.Expect = nil, roughly(s.Expect)
		s.Why, s.Undo = mask(s.Why), mask(s.Undo)
		s.Why = countWords.ReplaceAllString(s.Why, own+"$1")
		s.Changes = slices.Clone(s.Changes)
		for j, c := range s.Changes {
			s.Changes[j].Before, s.Changes[j].After = mask(c.Before), mask(c.After)
		}
		bp.Steps[i] = s
	}
	bp.Findings = slices.Clone(bp.Findings)
	for i, f := range bp.Findings {
		bp.Findings[i].Summary, bp.Findings[i].Detail = mask(f.Summary), mask(f.Detail)
	}
	at.region, bp.Region = bp.Region, ""
	if bp.Standing == planner.StandHeld {
		bp.Stage = ""
	}
	var end *planner.Result
	if o.Result != nil {
		r := withoutHeldStage(*o.Result)
		r.Until, r.Traffic = nil, nil
		r.Why = mask(r.Why)
		end = &r
	}
	text, err := json.Marshal([]any{bp, end})
	if err != nil {
		return o.Address, at, bp.Steps
	}
	return o.unnamed(string(text)), at, bp.Steps
}

// unnamed is JSON with a sign for each of the bucket's own names. JSON has no byte
// 0, so the sign stands for nothing else.
func (o outlined) unnamed(text string) string {
	seen := map[string]bool{}
	for i, name := range longestFirst(append([]string{o.Address, o.Bucket}, o.CNAMEs...)) {
		quoted, err := json.Marshal(name)
		if err != nil || name == "" || seen[name] {
			continue
		}
		seen[name] = true
		text = replaceWord(text, string(quoted[1:len(quoted)-1]), fmt.Sprintf("\x00%d\x00", i))
	}
	return text
}

// wholeNumber is a word that is one, -1 for others.
func wholeNumber(word string) int {
	n, err := strconv.Atoi(word)
	if err != nil || n < 0 {
		return -1
	}
	return n
}

// speaks has the first of buckets that are alike say what fits all: what others say
// is left out, and a count is from the least to the most.
func (o *outlined) speaks() {
	if len(o.others) == 0 {
		return
	}
	o.Steps, _ = o.alone()
	for i, s := range o.Steps {
		if !countWords.MatchString(s.Why) {
			continue
		}
		words := strings.Split(s.Why, " ")
		for w := range words {
			low := wholeNumber(words[w])
			high := low
			for _, x := range o.others {
				theirs := strings.Split(x.Steps[i].Why, " ")
				if n := wholeNumber(theirs[min(w, len(theirs)-1)]); low >= 0 && n >= 0 {
					low, high = min(low, n), max(high, n)
				}
			}
			if low >= 0 && low < high {
				words[w] = fmt.Sprintf("%d–%d", low, high)
			}
		}
		o.Steps[i].Why = strings.Join(words, " ")
	}
}

// alikeAt are those of the buckets that are alike which are at the same place.
type alikeAt struct {
	// Where is "" when all are there.
	Where  string
	Names  []string
	others []outlined
}

// places are the others of buckets that are alike, by what differs of their places,
// and the first bucket's own, "" where nothing differs.
func (o outlined) places() (first string, all []alikeAt) {
	every := append([]outlined{o}, o.others...)
	one := func(f func(place) string) bool {
		return !slices.ContainsFunc(every, func(x outlined) bool { return f(x.at) != f(o.at) })
	}
	region := func(p place) string { return p.region }
	account := func(p place) string { return p.account }
	providers := func(p place) string { return strings.Join(slices.Sorted(slices.Values(p.providers)), ", ") }
	differing := slices.DeleteFunc([]func(place) string{region, account, providers}, one)
	words := func(p place) string {
		var parts []string
		for _, f := range differing {
			if f(p) != "" {
				parts = append(parts, f(p))
			}
		}
		return strings.Join(parts, ", ")
	}
	index := map[string]int{}
	for _, x := range o.others {
		w := words(x.at)
		i, ok := index[w]
		if !ok {
			i = len(all)
			index[w] = i
			all = append(all, alikeAt{Where: w})
		}
		all[i].Names = append(all[i].Names, x.Address)
		all[i].others = append(all[i].others, x)
	}
	slices.SortStableFunc(all, func(a, b alikeAt) int { return strings.Compare(a.Where, b.Where) })
	return words(o.at), all
}

// patterns are the records of buckets that are alike, before and after, with NAME
// for the bucket's own name; none where all are at one place, for which the first
// speaks.
func (o outlined) patterns() (lines []string) {
	if first, _ := o.places(); first == "" {
		return nil
	}
	for _, s := range o.masked {
		for _, c := range s.Changes {
			name, ok := strings.CutPrefix(c.Path, recordPath)
			if !ok || !slices.Contains(o.CNAMEs, name) {
				continue
			}
			line := string(s.Kind) + ": " + replaceWord(name+" "+valueWords(c), name, "NAME")
			for _, x := range [][2]string{{own + "region", "REGION"}, {own + "zone", "ZONE"}, {own + "account", "ACCOUNT"}, {own, "…"}} {
				line = strings.ReplaceAll(line, x[0], x[1])
			}
			if line = replaceWord(line, o.Bucket, "BUCKET"); !slices.Contains(lines, line) {
				lines = append(lines, line)
			}
		}
	}
	return lines
}

// sharedCertificates are the names of each certificate that buckets which are alike
// share, among themselves and with others.
func (o outlined) sharedCertificates() (all [][]string) {
	seen := map[string]bool{}
	for _, x := range append([]outlined{{BucketPlan: planner.BucketPlan{CNAMEs: o.CNAMEs, Steps: o.first}, said: o.said}}, o.others...) {
		_, names := x.alone()
		if key := strings.Join(names, ", "); len(names) > 0 && !seen[key] {
			seen[key] = true
			all = append(all, names)
		}
	}
	return all
}

// roughly is a time in which some minutes are no difference.
func roughly(s planner.Seconds) planner.Seconds {
	to := planner.Seconds(60)
	if s > 20*60 {
		to = 10 * 60
	}
	return (s + to - 1) / to * to
}

// replaceWord replaces word in text where it is no part of a longer one.
func replaceWord(text, word, by string) string {
	inner := func(s string, i int) bool {
		return i >= 0 && i < len(s) && (s[i] == '-' || s[i] == '_' || s[i] >= '0' && s[i] <= '9' || s[i]|0x20 >= 'a' && s[i]|0x20 <= 'z')
	}
	if word == "" {
		return text
	}
	var b strings.Builder
	from := 0
	for {
		i := strings.Index(text[from:], word)
		if i < 0 {
			b.WriteString(text[from:])
			return b.String()
		}
		i += from
		end := i + len(word)
		b.WriteString(text[from:i])
		if inner(text, i-1) || inner(text, end) {
			b.WriteString(word)
		} else {
			b.WriteString(by)
		}
		from = end
	}
}
