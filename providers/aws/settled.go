package aws

import (
	"context"
	"maps"
	"time"
)

// A read of tags may begin after a write and not contain it for a while: AWS says
// nothing of when it does. Whoever judged by such a read would act a second time,
// or too early, so tags are read again until this process's own last write shows,
// for settleFor at most after it: then somebody else has written since.
const (
	settleFor     = 10 * time.Second
	settleFirst   = 250 * time.Millisecond
	settleLongest = 2 * time.Second
)

// unseen are tags that this process wrote and no read has shown yet.
type unseen struct {
	tags  map[string]string
	until time.Time
}

// noteUnseen notes a write that AWS has accepted.
func (d *distributions) noteUnseen(arn string, tags map[string]string) {
	now := d.c.opts.Clock.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	all := map[string]string{}
	if u, ok := d.unseen[arn]; ok && now.Before(u.until) {
		maps.Copy(all, u.tags)
	}
	maps.Copy(all, tags)
	d.unseen[arn] = unseen{all, now.Add(settleFor)}
}

// settledTags reads the tags until they have what was written here.
func (d *distributions) settledTags(ctx context.Context, arn string) (map[string]string, error) {
	for pause := settleFirst; ; pause = min(2*pause, settleLongest) {
		tags, err := d.readTags(ctx, arn)
		if err != nil || d.shows(arn, tags) {
			return tags, err
		}
		if err := d.c.opts.Clock.Sleep(ctx, pause); err != nil {
			return nil, err
		}
	}
}

// shows says that tags have what was written here and not seen yet, or that it is
// no longer waited for.
func (d *distributions) shows(arn string, tags map[string]string) bool {
	now := d.c.opts.Clock.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	u, ok := d.unseen[arn]
	if ok && now.Before(u.until) && !u.in(tags) {
		return false
	}
	delete(d.unseen, arn)
	return true
}

// in says that tags have what was written. An empty tag may be left out.
func (u unseen) in(tags map[string]string) bool {
	for k, v := range u.tags {
		if tags[k] != v {
			return false
		}
	}
	return true
}
