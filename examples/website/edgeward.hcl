# A website at the zone's apex and at www, both buckets served by S3 website
# hosting today. The apex is an alias record of Route 53, www a CNAME.
#
# edgeward sees at the live record that a name is served by the website
# endpoint and keeps it as the origin, so that index documents, redirects and
# error pages stay as they are. origin = "website" only says so aloud.

dns_provider "route53" "main" {
  zones = ["example.com"]
}

defaults {
  origin = "website"

  dns {
    low_ttl = "60s"
  }

  verify {
    # A folder, a page, and one that is missing: the error page is compared too.
    paths = ["/", "/about/", "/no-such-page"]
  }
}

bucket "apex" {
  name = "example.com"
}

bucket "www" {
  name = "www.example.com"
}
