package intercept

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/devtun/devtun/cmd/cli/forward"
	"github.com/devtun/devtun/cmd/cli/kube"
	"github.com/devtun/devtun/cmd/cli/output"
	"github.com/devtun/devtun/cmd/cli/problem"
	"github.com/devtun/devtun/cmd/cli/selection"
	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/intercept/target"
)

// Feature is something that devtun does, and what rights in a namespace it takes.
type Feature struct {
	Name   string // as devtun rbac calls it
	About  string // the commands that it is about
	Rights func() []target.Right
}

// Features lists what devtun rbac knows the rights of, in the order of its help.
func Features() []Feature { return slices.Clone(features) }

var features = []Feature{
	{"forward", "devtun forward, devtun run", Forwarding},
	{"forward-pods", "devtun forward pod/NAME:PORT and vm/NAME:PORT", func() []target.Right {
		return slices.Concat(Forwarding(), asRights(forward.PodRights))
	}},
	{"intercept", "devtun intercept, which forwards as well", func() []target.Right {
		return slices.Concat(Forwarding(), target.Rights(plan.Divert))
	}},
	{"move-connections", "devtun intercept --move-connections", func() []target.Right {
		return slices.Concat(Forwarding(), target.Rights(plan.Divert), target.Moving())
	}},
	{"replace", "devtun intercept --replace", func() []target.Right {
		return slices.Concat(Forwarding(), target.Rights(plan.Replace))
	}},
	{"run-as", "devtun run --as, which forwards as well", func() []target.Right {
		return slices.Concat(Forwarding(), target.HandOverRights())
	}},
	{"relay", "devtun forward --relay, devtun run --relay", func() []target.Right {
		return slices.Concat(Forwarding(), target.RelayRights())
	}},
	{"tap", "devtun tap", func() []target.Right { return target.Rights(plan.Divert) }},
	{"logs", "the pods' logs in the table of forward and intercept", func() []target.Right {
		return []target.Right{{Verb: "get", Resource: "pods"}, {Verb: "get", Resource: "pods", Subresource: "log"}}
	}},
	{"restore", "devtun restore", target.RestoreRights},
	{"list", "devtun list", target.ListRights},
	{"doctor", "devtun doctor", func() []target.Right { return slices.Concat(Forwarding(), target.DoctorRights()) }},
	{"doctor-probe", "devtun doctor --probe", func() []target.Right {
		return slices.Concat(Forwarding(), target.DoctorRights(), target.ProbeRights())
	}},
}

// Forwarding is the rights of a forward.
func Forwarding() []target.Right { return asRights(forward.Rights) }

func asRights(needed []kube.Right) (rights []target.Right) {
	for _, r := range needed {
		rights = append(rights, target.Right{Verb: r.Verb, Group: r.Group, Resource: r.Resource, Subresource: r.Subresource})
	}
	return rights
}

func featureNames() (names []string) {
	for _, f := range features {
		names = append(names, f.Name)
	}
	return names
}

// NewRBAC is devtun rbac.
func NewRBAC(streams output.Streams) *cobra.Command {
	names := featureNames()
	namespace, scaled := "", []string(nil)
	cmd := &cobra.Command{
		Use:   "rbac FEATURE…",
		Short: "Print the smallest Role that a feature needs",
		Long: `Print, as YAML, a Role for each feature that allows just what it needs in a
namespace. devtun never needs a right beyond the namespaces it works in.

  forward            devtun forward, devtun run
  intercept          devtun intercept
  move-connections   devtun intercept --move-connections
  replace            devtun intercept --replace
  run-as             devtun run --as
  relay              devtun forward --relay, devtun run --relay
  tap                devtun tap
  logs               the pods' logs in the table of forward and intercept
  restore            devtun restore
  list               devtun list
  doctor             devtun doctor, whatever it is asked
  doctor-probe       devtun doctor --probe

Workloads that are no Deployment, StatefulSet or ReplicaSet are replaced by their scale.
--scale adds the rights to that to replace and restore: for all objects of a kind, or for
one.`,
		Example: `  devtun rbac forward
  devtun rbac intercept restore -n demo | kubectl apply -f -
  devtun rbac replace restore --scale rollouts.argoproj.io/web`,
		ValidArgs: names,
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return problem.Usage("name one or more of "+strings.Join(names, ", "), "devtun rbac needs a feature")
			}
			if namespace != "" && !selection.IsLabel(namespace) {
				return problem.Usage("'kubectl get namespaces' lists those there are", "%q is not a namespace", namespace)
			}
			rights, err := scaleRights(scaled)
			if err != nil {
				return err
			}
			if len(rights) > 0 && !slices.ContainsFunc(args, isScaling) {
				return problem.Usage("add replace or restore, or leave it out", "--scale is for what scales")
			}
			return runRBAC(args, namespace, rights, streams)
		},
	}
	cmd.Flags().StringVarP(&namespace, "namespace", "n", "",
		"namespace that the Roles are for (default: the one they are applied to)")
	cmd.Flags().StringSliceVar(&scaled, "scale", nil,
		"for replace and restore: RESOURCE.GROUP or RESOURCE.GROUP/NAME of what has a scale; repeat it for more")
	return cmd
}

// isScaling reports that a feature scales workloads.
func isScaling(feature string) bool { return feature == "replace" || feature == "restore" }

// scaleRights are the rights to what --scale names.
func scaleRights(scaled []string) (rights []target.Right, err error) {
	for _, text := range scaled {
		kind, name, named := strings.Cut(text, "/")
		resource, group, _ := strings.Cut(kind, ".")
		if resource == "" || named && name == "" || strings.ContainsAny(text, " *") || strings.Contains(name, "/") {
			return nil, problem.Usage("write RESOURCE.GROUP or RESOURCE.GROUP/NAME, as in --scale rollouts.argoproj.io/web",
				"--scale %q names no kind of object", text)
		}
		rights = append(rights, target.ScaleRights(group, resource, name)...)
	}
	return rights, nil
}

func runRBAC(args []string, namespace string, scaling []target.Right, streams output.Streams) error {
	var documents []string
	for _, name := range args {
		i := slices.IndexFunc(features, func(f Feature) bool { return f.Name == name })
		if i < 0 {
			return problem.Usage("one of "+strings.Join(featureNames(), ", "), "unknown feature %q", name)
		}
		rights := features[i].Rights()
		if isScaling(name) {
			rights = append(rights, scaling...)
		}
		role := rbacv1.Role{
			TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "Role"},
			ObjectMeta: metav1.ObjectMeta{Name: "devtun-" + name, Namespace: namespace},
			Rules:      target.Rules(rights),
		}
		text, err := yaml.Marshal(role)
		if err != nil {
			return err
		}
		documents = append(documents, fmt.Sprintf("# %s\n%s", features[i].About, text))
	}
	for i, document := range documents {
		if i > 0 {
			fmt.Fprintln(streams.Out, "---")
		}
		fmt.Fprint(streams.Out, document)
	}
	return nil
}
