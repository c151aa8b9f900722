package up

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/cmd/cli/selection"
	"github.com/devtun/devtun/tunnel/discovery"
)

// webIntercept is one of web, with something changed.
func webIntercept(change ...func(*wantedIntercept)) wantedIntercept {
	w := wantedIntercept{
		ports: []string{"3000:http"},
		settings: interceptSettings{
			workload: "web", namespace: "demo", image: "devtun:1", reach: reach{transport: "auto"},
		},
	}
	for _, by := range change {
		by(&w)
	}
	return w
}

func TestWhatMakesTheInterceptsThatAreWanted(t *testing.T) {
	api := webIntercept(func(w *wantedIntercept) { w.settings.workload = "api" })
	held := func(all ...heldState) map[string]heldState {
		states := make(map[string]heldState)
		for _, h := range all {
			states[h.want.key()] = h
		}
		return states
	}
	elsewhere := webIntercept(func(w *wantedIntercept) { w.settings.namespace = "shop" })
	stands, fallen := heldState{webIntercept(), true}, heldState{webIntercept(), false}
	for _, c := range []struct {
		about string
		held  map[string]heldState
		wants []wantedIntercept
		end   []string
		begin []wantedIntercept
	}{
		{about: "nothing"},
		{about: "the first", wants: []wantedIntercept{webIntercept(), api},
			begin: []wantedIntercept{webIntercept(), api}},
		{about: "the same", held: held(stands), wants: []wantedIntercept{webIntercept()}},
		{about: "one more", held: held(stands), wants: []wantedIntercept{api, webIntercept()},
			begin: []wantedIntercept{api}},
		{about: "one less", held: held(stands, heldState{api, true}), wants: []wantedIntercept{api},
			end: []string{"demo/web"}},
		{about: "none any more", held: held(stands, heldState{api, true}),
			end: []string{"demo/api", "demo/web"}},
		{about: "the same, and it has failed", held: held(fallen), wants: []wantedIntercept{webIntercept()},
			end: []string{"demo/web"}, begin: []wantedIntercept{webIntercept()}},
		{about: "one that has failed is wanted no more", held: held(fallen), end: []string{"demo/web"}},
		{about: "a workload of that name elsewhere", held: held(stands), wants: []wantedIntercept{elsewhere},
			end: []string{"demo/web"}, begin: []wantedIntercept{elsewhere}},
	} {
		t.Run(c.about, func(t *testing.T) {
			end, begin := diffIntercepts(c.held, c.wants)
			require.Equal(t, c.end, end)
			require.Equal(t, c.begin, begin)
		})
	}
}

func TestAnInterceptThatDiffersInAnythingIsMadeAnew(t *testing.T) {
	for about, change := range map[string]func(*wantedIntercept){
		"cluster":    func(w *wantedIntercept) { w.settings.reach.server = "other" },
		"context":    func(w *wantedIntercept) { w.settings.reach.context = "other" },
		"kubeconfig": func(w *wantedIntercept) { w.settings.reach.kubeconfig = "other" },
		"link":       func(w *wantedIntercept) { w.settings.reach.link = "proxy" },
		"transport":  func(w *wantedIntercept) { w.settings.reach.transport = "spdy" },
		"ports":      func(w *wantedIntercept) { w.ports = []string{"3001:http"} },
		"image":      func(w *wantedIntercept) { w.settings.image = "devtun:2" },
		"grace":      func(w *wantedIntercept) { w.settings.grace = time.Minute },
		"mode":       func(w *wantedIntercept) { w.settings.replace = true },
		"rule":       func(w *wantedIntercept) { w.match.Path = "/api/" },
		"mark":       func(w *wantedIntercept) { w.settings.mark = true },
		"env file":   func(w *wantedIntercept) { w.settings.envFile = "/env" },
	} {
		other := webIntercept(change)
		held := map[string]heldState{"demo/web": {webIntercept(), true}}
		end, begin := diffIntercepts(held, []wantedIntercept{other})
		require.Equal(t, []string{"demo/web"}, end, about)
		require.Equal(t, []wantedIntercept{other}, begin, about)
	}
}

func TestWhatMakesTheForwardsThatAreWanted(t *testing.T) {
	forwards := func(settings forwardSettings, named ...string) *selectedForwards {
		s := &selection.Selection{Namespace: "demo", Named: make(map[discovery.Key]bool)}
		for _, name := range named {
			s.Named[discovery.Key{Namespace: "demo", Name: name}] = true
		}
		return &selectedForwards{settings, s}
	}
	auto := forwardSettings{reach: reach{transport: "auto"}}
	websocket := forwardSettings{reach: reach{transport: "websocket"}}
	anew := forwardSteps{end: true, begin: true}
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
		{about: "made in another way", held: forwards(auto), wants: forwards(websocket), steps: anew},
		{about: "another hosts file", held: forwards(auto),
			wants: forwards(forwardSettings{reach: auto.reach, hostsFile: "/hosts"}),
			steps: anew},
		{about: "with a relay", held: forwards(auto),
			wants: forwards(forwardSettings{reach: auto.reach, relay: relayNeeded}), steps: anew},
		{about: "a relay's claim lists something else", held: forwards(auto),
			wants: forwards(forwardSettings{reach: auto.reach, relayReach: "host/db:5432"}), steps: anew},
		{about: "the same, and they have failed", held: forwards(auto), failed: true, wants: forwards(auto),
			steps: anew},
		{about: "none any more", held: forwards(auto), steps: forwardSteps{end: true}},
		{about: "none any more, and they have failed", held: forwards(auto), failed: true,
			steps: forwardSteps{end: true}},
	} {
		require.Equal(t, c.steps, diffForwards(c.held, c.failed, c.wants), c.about)
	}
}

func TestChangesAreToldByNames(t *testing.T) {
	one, two := new(heldIntercept), new(heldIntercept)
	one.plannedIntercept, two.plannedIntercept = new(plannedIntercept), new(plannedIntercept)
	before := holdings{
		map[string]string{"web": "80", "api": "80", "db": "5432"},
		map[string]*heldIntercept{"cart": one, "mail": one}, nil,
		map[string]started{"web": {nil, 1}},
	}
	require.Equal(t, "nothing", changes(before, before))
	now := holdings{
		map[string]string{"web": "80", "api": "8080->80", "auth": "80"},
		map[string]*heldIntercept{"cart": two, "pay": two},
		map[string]*heldEnvironment{"deploy/worker": nil},
		map[string]started{"web": {nil, 2}},
	}
	require.Equal(t, "service api was recreated, service auth is new, service db is gone, "+
		"intercept of cart was recreated, intercept of pay is new, intercept of mail is gone, "+
		"environment of deploy/worker is new, program web was recreated", changes(before, now))
}

func TestWhatBecomesOfEnvironments(t *testing.T) {
	one, two := wantedEnvironment{workload: "one", envFile: "/a"}, wantedEnvironment{workload: "two", envFile: "/b"}
	other := one
	other.envFile = "/c"
	held := map[wantedEnvironment]*heldEnvironment{one: {want: one}, two: {want: two}}
	end, begin := diffEnvironments(held, []wantedEnvironment{two, one})
	require.Empty(t, end)
	require.Empty(t, begin)
	end, begin = diffEnvironments(held, []wantedEnvironment{two, other})
	require.Equal(t, []wantedEnvironment{one}, end)
	require.Equal(t, []wantedEnvironment{other}, begin)
}
