# Two AWS accounts with buckets, a third that has the DNS zones. Each bucket
# gets its certificate and its distribution in its own account; only its DNS
# record is changed in the account "dns".
#
# The settings of the distribution block harden the site. Each says what
# changes for visitors; without the block nothing does.

variable "external_id" {
  type        = string
  default     = "example"
  sensitive   = true
  description = "The external ID that the roles ask for (EDGEWARD_VAR_external_id)."
}

aws "shop" {
  role_arn    = "arn:aws:iam::111111111111:role/edgeward"
  external_id = var.external_id
  region      = "eu-west-1"

  default_tags = {
    team = "shop"
  }
}

aws "brand" {
  role_arn    = "arn:aws:iam::222222222222:role/edgeward"
  external_id = var.external_id
}

aws "dns" {
  role_arn    = "arn:aws:iam::333333333333:role/edgeward-dns"
  external_id = var.external_id
}

dns_provider "route53" "company" {
  aws      = aws.dns
  zones    = ["example.com", "example.org"]
  zone_ids = ["Z0123456789ABCDEFGHIJ", "Z9876543210ABCDEFGHIJ"]
}

# Nothing inside: the site stays as it is, and https works besides.
bucket "assets.example.com" {
  aws = aws.shop
}

bucket "brand" {
  name   = "www.example.org"
  cnames = ["www.example.org", "cdn.example.org"] # cdn.example.org is new: no record stands there yet
  aws    = aws.brand

  # A certificate of one's own, in the bucket's account and in us-east-1.
  # Without the block edgeward finds one or requests it.
  certificate {
    arn = "arn:aws:acm:us-east-1:222222222222:certificate/11111111-2222-3333-4444-555555555555"
  }

  # What the settings below change on purpose needs no word here: the redirect
  # to https, compression, the security headers. These two are consequences of
  # cache_policy that the owner has looked at: pages carry no Cache-Control and
  # may be a day old, and nobody links to a version or a listing of this bucket.
  verify {
    paths  = ["/index.html", "/img/**"]
    accept = ["caching", "query-string"]
  }

  distribution {
    # Visitors of http:// are sent to https://. Browsers keep that redirect, so
    # the way back to S3, which has no https under this name, is then not clean.
    viewer_protocol = "redirect-to-https"

    # Clients that know neither TLS 1.2 nor newer are refused on https.
    minimum_tls = "TLSv1.2_2021"

    # Text is compressed: faster, but ETags become weak and Content-Length is
    # left out for such answers.
    compress = true

    # HTTP/3 for browsers that know it.
    http_version = "http2and3"

    # Objects without Cache-Control stay in CloudFront for up to a day: visitors
    # see a change in S3 later than today; and query strings do not count. Both
    # stop the bucket unless verify { accept } names them. (The managed policy
    # CachingOptimized; docs/cache-policy.md says why it is not the default.)
    cache_policy = "658327ea-f89d-4fab-a63d-7e88639e58f6"

    # Adds security headers to every answer, among them Strict-Transport-Security.
    # (The managed policy SecurityHeadersPolicy.)
    response_headers_policy = "67f7725c-6f97-4210-82d7-5512b31e9d03"

    # Served from North America and Europe only: cheaper, slower elsewhere.
    price_class = "100"

    logging {
      bucket = "example-org-logs"
      prefix = "www/"
    }

    tags = { owner = "brand" }
  }

  dns {
    ttl = "1h" # the TTL afterwards; default: the one that stood before
  }
}
