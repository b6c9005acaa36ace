dns_provider "route53" "main" {
  zones = ["example.com"]
}
defaults {
  lock {
    after = "3d"
  }
}
bucket "a.example.com" {}
bucket "b.example.com" {
  lock {
    after    = "1d"
    evidence = ["probes", "access-log", "probes"]
    keep_404 = true
  }
}
