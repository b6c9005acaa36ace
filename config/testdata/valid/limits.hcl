dns_provider "route53" "main" {
  zones = ["example.com"]
}

aws "tools" {
  profile = "tools"
}

defaults {
  wave = "rest"
}

bucket "a.example.com" {
  wave = "canary"
}

bucket "b.example.com" {}

limits {
  max_switches           = 50
  max_percent            = 20
  require_approval_above = 10
  allow_apex             = false
  freeze {
    from  = "2026-12-20"
    until = "2027-01-03T06:00:00+01:00"
  }
  freeze {
    from  = "2027-01-03T05:00:00Z"
    until = "2027-01-04"
  }
}

run_lock {
  s3     = "s3://our-tools/edgeward/lock.json"
  region = "eu-central-1"
  aws    = aws.tools
  lease  = "90s"
}
