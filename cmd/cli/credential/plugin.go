package credential

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/term"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/pkg/apis/clientauthentication"
	"k8s.io/client-go/pkg/apis/clientauthentication/install"
	clientauthenticationv1 "k8s.io/client-go/pkg/apis/clientauthentication/v1"
	clientauthenticationv1beta1 "k8s.io/client-go/pkg/apis/clientauthentication/v1beta1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/devtun/devtun/internal/lines"
)

const (
	// infoVariable is where a plugin finds what is wanted of it.
	infoVariable = "KUBERNETES_EXEC_INFO"

	// endGrace is how long a plugin that is ended may take to clean up, and how long
	// what it has left running may hold its output open.
	endGrace = 500 * time.Millisecond

	// interruptedCode is how shells end when SIGINT has ended what they ran.
	interruptedCode = 130
)

// codecs know the protocol's versions.
var codecs = func() serializer.CodecFactory {
	scheme := runtime.NewScheme()
	install.Install(scheme)
	return serializer.NewCodecFactory(scheme)
}()

// versions of the protocol.
var versions = []schema.GroupVersion{clientauthenticationv1.SchemeGroupVersion,
	clientauthenticationv1beta1.SchemeGroupVersion}

// plugin is a program that gives credentials.
type plugin struct {
	config      *api.ExecConfig
	version     schema.GroupVersion
	cluster     *clientauthentication.Cluster // nil: it is not told which
	environment []string                      // over this process's; see Gate.Login
}

