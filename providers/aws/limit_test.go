package aws_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/edgeward/edgeward/providers"
	"github.com/edgeward/edgeward/providers/aws"
)

// Two clients of one account share its rates, whether a role's name or STS says
// that it is one; a client of another account has its own.
func TestLimitersAreTheAccounts(t *testing.T) {
	environment(t, nil)
	synctest.Test(t, func(t *testing.T) {
		shared := providers.NewLimiters(providers.RealClock{})
		client := func(number, role string) *aws.Client {
			w := &wire{answer: func(c call) (*http.Response, error) {
				switch {
				case strings.Contains(c.body, "Action=AssumeRole"):
					return respond(200, `<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>a</AccessKeyId><SecretAccessKey>b</SecretAccessKey>
<SessionToken>c</SessionToken><Expiration>2100-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`)
				case strings.Contains(c.body, "Action=GetCallerIdentity"):
					return respond(200, `<GetCallerIdentityResponse><GetCallerIdentityResult><Account>`+number+`</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`)
				}
				return respond(204, "")
			}}
			return aws.New(aws.Options{Clock: providers.RealClock{}, HTTPClient: w, RoleARN: role, Limiters: shared, Several: true})
		}
		const mine, other = "111111111111", "222222222222"
		for _, c := range []*aws.Client{client(mine, ""), client("", "arn:aws:iam::"+mine+":role/edgeward"), client(other, "")} {
			if err := c.Account().Distributions.SetTags(t.Context(), "arn:aws:cloudfront::1:distribution/E1", map[string]string{"a": "b"}); err != nil {
				t.Fatal(err)
			}
		}
		var got []providers.Rate
		for _, r := range shared.Rates() {
			if strings.HasPrefix(r.API, "cloudfront") {
				got = append(got, r)
			}
		}
		want := []providers.Rate{{API: "cloudfront writes (" + mine + ")", PerSecond: 1, Requests: 2}, {API: "cloudfront writes (" + other + ")", PerSecond: 1, Requests: 1}}
		if !slices.Equal(got, want) {
			t.Errorf("%+v\nwant %+v", got, want)
		}
	})
}
