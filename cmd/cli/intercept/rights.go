package intercept

import (
	"context"
	"slices"

	"github.com/devtun/devtun/cmd/cli/agents"
	"github.com/devtun/devtun/cmd/cli/forward"
	"github.com/devtun/devtun/cmd/cli/kube"
	"github.com/devtun/devtun/intercept/target"
)

// checkReading checks what is needed to find out anything. If that is missing, all
// that an intercept would need is looked at, so that all is named at once.
func (o *Options) checkReading(ctx context.Context, cluster *kube.Cluster, namespace string) error {
	missing, err := agents.MissingRights(ctx, cluster, namespace, append(target.Rights(o.mode()), o.forwarding()...))
	if err != nil {
		return err
	}
	reading := func(r target.Right) bool { return r.Without == "" && r.Verb == "list" }
	if !slices.ContainsFunc(missing, reading) {
		return nil // others may be granted by name
	}
	return agents.RightsProblem(o.feature(), namespace, missing)
}

// forwarding is what the other services take, if they are to be forwarded.
func (o *Options) forwarding() []target.Right {
	if o.NoForward {
		return nil
	}
	return Forwarding()
}

// checkRights returns the rights that an intercept can do without, and an error
// that names all others that are missing.
func (i *Planned) checkRights(ctx context.Context, rights []target.Right) (lost []target.Right, err error) {
	namespace := i.Target.Namespace
	rights = append(linking(rights, i.options.Forward.Link), i.options.forwarding()...)
	missing, err := agents.MissingRights(ctx, i.cluster, namespace, rights)
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(missing, func(r target.Right) bool { return r.Without == "" }) {
		return nil, agents.RightsProblem(i.options.feature(), namespace, missing)
	}
	return missing, nil
}

// linking changes the right to the pod proxy, if it is among rights, to what --link says: it
// is not asked for, or cannot be done without.
func linking(rights []target.Right, link string) (all []target.Right) {
	for _, r := range rights {
		switch {
		case r.IsLinking() && link == forward.LinkPortForward:
			continue
		case r.IsLinking() && link == forward.LinkProxy:
			r.Without = ""
		}
		all = append(all, r)
	}
	return all
}
