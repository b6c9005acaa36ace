package view

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/edgeward/edgeward/planner"
)

// Screen is what the demo's live screen shows at one instant.
type Screen struct {
	// Elapsed is how much time of the simulation has passed.
	Elapsed time.Duration
	Buckets []ScreenBucket
	// Requests and Failed count all visits, S3 and CloudFront are the shares of
	// the last ones in percent.
	Requests, Failed, S3, CloudFront int
}

// ScreenBucket is one bucket on the screen.
type ScreenBucket struct {
	Name string
	// Done and Steps count its stages.
	Done, Steps int
	// Doing is the stage that is under way, "" before and after; Why its state.
	Doing planner.Kind
	Why   string
}

const (
	stageBar = 12
	shareBar = 40
)

// Frame is s as lines of the same number for the same buckets, none longer
// than the style's width, so that the next frame can be drawn over it.
func Frame(s Screen, style Style) string {
	width := 0
	for _, b := range s.Buckets {
		width = max(width, utf8.RuneCountInString(b.Name))
	}
	var b strings.Builder
	line := func(plain string, paint func(string) string) {
		plain = cut(plain, style.width()-1)
		if paint != nil {
			plain = paint(plain)
		}
		b.WriteString(plain + "\n")
	}
	line(fmt.Sprintf("  %s simulated", Duration(s.Elapsed.Truncate(time.Second))), func(t string) string { return style.paint(dim, t) })
	for _, x := range s.Buckets {
		full := 0
		if x.Steps > 0 {
			full = x.Done * stageBar / x.Steps
		}
		text := string(x.Doing)
		switch {
		case x.Steps > 0 && x.Done == x.Steps:
			text = "served by CloudFront"
		case x.Why != "":
			text += ": " + x.Why
		}
		head := "  " + pad(x.Name, width) + "  "
		bar := strings.Repeat("█", full) + strings.Repeat("░", stageBar-full)
		line(head+bar+"  "+text, func(t string) string { return strings.Replace(t, bar, style.paint(green, bar), 1) })
	}
	left := (s.S3*shareBar + 50) / 100
	if s.S3 == 0 && s.CloudFront == 0 {
		left = shareBar
	}
	line("", nil)
	s3, cf := strings.Repeat("▓", left), strings.Repeat("█", shareBar-left)
	line(fmt.Sprintf("  S3 %3d%% %s%s %3d%% CloudFront", s.S3, s3, cf, s.CloudFront), func(t string) string {
		t = strings.Replace(t, s3, style.paint(yellow, s3), 1)
		return strings.Replace(t, cf, style.paint(green, cf), 1)
	})
	line(fmt.Sprintf("  visitors: %d requests, %d failed", s.Requests, s.Failed), nil)
	return b.String()
}

func cut(text string, width int) string {
	if utf8.RuneCountInString(text) <= width {
		return text
	}
	return string([]rune(text)[:width-1]) + "…"
}

// Visitors is the line that counts the visits of a simulated world: all
// requests, and who served the last ones, in percent.
func Visitors(requests, failed, s3, cloudFront int) string {
	return fmt.Sprintf("visitors: %d requests, %d failed, S3 %d%%, CloudFront %d%%", requests, failed, s3, cloudFront)
}
