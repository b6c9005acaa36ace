package sandbox

import "time"

// visitAfter is the visits after an event: of all visitors, or of those whose turn
// it is.
func (w *World) visitAfter(now time.Time) {
	all := w.visitors.list
	if most := w.o.EventVisits; most > 0 && most < len(all) {
		if w.turn >= len(all) {
			w.turn = 0
		}
		w.visitors.list = all[w.turn:min(w.turn+most, len(all))]
		w.turn += most
		defer func() { w.visitors.list = all }()
	}
	w.visitAll(now)
}
