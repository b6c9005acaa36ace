dns_provider "route53" "main" {
  zones = ["example.com"]
}
bucket "a.example.com" {
  wave = "kanary" # ERROR: Unknown wave
}
bucket "b.example.com" {
  wave = "somewhere" # ERROR: Unknown wave
}
bucket "c.example.com" {
  wave = "canary"
}
rollout {
  wave "canary" {
    soak        = "30"  # ERROR: Invalid duration
    parallelism = 0     # ERROR: Unsupported value
    for         = "30m" # ERROR: Unsupported argument
  }
  wave "canary" {} # ERROR: Duplicate wave block
  wave {}          # ERROR: Wrong number of labels
  wave "a b" {     # ERROR: Invalid wave
    max_failures = -1
  }
  wave "rest" {
    max_failures = -1 # ERROR: Unsupported value
  }
}
