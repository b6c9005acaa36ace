# A zone at Cloudflare. A record is changed in place, so that the name is never
# empty, and one that is proxied (the orange cloud) stays proxied.
#
# The API token, with the permissions Zone:Read and DNS:Edit for the zone, is
# taken from the environment variable CLOUDFLARE_API_TOKEN.
#
# To try it without a token: edgeward apply -sandbox

dns_provider "cloudflare" "main" {
  zones = ["example.org"]
}

bucket "img" {
  name = "img.example.org"
}

# The top of the zone: Cloudflare flattens a CNAME there, so that visitors get
# the addresses of CloudFront. It must be a CNAME of S3 today.
bucket "apex" {
  name   = "example.org"
  origin = "website"
}
