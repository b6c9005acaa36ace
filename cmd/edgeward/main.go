// Command edgeward moves public S3 buckets that are reached through a DNS name
// behind Amazon CloudFront, with no disruption.
package main

import (
	"os"

	"github.com/edgeward/edgeward/cmd"
)

func main() { os.Exit(cmd.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }
