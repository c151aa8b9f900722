// Package fetch has the environment and the files of a workload's container here, without
// taking anything over: by a Job whose pod hands them over and ends.
//
//	given, err := fetch.From(ctx, cluster, namespace, options, out, nil)
//	… given.Command(own)
//	err = given.Close()                                 // removes the files
//
// The Job is made first and owns all else that is made. The cluster itself removes it when
// its time is over, so that nothing stays of a devtun that is killed; nothing of the user's
// is changed. What the agent's program comes in, and why its pod does not come, is as for
// an intercept.
package fetch

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"

	"github.com/devtun/devtun/cmd/cli/agents"
	"github.com/devtun/devtun/cmd/cli/image"
	"github.com/devtun/devtun/cmd/cli/intercept"
	"github.com/devtun/devtun/cmd/cli/kube"
	"github.com/devtun/devtun/cmd/cli/output"
	session "github.com/devtun/devtun/intercept"
	"github.com/devtun/devtun/intercept/handover"
	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/intercept/target"
	"github.com/devtun/devtun/intercept/wire"
)

// feature is what devtun rbac calls it.
const feature = "run-as"

// fetch is what is to be fetched, once it is found.
type fetch struct {
	options       *intercept.Options
	cluster       *kube.Cluster
	out           output.Writer
	target        *target.Target
	circumstances *target.Circumstances
}

// From fetches environment and files of the workload that options name, and has them where
// options say. Of the options it takes what concerns them, the container, the agent's image
// and the transport; they are valid. show, unless nil, is told before anything comes where the
// container has its files. The caller closes what From returns.
func From(ctx context.Context, cluster *kube.Cluster, namespace string, options *intercept.Options,
	out output.Writer, show func(given *handover.Handover, mounts []string)) (*handover.Handover, error) {
	f := &fetch{options: options, cluster: cluster, out: out}
	if err := f.find(ctx, namespace); err != nil {
		return nil, err
	}
	p, err := f.plan(ctx, f.circumstances.Architectures()[0])
	if err != nil {
		return nil, err
	}
	given, err := options.OpenHandover(func(text string) { out.Write(output.Note{Message: text}) })
	if err != nil {
		return nil, err
	}
	given.Include(session.NamedOf(p))
	if mounts := session.MountsOf(p); show != nil && len(mounts) > 0 {
		show(given, mounts)
	}
	if err := f.take(ctx, p, given); err != nil {
		return nil, errors.Join(agents.Advise(feature, err), given.Close())
	}
	f.tell(given)
	return given, nil
}

// find finds the workload, and what has a say there.
func (f *fetch) find(ctx context.Context, namespace string) error {
	if err := f.cluster.LogIn(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, kube.Timeout)
	defer cancel()
	if err := f.cluster.CheckNamespace(ctx, namespace); err != nil {
		return err
	}
	missing, err := agents.MissingRights(ctx, f.cluster, namespace, target.HandOverRights())
	if err != nil {
		return err
	}
	reading := func(r target.Right) bool { return r.Without == "" && r.Verb == "list" }
	if slices.ContainsFunc(missing, reading) { // others may be granted by name
		return agents.RightsProblem(feature, namespace, missing)
	}
	client := f.cluster.Client
	if f.target, err = target.ResolveWorkload(ctx, client, namespace, f.options.Name); err != nil {
		return f.cluster.Elsewhere(ctx, err)
	}
	f.circumstances, err = f.target.LookForHandOver(ctx, client)
	return err
}

// take carries out the plan, which is for the first of the architectures, and then others for
// the next, until one has brought what is wanted.
func (f *fetch) take(ctx context.Context, p *plan.Plan, given *handover.Handover) error {
	all := f.circumstances.Architectures()
	for i, arch := range all {
		a := attempt{fetch: f, plan: p, guessed: len(p.Program) > 0 && i < len(all)-1}
		err := a.run(ctx, given)
		if !a.guessed || !agents.IsOtherArchitecture(err) {
			return err
		}
		f.progress("an agent for %s cannot run there (%v): trying another architecture", arch, err)
		if p, err = f.plan(ctx, all[i+1]); err != nil {
			return err
		}
	}
	return nil
}

// plan computes the plan for an architecture, and checks that this user may carry it out.
func (f *fetch) plan(ctx context.Context, arch string) (*plan.Plan, error) {
	options := target.Options{
		Owner: agents.ThisOwner(), Identity: rand.Text(), Version: wire.Version, Container: f.options.Container,
	}
	named := image.Reference(f.options.Image, f.options.Forward.Kube.Getenv)
	if _, err := agents.SetProgram(ctx, &options, named, arch); err != nil {
		return nil, err
	}
	p, err := f.target.PlanHandOver(f.circumstances, options)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, kube.Timeout)
	defer cancel()
	missing, err := agents.MissingRights(ctx, f.cluster, p.Namespace, target.HandOverRightsOf(p))
	if err == nil && slices.ContainsFunc(missing, func(r target.Right) bool { return r.Without == "" }) {
		err = agents.RightsProblem(feature, p.Namespace, missing)
	}
	return p, err
}

// tell says in one line what is here.
func (f *fetch) tell(given *handover.Handover) {
	variables, files := given.Count()
	count := output.Count(variables, "variable")
	if f.options.Files != "" {
		count += ", " + output.Count(files, "file")
	}
	f.progress("%s of %s, container %s: %s", f.what(), f.target.Workload.Object,
		f.target.ContainerName(f.options.Container), count)
	if note, some := f.target.Unbrought(f.options.Container); some && f.options.Files != "" {
		f.out.Write(output.Note{Message: note.Text, Hint: note.Hint})
	}
}

// what is fetched.
func (f *fetch) what() string {
	if f.options.Files != "" {
		return "environment and files"
	}
	return "environment"
}

func (f *fetch) progress(format string, args ...any) {
	f.out.Write(output.Progress{Message: fmt.Sprintf(format, args...)})
}
