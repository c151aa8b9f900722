package cli

import (
	"slices"
	"strings"
)

// near returns the name closest to what was typed, "" if none is close.
func near(typed string, names []string) string {
	limit := max(2, len(typed)/3)
	best, distance := "", limit+1
	for _, name := range slices.Sorted(slices.Values(names)) {
		d := editDistance(typed, name)
		if strings.Contains(name, typed) || strings.Contains(typed, name) {
			d = min(d, limit)
		}
		if d < distance {
			best, distance = name, d
		}
	}
	return best
}

// editDistance is Levenshtein's: insertions, deletions and replacements.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
