package cli

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"

	"github.com/devtun/devtun/cmd/cli/forward"
	"github.com/devtun/devtun/cmd/cli/intercept"
	"github.com/devtun/devtun/cmd/cli/kube"
	"github.com/devtun/devtun/cmd/cli/project"
	"github.com/devtun/devtun/cmd/cli/selection"
	"github.com/devtun/devtun/tunnel"
	"github.com/devtun/devtun/tunnel/discovery"
)

// orderVariables are the variables of a command that a session has to know, which may
// have been started with others. They go with the order: what stands keeps those that it
// was made with, and so do its credential plugins.
var orderVariables = []string{"KUBECONFIG", intercept.ImageVariable}

// orderEnvironment is what this process has of them. Relative paths are made absolute: the
// session may run elsewhere.
func orderEnvironment() map[string]string {
	environment := make(map[string]string)
	for _, name := range orderVariables {
		environment[name] = os.Getenv(name)
	}
	paths := filepath.SplitList(environment["KUBECONFIG"])
	for i, path := range paths {
		if absolute, err := filepath.Abs(path); err == nil && path != "" {
			paths[i] = absolute
		}
	}
	environment["KUBECONFIG"] = strings.Join(paths, string(filepath.ListSeparator))
	return environment
}

// projectKube is how a project's cluster is reached by somebody with an environment, as
// far as an order has it; nil is this process's.
func projectKube(p *project.Project, environment map[string]string) *kube.Flags {
	kube := kube.NewFlags(pflag.NewFlagSet("", pflag.ContinueOnError))
	kube.Env = environment
	*kube.KubeConfig, *kube.Context = p.Kubeconfig, p.Context
	return kube
}

// projectForward is what 'devtun forward' would be asked to do.
func projectForward(p *project.Project, environment map[string]string) *forward.Settings {
	return &forward.Settings{
		Kube:      projectKube(p, environment),
		Domain:    cmp.Or(p.ClusterDomain, forward.DefaultDomain),
		Hold:      p.Forward.Hold.Value(tunnel.DefaultHold),
		Transport: cmp.Or(p.Transport, string(tunnel.Auto)),
		Services: selection.Flags{
			Args: p.Forward.Services, All: p.Forward.AllNamespaces, Labels: p.Forward.Selector,
			Except: p.Forward.Except, Ports: p.Forward.Ports,
		},
	}
}

// selectProject is which services a project forwards, with the namespace that gives
// bare names, but for those that are intercepted: a name of those would lead back
// here. It is nil if nothing is left. locate finds the services named without a
// namespace; without it they are of the first.
func selectProject(p *project.Project, namespace string, intercepted []discovery.Key, locate func(*selection.Flags) error) (*selection.Selection, error) {
	flags := projectForward(p, nil).Services
	if !flags.All {
		flags.Namespaces = append([]string{namespace}, p.Forward.Namespaces...)
	}
	if locate != nil {
		if err := locate(&flags); err != nil {
			return nil, err
		}
	}
	selected, err := selection.New(flags, namespace)
	if err != nil {
		return nil, err
	}
	asked := len(selected.Named)
	for _, key := range intercepted {
		delete(selected.Named, key)
		selected.Except[key] = true
	}
	if asked > 0 && len(selected.Named) == 0 {
		return nil, nil // without names all would be meant
	}
	return selected, nil
}

// projectIntercept is what 'devtun intercept' would be asked to do.
func projectIntercept(p *project.Project, c project.Intercept, environment map[string]string) *intercept.Options {
	o := &intercept.Options{
		Forward: *projectForward(p, environment),
		Name:    c.Workload, Ports: c.Ports, To: c.To, Replace: c.Replace, Move: c.MoveConnections, Grace: c.Grace.Value(0),
		Image: c.AgentImage, Container: c.Container,
		EnvFile: c.EnvFile, EnvJSON: c.EnvJSON, EnvFormat: c.EnvFormat, Files: c.Files, Keep: c.Keep,
		NoForward: true, // the session forwards
	}
	o.Forward.Services = selection.Flags{}
	if namespace := cmp.Or(c.Namespace, p.Namespace); namespace != "" {
		o.Forward.Services.Namespaces = []string{namespace}
	}
	return o
}

// validateProject checks what can be checked without the cluster.
func validateProject(p *project.Project) error {
	if !p.NoForward {
		if err := projectForward(p, nil).Validate(); err != nil {
			return err
		}
		if _, err := selectProject(p, cmp.Or(p.Namespace, "default"), nil, nil); err != nil {
			return err
		}
	}
	for _, c := range p.Intercepts {
		if err := projectIntercept(p, c, nil).Validate(); err != nil {
			return fmt.Errorf("intercept %s: %w", c.Workload, err)
		}
	}
	return nil
}
