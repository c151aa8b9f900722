package apiserver

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/version"

	"github.com/devtun/devtun/cmd/cli/doctor/check"
)

const (
	// slow is a round trip that a person feels in every connection.
	slow = 300 * time.Millisecond

	// trips is how many are measured, at most, as long as they take no more than tripTime.
	trips    = 3
	tripTime = time.Second

	// skew is how many minor versions a server may be away from the client libraries:
	// what devtun asks for has been in all of them.
	skew = 6
)

func (o *Options) getVersion(ctx context.Context) ([]byte, error) {
	return o.Cluster.Client.Discovery().RESTClient().Get().AbsPath("/version").Do(ctx).Raw()
}

// roundTrip measures some, one after the other.
func (o *Options) roundTrip(ctx context.Context) check.Result {
	var took []time.Duration
	for first := time.Now(); len(took) < trips && (took == nil || time.Since(first) < tripTime); {
		begun := time.Now()
		if _, err := o.getVersion(ctx); timedOut(err) {
			return unanswered("round-trip", err)
		}
		took = append(took, time.Since(begun))
	}
	slices.Sort(took)
	median := took[len(took)/2]
	r := check.Result{Area: check.APIServer, Check: "round-trip", Status: check.OK,
		Message: fmt.Sprintf("%v", median.Round(time.Millisecond/10))}
	if median > slow {
		r.Status, r.Message = check.Warning, fmt.Sprintf("the API server takes %v to answer", median.Round(time.Millisecond))
		r.Hint = "every new connection takes at least that long; is there a shorter way there (VPN, proxy)?"
	}
	return r
}

// version compares the server's with that of the client libraries.
func (o *Options) version(ctx context.Context) check.Result {
	raw, err := o.getVersion(ctx)
	if err != nil {
		return unanswered("version", err)
	}
	var info version.Info
	if err := json.Unmarshal(raw, &info); err != nil {
		return notChecked("version", "the API server says none")
	}
	return judge(info, clientMinor())
}

// judge compares a server's version with the client libraries' minor one; 0 is unknown.
func judge(server version.Info, client int) check.Result {
	r := check.Result{Area: check.APIServer, Check: "version", Status: check.OK,
		Message: "Kubernetes " + server.GitVersion}
	minor, err := strconv.Atoi(strings.TrimRight(server.Minor, "+"))
	if err != nil || client == 0 {
		return r
	}
	if away := client - minor; away > skew || away < -skew {
		r.Status = check.Warning
		r.Message = fmt.Sprintf("Kubernetes %s is far from 1.%d, which this devtun is made for", server.GitVersion, client)
		r.Hint = "take a newer devtun"
		if away > 0 {
			r.Hint = "the cluster is old: what fails here may be its age"
		}
	}
	return r
}

// clientMinor is the minor version of Kubernetes that the client libraries are of.
func clientMinor() int {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return 0
	}
	i := slices.IndexFunc(info.Deps, func(m *debug.Module) bool { return m.Path == "k8s.io/client-go" })
	if i < 0 {
		return 0
	}
	parts := strings.Split(info.Deps[i].Version, ".")
	if len(parts) < 2 {
		return 0
	}
	minor, _ := strconv.Atoi(parts[1]) // 0 if it is none
	return minor
}
