package hostsfile

import (
	"slices"
	"strings"

	"github.com/devtun/devtun/internal/proc"
)

// Duplicate is another session that lives and gives names of ours too, on addresses of
// its own: whoever asks for one may get either.
type Duplicate struct {
	Owner proc.ID
	Names []string // of each address of ours the first that both give
}

// duplicates finds them for a session in ours, the lines of all that live.
func duplicates(ours []line, session string) []Duplicate {
	owners := owners(ours)
	given := make(map[string]map[string]bool) // the names of each other session
	var sessions []string
	for _, l := range ours {
		if _, known := owners[l.session]; !known || l.session == session {
			continue
		}
		if given[l.session] == nil {
			given[l.session] = make(map[string]bool)
			sessions = append(sessions, l.session)
		}
		for _, name := range namesIn(l) {
			given[l.session][name] = true
		}
	}
	var found []Duplicate
	for _, other := range sessions {
		duplicate := Duplicate{Owner: owners[other]}
		noted := make(map[string]bool)
		for _, l := range ours {
			if l.session != session {
				continue
			}
			names := namesIn(l)
			i := slices.IndexFunc(names, func(name string) bool { return given[other][name] })
			if i >= 0 && !noted[names[i]] {
				noted[names[i]] = true
				duplicate.Names = append(duplicate.Names, names[i])
			}
		}
		if duplicate.Names != nil {
			found = append(found, duplicate)
		}
	}
	return found
}

// namesIn are the names that a line gives an IPv4 address: those of the IPv6 form
// are the same.
func namesIn(l line) []string {
	words := strings.Fields(l.body)
	if len(words) == 0 || !strings.HasPrefix(words[0], "127.") {
		return nil
	}
	return words[1:]
}
