package project

import (
	"errors"
	"fmt"
	"strings"
)

// Position is a place in a file.
type Position struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
}

func (p Position) String() string { return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column) }

// Position is where the value at a path such as intercepts[0].workload stands, or else what
// would hold it; the zero value if that is nowhere.
func (p *Project) Position(path string) Position {
	for ; path != ""; path = path[:max(strings.LastIndexAny(path, ".["), 0)] {
		if at, there := p.Positions[path]; there {
			return at
		}
	}
	return Position{}
}

// listed is where what is listed stands, for Project.Positions.
func (d *document) listed(p *Project) map[string]Position {
	if len(p.Intercepts)+len(p.Env) == 0 {
		return nil
	}
	all := make(map[string]Position)
	add := func(path string) {
		var there *Error
		if errors.As(d.at("$."+path, "", ""), &there) {
			all[path] = Position{there.File, there.Line, there.Column}
		}
	}
	for i := range p.Intercepts {
		add(fmt.Sprintf("intercepts[%d].workload", i))
	}
	for i := range p.Env {
		add(fmt.Sprintf("env[%d].workload", i))
	}
	return all
}
