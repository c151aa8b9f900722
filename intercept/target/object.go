package target

import (
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/devtun/devtun/intercept/plan"
)

// meta is the metadata of an object that goes with the plan.
func (b *builder) meta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Name: name, Namespace: b.Namespace, Labels: plan.Labels(b.Name()),
		Annotations: map[string]string{plan.IdentityAnnotation: b.Identity},
		OwnerReferences: []metav1.OwnerReference{{
			APIVersion: places[b.root().Kind].apiVersion(), Kind: b.root().Kind, Name: b.root().Name, UID: plan.RootUID,
		}},
	}
}

// rootMeta is the root's.
func (b *builder) rootMeta() metav1.ObjectMeta {
	meta := b.meta(b.root().Name)
	meta.OwnerReferences = nil
	return meta
}

// origin is the Service that leads to what s led to. It is headless whatever s is:
// its only client is the agent, which looks its pods up, and every Service with an
// address of its own leaves variables in all pods of the namespace that start
// meanwhile (DEVTUN_ORIGIN_WEB_SERVICE_HOST and the like).
func (b *builder) origin(s *corev1.Service) *corev1.Service {
	origin := &corev1.Service{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Service"},
		ObjectMeta: b.meta(plan.OriginName(s.Name)),
		Spec: corev1.ServiceSpec{
			ClusterIP: corev1.ClusterIPNone,
			Selector:  s.Spec.Selector, PublishNotReadyAddresses: s.Spec.PublishNotReadyAddresses,
			IPFamilies: s.Spec.IPFamilies, IPFamilyPolicy: s.Spec.IPFamilyPolicy,
		},
	}
	for _, p := range s.Spec.Ports {
		origin.Spec.Ports = append(origin.Spec.Ports, corev1.ServicePort{
			Name: p.Name, Protocol: p.Protocol, AppProtocol: p.AppProtocol, Port: p.Port, TargetPort: p.TargetPort,
		})
	}
	return origin
}

func (b *builder) serviceAccount() *corev1.ServiceAccount {
	no := false
	return &corev1.ServiceAccount{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ServiceAccount"}, ObjectMeta: b.rootMeta(),
		AutomountServiceAccountToken: &no, // the agent's pod asks for it
	}
}

// role allows what an undo needs, to the objects of this plan and no others.
func (b *builder) role() *rbacv1.Role {
	return &rbacv1.Role{
		TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "Role"},
		ObjectMeta: b.meta(plan.ObjectName(b.Name())),
		Rules:      Rules(b.undoRights()),
	}
}

func (b *builder) roleBinding() *rbacv1.RoleBinding {
	name := plan.ObjectName(b.Name())
	return &rbacv1.RoleBinding{
		TypeMeta:   metav1.TypeMeta{APIVersion: rbacv1.SchemeGroupVersion.String(), Kind: "RoleBinding"},
		ObjectMeta: b.meta(name),
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: name, Namespace: b.Namespace}},
	}
}
