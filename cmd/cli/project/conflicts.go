package project

import (
	"cmp"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"

	"github.com/devtun/devtun/intercept/target"
)

// checkConflicts refuses intercepts, and environments, that would be in each other's way: of
// one workload, into one file, or for one local port. What only the cluster tells, as whether two
// services are of one workload, is looked at when the workloads have been found.
func (d *document) checkConflicts(p *Project) error {
	places := make(map[string]string) // what is written where, by the path
	ports := make(map[string]string)  // whose local ports these are, by host and port
	for i, c := range p.Intercepts {
		at := fmt.Sprintf("$.intercepts[%d]", i)
		for _, other := range p.Intercepts[:i] {
			if p.same(other, c) {
				return d.at(at+".workload", "list it once, with all its ports", "%s is intercepted twice", twice(other, c))
			}
		}
		if err := d.checkPlaces(at, c.Workload, c.EnvFile, c.EnvJSON, c.Files, places); err != nil {
			return err
		}
		if err := d.checkPorts(at, c, ports); err != nil {
			return err
		}
	}
	for i, e := range p.Env {
		at := fmt.Sprintf("$.env[%d]", i)
		for _, other := range p.Env[:i] {
			if other.Workload == e.Workload && other.Namespace == e.Namespace && other.Container == e.Container {
				return d.at(at+".workload", "list it once, with all that is wanted of it", "%s is listed twice", e.Workload)
			}
		}
		if err := d.checkPlaces(at, e.Workload, e.EnvFile, e.EnvJSON, e.Files, places); err != nil {
			return err
		}
	}
	return nil
}

// same reports that two intercepts name one workload, as far as their names tell: a bare
// name is a service's first of all.
func (p *Project) same(a, b Intercept) bool {
	kindA, nameA, errA := target.ParseName(a.Workload)
	kindB, nameB, errB := target.ParseName(b.Workload)
	if errA != nil || errB != nil { // which is told when they are looked for
		return a.Workload == b.Workload
	}
	const service = "Service"
	return nameA == nameB && cmp.Or(a.Namespace, p.Namespace) == cmp.Or(b.Namespace, p.Namespace) &&
		(kindA == kindB || cmp.Or(kindA, service) == service && cmp.Or(kindB, service) == service)
}

// twice names a workload that is intercepted twice.
func twice(a, b Intercept) string {
	if a.Workload == b.Workload {
		return a.Workload
	}
	return fmt.Sprintf("%s, which is %s,", b.Workload, a.Workload)
}

// checkPlaces refuses a file or folder that something else is written to.
func (d *document) checkPlaces(at, workload, envFile, envJSON, files string, places map[string]string) error {
	keys := []struct{ name, path string }{{"envFile", envFile}, {"envJson", envJSON}, {"files", files}}
	for _, key := range keys {
		if key.path == "" {
			continue
		}
		place := d.place(key.path)
		for other, what := range places {
			if other == place || within(other, place) || within(place, other) {
				return d.at(at+"."+key.name, "give each a place of its own", "%s is in the way of %s", key.path, what)
			}
		}
		places[place] = fmt.Sprintf("the %s of %s", key.name, workload)
	}
	return nil
}

// place is a path from the file's folder, links resolved as far as it is there.
func (d *document) place(path string) string {
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(d.path), path)
	}
	if absolute, err := filepath.Abs(path); err == nil {
		path = absolute
	}
	if folder, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		path = filepath.Join(folder, filepath.Base(path))
	}
	return path
}

// within reports that a path is below a folder.
func within(path, folder string) bool {
	return strings.HasPrefix(path, folder+string(filepath.Separator))
}

// checkPorts refuses a local port that another intercept's process listens on. Within
// one intercept two of a service's ports may lead to one of the container's.
func (d *document) checkPorts(at string, c Intercept, ports map[string]string) error {
	for i, port := range c.Ports {
		local, _, two := strings.Cut(port, ":")
		if !two {
			continue // it is the container's number, which the cluster tells
		}
		address := host(c.To) + ":" + local
		if other, taken := ports[address]; taken && other != at {
			return d.at(fmt.Sprintf("%s.ports[%d]", at, i), "give each its own local port",
				"the local port %s is another intercept's already", local)
		}
		ports[address] = at
	}
	return nil
}

// host is where a process listens, "" for this machine.
func host(to string) string {
	addr, err := netip.ParseAddr(to)
	if to == "localhost" || err == nil && (addr.IsUnspecified() || addr.IsLoopback()) {
		return ""
	}
	return to
}
