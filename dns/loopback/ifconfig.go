package loopback

import (
	"net/netip"
	"strings"
)

// addArguments and removeArguments are what macOS' ifconfig is told.
func addArguments(addr netip.Addr) []string {
	if addr.Is6() {
		return []string{"lo0", "inet6", addr.String(), "prefixlen", "128", "alias"}
	}
	return []string{"lo0", "alias", addr.String(), "255.255.255.255"}
}

func removeArguments(addr netip.Addr) []string {
	if addr.Is6() {
		return []string{"lo0", "inet6", addr.String(), "-alias"}
	}
	return []string{"lo0", "-alias", addr.String()}
}

// routeAnswer is what macOS' route says of a way.
type routeAnswer struct {
	Route
	gateway string
	cloned  bool // an entry for one destination, made from a route to more
}

func (r routeAnswer) sameWay(other routeAnswer) bool {
	return r.gateway == other.gateway && r.Device == other.Device
}

// parseRoute reads the output of "route -n get", and reports whether it could. That there
// is no route is an answer too.
//
//	   route to: 10.244.1.5
//	destination: 10.0.0.0
//	       mask: 255.0.0.0
//	    gateway: 10.8.0.1
//	  interface: utun3
//	      flags: <UP,GATEWAY,DONE,STATIC,PRCLONING>
func parseRoute(text string) (answer routeAnswer, ok bool) {
	if strings.Contains(text, "not in table") {
		return routeAnswer{}, true
	}
	fields := make(map[string]string)
	for line := range strings.Lines(text) {
		if key, value, is := strings.Cut(line, ":"); is {
			fields[strings.TrimSpace(key)] = strings.TrimSpace(value)
		}
	}
	answer.gateway, answer.Device = fields["gateway"], fields["interface"]
	answer.cloned = strings.Contains(fields["flags"], "WASCLONED")
	answer.Local = strings.HasPrefix(answer.Device, "lo")
	destination := fields["destination"]
	if destination == "default" {
		return answer, true
	}
	to, err := netip.ParseAddr(destination)
	if err != nil {
		return answer, false
	}
	bits := to.BitLen()
	if mask, err := netip.ParseAddr(fields["mask"]); err == nil {
		bits = ones(mask)
	}
	answer.Prefix = netip.PrefixFrom(to, bits)
	return answer, true
}

// ones is the length of the prefix that mask is.
func ones(mask netip.Addr) int {
	bits := 0
	for _, b := range mask.AsSlice() {
		for ; b&0x80 != 0; b <<= 1 {
			bits++
		}
	}
	return bits
}
