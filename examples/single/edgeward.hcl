# One bucket behind CloudFront. The bucket assets.example.com has public
# objects, and assets.example.com is a CNAME of an S3 endpoint today.
#
#   edgeward plan
#   edgeward apply
#
# To try it with nothing but this file: edgeward apply -sandbox

dns_provider "route53" "main" {
  zones = ["example.com"]
}

bucket "assets" {
  name = "assets.example.com"

  # These links, and a sample of 20 objects, must be the same through S3 and
  # through CloudFront before the first visitor is sent there.
  verify {
    paths = ["/index.html", "/img/logo.png"]
  }
}
