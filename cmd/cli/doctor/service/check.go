package service

import (
	"context"
	"fmt"
	"time"

	"k8s.io/client-go/kubernetes"

	"github.com/devtun/devtun/cmd/cli/doctor/check"
	"github.com/devtun/devtun/tunnel"
)

// readTimeout bounds the lists of a namespace, lookTimeout what is asked after them.
const (
	readTimeout = 2 * time.Second
	lookTimeout = 1500 * time.Millisecond
)

// Options is what is to be checked, and by what.
type Options struct {
	Client    kubernetes.Interface
	Namespace string
	// Asked is SERVICE[:PORT], SERVICE.NAMESPACE, svc/SERVICE, WORKLOAD or KIND/WORKLOAD; "" for all
	// services of the namespace, in brief.
	Asked string
	// Dial opens a connection to a port of a pod; nil: none is opened.
	Dial func(ctx context.Context, pod tunnel.Pod, port int) (tunnel.Conn, error)
}

// Check checks what was asked.
func Check(ctx context.Context, o Options) ([]check.Result, Found) {
	asked, err := parse(o.Asked, o.Namespace)
	if err != nil {
		return []check.Result{fault("service", "%v", err)}, Found{}
	}
	w := read(ctx, o.Client, asked.namespace)
	if why, unread := w.unread["services"]; unread {
		return []check.Result{notChecked("service", why)}, Found{}
	}
	if w.absent {
		return []check.Result{w.noNamespace()}, Found{}
	}
	if asked.name == "" {
		return w.brief(ctx, o)
	}
	subjects, missing := w.subjects(asked)
	if missing != nil {
		return []check.Result{*missing}, Found{}
	}
	w.look(ctx, o, subjects, true)
	var results []check.Result
	for _, s := range subjects {
		results = append(results, s.results()...)
	}
	return results, subjects[0].found()
}

// result is one of this area.
func result(status check.Status, name, format string, args ...any) check.Result {
	return check.Result{Area: check.Service, Check: name, Status: status, Message: fmt.Sprintf(format, args...)}
}

func ok(name, format string, args ...any) check.Result {
	return result(check.OK, name, format, args...)
}

func warning(name, format string, args ...any) check.Result {
	return result(check.Warning, name, format, args...)
}

func fault(name, format string, args ...any) check.Result {
	return result(check.Fault, name, format, args...)
}

func notChecked(name, why string) check.Result { return result(check.NotChecked, name, "%s", why) }

// because adds the words of others, and then what to do.
func because(r check.Result, hint string, evidence ...string) check.Result {
	r.Hint, r.Evidence = hint, evidence
	return r
}
