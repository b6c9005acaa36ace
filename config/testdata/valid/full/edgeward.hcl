# -var: team=shop
# -var: sites={ a = { host = "a.example.org", account = "shop" }, b = { host = "b.deep.example.org" } }
# env: TOKEN=hunter2
variable "team" {
  type        = string
  description = "Who pays."
  validation {
    condition     = can(regex("^[a-z]+$", var.team))
    error_message = "Lower-case letters only."
  }
}

variable "sites" {
  type = map(object({ host = string, account = optional(string, "brand") }))
}

locals {
  region = local.regions["main"]
  regions = {
    main = jsondecode(file("regions.json")).main
  }
  week = yamldecode("days: 7").days
}

aws "shop" {
  profile      = "shop"
  region       = local.region
  default_tags = { team = var.team, kind = "site" }
}

aws "brand" {
  role_arn    = "arn:aws:iam::123456789012:role/edgeward"
  external_id = env("TOKEN")
}

dns_provider "route53" "com" {
  zones       = ["example.com"]
  aws         = aws.brand
  zone_ids    = ["Z123"]
  nameservers = ["127.0.0.1:5300"]
}

dns_provider "secretive" "org" {
  zones = ["example.org", "deep.example.org"]
  token = env("TOKEN")
}

defaults {
  aws    = aws.shop
  region = "eu-west-1"
  origin = "rest"
  distribution {
    price_class = "200"
    compress    = true
    tags        = { from = "defaults" }
    logging {
      bucket = "logs"
      prefix = "all/"
    }
  }
  verify {
    sample       = 5
    max_age      = "1h30m"
    accept       = ["cache-control"]
    max_requests = 5000
    max_bytes    = "1.5GiB"
  }
  dns {
    low_ttl = "30s"
  }
}

bucket "assets" {
  name   = "assets.example.com"
  cnames = ["assets.example.com", "cdn.example.org"]
  aws    = null
  cname "cdn.example.org" {
    dns_provider = dns_provider["secretive"].org
  }
  certificate {
    arn = "arn:aws:acm:us-east-1:123456789012:certificate/12345678-1234-1234-1234-123456789012"
  }
  distribution {
    adopt                   = "E2QWRUHEXAMPLE"
    price_class             = "PriceClass_All"
    http_version            = "http2and3"
    ipv6                    = false
    viewer_protocol         = "redirect-to-https"
    minimum_tls             = "TLSv1.2_2021"
    default_root_object     = "index.html"
    cache_policy            = "658327ea-f89d-4fab-a63d-7e88639e58f6"
    origin_request_policy   = "88a5eaf4-2fd4-4709-b370-b4c650ea3fcf"
    response_headers_policy = "67f7725c-6f97-4210-82d7-5512b31e9d03"
    web_acl_arn             = "arn:aws:wafv2:us-east-1:123456789012:global/webacl/web/a1b2c3d4-5678-90ab-cdef-111111111111"
    tags                    = { kind = "own" }
    logging {
      prefix = "assets/"
    }
  }
  verify {
    paths     = ["/index.html", "/a%20b?x=1", "/img/*.png", "/docs/**", "/a*?x=[1]"]
    sample    = "all"
    accept    = ["cors", "vary", "cors"]
    max_bytes = 500000000
  }
  dns {
    ttl = "${local.week}d"
  }
}

bucket "site" {
  for_each = var.sites
  name     = each.value.host
  aws      = aws[each.value.account]
  region   = each.key == "a" ? null : "us-east-1"
  origin   = "website"
}

bucket "plain.example.com" {
  for_each = toset(["plain.example.com"])
}
