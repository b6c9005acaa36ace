package planner

import (
	"context"
	"errors"
	"sync"

	"github.com/edgeward/edgeward/providers"
)

// policyRooms share the room in edgeward's own cache policies among the buckets of
// one run: each takes a place before its distribution is created, and when all are
// taken one bucket makes the next numbered policy while the others wait for it. So
// n buckets make as many policies as n need, which the preflight says before.
// Between runs and machines the name decides: only one of them can make the next.
type policyRooms struct {
	mu sync.Mutex
	by map[roomKey]*policyRoom
}

type roomKey struct{ account, stem string }

// policyRoom is the room of one variant in one account. What it holds is a guess
// that keeps requests down: CloudFront itself says when a policy is full, and a
// bucket that ends without its place has taken it from nobody for longer than the
// run.
type policyRoom struct {
	settings providers.CacheSettings
	// turn is held by the one who reads or makes; it is a channel, for it is held
	// while a request is under way.
	turn chan struct{}
	// known are the policies of the variant, by name: as the looks showed them, and
	// those that were made here.
	known map[string]*policyPlaces
	// elsewhere is the name of the policy that somebody else made, and no look has
	// shown yet.
	elsewhere string
}

// policyPlaces are the places of one policy.
type policyPlaces struct {
	policy providers.CachePolicy
	// inUse is how many distributions had it when it was seen first, taken are the
	// buckets that took a place since.
	inUse int
	taken map[string]bool
	full  bool // CloudFront said so
}

func (p *policyPlaces) free() bool {
	return !p.full && max(p.policy.InUse, p.inUse+len(p.taken)) < maxPolicyUsers
}

// of is the room of a variant.
func (r *policyRooms) of(account string, s providers.CacheSettings) *policyRoom {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.by == nil {
		r.by = map[roomKey]*policyRoom{}
	}
	k := roomKey{account, policyStem(s)}
	room := r.by[k]
	if room == nil {
		room = &policyRoom{settings: s, turn: make(chan struct{}, 1), known: map[string]*policyPlaces{}}
		r.by[k] = room
	}
	return room
}

// enter waits for the turn, and takes in what a look showed.
func (r *policyRoom) enter(ctx context.Context, seen []providers.CachePolicy) error {
	select {
	case r.turn <- struct{}{}:
	default:
		back := providers.Idle(ctx)
		defer back()
		select {
		case r.turn <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	for _, p := range seen {
		if p.Name == r.elsewhere {
			r.elsewhere = ""
		}
		k := r.known[p.Name]
		if k == nil {
			k = &policyPlaces{inUse: p.InUse, taken: map[string]bool{}}
			r.known[p.Name] = k
		}
		p.InUse = max(p.InUse, k.policy.InUse) // looks do not come in order
		k.policy = p
	}
	return nil
}

func (r *policyRoom) leave() { <-r.turn }

// all are the policies that are known.
func (r *policyRoom) all() []providers.CachePolicy {
	var ps []providers.CachePolicy
	for _, k := range r.known {
		p := k.policy
		if !k.free() {
			p.InUse = maxPolicyUsers
		}
		ps = append(ps, p)
	}
	return ps
}

// ensure makes the next policy unless one has room. A notYet is no error: it was
// made elsewhere, and will be seen.
func (r *policyRoom) ensure(ctx context.Context, port providers.CachePolicies) error {
	p, next := pickPolicy(r.all(), r.settings)
	switch {
	case p != nil:
		return nil
	case r.elsewhere != "":
		return notYet("cache policy " + r.elsewhere + " is being made elsewhere and is not seen yet")
	}
	made, err := port.CreateCachePolicy(ctx, next, r.settings)
	if errors.Is(err, providers.ErrConflict) {
		r.elsewhere = next
		return notYet("cache policy " + next + " was just made elsewhere and is not seen yet")
	}
	if err != nil {
		return providers.Doing(err, "create cache policy %s", next)
	}
	made.Name, made.Settings = next, r.settings
	r.known[next] = &policyPlaces{policy: made, inUse: made.InUse, taken: map[string]bool{}}
	return nil
}

// place is the ID of the policy in which the bucket has its place.
func (r *policyRoom) place(ctx context.Context, s scene) (id string, err error) {
	if err := r.enter(ctx, s.a.Policies); err != nil {
		return "", err
	}
	defer r.leave()
	for _, k := range r.known {
		if k.taken[s.b.Name] {
			return k.policy.ID, nil
		}
	}
	if err := r.ensure(ctx, s.acc.CachePolicies); err != nil {
		return "", err
	}
	p, _ := pickPolicy(r.all(), r.settings)
	r.known[p.Name].taken[s.b.Name] = true
	return p.ID, nil
}

// refused says that CloudFront found the policy of the bucket's place full: others
// than this run took the room.
func (r *policyRoom) refused(ctx context.Context, s scene, id string) error {
	if err := r.enter(ctx, s.a.Policies); err != nil {
		return err
	}
	defer r.leave()
	for _, k := range r.known {
		if k.policy.ID == id {
			k.full = true
			delete(k.taken, s.b.Name)
		}
	}
	return notYet("the cache policy is used by as many distributions as it may be; the next one is taken")
}

// ensurePolicy makes edgeward's own cache policy where none has room.
func ensurePolicy(ctx context.Context, s scene) error {
	r := s.rooms.of(s.b.Account, cacheSettings(len(s.a.Bucket.CORS) > 0))
	if err := r.enter(ctx, s.a.Policies); err != nil {
		return err
	}
	defer r.leave()
	return r.ensure(ctx, s.acc.CachePolicies)
}
