package service

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/devtun/devtun/cmd/cli/doctor/check"
	"github.com/devtun/devtun/cmd/cli/output"
)

// brief checks all services of the namespace: a line for each that has trouble, and one for all
// that are well. Found is of the first one that has an endpoint.
func (w *world) brief(ctx context.Context, o Options) (results []check.Result, found Found) {
	var subjects []*subject
	for _, service := range w.services {
		if s := w.subject(service, ""); s.leads() {
			subjects = append(subjects, s)
		}
	}
	w.look(ctx, o, subjects, false)
	well := 0
	for _, s := range subjects {
		all := s.results()
		if r := worst(all); r != nil {
			results = append(results, s.shortened(*r))
		} else if !slices.ContainsFunc(all, unchecked) {
			well++
		}
		for _, r := range all {
			if unchecked(r) && !slices.ContainsFunc(results,
				func(other check.Result) bool { return other.Message == r.Message }) {
				results = append(results, r)
			}
		}
		if found.Service == "" && len(s.readyEndpoints()) > 0 {
			found = s.found()
		}
	}
	switch {
	case len(subjects) == 0:
		results = append(results, ok("services", "no Service in namespace %s has a TCP port", w.namespace))
	case well > 0:
		results = append(results, ok("services", "%s of namespace %s: nothing wrong", output.Count(well, "service"),
			w.namespace))
	}
	return results, found
}

// leads reports that the service is to lead somewhere by TCP. An alias is not, nor what has no
// selector until somebody has written endpoints for it: they are in nobody's way.
func (s *subject) leads() bool {
	return s.service.Spec.Type != corev1.ServiceTypeExternalName && len(s.ports()) > 0 &&
		(len(s.service.Spec.Selector) > 0 || len(s.readyEndpoints()) > 0)
}

// unchecked reports that a result is of a check that could not be made; whether hand-made
// endpoints answer is asked only of a service by its name.
func unchecked(r check.Result) bool { return r.Status == check.NotChecked && r.Hint == "" }

// worst is the first fault, or else the first warning; nil without.
func worst(all []check.Result) *check.Result {
	if first := check.FirstFault(all); first != nil {
		return first
	}
	i := slices.IndexFunc(all, func(r check.Result) bool { return r.Status == check.Warning })
	if i < 0 {
		return nil
	}
	return &all[i]
}

// shortened names the service. One that somebody has scaled to zero was meant to be so, as far as
// nobody has asked for it by name.
func (s *subject) shortened(r check.Result) check.Result {
	if r.Check == "scale" {
		r.Status = check.Warning
	}
	if !strings.Contains(r.Message, fmt.Sprintf("%q", s.service.Name)) {
		r.Message = fmt.Sprintf("Service %q: %s", s.service.Name, r.Message)
	}
	return r
}
