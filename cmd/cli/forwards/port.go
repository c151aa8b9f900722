package forwards

import "slices"

// HighPort is a port that needs no rights, for one that does, beside those taken.
func HighPort(low int, taken []int) int {
	high := 8000 + low // 80 is 8080, 443 is 8443
	for slices.Contains(taken, high) {
		high += 1000
	}
	return high
}
