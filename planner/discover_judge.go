package planner

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/providers"
)

// judge gives each name the findings of the plan that its block would have.
func (s *search) judge(ctx context.Context) error {
	c, wrong, err := s.load()
	if err != nil {
		return err
	}
	ours := map[string]config.Bucket{}
	for _, b := range c.Buckets {
		ours[b.Name] = b
	}
	candidates := *c
	candidates.Buckets, candidates.Limits = nil, config.NoLimits()
	for i := range s.found {
		n := &s.found[i]
		if b, ok := ours[n.Name]; ok && wrong[n.Name] == "" && !n.wildcard {
			n.Address = b.Address
			if _, asked := s.w.Accounts[b.Account]; !asked {
				// No account has the bucket, and nothing uses the default chain: any account
				// can tell whether it exists.
				b.Account = s.accounts[0].Name
			}
			candidates.Buckets = append(candidates.Buckets, b)
		}
	}
	p, err := Make(ctx, s.w, &candidates, Options{Parallelism: s.o.Parallelism, leads: s.leads()})
	if err != nil {
		return err
	}
	plans := map[string]BucketPlan{}
	for _, b := range p.Buckets {
		plans[b.Bucket] = b
	}
	for i := range s.found {
		n := &s.found[i]
		p, planned := plans[n.Name]
		switch {
		case planned:
			n.Region, n.Findings = p.Region, s.explain(n, p.Findings)
			if _, asked := s.w.Accounts[n.Account]; !asked && !blocked(n.Findings) {
				n.Account = s.accounts[0].Name
			}
		case n.wildcard:
			n.Takeover, n.Findings = true, []Finding{wildcardFinding(*n)}
		default:
			n.Findings = []Finding{{Error, "name-invalid", "no block can be written for " + n.Name, wrong[n.Name]}}
		}
		n.Verdict = readiness(n.Findings)
	}
	return nil
}

// load reads the configuration with the blocks that would be written. Where the
// folder's defaults would lead a block to another provider, it says its own.
func (s *search) load() (*config.Config, map[string]string, error) {
	for again := false; ; again = true {
		var blocks []config.Found
		for _, n := range s.found {
			if !n.wildcard {
				blocks = append(blocks, n.block())
			}
		}
		c, wrong, err := s.o.Load(blocks)
		if err != nil || again {
			s.otherAccounts(c, wrong)
			return c, wrong, err
		}
		said := map[string]string{}
		for _, b := range c.Buckets {
			if len(b.CNAMEs) > 0 {
				said[b.Name] = b.CNAMEs[0].DNSProvider
			}
		}
		for i := range s.found {
			n := &s.found[i]
			if at, ok := said[n.Name]; wrong[n.Name] != "" || ok && at != n.DNSProvider {
				n.explicit = n.DNSProvider
			}
		}
	}
}

// otherAccounts refuses what the folder's defaults put into another account than
// the one that has the bucket: the default chain cannot be written down.
func (s *search) otherAccounts(c *config.Config, wrong map[string]string) {
	if c == nil {
		return
	}
	for _, b := range c.Buckets {
		if own, listed := s.buckets[b.Name]; listed && b.Account != own.account && wrong[b.Name] == "" {
			wrong[b.Name] = fmt.Sprintf("defaults { aws = aws.%s } puts it into that account, but %s has the bucket; take aws out of defaults", b.Account, accountWords(own.account))
		}
	}
}

func readiness(fs []Finding) Readiness {
	v := Ready
	for _, f := range fs {
		switch f.Severity {
		case Error:
			return ByHand
		case Warning:
			v = NeedsAnswer
		}
	}
	return v
}

// explain says what the search knows better than the plan of one bucket: that the
// bucket is in none of the accounts, or is gone, and where a chain leads.
func (s *search) explain(n *FoundName, fs []Finding) []Finding {
	var out []Finding
	for _, f := range fs {
		switch {
		case f.Code == "bucket-missing":
			n.Takeover = true
			out = append(out, n.takeover())
			if f, ok := s.differs(*n); ok {
				out = append(out, f)
			}
			continue
		case f.Code == "bucket-denied" && s.allListed() && s.buckets[n.Name].Name == "":
			f = Finding{Error, "bucket-foreign", "bucket " + n.Name + " is somebody else's",
				"it exists and is in none of the accounts that were listed. If it is yours, write an aws block for its account; if not, whoever owns it decides what visitors of " + n.Name + " get: remove the record"}
		case f.Code == "record-elsewhere" && n.Via != nil:
			f = Finding{Error, "record-chain", n.Name + " leads to S3 by way of " + strings.Join(n.Via, ", "),
				fmt.Sprintf("edgeward changes only a record that points at S3 itself, since a change on the way would change the other names too. S3 takes the bucket from the name that was asked for, so nothing is lost by pointing it there at once: CNAME %s. Then run discover again", s.direct(*n))}
		case f.Code == "record-absent" && n.Via != nil:
			f = Finding{Error, "record-wildcard", n.Name + " is reached by the wildcard record " + n.Via[0], wildcardWayOut(n.Name + " CNAME " + s.direct(*n))}
		}
		out = append(out, f)
	}
	if n.Takeover { // how the bucket would be moved is no question where there is none
		out = slices.DeleteFunc(out, func(f Finding) bool { return f.Severity != Error })
	}
	slices.SortStableFunc(out, func(x, y Finding) int { return severityRank(x.Severity) - severityRank(y.Severity) })
	return out
}

