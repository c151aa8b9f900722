package network

import (
	"slices"

	"github.com/devtun/devtun/intercept/probe"
)

// Matrix is what the probes say, and all that it is judged by.
type Matrix struct {
	Nodes    []Node
	Services []Service
	Views    map[string]View // by node
	Policies *Policies       // nil: they may not be read
}

// View is what a node's probe answers, by the question's key.
type View map[string]probe.Answer

// Node is one that a probe was to be on.
type Node struct {
	Name string
	// Left says why no probe was wanted there, or could be had: no fault of the network. ""
	// if one was.
	Left string
	// Gone says why a probe that was made there does not answer; "" if it does.
	Gone string
}

// Service is a subject: a Service whose addresses are compared.
type Service struct {
	Namespace, Name string
	Address         string // IP:port of the Service; "" if it has none
	Names           bool   // it is the cluster's name service
	API             bool   // it is the API server's
	Local           bool   // it leads to pods of the same node alone
	Endpoints       []Endpoint
	Unknown         bool // its endpoints may not be read
}

func (s Service) String() string {
	if s.API || s.Names {
		return s.Name
	}
	return s.Name + "." + s.Namespace
}

// Endpoint is one ready endpoint.
type Endpoint struct {
	Address string // IP:port
	Node    string // "" if it is not known
	Pod     string // "" if it is none
	Labels  map[string]string
}

// The keys of questions.
func dialKey(address string) string    { return "connect " + address }
func askNameKey(address string) string { return "ask " + address }
func nameKey(name string) string       { return "name " + name }
func peerKey(node string) string       { return "peer " + node }
func largeKey(node string) string      { return "large " + node }

// largeSize, in bytes, takes several packets of any link that is usual.
const largeSize = 16 << 10

// apiName is a name that every cluster has.
const apiName = "kubernetes.default.svc"

// probed are the nodes whose probes answer.
func (m *Matrix) probed() (names []string) {
	for _, n := range m.Nodes {
		if m.Views[n.Name] != nil {
			names = append(names, n.Name)
		}
	}
	return names
}

// dead reports that a question was asked, and no attempt came through.
func (v View) dead(key string) bool {
	a, asked := v[key]
	return asked && a.Dead()
}

// answers reports that a question was asked, and some attempt came through.
func (v View) answers(key string) bool {
	a, asked := v[key]
	return asked && !a.Dead()
}

// speaks reports that a name server has answered, whatever it was.
func (v View) speaks(address string) bool {
	a, asked := v[askNameKey(address)]
	return asked && (!a.Dead() || a.Why == probe.NXDomain || a.Why == probe.ServFail)
}

// reaches reports that an address of a subject was reached.
func (v View) reaches(s *Service, address string) bool {
	if s.Names {
		return v.speaks(address)
	}
	return v.answers(dialKey(address))
}

// misses reports that an address of a subject was asked for, and not reached.
func (v View) misses(s *Service, address string) bool {
	if s.Names {
		_, asked := v[askNameKey(address)]
		return asked && !v.speaks(address)
	}
	return v.dead(dialKey(address))
}

// said is how an attempt to reach an address of a subject failed.
func (v View) said(s *Service, address string) probe.Answer {
	if s.Names {
		return v[askNameKey(address)]
	}
	return v[dialKey(address)]
}

// leads reports that the Service has an endpoint that a client on a node is led to.
func (s *Service) leads(node string) bool {
	return slices.ContainsFunc(s.Endpoints, func(e Endpoint) bool { return !s.Local || e.Node == node })
}

// service finds a subject.
func (m *Matrix) service(is func(*Service) bool) *Service {
	for i := range m.Services {
		if is(&m.Services[i]) {
			return &m.Services[i]
		}
	}
	return nil
}
