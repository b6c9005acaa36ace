# -var: secret=hunter2
# env: TOKEN=hunter2
dns_provider "route53" "main" {
  zones = ["example.com"]
}
dns_provider "secretive" "main" {
  zones = ["example.org", env("TOKEN")] # ERROR: Sensitive value not allowed
  token = env("TOKEN")
}
variable "secret" {
  type      = string
  sensitive = true
  validation {
    condition     = length(var.secret) > 99 # ERROR: Invalid value for variable
    error_message = "Not ${var.secret}, please."
  }
}
locals {
  made   = upper(var.secret)
  number = parseint(var.secret, 10) # ERROR: Invalid function argument
  object = jsondecode(env("TOKEN")) # ERROR: Error in function call
  key    = { a = 1 }[var.secret]    # ERROR: Invalid index
  sum    = 1 + var.secret           # ERROR: Invalid operand
  name   = env(var.secret)          # ERROR: Error in function call
}
bucket "a" {
  name = "${var.secret}.example.com" # ERROR: Sensitive value not allowed
}
bucket "b" {
  for_each = toset([env("TOKEN")]) # ERROR: Invalid for_each
  name     = each.key
}
bucket "c.example.com" {
  region = local.made # ERROR: Sensitive value not allowed
  distribution {
    tags = { a = var.secret } # ERROR: Sensitive value not allowed
  }
  verify {
    paths = ["/${env("TOKEN")}"] # ERROR: Sensitive value not allowed
  }
}
dns_provider "secretive" "file" {
  zones = ["example.net"]
  token = parseint(file("token.txt"), 10) # ERROR: Error in function call
}
