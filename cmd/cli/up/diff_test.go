package up

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/cmd/cli/selection"
	"github.com/devtun/devtun/tunnel/discovery"
)

// webIntercept is one of web, with something changed.
func webIntercept(change ...func(*Intercept)) Intercept {
	w := Intercept{
		Ports:    []string{"3000:http"},
		Settings: InterceptSettings{Workload: "web", Namespace: "demo", Image: "devtun:1", Reach: Reach{Transport: "auto"}},
	}
	for _, by := range change {
		by(&w)
	}
	return w
}

func TestWhatMakesTheInterceptsThatAreWanted(t *testing.T) {
	api := webIntercept(func(w *Intercept) { w.Settings.Workload = "api" })
	held := func(all ...heldState) map[string]heldState {
		states := make(map[string]heldState)
		for _, h := range all {
			states[h.want.key()] = h
		}
		return states
	}
	stands, fallen := heldState{webIntercept(), true}, heldState{webIntercept(), false}
	for _, c := range []struct {
		about string
		held  map[string]heldState
		wants []Intercept
		end   []string
		begin []Intercept
	}{
		{about: "nothing"},
		{about: "the first", wants: []Intercept{webIntercept(), api}, begin: []Intercept{webIntercept(), api}},
		{about: "the same", held: held(stands), wants: []Intercept{webIntercept()}},
		{about: "one more", held: held(stands), wants: []Intercept{api, webIntercept()}, begin: []Intercept{api}},
		{about: "one less", held: held(stands, heldState{api, true}), wants: []Intercept{api}, end: []string{"demo/web"}},
		{about: "none any more", held: held(stands, heldState{api, true}), end: []string{"demo/api", "demo/web"}},
		{about: "the same, and it has failed", held: held(fallen), wants: []Intercept{webIntercept()},
			end: []string{"demo/web"}, begin: []Intercept{webIntercept()}},
		{about: "one that has failed is wanted no more", held: held(fallen), end: []string{"demo/web"}},
		{about: "a workload of that name elsewhere", held: held(stands),
			wants: []Intercept{webIntercept(func(w *Intercept) { w.Settings.Namespace = "shop" })}, end: []string{"demo/web"},
			begin: []Intercept{webIntercept(func(w *Intercept) { w.Settings.Namespace = "shop" })}},
	} {
		t.Run(c.about, func(t *testing.T) {
			end, begin := diffIntercepts(c.held, c.wants)
			require.Equal(t, c.end, end)
			require.Equal(t, c.begin, begin)
		})
	}
}

func TestAnInterceptThatDiffersInAnythingIsMadeAnew(t *testing.T) {
	for about, change := range map[string]func(*Intercept){
		"cluster":    func(w *Intercept) { w.Settings.Reach.Server = "other" },
		"context":    func(w *Intercept) { w.Settings.Reach.Context = "other" },
		"kubeconfig": func(w *Intercept) { w.Settings.Reach.Kubeconfig = "other" },
		"transport":  func(w *Intercept) { w.Settings.Reach.Transport = "spdy" },
		"ports":      func(w *Intercept) { w.Ports = []string{"3001:http"} },
		"image":      func(w *Intercept) { w.Settings.Image = "devtun:2" },
		"grace":      func(w *Intercept) { w.Settings.Grace = time.Minute },
		"mode":       func(w *Intercept) { w.Settings.Replace = true },
		"env file":   func(w *Intercept) { w.Settings.EnvFile = "/env" },
	} {
		other := webIntercept(change)
		end, begin := diffIntercepts(map[string]heldState{"demo/web": {webIntercept(), true}}, []Intercept{other})
		require.Equal(t, []string{"demo/web"}, end, about)
		require.Equal(t, []Intercept{other}, begin, about)
	}
}

func TestWhatMakesTheForwardsThatAreWanted(t *testing.T) {
	forwards := func(settings ForwardSettings, named ...string) *selectedForwards {
		s := &selection.Selection{Namespace: "demo", Named: make(map[discovery.Key]bool),
			Except: make(map[discovery.Key]bool)}
		for _, name := range named {
			s.Named[discovery.Key{Namespace: "demo", Name: name}] = true
		}
		return &selectedForwards{settings, s}
	}
	auto := ForwardSettings{Reach: Reach{Transport: "auto"}}
	websocket := ForwardSettings{Reach: Reach{Transport: "websocket"}}
	for _, c := range []struct {
		about  string
		held   *selectedForwards
		failed bool
		wants  *selectedForwards
		steps  forwardSteps
	}{
		{about: "none"},
		{about: "the first", wants: forwards(auto), steps: forwardSteps{begin: true}},
		{about: "the same", held: forwards(auto, "web"), wants: forwards(auto, "web")},
		{about: "other services", held: forwards(auto, "web"), wants: forwards(auto, "api"),
			steps: forwardSteps{reselect: true}},
		{about: "made in another way", held: forwards(auto), wants: forwards(websocket),
			steps: forwardSteps{end: true, begin: true}},
		{about: "another hosts file", held: forwards(auto),
			wants: forwards(ForwardSettings{Reach: auto.Reach, HostsFile: "/hosts"}),
			steps: forwardSteps{end: true, begin: true}},
		{about: "the same, and they have failed", held: forwards(auto), failed: true, wants: forwards(auto),
			steps: forwardSteps{end: true, begin: true}},
		{about: "none any more", held: forwards(auto), steps: forwardSteps{end: true}},
		{about: "none any more, and they have failed", held: forwards(auto), failed: true, steps: forwardSteps{end: true}},
	} {
		require.Equal(t, c.steps, diffForwards(c.held, c.failed, c.wants), c.about)
	}
}

func TestChangesAreToldByNames(t *testing.T) {
	one, two := new(heldIntercept), new(heldIntercept)
	one.plannedIntercept, two.plannedIntercept = new(plannedIntercept), new(plannedIntercept)
	before := holdings{map[string]string{"web": "80", "api": "80", "db": "5432"},
		map[string]*heldIntercept{"cart": one, "mail": one}}
	require.Equal(t, "nothing", changes(before, before))
	now := holdings{map[string]string{"web": "80", "api": "8080->80", "auth": "80"},
		map[string]*heldIntercept{"cart": two, "pay": two}}
	require.Equal(t, "service api was made anew, service auth is new, service db is gone, "+
		"intercept of cart was made anew, intercept of pay is new, intercept of mail is gone", changes(before, now))
}
