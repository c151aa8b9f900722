package kube

import (
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/devtun/devtun/cmd/cli/credential"
)

// Logins has this process's credential plugins run. There is one terminal and one
// person before it, so there is one of it, for all clusters and for all that a session
// does.
var Logins = credential.NewGate()

// TellLogins has say called when a login stops working, and when it works again.
func TellLogins(say func(message string, over bool)) {
	Logins.Tell(func(notice credential.Notice) {
		if notice.Err == nil {
			say("the login works again", true)
			return
		}
		say(fmt.Sprintf("the login does not work any more, names and listeners stay: %v: "+
			"log in again, with 'kubectl auth whoami' in another terminal for example; "+
			"devtun tries again as soon as somebody connects, and by itself after a while", notice.Err), false)
	})
}

// OfLogin reports that an error is of the login, of which tellLogins tells.
func (c *Cluster) OfLogin(err error) bool {
	return c.Login != nil && (errors.As(err, new(*credential.Error)) || apierrors.IsUnauthorized(err))
}
