bucket "assets.example.com" {} # ERROR: Duplicate bucket block
rollout {}                     # ERROR: Duplicate rollout block
limits {}                      # ERROR: Duplicate limits block
probe {}                       # ERROR: Duplicate probe block
defaults {}                    # ERROR: Duplicate defaults block
