package view

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/edgeward/edgeward/planner"
)

// Status is a status report as people read it: a line a bucket, then what
// each name's servers answer, then the counts. Of many buckets it says on one
// screen what is alike and what differs.
func Status(r planner.StatusReport, s Style) string {
	var b strings.Builder
	if len(r.Buckets) >= manyBuckets {
		s.statusMany(&b, r)
	} else {
		s.statusFew(&b, r)
	}
	if b.Len() > 0 {
		b.WriteByte('\n')
	}
	b.WriteString(s.paint(bold, "Status: "+statusCounts(r)+".") + "\n")
	return b.String()
}

func (s Style) statusFew(b *strings.Builder, r planner.StatusReport) {
	width := 0
	for _, bs := range r.Buckets {
		width = max(width, utf8.RuneCountInString(bs.Address))
	}
	width = min(width, 40)
	for _, bs := range r.Buckets {
		s.statusLine(b, bs, width)
	}
	for _, bs := range r.Buckets {
		s.bucketNames(b, bs)
	}
	if len(r.Buckets) == 1 {
		s.plot(b, r.Buckets[0].Traffic)
	}
}

// statusCounts are the buckets by standing, and those that drifted.
func statusCounts(r planner.StatusReport) string {
	counts := map[planner.Standing]int{}
	for _, bs := range r.Buckets {
		counts[bs.Standing]++
	}
	line := fmt.Sprintf("%d to migrate, %d under way, %d done, %d blocked", counts[planner.StandNew],
		counts[planner.StandUnderWay], counts[planner.StandDone], counts[planner.StandBlocked])
	if n := counts[planner.StandHeld]; n > 0 {
		line += fmt.Sprintf(", %d held", n)
	}
	if n := drifted(r); n > 0 {
		line += fmt.Sprintf(", %d drifted", n)
	}
	return line
}

func drifted(r planner.StatusReport) (n int) {
	for _, bs := range r.Buckets {
		if len(bs.Drift) > 0 {
			n++
		}
	}
	return n
}

// statusLine is one row: address, standing, and behind it the stage and why.
func (s Style) statusLine(b *strings.Builder, bs planner.BucketStatus, width int) {
	color := yellow
	switch bs.Standing {
	case planner.StandDone:
		color = green
	case planner.StandBlocked, planner.StandHeld:
		color = red
	}
	const standing = 12
	first := s.paint(bold, pad(bs.Address, width)) + "  " + s.paint(color, pad(string(bs.Standing), standing))
	text := string(bs.Stage)
	if bs.Standing == planner.StandHeld { // by no stage
		text = ""
	}
	if bs.Why != "" {
		if text != "" {
			text += ": "
		}
		text += bs.Why
	}
	s.hang(b, first, max(width, utf8.RuneCountInString(bs.Address))+2+standing, text)
}

func (s Style) bucketNames(b *strings.Builder, bs planner.BucketStatus) {
	if len(bs.Names)+len(bs.Findings)+len(bs.Drift) == 0 {
		return
	}
	b.WriteByte('\n')
	head := s.paint(bold, bs.Address)
	if bs.Distribution != "" {
		head += "   distribution " + bs.Distribution
	}
	b.WriteString(head + "\n")
	for _, n := range bs.Names {
		record := n.Record
		if record == "" {
			record = "no record"
		}
		fmt.Fprintf(b, "  %s is served by %s\n", n.Name, n.Serves)
		s.hang(b, "    provider        ", 20, record)
		s.servers(b, "authoritative", n.Authoritative)
		s.servers(b, "resolver", n.Resolvers)
	}
	s.traffic(b, bs.Traffic)
	s.findings(b, bs.Findings)
	s.drift(b, bs)
}

// traffic is the share that each path serves, and what is not known of it.
func (s Style) traffic(b *strings.Builder, t *planner.Traffic) {
	if t == nil {
		return
	}
	s.hang(b, "    traffic         ", 20, visible(t.Says))
	for _, u := range t.Unknown {
		s.hang(b, "    not known       ", 20, visible(u))
	}
}

// drift is what was changed by hand, who to ask, and what would mend it.
func (s Style) drift(b *strings.Builder, bs planner.BucketStatus) {
	absent := func(v string) string {
		if v == "" {
			return "absent"
		}
		return v
	}
	for _, d := range bs.Drift {
		s.hang(b, "  "+s.paint(red, "drift")+": ", 9, d.Path+" was changed by hand")
		s.hang(b, "    expected        ", 20, absent(d.Expected))
		s.hang(b, "    is              ", 20, absent(d.Live))
		s.hang(b, "    to mend         ", 20, d.Mend)
	}
	if len(bs.Drift) > 0 && len(bs.Ask) > 0 {
		s.hang(b, "    ask             ", 20, strings.Join(bs.Ask, ", "))
	}
	if len(bs.Drift) > 0 && len(bs.Steps) > 0 {
		var kinds []string
		for _, st := range bs.Steps {
			kinds = append(kinds, string(st.Kind))
		}
		s.hang(b, "    plan            ", 20, strings.Join(kinds, ", "))
	}
}

// servers prints the answers; servers that say the same share a line.
func (s Style) servers(b *strings.Builder, role string, says []planner.ServerSays) {
	var order []string
	by := map[string][]string{}
	for _, a := range says {
		answer := answerWords(a)
		if by[answer] == nil {
			order = append(order, answer)
		}
		by[answer] = append(by[answer], a.Server)
	}
	for _, answer := range order {
		s.hang(b, "    "+pad(role, 14)+"  ", 20, strings.Join(by[answer], ", ")+": "+answer)
	}
}

// answerWords is what a server answers, and who a visitor reaches by it.
func answerWords(a planner.ServerSays) string {
	if a.Serves == "" || a.Serves == "unknown" {
		return a.Answer
	}
	return a.Answer + " → " + a.Serves
}
