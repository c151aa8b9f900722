package target

import (
	"fmt"
	"slices"

	"github.com/devtun/devtun/intercept/owner"
	"github.com/devtun/devtun/intercept/plan"
)

// UnknownError says that nothing has the name that was given.
type UnknownError struct {
	Kind       string // "Service", "Deployment", …; "" if it could be any
	Name       string
	Namespace  string
	Candidates []string // the names there are of that kind, sorted
	Within     string   // what in the namespace should have it; "" for itself
}

func (e *UnknownError) Error() string {
	kind := e.Kind
	if kind == "" {
		kind = "Service or workload"
	}
	if e.Within != "" {
		return fmt.Sprintf("no %s %q in %s", kind, e.Name, e.Within)
	}
	return fmt.Sprintf("no %s %q in namespace %q", kind, e.Name, e.Namespace)
}

// unknown says so of a name, with those there are.
func (s *namespaceObjects) unknown(kind, name string) error {
	var names []string
	if kind == "" || kind == "Service" {
		for _, service := range s.services {
			names = append(names, service.Name)
		}
	}
	for _, w := range s.workloads {
		if kind == "" || w.isOf(kind) {
			names = append(names, w.Name)
		}
	}
	if owner.IsKind(kind, owner.Pod, "v1") {
		names = append(names, s.pods...)
	}
	slices.Sort(names)
	return &UnknownError{Kind: kind, Name: name, Namespace: s.namespace, Candidates: slices.Compact(names)}
}

// NameError says that what was given is not even a name.
type NameError struct{ Given string }

func (e *NameError) Error() string {
	return fmt.Sprintf("%q is not the name of a service or workload", e.Given)
}

// Reason is why something cannot be intercepted.
type Reason string

const (
	NoSelector    Reason = "NoSelector"    // the service selects no pods
	NoWorkload    Reason = "NoWorkload"    // no pod is there, and nothing that would make one
	ManyWorkloads Reason = "ManyWorkloads" // the service selects the pods of several
	External      Reason = "ExternalName"  // the service is an alias
	NoService     Reason = "NoService"     // no service leads to the workload
	NoTCP         Reason = "NoTCP"         // no TCP port
	NoSuchPort    Reason = "NoSuchPort"    // a target port that no container names
	Terminating   Reason = "Terminating"   // the namespace is being deleted
	NotReplaced   Reason = "NotReplaced"   // the workload cannot be scaled to zero
	Autoscaled    Reason = "Autoscaled"    // an autoscaler would undo it at once
	IsAgent       Reason = "IsAgent"       // it is devtun's own
	NotMoved      Reason = "NotMoved"      // evicting its pods would hurt
	NoSuchSystem  Reason = "NoSuchSystem"  // the agent is not made for its nodes
	NameTaken     Reason = "NameTaken"     // an intercept of another workload of that name stands
	GivesNames    Reason = "GivesNames"    // the service gives its pods their names
)

// RefusedError says that what was named cannot be intercepted, and why.
type RefusedError struct {
	Reason Reason
	Object plan.Object
	Text   string // the whole sentence
	Hint   string // what to do about it; may be empty
}

func (e *RefusedError) Error() string { return e.Text }

func refuse(reason Reason, object plan.Object, hint, format string, args ...any) *RefusedError {
	return &RefusedError{Reason: reason, Object: object, Hint: hint,
		Text: object.String() + " " + fmt.Sprintf(format, args...)}
}

// Note is a circumstance that an intercept lives with, but that its user should
// know.
type Note struct {
	Object plan.Object
	Text   string // the whole sentence
	Hint   string // may be empty
}
