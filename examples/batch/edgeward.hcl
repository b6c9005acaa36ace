# Many buckets from one table: sites.csv has a line for each. The addresses are
# bucket.site["shop.example.com"] and so on, for -target and -exclude.
#
#   edgeward plan -var max_switches=2
#   edgeward apply -target='bucket.site["docs.example.com"]'

variable "max_switches" {
  type        = number
  default     = 10
  description = "A plan that would switch more names than this is not applied."

  validation {
    condition     = var.max_switches >= 1
    error_message = "At least one name must be allowed; write -var max_switches=1 or more."
  }
}

locals {
  sites = csvdecode(file("sites.csv"))
}

dns_provider "route53" "com" {
  zones = ["example.com"]
}

dns_provider "route53" "org" {
  zones = ["example.org"]
}

defaults {
  distribution {
    tags = { team = "web" }
  }
}

bucket "site" {
  for_each = { for s in local.sites : s.host => s if s.migrate == "yes" }

  # S3 serves a name only from the bucket that has that very name.
  name   = each.value.host
  region = each.value.region

  verify {
    paths = split(" ", each.value.paths)
  }
}

rollout {
  parallelism  = 20
  max_failures = 1 # more failed buckets than this, and no new one is started
}

limits {
  max_switches = var.max_switches
}
