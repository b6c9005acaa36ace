package config

import (
	"slices"

	"github.com/zclconf/go-cty/cty"
)

func certificateShape() shape {
	return shape{what: "a certificate block", attrs: []string{"arn", "share"}}
}

// readCertificate reads which certificate a bucket uses. An arn of the bucket's own
// stands above a share of the defaults.
func (l *loader) readCertificate(b block, pb *placedBucket) {
	pb.CertificateARN = deref(b.text("arn", certificateARN))
	v, at, ok := b.value("share", cty.Bool, shown)
	pb.ShareCertificate = ok && v.True()
	switch {
	case !b.exists():
	case !anySet(b, "arn") && !anySet(b, "share"):
		l.errorf(place{rng: b.at}, "Missing argument",
			"A certificate block names the certificate: arn = \"arn:aws:acm:us-east-1:…\"; or lets buckets share those that edgeward requests: share = true. Without the block edgeward finds or requests one for each bucket.")
	case pb.ShareCertificate && pb.CertificateARN != "" && b.setIn("arn") >= b.setIn("share"):
		l.errorf(at, "Conflicting arguments",
			"share is about certificates that edgeward requests, and arn names one that it does not. Remove one of the two.")
	case pb.CertificateARN != "":
		pb.ShareCertificate = false
	}
}

// setIn is the place of the body that sets an attribute, the nearest first; -1
// when none does.
func (b block) setIn(name string) int {
	return slices.IndexFunc(b.layers, func(ly layer) bool { return ly.body.Attributes[name] != nil })
}
