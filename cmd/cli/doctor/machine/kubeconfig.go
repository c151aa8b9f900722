package machine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/devtun/devtun/cmd/cli/credential"
	"github.com/devtun/devtun/cmd/cli/doctor/check"
	"github.com/devtun/devtun/cmd/cli/kube"
	"github.com/devtun/devtun/cmd/cli/problem"
)

// kubeconfig says which files it is in, and which context is used.
func (o *Options) kubeconfig(context.Context) []check.Result {
	files := result("kubeconfig", check.OK, strings.Join(o.there(), ", "))
	if files.Message == "" {
		files.Message = "none; flags or the environment name the API server"
	}
	if o.Unconnected == nil {
		context := result("context", check.OK, fmt.Sprintf("%s, at %s", o.Cluster.Context, o.Cluster.Config.Host))
		if o.Cluster.Context == "" {
			context.Message = o.Cluster.Config.Host
		}
		return []check.Result{files, context}
	}
	failed := &files
	context := result("context", check.NotChecked, "the kubeconfig cannot be used")
	if kube.IsNoContext(o.Unconnected) {
		failed = &context
	}
	told := problem.Of(o.Unconnected)
	failed.Status, failed.Hint = check.Fault, told.Hint
	failed.Message = strings.TrimPrefix(strings.Join(strings.Fields(told.Error()), " "), "load kubeconfig: ")
	return []check.Result{files, context}
}

// there are the files of the kubeconfig that are there.
func (o *Options) there() (files []string) {
	for _, file := range o.Files {
		if _, err := os.Stat(file); err == nil {
			files = append(files, file)
		}
	}
	return files
}

// plugin has the credential plugin run.
func (o *Options) plugin(context.Context) []check.Result {
	const name = "credential-plugin"
	if o.Cluster == nil {
		return []check.Result{result(name, check.NotChecked, errNoCluster.Error())}
	}
	if o.Cluster.Login == nil {
		return []check.Result{result(name, check.OK, "the kubeconfig names none")}
	}
	plugin, begun := o.Cluster.Login.Plugin(), time.Now()
	err := o.Login()
	if err == nil {
		return []check.Result{result(name, check.OK, fmt.Sprintf("%s gave credentials in %v", plugin,
			time.Since(begun).Round(10*time.Millisecond)))}
	}
	r := result(name, check.Fault, fmt.Sprintf("the credential plugin %s gives no credentials", plugin))
	r.Evidence = []string{strings.TrimPrefix(err.Error(), "getting credentials: ")}
	r.Hint = problem.Of(err).Hint
	var login *credential.Error
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		r.Message = fmt.Sprintf("the credential plugin %s gave no credentials within %v", plugin,
			time.Since(begun).Round(time.Second))
		r.Evidence, r.Hint = nil, "it may be waiting for you to log in: run 'kubectl auth whoami' in a terminal"
	case errors.As(err, &login) && login.NotFound():
		r.Message = fmt.Sprintf("the credential plugin %s is not there", plugin)
		if login.Install == "" {
			r.Hint = "install it, or put it into PATH; the kubeconfig names it under users, exec"
		}
	default:
		r.Hint = "log in again; 'kubectl auth whoami' runs the plugin in your terminal"
	}
	return []check.Result{r}
}
