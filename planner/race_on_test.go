//go:build race

package planner

// raceDetector says that everything takes several times as long: kill points are
// met in a quarter of as many ways, and fleets are smaller.
const raceDetector = true
