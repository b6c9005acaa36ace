dns_provider "route53" "main" { # WARNING: Nothing to do
  zones = ["example.com"]
}
