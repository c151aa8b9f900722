package probe

import (
	"encoding/json"
	"fmt"
	"time"
)

// ConfigVariable holds the configuration, as JSON. With it the agent's program is a probe.
const ConfigVariable = "DEVTUN_PROBE_CONFIG"

const (
	// Limit bounds each attempt of a question. A SYN that is lost is sent again after 1 s.
	Limit = 2 * time.Second
	// Life is as long as a probe runs, whether somebody asks or not.
	Life = 50 * time.Second
	// AskPath is where questions are asked.
	AskPath = "/ask"

	// APIServer, as an address, is the API server's Service, as the pod's environment has it.
	APIServer = "kubernetes"

	maxQuestions = 200
	maxCount     = 40
	maxSize      = 64 << 10 // bytes, each way
	maxBody      = 256 << 10
)

// Config says how a probe is reached.
type Config struct {
	Port     int    `json:"port"`     // for questions, on loopback
	PeerPort int    `json:"peerPort"` // for other probes, on all of the pod's addresses
	Token    string `json:"token"`    // what other probes say first
}

func parseConfig(text string) (Config, error) {
	var c Config
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return c, fmt.Errorf("read %s: %w", ConfigVariable, err)
	}
	if c.Port <= 0 || c.PeerPort <= 0 || len(c.Token) < 16 {
		return c, fmt.Errorf("read %s: port, peerPort or token is missing", ConfigVariable)
	}
	return c, nil
}

// Kind is what a question tries.
type Kind string

const (
	TCP  Kind = "tcp"  // connect to Address
	TLS  Kind = "tls"  // and have it show a certificate, whatever that is
	Peer Kind = "peer" // to another probe, and have it take Size bytes and send them back
	DNS  Kind = "dns"  // look Name up: NAME.NAMESPACE.svc, or any
)

// Question is one thing to try.
type Question struct {
	Kind    Kind   `json:"kind"`
	Address string `json:"address,omitempty"` // host:port; of DNS the name server, "" is the pod's own
	Name    string `json:"name,omitempty"`
	Network string `json:"network,omitempty"` // of DNS: "udp", the default, or "tcp"
	Size    int    `json:"size,omitempty"`    // bytes
	Count   int    `json:"count,omitempty"`   // attempts, side by side; 0 is 1
}

// Why is why an attempt failed.
type Why string

const (
	Refused  Why = "refused"
	Timeout  Why = "timeout"
	NoRoute  Why = "no route"
	Reset    Why = "reset"
	NXDomain Why = "NXDOMAIN"
	ServFail Why = "SERVFAIL"
	Other    Why = "other"
)

// Answer is what became of a question.
type Answer struct {
	Tries  int    `json:"tries"`
	Failed int    `json:"failed"`
	Resent int    `json:"resent,omitempty"` // attempts that came through only when sent again
	Why    Why    `json:"why,omitempty"`    // of a failure
	Error  string `json:"error,omitempty"`  // in its own words
	// Milliseconds is what the slowest attempt took that came through.
	Milliseconds int      `json:"ms"`
	Addresses    []string `json:"addresses,omitempty"` // of DNS
}

// Dead reports that no attempt came through.
func (a Answer) Dead() bool { return a.Failed == a.Tries }

// Report answers all questions, in their order.
type Report struct {
	Nameservers []string `json:"nameservers"` // of the pod's resolv.conf
	Answers     []Answer `json:"answers"`
}
