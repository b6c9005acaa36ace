dns_provider "route53" "main" {
  zones = ["example.com"]
}

defaults {
  watch {
    for        = "1h"
    s3_metrics = true
  }
}

bucket "a.example.com" {
  watch {
    max_error_rate = 0.5
    min_requests   = 20
    rollback       = false
  }
}

bucket "b.example.com" {
  watch {
    for        = "0s"
    s3_metrics = false
  }
}
