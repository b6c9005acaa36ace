package planner

import (
	"errors"
	"fmt"
	"strings"

	"github.com/edgeward/edgeward/config"
	"github.com/edgeward/edgeward/providers"
)

// delegationFindings compare what the provider has with what the authoritative
// servers answer: a zone that is delegated elsewhere can be changed without
// anybody noticing.
func delegationFindings(b config.Bucket, a Actual, n NameActual) []Finding {
	name, provider := n.CNAME.Name, n.CNAME.DNSProvider
	const wayOut = "Use the dns_provider that the zone is delegated to; for a lab or a hidden primary write nameservers in its block"
	switch {
	case a.finished():
		return nil
	case errors.Is(n.Unasked, providers.ErrNotFound):
		return []Finding{{Error, "zone-not-delegated", "zone " + n.CNAME.Zone + " is not delegated",
			fmt.Sprintf("%v. What %s changes there reaches nobody. %s", n.Unasked, provider, wayOut)}}
	case n.Unasked != nil:
		return []Finding{{Warning, "delegation-unknown", "the authoritative servers of " + n.CNAME.Zone + " could not be asked",
			n.Unasked.Error() + ". apply needs them: it waits until they answer"}}
	case n.Features.ByHand, n.alias(), n.Instead != nil, len(n.Set.Records) > 0 && n.cname() == "":
		return nil
	}
	differ, explained := n.differing(b, a)
	record := showRecords(n.Set.Records)
	if record == "" {
		record = "no record"
	}
	text := fmt.Sprintf("the provider's records and the world's answers differ: %s has %s, but %s. ", provider, record, strings.Join(differ, "; "))
	switch {
	case differ == nil:
		return nil
	case n.cname() == "":
		return []Finding{{Warning, "answers-differ", name + " is answered, though " + provider + " has no record of it",
			text + "A wildcard may answer in its place, or the zone is delegated to somebody else's name servers. " + wayOut}}
	case len(differ) < len(n.Authoritative) || explained:
		return []Finding{{Warning, "answers-differ", "not every authoritative server has the record of " + name,
			text + "A change may be on its way; if it stays so, the zone has name servers that the provider does not feed"}}
	}
	return []Finding{{Error, "zone-not-delegated", "zone " + n.CNAME.Zone + " is not delegated to " + provider,
		text + "What is changed at this provider reaches nobody. " + wayOut + ". If somebody changed the record just now, plan again in a few minutes"}}
}

// differing are the servers that answer something else than the provider has.
// Explained: that is what a change of ours, on its way, would look like.
func (n NameActual) differing(b config.Bucket, a Actual) (differ []string, explained bool) {
	target := n.cname()
	explained = true
	for _, x := range n.Authoritative {
		switch {
		case x.Err != "" || x.RCode != "NOERROR" && x.RCode != "NXDOMAIN":
			continue // no answer, no verdict
		case target != "" && answersWith(x, target), target == "" && len(x.Records) == 0:
			continue
		case a.Dist != nil && answersWith(x, a.Dist.Domain):
		case len(x.Records) == 0 && n.Serves == servesOurs:
		case len(x.Records) > 0 && b.Moved(n.CNAME) && a.Crumbs[crumbWas] == encodeRecords([]providers.Record{{Type: x.Records[0].Type, Value: x.Records[0].Value}}):
		default:
			explained = false
		}
		differ = append(differ, x.Server+" answers "+says(x))
	}
	return differ, explained
}
