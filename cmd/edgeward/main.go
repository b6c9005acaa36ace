// Command edgeward moves public S3 buckets that are reached through a DNS name
// behind Amazon CloudFront, with no disruption.
package main

import (
	"io"
	"log"
	"os"

	"github.com/edgeward/edgeward/cmd"
)

func main() {
	// Modules of DNS providers print and log what they do: libdns/azure v0.5.0
	// prints every record that it writes, libdns/godaddy v1.1.0 logs every call.
	// Neither can be told not to, so the process' own streams go to cmd alone.
	stdout := os.Stdout
	if null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0); err == nil {
		os.Stdout = null
	}
	log.SetOutput(io.Discard)
	os.Exit(cmd.Main(os.Args[1:], os.Stdin, stdout, os.Stderr))
}
