package intercept

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/devtun/devtun/intercept/agent"
	"github.com/devtun/devtun/intercept/plan"
)

// agentSpec is what a plan says of its agent.
type agentSpec struct {
	replicas  int
	linkPort  int    // where links begin
	proxyPort int    // for links through the pod proxy; 0: there is none
	ports     []int  // TCP
	image     string // for hints
	container string
	mounts    []string // that are handed over
	named     []string // variables of the container that the manifest names
	selector  string   // of its pods
	relays    bool     // it connects for sessions
}

func (a agentSpec) listens(port int) bool { return slices.Contains(a.ports, port) }

var errNoAgent = errors.New("it creates no agent")

// specOf reads a plan.
func specOf(p *plan.Plan) (agentSpec, error) {
	for _, step := range p.Prepare {
		if step.Object != (plan.Object{Kind: "Deployment", Name: p.Agent}) &&
			step.Object != (plan.Object{Kind: "Job", Name: p.Agent}) {
			continue
		}
		var w agentObject
		err := json.Unmarshal(step.Do.Body, &w)
		if err == nil {
			var spec agentSpec
			if spec, err = specOfObject(&w); err == nil {
				spec.selector = plan.AgentLabel + "=" + plan.AgentID(p.Name, p.Identity)
				return spec, nil
			}
		}
		return agentSpec{}, fmt.Errorf("read plan's agent: %w", err)
	}
	return agentSpec{}, fmt.Errorf("read plan's agent: %w", errNoAgent)
}

// ContainerOf is the container whose environment and files an intercept's agents have; ""
// if its plan does not say.
func ContainerOf(p *plan.Plan) string {
	spec, err := specOf(p)
	if err != nil {
		return ""
	}
	return spec.container
}

// IsRelay reports that a plan's agents connect for sessions, as a relay does.
func IsRelay(p *plan.Plan) bool {
	spec, err := specOf(p)
	return err == nil && spec.relays
}

// ImageOf is the image that an intercept's agents run in; "" if its plan does not say.
func ImageOf(p *plan.Plan) string {
	spec, err := specOf(p)
	if err != nil {
		return ""
	}
	return spec.image
}

// agentObject is what a Deployment and a Job have alike.
type agentObject struct {
	Spec struct {
		Replicas *int32                 `json:"replicas"` // nil: 1
		Template corev1.PodTemplateSpec `json:"template"`
	} `json:"spec"`
}

func specOfObject(w *agentObject) (agentSpec, error) {
	spec := agentSpec{replicas: 1}
	if w.Spec.Replicas != nil {
		spec.replicas = int(*w.Spec.Replicas)
	}
	for _, container := range w.Spec.Template.Spec.Containers {
		i := slices.IndexFunc(container.Env, func(v corev1.EnvVar) bool { return v.Name == agent.ConfigVariable })
		if i < 0 {
			continue
		}
		text := strings.ReplaceAll(container.Env[i].Value, "$$(", "$(") // as the kubelet does
		config, err := agent.ParseConfig(text)
		if err != nil {
			return agentSpec{}, err
		}
		spec.linkPort, spec.proxyPort = config.LinkPort, config.ProxyPort
		spec.image, spec.container = container.Image, container.Name
		spec.mounts, spec.relays = config.Files, config.Relay
		for _, v := range container.Env {
			if v.Name != agent.ConfigVariable {
				spec.named = append(spec.named, v.Name)
			}
		}
		for _, port := range config.Ports {
			if port.Protocol == agent.TCP {
				spec.ports = append(spec.ports, port.Port)
			}
		}
		return spec, nil
	}
	return agentSpec{}, errNoAgent
}

// MountsOf are the paths at which the container of an intercept has the files that its agents
// hand over; none if its plan does not say.
func MountsOf(p *plan.Plan) []string {
	spec, err := specOf(p)
	if err != nil {
		return nil
	}
	return spec.mounts
}

// NamedOf are the variables that the manifest of an intercept's container names; none if its
// plan does not say. Those of envFrom are not known.
func NamedOf(p *plan.Plan) []string {
	spec, err := specOf(p)
	if err != nil {
		return nil
	}
	return spec.named
}
