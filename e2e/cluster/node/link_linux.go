package node

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// connect gives the node its name and brings its network up: loopback, eth0 to
// the host, and forwarding between that and the pods. There is no default route:
// a pod that asks for the outside world is told at once that there is none.
func connect(setup Setup) error {
	if err := syscall.Sethostname([]byte(setup.Hostname)); err != nil {
		return fmt.Errorf("set hostname: %w", err)
	}
	for _, args := range [][]string{
		{"link", "set", "lo", "up"},
		{"address", "add", setup.Address.String(), "dev", "eth0"},
		{"link", "set", "eth0", "up"},
		{"route", "add", setup.Routed.String(), "via", setup.Gateway.String()},
	} {
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			return fmt.Errorf("run ip %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(out)))
		}
	}
	// This setting belongs to the network namespace, not to the host.
	if err := os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1\n"), 0); err != nil {
		return fmt.Errorf("enable forwarding: %w", err)
	}
	return nil
}
