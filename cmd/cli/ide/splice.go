package ide

import (
	"cmp"
	"slices"
)

// splice replaces the bytes from start to end.
type splice struct {
	start, end int
	text       []byte
}

// spliced is text with the edits made, of which no two overlap.
func spliced(text []byte, edits []splice) []byte {
	slices.SortStableFunc(edits, func(a, b splice) int { return cmp.Compare(a.start, b.start) })
	var out []byte
	done := 0
	for _, e := range edits {
		out = slices.Concat(out, text[done:e.start], e.text)
		done = e.end
	}
	return append(out, text[done:]...)
}
