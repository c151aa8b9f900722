package plan

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/devtun/devtun/intercept/claim"
)

// What stands, in the bodies of a plan's requests, for UIDs that are known only
// once the objects have been made.
const (
	RootUID = "{devtun.root.uid}" // of the plan's Root
	PlanUID = "{devtun.plan.uid}" // of the ConfigMap that holds the plan
)

// Key is where the ConfigMap of a plan has it, for Parse.
const Key = "plan.json"

// ErrNone says that no such intercept stands.
var ErrNone = errors.New("no such intercept")

// Held is an intercept that stands, and who holds it.
type Held struct {
	*Plan
	Claims []claim.Claim // in the order of joining; none if an older devtun made it
	Ending bool          // it is being restored
}

// StandingError says that another intercept of the same name stands.
type StandingError struct{ Held }

func (e *StandingError) Error() string {
	what := e.Workload.String() + " is intercepted"
	if e.Mode == Relay {
		what = "the relay of namespace " + e.Namespace + " is held"
	}
	if len(e.Claims) == 0 {
		return fmt.Sprintf("%s by %s on %s since %s", what, e.Owner.User, e.Owner.Machine,
			e.Owner.Since.Local().Format(time.DateTime))
	}
	var holders []string
	for _, c := range e.Claims {
		holders = append(holders, c.Owner()+" since "+c.Since.Local().Format(time.DateTime))
	}
	return what + " by " + strings.Join(holders, ", and by ")
}

// standing is the error of who finds it instead of nothing.
func (s *stored) standing() *StandingError {
	return &StandingError{Held{s.plan, s.Claims, s.Ending}}
}

// configMap is the ConfigMap of a plan, as far as it matters here.
type configMap struct {
	APIVersion string            `json:"apiVersion,omitempty"`
	Kind       string            `json:"kind,omitempty"`
	Metadata   metadata          `json:"metadata"`
	Data       map[string]string `json:"data,omitempty"`
}

type metadata struct {
	Name              string            `json:"name"`
	Namespace         string            `json:"namespace,omitempty"`
	UID               string            `json:"uid,omitempty"`
	ResourceVersion   string            `json:"resourceVersion,omitempty"`
	DeletionTimestamp *time.Time        `json:"deletionTimestamp,omitempty"`
	Labels            map[string]string `json:"labels,omitempty"`
	Annotations       map[string]string `json:"annotations,omitempty"`
	OwnerReferences   []owner           `json:"ownerReferences,omitempty"`
}

// owner is a reference to one: with the last of them an object goes.
type owner struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Name       string `json:"name"`
	UID        string `json:"uid"`
}

// ours reports that it is there for an intercept, whichever.
func (c configMap) ours() bool { return c.Metadata.Labels[InterceptLabel] != "" }

// Labels of every object that an intercept makes.
func Labels(intercept string) map[string]string {
	return map[string]string{ManagedByLabel: ManagedBy, InterceptLabel: LabelValue(intercept)}
}

// Store is the request that stores the plan, the first of all, with the claim of who
// begins the intercept.
func (p *Plan) Store(c claim.Claim) (Request, error) {
	text, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return Request{}, fmt.Errorf("write plan: %w", err)
	}
	claims, err := json.Marshal(holding{Claims: []claim.Claim{c}})
	if err != nil {
		return Request{}, fmt.Errorf("write claims: %w", err)
	}
	body, err := json.Marshal(configMap{
		APIVersion: "v1",
		Kind:       "ConfigMap",
		Metadata: metadata{
			Name: ObjectName(p.Name), Namespace: p.Namespace, Labels: Labels(p.Name),
			Annotations: map[string]string{
				TouchedPrefix + c.ID: formatTime(c.Since), IdentityAnnotation: p.Identity,
			},
		},
		Data: map[string]string{Key: string(text), ClaimsKey: string(claims)},
	})
	if err != nil {
		return Request{}, fmt.Errorf("write plan: %w", err)
	}
	return Request{Method: http.MethodPost, Path: configMapsPath(p.Namespace), ContentType: JSON, Body: body}, nil
}

