dns_provider "route53" "main" {
  zones = ["example.com"]
}
bucket "a.example.com" {}
probe { # ERROR: No resolvers
  resolvers = []
  ca_file   = "edgeward.hcl" # ERROR: Invalid ca_file
}
