//go:build race

package planner

// raceDetector says that everything takes several times as long: kill points are
// met in half as many ways.
const raceDetector = true
