package project

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/devtun/devtun/cmd/cli/carry"
	"github.com/devtun/devtun/intercept/claim"
)

// Values that are one of a few words.
var (
	Transports = []string{"auto", "spdy", "websocket"}
	Relays     = []string{"true", "false", "all", "only-needed"} // the first two are YAML's
	Links      = []string{"auto", "portforward", "proxy"}
	EnvFormats = []string{"dotenv", "docker", "sh", "json"}
)

// check looks for what the types do not tell.
func (d *document) check(p *Project) error {
	if p.Name != "" && !ValidName(p.Name) {
		return d.at("$.name", NameHint, "%q is not a session name", p.Name)
	}
	if err := d.oneOf("$.transport", p.Transport, Transports); err != nil {
		return err
	}
	if err := d.oneOf("$.relay", p.Relay, Relays); err != nil {
		return err
	}
	if err := d.oneOf("$.link", p.Link, Links); err != nil {
		return err
	}
	if p.NoForward && len(p.Intercepts)+len(p.Env)+len(p.Run) == 0 {
		return d.at("$.noForward", "take noForward out, or add intercepts",
			"nothing is forwarded, and nothing is intercepted")
	}
	if err := d.checkForward(p); err != nil {
		return err
	}
	for i := range p.Intercepts {
		if err := d.checkIntercept(p, i); err != nil {
			return err
		}
	}
	for i := range p.Env {
		if err := d.checkEnvironment(p, i); err != nil {
			return err
		}
	}
	if err := d.checkRuns(p); err != nil {
		return err
	}
	return d.checkConflicts(p)
}

func (d *document) checkEnvironment(p *Project, i int) error {
	e, at := p.Env[i], fmt.Sprintf("$.env[%d]", i)
	switch {
	case e.Workload == "":
		return d.at(at+".workload", "add workload: NAME, as deploy/NAME", "an environment is of a workload")
	case e.EnvFile == "" && e.EnvJSON == "" && e.Files == "":
		return d.at(at, "add envFile, envJson or files", "it does not say where the environment of %s is to be", e.Workload)
	}
	return d.checkFormat(at, e.EnvFormat, e.EnvFile)
}

func (d *document) checkFormat(at, format, file string) error {
	if format != "" && file == "" {
		return d.at(at+".envFormat", "add envFile", "envFormat is the format of envFile")
	}
	return d.oneOf(at+".envFormat", format, EnvFormats)
}

func (d *document) checkForward(p *Project) error {
	f, at := p.Forward, "$.forward"
	switch {
	case p.NoForward && !f.empty():
		return d.at(at, "take noForward out, or forward", "noForward and forward cannot be used together")
	case f.AllNamespaces && (len(f.Namespaces) > 0 || p.Namespace != ""):
		return d.at(at+".allNamespaces", "use one of them", "allNamespaces and namespaces cannot be used together")
	case len(f.Services) > 0 && f.Selector != "":
		return d.at(at+".selector", "use one of them", "services and selector cannot be used together")
	}
	for i, port := range f.Ports {
		parts := strings.Split(port, ":")
		if len(parts) != 3 || parts[0] == "" || !isPort(parts[1]) || parts[2] == "" {
			return d.at(fmt.Sprintf("%s.ports[%d]", at, i), "write SERVICE:LOCAL:REMOTE, as in service-front:8080:80",
				"%q does not move a port", port)
		}
		for _, other := range f.Ports[:i] {
			service, rest, _ := strings.Cut(other, ":")
			if local, _, _ := strings.Cut(rest, ":"); service == parts[0] && local == parts[1] && other != port {
				return d.at(fmt.Sprintf("%s.ports[%d]", at, i), "give each its own local port",
					"%q and %q want the same local port", other, port)
			}
		}
	}
	for i := range f.Headers {
		if _, err := carry.Parse(f.Headers[:i+1]); err != nil {
			return d.at(fmt.Sprintf("%s.headers[%d]", at, i), "write 'NAME: VALUE' in quotes, as in 'baggage: devtun=KEY'",
				"%v", err)
		}
	}
	return d.duration(at+".hold", f.Hold)
}

func (f Forward) empty() bool {
	return len(f.Services)+len(f.Namespaces)+len(f.Except)+len(f.Ports)+len(f.Headers) == 0 && !f.AllNamespaces &&
		f.Selector == "" && f.Hold == "" && f.HostsFile == ""
}

func (d *document) checkIntercept(p *Project, i int) error {
	c, at := p.Intercepts[i], fmt.Sprintf("$.intercepts[%d]", i)
	if c.Workload == "" {
		return d.at(at+".workload", "add workload: NAME, of a workload or a service", "an intercept needs a workload")
	}
	for j, port := range c.Ports {
		local, _, two := strings.Cut(port, ":")
		if port == "" || two && !isPort(local) {
			return d.at(fmt.Sprintf("%s.ports[%d]", at, j), "write LOCAL:PORT, as in 3000:80 or 3000:http",
				"%q does not say where a port goes", port)
		}
	}
	for j, header := range c.Match.Headers {
		if _, err := claim.ParseHeader(header); err != nil {
			return d.at(fmt.Sprintf("%s.match.headers[%d]", at, j), "write NAME=VALUE or NAME~REGEXP, as in x-tester=7",
				"%v", err)
		}
	}
	if err := d.duration(at+".grace", c.Grace); err != nil {
		return err
	}
	if c.Grace != "" && c.Grace.Value(0) == 0 {
		return d.at(at+".grace", "write a duration such as 1m, or leave it out", "%q is too short", c.Grace)
	}
	return d.checkFormat(at, c.EnvFormat, c.EnvFile)
}

func isPort(text string) bool {
	number, err := strconv.Atoi(text)
	return err == nil && number > 0 && number < 65536
}

func (d *document) duration(path string, value Duration) error {
	if value == "" {
		return nil
	}
	if parsed, err := time.ParseDuration(string(value)); err != nil || parsed < 0 {
		return d.at(path, "write a duration such as 30s", "%q is not a duration", value)
	}
	return nil
}

func (d *document) oneOf(path, value string, words []string) error {
	if value == "" || slices.Contains(words, value) {
		return nil
	}
	return d.at(path, "one of "+strings.Join(words, ", "), "unknown value %q", value)
}
