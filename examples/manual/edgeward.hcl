# A zone that another department keeps, without an API. edgeward says exactly
# which record is to be set, and waits until every authoritative server has it.
#
# apply may be ended meanwhile (exit 6) and run again hours or weeks later:
#
#   edgeward apply -wait=false
#
# In the sandbox a simulated person does it within hours: edgeward apply -sandbox

dns_provider "manual" "it" {
  zones = ["example.com"]

  # nameservers = ["192.0.2.53"] # ask these, instead of those that the zone is delegated to
}

bucket "assets" {
  name = "assets.example.com"

  # With ttl = "60s" besides, the person has one record less to set: the old TTL
  # is then not brought back in the end.
  dns {
    low_ttl = "60s"
  }
}
