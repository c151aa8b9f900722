package target

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// The downward API would fill a volume's files with the labels, annotations and
// resources of the agent's pod. They are not the workload's, and must not be: they
// decide what selects the pod, what is injected into it, and how much it may have.
// So the agent's pod has the contents of such files as annotations of its own, and
// the files are made of those.

// downward are the files of a downward volume as the agent's pod can have them.
// Resources that are the node's are left out: only the origin's pod can tell them.
func (b *builder) downward(items []corev1.DownwardAPIVolumeFile) []corev1.DownwardAPIVolumeFile {
	var found []corev1.DownwardAPIVolumeFile
	for _, f := range items {
		content, ok := b.content(f)
		if ok {
			f.FieldRef, f.ResourceFieldRef = &corev1.ObjectFieldSelector{FieldPath: "metadata.annotations['" +
				contentKey(content) + "']"}, nil
		}
		if f.ResourceFieldRef == nil {
			found = append(found, f)
		}
	}
	return found
}

// contents are the annotations that downward refers to.
func (b *builder) contents() map[string]string {
	all := make(map[string]string)
	add := func(items []corev1.DownwardAPIVolumeFile) {
		for _, f := range items {
			if content, ok := b.content(f); ok {
				all[contentKey(content)] = content
			}
		}
	}
	for _, v := range b.Workload.Template.Spec.Volumes {
		if v.DownwardAPI != nil {
			add(v.DownwardAPI.Items)
		}
		if v.Projected == nil {
			continue
		}
		for _, s := range v.Projected.Sources {
			if s.DownwardAPI != nil {
				add(s.DownwardAPI.Items)
			}
		}
	}
	return all
}

// content is what the kubelet would write to a file of the workload's pods, if it
// is the same in all of them.
func (b *builder) content(f corev1.DownwardAPIVolumeFile) (string, bool) {
	if f.ResourceFieldRef != nil {
		return b.resource(f.ResourceFieldRef)
	}
	if f.FieldRef == nil {
		return "", false
	}
	switch f.FieldRef.FieldPath {
	case "metadata.labels":
		return lines(b.Workload.Template.Labels), true
	case "metadata.annotations":
		return lines(b.Workload.Template.Annotations), true
	}
	return b.field(f.FieldRef.FieldPath)
}

// lines is a map in the kubelet's notation.
func lines(of map[string]string) string {
	var all []string
	for _, key := range slices.Sorted(maps.Keys(of)) {
		all = append(all, fmt.Sprintf("%s=%q", key, of[key]))
	}
	return strings.Join(all, "\n")
}

// contentKey names the annotation that holds a content.
func contentKey(content string) string {
	sum := sha256.Sum256([]byte(content))
	return "devtun.dev/file-" + hex.EncodeToString(sum[:8])
}
