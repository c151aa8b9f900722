package hostsfile

import (
	"fmt"

	"github.com/txn2/txeh"
)

// Conflict is a foreign line that gives one of our names another address. Ours
// comes first, but a resolver may return both.
type Conflict struct {
	Name string
	Addr string // as the line has it
	Line int    // 1 for the first of the file without our lines
}

// conflicts finds the lines of foreign that also define names of entries.
func conflicts(foreign []byte, entries []Entry) ([]Conflict, error) {
	ours := make(map[string]string)
	for _, entry := range entries {
		for _, name := range entry.Names {
			ours[name] = entry.Addr.String()
		}
	}
	// txeh drops what follows the last newline.
	parsed, err := txeh.ParseHostsFromString(string(foreign) + "\n")
	if err != nil {
		return nil, fmt.Errorf("parse hosts file: %w", err)
	}
	var found []Conflict
	for _, l := range parsed {
		for _, name := range l.Hostnames {
			if addr, ok := ours[name]; ok && addr != l.Address {
				found = append(found, Conflict{Name: name, Addr: l.Address, Line: l.OriginalLineNum + 1})
			}
		}
	}
	return found, nil
}
