package project

import (
	_ "embed"
	"time"
)

// Name is what a project file is called, unless somebody says otherwise.
const Name = "devtun.yaml"

// Schema is the JSON Schema of a project file.
//
//go:embed schema.json
var Schema []byte

// Project is the content of a project file. In what Read returns, paths are
// absolute. Empty fields mean the commands' defaults.
type Project struct {
	Name          string        `yaml:"name,omitempty" json:"name,omitempty"`             // of the session
	Kubeconfig    string        `yaml:"kubeconfig,omitempty" json:"kubeconfig,omitempty"` // path
	Context       string        `yaml:"context,omitempty" json:"context,omitempty"`       // of the kubeconfig
	Namespace     string        `yaml:"namespace,omitempty" json:"namespace,omitempty"`   // gives bare names
	ClusterDomain string        `yaml:"clusterDomain,omitempty" json:"clusterDomain,omitempty"`
	Transport     string        `yaml:"transport,omitempty" json:"transport,omitempty"`
	Relay         string        `yaml:"relay,omitempty" json:"relay,omitempty"` // true: everything goes through one
	Link          string        `yaml:"link,omitempty" json:"link,omitempty"`
	NoForward     bool          `yaml:"noForward,omitempty" json:"noForward,omitempty"`
	Forward       Forward       `yaml:"forward,omitempty" json:"forward,omitzero"`
	Intercepts    []Intercept   `yaml:"intercepts,omitempty" json:"intercepts,omitempty"`
	Env           []Environment `yaml:"env,omitempty" json:"env,omitempty"`
	// Run are processes that reach the services, by their names.
	Run map[string]Process `yaml:"run,omitempty" json:"run,omitempty"`

	// Positions are where what is listed stands, by paths such as intercepts[0].workload.
	Positions map[string]Position `yaml:"-" json:"positions,omitempty"`
	// Warnings are what who reads the file is to know.
	Warnings []string `yaml:"-" json:"-"`
}

// Forward says which services are forwarded: all of the namespace if nothing is
// said. Those whose requests all come here are left out in any case.
type Forward struct {
	Services      []string `yaml:"services,omitempty" json:"services,omitempty"`
	Namespaces    []string `yaml:"namespaces,omitempty" json:"namespaces,omitempty"` // beside the project's
	AllNamespaces bool     `yaml:"allNamespaces,omitempty" json:"allNamespaces,omitempty"`
	Selector      string   `yaml:"selector,omitempty" json:"selector,omitempty"`
	Except        []string `yaml:"except,omitempty" json:"except,omitempty"`
	Ports         []string `yaml:"ports,omitempty" json:"ports,omitempty"`     // SERVICE:LOCAL:REMOTE
	Headers       []string `yaml:"headers,omitempty" json:"headers,omitempty"` // NAME: VALUE
	Hold          Duration `yaml:"hold,omitempty" json:"hold,omitempty"`
	HostsFile     string   `yaml:"hostsFile,omitempty" json:"hostsFile,omitempty"` // path
	PodAddresses  bool     `yaml:"podAddresses,omitempty" json:"podAddresses,omitempty"`
}

// Intercept is one workload whose traffic is to come here.
type Intercept struct {
	Workload  string   `yaml:"workload" json:"workload"` // or service
	Namespace string   `yaml:"namespace,omitempty" json:"namespace,omitempty"`
	Ports     []string `yaml:"ports,omitempty" json:"ports,omitempty"` // LOCAL:PORT
	To        string   `yaml:"to,omitempty" json:"to,omitempty"`       // host
	Replace   bool     `yaml:"replace,omitempty" json:"replace,omitempty"`
	// MoveConnections is "evict" or "force".
	MoveConnections string   `yaml:"moveConnections,omitempty" json:"moveConnections,omitempty"`
	Match           Match    `yaml:"match,omitempty" json:"match,omitzero"`
	TLS             bool     `yaml:"tls,omitempty" json:"tls,omitempty"`
	Mark            bool     `yaml:"mark,omitempty" json:"mark,omitempty"`
	Mirror          bool     `yaml:"mirror,omitempty" json:"mirror,omitempty"`
	NoCarry         bool     `yaml:"noCarry,omitempty" json:"noCarry,omitempty"`
	Grace           Duration `yaml:"grace,omitempty" json:"grace,omitempty"`
	Container       string   `yaml:"container,omitempty" json:"container,omitempty"`
	AgentImage      string   `yaml:"agentImage,omitempty" json:"agentImage,omitempty"`
	EnvFile         string   `yaml:"envFile,omitempty" json:"envFile,omitempty"` // path
	EnvJSON         string   `yaml:"envJson,omitempty" json:"envJson,omitempty"` // path
	EnvFormat       string   `yaml:"envFormat,omitempty" json:"envFormat,omitempty"`
	Files           string   `yaml:"files,omitempty" json:"files,omitempty"` // path of a folder
	Keep            bool     `yaml:"keep,omitempty" json:"keep,omitempty"`
	Run             *Run     `yaml:"run,omitempty" json:"run,omitempty"` // that answers; nil: none is started
}

// Environment is the environment and the files of a workload's container, which are to be
// here; the workload and its traffic stay as they are.
type Environment struct {
	Workload   string `yaml:"workload" json:"workload"`
	Namespace  string `yaml:"namespace,omitempty" json:"namespace,omitempty"`
	Container  string `yaml:"container,omitempty" json:"container,omitempty"`
	AgentImage string `yaml:"agentImage,omitempty" json:"agentImage,omitempty"`
	EnvFile    string `yaml:"envFile,omitempty" json:"envFile,omitempty"` // path
	EnvJSON    string `yaml:"envJson,omitempty" json:"envJson,omitempty"` // path
	EnvFormat  string `yaml:"envFormat,omitempty" json:"envFormat,omitempty"`
	Files      string `yaml:"files,omitempty" json:"files,omitempty"` // path of a folder
	Keep       bool   `yaml:"keep,omitempty" json:"keep,omitempty"`
}

// Match is which requests come here: those that match all of it.
type Match struct {
	Headers  []string `yaml:"headers,omitempty" json:"headers,omitempty"`   // NAME=VALUE or NAME~REGEXP
	Path     string   `yaml:"path,omitempty" json:"path,omitempty"`         // a prefix, or ~REGEXP
	Methods  []string `yaml:"methods,omitempty" json:"methods,omitempty"`   // one of them
	Personal string   `yaml:"personal,omitempty" json:"personal,omitempty"` // a key; true: the user's name
}

// Duration is one as Go writes them: 30s, 1m30s.
type Duration string

// Value is the duration, or otherwise if none is given. It is valid in what Read
// returns.
func (d Duration) Value(otherwise time.Duration) time.Duration {
	value, err := time.ParseDuration(string(d))
	if err != nil {
		return otherwise
	}
	return value
}
