package target

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/kubernetes"

	"github.com/devtun/devtun/intercept/plan"
)

// Circumstances are what else has a say where an intercept is to stand.
type Circumstances struct {
	Notes []Note // for the user

	policies []networkingv1.NetworkPolicy
	basics   []protocolPort // where something restricts what the agent may connect to
	quotas   []corev1.ResourceQuota
	limits   []corev1.LimitRange

	architectures []string
	pullSecrets   []corev1.LocalObjectReference
}

// Look finds the circumstances. What may not be listed is left out and noted. The
// error is a *RefusedError where an intercept of that mode cannot stand.
func (t *Target) Look(ctx context.Context, client kubernetes.Interface, mode plan.Mode,
	move Move) (*Circumstances, error) {
	if err := t.movable(move); err != nil {
		return nil, err
	}
	if err := t.Reached(mode); err != nil {
		return nil, err
	}
	if err := t.keepsNames(mode); err != nil {
		return nil, err
	}
	c := &Circumstances{Notes: append([]Note(nil), t.Notes...)}
	if err := t.lookAtPods(ctx, client, c); err != nil {
		return nil, err
	}
	if mode == plan.Replace {
		if err := t.replaceable(); err != nil {
			return nil, err
		}
		if err := t.Workload.readScale(ctx, client, t.Namespace); err != nil {
			return nil, err
		}
	}
	all, list := metav1.ListOptions{}, &listing{c, t.Namespace}
	scalers, err := client.AutoscalingV2().HorizontalPodAutoscalers(t.Namespace).List(ctx, all)
	if err := list.failed("autoscalers", err); err != nil {
		return nil, err
	}
	for _, h := range itemsOf(scalers,
		func(l *autoscalingv2.HorizontalPodAutoscalerList) []autoscalingv2.HorizontalPodAutoscaler {
			return l.Items
		}, err) {
		if err := t.autoscaled(c, &h, mode); err != nil {
			return nil, err
		}
	}
	budgets, err := client.PolicyV1().PodDisruptionBudgets(t.Namespace).List(ctx, all)
	if err := list.failed("disruption budgets", err); err != nil {
		return nil, err
	}
	for _, b := range itemsOf(budgets,
		func(l *policyv1.PodDisruptionBudgetList) []policyv1.PodDisruptionBudget { return l.Items }, err) {
		if move != Stay {
			t.budgeted(c, &b)
		}
	}
	policies, err := client.NetworkingV1().NetworkPolicies(t.Namespace).List(ctx, all)
	if err := list.failed("network policies", err); err != nil {
		return nil, err
	}
	c.policies = itemsOf(policies,
		func(l *networkingv1.NetworkPolicyList) []networkingv1.NetworkPolicy { return l.Items }, err)
	if t.confined(c.policies) {
		c.basics = wellKnownPorts(ctx, client)
	}
	if err := c.lookAtLimits(ctx, client, list); err != nil {
		return nil, err
	}
	t.deployed(c)
	t.served(c, mode)
	return c, nil
}

// lookAtLimits finds what bounds the resources of new pods.
func (c *Circumstances) lookAtLimits(ctx context.Context, client kubernetes.Interface, list *listing) error {
	all := metav1.ListOptions{}
	quotas, err := client.CoreV1().ResourceQuotas(list.namespace).List(ctx, all)
	if err := list.failed("quotas", err); err != nil {
		return err
	}
	c.quotas = itemsOf(quotas, func(l *corev1.ResourceQuotaList) []corev1.ResourceQuota { return l.Items }, err)
	limits, err := client.CoreV1().LimitRanges(list.namespace).List(ctx, all)
	if err := list.failed("limit ranges", err); err != nil {
		return err
	}
	c.limits = itemsOf(limits, func(l *corev1.LimitRangeList) []corev1.LimitRange { return l.Items }, err)
	return nil
}

