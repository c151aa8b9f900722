package apiserver

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/devtun/devtun/cmd/cli/agents"
	"github.com/devtun/devtun/cmd/cli/doctor/check"
	"github.com/devtun/devtun/cmd/cli/intercept"
	"github.com/devtun/devtun/cmd/cli/kube"
	"github.com/devtun/devtun/intercept/target"
)

// rights asks which of the rights that devtun's commands need are missing, each once.
func (o *Options) rights(ctx context.Context) (results []check.Result) {
	features := slices.DeleteFunc(intercept.Features(), func(f intercept.Feature) bool { return f.Name == "doctor" })
	var asked []target.Right
	for _, feature := range features {
		asked = append(asked, feature.Rights()...)
	}
	missing, err := agents.MissingRights(ctx, o.Cluster, o.Namespace, asked)
	if err != nil {
		return []check.Result{unanswered("rights-forward", err)}
	}
	lacks := make(map[kube.Right]bool)
	for _, right := range missing {
		lacks[plain(right)] = true
	}
	for _, feature := range features {
		results = append(results, o.judgeRights(feature, lacks))
	}
	return results
}

// judgeRights says what of a feature's rights is missing.
func (o *Options) judgeRights(feature intercept.Feature, lacks map[kube.Right]bool) check.Result {
	r := check.Result{Area: check.APIServer, Check: "rights-" + feature.Name, Status: check.OK,
		Message: "you may use " + feature.About}
	var needed, without []string
	for _, right := range feature.Rights() {
		switch {
		case !lacks[plain(right)]:
		case right.Without == "":
			needed = append(needed, right.String())
		default:
			without = append(without, fmt.Sprintf("without %s: %s", right, right.Without))
		}
	}
	if len(needed) > 0 {
		r.Status = check.Warning
		if feature.Name == "forward" {
			r.Status = check.Fault
		}
		r.Message = fmt.Sprintf("you may not use %s in namespace %s: missing are %s", feature.About, o.Namespace,
			strings.Join(needed, ", "))
		r.Hint = fmt.Sprintf("'devtun rbac %s -n %s' prints the Role to ask for", feature.Name, o.Namespace)
		return r
	}
	r.Evidence = without
	return r
}

// plain is a right as it is asked for.
func plain(r target.Right) kube.Right {
	return kube.Right{Verb: r.Verb, Group: r.Group, Resource: r.Resource, Subresource: r.Subresource, Name: r.Name}
}
