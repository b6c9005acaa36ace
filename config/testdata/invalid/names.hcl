dns_provider "route53" "main" {
  zones = [
    "example.com",
    "example.com",  # ERROR: Duplicate zone
    "Example.org",  # ERROR: Invalid zone name
    "example.net.", # ERROR: Invalid zone name
    "",             # ERROR: Invalid zone name
    "*.example.io", # ERROR: Invalid zone name
  ]
  nameservers = [
    "ns1.example.com",
    "192.0.2.1:53",
    "2001:db8::1",
    "[2001:db8::1]:53",
    "192.0.2.1:99999",  # ERROR: Invalid name server
    "192.0.2.300",      # ERROR: Invalid name server
    "https://ns1.x.io", # ERROR: Invalid name server
    "[192.0.2.1]:53x",  # ERROR: Invalid name server
    "ns1.example.com:", # ERROR: Invalid name server
  ]
}
bucket "Assets.example.com" {} # ERROR: Invalid bucket name
bucket "a" {
  name = "ab" # ERROR: Invalid bucket name
}
bucket "b" {
  name = "assets_1.example.com" # ERROR: Invalid bucket name
}
bucket "c" {
  name = "-assets.example.com" # ERROR: Invalid bucket name
}
bucket "d" {
  name = "assets..example.com" # ERROR: Invalid bucket name
}
bucket "e" {
  name = "192.168.5.4" # ERROR: Invalid bucket name
}
bucket "f" {
  name = "xn--assets.example.com" # ERROR: Invalid bucket name
}
bucket "g" {
  name = "assets-s3alias" # ERROR: Invalid bucket name
}
bucket "h" {
  name = "s3://assets.example.com" # ERROR: Invalid bucket name
}
bucket "plain" {} # ERROR: Invalid DNS name
bucket "numbers" {
  name = "assets.example.123" # ERROR: Invalid DNS name
}
bucket "names.example.com" {
  cnames = [
    "WWW.example.com",       # ERROR: Invalid DNS name
    "www.example.com.",      # ERROR: Invalid DNS name
    "*.example.com",         # ERROR: Invalid DNS name
    "bücher.example.com",    # ERROR: Invalid DNS name
    "https://example.com/x", # ERROR: Invalid DNS name
    "a_b.example.com",       # ERROR: Invalid DNS name
    "a..example.com",        # ERROR: Invalid DNS name
    "-a.example.com",        # ERROR: Invalid DNS name
    "localhost",             # ERROR: Invalid DNS name
    "",                      # ERROR: Invalid DNS name
    null,                    # ERROR: Unsupported value
    "a.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.com", # ERROR: Invalid DNS name
  ]
}
bucket "empty.example.com" {
  cnames = [] # ERROR: No names
}
bucket "kind.example.com" {
  cnames = { a = "b" } # ERROR: Wrong type of value
}