// Reached refuses to divert what comes to a workload that nothing comes to. The error is a
// *RefusedError. In its place a process can be all the same.
func (t *Target) Reached(mode plan.Mode) error {
	if len(t.Services) > 0 || mode == plan.Replace {
		return nil
	}
	hint := fmt.Sprintf("make a Service that selects its pods; 'devtun run --as %s -- COMMAND' runs a process beside "+
		"it, with its environment", t.Workload.Argument())
	if t.Workload.scalable() {
		hint = "with --replace the process here runs in its place; " + hint
	}
	return refuse(NoService, t.Workload.Object, hint,
		"has no Service with a TCP port that leads to its pods: nothing arrives there that could be intercepted")
}

// replaceable refuses to replace what cannot be scaled to zero.
func (t *Target) replaceable() error {
	if t.Workload.scalable() {
		return nil
	}
	hint := "leave --replace out: its pods run on, and the requests come to you"
	if len(t.Services) == 0 {
		hint = fmt.Sprintf("'devtun run --as %s -- COMMAND' runs a process beside it, with its environment",
			t.Workload.Argument())
	}
	if t.Workload.owner == nil {
		return refuse(NotReplaced, t.Workload.Object, hint, "cannot be scaled to zero")
	}
	return refuse(NotReplaced, t.Workload.Object, hint, "cannot be scaled to zero: its kind has no scale")
}

// keepsNames refuses to turn the Service away by which a StatefulSet's pods find each
// other.
func (t *Target) keepsNames(mode plan.Mode) error {
	for _, service := range t.Services {
		if mode == plan.Divert && t.Workload.governedBy(service) {
			return refuse(GivesNames, serviceObject(service.Name),
				"make another Service that selects the same pods, have clients call that, and intercept it",
				"gives the pods of %s their names, by which they find each other: it is not turned away from them",
				t.Workload.Object)
		}
	}
	return nil
}

// listing says what becomes of a list that failed.
type listing struct {
	*Circumstances
	namespace string
}

// failed notes that something may not be listed, and returns every other error.
func (l *listing) failed(what string, err error) error {
	if !apierrors.IsForbidden(err) {
		return err
	}
	l.Notes = append(l.Notes, Note{plan.Object{Kind: "Namespace", Name: l.namespace}, "you may not list " + what +
		" in namespace " + l.namespace + ": whether any concerns the intercept is not known", ""})
	return nil
}

// autoscaled deals with an autoscaler. One that may not go down to zero pauses
// itself at zero replicas; one that may would scale up from there.
func (t *Target) autoscaled(c *Circumstances, h *autoscalingv2.HorizontalPodAutoscaler, mode plan.Mode) error {
	if ref := h.Spec.ScaleTargetRef; ref.Kind != t.Workload.Kind || ref.Name != t.Workload.Name {
		return nil
	}
	object := plan.Object{Kind: "HorizontalPodAutoscaler", Name: h.Name}
	if mode == plan.Divert {
		c.Notes = append(c.Notes,
			Note{object, fmt.Sprintf("%s goes on scaling the workload, which has few requests now", object), ""})
		return nil
	}
	if owner := metav1.GetControllerOf(h); owner != nil && owner.Kind == "ScaledObject" {
		return refuse(Autoscaled, object,
			fmt.Sprintf("pause it: kubectl annotate scaledobject %s autoscaling.keda.sh/paused=true, or leave --replace out",
				owner.Name),
			"belongs to KEDA's ScaledObject %q, which would scale the workload up again", owner.Name)
	}
	if h.Spec.MinReplicas != nil && *h.Spec.MinReplicas == 0 {
		return refuse(Autoscaled, object, "set its minReplicas to 1, or leave --replace out",
			"scales from zero: it would scale the workload up again")
	}
	c.Notes = append(c.Notes,
		Note{object, fmt.Sprintf("%s pauses while the workload has no replicas, and goes on afterwards", object), ""})
	return nil
}

func (t *Target) budgeted(c *Circumstances, b *policyv1.PodDisruptionBudget) {
	if !t.matches(b.Spec.Selector) {
		return
	}
	object := plan.Object{Kind: "PodDisruptionBudget", Name: b.Name}
	text := fmt.Sprintf("%s lets %d of the workload's pods be evicted at a time: connections that clients keep open "+
		"move as it allows", object, b.Status.DisruptionsAllowed)
	if b.Status.DisruptionsAllowed == 0 {
		text = fmt.Sprintf("%s lets none of the workload's pods be evicted now: connections that clients keep open stay "+
			"with the workload until they reconnect", object)
	}
	c.Notes = append(c.Notes, Note{Object: object, Text: text})
}

