dns_provider "route53" "main" {
  zones = ["example.com"]
}

defaults {
  wave = "rest"
}

bucket "a.example.com" {
  wave = "canary"
}

bucket "b.example.com" {}

bucket "c.example.com" {
  wave = null
}

rollout {
  wave "canary" {
    parallelism = 1
  }
  wave "rest" {
    soak         = "30m"
    max_failures = 2
  }
  parallelism  = 20
  max_failures = 3
}
