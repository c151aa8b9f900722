package status

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPortList(t *testing.T) {
	same := func(numbers ...int) (ports []Port) {
		for _, n := range numbers {
			ports = append(ports, Port{Local: n, Port: n})
		}
		return ports
	}
	moved := func(by int, numbers ...int) (ports []Port) {
		for _, n := range numbers {
			ports = append(ports, Port{Local: n, Port: n + by})
		}
		return ports
	}
	var many []int
	for n := range 250 {
		many = append(many, 8000+n)
	}
	for want, ports := range map[string][]Port{
		"":                    nil,
		"80":                  same(80),
		"80,81":               same(80, 81),
		"80-82":               same(80, 81, 82),
		"80,81,83":            same(80, 81, 83),
		"80,90-92,443":        same(80, 90, 91, 92, 443),
		"8000-8249":           same(many...),
		"8080:80":             moved(-8000, 8080),
		"8000-8249:9000-9249": moved(1000, many...),
		"80-82,83:93,84,85":   append(append(same(80, 81, 82), moved(10, 83)...), same(84, 85)...),
		"8080:80,8081:80":     {{Local: 8080, Port: 80}, {Local: 8081, Port: 80}},
		"53,53/udp":           {{Local: 53, Port: 53}, {Local: 53, Port: 53, Protocol: "udp"}},
		"80-82/udp,83": {{Local: 80, Port: 80, Protocol: "udp"}, {Local: 81, Port: 81, Protocol: "udp"},
			{Local: 82, Port: 82, Protocol: "udp"}, {Local: 83, Port: 83}},
	} {
		require.Equal(t, want, PortList(ports))
	}
}
