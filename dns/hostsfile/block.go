package hostsfile

import (
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"strings"

	"github.com/txn2/txeh"

	"github.com/devtun/devtun/internal/proc"
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
func newBlock(session string, owner proc.ID, entries []Entry) []line {
	var block []line
	for _, entry := range entries {
		for _, addr := range addressForms(entry.Addr) {
			for names := range wrap(withFinalDot(entry.Names)) {
				block = append(block, newLine(session, render(addr, names)))
			}
		}
	}
	if len(block) == 0 {
		return nil
	}
	begin := newLine(session, fmt.Sprintf("%s%s: %s", beginMark, owner, notice))
	block = append([]line{begin}, block...)
	return append(block, newLine(session, endMark))
}

// addressForms is what stands in the hosts file for an address.
//
// On Linux it stands there as an IPv6 address too, by which a program that has
// IPv6 sockets only reaches the same listener (RFC 4038, 4.2). Without that glibc
// would go on to DNS when it is asked for IPv6 alone, since the file holds no such
// address of the name (nss/nss_files/files-hosts.c), and bring whatever somebody's
// wildcard record says. musl and Go stop at the file in any case. macOS and Windows
// have not been tried and get the plain one.
func addressForms(addr netip.Addr) []string {
	if runtime.GOOS == "linux" {
		return []string{addr.String(), netip.AddrFrom16(addr.As16()).String()}
	}
	return []string{addr.String()}
}

// withFinalDot is what stands in the hosts file for names, of which the last is the full
// one: that with the final dot as well, as charts and configurations have it which
// want to spare the search path. glibc and musl compare what they are asked for with
// the file letter by letter, and go on to DNS. macOS and Windows, which have not been
// tried, get the plain ones.
func withFinalDot(names []string) []string {
	if runtime.GOOS != "linux" || len(names) == 0 {
		return names
	}
	full := names[len(names)-1]
	return append(slices.Clip(names), full+".")
}

// render makes the line of one address. The line is put into a txeh.Hosts as it is, of
// its own: AddHost would search all of a Hosts for each name, and RenderHostsFile
// copies all lines before for each line.
func render(addr string, names []string) string {
	var hosts txeh.Hosts
	*hosts.GetHostFileLines() = txeh.HostFileLines{{LineType: txeh.ADDRESS, Address: addr, Hostnames: names}}
	return strings.TrimSuffix(hosts.RenderHostsFile(), "\n")
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
func owners(ours []line) map[string]proc.ID {
	known := make(map[string]proc.ID)
	for _, l := range ours {
		rest, ok := strings.CutPrefix(l.body, beginMark)
		if !ok {
			continue
		}
		about, _, _ := strings.Cut(rest, ": ")
		if owner, ok := proc.Parse(about); ok {
			known[l.session] = owner
		}
	}
	return known
}
