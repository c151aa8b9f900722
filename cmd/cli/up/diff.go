package up

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/devtun/devtun/cmd/cli/selection"
)

// heldState is an intercept as a session holds it.
type heldState struct {
	want   wantedIntercept
	stands bool // false: its traffic does not come here, or not any more
}

// diffIntercepts is what makes of the intercepts that are held, by their keys, those that
// are wanted: what is to end, because it is not wanted any more, or otherwise, or does not
// stand; and then what is to begin.
func diffIntercepts(held map[string]heldState, wants []wantedIntercept) (end []string, begin []wantedIntercept) {
	stays := make(map[string]bool)
	for _, w := range wants {
		if h, is := held[w.key()]; is && h.stands && h.want.equal(w) {
			stays[w.key()] = true
			continue
		}
		begin = append(begin, w)
	}
	for _, key := range slices.Sorted(maps.Keys(held)) {
		if !stays[key] {
			end = append(end, key)
		}
	}
	return end, begin
}

// selectedForwards are forwards, with the services as the cluster has them.
type selectedForwards struct {
	settings forwardSettings
	selected *selection.Selection
}

// forwardSteps are what is to be done with forwards, in this order.
type forwardSteps struct{ end, reselect, begin bool }

// diffForwards is what makes of the forwards that are held those that are wanted; nil is
// none. Those that have failed are made anew.
func diffForwards(held *selectedForwards, failed bool, wants *selectedForwards) forwardSteps {
	switch {
	case held == nil:
		return forwardSteps{begin: wants != nil}
	case wants == nil:
		return forwardSteps{end: true}
	case failed || held.settings != wants.settings:
		return forwardSteps{end: true, begin: true}
	}
	return forwardSteps{reselect: !held.selected.Equal(wants.selected)}
}

// holdings are what a session holds, by how it is told: what has another value than before
// was made anew.
type holdings struct {
	services     map[string]string // their ports
	intercepts   map[string]*heldIntercept
	environments map[string]*heldEnvironment
	runs         map[string]started
}

// started is a program that was started so often.
type started struct {
	process *process
	times   int32
}

// changes tells what has become of holdings.
func changes(before, now holdings) string {
	all := changed("service", before.services, now.services)
	all = append(all, changed("intercept of", before.intercepts, now.intercepts)...)
	all = append(all, changed("environment of", before.environments, now.environments)...)
	all = append(all, changed("program", before.runs, now.runs)...)
	if len(all) == 0 {
		return "nothing"
	}
	return strings.Join(all, ", ")
}

// changed tells what has become of things that are called by a noun.
func changed[V comparable](noun string, before, now map[string]V) (all []string) {
	for _, key := range slices.Sorted(maps.Keys(now)) {
		if what, there := before[key]; !there {
			all = append(all, fmt.Sprintf("%s %s is new", noun, key))
		} else if what != now[key] {
			all = append(all, fmt.Sprintf("%s %s was recreated", noun, key))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(before)) {
		if _, there := now[key]; !there {
			all = append(all, fmt.Sprintf("%s %s is gone", noun, key))
		}
	}
	return all
}
