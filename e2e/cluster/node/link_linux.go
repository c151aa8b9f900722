package node

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
)

// connect gives the node its name and brings its network up: loopback, eth0 to
// the host or another node, and forwarding between that and the pods. There is no default route:
// a pod that asks for the outside world is told at once that there is none.
func connect(setup Setup) error {
	if err := syscall.Sethostname([]byte(setup.Hostname)); err != nil {
		return fmt.Errorf("set hostname: %w", err)
	}
	commands := [][]string{
		{"link", "set", "lo", "up"},
		{"address", "add", setup.Address.String(), "dev", "eth0"},
		{"link", "set", "eth0", "up"},
	}
	for _, network := range setup.Routed {
		commands = append(commands, []string{"route", "add", network.String(), "via", setup.Gateway.String()})
	}
	for _, args := range commands {
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
