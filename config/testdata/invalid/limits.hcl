dns_provider "route53" "main" {
  zones = ["example.com"]
}
bucket "a.example.com" {
  wave = "the first" # ERROR: Invalid wave
}
bucket "b.example.com" {
  wave = "" # ERROR: Invalid wave
}
limits {
  max_switches           = -1    # ERROR: Unsupported value
  max_percent            = 101   # ERROR: Unsupported value
  require_approval_above = 1.5   # ERROR: Unsupported value
  allow_apex             = "no"  # ERROR: Wrong type of value
  freeze {                       # ERROR: Missing argument
    from = "2026-12-20"
  }
  freeze {
    from  = "20.12.2026" # ERROR: Invalid time
    until = "2027-01-03 10:00" # ERROR: Invalid time
  }
  freeze {
    from  = "2027-01-03"
    until = "2027-01-03" # ERROR: Invalid freeze
  }
  freeze {
    from  = "2026-12-20"
    until = "2027-01-03"
    why   = "x" # ERROR: Unsupported argument
  }
}
run_lock {
  s3     = "our-tools/lock" # ERROR: Invalid place of the lock
  region = "eu west" # ERROR: Invalid region
  aws    = "x"       # ERROR: Wrong type of value
  lease  = "2s"      # ERROR: Invalid lease
}
