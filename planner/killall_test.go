//go:build !peers

package planner

// killAll: the whole matrix of kill points, phases and ways on runs with the tag
// peers; without it every kill point is met, in every second combination.
const killAll = false
