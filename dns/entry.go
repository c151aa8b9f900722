package dns

import (
	"fmt"
	"net/netip"
)

// Entry is one address and the names that lead to it.
type Entry struct {
	Addr  netip.Addr // IPv4 loopback
	Names []string   // as CheckName wants them
}

// checkEntries refuses whatever must not reach the hosts file. It is the last
// gate before the file, whoever asks.
func checkEntries(entries []Entry) error {
	for _, e := range entries {
		if err := checkAddr(e.Addr); err != nil {
			return err
		}
		for _, name := range e.Names {
			if err := CheckName(name); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkAddr refuses every address but IPv4 loopback: devtun listens on no
// other, and a name must not lead where devtun does not listen.
func checkAddr(addr netip.Addr) error {
	if !addr.Is4() || !addr.IsLoopback() {
		return fmt.Errorf("address %s is not IPv4 loopback", addr)
	}
	return nil
}
