package config

import (
	"testing"
	"time"
)

func TestFrozen(t *testing.T) {
	at := func(s string) time.Time {
		t.Helper()
		out, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	l := Limits{Freezes: []Freeze{
		{at("2027-01-03T05:00:00Z"), at("2027-01-04T00:00:00Z")},
		{at("2026-12-20T00:00:00Z"), at("2027-01-03T05:00:00Z")},
		{at("2027-06-01T00:00:00Z"), at("2027-06-02T00:00:00Z")},
	}}
	for now, want := range map[string]string{
		"2026-12-19T23:59:59Z": "",
		"2026-12-20T00:00:00Z": "2027-01-04T00:00:00Z", // the one that follows without a gap included
		"2027-01-03T23:59:59Z": "2027-01-04T00:00:00Z",
		"2027-01-04T00:00:00Z": "",
		"2027-06-01T12:00:00Z": "2027-06-02T00:00:00Z",
	} {
		until, frozen := l.Frozen(at(now))
		if frozen != (want != "") || frozen && !until.Equal(at(want)) {
			t.Errorf("at %s: frozen %t until %s, want %q", now, frozen, until, want)
		}
	}
}
