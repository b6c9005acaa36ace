# -var: given=3
# -var: listy=[1
# env: EDGEWARD_VAR_enved=x
# found: -var listy:1 ERROR Unterminated tuple constructor expression
# found: EDGEWARD_VAR_enved:1 ERROR Wrong type of variable
# found: -var gven:1 ERROR Undeclared variable
# found: -var number 4:1 ERROR Invalid -var
# -var: gven=1
# -var: given
dns_provider "route53" "main" {
  zones = ["example.com"]
}
variable "unset" { # ERROR: No value for variable
}
variable "given" {
  type = string
  validation {
    condition     = length(var.given) > 3 # ERROR: Invalid value for variable
    error_message = "Too short: ${var.given}."
  }
  validation {
    condition     = "perhaps" # ERROR: Wrong type of value
    error_message = "x"
  }
  validation { # ERROR: Missing argument
    condition = true
  }
}
variable "enved" {
  type = number
}
variable "listy" {
  type = list(number)
}
variable "bad_default" {
  type    = number
  default = "x" # ERROR: Wrong type of variable
}
variable "computed" {
  default = upper("x") # ERROR: Default is not a constant
}
variable "given" { # ERROR: Duplicate variable
}
variable "1st" { # ERROR: Invalid variable name
}
variable "typo" {
  type    = strin # ERROR: Invalid type specification
  default = ""
}
variable "schema" {
  default  = ""
  nullable = true # ERROR: Unsupported argument
}
locals {
  a     = local.b # ERROR: Unknown local value
  c     = local.d # ERROR: Local values refer to each other
  d     = local.e
  e     = "${local.c}x"
  self  = local.self # ERROR: Local values refer to each other
  v     = var.gven # ERROR: Unknown variable
  whole = var # ERROR: Incomplete reference
  f     = file("no-such-file") # ERROR: Error in function call
  o     = indent(1000000000000000000, "a\nb") # ERROR: Error in function call
  g     = fille("x") # ERROR: Unknown function
  h     = each.key # ERROR: Reference outside for_each
  i     = vra.x # ERROR: Unknown name
  j     = assets # ERROR: Unknown name
  k     = jsondecode("{") # ERROR: Error in function call
  l     = 1 + "x" # ERROR: Invalid operand
  m     = env("NOT_SET") # ERROR: Error in function call
  twice = 1
}
locals {
  twice = 2 # ERROR: Duplicate local value
}
bucket "list" {
  for_each = ["a.example.com"] # ERROR: Invalid for_each
  name     = each.key
}
bucket "nullish" {
  for_each = null # ERROR: Invalid for_each
}
bucket "text" {
  for_each = "a" # ERROR: Invalid for_each
}
bucket "numbers" {
  for_each = toset([1, 2]) # ERROR: Invalid for_each
}
bucket "empty_key" {
  for_each = toset([""]) # ERROR: Invalid for_each
}
bucket "no_attribute" {
  for_each = { a = { host = "a.example.com" } }
  name     = each.value.hots # ERROR: Unsupported attribute
}
bucket "no_each" {
  for_each = { a = { host = "a.example.com" } }
  name     = each.host # ERROR: Unknown name
}
bucket "follow" {
  name = local.a
}
