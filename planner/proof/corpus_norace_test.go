//go:build !race

package proof_test

// raceDetector says that everything takes several times as long.
const raceDetector = false
