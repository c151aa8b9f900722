package main

import (
	"os"
	"runtime"
	"strings"
	"time"
)

// machine tells where and when the figures were measured.
type machine struct {
	Date       time.Time `json:"date"`
	Effort     string    `json:"effort"` // "full", or "quick" for figures that mean nothing
	Rounds     int       `json:"rounds"`
	Cores      int       `json:"cores"`
	Processor  string    `json:"processor,omitempty"`
	Kernel     string    `json:"kernel"`
	Go         string    `json:"go"`
	Kubernetes string    `json:"kubernetes"`
}

func describeMachine(lab *lab, effort effort) machine {
	return machine{
		Date:       time.Now().UTC().Truncate(time.Second),
		Effort:     effort.name,
		Rounds:     effort.rounds,
		Cores:      runtime.NumCPU(),
		Processor:  processor(),
		Kernel:     kernel(),
		Go:         runtime.Version(),
		Kubernetes: lab.kubernetes,
	}
}

// processor is the first CPU's model, "" where it is not told.
func processor() string {
	info, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(info)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func kernel() string {
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return runtime.GOOS
	}
	return runtime.GOOS + " " + strings.TrimSpace(string(release))
}
