dns_provider "rout53" "main" { # ERROR: Unknown type of DNS provider
  zones = ["example.com"]
}
dns_provider "route53" "none" { # ERROR: Missing argument
}
dns_provider "route53" "empty" { # ERROR: No zones
  zones = []
}
dns_provider "route53" "kind" {
  zones = "example.net" # ERROR: Wrong type of value
  aws   = "main"        # ERROR: Wrong type of value
}
dns_provider "route53" "kind" { # ERROR: Duplicate dns_provider block
  zones = ["example.net"]
}
dns_provider "route53" "1x" { # ERROR: Invalid label
  zones = ["example.io"]
}
dns_provider "secretive" "a" { # ERROR: Missing argument
  zones = ["example.dev"]
}
dns_provider "secretive" "b" {
  zones = ["example.app"]
  token = "" # ERROR: Empty value
}
dns_provider "secretive" "c" {
  zones = ["example.page"]
  token = ["x"] # ERROR: Wrong type of value
}
aws "a" {
  profile      = ""                           # ERROR: Empty value
  role_arn     = "role/x"                     # ERROR: Invalid role ARN
  region       = "Ireland"                    # ERROR: Invalid region
  default_tags = { "edgeward:x" = "y" }       # ERROR: Invalid tag
}
aws "b" {
  external_id = "x" # ERROR: Missing argument
}
aws "a" {} # ERROR: Duplicate aws block
aws "a b" {} # ERROR: Invalid label
