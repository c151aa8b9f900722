package debian

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
)

// policyFile is asked by Debian's packages whether they may start a service.
const policyFile = "/usr/sbin/policy-rc.d"

// policy says no. It tells whose it is, so that one that was left behind by a
// killed process is known to be ours, and goes.
var policy = []byte("#!/bin/sh\n# Written by devtun's e2e/cluster/debian for the time of an installation; it may be " +
	"removed.\nexit 101\n")

// forbidServices keeps packages from starting services, by a policy in the file,
// until allow is called. A policy of the machine's owner stays as it is.
func forbidServices(file string) (allow func(), err error) {
	present, err := os.ReadFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := os.WriteFile(file, policy, 0o755); err != nil {
			return nil, fmt.Errorf("forbid services: %w", err)
		}
	case err != nil:
		return nil, fmt.Errorf("forbid services: %w", err)
	case !bytes.Equal(present, policy):
		return func() {}, nil
	}
	return func() { _ = os.Remove(file) }, nil
}

// disableServices keeps systemd from starting, now or at the next boot, the
// services of packages that nobody but us asked for.
func disableServices(ctx context.Context, packages []string) error {
	if _, err := os.Stat("/run/systemd/system"); err != nil {
		return nil // systemd is not in charge here
	}
	units := map[string]string{"etcd-server": "etcd.service", "containerd": "containerd.service",
		"redis-server": "redis-server.service", "nats-server": "nats-server.service",
		"nftables": "nftables.service"}
	for _, name := range packages {
		unit, found := units[name]
		if !found {
			continue
		}
		if out, err := exec.CommandContext(ctx, "systemctl", "disable", "--now", unit).CombinedOutput(); err != nil {
			return fmt.Errorf("disable %s: %w: %s", unit, err, bytes.TrimSpace(out))
		}
	}
	return nil
}
