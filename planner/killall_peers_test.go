//go:build peers

package planner

const killAll = true
