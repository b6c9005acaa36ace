//go:build race

package proof_test

const (
	// raceDetector says that everything takes several times as long.
	raceDetector = true
	// wholes is how many paths of a clean site get the whole matrix.
	wholes = 1
)
