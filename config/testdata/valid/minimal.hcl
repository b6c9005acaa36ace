dns_provider "route53" "main" {
  zones = ["example.com"]
}

bucket "assets.example.com" {}
