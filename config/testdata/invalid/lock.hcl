dns_provider "route53" "main" {
  zones = ["example.com"]
}
bucket "a.example.com" {
  lock {
    after    = "10m"            # ERROR: Unsupported value
    evidence = ["hearsay",      # ERROR: Unsupported value
      "none",                   # ERROR: Unsupported value
      "probes"]
    keep_404 = "perhaps"        # ERROR: Wrong type of value
    flags    = 4                # ERROR: Unsupported argument
  }
  lock {}                       # ERROR: Duplicate lock block
}
bucket "b.example.com" {
  origin = "website"
  lock {}                       # ERROR: Website cannot be locked
}
