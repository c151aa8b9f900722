package machine

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/devtun/devtun/cmd/cli/doctor/check"
	"github.com/devtun/devtun/cmd/cli/kube"
	"github.com/devtun/devtun/dns"
	"github.com/devtun/devtun/dns/hostsfile"
)

// names says what the hosts file has of dead sessions, and of others who give the names of
// the services that are asked about.
func (o *Options) names(ctx context.Context) []check.Result {
	hosts, err := hostsfile.New(o.HostsFile)
	var foreign []byte
	if err == nil {
		foreign, err = hostsfile.Foreign(hosts.Path())
	}
	if err != nil {
		r := result("hosts-file", check.Fault, "the hosts file cannot be read")
		r.Evidence = []string{err.Error()}
		return []check.Result{r}
	}
	results := []check.Result{readable(hosts.Path()), staleNames(hosts)}
	services := o.services(ctx)
	if services == nil {
		return append(results, result("other-names", check.NotChecked, "the services of the namespace are not known"))
	}
	given, err := hostsfile.Given(hosts.Path(), services)
	if err != nil {
		return append(results, result("other-names", check.NotChecked, err.Error()))
	}
	return append(results, otherNames(hosts.Path(), string(foreign), given))
}

// readable says whether everybody may read the hosts file, which this process has just read.
func readable(path string) check.Result {
	r := result("hosts-file", check.OK, path)
	const everybody = 0o444
	if info, err := os.Stat(path); err == nil && runtime.GOOS != "windows" && info.Mode()&everybody != everybody {
		r.Status, r.Message = check.Warning, "not everybody may read "+path+": programs of others do not find its names"
		r.Evidence = []string{"its mode is " + info.Mode().String()}
		r.Hint = "sudo chmod 644 " + path
	}
	return r
}

// staleNames says whether dead sessions have left something.
func staleNames(hosts *hostsfile.File) check.Result {
	stale, err := hosts.Stale()
	switch {
	case err != nil:
		return result("stale-names", check.NotChecked, err.Error())
	case stale:
		r := result("stale-names", check.Fault, "names of a devtun that has ended lead nowhere, in "+hosts.Path())
		r.Hint = "devtun clean"
		return r
	}
	return result("stale-names", check.OK, "none")
}

// services are the names by which the services that are asked about are called here; nil if
// they are not known.
func (o *Options) services(ctx context.Context) (names []string) {
	if o.Cluster == nil {
		return nil
	}
	services := []string{o.Service}
	if o.Service == "" {
		if o.Login() != nil {
			return nil
		}
		list, err := o.Cluster.Client.CoreV1().Services(o.Namespace).List(ctx,
			metav1.ListOptions{LabelSelector: kube.UserServices("")})
		if err != nil {
			return nil
		}
		services = services[:0]
		for _, service := range list.Items {
			services = append(services, service.Name)
		}
	}
	naming := dns.Naming{Default: o.Namespace, Taken: o.Cluster.Reserved}
	names = []string{}
	for _, service := range services {
		of, _ := naming.Names(dns.Service{Namespace: o.Namespace, Name: service}) // one that has none has no trouble
		names = append(names, of...)
	}
	return names
}

// otherNames judges who gives the names of services.
func otherNames(path, foreign string, given hostsfile.Holders) check.Result {
	const name = "other-names"
	var evidence []string
	for _, conflict := range given.Foreign {
		evidence = append(evidence, fmt.Sprintf("%s has %s for %s%s", path, conflict.Addr, conflict.Name,
			toolOf(foreign, conflict.Addr)))
	}
	if evidence != nil {
		first := given.Foreign[0]
		r := result(name, check.Fault, fmt.Sprintf("%s leads to %s by a line of the hosts file that is not devtun's",
			first.Name, first.Addr))
		r.Evidence = few(evidence)
		r.Hint = "end the tool that has written it, or take the line out of " + path
		return r
	}
	for _, session := range given.Sessions {
		evidence = append(evidence, fmt.Sprintf("devtun with pid %d gives %s", session.Owner.PID,
			strings.Join(session.Names, ", ")))
	}
	switch len(given.Sessions) {
	case 0:
		return result(name, check.OK, "nobody else gives names of these services")
	case 1:
		r := result(name, check.OK, fmt.Sprintf("a devtun that runs gives them (pid %d)", given.Sessions[0].Owner.PID))
		return r
	}
	r := result(name, check.Warning, fmt.Sprintf("%d sessions give names of the same services", len(given.Sessions)))
	r.Evidence = few(evidence)
	r.Hint = "'devtun status' lists them; end one with 'devtun down NAME'"
	return r
}

// few are the first of many lines.
func few(lines []string) []string {
	const most = 5
	if len(lines) > most {
		lines = append(lines[:most:most], fmt.Sprintf("and %d more", len(lines)-most))
	}
	return lines
}

// toolOf says which tool has written the line with an address, if it says so itself.
func toolOf(foreign, address string) string {
	lower := strings.ToLower(foreign)
	for line := range strings.Lines(lower) {
		if fields := strings.Fields(line); len(fields) == 0 || fields[0] != address {
			continue
		}
		for _, tool := range tools {
			if strings.Contains(line, tool) {
				return ", of " + tool
			}
		}
	}
	for _, tool := range tools {
		if strings.Contains(lower, tool) {
			return "; the file names " + tool
		}
	}
	return ""
}

var tools = []string{"kubefwd", "telepresence", "mirrord", "docker desktop", "tailscale", "krelay"}
