probe {
  resolvers  = ["1.1.1.1", "[2001:db8::1]:53", "https://dns.example/dns-query"]
  connect_to = { "*.cloudfront.net:443" = "127.0.0.1:8443" }
  ca_file    = "ca.pem"
}

rollout {
  parallelism  = 20
  max_failures = 1
}

limits {
  max_switches = 50
}
