package view

import (
	"fmt"
	"html/template"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/edgeward/edgeward/planner"
)

// The size of the pictures of traffic.
const (
	plotRows   = 4  // of one curve on a terminal
	curveTable = 12 // rows of the table in Markdown
	svgWidth   = 720
	svgHeight  = 180
)

// slot is several minutes of a curve, as a picture shows them: requests a minute,
// nil where no minute has a value.
type slot struct {
	at             time.Time
	cloudFront, s3 *float64
}

// slots are a curve in at most n slots of whole minutes, oldest first.
func slots(curve []planner.TrafficPoint, n int) []slot {
	if len(curve) == 0 || n <= 0 {
		return nil
	}
	curve = slices.SortedStableFunc(slices.Values(curve), func(a, b planner.TrafficPoint) int { return a.Time.Compare(b.Time) })
	first, last := curve[0].Time, curve[len(curve)-1].Time
	minutes := int(last.Sub(first)/time.Minute) + 1
	each := (minutes + n - 1) / n
	out := make([]slot, (minutes+each-1)/each)
	counts := make([][2]int, len(out))
	for i := range out {
		out[i].at = first.Add(time.Duration(i*each) * time.Minute)
	}
	add := func(to **float64, count *int, v *float64) {
		if v == nil {
			return
		}
		sum := *v
		if *to != nil {
			sum += **to
		}
		*to = &sum
		*count++
	}
	for _, p := range curve {
		i := int(p.Time.Sub(first)/time.Minute) / each
		add(&out[i].cloudFront, &counts[i][0], p.CloudFront)
		add(&out[i].s3, &counts[i][1], p.S3)
	}
	for i := range out {
		for j, v := range []*float64{out[i].cloudFront, out[i].s3} {
			if v != nil {
				*v /= float64(counts[i][j])
			}
		}
	}
	return out
}

// highest is the largest value of all slots.
func highest(all []slot) float64 {
	most := 0.0
	for _, s := range all {
		for _, v := range []*float64{s.cloudFront, s.s3} {
			if v != nil {
				most = max(most, *v)
			}
		}
	}
	return most
}

// curves says whether there is anything to draw.
func curves(t *planner.Traffic) bool { return t != nil && len(t.Curve) > 1 }

// plot draws the two curves under each other, on one scale, so that they can be
// told apart without colours. A minute without a value is a point.
func (s Style) plot(b *strings.Builder, t *planner.Traffic) {
	if !curves(t) {
		return
	}
	const label = 12
	all := slots(t.Curve, max(min(s.width(), 120)-label-4, 8))
	most := highest(all)
	draw := func(name, color string, value func(slot) *float64) {
		for row := plotRows - 1; row >= 0; row-- {
			head := ""
			if row == plotRows-1 {
				head = name
			}
			var line strings.Builder
			for _, x := range all {
				line.WriteRune(plotRune(value(x), most, row))
			}
			fmt.Fprintf(b, "    %s%s\n", pad(head, label), s.paint(color, strings.TrimRight(line.String(), " ")))
		}
	}
	first, last := t.Curve[0].Time, t.Curve[len(t.Curve)-1].Time.Add(time.Minute)
	s.hang(b, "    ", 4, fmt.Sprintf("requests a minute from %s to %s UTC, at most %s; S3's have what it sent to CloudFront in them; · is not known",
		moment(first)[:16], clock(first, last), decimal(most)))
	draw("CloudFront", green, func(x slot) *float64 { return x.cloudFront })
	draw("S3", yellow, func(x slot) *float64 { return x.s3 })
}

// clock is the later time, without its date when that is the earlier one's.
func clock(first, last time.Time) string {
	if moment(first)[:10] == moment(last)[:10] {
		return moment(last)[11:16]
	}
	return moment(last)[:16]
}

