dns_provider "route53" "main" {
  zones = ["example.com"]
}
bucket "a.example.com" {
  lock {
    evidence = []               # ERROR: Unsupported value
  }
}
