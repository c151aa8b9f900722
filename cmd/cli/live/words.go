package live

import (
	"fmt"
	"time"
)

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// ago is how long ago something was, in a few characters.
func ago(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", max(0, int(d.Seconds())))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}

// took is a duration in a few characters.
func took(seconds float64) string {
	switch {
	case seconds < 0.9995:
		return fmt.Sprintf("%.0fms", seconds*1000)
	case seconds < 59.95:
		return fmt.Sprintf("%.1fs", seconds)
	}
	return ago(time.Duration(seconds * float64(time.Second)))
}

// size is a number of bytes in three digits and a unit.
func size(n float64) string {
	const units = "kMGTP"
	if n < 1000 {
		return fmt.Sprintf("%.0f B", n)
	}
	unit := -1
	for n >= 999.5 && unit < len(units)-1 {
		n /= 1000
		unit++
	}
	if n < 9.95 {
		return fmt.Sprintf("%.1f %cB", n, units[unit])
	}
	return fmt.Sprintf("%.0f %cB", n, units[unit])
}

// perSecond is a rate; none is a dash.
func perSecond(n float64) string {
	if n < 0.5 {
		return "-"
	}
	return size(n)
}
