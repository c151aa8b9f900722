package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"

	"github.com/devtun/devtun/intercept"
	"github.com/devtun/devtun/intercept/plan"
	"github.com/devtun/devtun/intercept/target"
	"github.com/devtun/devtun/intercept/wire"
)

// intercepting is an intercept from its plan to its end.
type intercepting struct {
	options *interceptOptions
	printer *interceptPrinter
	cluster *cluster
	found   *target.Target
	plan    *plan.Plan
	client  *plan.Client
	locals  []intercept.Local
	view    *view  // nil: none
	stands  func() // is called when the traffic comes
}

// plan finds what is to be intercepted, and computes what that takes. It changes
// nothing.
func (o *interceptOptions) plan(ctx context.Context, printer *printer) (*intercepting, error) {
	cluster, err := o.kube.connect()
	if err != nil {
		return nil, err
	}
	selected, err := selectServices(o.services, cluster.namespace)
	if err != nil {
		return nil, err
	}
	printer.of(selected.namespace)
	ctx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	if err := checkNamespace(ctx, cluster, selected.namespace); err != nil {
		return nil, err
	}
	if err := o.checkReading(ctx, cluster, selected.namespace); err != nil {
		return nil, err
	}
	i := &intercepting{options: o, cluster: cluster}
	if i.client, err = planClient(cluster.config); err != nil {
		return nil, err
	}
	if i.found, err = target.Resolve(ctx, cluster.client, selected.namespace, o.name); err != nil {
		return nil, err
	}
	if i.locals, err = o.locals(i.found); err != nil {
		return nil, err
	}
	circumstances, err := i.found.Look(ctx, cluster.client, o.mode())
	if err != nil {
		return nil, err
	}
	i.printer = &interceptPrinter{printer: printer, target: i.found, locals: i.locals, routes: make(map[int]string)}
	for _, note := range slices.Concat(i.found.Notes, circumstances.Notes) {
		i.printer.note(note.Text, note.Hint)
	}
	return i, i.compute(ctx, circumstances)
}

// compute makes the plan, and checks that this user may carry it out. Without the
// right to grant the agent its own, the agent has to do without.
func (i *intercepting) compute(ctx context.Context, circumstances *target.Circumstances) (err error) {
	options := target.Options{
		Mode: i.options.mode(), Owner: thisOwner(), Identity: rand.Text(), Version: wire.Version,
		Image: i.options.agentImage(), PullPolicy: corev1.PullIfNotPresent,
		Container: i.options.container, Grace: i.options.grace,
	}
	if i.plan, err = i.found.Plan(circumstances, options); err != nil || i.options.dryRun {
		return err
	}
	lost, err := i.checkRights(ctx, target.RightsOf(i.plan))
	if err != nil {
		return err
	}
	told := make(map[string]bool)
	for _, right := range lost {
		if !told[right.Without] {
			i.printer.note(fmt.Sprintf("without the right to %s: %s", right, right.Without), fmt.Sprintf("'devtun rbac %s' prints the Role that has it", i.options.feature()))
		}
		told[right.Without] = true
		if grantsRestore(right) && !options.NoRestore {
			options.NoRestore = true
			if i.plan, err = i.found.Plan(circumstances, options); err != nil {
				return err
			}
		}
	}
	return nil
}

// grantsRestore reports that a right is one by which the agent gets its own.
func grantsRestore(right target.Right) bool {
	return right.Resource == "serviceaccounts" || right.Resource == "roles" || right.Resource == "rolebindings"
}

// locals is where the local process listens, for every TCP port of the target's
// or for those asked for.
func (o *interceptOptions) locals(found *target.Target) ([]intercept.Local, error) {
	var locals []intercept.Local
	add := func(port target.Port, number int) error {
		address := net.JoinHostPort(o.to, strconv.Itoa(number))
		for _, l := range locals {
			switch {
			case l.Port == port.Target && l.Address == address:
				return nil // another service leads to the same port
			case l.Port == port.Target:
				return usage("name it once", "port %d of the container is to go to both %s and %s", l.Port, shown(l.Address), shown(address))
			case l.Address == address:
				return usage("give each its own local port with --port LOCAL:PORT", "ports %d and %d of the container are both to go to %s", l.Port, port.Target, shown(address))
			}
		}
		locals = append(locals, intercept.Local{Port: port.Target, Address: address})
		return nil
	}
	if len(o.ports) == 0 {
		for _, port := range found.Ports {
			if port.Protocol == corev1.ProtocolTCP {
				if err := add(port, port.Target); err != nil {
					return nil, err
				}
			}
		}
		return locals, nil
	}
	for _, text := range o.ports {
		number, ports, err := parseLocal(text, found)
		if err != nil {
			return nil, err
		}
		for _, port := range ports {
			if err := add(port, number); err != nil {
				return nil, err
			}
		}
	}
	return locals, nil
}

// shown is a local address for people: without a host it is this machine's.
func shown(address string) string {
	if port, here := strings.CutPrefix(address, ":"); here {
		return "localhost:" + port
	}
	return address
}

