# env: EDGEWARD_VAR_hosts=["x.example.com"]
variable "hosts" {
  type = list(string)
}

variable "anything" {
  default = null
}

locals {
  pairs = { for i, h in var.hosts : h => i }
  first = keys(local.pairs)[0]
  text  = <<-EOT
    %{for h in var.hosts~}
    ${h}
    %{endfor~}
  EOT
}

dns_provider "route53" "main" {
  zones = [join(".", reverse(["com", "example"]))]
}

bucket "one" {
  for_each = local.pairs
  name     = trimspace(local.text)
  region   = try(var.anything.region, null)
}

bucket "none" {
  for_each = {}
  name     = each.key
}
