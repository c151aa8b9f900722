package loopback

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"time"
)

// hasAddress reports whether an interface has an address.
func hasAddress(device string, addr netip.Addr) (bool, error) {
	found, err := net.InterfaceByName(device)
	if err != nil {
		return false, fmt.Errorf("look at %s: %w", device, err)
	}
	addrs, err := found.Addrs()
	if err != nil {
		return false, fmt.Errorf("look at %s: %w", device, err)
	}
	for _, a := range addrs {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil && prefix.Addr() == addr {
			return true, nil
		}
	}
	return false, nil
}

// runHolding runs a program that keeps lock open. The lock thus lasts as
// long as the program, even if this process is killed meanwhile: whoever takes
// the lock next finds the change made, or never to be made.
func runHolding(ctx context.Context, lock *os.File, program string, args ...string) error {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.ExtraFiles = []*os.File{lock}
	cmd.WaitDelay = time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("run %s %s: %w: %s", program, args, err, bytes.TrimSpace(out))
	}
	return nil
}
