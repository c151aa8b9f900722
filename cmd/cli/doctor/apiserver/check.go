package apiserver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	authenticationv1 "k8s.io/api/authentication/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/devtun/devtun/cmd/cli/credential"
	"github.com/devtun/devtun/cmd/cli/doctor/check"
	"github.com/devtun/devtun/cmd/cli/kube"
)

// Options is what is to be checked.
type Options struct {
	Cluster   *kube.Cluster
	Namespace string
	Meet      func() *Meeting // the first request, sent once
	Login     func() error    // has the credential plugin run, once
	// LinksKept are lines about links that stay on port-forwards, and why; nil: there are none.
	LinksKept func(context.Context) []string
}

// Check asks the API server. stop is why there is no use in asking it for anything else; ""
// if there is.
func Check(ctx context.Context, o Options) (results []check.Result, stop string) {
	ctx, cancel := context.WithCancel(ctx)
	var asking sync.WaitGroup
	defer asking.Wait()
	defer cancel()
	var known check.Result
	recognized := make(chan struct{})
	asking.Go(func() { // beside the first request: over a slow way, each costs
		defer close(recognized)
		known = o.credentials(ctx)
	})
	met := o.Meet()
	reachable := met.reachable()
	if reachable.Status != check.OK {
		stop = "the API server does not answer"
		return append([]check.Result{reachable}, NotAsked(stop)[1:]...), stop
	}
	certificate := met.certificate()
	results = []check.Result{reachable, certificate}
	if certificate.Status != check.OK {
		stop = "the API server's certificate is not trusted"
		return append(results, NotAsked(stop)[2:]...), stop
	}
	if err := o.Login(); err != nil {
		stop = "the credential plugin gives no credentials"
		return append(results, NotAsked(stop)[2:]...), stop
	}
	<-recognized
	results = append(results, known)
	if known.Status == check.Fault {
		return append(results, NotAsked(known.Message)[3:]...), known.Message
	}
	asked := o.asUser(ctx)
	i := slices.IndexFunc(asked, func(r check.Result) bool { return r.Check == "namespace" && r.Status == check.Fault })
	if i >= 0 {
		stop = asked[i].Message
	}
	return slices.Concat(results, asked), stop
}

// asUser asks all that needs credentials, side by side; but what makes the API server work
// only once it is known how long that takes without.
func (o *Options) asUser(ctx context.Context) []check.Result {
	var upgrades []check.Result
	var both sync.WaitGroup
	both.Go(func() { upgrades = o.upgrades(ctx) })
	trip := o.roundTrip(ctx)
	questions := []func(context.Context) []check.Result{o.namespace, o.rights}
	answers := make([][]check.Result, len(questions))
	for i, question := range questions {
		both.Go(func() { answers[i] = question(ctx) })
	}
	version := o.version(ctx)
	both.Wait()
	return slices.Concat([]check.Result{trip, version}, upgrades, slices.Concat(answers...))
}

// NotAsked are the results of all checks where none could be made.
func NotAsked(why string) (results []check.Result) {
	for _, name := range []string{"reachable", "certificate", "credentials", "round-trip", "version", "upgrade-spdy",
		"upgrade-websocket", "upgrade-pod-proxy", "namespace", "rights-forward"} {
		results = append(results, notChecked(name, why))
	}
	return results
}

func notChecked(name, why string) check.Result {
	return check.Result{Area: check.APIServer, Check: name, Status: check.NotChecked, Message: why}
}

// unanswered is the result of a check whose question has had no good answer.
func unanswered(name string, err error) check.Result {
	switch {
	case timedOut(err):
		return notChecked(name, "the API server did not answer in time")
	case kube.IsForbidden(err):
		return notChecked(name, "not allowed: "+err.Error())
	}
	return notChecked(name, err.Error())
}

// credentials says whom the API server takes this user for.
func (o *Options) credentials(ctx context.Context) check.Result {
	r := check.Result{Area: check.APIServer, Check: "credentials", Status: check.OK}
	if err := o.Login(); err != nil {
		return unanswered("credentials", err)
	}
	review, err := o.Cluster.Client.AuthenticationV1().SelfSubjectReviews().Create(ctx,
		&authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	switch {
	case err == nil:
		r.Message = "you are " + review.Status.UserInfo.Username
	case apierrors.IsUnauthorized(err), errors.As(err, new(*credential.Error)):
		r.Status, r.Message = check.Fault, "the API server does not accept the credentials"
		r.Evidence = append([]string{err.Error()}, o.expired()...)
		r.Hint = "log in again; 'kubectl auth whoami' shows whom the cluster takes you for"
	case errors.As(err, new(apierrors.APIStatus)): // an older one does not know the question
		r.Message = "accepted"
	default:
		return unanswered("credentials", err)
	}
	return r
}

// namespace says whether it is there.
func (o *Options) namespace(ctx context.Context) []check.Result {
	r := check.Result{Area: check.APIServer, Check: "namespace", Status: check.OK, Message: o.Namespace + " is there"}
	_, err := o.Cluster.Client.CoreV1().Namespaces().Get(ctx, o.Namespace, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		r.Status, r.Message = check.Fault, fmt.Sprintf("no namespace %q", o.Namespace)
		r.Hint = "'kubectl get namespaces' lists those there are; -n names another"
	case kube.IsForbidden(err):
		r = notChecked("namespace", "needs get namespaces")
	case err != nil:
		r = unanswered("namespace", err)
	}
	return []check.Result{r}
}
