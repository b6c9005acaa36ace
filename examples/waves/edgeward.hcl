# Buckets that are moved in waves: two canaries first, the many half an hour after
# them, and the shop, which names no wave, last.
#
#   edgeward apply                                  all, in order
#   edgeward apply -wave=canary -auto-approve       the canaries alone
#   edgeward apply -until=links.verify              what nobody notices, for all

dns_provider "route53" "main" {
  zones = ["example.com"]
}

defaults {
  watch {
    for = "10m"
  }
}

bucket "canary" {
  for_each = toset(["status.example.com", "blog.example.com"])
  name     = each.key
  wave     = "canary"
}

bucket "site" {
  for_each = toset(["docs.example.com", "img.example.com", "media.example.com"])
  name     = each.key
  wave     = "rest"
}

bucket "shop.example.com" {}

rollout {
  wave "canary" {
    parallelism = 1
  }
  wave "rest" {
    soak         = "30m" # the canaries have to be well for so long first
    max_failures = 1     # of this wave
  }
  max_failures = 2 # in all
}
