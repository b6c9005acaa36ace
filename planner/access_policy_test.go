package planner

import (
	"fmt"
	"strings"
	"testing"

	"github.com/edgeward/edgeward/providers"
)

// TestGrantIsWhatEverybodyMay: ?versionId= asks for another right than the object
// does, and links of that kind have to go on as well.
func TestGrantIsWhatEverybodyMay(t *testing.T) {
	allow := func(action, key string) string {
		return fmt.Sprintf(`{"Effect":"Allow","Principal":"*","Action":%s,"Resource":"arn:aws:s3:::b/%s"}`, action, key)
	}
	for what, tc := range map[string]struct {
		statements []string
		want, err  string
	}{
		"objects":                    {[]string{allow(`"s3:GetObject"`, "*")}, "[s3:GetObject]", ""},
		"versions too":               {[]string{allow(`["s3:GetObject","s3:GetObjectVersion"]`, "*")}, "[s3:GetObject s3:GetObjectVersion]", ""},
		"by a pattern":               {[]string{allow(`"s3:Get*"`, "*")}, "[s3:GetObject s3:GetObjectVersion]", ""},
		"in two statements":          {[]string{allow(`"s3:GetObject"`, "*"), allow(`"s3:GetObjectVersion"`, "*")}, "[s3:GetObject s3:GetObjectVersion]", ""},
		"versions of others":         {[]string{allow(`"s3:GetObject"`, "*"), allow(`"s3:GetObjectVersion"`, "img/*")}, "", "of other objects"},
		"versions, and no object":    {[]string{allow(`"s3:GetObjectVersion"`, "*")}, "", "no statement"},
		"versions of another bucket": {[]string{allow(`"s3:GetObject"`, "*"), strings.ReplaceAll(allow(`"s3:GetObjectVersion"`, "*"), ":::b/", ":::c/")}, "[s3:GetObject]", ""},
	} {
		o, err := openings("b", `{"Statement":[`+strings.Join(tc.statements, ",")+`]}`)
		switch {
		case tc.err != "":
			if err == nil || !strings.Contains(err.Error(), tc.err) {
				t.Errorf("%s: %v", what, err)
			}
		case err != nil:
			t.Errorf("%s: %v", what, err)
		default:
			if got := fmt.Sprint(grantOf("b", providers.Distribution{ID: "E1"}, o, false)["Action"]); got != tc.want {
				t.Errorf("%s: %s", what, got)
			}
		}
	}
}
