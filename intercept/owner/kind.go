package owner

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// words are those by which a user may call a kind, beside its own and its resource's.
var words = map[string][]string{
	"Service": {"svc"}, "Deployment": {"deploy"}, "StatefulSet": {"sts"}, "ReplicaSet": {"rs"}, "DaemonSet": {"ds"},
	Pod: {"po"}, machineInstance: {"vmi", "vmis"}, machine: {"vm", "vms"},
}

// IsKind reports that a kind is meant by what a user gives: rollout, rollouts,
// rollout.argoproj.io or rollouts.v1alpha1.argoproj.io, as kubectl takes it, or by one of more
// words. An apiVersion of "" is any.
func IsKind(given, kind, apiVersion string, more ...string) bool {
	of := schema.FromAPIVersionAndKind(apiVersion, kind)
	word, group, narrower := strings.Cut(strings.ToLower(given), ".")
	known := append(slices.Concat(more, words[kind]), strings.ToLower(kind), plural(of))
	return slices.Contains(known, word) &&
		(!narrower || apiVersion == "" || group == of.Group || group == of.Version+"."+of.Group)
}

// plural is a kind's resource if nobody has chosen another word.
func plural(of schema.GroupVersionKind) string {
	guessed, _ := meta.UnsafeGuessKindToResource(of)
	return guessed.Resource
}
