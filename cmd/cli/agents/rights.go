package agents

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/devtun/devtun/cmd/cli/kube"
	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/intercept/target"
)

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
