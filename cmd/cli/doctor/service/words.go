package service

import (
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

const (
	// lastLines are shown of a log, of at most logLimit bytes.
	lastLines = 3
	logLimit  = 4 << 10
)

// lastOf are the last lines of a log that say something.
func lastOf(log string) []string {
	lines := slices.DeleteFunc(strings.Split(log, "\n"), func(line string) bool { return strings.TrimSpace(line) == "" })
	return lines[max(0, len(lines)-lastLines):]
}

// oneLine is a text without its ends of lines.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// timeOf is when an event was last seen.
func timeOf(e corev1.Event) time.Time {
	if e.LastTimestamp.IsZero() {
		return e.EventTime.Time
	}
	return e.LastTimestamp.Time
}
