package kube

import (
	"errors"
	"fmt"
	"strings"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/devtun/devtun/cmd/cli/problem"
)

// Files are those that the kubeconfig is read from, whether they are there or not.
func (k *Flags) Files() []string { return looked(k.loader()) }

// looked are the files that a kubeconfig is read from.
func looked(loader clientcmd.ClientConfig) []string {
	access := loader.ConfigAccess()
	if access.IsExplicitFile() {
		return []string{access.GetExplicitFile()}
	}
	return access.GetLoadingPrecedence()
}

// noKubeconfig is an error of the kubeconfig that was read from files.
func noKubeconfig(err error, files []string) error {
	hint := "pass --kubeconfig, or set KUBECONFIG"
	if len(files) > 0 {
		hint += "; now it is " + strings.Join(files, ", ")
	}
	if clientcmd.IsContextNotFound(err) {
		hint = "'kubectl config get-contexts' lists those there are"
	}
	return &problem.Problem{Err: fmt.Errorf("load kubeconfig: %w", err), Code: problem.ExitCluster, Hint: hint}
}

func unknownContext(name string, contexts []string) error {
	hint := "'kubectl config get-contexts' lists those there are"
	if name := problem.Near(name, contexts); name != "" {
		hint = fmt.Sprintf("did you mean --context %s?", name)
	}
	return &problem.Problem{Err: &NoContextError{name}, Code: problem.ExitCluster, Hint: hint}
}

// NoContextError says that the kubeconfig has no context of the name that was asked for.
type NoContextError struct{ Name string }

func (e *NoContextError) Error() string { return fmt.Sprintf("load kubeconfig: no context %q", e.Name) }

// IsNoContext reports that the kubeconfig is well, and has not got the context that was
// asked for, or that it names as its current one.
func IsNoContext(err error) bool {
	return errors.As(err, new(*NoContextError)) || clientcmd.IsContextNotFound(err)
}
