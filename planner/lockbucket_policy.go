package planner

import (
	"slices"
	"strings"

	"github.com/edgeward/edgeward/config"
)

// policyRefusals are statements of the policy with which a lock would refuse
// somebody whom S3 serves today.
func policyRefusals(b config.Bucket, a Actual) []Finding {
	sts, err := parsePolicy(a.Access.Policy)
	if err != nil {
		return nil // what everybody may do cannot be told either
	}
	var fs []Finding
	for _, st := range sts {
		switch others := st.outsiders(a.Access.AccountID); {
		case st.deny() && refusesSigned(b, a, st):
			fs = append(fs, Finding{Error, "lock-policy", st.name() + " of the bucket policy refuses CloudFront once it signs",
				"it is about requests with a signature, or about AWS' services, and CloudFront's fetches become such; visitors would be refused. Leave them out of it, or take the lock block out"})
		case !st.deny() && len(others) > 0:
			fs = append(fs, Finding{Error, "lock-policy", st.name() + " of the bucket policy lets " + strings.Join(others, ", ") + " in, and a lock keeps them out",
				"while a policy has a public statement, RestrictPublicBuckets refuses other accounts whatever it grants them, and origin access identities. Take the statement out, or the lock block"})
		}
	}
	return fs
}

// outsiders are those whom a statement names and who are neither everybody, nor a
// service, nor of the account. What is left of a user or role that was deleted is
// nobody.
func (s statement) outsiders(account string) []string {
	var out []string
	for kind, names := range s.Principal {
		for _, name := range names {
			gone := kind == "AWS" && !strings.HasPrefix(name, "arn:") && (strings.HasPrefix(name, "AIDA") || strings.HasPrefix(name, "AROA"))
			own := kind == "AWS" && account != "" && accountOf(name) == account
			if kind != "Service" && name != "*" && !own && !gone {
				out = append(out, name)
			}
		}
	}
	slices.Sort(out)
	return out
}

// accountOf is the number of the account that a principal is of, "" for one that
// names none.
func accountOf(principal string) string {
	if f := strings.Split(principal, ":"); len(f) > 5 && f[0] == "arn" {
		principal = f[4]
	}
	if len(principal) == 12 && strings.Trim(principal, "0123456789") == "" {
		return principal
	}
	return ""
}

// refusesSigned says that a Deny keeps CloudFront from objects once it signs, and
// perhaps does not today.
func refusesSigned(b config.Bucket, a Actual, st statement) bool {
	patterns, _ := st.objectsOf(b.Name)
	if patterns == nil || !st.about(actionRead) && !st.about(actionVersion) {
		return false
	}
	plain := cloudFrontAsker(b, a)
	signs := plain // S3's log shows neither an address nor an agent of signed fetches
	signs.signs, signs.edge, signs.agent = true, false, trait{}
	switch {
	case st.anonymous():
		return st.meets(signs) > st.meets(plain)
	case st.NotPrincipal != nil: // all but everybody without a signature
		return st.meets(signs) > never
	}
	return slices.Contains(st.Principal["Service"], edgeService) && st.meets(signs) > never
}
