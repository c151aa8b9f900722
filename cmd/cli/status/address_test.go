package status

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAddress(t *testing.T) {
	for want, port := range map[string]Port{
		"http://web/":       {Local: 80, Port: 80},
		"http://web:8080/":  {Local: 8080, Port: 80},
		"http://web:9090/":  {Local: 9090, Port: 9090, Name: "http-metrics"},
		"http://web:81/":    {Local: 81, Port: 81, App: "kubernetes.io/h2c"},
		"https://web/":      {Local: 443, Port: 443},
		"https://web:8443/": {Local: 8443, Port: 443, Name: "https"},
		"http://web:443/":   {Local: 443, Port: 443, Name: "HTTP"},
		"web:5432":          {Local: 5432, Port: 5432},
		"web:80":            {Local: 80, Port: 80, Name: "tcp-raw"},
		"web:8080":          {Local: 8080, Port: 8080, Name: "http", App: "grpc"},
		"web:53/udp":        {Local: 53, Port: 53, Protocol: "udp"},
		"web:443/udp":       {Local: 443, Port: 443, Name: "https", Protocol: "udp"}, // HTTP/3, which no URL asks for
		"http://web:8081/":  {Local: 8081, Port: 8081, Name: "admin"},
	} {
		require.Equal(t, want, Address("web", port))
	}
	require.Equal(t, "[::1]:5432", Address("::1", Port{Local: 5432, Port: 5432}))
}

func TestAddressesOfAService(t *testing.T) {
	s := Service{Names: []string{"db", "db.demo"}, Ports: []Port{{Local: 80, Port: 80}}}
	for n := range 250 {
		s.Ports = append(s.Ports, Port{Local: 9000 + n, Port: 9000 + n})
	}
	require.Equal(t, []string{"http://db/", "db:9000-9249"}, s.Addresses())
	require.Empty(t, Service{Ports: s.Ports}.Addresses(), "no name and no address")
	require.Equal(t, []string{"127.1.2.3:5432"},
		Service{Address: "127.1.2.3", Ports: []Port{{Local: 5432, Port: 5432}}}.Addresses(), "no name")
}
