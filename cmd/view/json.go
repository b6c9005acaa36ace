package view

import (
	"bytes"
	"encoding/json"

	"github.com/edgeward/edgeward/planner"
)

// JSON is a value indented, with a newline at its end. Signs such as & and <
// stay as they are.
func JSON(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err := enc.Encode(v)
	return b.Bytes(), err
}

// JSONLine is a value on one line, with a newline at its end.
func JSONLine(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return b.Bytes(), err
}

// ReportLine is the last line of `apply -json`.
type ReportLine struct {
	Report planner.Report `json:"report"`
}
