package config

import (
	"time"

	"github.com/zclconf/go-cty/cty"
)

// What a bucket is watched by where watch sets nothing.
const (
	DefaultWatchFor     = 10 * time.Minute
	DefaultMaxErrorRate = 1.0
	DefaultMinRequests  = 100
)

func watchShape() shape {
	return shape{what: "a watch block", attrs: []string{"for", "max_error_rate", "min_requests", "rollback", "s3_metrics"}}
}

func (l *loader) readWatch(b block, pb *placedBucket) {
	w := &pb.Watch
	*w = Watch{For: DefaultWatchFor, MaxErrorRate: b.rate("max_error_rate", DefaultMaxErrorRate),
		MinRequests: b.whole("min_requests", 1, DefaultMinRequests, "Leave it out for 100."), Rollback: true}
	d, at := b.duration("for", nil)
	if d != nil {
		w.For = *d
	}
	if d != nil && *d > 0 && *d < time.Minute {
		l.errorf(at, "Invalid duration", "A bucket is watched for at least \"1m\": metrics have one value a minute. Write \"0s\" if it is not to be watched.")
	}
	if v := b.flag("rollback"); v != nil {
		w.Rollback = *v
	}
	if v := b.flag("s3_metrics"); v != nil {
		w.S3Metrics = *v
	}
}

// rate is a number of percent from 0 to 100, or def when it is not set.
func (b block) rate(name string, def float64) float64 {
	v, at, ok := b.value(name, cty.Number, shown)
	if !ok {
		return def
	}
	f, _ := v.AsBigFloat().Float64()
	if f < 0 || f > 100 {
		b.l.errorf(at, "Unsupported value", "%q is how many percent of the requests may fail, from 0 to 100. Leave it out for 1.", name)
		return def
	}
	return f
}
