dns_provider "route53" "main" {
  zones = ["example.com"]
}
bucket "a.example.com" {
  origin = "websight" # ERROR: Unsupported value
  region = "eu west"  # ERROR: Invalid region
  certificate {
    arn = "arn:aws:acm:eu-west-1:123456789012:certificate/12345678-1234-1234-1234-123456789012" # ERROR: Invalid certificate ARN
  }
  distribution {
    price_class             = "PriceClass_ALL" # ERROR: Unsupported value
    http_version            = "http/2"         # ERROR: Unsupported value
    ipv6                    = "yes"            # ERROR: Wrong type of value
    compress                = []               # ERROR: Wrong type of value
    viewer_protocol         = "redirect"       # ERROR: Unsupported value
    minimum_tls             = "SSLv3"          # ERROR: Unsupported value
    default_root_object     = "/index.html"    # ERROR: Invalid default_root_object
    cache_policy            = "CachingOptimized" # ERROR: Invalid policy ID
    origin_request_policy   = "x" # ERROR: Invalid policy ID
    response_headers_policy = "x" # ERROR: Invalid policy ID
    web_acl_arn             = "arn:aws:wafv2:eu-west-1:123456789012:regional/webacl/a/b" # ERROR: Invalid web ACL
    logging {
      bucket = "my_logs" # ERROR: Invalid bucket name
    }
    tags = {
      "aws:x"      = "1" # ERROR: Invalid tag
      "Edgeward:x" = "1" # ERROR: Invalid tag
      "a,b"        = "1" # ERROR: Invalid tag
      ok           = "a;b" # ERROR: Invalid tag
      none         = null # ERROR: Unsupported value
    }
  }
  verify {
    paths = [
      "/ok",
      "/ok%20too?x=1",
      "index.html",            # ERROR: Invalid path
      "http://a.example.com/", # ERROR: Invalid path
      "/a b",                  # ERROR: Invalid path
      "/a#b",                  # ERROR: Invalid path
      "/a%zz",                 # ERROR: Invalid path
      "/img/*.png",
      "/**",
      "/a*?x=[1]",
      "/***/x",         # ERROR: Invalid path
      "/*.{png,jpg}",   # ERROR: Invalid path
      "/img/[ab]*.png", # ERROR: Invalid path
    ]
    accept = [
      "cache-control",
      "vary",
      "cache_control", # ERROR: Unsupported value
      "Vary",          # ERROR: Unsupported value
      "answer",        # ERROR: Unsupported value
      "unsteady",      # ERROR: Unsupported value
      "broken",        # ERROR: Unsupported value
      "*",             # ERROR: Unsupported value
      "colour",        # ERROR: Unsupported value
      "",              # ERROR: Unsupported value
      null,            # ERROR: Unsupported value
    ]
    max_requests = 0      # ERROR: Unsupported value
    max_bytes    = "20gb" # ERROR: Invalid size
    sample  = -1   # ERROR: Unsupported value
    max_age = "0s" # ERROR: Invalid duration
  }
  dns {
    low_ttl = "0s"   # ERROR: Invalid TTL
    ttl     = "1.5s" # ERROR: Invalid TTL
  }
}
bucket "b.example.com" {
  certificate {
    arn = "my-certificate" # ERROR: Invalid certificate ARN
  }
  distribution {
    logging {
      bucket = "logs"
      prefix = "/assets/" # ERROR: Invalid prefix
    }
    default_root_object = "" # ERROR: Invalid default_root_object
  }
  dns {
    low_ttl = 60      # ERROR: Invalid duration
    ttl     = "70000d" # ERROR: Invalid duration
  }
  verify {
    sample  = 1.5   # ERROR: Unsupported value
    max_age = "-5m" # ERROR: Invalid duration
    paths   = "/x"  # ERROR: Wrong type of value
    accept  = "cors" # ERROR: Wrong type of value
    max_requests = "many" # ERROR: Wrong type of value
    max_bytes    = 20     # ERROR: Invalid size
  }
}
bucket "c.example.com" {
  dns {
    low_ttl = "10m" # WARNING: The low TTL is not low
    ttl     = "5m"
  }
  verify {
    max_age = "15 minutes" # ERROR: Invalid duration
    sample  = "ALL"        # ERROR: Unsupported value
    accept  = [true]       # ERROR: Unsupported value
    max_bytes = "20 GB"    # ERROR: Invalid size
    max_requests = 1e12    # ERROR: Unsupported value
    accepts = []           # ERROR: Unsupported argument
  }
  distribution {
    logging {
      bucket = "logs.amazonaws.com" # ERROR: Invalid logging bucket
    }
  }
}
bucket "sizes.example.com" {
  verify {
    sample    = "some" # ERROR: Unsupported value
    max_bytes = 1.5e6
  }
}
bucket "more-sizes.example.com" {
  verify {
    sample    = "-1" # ERROR: Unsupported value
    max_bytes = []   # ERROR: Wrong type of value
  }
}
bucket "d.example.com" {
  dns {
    ttl = "30s" # WARNING: The low TTL is not low
  }
}
bucket "e.example.com" {
  dns {
    ttl = "" # ERROR: Invalid duration
  }
}
bucket "tags.example.com" {
  distribution {
    tags = { for i in range(39) : "k${i}" => "v" } # ERROR: Too many tags
  }
}
rollout {
  parallelism  = 0   # ERROR: Unsupported value
  max_failures = -1  # ERROR: Unsupported value
}
limits {
  max_switches = "many" # ERROR: Wrong type of value
}
probe {
  resolvers = [
    "1.1.1.1",
    "https://dns.example/dns-query",
    "http://dns.example/dns-query", # ERROR: Invalid resolver
    "1.1.1.1:x",                    # ERROR: Invalid resolver
  ]
  connect_to = {
    "*.cloudfront.net:443" = "127.0.0.1:8443"
    "a.example.com"        = "https://x" # ERROR: Invalid connect_to
    "a.*.example.com"      = "127.0.0.1" # ERROR: Invalid connect_to
  }
  ca_file = "no-such-file.pem" # ERROR: Invalid ca_file
}
