package target

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/devtun/devtun/intercept/agent"
	"github.com/devtun/devtun/intercept/plan"
)

const (
	agentUser    = 65532 // any but root; what owns the pod's volumes, too
	agentCommand = "/devtun-agent"
	// istioInject, as an annotation and as a label, and linkerd's like it keep out
	// a mesh's proxy, which would stand between the agent and the session.
	istioInject = "sidecar.istio.io/inject"
	// firstPort is the first that ordinary users may listen on.
	firstPort = 1024
	// ownPort is the first that the agent may have for itself, where no service's
	// pods have it.
	ownPort = 47380
)

// deployment is the agent's.
func (b *builder) deployment() (*appsv1.Deployment, error) {
	name := plan.ObjectName(b.Name())
	pod, err := b.pod()
	if err != nil {
		return nil, err
	}
	history := int32(0)
	meta := b.meta(name)
	if b.NoRestore {
		meta = b.rootMeta()
	}
	meta.Annotations[plan.UndoMark] = b.undo
	return &appsv1.Deployment{
		TypeMeta:   metav1.TypeMeta{APIVersion: appsv1.SchemeGroupVersion.String(), Kind: deployment},
		ObjectMeta: meta,
		Spec: appsv1.DeploymentSpec{
			Replicas:             &b.Replicas,
			RevisionHistoryLimit: &history,
			Selector:             &metav1.LabelSelector{MatchLabels: map[string]string{plan.AgentLabel: b.id}},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: b.podLabels(), Annotations: b.podAnnotations()},
				Spec:       *pod,
			},
		},
	}, nil
}

// podAnnotations are those of the agent's pods.
func (b *builder) podAnnotations() map[string]string {
	annotations := b.contents()
	annotations[istioInject], annotations["linkerd.io/inject"] = "false", "disabled"
	return annotations
}

// pod is the agent's. It passes Pod Security "restricted".
func (b *builder) pod() (*corev1.PodSpec, error) {
	of := b.Workload.Template.Spec
	yes, no, user, grace := true, false, int64(agentUser), int64(30)
	volumes, mounts := b.files()
	config, err := b.config(mounts)
	if err != nil {
		return nil, err
	}
	restores := !b.NoRestore
	pod := &corev1.PodSpec{
		AutomountServiceAccountToken:  &restores,
		TerminationGracePeriodSeconds: &grace,
		EnableServiceLinks:            of.EnableServiceLinks,
		ImagePullSecrets:              of.ImagePullSecrets,
		NodeSelector:                  linuxOnly(of.NodeSelector),
		Tolerations:                   tolerations(of.Tolerations),
		PriorityClassName:             of.PriorityClassName,
		Affinity:                      b.affinity(),
		Volumes:                       volumes,
		SecurityContext: &corev1.PodSecurityContext{
			RunAsNonRoot: &yes, RunAsUser: &user, RunAsGroup: &user, FSGroup: &user,
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
			Sysctls:        b.sysctls(),
		},
		Containers: []corev1.Container{{
			// The name that a resourceFieldRef in the copied volumes may refer to.
			Name: b.container.Name, Image: b.Image, ImagePullPolicy: b.PullPolicy,
			Command: []string{agentCommand},
			Ports:   b.containerPorts(),
			Env:     append(b.env(), corev1.EnvVar{Name: agent.ConfigVariable, Value: config}),
			EnvFrom: b.container.EnvFrom, VolumeMounts: mounts,
			Resources: b.circumstances.resources(),
			ReadinessProbe: &corev1.Probe{
				PeriodSeconds: 1, TimeoutSeconds: 5, FailureThreshold: 3,
				ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: agent.ReadyPath,
					Port: intstr.FromInt(b.ownPort(1))}},
			},
			SecurityContext: &corev1.SecurityContext{
				AllowPrivilegeEscalation: &no, ReadOnlyRootFilesystem: &yes,
				Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
			},
		}},
	}
	if len(b.Program) > 0 {
		b.bringProgram(pod)
	}
	if restores {
		pod.ServiceAccountName = plan.ObjectName(b.Name())
	}
	return pod, nil
}

// nodeGone, in seconds, is how long an agent stays on a node that nothing is heard of.
const nodeGone = 30

// tolerations are the workload's; of a node that is gone an agent moves away sooner than after
// the five minutes that Kubernetes gives pods that do not say.
func tolerations(of []corev1.Toleration) []corev1.Toleration {
	all := slices.Clone(of)
	for _, key := range []string{corev1.TaintNodeNotReady, corev1.TaintNodeUnreachable} {
		says := func(t corev1.Toleration) bool {
			return (t.Key == key || t.Key == "" && t.Operator == corev1.TolerationOpExists) &&
				(t.Effect == corev1.TaintEffectNoExecute || t.Effect == "")
		}
		if !slices.ContainsFunc(of, says) {
			all = append(all, corev1.Toleration{Key: key, Operator: corev1.TolerationOpExists,
				Effect: corev1.TaintEffectNoExecute, TolerationSeconds: new(int64(nodeGone))})
		}
	}
	return all
}

