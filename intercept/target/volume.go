package target

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// files are the volumes of the target container that hold configuration, and
// where they are mounted; read-only. Others are left out: they hold data, which
// is the origin's. So are service account tokens: the agent's own would be in
// their place.
func (b *builder) files() ([]corev1.Volume, []corev1.VolumeMount) {
	var volumes []corev1.Volume
	for _, v := range b.Workload.Template.Spec.Volumes {
		if source, ok := b.copied(v.VolumeSource); ok {
			volumes = append(volumes, corev1.Volume{Name: v.Name, VolumeSource: source})
		}
	}
	var mounts []corev1.VolumeMount
	for _, m := range b.container.VolumeMounts {
		if slices.ContainsFunc(volumes, func(v corev1.Volume) bool { return v.Name == m.Name }) {
			mounts = append(mounts, corev1.VolumeMount{Name: m.Name, MountPath: m.MountPath, SubPath: m.SubPath,
				SubPathExpr: m.SubPathExpr, ReadOnly: true})
		}
	}
	volumes = slices.DeleteFunc(volumes, func(v corev1.Volume) bool {
		return !slices.ContainsFunc(mounts, func(m corev1.VolumeMount) bool { return m.Name == v.Name })
	})
	return volumes, mounts
}

// copied is what the agent's pod has of a volume.
func (b *builder) copied(of corev1.VolumeSource) (corev1.VolumeSource, bool) {
	switch {
	case of.ConfigMap != nil, of.Secret != nil:
		return of, true
	case of.DownwardAPI != nil:
		of.DownwardAPI = of.DownwardAPI.DeepCopy()
		of.DownwardAPI.Items = b.downward(of.DownwardAPI.Items)
		return of, len(of.DownwardAPI.Items) > 0
	case of.Projected != nil:
		of.Projected = of.Projected.DeepCopy()
		var sources []corev1.VolumeProjection
		for _, s := range of.Projected.Sources {
			switch {
			case s.ConfigMap != nil, s.Secret != nil:
				sources = append(sources, s)
			case s.DownwardAPI != nil:
				if s.DownwardAPI.Items = b.downward(s.DownwardAPI.Items); len(s.DownwardAPI.Items) > 0 {
					sources = append(sources, s)
				}
			}
		}
		of.Projected.Sources = sources
		return of, len(sources) > 0
	}
	return of, false
}

// tokenPath is where the API server mounts a service account's token.
const tokenPath = "/var/run/secrets/kubernetes.io/serviceaccount"

// Unbrought says which of a container's mounts are not handed over as files, whole or
// in part; the container is named as in Options. It is false if there are none.
func (t *Target) Unbrought(container string) (Note, bool) {
	found, ok := t.Workload.container(container, t.Ports)
	if !ok {
		return Note{}, false
	}
	b := &builder{Target: t, container: found}
	kinds := make(map[string]string)
	for _, v := range t.Workload.Template.Spec.Volumes {
		kinds[v.Name] = b.uncopied(v.VolumeSource)
	}
	var paths []string
	token := t.Workload.Template.Spec.AutomountServiceAccountToken
	automount := token == nil || *token
	for _, m := range found.VolumeMounts {
		if kind := kinds[m.Name]; kind != "" {
			paths = append(paths, fmt.Sprintf("%s (%s)", m.MountPath, kind))
		}
		automount = automount && m.MountPath != tokenPath
	}
	if automount {
		paths = append(paths, tokenPath+" (token)")
	}
	if paths == nil {
		return Note{}, false
	}
	return Note{
		Object: t.Workload.Object, Text: "--files does not bring " + strings.Join(paths, ", ") +
			": they are the pods' own",
		Hint: "give the process here paths and credentials of its own for them",
	}, true
}

// uncopied is what the agent's pod has not of a volume, as the API names it; "" if it has
// all.
func (b *builder) uncopied(of corev1.VolumeSource) string {
	switch {
	case of.ConfigMap != nil, of.Secret != nil:
		return ""
	case of.DownwardAPI != nil:
		return b.undescribed(of.DownwardAPI.Items)
	case of.Projected == nil:
		return fieldOf(of)
	}
	var kinds []string
	for _, s := range of.Projected.Sources {
		kind := ""
		switch {
		case s.ConfigMap != nil, s.Secret != nil:
		case s.DownwardAPI != nil:
			kind = b.undescribed(s.DownwardAPI.Items)
		case s.ServiceAccountToken != nil:
			kind = "token"
		default:
			kind = fieldOf(s)
		}
		if kind != "" && !slices.Contains(kinds, kind) {
			kinds = append(kinds, kind)
		}
	}
	return strings.Join(kinds, ", ")
}

// undescribed tells of files of a downward volume that downward leaves out.
func (b *builder) undescribed(items []corev1.DownwardAPIVolumeFile) string {
	if len(b.downward(items)) < len(items) {
		return "resources of the node"
	}
	return ""
}

// fieldOf is the one field that is set of a volume's source: its kind, as "emptyDir".
func fieldOf(source any) string {
	var fields map[string]json.RawMessage
	text, err := json.Marshal(source)
	if err == nil {
		err = json.Unmarshal(text, &fields)
	}
	if err != nil || len(fields) == 0 {
		return "emptyDir" // what a volume without a source is
	}
	return slices.Sorted(maps.Keys(fields))[0]
}

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
