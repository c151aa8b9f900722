package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
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
)

// apiTimeout bounds every request to the API server before a session stands.
const apiTimeout = 15 * time.Second

// kubeFlags is kubectl's connection flags, but for the namespace, which devtun
// takes more than one of.
type kubeFlags struct {
	*genericclioptions.ConfigFlags
	namespaces []string
}

func newKubeFlags(flags *pflag.FlagSet) *kubeFlags {
	k := &kubeFlags{ConfigFlags: genericclioptions.NewConfigFlags(true)}
	k.Namespace = nil
	k.AddFlags(flags)
	flags.Lookup("cache-dir").DefValue = "$HOME/.kube/cache" // as it reads on every machine
	flags.StringSliceVarP(&k.namespaces, "namespace", "n", nil, "namespace to work in; repeat it for more, the first gives bare names (default: the context's)")
	return k
}

// cluster is a connection to a cluster, made but not yet tried.
type cluster struct {
	config    *rest.Config
	client    kubernetes.Interface
	context   string // name of the kubeconfig context
	namespace string // the context's
	contexts  []string
	reserved  []string // host names that no service may get, see reservedNames
	named     []string // namespaces of this cluster that the kubeconfig names
}

// connect reads the kubeconfig. It sends nothing.
func (k *kubeFlags) connect() (*cluster, error) {
	loader := k.ToRawKubeConfigLoader()
	noKubeconfig := func(err error) error { return noKubeconfig(err, looked(loader)) }
	raw, err := loader.RawConfig()
	if err != nil {
		return nil, noKubeconfig(err)
	}
	named := k.Context != nil && *k.Context != ""
	direct := k.APIServer != nil && *k.APIServer != "" || os.Getenv("KUBERNETES_SERVICE_HOST") != "" || os.Getenv("KUBERNETES_MASTER") != ""
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
	config.UserAgent = "devtun/" + version()
	client, err := kubernetes.NewForConfig(withProtobuf(config))
	if err != nil {
		return nil, noKubeconfig(err)
	}
	c := &cluster{config: config, client: client, context: raw.CurrentContext, contexts: slices.Sorted(maps.Keys(raw.Contexts))}
	if named {
		c.context = *k.Context
	}
	c.reserved = reservedNames(raw, config)
	if c.namespace, _, err = loader.Namespace(); err != nil {
		return nil, noKubeconfig(err)
	}
	c.named = []string{c.namespace}
	if of := raw.Contexts[c.context]; of != nil {
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

// withProtobuf has the typed client speak the cheaper encoding.
func withProtobuf(config *rest.Config) *rest.Config {
	config = rest.CopyConfig(config)
	config.AcceptContentTypes = "application/vnd.kubernetes.protobuf,application/json"
	config.ContentType = "application/vnd.kubernetes.protobuf"
	return config
}

// looked are the files that a kubeconfig is read from.
func looked(loader clientcmd.ClientConfig) []string {
	access := loader.ConfigAccess()
	if access.IsExplicitFile() {
		return []string{access.GetExplicitFile()}
	}
	return access.GetLoadingPrecedence()
}

// noKubeconfig is an error of the kubeconfig that was read from files.
func noKubeconfig(err error, files []string) error {
	hint := "pass --kubeconfig, or set KUBECONFIG"
	if len(files) > 0 {
		hint += "; now it is " + strings.Join(files, ", ")
	}
	if clientcmd.IsContextNotFound(err) {
		hint = "'kubectl config get-contexts' lists those there are"
	}
	return &Problem{Err: fmt.Errorf("load kubeconfig: %w", err), Code: ExitCluster, Hint: hint}
}

func unknownContext(name string, contexts []string) error {
	hint := "'kubectl config get-contexts' lists those there are"
	if name := near(name, contexts); name != "" {
		hint = fmt.Sprintf("did you mean --context %s?", name)
	}
	return &Problem{Err: fmt.Errorf("load kubeconfig: no context %q", name), Code: ExitCluster, Hint: hint}
}

// namespaceMissing reports that namespace does not exist. Who may not ask gets
// false: what is in the namespace may be theirs all the same.
func (c *cluster) namespaceMissing(ctx context.Context, namespace string) (bool, error) {
	_, err := c.client.CoreV1().Namespaces().Get(ctx, namespace, metav1.GetOptions{})
	switch {
	case err == nil, apierrors.IsForbidden(err):
		return false, nil
	case apierrors.IsNotFound(err):
		return true, nil
	}
	return false, err
}

// namespaceNames lists the namespaces, or none where that is not allowed.
func (c *cluster) namespaceNames(ctx context.Context) []string {
	list, err := c.client.CoreV1().Namespaces().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil
	}
	var names []string
	for _, namespace := range list.Items {
		names = append(names, namespace.Name)
	}
	return names
}
