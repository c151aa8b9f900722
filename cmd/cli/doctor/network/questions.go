package network

import (
	"github.com/devtun/devtun/intercept/probe"
)

const (
	// dials is how often a Service's address is tried: it has several endpoints.
	dials = 4
	// fresh is how many new connections tell random loss from none.
	fresh = 20
	// lookUps is how often a name is looked up: one lost packet is no dead name server.
	lookUps = 2
	// maxEndpoints is how many endpoints of a Service are tried.
	maxEndpoints = 6
)

// asked are the questions to one probe, by their keys.
type asked map[string]probe.Question

// questions are what the probe of a node is asked. peers are the addresses of the probes, by
// node.
func questions(services []Service, node string, peers map[string]string) asked {
	all := asked{nameKey(apiName): {Kind: probe.DNS, Name: apiName, Count: lookUps}}
	for _, s := range services {
		dial := func(address string, count int) {
			kind := probe.TCP
			if s.API {
				kind = probe.TLS
			}
			all[dialKey(address)] = probe.Question{Kind: kind, Address: address, Count: count}
			if s.Names {
				all[askNameKey(address)] = probe.Question{Kind: probe.DNS, Name: apiName, Address: address, Count: lookUps}
			}
		}
		if s.Address != "" {
			count := dials
			if s.API {
				count = fresh / 2
			}
			dial(s.Address, count)
		}
		for _, e := range s.Endpoints[:min(len(s.Endpoints), maxEndpoints)] {
			dial(e.Address, 1)
		}
		if !s.API && !s.Names && s.Address != "" {
			name := s.Name + "." + s.Namespace + ".svc"
			all[nameKey(name)] = probe.Question{Kind: probe.DNS, Name: name, Count: lookUps}
		}
	}
	for other, address := range peers {
		if other != node {
			all[peerKey(other)] = probe.Question{Kind: probe.Peer, Address: address, Count: fresh}
			all[largeKey(other)] = probe.Question{Kind: probe.Peer, Address: address, Size: largeSize, Count: 2}
		}
	}
	return all
}

// doubtful are the questions that something was wrong with, to be asked again: a fault stays.
func (a asked) doubtful(v View) asked {
	again := make(asked)
	for key, q := range a {
		if answer := v[key]; answer.Failed > 0 || answer.Resent > 0 {
			again[key] = q
		}
	}
	return again
}

// confirm has a view say what stays when it is asked again: what is well then was an accident.
func (v View) confirm(again View) {
	for key, second := range again {
		first := v[key]
		if second.Failed > 0 || second.Resent > 0 {
			second.Tries += first.Tries
			second.Failed += first.Failed
			second.Resent += first.Resent
			if second.Why == "" {
				second.Why, second.Error = first.Why, first.Error
			}
		}
		v[key] = second
	}
}
