package dns

import (
	"fmt"
	"strings"

	"github.com/txn2/txeh"
)

// Words that begin the first and the last line of a block.
const (
	beginMark = "# devtun begin "
	endMark   = "# devtun end"
	notice    = "do not edit, devtun removes it at its end (or: devtun clean)"
)

// Bounds of an entry's line. Windows reads nine names a line; the bytes leave
// room for a tag below maxLine, and the longest name fits with any address.
const (
	maxLineNames = 8
	maxLineBytes = 400
)

// newBlock renders one session's part of the hosts file: begin line with the
// owner, entries, end line. Without entries there is none.
func newBlock(session string, owner Owner, entries []Entry) ([]line, error) {
	var block []line
	for _, entry := range entries {
		for names := range wrap(entry.Names) {
			text, err := render(entry.Addr.String(), names)
			if err != nil {
				return nil, err
			}
			block = append(block, newLine(session, text))
		}
	}
	if len(block) == 0 {
		return nil, nil
	}
	begin := newLine(session, fmt.Sprintf("%s%s: %s", beginMark, owner, notice))
	block = append([]line{begin}, block...)
	return append(block, newLine(session, endMark)), nil
}

// render makes the line of one address. Each line has a txeh.Hosts of its own:
// AddHost searches all of a Hosts for each name.
func render(addr string, names []string) (string, error) {
	empty := ""
	hosts, err := txeh.NewHosts(&txeh.HostsConfig{RawText: &empty})
	if err != nil {
		return "", fmt.Errorf("render %s: %w", addr, err)
	}
	hosts.AddHosts(addr, names)
	return strings.TrimSuffix(hosts.RenderHostsFile(), "\n"), nil
}

// wrap yields names in portions for one line each.
func wrap(names []string) func(yield func([]string) bool) {
	return func(yield func([]string) bool) {
		for len(names) > 0 {
			n, size := 1, len(names[0])
			for n < len(names) && n < maxLineNames && size+1+len(names[n]) <= maxLineBytes {
				size += 1 + len(names[n])
				n++
			}
			if !yield(names[:n]) {
				return
			}
			names = names[n:]
		}
	}
}

// owners reads the begin lines: whose session is whose.
func owners(ours []line) map[string]Owner {
	known := make(map[string]Owner)
	for _, l := range ours {
		rest, ok := strings.CutPrefix(l.body, beginMark)
		if !ok {
			continue
		}
		about, _, _ := strings.Cut(rest, ": ")
		if owner, ok := parseOwner(about); ok {
			known[l.session] = owner
		}
	}
	return known
}
