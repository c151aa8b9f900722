package project

import (
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
	for ; path != ""; path = holder(path) {
		if at, there := p.Positions[path]; there {
			return at
		}
	}
	return Position{}
}

// holder is the path of what holds the value at a path.
func holder(path string) string { return path[:max(strings.LastIndexAny(path, ".["), 0)] }

// listed is where what is listed stands, for Project.Positions.
func (d *document) listed() map[string]Position {
	var all map[string]Position
	for path, place := range d.places {
		for _, list := range []string{"intercepts", "env", "run"} {
			if rest, ok := strings.CutPrefix(path, "$."+list); ok && rest != "" && strings.Contains(".[", rest[:1]) {
				if all == nil {
					all = make(map[string]Position)
				}
				all[path[len("$."):]] = place
			}
		}
	}
	return all
}
