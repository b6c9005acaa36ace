# A bucket that is closed to everybody but its distribution, a day after its
# names were moved.

dns_provider "route53" "main" {
  zones = ["example.com"]
}

bucket "assets.example.com" {
  lock {
    after = "1d"

    # What is enough to show that nobody reaches the bucket directly any more:
    # S3's access log ("access-log"), the counts of S3 and CloudFront ("metrics"),
    # what the resolvers answer ("probes").
    evidence = ["access-log", "probes"]

    # A missing object stays a 404, where everybody may list the bucket today.
    keep_404 = true
  }
}
