package forwards

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"slices"
	"syscall"

	"github.com/devtun/devtun/dns"
	"github.com/devtun/devtun/dns/loopback"
)

// refusal is why pods' addresses are not on this machine, told of all that have it in
// common at once.
type refusal struct{ reason, hint string }

// errReserved is of addresses that would lead devtun to itself.
var errReserved = errors.New("by them this machine reaches an API server or a proxy")

// news is what there is to tell of refusals since it was last called: each reason once
// when it begins, and once when it is over.
func (p *podAddresses) news() (events []Event) {
	now := make(map[refusal][]netip.Addr)
	for addr, err := range p.refused {
		why := refusalOf(err)
		now[why] = append(now[why], addr)
	}
	compare := func(a, b refusal) int { return cmp.Compare(a.reason, b.reason) }
	for _, why := range slices.SortedFunc(maps.Keys(now), compare) {
		if p.told[why] {
			continue
		}
		p.told[why] = true
		message := fmt.Sprintf("without the pod addresses %s: %s", someAddresses(now[why]), why.reason)
		events = append(events, Event{Warning: &WarningEvent{Message: message, Hint: why.hint}})
	}
	for _, why := range slices.SortedFunc(maps.Keys(p.told), compare) {
		if len(now[why]) == 0 {
			delete(p.told, why)
			events = append(events, Event{Warning: &WarningEvent{
				Message: "no pod address is left out any more for this: " + why.reason, Over: true}})
		}
	}
	return events
}

// refusalOf says why without naming the address.
func refusalOf(err error) refusal {
	var routed *loopback.RouteError
	var held *loopback.HeldError
	var used *loopback.UsedError
	var listen *dns.ListenError
	switch {
	case errors.Is(err, loopback.ErrNotPrivate):
		return refusal{"they are of no private range, and may be somebody's on the internet", "leave out --pod-addresses"}
	case errors.As(err, &routed) && routed.Local:
		return refusal{fmt.Sprintf("they are addresses of this machine (%s)", routed.Device),
			"choose a cluster whose pods' network is not this machine's, or leave out --pod-addresses"}
	case errors.As(err, &routed):
		return refusal{
			fmt.Sprintf("this machine has a route of its own to them, %s by %s", routed.Prefix, routed.Device),
			"if it leads to the cluster, programs here reach these pods without devtun; if not, remove it (a VPN's, say)"}
	case errors.Is(err, errReserved):
		return refusal{err.Error(), "they are nodes' own, most likely: programs here reach those without devtun"}
	case errors.As(err, &used):
		return refusal{"programs here are connected to them",
			"they are nodes' own, most likely: programs here reach those without devtun"}
	case errors.As(err, &held):
		return refusal{fmt.Sprintf("another devtun (pid %d) has them", held.Owner.PID),
			"end that one to have them here; 'devtun status' lists the sessions"}
	case errors.Is(err, syscall.EADDRINUSE) && errors.As(err, &listen):
		by := cmp.Or(listen.Holder.String(), "another program")
		return refusal{fmt.Sprintf("%s listens on port %d of all addresses", by, listen.Addr.Port()),
			"end it, or have it listen on 127.0.0.1 alone"}
	case errors.Is(err, os.ErrPermission):
		return refusal{"only root may add addresses to this machine, and listen on ports below 1024",
			"start devtun on a terminal where sudo can ask for your password, or with sudo"}
	case errors.Is(err, errors.ErrUnsupported):
		return refusal{"devtun cannot add addresses on this system", "leave out --pod-addresses"}
	}
	return refusal{err.Error(), "programs do not reach these pods by their addresses; all else works"}
}

// someAddresses lists the first of addrs, and how many there are beside.
func someAddresses(addrs []netip.Addr) string {
	slices.SortFunc(addrs, netip.Addr.Compare)
	var texts []string
	for _, addr := range addrs {
		texts = append(texts, addr.String())
	}
	return some(texts)
}
