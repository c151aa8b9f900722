package intercept

import (
	"context"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/devtun/devtun/intercept/claim"
	"github.com/devtun/devtun/intercept/objects"
	"github.com/devtun/devtun/intercept/plan"
)

// WatchOwn calls gone, one call at a time, whenever the stored plan with the claim on it, the
// agents' Deployment or a Service of the origin is not there, or no longer for long, until
// ctx ends. Only what the plan needs to go on is watched. Call it after the swap, and end
// ctx before the restore.
func (i *Intercept) WatchOwn(ctx context.Context, gone func(plan.Object)) {
	own := []plan.Object{{Kind: "ConfigMap", Name: plan.ObjectName(i.config.Plan.Name)}}
	for _, step := range i.config.Plan.Prepare {
		if step.Object.Kind == "Deployment" || step.Object.Kind == "Service" {
			own = append(own, step.Object)
		}
	}
	var one sync.Mutex
	var watching sync.WaitGroup
	defer watching.Wait()
	for _, o := range own {
		watching.Go(func() {
			i.watcher(o).Run(ctx, func(all objects.ByName) {
				if i.owns(all[o.Name]) {
					return
				}
				one.Lock()
				defer one.Unlock()
				gone(o)
			})
		})
	}
}

// owns reports that an object is there to stay, and this intercept's.
func (i *Intercept) owns(object any) bool {
	if object == nil {
		return false
	}
	found, err := meta.Accessor(object)
	if err != nil || found.GetDeletionTimestamp() != nil {
		return false
	}
	if stored, is := object.(*corev1.ConfigMap); is && !i.holds(stored) {
		return false
	}
	return found.GetAnnotations()[plan.IdentityAnnotation] == i.config.Plan.Identity
}

// holds reports that the claim is on the plan that a ConfigMap has. What cannot be read is
// not taken for an end.
func (i *Intercept) holds(stored *corev1.ConfigMap) bool {
	h, err := plan.ParseHeld(stored.Data)
	return err != nil || !h.Ending && slices.ContainsFunc(h.Claims, func(c claim.Claim) bool {
		return c.ID == i.config.Claim.ID
	})
}
