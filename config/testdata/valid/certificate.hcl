dns_provider "route53" "main" {
  zones = ["example.com"]
}

defaults {
  certificate {
    share = true
  }
}

bucket "a.example.com" {}

bucket "b.example.com" {
  certificate {
    arn = "arn:aws:acm:us-east-1:123456789012:certificate/12345678-1234-1234-1234-123456789012"
  }
}

bucket "c.example.com" {
  certificate {
    share = false
  }
}
