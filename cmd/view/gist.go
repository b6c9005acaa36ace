package view

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// gistLength is how many characters of a reason speak for many buckets.
const gistLength = 90

// said joins reasons that are alike but for names, numbers, times and ids: what
// they share is kept, numbers become a range, and the rest a sign.
type said struct {
	n     int
	first string
	words [][]string
}

// own stands in a word for a bucket's own name.
const own = "\x00"

// likeWords are the words of a reason without the bucket's own names, and a key
// that is the same for reasons that are alike.
func likeWords(why string, names []string) (words []string, key string) {
	text := gist(visible(why))
	names = slices.Clone(names)
	slices.SortStableFunc(names, func(a, b string) int { return len(b) - len(a) })
	for _, n := range names {
		text = replaceWord(text, n, own)
	}
	words = strings.Fields(text)
	keys := slices.Clone(words)
	for i, w := range words {
		if sign(w) {
			keys[i] = own
		}
	}
	return words, strings.Join(keys, " ")
}

// gist is a reason up to the last clause that is short enough to be read beside
// many others.
func gist(why string) string {
	if utf8.RuneCountInString(why) <= gistLength {
		return why
	}
	most := string([]rune(why)[:gistLength])
	end := 0
	for _, mark := range []string{"; ", ": ", ", "} {
		end = max(end, strings.LastIndex(most, mark))
	}
	if end < gistLength/4 {
		end = strings.LastIndex(most, " (")
	}
	if end < gistLength/4 {
		return cut(why, gistLength)
	}
	return most[:end]
}

// withoutTime is a reason without the time at its beginning, which is said
// elsewhere.
func withoutTime(why string) string {
	if rest, ok := strings.CutPrefix(why, "until "); ok {
		if _, reason, ok := strings.Cut(rest, ": "); ok && strings.ContainsAny(rest[:1], "0123456789") {
			return reason
		}
	}
	return why
}

// sign says that a word is an id or a number, which differ from bucket to bucket.
func sign(word string) bool {
	if strings.ContainsAny(word, "0123456789"+own) {
		return true
	}
	word, _ = unpunctuated(word)
	return len(word) >= 8 && strings.Trim(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}

func (s *said) add(why string, words []string) {
	if s.n == 0 {
		s.first = visible(why)
	}
	s.n++
	s.words = append(s.words, words)
}

func (s *said) String() string {
	if s.n == 1 {
		return s.first
	}
	var out []string
	for i := range s.words[0] {
		out = append(out, s.word(i))
	}
	// A reason that begins with the name is read without it.
	if len(out) > 1 && out[0] == "…:" {
		out = out[1:]
	}
	return strings.Join(out, " ")
}

// word is the one at place i of all reasons.
func (s *said) word(i int) string {
	first, tail := unpunctuated(s.words[0][i])
	same, low, high := true, -1, -1
	for _, words := range s.words {
		w, _ := unpunctuated(words[i])
		same = same && w == first
		n, err := strconv.Atoi(w)
		switch {
		case err != nil:
			low, high = -1, 1<<62
		case high < 0:
			low, high = n, n
		default:
			low, high = min(low, n), max(high, n)
		}
	}
	switch {
	case same && !strings.Contains(first, own):
		return first + tail
	case low >= 0 && low < high:
		return fmt.Sprintf("%d–%d%s", low, high, tail)
	}
	return "…" + tail
}

func unpunctuated(word string) (text, tail string) {
	text = strings.TrimRight(word, ":;,.")
	return text, word[len(text):]
}
