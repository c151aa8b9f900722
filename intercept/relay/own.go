package relay

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// own are the addresses by which the relay would reach itself, and its node.
type own struct{ pod, node map[netip.Addr]bool }

// forbids says why an address is not connected to, whoever names it.
func (p *Policy) forbids(ctx context.Context, t Target, address netip.Addr) (why string, err error) {
	if why := never(address); why != "" {
		return fmt.Sprintf("%s %s", address, why), nil
	}
	own, err := known(ctx, &p.own, "", p.findOwn)
	if err != nil {
		return "", err
	}
	for _, a := range meant(address) {
		switch {
		case own.pod[a]:
			return fmt.Sprintf("%s is the relay's own", address), nil
		case own.node[a]:
			t.Host = a.String()
			listed, err := p.listed(ctx, t)
			if err != nil || !listed {
				return fmt.Sprintf("%s is its node, and no Service leads there", address), err
			}
		}
	}
	return "", nil
}

// findOwn finds the addresses of this pod and its node.
func (p *Policy) findOwn(ctx context.Context) (own, time.Duration, error) {
	found := own{make(map[netip.Addr]bool), make(map[netip.Addr]bool)}
	add := func(to map[netip.Addr]bool, text string) {
		text, _, _ = strings.Cut(text, "/")
		if address, err := netip.ParseAddr(text); err == nil {
			to[address.Unmap()] = true
		}
	}
	interfaces, err := p.interfaces()
	if err != nil {
		return found, 0, fmt.Errorf("find the relay's own addresses: %w", err)
	}
	for _, address := range interfaces {
		add(found.pod, address.String())
	}
	pods, err := p.namespace.pods(ctx, "metadata.name="+p.pod)
	if err != nil {
		return found, 0, err
	}
	if len(pods) != 1 || pods[0].Status.HostIP == "" {
		return found, 0, fmt.Errorf("find the relay's node: no pod %q has one", p.pod)
	}
	status := pods[0].Status
	for _, h := range append(status.HostIPs, host{status.HostIP}) {
		add(found.node, h.IP)
	}
	for _, h := range status.PodIPs {
		add(found.pod, h.IP)
	}
	return found, ownFor, nil
}
