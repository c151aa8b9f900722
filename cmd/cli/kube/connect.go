package kube

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/transport"

	"github.com/devtun/devtun/cmd/cli/credential"
	"github.com/devtun/devtun/cmd/cli/version"
	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/tunnel"
)

// Timeout bounds every request to the API server before a session stands.
const Timeout = 15 * time.Second

// Flags is kubectl's connection flags, but for the namespace, which devtun
// takes more than one of.
type Flags struct {
	*genericclioptions.ConfigFlags
	Namespaces []string
	// of is the environment of who asks, as far as it matters here; nil is this
	// process's.
	Env map[string]string
}

func NewFlags(flags *pflag.FlagSet) *Flags {
	k := &Flags{ConfigFlags: genericclioptions.NewConfigFlags(true)}
	k.Namespace = nil
	kubectls := pflag.NewFlagSet("", pflag.ContinueOnError)
	k.AddFlags(kubectls)
	kubectls.Lookup("cache-dir").DefValue = "$HOME/.kube/cache" // as it reads on every machine
	kubectls.VisitAll(func(flag *pflag.Flag) { flag.Annotations = map[string][]string{isKubectls: nil} })
	flags.AddFlagSet(kubectls)
	flags.StringSliceVarP(&k.Namespaces, "namespace", "n", nil,
		"namespace to work in; repeat it for more, the first gives bare names (default: the context's)")
	return k
}

// isKubectls marks the flags that are as kubectl has them.
const isKubectls = "kubectl"

// IsKubectls reports that a flag is as kubectl has it.
func IsKubectls(flag *pflag.Flag) bool {
	_, is := flag.Annotations[isKubectls]
	return is
}

// Cluster is a connection to a cluster, made but not yet tried.
type Cluster struct {
	Config    *rest.Config      // without the credentials of a plugin, which login has
	Login     *credential.Login // nil: the user has none
	Client    kubernetes.Interface
	Context   string // name of the kubeconfig context
	Namespace string // the context's
	contexts  []string
	Reserved  []string // host names that no service may get, see reservedNames
	named     []string // namespaces of this cluster that the kubeconfig names
}

// Connect reads the kubeconfig. It sends nothing, and runs no credential plugin.
func (k *Flags) Connect() (*Cluster, error) {
	loader := k.loader()
	noKubeconfig := func(err error) error { return noKubeconfig(err, looked(loader)) }
	raw, err := loader.RawConfig()
	if err != nil {
		return nil, noKubeconfig(err)
	}
	named := k.Context != nil && *k.Context != ""
	direct := k.APIServer != nil && *k.APIServer != "" || os.Getenv("KUBERNETES_SERVICE_HOST") != "" ||
		os.Getenv("KUBERNETES_MASTER") != ""
	if len(raw.Contexts) == 0 && !direct {
		return nil, noKubeconfig(errors.New("no kubeconfig found, or an empty one"))
	}
	if named && raw.Contexts[*k.Context] == nil {
		return nil, unknownContext(*k.Context, slices.Sorted(maps.Keys(raw.Contexts)))
	}
	config, err := loader.ClientConfig()
	if err != nil {
		return nil, noKubeconfig(err)
	}
	config.QPS = -1 // no client-side throttle: devtun sends few requests, but those at once
	config.UserAgent = "devtun/" + version.String()
	c := &Cluster{Config: rest.CopyConfig(config), Context: raw.CurrentContext,
		contexts: slices.Sorted(maps.Keys(raw.Contexts))}
	if named {
		c.Context = *k.Context
	}
	c.Config.ExecProvider = nil
	if c.Login, err = Logins.Login(config, k.PluginEnv()...); err != nil {
		return nil, noKubeconfig(err)
	}
	doer, err := c.http(c.Login.Requests)
	if err != nil {
		return nil, noKubeconfig(err)
	}
	if c.Client, err = kubernetes.NewForConfigAndClient(withProtobuf(c.Config), doer); err != nil {
		return nil, noKubeconfig(err)
	}
	c.Reserved = reservedNames(raw, config)
	if c.Namespace, _, err = loader.Namespace(); err != nil {
		return nil, noKubeconfig(err)
	}
	c.named = []string{c.Namespace}
	if of := raw.Contexts[c.Context]; of != nil {
		for _, other := range raw.Contexts {
			if other.Cluster == of.Cluster && other.Namespace != "" {
				c.named = append(c.named, other.Namespace)
			}
		}
	}
	slices.Sort(c.named)
	c.named = slices.Compact(c.named)
	return c, nil
}

