package main

import (
	"os"
	"strconv"
	"strings"
	"time"
)

// processorTime is how long this machine's processors have worked since it started,
// added up; 0 where that is not told.
func processorTime() time.Duration {
	const perSecond = 100 // USER_HZ, see proc(5)
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	line, _, _ := strings.Cut(string(text), "\n")
	fields := strings.Fields(line) // cpu user nice system idle iowait irq softirq …
	worked := 0
	for i, field := range fields {
		if ticks, err := strconv.Atoi(field); err == nil && i != 4 && i != 5 && i < 8 {
			worked += ticks
		}
	}
	return time.Duration(worked) * time.Second / perSecond
}
