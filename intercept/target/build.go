package target

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/devtun/devtun/intercept/plan"
)

// propagation is for the endpoints' controller and every node's proxy to follow a
// Service's selector. They take well under a second where nothing is amiss.
const propagation = 3 * time.Second

// Options are what a plan is to be like.
type Options struct {
	Mode     plan.Mode
	Owner    plan.Owner
	Identity string // random
	Version  int    // of what devtun and the agent speak
	// Program names the ConfigMaps in which the agent's program comes, for Architecture. It
	// runs in the image of the workload's own container then. None: Image has it.
	Program      []string
	Architecture string
	Image        string // of the agent, without Program
	// PullPolicy of Image; "" is the cluster's default.
	PullPolicy corev1.PullPolicy
	// Container whose environment and files are wanted; "" for the obvious one.
	Container string
	// Replicas of the agent; 0 means 2, or 1 when it replaces the workload.
	Replicas int32
	// Grace is how long the agent waits for a lost session before it restores; 0
	// means the mode's DefaultGrace. To have it wait for ever there is NoRestore.
	Grace time.Duration
	// MoveConnections has the origin's pods evicted once the local process answers.
	MoveConnections bool
	// Relay has the agents of an intercept serve as the relay of its namespace, too, which
	// takes RelayReads. It is nothing with NoRestore.
	Relay bool
	// NoRestore leaves out the agent's rights to restore by itself, for users who
	// may not grant any.
	NoRestore bool
}

// Plan computes the plan. It sends nothing. The error is an *UnknownError if
// there is no such container.
func (t *Target) Plan(c *Circumstances, o Options) (*plan.Plan, error) {
	if o.Replicas == 0 {
		o.Replicas = 2
		if o.Mode == plan.Replace {
			o.Replicas = 1
		}
	}
	if o.Grace == 0 {
		o.Grace = o.Mode.DefaultGrace()
	}
	container, ok := t.Workload.container(o.Container, t.Ports)
	if !ok {
		return nil, t.unknownContainer(o.Container)
	}
	b := &builder{Target: t, Options: o, circumstances: c, container: container, id: plan.AgentID(t.Name(), o.Identity)}
	p := &plan.Plan{
		Version: plan.Version, Name: t.Name(), Namespace: t.Namespace, Workload: t.Workload.Object, Mode: o.Mode,
		Owner: o.Owner, Identity: o.Identity, Agent: plan.ObjectName(t.Name()), Root: b.root(), Services: []string{},
		MoveConnections: o.MoveConnections, Program: o.Program,
	}
	p.Remove = plan.Remove(places[p.Root.Kind].object(t.Namespace, p.Root.Name), t.Namespace, t.Name())
	if o.Mode == plan.Divert {
		p.Propagation = plan.Duration(propagation)
	}
	for _, s := range t.Services {
		p.Services = append(p.Services, s.Name)
	}
	var err error
	if p.Swap, err = b.swap(); err != nil {
		return nil, err
	}
	b.swapped = p.Swap
	if b.undo, err = p.Undo(p.Swap...); err != nil {
		return nil, err
	}
	objects, err := b.objects()
	if err != nil {
		return nil, err
	}
	for _, object := range objects {
		step, err := b.create(object)
		if err != nil {
			return nil, err
		}
		p.Prepare = append(p.Prepare, step)
	}
	return p, nil
}

func (t *Target) unknownContainer(name string) error {
	var names []string
	for _, c := range t.Workload.Template.Spec.Containers {
		names = append(names, c.Name)
	}
	slices.Sort(names)
	return &UnknownError{Kind: "container", Name: name, Namespace: t.Namespace, Candidates: names,
		Within: t.Workload.Object.String()}
}

// builder has all that the objects of a plan are made of.
type builder struct {
	*Target
	Options
	circumstances *Circumstances
	container     *corev1.Container
	id            string // the agent's, in labels
	undo          string // of the plan, as its objects carry it
	swapped       []plan.Step
}

// root is what owns all else that is made. It is the ServiceAccount, which thus
// outlives the agents with all that its rights come from: agents that are deleted can
// still undo. Without one it is the agents' Deployment, or Job.
func (b *builder) root() plan.Object {
	if b.Mode == plan.HandOver {
		return plan.Object{Kind: job, Name: plan.JobName(b.Name(), b.Identity)}
	}
	if b.NoRestore {
		return plan.Object{Kind: deployment, Name: plan.ObjectName(b.Name())}
	}
	return plan.Object{Kind: "ServiceAccount", Name: plan.ObjectName(b.Name())}
}

// objects are what is created, in order: the root first, the agent's Deployment
// last.
func (b *builder) objects() ([]runtime.Object, error) {
	agent, err := b.deployment()
	if err != nil {
		return nil, err
	}
	var objects []runtime.Object
	if b.NoRestore {
		objects = append(objects, agent)
	} else {
		objects = append(objects, b.serviceAccount(), b.role(), b.roleBinding())
	}
	if b.Mode == plan.Divert {
		for _, s := range b.Services {
			objects = append(objects, b.origin(s))
		}
	}
	objects = append(objects, b.networkPolicies()...)
	if !b.NoRestore {
		objects = append(objects, agent)
	}
	return objects, nil
}

// create is the step that creates an object.
func (b *builder) create(object runtime.Object) (plan.Step, error) {
	body, err := json.Marshal(object)
	if err != nil {
		return plan.Step{}, fmt.Errorf("write %T: %w", object, err)
	}
	var created struct {
		Kind     string `json:"kind"`
		Metadata struct {
			Name string `json:"name"`
		} `json:"metadata"`
	}
	if err := json.Unmarshal(body, &created); err != nil {
		return plan.Step{}, fmt.Errorf("write %T: %w", object, err)
	}
	named := plan.Object{Kind: created.Kind, Name: created.Metadata.Name}
	place := places[named.Kind]
	return plan.Step{
		What: "create " + named.String(), Object: named,
		Do: plan.Request{Method: http.MethodPost, Path: place.collection(b.Namespace), ContentType: plan.JSON,
			Body: body},
	}, nil
}

// podLabels are those of the agent's pods.
func (b *builder) podLabels() map[string]string {
	all := plan.Labels(b.Name())
	if b.Mode == plan.Replace {
		maps.Copy(all, b.Workload.Template.Labels)
		for _, s := range b.Services {
			maps.Copy(all, s.Spec.Selector) // of a workload whose pods differ
		}
	} else {
		for _, s := range b.Services {
			maps.Copy(all, b.agentSelector(s))
		}
	}
	all[plan.AgentLabel] = b.id
	all[istioInject] = "false" // the workload's may say otherwise
	return all
}

// matchesAgent reports that a selector matches the agent's pods.
func (b *builder) matchesAgent(selector *metav1.LabelSelector) bool {
	s, err := metav1.LabelSelectorAsSelector(selector)
	return err == nil && s.Matches(labels.Set(b.podLabels()))
}
