package doctor

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/devtun/devtun/cmd/cli/doctor/check"
	"github.com/devtun/devtun/cmd/cli/output"
)

// report is what is found, as -o json has it.
type report struct {
	Summary string         `json:"summary"` // a sentence: the first fault, or that there is none
	Status  check.Status   `json:"status"`  // ok, warning, fault
	Results []check.Result `json:"results"` // in the order of a byte's way
}

func newReport(results []check.Result) report {
	r := report{Status: check.OK, Results: results}
	if results == nil {
		r.Results = []check.Result{}
	}
	worst := r.worst()
	if worst == nil {
		r.Summary = "no fault found in " + count(len(results), "check")
		if n := r.number(check.NotChecked); n > 0 {
			r.Summary = fmt.Sprintf("no fault found in %s; %d not checked", count(len(results)-n, "check"), n)
		}
		return r
	}
	r.Status, r.Summary = worst.Status, worst.Message
	return r
}

// worst is the first fault, or else the first warning; nil without either.
func (r *report) worst() *check.Result {
	if fault := check.FirstFault(r.Results); fault != nil {
		return fault
	}
	i := slices.IndexFunc(r.Results, func(r check.Result) bool { return r.Status == check.Warning })
	if i < 0 {
		return nil
	}
	return &r.Results[i]
}

func (r *report) number(status check.Status) (n int) {
	for _, result := range r.Results {
		if result.Status == status {
			n++
		}
	}
	return n
}

// count is a number of things, in words.
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// write writes the report: for people, a line a check.
func (r *report) write(streams output.Streams, format string) error {
	if format == "json" {
		encoder := json.NewEncoder(streams.Out)
		encoder.SetIndent("", "  ")
		encoder.SetEscapeHTML(false)
		return encoder.Encode(r)
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%s: %s\n", r.Status, r.Summary)
	if worst := r.worst(); worst != nil {
		writeMore(&text, "  ", "", worst)
	}
	for _, area := range check.Areas() {
		r.writeArea(&text, area, streams.Colour)
	}
	_, err := io.WriteString(streams.Out, text.String())
	return err
}

// writeMore writes what stands below a result's line: evidence and hint, each that far in.
func writeMore(text *strings.Builder, evidence, hint string, result *check.Result) {
	for _, line := range result.Evidence {
		fmt.Fprintf(text, "%s%s\n", evidence, line)
	}
	if result.Hint != "" {
		fmt.Fprintf(text, "%shint: %s\n", hint, result.Hint)
	}
}

func (r *report) writeArea(text *strings.Builder, area check.Area, colour bool) {
	begun := false
	for i := 0; i < len(r.Results); i++ {
		result := &r.Results[i]
		if result.Area != area {
			continue
		}
		if !begun {
			fmt.Fprintf(text, "\n%s\n", area)
			begun = true
		}
		names, message := []string{result.Check}, result.Message
		if result.Status == check.NotChecked {
			names, message = r.alike(i), string(check.NotChecked)+": "+message
			i += len(names) - 1
		}
		fmt.Fprintf(text, "  %s %s: %s\n", sign(result.Status, colour), strings.Join(names, ", "), message)
		if result.Status != check.OK {
			writeMore(text, "      ", "      ", result)
		}
	}
}

// alike are the names of the i-th check and of those that follow it with the same answer.
func (r *report) alike(i int) (names []string) {
	first := r.Results[i]
	for _, other := range r.Results[i:] {
		if other.Area != first.Area || other.Status != first.Status || other.Message != first.Message {
			break
		}
		names = append(names, other.Check)
	}
	return names
}

// signs are what the lines of checks begin with, and their colours.
var signs = map[check.Status]struct{ sign, colour string }{
	check.OK:         {"✓", "\x1b[32m"},
	check.Warning:    {"!", "\x1b[33m"},
	check.Fault:      {"✗", "\x1b[31m"},
	check.NotChecked: {"-", "\x1b[2m"},
}

func sign(status check.Status, colour bool) string {
	s := signs[status]
	if !colour {
		return s.sign
	}
	return s.colour + s.sign + "\x1b[0m"
}
