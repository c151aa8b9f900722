package up

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/cmd/cli/background"
	"github.com/devtun/devtun/cmd/cli/forwards"
	"github.com/devtun/devtun/cmd/cli/image"
	"github.com/devtun/devtun/cmd/cli/intercept"
	"github.com/devtun/devtun/cmd/cli/project"
	"github.com/devtun/devtun/cmd/cli/selection"
	"github.com/devtun/devtun/tunnel"
)

const relayNeeded = forwards.RelayNeeded

func TestAnOrderIsTranslatedOnce(t *testing.T) {
	at := destination{context: "dev", server: "https://192.0.2.1", namespace: "demo"}
	through := reach{context: at.context, server: at.server, namespace: at.namespace, transport: "auto"}
	shop := through
	shop.namespace, shop.kubeconfig, shop.transport, shop.link = "shop", "/kube", "spdy", "proxy"
	made := image.Reference("", func(string) string { return "" })
	forwards := forwardSettings{reach: through, domain: "cluster.local", hold: tunnel.DefaultHold}
	for _, c := range []struct {
		about       string
		order       project.Project
		environment map[string]string
		want        want
	}{
		{about: "nothing is said", want: want{
			namespace: "demo",
			forwards:  &wantedForwards{settings: forwards, services: selection.Flags{Namespaces: []string{"demo"}}},
		}},
		{about: "all that can be said of forwards",
			order: project.Project{
				Kubeconfig: "/kube", Namespace: "shop", ClusterDomain: "it.local", Transport: "spdy", Link: "proxy",
				Forward: project.Forward{
					Services: []string{"web", "api.demo", "host/db.internal:5432"}, Namespaces: []string{"demo"},
					Except: []string{"db"},
					Ports:  []string{"web:8080:80"}, Hold: "3s", HostsFile: "/hosts", PodAddresses: true,
					Headers: []string{"x: 1", "baggage: devtun=ann"},
				},
				Relay: "only-needed",
			},
			environment: map[string]string{image.Variable: "ours:1"},
			want: want{namespace: "shop", forwards: &wantedForwards{
				settings: forwardSettings{
					reach: shop, domain: "it.local", hold: 3 * time.Second, hostsFile: "/hosts",
					headers: "x: 1\nbaggage: devtun=ann", relay: relayNeeded, relayImage: "ours:1", podAddresses: true,
					relayReach: "host/db.internal:5432",
				},
				services: selection.Flags{
					Args: []string{"web", "api.demo", "host/db.internal:5432"}, Namespaces: []string{"shop", "demo"},
					Except: []string{"db"}, Ports: []string{"web:8080:80"}, Relay: true,
				},
			}}},
		{about: "all namespaces",
			order: project.Project{Forward: project.Forward{AllNamespaces: true, Selector: "tier=backend"}},
			want: want{namespace: "demo", forwards: &wantedForwards{
				settings: forwards, services: selection.Flags{All: true, Labels: "tier=backend"},
			}}},
		{about: "an intercept alone, with the image of the environment",
			environment: map[string]string{image.Variable: "ours:1"},
			order:       project.Project{NoForward: true, Intercepts: []project.Intercept{{Workload: "web"}}},
			want: want{namespace: "demo", intercepts: []wantedIntercept{{
				settings: interceptSettings{reach: through, workload: "web", namespace: "demo", image: "ours:1"},
			}}}},
		{about: "all that can be said of an intercept", environment: map[string]string{image.Variable: "ours:1"},
			order: project.Project{
				Kubeconfig: "/kube", Namespace: "shop", Transport: "spdy", Link: "proxy", NoForward: true,
				Intercepts: []project.Intercept{{
					Workload: "deploy/web", Namespace: "far", Ports: []string{"3000:http"}, To: "it",
					MoveConnections: "force", Grace: "1m", Container: "app", AgentImage: "mine:2",
					Match: project.Match{Headers: []string{"x=1"}, Path: "/api/", Methods: []string{"POST"}, Personal: "true"},
					TLS:   true, Mark: true, NoCarry: true,
					EnvFile: "/env", EnvJSON: "/json", EnvFormat: "docker", Files: "/files", Keep: true,
				}},
			},
			want: want{namespace: "shop", intercepts: []wantedIntercept{{
				ports: []string{"3000:http"},
				match: intercept.Match{Headers: []string{"x=1"}, Path: "/api/", Methods: []string{"POST"},
					Personal: intercept.OwnName},
				settings: interceptSettings{
					reach: shop, workload: "deploy/web", namespace: "far", to: "it", move: "force",
					tls: true, mark: true, noCarry: true,
					grace: time.Minute, container: "app", image: "mine:2",
					envFile: "/env", envJSON: "/json", envFormat: "docker", files: "/files", keep: true,
				},
			}}}},
		{about: "intercepts whose agents relay", environment: map[string]string{image.Variable: "ours:1"},
			order: project.Project{
				Relay: "only-needed", Forward: project.Forward{Services: []string{"host/db.internal:5432"}},
				Intercepts: []project.Intercept{{Workload: "web"}, {Workload: "web", Namespace: "far"}},
			},
			want: want{namespace: "demo", forwards: &wantedForwards{
				settings: forwardSettings{
					reach: through, domain: forwards.domain, hold: forwards.hold, relay: relayNeeded, relayImage: "ours:1",
					relayReach: "host/db.internal:5432",
				},
				services: selection.Flags{
					Args: []string{"host/db.internal:5432"}, Namespaces: []string{"demo"}, Relay: true,
				},
			}, intercepts: []wantedIntercept{{
				settings: interceptSettings{reach: through, workload: "web", namespace: "demo", image: "ours:1"},
				relays:   true, reach: []string{"host/db.internal:5432"},
			}, {
				settings: interceptSettings{reach: through, workload: "web", namespace: "far", image: "ours:1"},
				relays:   true,
			}}}},
		{about: "all that can be said of an environment", environment: map[string]string{image.Variable: "ours:1"},
			order: project.Project{
				Namespace: "shop", NoForward: true, Transport: "spdy", Link: "proxy", Kubeconfig: "/kube",
				Env: []project.Environment{{Workload: "deploy/worker", EnvFile: "/env"}, {
					Workload: "deploy/web", Namespace: "far", Container: "app", AgentImage: "mine:2", EnvFile: "/env2",
					EnvJSON: "/json", EnvFormat: "docker", Files: "/files", Keep: true,
				}},
			},
			want: want{namespace: "shop", env: []wantedEnvironment{
				{reach: shop, workload: "deploy/worker", namespace: "shop", image: "ours:1", envFile: "/env"}, {
					reach: shop, workload: "deploy/web", namespace: "far", container: "app", image: "mine:2", envFile: "/env2",
					envJSON: "/json", envFormat: "docker", files: "/files", keep: true,
				}}}},
		{about: "all that can be said of what runs", environment: map[string]string{image.Variable: "ours:1"},
			order: project.Project{
				Namespace: "demo", NoForward: true,
				Intercepts: []project.Intercept{{Workload: "deploy/web", Namespace: "far",
					Run: &project.Run{Command: []string{"npm", "start"}, WorkingDir: "/web"}}},
				Run: map[string]project.Process{
					"worker": {Run: project.Run{Command: []string{"go", "run", "."}, WorkingDir: "/worker",
						Env: map[string]string{"B": "2", "A": "1"}}, As: "deploy/worker", Container: "app"},
					"idle": {Run: project.Run{Command: []string{"sleep", "1"}, WorkingDir: "/"}},
				},
			},
			want: want{namespace: "demo", intercepts: []wantedIntercept{{
				run:      wantedRun{name: "web.far", command: []string{"npm", "start"}, dir: "/web"},
				settings: interceptSettings{reach: through, workload: "deploy/web", namespace: "far", image: "ours:1"},
			}}, runs: []wantedRun{
				{name: "idle", command: []string{"sleep", "1"}, dir: "/"},
				{name: "worker", command: []string{"go", "run", "."}, dir: "/worker", env: []string{"A=1", "B=2"},
					as: wantedEnvironment{reach: through, workload: "deploy/worker", namespace: "demo", container: "app",
						image: "ours:1"}},
			}}},
		{about: "the image that is made for this devtun", environment: map[string]string{},
			order: project.Project{NoForward: true, Intercepts: []project.Intercept{{Workload: "web", Replace: true}}},
			want: want{namespace: "demo", intercepts: []wantedIntercept{{
				settings: interceptSettings{
					reach: through, workload: "web", namespace: "demo", image: made, replace: true,
				},
			}}}},
	} {
		t.Run(c.about, func(t *testing.T) {
			order := background.Order{
				File: "/devtun.yaml", Project: &c.order, Environment: c.environment, Verbose: true,
			}
			c.want.file, c.want.verbose = "/devtun.yaml", true
			got, err := wantOf(order, at)
			require.NoError(t, err)
			require.Equal(t, &c.want, got)
		})
	}
}

func TestAnOrderThatCannotBe(t *testing.T) {
	intercepts := []project.Intercept{{Workload: "web", AgentImage: "A B"}}
	matching := []project.Intercept{{Workload: "web", Replace: true, Match: project.Match{Path: "/api/"}}}
	for text, p := range map[string]project.Project{
		`"a b" is not a --cluster-domain`:                  {ClusterDomain: "a b"},
		`unknown --transport "pigeon"`:                     {Transport: "pigeon"},
		`unknown --link "pigeon"`:                          {Link: "pigeon"},
		`"A" is not a service name`:                        {Forward: project.Forward{Services: []string{"A"}}},
		`intercept web: "A B" is not the name of an image`: {Intercepts: intercepts},
		"intercept web: with --replace no pods are left":   {Intercepts: matching},
	} {
		_, err := wantOf(background.Order{Project: &p}, destination{namespace: "default"})
		require.ErrorContains(t, err, text)
	}
}
