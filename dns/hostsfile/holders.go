package hostsfile

import (
	"slices"

	"github.com/devtun/devtun/internal/disk"
	"github.com/devtun/devtun/internal/proc"
)

// Holders are those who give some names in a hosts file.
type Holders struct {
	Foreign  []Conflict  // lines that are nobody's of devtun
	Sessions []Duplicate // that live
}

// Given finds who gives names in the hosts file at path.
func Given(path string, names []string) (Holders, error) {
	now, err := disk.FS{}.Read(path)
	if err != nil {
		return Holders{}, err
	}
	ours, foreign := split(now.Content)
	var h Holders
	if h.Foreign, err = conflicts(foreign, []Entry{{Names: names}}); err != nil {
		return h, err
	}
	kept, _ := dropDead(ours, proc.ID.Alive)
	for session, owner := range owners(kept) {
		d := Duplicate{Owner: owner}
		for _, l := range kept {
			if l.session != session {
				continue
			}
			for _, name := range namesIn(l) {
				if slices.Contains(names, name) && !slices.Contains(d.Names, name) {
					d.Names = append(d.Names, name)
				}
			}
		}
		if d.Names != nil {
			h.Sessions = append(h.Sessions, d)
		}
	}
	slices.SortFunc(h.Sessions, func(a, b Duplicate) int { return a.Owner.PID - b.Owner.PID })
	return h, nil
}
