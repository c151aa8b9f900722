package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
)

// report is all that a run tells.
type report struct {
	Machine machine   `json:"machine"`
	Figures []*figure `json:"figures"`
}

// print writes the table.
func (r report) print(to io.Writer) error {
	m := r.Machine
	more := ""
	if slices.ContainsFunc(r.Figures, func(f *figure) bool { return len(f.contenders[f.own()]) > m.Rounds }) {
		more = " or more"
	}
	fmt.Fprintf(to, "%s: %d cores, %s, %s, Kubernetes %s; medians of %d rounds%s\n\n",
		m.Date.Format("2006-01-02"), m.Cores, m.Kernel, m.Go, m.Kubernetes, m.Rounds, more)
	table := tabwriter.NewWriter(to, 0, 0, 2, ' ', tabwriter.AlignRight)
	columns := slices.DeleteFunc(slices.Concat(ours, rivals), func(name string) bool {
		return !slices.ContainsFunc(r.Figures, func(f *figure) bool { return f.has(name) })
	})
	fmt.Fprintf(table, "\t%s\tratio\tdirect\tgoal\tmet\t\n", strings.Join(columns, "\t"))
	missed := 0
	for _, f := range r.Figures {
		name := f.Name
		if f.Unit != "" {
			name += ", " + f.Unit
		}
		goal, met := "", ""
		if f.goal != nil {
			goal, met = f.goal.text, "yes"
			if !f.met() {
				met = "NO"
				missed++
			}
		}
		cells := []string{name}
		for _, contender := range columns {
			cells = append(cells, round(f.contenders[contender].median()))
		}
		cells = append(cells, round(f.ratios().median()), round(f.contenders[direct].median()), goal, met)
		fmt.Fprintln(table, strings.Join(cells, "\t")+"\t")
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("print table: %w", err)
	}
	if missed > 0 {
		fmt.Fprintf(to, "\ngoals missed: %d\n", missed)
	}
	if m.Effort != fullEffort.name {
		fmt.Fprintf(to, "\nmeasured with %s effort: the figures mean nothing\n", m.Effort)
	}
	return nil
}

// round writes a number to three digits, and nothing for none.
func round(x float64) string {
	switch {
	case math.IsNaN(x):
		return ""
	case x >= 100 || x == math.Trunc(x):
		return strconv.FormatFloat(x, 'f', 0, 64)
	case x >= 10:
		return strconv.FormatFloat(x, 'f', 1, 64)
	}
	return strconv.FormatFloat(x, 'f', 2, 64)
}

// save writes the report to a JSON file, whose directory it makes.
func (r report) save(file string) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("save report: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return fmt.Errorf("save report: %w", err)
	}
	if err := os.WriteFile(file, append(data, '\n'), 0o644); err != nil {
		return fmt.Errorf("save report: %w", err)
	}
	return nil
}

// summary is values as JSON has them.
type summary struct {
	Median float64 `json:"median"`
	Rounds values  `json:"rounds"`
}

// MarshalJSON adds what is computed to what was measured.
func (f *figure) MarshalJSON() ([]byte, error) {
	type verdict struct {
		Text string `json:"text"`
		Met  bool   `json:"met"`
	}
	out := struct {
		ID       string   `json:"id"`
		Name     string   `json:"name"`
		Unit     string   `json:"unit,omitempty"`
		Devtun   *summary `json:"devtun,omitempty"`
		Relay    *summary `json:"relay,omitempty"`
		Kubectl  *summary `json:"kubectl,omitempty"`
		Plain    *summary `json:"plain,omitempty"`
		Prepared *summary `json:"prepared,omitempty"`
		Pipe     *summary `json:"pipe,omitempty"`
		Without  *summary `json:"without,omitempty"`
		Direct   *summary `json:"direct,omitempty"`
		Ratio    *summary `json:"ratio,omitempty"` // ours to the first of these
		Goal     *verdict `json:"goal,omitempty"`
	}{
		ID: f.ID, Name: f.Name, Unit: f.Unit,
		Devtun: f.contenders[devtun].summary(), Relay: f.contenders[relay].summary(),
		Kubectl: f.contenders[kubectl].summary(), Plain: f.contenders[plain].summary(),
		Prepared: f.contenders[prepared].summary(),
		Pipe:     f.contenders[pipe].summary(), Without: f.contenders[without].summary(),
		Direct: f.contenders[direct].summary(), Ratio: f.ratios().summary(),
	}
	if f.goal != nil {
		out.Goal = &verdict{f.goal.text, f.met()}
	}
	return json.Marshal(out)
}

func (v values) summary() *summary {
	if len(v) == 0 {
		return nil
	}
	return &summary{v.median(), v}
}