func severityRank(s Severity) int {
	return slices.Index([]Severity{Error, Warning, Note}, s)
}

// allListed says that every account's buckets are known.
func (s *search) allListed() bool {
	return !slices.ContainsFunc(s.accounts, func(a ListedAccount) bool { return a.Why != "" })
}

func (n FoundName) takeover() Finding {
	at := "any region that its record leads to"
	if n.Region != "" {
		at = n.Region
	} else if n.ends.region != "" {
		at = n.ends.region
	}
	return Finding{Error, "takeover", n.Name + " can be taken over: there is no bucket of this name",
		fmt.Sprintf("whoever creates a bucket %s in %s serves the visitors of that name, and can read and set the cookies of the domains above it. Remove the record now, or create the bucket in an account of yours first", n.Name, at)}
}

// target is what the record of n points at.
func (n FoundName) target() string {
	_, after, _ := strings.Cut(n.Record, " ")
	after = strings.TrimPrefix(after, "alias ")
	target, _, _ := strings.Cut(after, " ")
	return target
}

// differs: the record names another bucket than S3 will look for.
func (s *search) differs(n FoundName) (Finding, bool) {
	named, _, ok := strings.Cut(n.target(), ".s3")
	if !ok || named == n.Name || s.buckets[named].Name == "" {
		return Finding{}, false
	}
	return Finding{Error, "name-differs", "the record of " + n.Name + " names bucket " + named + ", but S3 looks for bucket " + n.Name,
		fmt.Sprintf("S3 takes the bucket from the name that was asked for, so every visitor gets 404 (NoSuchBucket). To serve %s under this name too, remove the record and write cnames = [%q, %q] in the block of %s", named, named, n.Name, named)}, true
}

// direct is the endpoint that a record of n would name.
func (s *search) direct(n FoundName) string {
	region := n.Region
	if own, ok := s.buckets[n.Name]; ok && region == "" {
		region = own.Region
	}
	if region == "" {
		return "the endpoint of the bucket's region"
	}
	return originDomain(n.Name, region, providers.OriginKind(n.Endpoint))
}

func wildcardFinding(n FoundName) Finding {
	return Finding{Error, "takeover-wildcard", n.Name + " leads every name below it to S3",
		fmt.Sprintf("S3 looks for a bucket of each name that is asked for, so whoever creates a bucket named x%s serves the visitors of that name. Give each name that is used a record of its own, and remove the wildcard", n.Name[1:])}
}

// quotas says which names would not find room in their account any more.
func (s *search) quotas(ctx context.Context) error {
	wanted := map[string][]*FoundName{}
	for i := range s.found {
		if n := &s.found[i]; n.Verdict != ByHand {
			wanted[n.Account] = append(wanted[n.Account], n)
		}
	}
	for _, a := range s.accounts {
		port := s.w.Accounts[a.Name].Quotas
		if port == nil || len(wanted[a.Name]) == 0 {
			continue
		}
		list, err := port.Quotas(ctx, providers.QuotaDistributions, providers.QuotaCertificates, providers.QuotaCertificatesYear)
		if stopsAll(ctx, err) {
			return err
		}
		if err != nil {
			s.findings = append(s.findings, Finding{Warning, "quota-unknown", "the quotas of " + accountWords(a.Name) + " could not be read", whyUnread(err)})
			continue
		}
		for _, q := range list {
			overQuota(q, wanted[a.Name])
		}
	}
	return nil
}

// overQuota marks the names, in their order, for which q has no room.
func overQuota(q providers.Quota, names []*FoundName) {
	room := max(0, q.Limit-q.Used)
	for i, n := range names {
		if i < room {
			continue
		}
		limit := fmt.Sprintf("%d %s are allowed", q.Limit, q.Kind)
		if q.Default {
			limit += " by AWS's default (" + q.Why + ")"
		}
		n.Findings = slices.Insert(n.Findings, 0, Finding{Warning, "quota-pending", "the account has no room for " + n.Name + " yet",
			fmt.Sprintf("%s, %d are used, and the names before this one take the rest; ask AWS for more in Service Quotas, or choose fewer buckets", limit, q.Used)})
		n.Verdict = NeedsAnswer
	}
}
