package target

import (
	"context"
	"errors"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/devtun/devtun/intercept/plan"
)

// Relay says what a namespace's relay is to be like.
type Relay struct {
	Namespace     string
	Like          *corev1.Pod
	Circumstances *Circumstances
}

// PlanRelay computes the plan of a relay.
func PlanRelay(Relay, Options) (*plan.Plan, error) { return nil, errors.New("no relay yet") }

// LookForRelay finds what has a say where a relay is to stand.
func LookForRelay(context.Context, kubernetes.Interface, string) (*Circumstances, error) {
	return new(Circumstances), nil
}

// RelayRights are all that a relay needs in a namespace.
func RelayRights() []Right { return nil }