// linuxOnly keeps the workload's choice of nodes, but for the system.
func linuxOnly(selector map[string]string) map[string]string {
	nodes := map[string]string{}
	maps.Copy(nodes, selector)
	nodes[corev1.LabelOSStable] = string(corev1.Linux)
	return nodes
}

// affinity has the agents on nodes where the workload may be, and on several.
func (b *builder) affinity() *corev1.Affinity {
	apart := &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{
		PreferredDuringSchedulingIgnoredDuringExecution: []corev1.WeightedPodAffinityTerm{{Weight: 100,
			PodAffinityTerm: corev1.PodAffinityTerm{
				TopologyKey:   corev1.LabelHostname,
				LabelSelector: &metav1.LabelSelector{MatchLabels: map[string]string{plan.AgentLabel: b.id}},
			}}},
	}}
	if of := b.Workload.Template.Spec.Affinity; of != nil {
		apart.NodeAffinity = of.NodeAffinity
	}
	return apart
}

// sysctls allow ports below 1024. A capability would not do: a process that is
// not root gets none from its container unless its file has it.
func (b *builder) sysctls() []corev1.Sysctl {
	if !slices.ContainsFunc(b.Ports, func(p Port) bool { return p.Target < firstPort }) {
		return nil
	}
	return []corev1.Sysctl{{Name: "net.ipv4.ip_unprivileged_port_start", Value: "0"}}
}

// containerPorts gives the ports the names by which services lead to them, or
// else those that they have in the workload's pods: network policies use them.
func (b *builder) containerPorts() []corev1.ContainerPort {
	var ports []corev1.ContainerPort
	named := func(name string) bool {
		return slices.ContainsFunc(ports, func(p corev1.ContainerPort) bool { return p.Name == name })
	}
	all := b.listened()
	for _, p := range all {
		if p.TargetName != "" {
			ports = append(ports,
				corev1.ContainerPort{Name: p.TargetName, ContainerPort: int32(p.Target), Protocol: p.Protocol})
		}
	}
	for _, p := range all {
		if p.TargetName != "" {
			continue
		}
		name := portName(&b.Workload.Template, p.Target, p.Protocol)
		if named(name) {
			name = ""
		}
		ports = append(ports, corev1.ContainerPort{Name: name, ContainerPort: int32(p.Target), Protocol: p.Protocol})
	}
	return ports
}

// listened are the ports that the agent listens on, one of each name and number.
func (b *builder) listened() []Port {
	var ports []Port
	for _, p := range b.Ports {
		if b.Mode == plan.Replace && p.Protocol != corev1.ProtocolTCP {
			continue // there is nobody to pass it on to
		}
		i := slices.IndexFunc(ports, func(q Port) bool {
			return q.Target == p.Target && q.Protocol == p.Protocol &&
				(q.TargetName == p.TargetName || q.TargetName == "" || p.TargetName == "")
		})
		if i < 0 {
			ports = append(ports, p)
		} else if ports[i].TargetName == "" {
			ports[i].TargetName = p.TargetName
		}
	}
	return ports
}

// config is what the agent is told, as JSON.
func (b *builder) config(mounts []corev1.VolumeMount) (string, error) {
	config := agent.Config{
		Version: b.Version, Name: b.Name(), Identity: b.Identity, LinkPort: b.ownPort(0), Mode: b.Mode,
		Grace: agent.Duration(b.Grace),
	}
	config.Relay = b.relays()
	if b.Mode != plan.HandOver {
		config.ReadyPort, config.ProxyPort = b.ownPort(1), b.ownPort(2)
	}
	if b.NoRestore {
		config.Grace = 0 // never
	} else {
		config.Undo = json.RawMessage(b.undo)
	}
	for _, p := range b.listened() {
		port := agent.Port{Port: p.Target, Protocol: agent.Protocol(p.Protocol)}
		if slices.ContainsFunc(config.Ports,
			func(q agent.Port) bool { return q.Port == port.Port && q.Protocol == port.Protocol }) {
			continue // a second name for it
		}
		if b.Mode == plan.Divert {
			// It is headless.
			port.Origin = fmt.Sprintf("%s.%s.svc:%d", plan.OriginName(p.Service), b.Namespace, p.Target)
		}
		config.Ports = append(config.Ports, port)
	}
	for _, m := range mounts {
		config.Files = append(config.Files, m.MountPath)
	}
	text, err := json.Marshal(config)
	if err != nil {
		return "", fmt.Errorf("write agent's configuration: %w", err)
	}
	return strings.ReplaceAll(string(text), "$(", "$$("), nil // as the kubelet expands variables
}

// ownPort is the nth of the agent's own ports.
func (b *builder) ownPort(n int) int {
	for port := ownPort; ; port++ {
		if slices.ContainsFunc(b.Ports, func(p Port) bool { return p.Target == port }) {
			continue
		}
		if n == 0 {
			return port
		}
		n--
	}
}
