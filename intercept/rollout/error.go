package rollout

// Reason is why an agent cannot be used.
type Reason string

const (
	ImagePull     Reason = "ImagePull"     // its image is not to be had
	Unschedulable Reason = "Unschedulable" // no node takes its pod
	Quota         Reason = "Quota"         // the namespace's quota is used up
	Admission     Reason = "Admission"     // the API server refuses its pods
	Container     Reason = "Container"     // its container cannot be made
	Crash         Reason = "Crash"         // it starts, and ends
	Failed        Reason = "Failed"        // its pod was evicted, or refused by the node
	Forbidden     Reason = "Forbidden"     // this user may not see or reach it
	Removed       Reason = "Removed"       // somebody has deleted it
	TimedOut      Reason = "TimedOut"      // none of these, but it took too long
)

// AgentError says why the agents of an intercept cannot be used.
type AgentError struct {
	Reason  Reason
	Pod     string // "" if there is none
	Message string // what the cluster says
	Hint    string // what to do about it; may be empty
	Log     string // the last lines of a crashed agent's log; may be empty
	// Architecture: the agent's program is made for another one than its nodes or its image.
	Architecture bool
}

func (e *AgentError) Error() string {
	switch e.Reason {
	case ImagePull:
		return "the agent's image cannot be pulled: " + e.Message
	case Unschedulable:
		return "no node takes the agent's pod: " + e.Message
	case Quota:
		return "the namespace's quota leaves no room for the agent: " + e.Message
	case Admission:
		return "the cluster does not admit the agent's pod: " + e.Message
	case Container:
		return "the agent's container cannot be made: " + e.Message
	case Crash:
		return "the agent crashes: " + e.Message
	case Failed:
		return "the agent's pod has failed: " + e.Message
	case Forbidden:
		return "the agent cannot be reached: " + e.Message
	case Removed:
		return "the agent was deleted by somebody else: " + e.Message
	}
	return "the agent is not ready: " + e.Message
}
