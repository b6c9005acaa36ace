package view

import (
	"fmt"
	"slices"
	"strings"

	"github.com/edgeward/edgeward/planner"
	"github.com/edgeward/edgeward/providers"
)

// quotas says what the plan would use of each quota, when there is something to
// say: it is much, or near a limit or beyond it, or sharing saves some.
func (s Style) quotas(b *strings.Builder, p planner.Plan) {
	if !slices.ContainsFunc(p.Quotas, planner.QuotaUse.Notable) {
		return
	}
	b.WriteString("Quotas, and what this plan would use of them:\n")
	several := slices.ContainsFunc(p.Quotas, func(q planner.QuotaUse) bool { return q.Zone == "" && q.Account != p.Quotas[0].Account })
	owner := ""
	for _, q := range quotaRows(p) {
		if q.Kind == providers.QuotaRecordChanges {
			s.hang(b, "  "+q.Provider+": ", 4, strings.Replace(QuotaWords(q), " in ", " "+string(q.Kind)+" in ", 1))
			continue
		}
		if now := quotaOwner(q); now != owner && (several || q.Zone != "") {
			owner = now
			b.WriteString("  " + owner + "\n")
		}
		line := QuotaWords(q)
		if q.Over() {
			line = s.paint(red, line)
		}
		s.hang(b, "    "+pad(string(q.Kind), stepColumn-6)+"  ", stepColumn, line)
	}
	b.WriteByte('\n')
}

func quotaOwner(q planner.QuotaUse) string {
	switch {
	case q.Kind == providers.QuotaRecordChanges:
		return q.Provider
	case q.Zone != "":
		return "zone " + q.Zone + " at " + q.Provider
	case q.Account == "":
		return "the account of the default chain"
	}
	return "aws." + q.Account
}

// quotaRows are a plan's quotas as people read them: the writes of records, of which
// a plan has a row a zone, are one a provider, since all its zones share its rate;
// Zone is a count then, such as "20 zones", which no name of a zone is.
func quotaRows(p planner.Plan) (rows []planner.QuotaUse) {
	at, zones := map[string]int{}, map[string]int{}
	for _, q := range p.Quotas {
		i, ok := at[q.Provider]
		if q.Kind != providers.QuotaRecordChanges || !ok {
			if q.Kind == providers.QuotaRecordChanges {
				at[q.Provider], zones[q.Provider] = len(rows), 1
			}
			rows = append(rows, q)
			continue
		}
		zones[q.Provider]++
		rows[i].Plan += q.Plan
		rows[i].Takes += q.Takes
		rows[i].Zone = fmt.Sprintf("%d zones", zones[q.Provider])
	}
	return rows
}

// QuotaWords are one row of a plan's quotas: what there is, what the plan makes,
// and what there may be.
func QuotaWords(q planner.QuotaUse) string {
	var text string
	switch {
	case q.Kind == providers.QuotaRecordChanges && strings.HasSuffix(q.Zone, " zones"):
		text = fmt.Sprintf("%d in %s", q.Plan, q.Zone)
	case q.Kind == providers.QuotaRecordChanges:
		text = fmt.Sprintf("%d in zone %s", q.Plan, q.Zone)
	case q.Limit == 0:
		text = fmt.Sprint(q.Plan)
	case q.Used > 0:
		text = fmt.Sprintf("%d + %d = %d of %d", q.Used, q.Plan, q.Used+q.Plan, q.Limit)
	default:
		text = fmt.Sprintf("%d of %d", q.Plan, q.Limit)
	}
	if q.Default {
		text += " by default"
	}
	if q.Saved > 0 {
		text += fmt.Sprintf(", %d fewer since they are shared", q.Saved)
	}
	if q.Takes > 0 {
		text += ", at least " + Duration(q.Takes.Duration())
	}
	if q.Over() {
		text += ": too many"
	}
	return text
}
