package status

import (
	"fmt"
	"strings"

	"github.com/devtun/devtun/cmd/cli/forwards"
)

// PortsOf are the ports of a service as its forward tells of them.
func PortsOf(e *forwards.ServiceEvent) []Port {
	ports := []Port{}
	for _, port := range e.Ports {
		ports = append(ports, Port{
			Local: port.Local, Port: port.Remote, Name: port.Name, App: port.App, Protocol: onlyUDP(port.Protocol()),
		})
	}
	return ports
}

// udp is what is said of a protocol; that one is TCP is not.
const udp = "udp"

func onlyUDP(protocol string) string {
	if protocol == udp {
		return udp
	}
	return ""
}

// Number is the service's port for people, as 53 or 53/udp.
func (p Port) Number() string { return fmt.Sprint(p.Port) + p.suffix() }

func (p Port) suffix() string {
	if p.Protocol == udp {
		return "/udp"
	}
	return ""
}

// PortList lists ports for people as LOCAL, or LOCAL:PORT where they differ. Three and
// more in a row are a range, as 8000-8249 or 8000-8249:9000-9249: some services have
// hundreds. UDP ports have that behind them, as 53/udp. Without ports it is empty.
func PortList(ports []Port) string {
	var list []string
	for len(ports) > 0 {
		n := run(ports)
		if n < 3 {
			n = 1
		}
		first, last := ports[0], ports[n-1]
		text := span(first.Local, last.Local)
		if first.Local != first.Port {
			text += ":" + span(first.Port, last.Port)
		}
		list = append(list, text+first.suffix())
		ports = ports[n:]
	}
	return strings.Join(list, ",")
}

// run counts the ports from the first on of which each is the next number, on both sides.
func run(ports []Port) int {
	n := 1
	for n < len(ports) && ports[n].Local == ports[0].Local+n && ports[n].Port == ports[0].Port+n &&
		ports[n].suffix() == ports[0].suffix() {
		n++
	}
	return n
}

func span(first, last int) string {
	if first == last {
		return fmt.Sprint(first)
	}
	return fmt.Sprintf("%d-%d", first, last)
}
