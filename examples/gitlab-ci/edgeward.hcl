# One site, moved from merge requests: a plan in each, apply by hand after the merge.

dns_provider "route53" "main" {
  zones = ["example.com"]
}

# Two runs keep out of each other's way, on whatever machines.
run_lock {
  s3 = "s3://example-com-tools/edgeward/lock.json"
}

limits {
  max_switches = 5 # no plan switches more names at once
}

bucket "assets.example.com" {
  region = "eu-west-1"

  verify {
    paths = ["/index.html"]
  }
}
