package image

import "cmp"

// Variable names the agent's image where no flag does.
const Variable = "DEVTUN_AGENT_IMAGE"

// Reference is that of the agent's image: the one that is named, or else the environment's;
// "" if its program is to come with the plan.
func Reference(named string, getenv func(string) string) string {
	return cmp.Or(named, getenv(Variable))
}
