// Package dnslab runs DNS servers that we did not write, from Debian's packages,
// on loopback: BIND (named) and PowerDNS as authoritative servers, Unbound as a
// caching resolver. Each has a high port and a temporary folder of its own, needs
// no privilege, and is ended with the test. Tests with the build tag peers use
// it; without the tag the package is empty.
//
// A program that is missing fails the test with the name of its package; it is
// never skipped.
package dnslab
