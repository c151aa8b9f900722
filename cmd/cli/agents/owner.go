package agents

import (
	"os"
	"os/user"
	"time"

	"github.com/devtun/devtun/intercept/plan"
)

// ThisOwner is who asks for agents, for others to see.
func ThisOwner() plan.Owner {
	owner := plan.Owner{User: ThisUser(), Since: time.Now().UTC().Truncate(time.Second)}
	if machine, err := os.Hostname(); err == nil {
		owner.Machine = machine
	}
	return owner
}

// ThisUser is the name of who runs devtun; "" if the system does not tell.
func ThisUser() string {
	who, err := user.Current()
	if err != nil {
		return ""
	}
	return who.Username
}
