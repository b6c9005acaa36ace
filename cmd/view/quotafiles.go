package view

import (
	"slices"

	"github.com/edgeward/edgeward/planner"
)

// quotaTable is what a plan would use of each quota, for Markdown and HTML; no rows
// where there is nothing to say.
func quotaTable(p planner.Plan) (head []string, rows [][]string) {
	if !slices.ContainsFunc(p.Quotas, planner.QuotaUse.Notable) {
		return nil, nil
	}
	for _, q := range quotaRows(p) {
		rows = append(rows, []string{quotaOwner(q), string(q.Kind), QuotaWords(q), q.Why})
	}
	return []string{"of", "quota", "this plan", "why"}, rows
}

// markdownQuotas is that table, folded unless something is too much.
func markdownQuotas(page *markdownPage, p planner.Plan) {
	head, rows := quotaTable(p)
	if rows == nil {
		return
	}
	text := markdownRow(head...) + markdownRow("---", "---", "---", "---")
	for _, row := range rows {
		for i := range row {
			row[i] = markdownText(short(row[i]))
		}
		text += markdownRow(row...)
	}
	if !slices.ContainsFunc(p.Quotas, planner.QuotaUse.Over) {
		text = "<details><summary>Quotas</summary>\n\n" + text + markdownFold
	}
	page.add("\n"+text, "")
}

// htmlQuotas is that table in HTML.
func htmlQuotas(p planner.Plan) htmlTable {
	head, rows := quotaTable(p)
	var t htmlTable
	if rows == nil {
		return t
	}
	t.Head = htmlHead(head...)
	quotas := quotaRows(p)
	for i, row := range rows {
		class := ""
		if quotas[i].Over() {
			class = "broken"
		}
		t.Rows = append(t.Rows, []htmlCell{{Text: row[0]}, {Text: row[1]}, {Text: row[2], Class: class}, {Text: row[3]}})
	}
	return t
}
