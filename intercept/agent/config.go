package agent

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"path"
	"slices"
	"strconv"
	"time"

	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/intercept/wire"
)

// ConfigVariable holds the configuration, as JSON. It is not the container's and is
// not handed over.
const ConfigVariable = "DEVTUN_AGENT_CONFIG"

// Protocol is a port's protocol.
type Protocol string

const (
	TCP Protocol = "TCP"
	UDP Protocol = "UDP"
)

// Config says what an agent stands for. As JSON, in ConfigVariable, it is what
// the agent is told when it starts.
type Config struct {
	Version   int       `json:"version"` // wire.Version of who wrote it
	Name      string    `json:"name"`    // of the intercept
	Identity  string    `json:"identity"`
	Mode      plan.Mode `json:"mode"`
	LinkPort  int       `json:"sessionPort"`         // on loopback
	ReadyPort int       `json:"readyPort"`           // for the kubelet, see ReadyPath; 0 with plan.HandOver
	ProxyPort int       `json:"proxyPort,omitempty"` // for links' way through the pod proxy; 0: there is none
	Ports     []Port    `json:"ports"`
	Files     []string  `json:"files,omitempty"` // absolute paths to hand over
	Grace     Duration  `json:"grace"`           // without a developer, before the restore; 0: never
	// Undo is the plan, as far as it takes to undo the swap without the stored one;
	// see plan.Plan.Undo. It is there unless Grace is 0.
	Undo json.RawMessage `json:"undo,omitempty"`
	// Relay has the agent connect, for those who hold the intercept, to what it may.
	Relay bool     `json:"relay,omitempty"`
	Hold  Duration `json:"hold,omitempty"` // a connection without an origin waits; 0: DefaultHold
	// DrainTimeout bounds, at the end, the wait for connections; 0: DefaultDrainTimeout.
	DrainTimeout Duration `json:"patience,omitempty"`
}

const (
	// DefaultHold is as long as a forward holds a connection.
	DefaultHold = 30 * time.Second

	// DefaultDrainTimeout leaves some of a pod's usual 30 s to end in.
	DefaultDrainTimeout = 25 * time.Second
)

// Port is a port that the agent listens on.
type Port struct {
	Port     int      `json:"port"`
	Protocol Protocol `json:"protocol,omitempty"` // TCP if empty
	Origin   string   `json:"origin,omitempty"`   // host:port; empty: there is none
}

// Duration is in Go's notation ("30s").
type Duration = plan.Duration

// ParseConfig reads a configuration, and refuses what it does not understand.
func ParseConfig(text string) (Config, error) {
	c, err := decodeConfig(text)
	if err == nil {
		err = c.complete()
	}
	if err != nil {
		return Config{}, fmt.Errorf("read %s: %w", ConfigVariable, err)
	}
	return c, nil
}

