dns_provider "route53" "main" {
  zones = ["example.com"]
}
bucket "assets.example.com" {}
bucket "same" {
  name = "assets.example.com" # ERROR: Duplicate bucket
}
bucket "assets.example.com" {} # ERROR: Duplicate bucket block
bucket "other.example.com" {
  cnames = [
    "other.example.com",
    "assets.example.com", # ERROR: Name in two buckets
    "other.example.com",  # ERROR: Duplicate name
  ]
}
bucket "one.example.com" {
  distribution {
    adopt = "E2QWRUHEXAMPLE"
  }
}
bucket "two.example.com" {
  distribution {
    adopt = "E2QWRUHEXAMPLE" # ERROR: Distribution adopted twice
  }
}
bucket "three.example.com" {
  distribution {
    adopt = "d111111abcdef8.cloudfront.net" # ERROR: Invalid distribution ID
  }
}
bucket "instances" {
  for_each = toset(["x.example.com", "y.example.com"])
  name     = "z.example.com" # ERROR: Duplicate bucket
}
bucket "nameless" { # ERROR: Missing argument
  for_each = toset(["v.example.com", "w.example.com"])
}
