bucket "assets.example.com" {
  region = = "x" # ERROR: Invalid expression
}
