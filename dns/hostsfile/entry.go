package hostsfile

import (
	"net/netip"

	"github.com/devtun/devtun/dns/loopback"
)

// Entry is one address and the names that lead to it.
type Entry struct {
	Addr  netip.Addr // IPv4 loopback
	Names []string   // as CheckName wants them
}

// Check refuses whatever must not reach the hosts file. It is the last
// gate before the file, whoever asks.
func Check(entries []Entry) error {
	for _, e := range entries {
		if err := loopback.Check(e.Addr); err != nil {
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
