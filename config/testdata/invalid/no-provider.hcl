bucket "assets.example.com" {} # ERROR: Name is in no zone