// plotRune is a cell of a column that is v high on a scale that ends at most.
func plotRune(v *float64, most float64, row int) rune {
	if v == nil {
		if row == 0 {
			return '·'
		}
		return ' '
	}
	steps := []rune(" ▁▂▃▄▅▆▇█")
	if most <= 0 {
		return ' '
	}
	eighths := int(math.Round(*v / most * plotRows * 8))
	if *v > 0 {
		eighths = max(eighths, 1)
	}
	return steps[min(max(eighths-8*row, 0), 8)]
}

// markdownCurves are the curves as a small table.
func markdownCurves(t *planner.Traffic) string {
	if !curves(t) {
		return ""
	}
	all := slots(t.Curve, curveTable)
	var b strings.Builder
	b.WriteString("\n" + markdownRow("from (UTC)", "CloudFront, requests a minute", "S3, requests a minute") + markdownRow("---", "---:", "---:"))
	for _, x := range all {
		b.WriteString(markdownRow(moment(x.at)[:16], known(x.cloudFront), known(x.s3)))
	}
	return b.String() + "\n"
}

// known is a number of requests, in words where there is none.
func known(v *float64) string {
	if v == nil {
		return "not known"
	}
	return decimal(*v)
}

// svgCurves are the curves as a picture within a page; "" without any. There is no
// text in it that came from somebody else.
func svgCurves(t *planner.Traffic) template.HTML {
	if !curves(t) {
		return ""
	}
	all := slots(t.Curve, svgWidth/2)
	most := max(highest(all), 1)
	lines := func(value func(slot) *float64) string {
		var b strings.Builder
		pen := "M"
		for i, x := range all {
			v := value(x)
			if v == nil {
				pen = "M"
				continue
			}
			px := float64(i) * svgWidth / float64(max(len(all)-1, 1))
			fmt.Fprintf(&b, "%s%.1f %.1f", pen, px, svgHeight-*v/most*svgHeight)
			pen = "L"
		}
		return b.String()
	}
	first, last := t.Curve[0].Time, t.Curve[len(t.Curve)-1].Time.Add(time.Minute)
	var b strings.Builder
	fmt.Fprintf(&b, `<figure class="curves"><svg viewBox="-4 -6 %d %d" role="img" aria-label="requests a minute to CloudFront and to S3">`, svgWidth+8, svgHeight+12)
	fmt.Fprintf(&b, `<path class="axis" d="M0 0V%d H%d"/>`, svgHeight, svgWidth)
	fmt.Fprintf(&b, `<path class="curve cloudfront" d="%s"/>`, lines(func(x slot) *float64 { return x.cloudFront }))
	s3, legend := lines(func(x slot) *float64 { return x.s3 }), "S3: unknown, nobody counts its requests"
	if s3 != "" {
		fmt.Fprintf(&b, `<path class="curve s3" d="%s"/>`, s3)
		legend = "S3, dashed, with what it sent to CloudFront"
	}
	fmt.Fprintf(&b, `</svg><figcaption class="soft"><span class="key cloudfront">CloudFront</span> <span class="key s3">%s</span>: requests a minute, 0 to %s, from %s to %s UTC. Where a line is broken nothing is known.</figcaption></figure>`,
		legend, decimal(most), moment(first)[:16], clock(first, last))
	return template.HTML(b.String())
}

// shareWords are the share of several buckets in a few words, "" when none was
// measured.
func shareWords(all []*planner.Traffic) string {
	low, high, unknown, measured := math.Inf(1), math.Inf(-1), 0, 0
	for _, t := range all {
		switch {
		case t == nil:
		case t.Share == nil:
			unknown++
		default:
			measured++
			low, high = min(low, t.Share.Least), max(high, t.Share.Most)
		}
	}
	var parts []string
	if measured > 0 {
		text := decimal(low)
		if decimal(low) != decimal(high) {
			text += "–" + decimal(high)
		}
		parts = append(parts, "CloudFront serves "+text+" % of the requests")
	}
	if unknown > 0 {
		parts = append(parts, fmt.Sprintf("share of %d not known", unknown))
	}
	return strings.Join(parts, ", ")
}