// http speaks to the API server, with credentials as add gives them.
func (c *Cluster) http(add func(*transport.Config)) (*http.Client, error) {
	settings, err := c.Config.TransportConfig()
	if err != nil {
		return nil, err
	}
	add(settings)
	roundTripper, err := transport.New(settings)
	return &http.Client{Transport: roundTripper, Timeout: c.Config.Timeout}, err
}

// Transport opens connections to pods.
func (c *Cluster) Transport(mode tunnel.Mode) (*tunnel.Transport, error) {
	return tunnel.NewTransport(c.Config, mode, c.Login.Streams)
}

// PlanClient speaks to the API server for package plan.
func (c *Cluster) PlanClient() (*plan.Client, error) {
	doer, err := c.http(c.Login.Undo)
	if err != nil {
		return nil, noKubeconfig(err, nil)
	}
	base, _, err := rest.DefaultServerUrlFor(c.Config)
	if err != nil {
		return nil, noKubeconfig(err, nil)
	}
	return &plan.Client{Doer: doer, Base: strings.TrimSuffix(base.String(), "/")}, nil
}

// LogIn makes sure of the credentials of a user who has a plugin, by one request that
// goes before all others, alone: so a wrong PIN is asked for once, and is the command's
// end. A person may take long; only the request has a deadline.
func (c *Cluster) LogIn(ctx context.Context) error {
	if c.Login == nil {
		return nil
	}
	if err := c.Login.Await(ctx); err != nil {
		return fmt.Errorf("log in: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	err := c.Client.Discovery().RESTClient().Get().AbsPath("/version").Do(ctx).Error()
	if errors.As(err, new(apierrors.APIStatus)) && !apierrors.IsUnauthorized(err) {
		return nil // it knows who asks
	}
	return err
}

// loader reads the kubeconfig, by the environment of who asks.
func (k *Flags) loader() clientcmd.ClientConfig {
	if k.Env == nil {
		return k.ToRawKubeConfigLoader()
	}
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.DefaultClientConfig = &clientcmd.DefaultClientConfig
	rules.ExplicitPath = *k.KubeConfig
	rules.Precedence = []string{clientcmd.RecommendedHomeFile}
	if files := k.Getenv(clientcmd.RecommendedConfigPathEnvVar); files != "" {
		rules.Precedence = filepath.SplitList(files)
	}
	return clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules,
		&clientcmd.ConfigOverrides{ClusterDefaults: clientcmd.ClusterDefaults, CurrentContext: *k.Context})
}

// PluginEnv is what a credential plugin gets over this process's environment.
func (k *Flags) PluginEnv() []string {
	if k.Env == nil {
		return nil
	}
	files := k.Getenv(clientcmd.RecommendedConfigPathEnvVar)
	if files == "" {
		return []string{clientcmd.RecommendedConfigPathEnvVar}
	}
	return []string{clientcmd.RecommendedConfigPathEnvVar + "=" + files}
}

// Getenv is a variable of who asks.
func (k *Flags) Getenv(name string) string {
	if k == nil || k.Env == nil {
		return os.Getenv(name)
	}
	return k.Env[name]
}

// withProtobuf has the typed client speak the cheaper encoding.
func withProtobuf(config *rest.Config) *rest.Config {
	config = rest.CopyConfig(config)
	config.AcceptContentTypes = "application/vnd.kubernetes.protobuf,application/json"
	config.ContentType = "application/vnd.kubernetes.protobuf"
	return config
}

// namespaceMissing reports that namespace does not exist. Who may not ask gets
// false: what is in the namespace may be theirs all the same.
func (c *Cluster) namespaceMissing(ctx context.Context, namespace string) (bool, error) {
	_, err := c.Client.CoreV1().Namespaces().Get(ctx, namespace, metav1.GetOptions{})
	switch {
	case err == nil, apierrors.IsForbidden(err):
		return false, nil
	case apierrors.IsNotFound(err):
		return true, nil
	}
	return false, err
}

// namespaceNames lists the namespaces, or none where that is not allowed.
func (c *Cluster) namespaceNames(ctx context.Context) []string {
	list, err := c.Client.CoreV1().Namespaces().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil
	}
	var names []string
	for _, namespace := range list.Items {
		names = append(names, namespace.Name)
	}
	return names
}

// UserServices is a selector that leaves out the Services that intercepts make for
// their origins, besides.
func UserServices(labels string) string {
	if labels == "" {
		return "!" + plan.InterceptLabel
	}
	return labels + ",!" + plan.InterceptLabel
}
