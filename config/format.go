package config

import (
	"bytes"
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
)

// Format returns src in the canonical layout. Formatting the result again
// changes nothing. What does not parse is returned as it is: Parse says why.
func Format(src []byte) []byte {
	if Parse(MainFile, src).HasErrors() {
		return src
	}
	// The formatter can need more than one pass to come to rest.
	out := hclwrite.Format(src)
	for range 8 {
		next := hclwrite.Format(out)
		if bytes.Equal(next, out) {
			break
		}
		out = next
	}
	if Parse(MainFile, out).HasErrors() || !bytes.Equal(hclwrite.Format(out), out) {
		return src
	}
	return out
}

// Parse returns the findings about the syntax of one file, for a command that
// formats it; names and values are not looked at.
func Parse(name string, src []byte) hcl.Diagnostics {
	if rng, f := excessive(name, src); f != nil {
		return hcl.Diagnostics{{Severity: hcl.DiagError, Summary: f.summary, Detail: f.detail, Subject: &rng}}
	}
	_, diags := hclsyntax.ParseConfig(src, name, hcl.InitialPos)
	return diags
}

// Starter is a commented edgeward.hcl that validates, for the bucket of that
// name; "" takes an example's. The zone is the name without its first label.
func Starter(name string) []byte {
	if name == "" {
		name = "assets.example.com"
	}
	return Format(fmt.Appendf(nil, starter, quote(parentName(name)), quote(name)))
}

const starter = `# edgeward moves public S3 buckets behind CloudFront.
#
#   edgeward validate   checks this file, without network
#   edgeward plan       shows what is not done yet, changes nothing
#   edgeward apply      creates, verifies and switches, after you said yes

# Where the DNS records are edited. The credentials are those of the AWS SDK:
# environment, shared files, single sign-on, or the machine's role.
# Other providers, among them cloudflare, rfc2136 (BIND) and manual (a person):
# edgeward providers.
dns_provider "route53" "main" {
  zones = [%s]
}

# A bucket is served under the name that it has itself. With nothing inside,
# the site stays as it is, and HTTPS works besides.
bucket %s {
  # cnames = ["assets.example.com"] # names visitors use; default: the bucket's own

  # Links that must be the same through S3 and through CloudFront before any
  # visitor is sent there. A sample of objects is compared besides.
  # verify {
  #   paths  = ["/index.html", "/img/*.png", "/docs/**"] # * within a folder, ** below it too
  #   sample = 20                                        # "all": every object
  #   accept = ["cache-control"]                         # changes that visitors may see
  # }

  # distribution {
  #   viewer_protocol = "redirect-to-https" # default: allow-all, as S3 does today
  #   compress        = true                # default: false, as S3 does today
  # }
}

# limits {
#   max_switches = 10 # a plan that would switch more names than this is not applied
# }
`
