package main

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/devtun/devtun/e2e/cluster"
)

// site is the cluster that the lab is in.
type site struct {
	kubeconfig string
	kubectl    string // its path
	config     *rest.Config
	api        *url.URL // the API server's
	// load puts an image's tarball into the cluster; nil where we cannot, and
	// the user has to.
	load func(ctx context.Context, file string) error
}

// openSite takes the cluster of DEVTUN_KUBECONFIG, or else the local one, which
// is brought up unless it runs.
func openSite(ctx context.Context, module string, progress io.Writer) (*site, error) {
	s := &site{kubeconfig: os.Getenv("DEVTUN_KUBECONFIG")}
	if s.kubeconfig != "" {
		var err error
		if s.kubectl, err = exec.LookPath("kubectl"); err != nil {
			return nil, fmt.Errorf("find kubectl: %w", err)
		}
	} else {
		local, err := openLocal(ctx, module, progress)
		if err != nil {
			return nil, err
		}
		s.kubeconfig, s.kubectl, s.load = local.Kubeconfig(), local.Kubectl(), local.Load
	}
	var err error
	if s.config, err = clientcmd.BuildConfigFromFlags("", s.kubeconfig); err != nil {
		return nil, fmt.Errorf("read kubeconfig: %w", err)
	}
	s.config.QPS = -1 // no client-side throttle
	if s.api, _, err = rest.DefaultServerUrlFor(s.config); err != nil {
		return nil, fmt.Errorf("read kubeconfig: %w", err)
	}
	return s, nil
}

func openLocal(ctx context.Context, module string, progress io.Writer) (*cluster.Cluster, error) {
	dir := filepath.Join(module, ".cluster")
	if running, err := cluster.Open(dir); err == nil {
		return running, nil
	}
	return cluster.Up(ctx, cluster.Options{Dir: dir, Module: module, Progress: progress})
}

// apiHost is the API server's host and port.
func (s *site) apiHost() string {
	if s.api.Port() != "" {
		return s.api.Host
	}
	return s.api.Hostname() + ":443"
}

// apiAddress is the API server's address as /proc tells it, if it is an IPv4
// one.
func (s *site) apiAddress() (netip.AddrPort, bool) {
	address, err := netip.ParseAddrPort(s.apiHost())
	return address, err == nil && address.Addr().Is4()
}

// writeKubeconfig writes a kubeconfig whose only context leads to the site's API
// server by another way, as the site's user; with user false, as nobody.
func (s *site) writeKubeconfig(file, server string, user bool) error {
	config, err := clientcmd.LoadFromFile(s.kubeconfig)
	if err != nil {
		return fmt.Errorf("read kubeconfig: %w", err)
	}
	context, ok := config.Contexts[config.CurrentContext]
	if !ok {
		return fmt.Errorf("read kubeconfig: no context %q", config.CurrentContext)
	}
	cluster, ok := config.Clusters[context.Cluster]
	if !ok {
		return fmt.Errorf("read kubeconfig: no cluster %q", context.Cluster)
	}
	cluster.Server = server
	if user {
		if cluster.TLSServerName == "" {
			cluster.TLSServerName = s.api.Hostname()
		}
	} else {
		cluster.CertificateAuthority, cluster.CertificateAuthorityData, cluster.TLSServerName = "", nil, ""
		context.AuthInfo = ""
	}
	if err := clientcmd.WriteToFile(*config, file); err != nil {
		return fmt.Errorf("write kubeconfig: %w", err)
	}
	return nil
}
