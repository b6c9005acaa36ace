bucket assets.example.com { # ERROR: Invalid block definition
}