// newPlugin is the plugin that config names.
func newPlugin(config *rest.Config, environment []string) (*plugin, error) {
	p := &plugin{config: config.ExecProvider, environment: environment}
	i := slices.IndexFunc(versions, func(v schema.GroupVersion) bool { return v.String() == p.config.APIVersion })
	if i < 0 {
		return nil, fmt.Errorf("exec plugin: invalid apiVersion %q", p.config.APIVersion)
	}
	p.version = versions[i]
	for _, variable := range p.config.Env {
		p.environment = append(p.environment, variable.Name+"="+variable.Value)
	}
	if p.config.ProvideClusterInfo {
		var err error
		if p.cluster, err = rest.ConfigToExecCluster(config); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func (p *plugin) name() string { return filepath.Base(p.config.Command) }

// needsTerminal reports that it is no use to run it without.
func (p *plugin) needsTerminal() bool {
	return p.config.InteractiveMode == api.AlwaysExecInteractiveMode
}

// notFoundError is that there is no such program.
type notFoundError struct{ command string }

func (e *notFoundError) Error() string {
	return fmt.Sprintf("exec: executable %s not found", e.command)
}

// run runs the plugin once. When ctx ends it is ended, and with it what it has started,
// but for what has made a session of its own. The terminal is then as it was before.
func (p *plugin) run(ctx context.Context, on terminal) (*credentials, error) {
	interactive := on.input != nil
	switch p.config.InteractiveMode {
	case api.NeverExecInteractiveMode:
		interactive = false
	case api.IfAvailableExecInteractiveMode:
		interactive = interactive && !p.config.StdinUnavailable
	case api.AlwaysExecInteractiveMode:
		if !interactive {
			return nil, fmt.Errorf("exec plugin cannot support interactive mode: %s", on.why)
		}
		if p.config.StdinUnavailable {
			return nil, fmt.Errorf("exec plugin cannot support interactive mode: standard input is unavailable: %s",
				p.config.StdinUnavailableMessage)
		}
	default:
		return nil, fmt.Errorf("exec plugin: unknown interactiveMode: %q", p.config.InteractiveMode)
	}
	request := &clientauthentication.ExecCredential{
		Spec: clientauthentication.ExecCredentialSpec{Interactive: interactive, Cluster: p.cluster},
	}
	info, err := runtime.Encode(codecs.LegacyCodec(p.version), request)
	if err != nil {
		return nil, fmt.Errorf("encode ExecCredential: %w", err)
	}

	var output bytes.Buffer
	cmd := exec.CommandContext(ctx, filepath.Clean(p.config.Command), p.config.Args...)
	cmd.Env = append(p.environ(os.Environ()), infoVariable+"="+string(info))
	cmd.Stdout, cmd.Stderr = &output, on.errors
	said := &notes{name: p.name(), to: on.errors, part: lines.Splitter{Max: longestLine}}
	if on.alone {
		cmd.Stderr = said
	}
	if interactive {
		cmd.Stdin = on.input
		if state, err := term.GetState(int(on.input.Fd())); err == nil {
			defer func() {
				if ctx.Err() != nil { // it may have been reading a password
					_ = term.Restore(int(on.input.Fd()), state) // nobody could help it
				}
			}()
		}
	}
	err = runFamily(ctx, cmd, on.alone)
	said.flush()
	if err != nil {
		return nil, p.explain(err, said.last)
	}
	return p.read(output.Bytes())
}

// environ is the plugin's environment, where ours is this.
func (p *plugin) environ(ours []string) (all []string) {
	for _, variable := range ours {
		if name, _, _ := strings.Cut(variable, "="); !slices.Contains(p.environment, name) {
			all = append(all, variable)
		}
	}
	for _, variable := range p.environment {
		if strings.Contains(variable, "=") {
			all = append(all, variable)
		}
	}
	return all
}

// explain makes an error of how the program has ended, with the last that it said if
// nobody has heard it.
func (p *plugin) explain(err error, said string) error {
	var exit *exec.ExitError
	switch {
	case errors.As(err, new(*exec.Error)):
		return &notFoundError{filepath.Clean(p.config.Command)}
	case errors.As(err, &exit) && (interrupted(exit) || exit.ExitCode() == interruptedCode):
		return errInterrupted
	case errors.As(err, &exit):
		err = fmt.Errorf("executable %s failed with exit code %d", filepath.Clean(p.config.Command), exit.ExitCode())
	}
	if said != "" {
		return fmt.Errorf("exec: %w: %s", err, said)
	}
	return fmt.Errorf("exec: %w", err)
}

// read reads what the program has written.
func (p *plugin) read(output []byte) (*credentials, error) {
	if len(bytes.TrimSpace(output)) == 0 {
		return nil, errors.New("exec: plugin wrote nothing")
	}
	answer := &clientauthentication.ExecCredential{}
	_, kind, err := codecs.UniversalDecoder(p.version).Decode(output, nil, answer)
	if err != nil {
		return nil, fmt.Errorf("exec: decoding stdout: %w", err)
	}
	if kind.GroupVersion() != p.version {
		return nil, fmt.Errorf("exec: plugin is configured to use API version %s, plugin returned version %s", p.version,
			kind.GroupVersion())
	}
	status := answer.Status
	switch {
	case status == nil:
		return nil, errors.New("exec: plugin didn't return a status field")
	case (status.ClientCertificateData == "") != (status.ClientKeyData == ""):
		return nil, errors.New("exec: plugin returned only certificate or key, not both")
	case status.Token == "" && status.ClientCertificateData == "":
		return nil, errors.New("exec: plugin didn't return a token or cert/key pair")
	}
	creds := &credentials{token: status.Token}
	if status.ExpirationTimestamp != nil {
		creds.expires = status.ExpirationTimestamp.Time
	}
	if status.ClientCertificateData == "" {
		return creds, nil
	}
	pair, err := tls.X509KeyPair([]byte(status.ClientCertificateData), []byte(status.ClientKeyData))
	if err != nil {
		return nil, fmt.Errorf("exec: failed parsing client key/certificate: %w", err)
	}
	if pair.Leaf, err = x509.ParseCertificate(pair.Certificate[0]); err != nil {
		return nil, fmt.Errorf("exec: failed parsing client leaf certificate: %w", err)
	}
	creds.certificate = &pair
	return creds, nil
}