// parseLocal reads LOCAL:PORT, or PORT for both, and finds the ports meant.
func parseLocal(text string, found *target.Target) (local int, ports []target.Port, err error) {
	const hint = "write LOCAL:PORT, as in --port 3000:80 or --port 3000:http"
	first, remote, two := strings.Cut(text, ":")
	if !two {
		remote = first
	}
	var names []string
	for _, port := range found.Ports {
		if port.Protocol != corev1.ProtocolTCP {
			continue
		}
		if remote == strconv.Itoa(port.Number) || remote == port.Name && port.Name != "" {
			ports = append(ports, port)
		}
		names = append(names, portLabel(port))
	}
	if len(ports) == 0 {
		return 0, nil, &Problem{Err: fmt.Errorf("no TCP port %q among the services of %s, as --port %s wants", remote, found.Name(), text), Code: ExitNotFound,
			Hint: "there are " + strings.Join(names, ", ")}
	}
	if !two {
		return ports[0].Target, ports, nil
	}
	if local, err = portNumber(first); err != nil {
		return 0, nil, usage(hint, "parse --port %q: %w", text, err)
	}
	return local, ports, nil
}

// portLabel names a service's port for people.
func portLabel(port target.Port) string {
	label := fmt.Sprintf("%s:%d", port.Service, port.Number)
	if port.Name != "" {
		label += " (" + port.Name + ")"
	}
	return label
}

// render prints the plan for --dry-run.
func (i *intercepting) render(out io.Writer) error { return target.Render(out, i.plan) }

// thisOwner is who asks for the intercept, for others to see.
func thisOwner() plan.Owner {
	owner := plan.Owner{Since: time.Now().UTC().Truncate(time.Second)}
	if who, err := user.Current(); err == nil {
		owner.User = who.Username
	}
	if machine, err := os.Hostname(); err == nil {
		owner.Machine = machine
	}
	return owner
}

// planClient speaks to the API server for package plan.
func planClient(config *rest.Config) (*plan.Client, error) {
	doer, err := rest.HTTPClientFor(config)
	if err != nil {
		return nil, noKubeconfig(err)
	}
	base, _, err := rest.DefaultServerUrlFor(config)
	if err != nil {
		return nil, noKubeconfig(err)
	}
	return &plan.Client{Doer: doer, Base: strings.TrimSuffix(base.String(), "/")}, nil
}

// checkReading checks what is needed to find out anything. If that is missing, all
// that an intercept would need is looked at, so that all is named at once.
func (o *interceptOptions) checkReading(ctx context.Context, cluster *cluster, namespace string) error {
	missing, err := missingOf(ctx, cluster, namespace, append(target.Rights(o.mode()), o.forwarding()...))
	if err != nil {
		return err
	}
	reading := func(r target.Right) bool { return r.Without == "" && r.Verb == "list" }
	if !slices.ContainsFunc(missing, reading) {
		return nil // others may be granted by name
	}
	return o.rightsProblem(namespace, missing)
}

// forwarding is what the other services take, if they are to be forwarded.
func (o *interceptOptions) forwarding() []target.Right {
	if o.noForward {
		return nil
	}
	return forwarding()
}

// checkRights returns the rights that an intercept can do without, and an error
// that names all others that are missing.
func (i *intercepting) checkRights(ctx context.Context, rights []target.Right) (lost []target.Right, err error) {
	namespace := i.found.Namespace
	missing, err := missingOf(ctx, i.cluster, namespace, append(rights, i.options.forwarding()...))
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(missing, func(r target.Right) bool { return r.Without == "" }) {
		return nil, i.options.rightsProblem(namespace, missing)
	}
	return missing, nil
}

// missingOf is those of rights that the user lacks in a namespace.
func missingOf(ctx context.Context, cluster *cluster, namespace string, rights []target.Right) (missing []target.Right, err error) {
	of := make(map[right]target.Right)
	var asked []right
	for _, r := range rights {
		plain := right{verb: r.Verb, group: r.Group, resource: r.Resource, subresource: r.Subresource, name: r.Name}
		known, twice := of[plain]
		if !twice {
			asked = append(asked, plain)
		}
		if !twice || known.Without != "" { // what cannot be done without for one thing cannot at all
			of[plain] = r
		}
	}
	lacking, err := cluster.missingRights(ctx, namespace, asked)
	for _, plain := range lacking {
		missing = append(missing, of[plain])
	}
	return missing, err
}

func (o *interceptOptions) rightsProblem(namespace string, missing []target.Right) error {
	var names []string
	for _, r := range missing {
		if r.Without == "" {
			names = append(names, r.String())
		}
	}
	return &Problem{Err: fmt.Errorf("rights are missing in namespace %s: %s", namespace, strings.Join(names, ", ")), Code: ExitRights,
		Hint: fmt.Sprintf("'devtun rbac %s' prints the Role that has them all", o.feature())}
}

var errRestored = errors.New("the intercept no longer stands: it was restored by the agent, which had been without this devtun, or by somebody else")
