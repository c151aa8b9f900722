package intercept

import (
	"context"
	"reflect"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/internal/pause"
)

// scaleEvery is how often a scale is looked at, which cannot be watched.
const scaleEvery = 3 * time.Second

// watchScale tells of changes of an object's scale, as watchObject does of an object's own.
// While it cannot be read nothing is told.
func (i *Intercept) watchScale(ctx context.Context, step plan.Step) {
	told := ChangeEvent{Object: step.Object, What: Standing}
	path, _, _ := strings.Cut(step.Do.Path, "?")
	for pause.Sleep(ctx, scaleEvery) == nil {
		scale, err := i.config.Client.Discovery().RESTClient().Get().AbsPath(path).DoRaw(ctx)
		found := plan.Finding{Object: step.Object, Gone: apierrors.IsNotFound(err)}
		if err == nil {
			found.State, found.Conflicts, err = step.Examine(scale)
		}
		if err != nil && !found.Gone {
			continue
		}
		if event := changeOf(found); !reflect.DeepEqual(event, told) {
			told = event
			i.change(func() { i.changes[step.Object] = event })
			i.tell(Event{Change: &event})
		}
	}
}
