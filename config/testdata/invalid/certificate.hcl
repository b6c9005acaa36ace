dns_provider "route53" "main" {
  zones = ["example.com"]
}
bucket "a.example.com" {
  certificate {
    arn   = "arn:aws:acm:us-east-1:123456789012:certificate/12345678-1234-1234-1234-123456789012"
    share = true # ERROR: Conflicting arguments
  }
}
bucket "b.example.com" {
  certificate {
    share = "perhaps" # ERROR: Wrong type of value
  }
}
bucket "c.example.com" {
  certificate {} # ERROR: Missing argument
}
