# A zone on name servers of your own: BIND, Knot or PowerDNS with dynamic
# updates (RFC 2136), signed with a TSIG key.
#
# The key's secret is not written down here. edgeward takes it from the
# environment variable RFC2136_TSIG_SECRET; key_secret = file("edgeward.key")
# would read it from a file.
#
#   tsig-keygen -a hmac-sha256 edgeward       makes the key
#   update-policy { grant edgeward zonesub CNAME A AAAA; };   in BIND, for the zone
#
# To try it without a server and without a key: edgeward apply -sandbox

dns_provider "rfc2136" "office" {
  zones         = ["example.com"]
  server        = "ns1.example.com:53" # the primary, which takes the updates
  key_name      = "edgeward"
  key_algorithm = "hmac-sha256"
}

bucket "assets" {
  name = "assets.example.com"

  dns {
    low_ttl = "60s" # the TTL while switching; the old one comes back afterwards
  }
}
