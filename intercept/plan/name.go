package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// Labels of what devtun creates.
const (
	// InterceptLabel is on every object, with the intercept's name.
	InterceptLabel = "devtun.dev/intercept"
	// AgentLabel is on the agent's pods, with AgentID.
	AgentLabel = "devtun.dev/agent"
	// ManagedByLabel is on every object, with ManagedBy.
	ManagedByLabel = "app.kubernetes.io/managed-by"
	ManagedBy      = "devtun"
)

// labelLen is the most that a label's value or a Service's name may have.
const labelLen = 63

// ObjectName is the name of an intercept's ConfigMap, Deployment, ServiceAccount,
// Role and RoleBinding. Pods are named after the Deployment and must find it in
// their host name, hence the limit.
func ObjectName(intercept string) string {
	name := shorten("devtun-"+intercept, labelLen)
	switch RelayName {
	case intercept:
		return RelayName
	case name: // of a workload called relay, beside which the relay may stand
		return name + "-" + hash(intercept)
	}
	return name
}

// JobName is the name of the Job that hands over a workload's environment and files, to
// one of those who may want that at the same time.
func JobName(workload, identity string) string {
	return shorten("devtun-run-as-"+workload, labelLen-idLen-1) + "-" + hash(identity)
}

// OriginName is the name of the Service that leads to what service led to.
func OriginName(service string) string { return shorten("devtun-origin-"+service, labelLen) }

// AgentID is the value of the agent's labels: no other intercept's, not even the
// next of the same name, so that an undo that comes late meets nothing it knows.
func AgentID(intercept, identity string) string {
	return shorten("devtun-"+intercept, labelLen-idLen-1) + "-" + hash(identity)
}

// LabelValue makes an intercept's name one that a label may have.
func LabelValue(intercept string) string { return shorten(intercept, labelLen) }

// idLen is how much of a hash tells names apart.
const idLen = 8

func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:idLen/2])
}

// shorten shortens a name that is too long, keeping it apart from others.
func shorten(name string, limit int) string {
	if len(name) <= limit {
		return name
	}
	return strings.TrimRight(name[:limit-idLen-1], "-.") + "-" + hash(name)
}
