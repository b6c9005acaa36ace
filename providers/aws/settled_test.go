package aws_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/edgeward/edgeward/providers"
)

// TestTagsShowOwnWrites: an answer that does not have what was just written is no
// answer, until it has, or somebody else must have written since.
func TestTagsShowOwnWrites(t *testing.T) {
	const arn = "arn:aws:cloudfront::1:distribution/E1"
	tests := map[string]struct {
		late   int // reads that do not show the write
		urgent bool
		want   string
		reads  int
		most   time.Duration
	}{
		"at once":        {0, false, "new", 1, time.Second},
		"a little later": {3, false, "new", 4, 3 * time.Second},
		"in a switch":    {3, true, "new", 4, 3 * time.Second},
		"never":          {1000, false, "old", 9, 13 * time.Second},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			environment(t, nil)
			synctest.Test(t, func(t *testing.T) {
				value, reads, theirs := "old", 0, false
				_, account := connect(func(c call) (*http.Response, error) {
					if strings.HasPrefix(c.op, "POST") {
						return respond(204, "")
					}
					if reads++; reads > tc.late {
						value = "new"
					}
					if theirs {
						value = "theirs"
					}
					return respond(200, fmt.Sprintf("<Tags><Items><Tag><Key>a</Key><Value>%s</Value></Tag></Items></Tags>", value))
				}, fast())
				ctx := t.Context()
				if tc.urgent {
					ctx = providers.WithUrgency(ctx)
				}
				for _, tags := range []map[string]string{{"a": "new"}, {"emptied": ""}} {
					if err := account.Distributions.SetTags(ctx, arn, tags); err != nil {
						t.Fatal(err)
					}
				}
				began := time.Now()
				tags, err := account.Distributions.Tags(ctx, arn)
				if err != nil || tags["a"] != tc.want || reads != tc.reads || time.Since(began) > tc.most {
					t.Errorf("%v %v after %s and %d reads", tags, err, time.Since(began), reads)
				}
				before := reads // it is not waited for again: somebody else may write
				theirs = true
				if _, err = account.Distributions.Tags(ctx, arn); err != nil || reads != before+1 {
					t.Errorf("%v, %d more reads", err, reads-before)
				}
			})
		})
	}
}
