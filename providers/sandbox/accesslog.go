package sandbox

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/edgeward/edgeward/providers"
)

// accessLog is what S3 has delivered of a bucket's log; the zero value is off.
type accessLog struct {
	to    providers.BucketLog
	files []logFile
}

// logFile is one log object.
type logFile struct {
	delivered time.Time
	entries   []providers.LogEntry
}

// AddAccessLog delivers one object of a bucket's access log, with a request
// for each entry. The first one turns the log on; an entry without Time is of
// an hour ago. Without entries the log is on and nothing is delivered.
func (w *World) AddAccessLog(bucket string, entries ...providers.LogEntry) {
	w.edit(func(now time.Time) {
		l := &w.buckets[bucket].log
		l.to = providers.BucketLog{Bucket: cmp.Or(l.to.Bucket, bucket+"-logs"), Prefix: "logs/"}
		if len(entries) == 0 {
			return
		}
		f := logFile{delivered: now, entries: slices.Clone(entries)}
		for i := range f.entries {
			if f.entries[i].Time.IsZero() {
				f.entries[i].Time = now.Add(-time.Hour)
			}
		}
		l.files = append(l.files, f)
	})
}

func (p bucketsPort) AccessLog(ctx context.Context, b providers.Bucket, since time.Time, files int, each func(providers.LogEntry)) (int, error) {
	var read []logFile
	if b.Log.Bucket == "" || files <= 0 {
		return 0, ctx.Err()
	}
	err := p.w.call(ctx, p.op("Buckets.AccessLog", b.Name, false), func(time.Time) error {
		own, err := p.own(b.Name, b.Region)
		if err != nil {
			return err
		}
		if own.log.to != b.Log {
			return fmt.Errorf("read the access log of bucket %s: no such bucket %s: %w", b.Name, b.Log.Bucket, providers.ErrNotFound)
		}
		for _, f := range slices.Backward(own.log.files) {
			if !f.delivered.Before(since) && len(read) < files {
				read = append(read, f)
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	for _, f := range read {
		for _, e := range f.entries {
			if !e.Time.Before(since) {
				each(e)
			}
		}
	}
	return len(read), nil
}
