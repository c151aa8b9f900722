package intercept

import (
	"fmt"
	"net/netip"

	"github.com/devtun/devtun/intercept"
	"github.com/devtun/devtun/internal/proc"
)

// maxCommandLine bounds what is shown of a process's command line, in characters.
const maxCommandLine = 100

// listener names the process that listens at a local address: its name, number and
// command line, as far as this system tells. It is false for another machine's.
func listener(l intercept.Local) (name string, here bool) {
	process, here := holder(l.Address)
	if process.PID == 0 {
		return "a process", here
	}
	line := commandLine(process.PID)
	if line == "" {
		return process.String(), here
	}
	return fmt.Sprintf("%s, started as %q,", process, line), here
}

// holder is the process that listens at a local address, zero if that is not known.
func holder(address string) (process proc.Process, here bool) {
	if port, here := herePort(address); here {
		for _, addr := range []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()} {
			if process = proc.ListenerAt(netip.AddrPortFrom(addr, uint16(port))); process.PID != 0 {
				break
			}
		}
		return process, true
	}
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return process, false
	}
	process = proc.ListenerAt(at)
	return process, process.PID != 0 // else the address may be another machine's
}

// commandLine is how a process was started, shortened; "" where the system does not tell.
func commandLine(pid int) string {
	line := []rune(proc.CommandLine(pid))
	if len(line) > maxCommandLine {
		return string(line[:maxCommandLine]) + "…"
	}
	return string(line)
}