// matches reports that a selector matches the workload's pods.
func (t *Target) matches(selector *metav1.LabelSelector) bool {
	s, err := metav1.LabelSelectorAsSelector(selector)
	return err == nil && s.Matches(labels.Set(t.Workload.Template.Labels))
}

// gitOpsTool is somebody who keeps objects as they are in Git.
type gitOpsTool struct {
	name, key string
	label     bool // else an annotation
	hint      string
}

var gitOpsTools = []gitOpsTool{
	{"Argo CD", "argocd.argoproj.io/tracking-id", false,
		"turn its self-heal off meanwhile: argocd app set %s --self-heal=false"},
	{"Argo CD", "argocd.argoproj.io/instance", true,
		"turn its self-heal off meanwhile: argocd app set %s --self-heal=false"},
	{"Flux", "kustomize.toolkit.fluxcd.io/name", true, "suspend it meanwhile: flux suspend kustomization %s"},
	{"Flux", "helm.toolkit.fluxcd.io/name", true, "suspend it meanwhile: flux suspend helmrelease %s"},
}

// deployed notes who else may put things back during the session. That does no
// harm: the traffic is with the origin then.
func (t *Target) deployed(c *Circumstances) {
	look := func(object plan.Object, objectLabels, annotations map[string]string) {
		for _, k := range gitOpsTools {
			values := annotations
			if k.label {
				values = objectLabels
			}
			if value, ok := values[k.key]; ok {
				app, _, _ := strings.Cut(value, ":") // a tracking id goes on with the object's
				text := fmt.Sprintf("%s keeps %s as it is in Git (%s), and may undo the intercept", k.name, object, app)
				c.Notes = append(c.Notes, Note{object, text, fmt.Sprintf(k.hint, app)})
				return
			}
		}
	}
	look(t.Workload.Object, t.Workload.Meta.Labels, t.Workload.Meta.Annotations)
	for _, s := range t.Services {
		look(serviceObject(s.Name), s.Labels, s.Annotations)
	}
}

// served notes what an intercept changes for the services' clients.
func (t *Target) served(c *Circumstances, mode plan.Mode) {
	if t.Workload.Ready == 0 && mode == plan.Divert {
		c.Notes = append(c.Notes, Note{t.Workload.Object,
			fmt.Sprintf("%s has no ready pod: without your process nobody answers", t.Workload.Object), ""})
	}
	for _, s := range t.Services {
		object := serviceObject(s.Name)
		if s.Spec.Selector[rolloutHash] != "" && mode == plan.Divert {
			c.Notes = append(c.Notes, Note{object, fmt.Sprintf("Argo Rollouts points %s at the pods of a new version when "+
				"one is rolled out: that takes the intercept out of the way", object), ""})
		}
		if s.Spec.ClusterIP == corev1.ClusterIPNone && mode == plan.Divert {
			c.Notes = append(c.Notes,
				Note{object, fmt.Sprintf("%s is headless: its name leads to the agent meanwhile, and its pods' names lead nowhere",
					object), ""})
		}
		policy := s.Spec.InternalTrafficPolicy
		if policy != nil && *policy == corev1.ServiceInternalTrafficPolicyLocal ||
			s.Spec.ExternalTrafficPolicy == corev1.ServiceExternalTrafficPolicyLocal {
			c.Notes = append(c.Notes, Note{object,
				fmt.Sprintf("%s leads only to pods of the client's node, and not every node has an agent", object), ""})
		}
		for _, p := range s.Spec.Ports {
			if cmp.Or(p.Protocol, corev1.ProtocolTCP) == corev1.ProtocolUDP {
				text := fmt.Sprintf("port %d/UDP of %s is passed on to the workload's pods", p.Port, object)
				if mode == plan.Replace {
					text = fmt.Sprintf("port %d/UDP of %s has no answer meanwhile", p.Port, object)
				}
				c.Notes = append(c.Notes, Note{object, text, ""})
			}
		}
	}
}