// Remove is the removal of an intercept whose root is at a path.
func Remove(root, namespace, intercept string) Removal {
	return Removal{Root: deletion(root, RootUID), Plan: deletion(configMapPath(namespace, intercept), PlanUID)}
}

// deletion deletes one object, that very one, and with it, a little later, all that
// it owns.
func deletion(path, uid string) Request {
	return Request{
		Method: http.MethodDelete, Path: path, ContentType: JSON,
		Body: json.RawMessage(`{"apiVersion":"v1","kind":"DeleteOptions","propagationPolicy":"Background",` +
			`"preconditions":{"uid":"` + uid + `"}}`),
	}
}

// filled is the request with a UID put in for what stands for it.
func (r Request) filled(placeholder, uid string) Request {
	r.Body = bytes.ReplaceAll(r.Body, []byte(placeholder), []byte(uid))
	return r
}

// configMapsPath is where a namespace's ConfigMaps are, "" for those of all.
func configMapsPath(namespace string) string {
	if namespace == "" {
		return "/api/v1/configmaps"
	}
	return "/api/v1/namespaces/" + url.PathEscape(namespace) + "/configmaps"
}

func configMapPath(namespace, intercept string) string {
	return configMapsPath(namespace) + "/" + url.PathEscape(ObjectName(intercept))
}

// load reads a stored plan and its ConfigMap. The error is ErrNone if there is
// none that ref names.
func load(ctx context.Context, client *Client, ref Ref) (*Plan, configMap, error) {
	var stored configMap
	answer, err := client.send(ctx, Request{Method: http.MethodGet, Path: configMapPath(ref.Namespace, ref.Name)})
	if refused(err, http.StatusNotFound) {
		return nil, stored, ErrNone
	}
	if err != nil {
		return nil, stored, fmt.Errorf("read plan: %w", err)
	}
	if err := json.Unmarshal(answer, &stored); err != nil {
		return nil, stored, fmt.Errorf("read plan: %w", err)
	}
	if stored.Metadata.DeletionTimestamp != nil {
		return nil, stored, ErrNone
	}
	p, err := Parse([]byte(stored.Data[Key]))
	var version *VersionError
	switch {
	case err != nil && ref.Identity != "" && (errors.As(err, &version) || !stored.ours()):
		return nil, stored, ErrNone // whatever it is, it is not the one that is asked for
	case err != nil:
		return nil, stored, fmt.Errorf("ConfigMap %q: %w", stored.Metadata.Name, err)
	}
	if ref.Identity != "" && ref.Identity != p.Identity {
		return nil, stored, ErrNone
	}
	return p, stored, nil
}

// ParseHeld reads the ConfigMap of a plan. One of another version is a *VersionError.
func ParseHeld(data map[string]string) (Held, error) {
	p, err := Parse([]byte(data[Key]))
	if err != nil {
		return Held{}, err
	}
	h, _, err := parseHolding(data)
	return Held{p, h.Claims, h.Ending}, err
}

// List returns the intercepts that stand in a namespace, "" for all, and an error that joins
// what keeps others from being read.
func List(ctx context.Context, client *Client, namespace string) ([]Held, error) {
	answer, err := client.send(ctx, Request{Method: http.MethodGet,
		Path: configMapsPath(namespace) + "?labelSelector=" + url.QueryEscape(InterceptLabel)})
	if err != nil {
		return nil, fmt.Errorf("list intercepts: %w", err)
	}
	var list struct {
		Items []configMap `json:"items"`
	}
	if err := json.Unmarshal(answer, &list); err != nil {
		return nil, fmt.Errorf("list intercepts: %w", err)
	}
	var all []Held
	var unreadable []error
	for _, stored := range list.Items {
		held, err := ParseHeld(stored.Data)
		if err != nil {
			unreadable = append(unreadable, fmt.Errorf("ConfigMap %q: %w", stored.Metadata.Name, err))
			continue
		}
		all = append(all, held)
	}
	return all, errors.Join(unreadable...)
}