func decodeConfig(text string) (Config, error) {
	if text == "" {
		return Config{}, errors.New("it is not set")
	}
	// The version first: another one may have other fields.
	var versioned struct{ Version int }
	if err := json.Unmarshal([]byte(text), &versioned); err != nil {
		return Config{}, err
	}
	if versioned.Version != wire.Version {
		return Config{}, fmt.Errorf("it is for version %d, this agent speaks %d", versioned.Version, wire.Version)
	}
	var c Config
	decoder := json.NewDecoder(bytes.NewReader([]byte(text)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&c); err != nil {
		return Config{}, err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return Config{}, errors.New("something follows it")
	}
	return c, nil
}

// modes are those that an agent knows.
var modes = []plan.Mode{plan.Divert, plan.Replace, plan.HandOver, plan.Relay}

// complete fills in defaults and checks the rest.
func (c *Config) complete() error {
	switch {
	case c.Name == "":
		return errors.New("name is missing")
	case c.Identity == "":
		return errors.New("identity is missing")
	case !slices.Contains(modes, c.Mode):
		return fmt.Errorf("mode %q is none of %v", c.Mode, modes)
	case !validPort(c.LinkPort):
		return fmt.Errorf("sessionPort %d is not a port", c.LinkPort)
	case c.Grace < 0 || c.Hold < 0 || c.DrainTimeout < 0:
		return errors.New("a duration is negative")
	case c.ProxyPort != 0 && (!validPort(c.ProxyPort) || c.ProxyPort == c.LinkPort || c.ProxyPort == c.ReadyPort):
		return fmt.Errorf("proxyPort %d is not a port, or there twice", c.ProxyPort)
	case c.Mode == plan.HandOver && (c.ReadyPort != 0 || len(c.Ports) > 0 || c.Grace != 0 || c.Undo != nil):
		return fmt.Errorf("mode %s has no ports, and nothing to undo", plan.HandOver)
	case c.Relay && c.Grace == 0:
		return errors.New("a relay has to read the plan, and grace is missing")
	case c.Mode == plan.Relay && (!c.Relay || len(c.Ports) > 0):
		return fmt.Errorf("mode %s has no ports, and is a relay", plan.Relay)
	case c.Mode == plan.HandOver:
	case !validPort(c.ReadyPort):
		return fmt.Errorf("readyPort %d is not a port", c.ReadyPort)
	case c.ReadyPort == c.LinkPort:
		return fmt.Errorf("port %d/%s is there twice", c.ReadyPort, TCP)
	case len(c.Ports) == 0 && c.Mode == plan.Divert:
		return errors.New("ports is empty")
	}
	if c.Hold == 0 {
		c.Hold = Duration(DefaultHold)
	}
	if c.DrainTimeout == 0 {
		c.DrainTimeout = Duration(DefaultDrainTimeout)
	}
	if c.Undo != nil {
		if _, err := plan.Parse(c.Undo); err != nil {
			return fmt.Errorf("undo: %w", err)
		}
	}
	for _, name := range c.Files {
		if !path.IsAbs(name) {
			return fmt.Errorf("file %q is not an absolute path", name)
		}
	}
	return c.completePorts()
}

// origins are the ports' origins, one of each host.
func (c *Config) origins() (all []string) {
	seen := make(map[string]bool)
	for _, p := range c.Ports {
		host, _, _ := net.SplitHostPort(p.Origin) // completePorts has checked it
		if host != "" && !seen[host] {
			seen[host] = true
			all = append(all, p.Origin)
		}
	}
	return all
}

func (c *Config) completePorts() error {
	type key struct {
		port     int
		protocol Protocol
	}
	seen := map[key]bool{{c.LinkPort, TCP}: true, {c.ReadyPort, TCP}: true, {c.ProxyPort, TCP}: true}
	for i := range c.Ports {
		p := &c.Ports[i]
		if p.Protocol == "" {
			p.Protocol = TCP
		}
		switch {
		case !validPort(p.Port):
			return fmt.Errorf("ports: %d is not a port", p.Port)
		case p.Protocol != TCP && p.Protocol != UDP:
			return fmt.Errorf("port %d: protocol %q is neither %s nor %s", p.Port, p.Protocol, TCP, UDP)
		case seen[key{p.Port, p.Protocol}]:
			return fmt.Errorf("port %d/%s is there twice", p.Port, p.Protocol)
		case p.Origin == "" && c.Mode == plan.Divert:
			return fmt.Errorf("port %d: origin is missing", p.Port)
		}
		seen[key{p.Port, p.Protocol}] = true
		if p.Origin == "" {
			continue
		}
		host, port, err := net.SplitHostPort(p.Origin)
		number, numeric := strconv.Atoi(port)
		if err != nil || host == "" || numeric != nil || !validPort(number) {
			return fmt.Errorf("port %d: origin %q is not host:port", p.Port, p.Origin)
		}
	}
	return nil
}

func validPort(p int) bool { return p > 0 && p < 1<<16 }
