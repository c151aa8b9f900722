package intercept

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/devtun/devtun/cmd/cli/forward"
	"github.com/devtun/devtun/cmd/cli/kube"
	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/intercept/target"
)

// checkReading checks what is needed to find out anything. If that is missing, all
// that an intercept would need is looked at, so that all is named at once.
func (o *Options) checkReading(ctx context.Context, cluster *kube.Cluster, namespace string) error {
	missing, err := MissingRights(ctx, cluster, namespace, append(target.Rights(o.mode()), o.forwarding()...))
	if err != nil {
		return err
	}
	reading := func(r target.Right) bool { return r.Without == "" && r.Verb == "list" }
	if !slices.ContainsFunc(missing, reading) {
		return nil // others may be granted by name
	}
	return RightsProblem(o.feature(), namespace, missing)
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
	missing, err := MissingRights(ctx, i.cluster, namespace, rights)
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(missing, func(r target.Right) bool { return r.Without == "" }) {
		return nil, RightsProblem(i.options.feature(), namespace, missing)
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

// MissingRights are those of rights that the user lacks in a namespace.
func MissingRights(
	ctx context.Context, cluster *kube.Cluster, namespace string, rights []target.Right,
) (missing []target.Right, err error) {
	of := make(map[kube.Right]target.Right)
	var asked []kube.Right
	for _, r := range rights {
		plain := kube.Right{Verb: r.Verb, Group: r.Group, Resource: r.Resource, Subresource: r.Subresource, Name: r.Name}
		known, twice := of[plain]
		if !twice {
			asked = append(asked, plain)
		}
		if !twice || known.Without != "" { // what cannot be done without for one thing cannot at all
			of[plain] = r
		}
	}
	lacking, err := cluster.MissingRights(ctx, namespace, asked)
	for _, plain := range lacking {
		missing = append(missing, of[plain])
	}
	return missing, err
}

// RightsProblem names the rights that are missing for a feature of devtun rbac's, and cannot
// be done without.
func RightsProblem(feature, namespace string, missing []target.Right) error {
	var names []string
	for _, r := range missing {
		if r.Without == "" {
			names = append(names, r.String())
		}
	}
	role := feature
	if i := slices.IndexFunc(missing, func(r target.Right) bool { return r.Subresource == "scale" }); i >= 0 {
		role += fmt.Sprintf(" --scale %s.%s/%s", missing[i].Resource, missing[i].Group, missing[i].Name)
	}
	return &problem.Problem{Err: fmt.Errorf("rights are missing in namespace %s: %s", namespace,
		strings.Join(names, ", ")), Code: problem.ExitRights,
		Hint: fmt.Sprintf("'devtun rbac %s' prints the Role that has them all", role)}
}
