package image

import (
	"cmp"

	"github.com/devtun/devtun/intercept/image"
)

// Variable names the agent's image where no flag does.
const Variable = "DEVTUN_AGENT_IMAGE"

// Reference is that of the agent's image: the one that is named, or else the environment's,
// or else what 'devtun image save' makes.
func Reference(named string, getenv func(string) string) string {
	return cmp.Or(named, getenv(Variable), image.Default())
}
