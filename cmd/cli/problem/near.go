package problem

import (
	"slices"
	"strings"
)

// Near returns the name closest to what was typed, "" if none is close: a slip of the
// keyboard away, or one a part of the other.
func Near(typed string, names []string) string {
	limit := max(1, min(2, (len(typed)-1)/2), len(typed)/3) // in a short word one letter is much
	best, distance := "", limit+1
	for _, name := range slices.Sorted(slices.Values(names)) {
		d := editDistance(typed, name)
		if d >= len(name) {
			continue // nothing of it was typed
		}
		if part(typed, name) || part(name, typed) && len(name) >= len(typed)/2 {
			d = min(d, limit)
		}
		if d < distance {
			best, distance = name, d
		}
	}
	return best
}

// part reports that a is a part of b that says something.
func part(a, b string) bool { return len(a) > 2 && strings.Contains(b, a) }

// editDistance is Levenshtein's, with two neighbours that have changed places as one
// slip: insertions, deletions, replacements and such.
func editDistance(a, b string) int {
	before, row := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		next := make([]int, len(b)+1)
		next[0] = i + 1
		for j := range len(b) {
			replace := row[j]
			if a[i] != b[j] {
				replace++
			}
			next[j+1] = min(replace, next[j]+1, row[j+1]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				next[j+1] = min(next[j+1], before[j-1]+1)
			}
		}
		before, row = row, next
	}
	return row[len(b)]
}
