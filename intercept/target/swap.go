package target

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/devtun/devtun/intercept/plan"
)

// swap is the steps that put the agent in the traffic's way.
func (b *builder) swap() ([]plan.Step, error) {
	if b.Mode == plan.Replace {
		step, err := b.scale()
		return []plan.Step{step}, err
	}
	var steps []plan.Step
	for _, s := range b.Services {
		step, err := b.point(s)
		if err != nil {
			return nil, err
		}
		steps = append(steps, step)
	}
	return steps, nil
}

// selectorField is what a swap changes of a Service.
const selectorField = "/spec/selector"

// point is the step that has a Service select the agent's pods.
func (b *builder) point(s *corev1.Service) (plan.Step, error) {
	before, after := s.Spec.Selector, b.agentSelector(s)
	do, undo, err := patches(places["Service"].object(b.Namespace, s.Name), selectorField, before, after, nil)
	undo.Path = withFieldManager(undo.Path, managerOf(s.ObjectMeta, "f:spec", "f:selector"))
	object := serviceObject(s.Name)
	return plan.Step{What: fmt.Sprintf("point %s at the agent", object), Object: object, Do: do, Undo: &undo}, err
}

const (
	// podTemplateHash is a label that a Deployment's controller sets on its pods.
	podTemplateHash = "pod-template-hash"

	// rolloutHash is one that Argo Rollouts sets on pods, and in the selectors of Services,
	// again and again.
	rolloutHash = "rollouts-pod-template-hash"
)

// agentSelector has the keys of the Service's selector, and the agent's values.
func (b *builder) agentSelector(s *corev1.Service) map[string]string {
	selector := make(map[string]string)
	for key := range s.Spec.Selector {
		if key != podTemplateHash { // not ours to set
			selector[key] = b.id
		}
	}
	if hash := b.rolloutHash(); hash != "" && selector[rolloutHash] != "" {
		selector[rolloutHash] = hash
	}
	if len(selector) == 0 {
		selector[plan.AgentLabel] = b.id
	}
	return selector
}

// rolloutHash is what Services' selectors keep of Argo Rollouts', and what the agents' pods so
// have; "" if that would not tell these from others.
func (b *builder) rolloutHash() (hash string) {
	for _, s := range b.Services {
		own := s.Spec.Selector[rolloutHash]
		if own == "" {
			continue
		}
		if len(s.Spec.Selector) == 1 || hash != "" && hash != own {
			return ""
		}
		hash = own
	}
	return hash
}

// scale is the step that scales the workload to zero. It patches the workload, not
// its scale, since the undo is to stand on it: in the same request. The UID keeps the
// undo from a later workload of the same name. Of other kinds only the scale is known.
func (b *builder) scale() (plan.Step, error) {
	if b.Workload.owner != nil {
		return plan.ScaleToZero(b.Workload.Object, b.Workload.ownPath(b.Namespace), b.Workload.UID,
			strconv.Itoa(int(b.Workload.Replicas)), withFieldManager("", fieldManager)), nil
	}
	path := places[b.Workload.Kind].object(b.Namespace, b.Workload.Name)
	do, undo, err := patches(path, "/spec/replicas", b.Workload.Replicas, 0, []test{{"/metadata/uid", b.Workload.UID}})
	undo.Path = withFieldManager(undo.Path, managerOf(b.Workload.Meta, "f:spec", "f:replicas"))
	return plan.Step{
		What:   "scale " + b.Workload.String() + " from " + strconv.Itoa(int(b.Workload.Replicas)) + " to 0",
		Object: b.Workload.Object, Do: do, Undo: &undo,
	}, err
}

// test is a condition of an undo.
type test struct {
	path  string
	value any
}

// patches are the two that change a field from before to after, and back.
func patches(path, field string, before, after any, tests []test) (do, undo plan.Request, err error) {
	type operation struct {
		Op    string `json:"op"`
		Path  string `json:"path"`
		Value any    `json:"value"`
	}
	request := func(operations ...operation) (plan.Request, error) {
		body, err := json.Marshal(operations)
		return plan.Request{Method: http.MethodPatch, Path: withFieldManager(path, fieldManager),
			ContentType: plan.JSONPatch, Body: body}, err
	}
	do, err = request(operation{"test", field, before}, operation{"replace", field, after})
	if err != nil {
		return do, undo, fmt.Errorf("write patch: %w", err)
	}
	var back []operation
	for _, t := range tests {
		back = append(back, operation{"test", t.path, t.value})
	}
	undo, err = request(append(back, operation{"test", field, after}, operation{"replace", field, before})...)
	if err != nil {
		return do, undo, fmt.Errorf("write patch: %w", err)
	}
	return do, undo, nil
}

// fieldManager stands in an object's managedFields for what devtun changes.
const fieldManager = "devtun"

// withFieldManager names the manager of what a request changes.
func withFieldManager(path, manager string) string {
	path, _, _ = strings.Cut(path, "?")
	return path + "?fieldManager=" + url.QueryEscape(manager)
}

// managerOf is who has set a field, whom the undo puts back in place along with
// the field itself: as devtun's, the field would be in the way of whoever next
// applies the object on the server's side. A manager that applies so itself
// cannot be put back; the field stays devtun's then.
func managerOf(meta metav1.ObjectMeta, path ...string) string {
	for _, entry := range meta.ManagedFields {
		if entry.Operation != metav1.ManagedFieldsOperationUpdate || entry.Subresource != "" || entry.FieldsV1 == nil {
			continue
		}
		var fields map[string]json.RawMessage
		text, found := json.RawMessage(entry.FieldsV1.GetRawBytes()), true
		for _, key := range path {
			fields = nil
			if json.Unmarshal(text, &fields) != nil {
				found = false
				break
			}
			if text, found = fields[key]; !found {
				break
			}
		}
		if found && entry.Manager != "" {
			return entry.Manager
		}
	}
	return fieldManager
}
