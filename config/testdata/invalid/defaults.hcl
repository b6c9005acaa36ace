dns_provider "route53" "main" {
  zones = ["example.com"]
}
defaults {
  region       = "nowhere"                 # ERROR: Invalid region
  aws          = "main"                    # ERROR: Wrong type of value
  origin       = each.value                # ERROR: Reference outside for_each
  dns_provider = dns_provider.route53.mian # ERROR: Unknown DNS provider
  distribution {
    compress = "maybe" # ERROR: Wrong type of value
    tags     = { for i in range(40) : "k${i}" => "v" } # ERROR: Too many tags
  }
  verify {
    sample       = -1         # ERROR: Unsupported value
    accept       = ["answer"] # ERROR: Unsupported value
    max_requests = -1         # ERROR: Unsupported value
    max_bytes    = "2000TB"   # ERROR: Invalid size
  }
  dns {
    low_ttl = "1h" # WARNING: The low TTL is not low
    ttl     = "5m"
  }
}
bucket "a.example.com" {}
bucket "b.example.com" {
  dns {
    ttl = "2h"
  }
}
