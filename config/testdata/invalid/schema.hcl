dns_provider "route53" "main" {
  zones     = ["example.com"]
  zone_idss = ["Z1"] # ERROR: Unsupported argument
  frob {}            # ERROR: Unsupported block
}
buckt "a" {} # ERROR: Unsupported block
name = "x"   # ERROR: Unsupported argument
bucket = "x" # ERROR: Unsupported argument
bucket "a" "b" {} # ERROR: Wrong number of labels
bucket {}         # ERROR: Wrong number of labels
bucket "assets.example.com" {
  regoin = "x"      # ERROR: Unsupported argument
  verify = {}       # ERROR: Unsupported argument
  origin "rest" {}  # ERROR: Unsupported block
  loc {}            # ERROR: Unsupported block
  wacht {}          # ERROR: Unsupported block
  certificate {}    # ERROR: Missing argument
  verify {
    path = "/x" # ERROR: Unsupported argument
  }
  verify {} # ERROR: Duplicate verify block
  dns {
    allow_apex = true # ERROR: Unsupported argument
  }
  distribution {
    pric_class = "all" # ERROR: Unsupported argument
    logging {          # ERROR: Missing argument
      buckett = "x" # ERROR: Unsupported argument
    }
    logging {} # ERROR: Duplicate logging block
  }
  cname "assets.example.com" { # ERROR: Missing argument
    zone = "x" # ERROR: Unsupported argument
  }
}
defaults {
  name = "x"   # ERROR: Unsupported argument
  cname "x" {} # ERROR: Unsupported block
  distribution {
    adopt = "E2QWRUHEXAMPLE" # ERROR: Unsupported argument
  }
}
rollout {
  waves "canary" {}        # ERROR: Unsupported block
  parallelism_of_them = 10 # ERROR: Unsupported argument
}
limits {
  max_percents = 5 # ERROR: Unsupported argument
}
probe {
  resolver = "x" # ERROR: Unsupported argument
}
aws "a" {
  access_key = "x" # ERROR: Unsupported argument
}
run_lock {} # ERROR: Missing argument
locals {
  nested {} # ERROR: Unsupported block
}
