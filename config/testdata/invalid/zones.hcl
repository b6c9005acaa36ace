dns_provider "route53" "main" {
  zones = ["example.com", "deep.example.com"]
}
dns_provider "route53" "other" {
  zones = [
    "example.org",
    "example.com", # ERROR: Zone at two providers
  ]
}
bucket "assets.notexample.com" {} # ERROR: Name is in no zone
bucket "assets.example.net" {     # ERROR: Name is in no zone
}
bucket "assets.example.com" {
  dns_provider = dns_provider.route53.other # ERROR: Name is not in the provider's zones
}
bucket "two.example.com" {
  cnames = ["two.example.com", "two.example.org"]
  cname "two.example.org" {
    dns_provider = dns_provider.route53.main # ERROR: Name is not in the provider's zones
  }
  cname "three.example.org" { # ERROR: Name is not in cnames
    dns_provider = dns_provider.route53.main
  }
  cname "two.example.org" { # ERROR: Duplicate cname block
    dns_provider = dns_provider.route53.main
  }
}
bucket "quoted.example.com" {
  dns_provider = "dns_provider.route53.main" # ERROR: Wrong type of value
}
bucket "kind.example.com" {
  aws = dns_provider.route53.main # ERROR: Wrong type of value
}
bucket "unknown.example.com" {
  dns_provider = dns_provider.route53.mian # ERROR: Unknown DNS provider
}
bucket "unknown2.example.com" {
  dns_provider = dns_provider.rout53.main # ERROR: Unknown DNS provider
}
bucket "unknown3.example.com" {
  aws = aws.nobody # ERROR: Unknown aws account
}
