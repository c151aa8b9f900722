// Command policies enforces NetworkPolicies on a node of the local cluster: it is the
// controller that kube-router has for them, and nothing else of kube-router.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cloudnativelabs/kube-router/v2/pkg/controllers/netpol"
	"github.com/cloudnativelabs/kube-router/v2/pkg/healthcheck"
	"github.com/cloudnativelabs/kube-router/v2/pkg/options"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
)

// startTimeout bounds the wait for the node.
const startTimeout = 30 * time.Second

// again is how often all rules are written without a reason.
const again = 5 * time.Minute

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "policies:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	kubeconfig := flag.String("kubeconfig", "", "the way to the API server")
	node := flag.String("node", "", "the name of the node")
	services := flag.String("services", "", "where the services' addresses come from")
	health := flag.String("health", "127.0.0.1:20244", "where it says that it has begun to write rules")
	flag.Parse()
	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	if err != nil {
		return fmt.Errorf("read kubeconfig: %w", err)
	}
	config.QPS = -1 // watches are all
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("make API client: %w", err)
	}
	registered := func(ctx context.Context) (bool, error) {
		_, err := client.CoreV1().Nodes().Get(ctx, *node, metav1.GetOptions{})
		return err == nil, nil
	}
	if err := wait.PollUntilContextTimeout(ctx, 100*time.Millisecond, startTimeout, true, registered); err != nil {
		return fmt.Errorf("wait for node %s: %w", *node, err)
	}
	settings := options.NewKubeRouterConfig()
	settings.HostnameOverride, settings.ClusterIPCIDRs = *node, []string{*services}
	settings.EnableIPv4, settings.EnableIPv6 = true, false
	settings.IPTablesSyncPeriod = again
	tables, sets, err := netpol.NewIPTablesHandlers(settings)
	if err != nil {
		return fmt.Errorf("find iptables and ipset: %w", err)
	}
	factory := informers.NewSharedInformerFactory(client, 0)
	pods, namespaces := factory.Core().V1().Pods().Informer(), factory.Core().V1().Namespaces().Informer()
	policies := factory.Networking().V1().NetworkPolicies().Informer()
	controller, err := netpol.NewNetworkPolicyController(client, settings, pods, policies, namespaces, new(sync.Mutex),
		tables, sets)
	if err != nil {
		return fmt.Errorf("make controller: %w", err)
	}
	factory.Start(ctx.Done())
	defer factory.Shutdown()
	factory.WaitForCacheSync(ctx.Done())
	if ctx.Err() != nil {
		return nil
	}
	// Those that are there are in the first run; later ones ask for another.
	for informer, handler := range map[cache.SharedIndexInformer]cache.ResourceEventHandler{
		pods: controller.PodEventHandler, namespaces: controller.NamespaceEventHandler,
		policies: controller.NetworkPolicyEventHandler,
	} {
		if _, err := informer.AddEventHandler(handler); err != nil {
			return fmt.Errorf("watch: %w", err)
		}
	}
	var runs atomic.Int64
	beats := make(chan *healthcheck.ControllerHeartbeat)
	go func() { // ends with the process, as do those who send
		for range beats {
			runs.Add(1)
		}
	}()
	server := http.Server{Addr: *health, ReadHeaderTimeout: time.Second,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if runs.Load() == 0 {
				http.Error(w, "no rules yet", http.StatusServiceUnavailable)
			}
		})}
	served := make(chan error, 1)
	go func() { served <- server.ListenAndServe() }()
	var running sync.WaitGroup
	running.Add(1)
	go controller.Run(beats, ctx.Done(), &running)
	select {
	case <-ctx.Done():
	case err = <-served:
	}
	return errors.Join(err, server.Close())
}
