package up

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/cmd/cli/background"
	"github.com/devtun/devtun/cmd/cli/image"
	"github.com/devtun/devtun/cmd/cli/project"
	"github.com/devtun/devtun/cmd/cli/selection"
	"github.com/devtun/devtun/tunnel"
)

func TestAnOrderIsTranslatedOnce(t *testing.T) {
	at := destination{context: "dev", server: "https://192.0.2.1", namespace: "demo"}
	through := Reach{Context: at.context, Server: at.server, Namespace: at.namespace, Transport: "auto"}
	shop := through
	shop.Namespace, shop.Kubeconfig, shop.Transport = "shop", "/kube", "spdy"
	forwards := ForwardSettings{Reach: through, Domain: "cluster.local", Hold: tunnel.DefaultHold}
	for _, c := range []struct {
		about       string
		order       project.Project
		environment map[string]string
		want        want
	}{
		{about: "nothing is said", want: want{
			namespace: "demo", forwards: &wantedForwards{settings: forwards,
				services: selection.Flags{Namespaces: []string{"demo"}}},
		}},
		{about: "all that can be said of forwards",
			order: project.Project{
				Kubeconfig: "/kube", Namespace: "shop", ClusterDomain: "it.local", Transport: "spdy",
				Forward: project.Forward{
					Services: []string{"web", "api.demo"}, Namespaces: []string{"demo"}, Except: []string{"db"},
					Ports: []string{"web:8080:80"}, Hold: "3s", HostsFile: "/hosts",
				},
			},
			want: want{namespace: "shop", forwards: &wantedForwards{
				settings: ForwardSettings{Reach: shop, Domain: "it.local", Hold: 3 * time.Second, HostsFile: "/hosts"},
				services: selection.Flags{
					Args: []string{"web", "api.demo"}, Namespaces: []string{"shop",
						"demo"}, Except: []string{"db"}, Ports: []string{"web:8080:80"},
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
			want: want{namespace: "demo", intercepts: []Intercept{{
				Settings: InterceptSettings{Reach: through, Workload: "web", Namespace: "demo", Image: "ours:1"},
			}}}},
		{about: "all that can be said of an intercept", environment: map[string]string{image.Variable: "ours:1"},
			order: project.Project{Kubeconfig: "/kube", Namespace: "shop", Transport: "spdy", NoForward: true,
				Intercepts: []project.Intercept{{
					Workload: "deploy/web", Namespace: "far", Ports: []string{"3000:http"}, To: "it",
					MoveConnections: "force", Grace: "1m",
					Container: "app", AgentImage: "mine:2", EnvFile: "/env", EnvJSON: "/json", EnvFormat: "docker", Files: "/files",
					Keep: true,
				}}},
			want: want{namespace: "shop", intercepts: []Intercept{{Ports: []string{"3000:http"}, Settings: InterceptSettings{
				Reach: shop, Workload: "deploy/web", Namespace: "far", To: "it", Move: "force", Grace: time.Minute,
				Container: "app", Image: "mine:2", EnvFile: "/env", EnvJSON: "/json", EnvFormat: "docker", Files: "/files",
				Keep: true,
			}}}}},
		{about: "the image that is made for this devtun", environment: map[string]string{},
			order: project.Project{NoForward: true, Intercepts: []project.Intercept{{Workload: "web", Replace: true}}},
			want: want{namespace: "demo", intercepts: []Intercept{{
				Settings: InterceptSettings{Reach: through, Workload: "web", Namespace: "demo",
					Image: image.Reference("", func(string) string { return "" }), Replace: true},
			}}}},
	} {
		t.Run(c.about, func(t *testing.T) {
			order := background.Order{File: "/devtun.yaml", Project: &c.order, Environment: c.environment, Verbose: true}
			c.want.file, c.want.verbose = "/devtun.yaml", true
			got, err := wantOf(order, at, lenient)
			require.NoError(t, err)
			require.Equal(t, &c.want, got)
		})
	}
}

func TestAnOrderThatCannotBe(t *testing.T) {
	intercepts := []project.Intercept{{Workload: "web", AgentImage: "it:1"}}
	for text, p := range map[string]project.Project{
		`"a b" is not a --cluster-domain`:     {ClusterDomain: "a b"},
		`unknown --transport "pigeon"`:        {Transport: "pigeon"},
		`"A" is not a service name`:           {Forward: project.Forward{Services: []string{"A"}}},
		"intercept web: no intercept by it:1": {Intercepts: intercepts},
	} {
		_, err := wantOf(background.Order{Project: &p}, destination{namespace: "default"}, strict)
		require.ErrorContains(t, err, text)
	}
}
