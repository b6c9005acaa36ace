dns_provider "route53" "main" {
  zones = ["example.com"]
}
defaults {
  watch {
    fur = "10m" # ERROR: Unsupported argument
  }
}
bucket "a.example.com" {
  watch {
    for            = "30s"  # ERROR: Invalid duration
    max_error_rate = 101    # ERROR: Unsupported value
    min_requests   = 0      # ERROR: Unsupported value
    rollback       = "no"   # ERROR: Wrong type of value
  }
}
bucket "b.example.com" {
  watch {
    for            = "soon" # ERROR: Invalid duration
    max_error_rate = -1     # ERROR: Unsupported value
    s3_metrics     = "often" # ERROR: Wrong type of value
  }
  watch { # ERROR: Duplicate watch block
    for = "1h"
  }
}
