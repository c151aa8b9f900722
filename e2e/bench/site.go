package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"net/url"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/devtun/devtun/e2e/cluster"
	"github.com/devtun/devtun/e2e/testbed"
)

// site is the cluster that the lab is in, with the programs and images that are
// measured.
type site struct {
	*testbed.Bed
	kubectl string // its path
	config  *rest.Config
	api     *url.URL // the API server's
	leave   func() error
}

// openSite takes the cluster of DEVTUN_KUBECONFIG, or else the local one, which is
// brought up unless it runs, and stays. The caller leaves the site.
func openSite(ctx context.Context, module string, progress io.Writer) (*site, error) {
	bed, leave, err := testbed.Prepare(ctx, testbed.Options{Module: module, Keep: true, Bare: true, Progress: progress})
	if err != nil {
		return nil, err
	}
	s := &site{Bed: bed, leave: leave}
	if err = s.level(); err == nil {
		s.kubectl, err = bed.Kubectl()
	}
	if err == nil {
		s.config, err = bed.Config()
	}
	if err == nil {
		s.api, _, err = rest.DefaultServerUrlFor(s.config)
	}
	if err != nil {
		return nil, errors.Join(err, s.leave())
	}
	return s, nil
}

// level takes from the local cluster the precedence that it has for tests, until the
// site is left: devtun's end of a connection is measured as well.
func (s *site) level() error {
	if s.Cluster == "" {
		return nil
	}
	local, err := cluster.Open(s.Cluster)
	if err != nil {
		return err
	}
	leave := s.leave
	s.leave = func() error { return errors.Join(local.SetPrecedence(cluster.Precedence), leave()) }
	return local.SetPrecedence(1)
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
	config, err := clientcmd.LoadFromFile(s.Kubeconfig)
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
