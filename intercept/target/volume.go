package target

import (
	"slices"

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
			mounts = append(mounts, corev1.VolumeMount{Name: m.Name, MountPath: m.MountPath, SubPath: m.SubPath, SubPathExpr: m.SubPathExpr, ReadOnly: true})
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
