package plan

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/devtun/devtun/intercept/claim"
)

// Version is of the plan's format. It grows when an older devtun could no longer
// undo what a newer one wrote.
const Version = 2

// Mode is what becomes of the workload while an intercept stands.
type Mode string

const (
	Divert  Mode = "divert"  // it runs on, as the origin
	Replace Mode = "replace" // it is scaled to zero
	// HandOver leaves it alone: only the environment and the files of its container are
	// wanted. No intercept stands, and the plan is not stored; its root is a Job, which goes
	// by itself.
	HandOver Mode = "handover"
)

// DefaultGrace is how long an agent waits for a developer's side that is gone,
// before it restores. Without an origin nobody answers meanwhile, so that it is what
// a lid closed for a minute takes, and a relay is soon made anew; with an origin it costs
// nothing to wait until a laptop is open again after a walk.
func (m Mode) DefaultGrace() time.Duration {
	if m == Replace || m == Relay {
		return 2 * time.Minute
	}
	return 10 * time.Minute
}

// Duration is a time.Duration in Go's notation ("30s").
type Duration = claim.Duration

// Plan is one intercept: all that is done, and how it is undone.
type Plan struct {
	Version   int      `json:"version"`
	Name      string   `json:"name"` // of the intercept: its workload's
	Namespace string   `json:"namespace"`
	Workload  Object   `json:"workload"`
	Services  []string `json:"services"` // whose traffic the agent gets; none in Replace and Relay
	Mode      Mode     `json:"mode"`
	Owner     Owner    `json:"owner"`
	// Identity is random, and tells this intercept from every other of the same
	// name. It is no secret: it stands in the cluster for all to read.
	Identity string `json:"identity"`
	// Agent is the agent's Deployment, or Job.
	Agent string `json:"agent"`
	// Root is what Prepare makes first, and what owns all else that it makes. It is
	// not what holds the plan: who deletes that takes no agent from under the traffic.
	Root Object `json:"root"`
	// MoveConnections has the origin's pods evicted once the local process answers.
	MoveConnections bool `json:"moveConnections,omitempty"`
	// Propagation is how long, once the swap is undone, all that Prepare made stays: the
	// cluster's nodes learn a little late where a Service leads.
	Propagation Duration `json:"settle,omitempty"`

	// Program names the ConfigMaps in which the agent's program comes; none if the agent's
	// image has it. All plans of the namespace share them, and their roots own them.
	Program []string `json:"program,omitempty"`

	Prepare []Step  `json:"prepare,omitempty"` // creates; undone by Remove
	Swap    []Step  `json:"swap"`              // changes what is the user's; each has an Undo
	Remove  Removal `json:"remove"`
}

// Removal ends an intercept whose swap is undone.
type Removal struct {
	Root Request `json:"root"` // deletes what owns all that Prepare made, and so that
	Plan Request `json:"plan"` // deletes the stored plan
}

// Owner is who stands behind an intercept.
type Owner struct {
	User    string    `json:"user"`
	Machine string    `json:"machine"`
	Since   time.Time `json:"since"`
}

// Object names something in the plan's namespace.
type Object struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
}

func (o Object) String() string { return fmt.Sprintf("%s %q", o.Kind, o.Name) }

// Step is one change.
type Step struct {
	What   string `json:"what"` // for people: "point Service "web" at the agent"
	Object Object `json:"object"`
	// Carrier is the path of the object that carries the undo, where Do changes its scale; ""
	// where Do changes the object itself.
	Carrier string   `json:"carrier,omitempty"`
	Do      Request  `json:"do"`
	Undo    *Request `json:"undo,omitempty"`
}

// Request is one request to the API server.
type Request struct {
	Method      string          `json:"method"`
	Path        string          `json:"path"` // with the query, if any
	ContentType string          `json:"contentType,omitempty"`
	Body        json.RawMessage `json:"body,omitempty"`

	accept string // content types of the answer; "" is JSON
	answer int    // bytes that are expected of it, if they are many
}

// The content types of requests.
const (
	JSON      = "application/json"
	JSONPatch = "application/json-patch+json"
)

// Parse reads a stored plan. One of another version is a *VersionError.
func Parse(text []byte) (*Plan, error) {
	var versioned struct {
		Version int `json:"version"`
	}
	if err := json.Unmarshal(text, &versioned); err != nil {
		return nil, fmt.Errorf("read plan: %w", err)
	}
	if versioned.Version != Version {
		return nil, &VersionError{versioned.Version}
	}
	p := new(Plan)
	if err := json.Unmarshal(text, p); err != nil {
		return nil, fmt.Errorf("read plan: %w", err)
	}
	return p, nil
}

// VersionError says that a plan was written by a devtun that writes others.
type VersionError struct{ Found int }

func (e *VersionError) Error() string {
	return fmt.Sprintf("an intercept of another devtun stands there: its plan has version %d, and this one knows "+
		"version %d only", e.Found, Version)
}
