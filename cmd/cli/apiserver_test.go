package cli

import (
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	apiversion "k8s.io/apimachinery/pkg/version"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"

	"github.com/devtun/devtun/intercept/target"
)

// apiServer is as much of an API server as devtun asks before it changes anything
// or makes the first connection: objects that never change, and who may do what.
type apiServer struct {
	objects      []unstructured.Unstructured
	denied       []string // as right.String writes them
	forbidden    []string // namespaces of which nothing is listed; "all" for all at once, "namespaces" for themselves
	unauthorized bool
	noUpgrades   bool          // something on the way refuses them
	ahead        time.Duration // its clock
}

// readObjects reads the documents of a YAML file.
func readObjects(text string) ([]unstructured.Unstructured, error) {
	var objects []unstructured.Unstructured
	for document := range strings.SplitSeq(text, "\n---\n") {
		var object unstructured.Unstructured
		if err := yaml.Unmarshal([]byte(document), &object.Object); err != nil {
			return nil, err
		}
		object.SetResourceVersion("1")
		objects = append(objects, object)
	}
	return objects, nil
}

// start serves the API; the caller closes the server.
func (s *apiServer) start() *httptest.Server {
	server := httptest.NewUnstartedServer(s.handler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // clients that do not trust it, on purpose
	server.EnableHTTP2 = true                           // as API servers do: one connection has all requests
	server.StartTLS()
	return server
}

func (s *apiServer) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/namespaces", s.collection("Namespace"))
	mux.HandleFunc("GET /api/v1/namespaces/{name}", s.namespace)
	mux.HandleFunc("GET /api/v1/services", s.collection("Service"))
	mux.HandleFunc("GET /api/v1/namespaces/{namespace}/services", s.collection("Service"))
	mux.HandleFunc("GET /apis/discovery.k8s.io/v1/endpointslices", s.collection("EndpointSlice"))
	mux.HandleFunc("GET /apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices", s.collection("EndpointSlice"))
	for kind, path := range collections {
		mux.HandleFunc("GET "+path, s.collection(kind))
		mux.HandleFunc("GET "+strings.Replace(path, "/namespaces/{namespace}", "", 1), s.collection(kind))
	}
	mux.HandleFunc("POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews", s.review)
	mux.HandleFunc("GET /version", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, apiversion.Info{Major: "1", Minor: "36", GitVersion: "v1.36.0"})
	})
	mux.HandleFunc("/api/v1/namespaces/{namespace}/pods/{pod}/portforward", noPod)
	mux.HandleFunc("/api/v1/namespaces/{namespace}/pods/{pod}/proxy/", noPod)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", time.Now().Add(s.ahead).UTC().Format(http.TimeFormat))
		if s.noUpgrades && r.Header.Get("Upgrade") != "" {
			http.Error(w, "no upgrades", http.StatusBadRequest)
			return
		}
		if s.unauthorized {
			refuse(w, apierrors.NewUnauthorized("Unauthorized"))
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// noPod answers for a pod that is not there.
func noPod(w http.ResponseWriter, r *http.Request) {
	refuse(w, apierrors.NewNotFound(schema.GroupResource{Resource: "pods"}, r.PathValue("pod")))
}

// collections are where the server has the kinds that intercepts look at.
var collections = map[string]string{
	"ConfigMap":               "/api/v1/namespaces/{namespace}/configmaps",
	"ResourceQuota":           "/api/v1/namespaces/{namespace}/resourcequotas",
	"LimitRange":              "/api/v1/namespaces/{namespace}/limitranges",
	"Pod":                     "/api/v1/namespaces/{namespace}/pods",
	"Deployment":              "/apis/apps/v1/namespaces/{namespace}/deployments",
	"StatefulSet":             "/apis/apps/v1/namespaces/{namespace}/statefulsets",
	"ReplicaSet":              "/apis/apps/v1/namespaces/{namespace}/replicasets",
	"DaemonSet":               "/apis/apps/v1/namespaces/{namespace}/daemonsets",
	"HorizontalPodAutoscaler": "/apis/autoscaling/v2/namespaces/{namespace}/horizontalpodautoscalers",
	"PodDisruptionBudget":     "/apis/policy/v1/namespaces/{namespace}/poddisruptionbudgets",
	"NetworkPolicy":           "/apis/networking.k8s.io/v1/namespaces/{namespace}/networkpolicies",
}

// collection lists or watches the objects of a kind.
func (s *apiServer) collection(kind string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		selector, err := labels.Parse(r.URL.Query().Get("labelSelector"))
		if err != nil {
			refuse(w, apierrors.NewBadRequest(err.Error()))
			return
		}
		namespace := r.PathValue("namespace")
		if s.forbids(kind, namespace) {
			refuse(w, apierrors.NewForbidden(schema.GroupResource{Resource: kind}, "", errors.New("not for you")))
			return
		}
		fields, err := fields.ParseSelector(r.URL.Query().Get("fieldSelector"))
		if err != nil {
			refuse(w, apierrors.NewBadRequest(err.Error()))
			return
		}
		found := []unstructured.Unstructured{}
		for _, object := range s.objects {
			if object.GetKind() == kind && selector.Matches(labels.Set(object.GetLabels())) &&
				named(fields, object.GetName()) &&
				(namespace == "" || namespace == object.GetNamespace()) {
				found = append(found, object)
			}
		}
		if r.URL.Query().Get("watch") == "true" {
			watch(w, r, kind, found)
			return
		}
		answer(w, http.StatusOK, map[string]any{
			"apiVersion": version1(kind), "kind": kind +
				"List", "metadata": metav1.ListMeta{ResourceVersion: "1"}, "items": items(found),
		})
	}
}

// forbids reports whether a collection may not be listed.
func (s *apiServer) forbids(kind, namespace string) bool {
	switch {
	case kind == "Namespace":
		namespace = "namespaces"
	case namespace == "":
		namespace = "all"
	}
	return slices.Contains(s.forbidden, namespace)
}

// named reports whether fields select an object of that name.
func named(selected fields.Selector, name string) bool {
	wanted, asked := selected.RequiresExactMatch("metadata.name")
	return !asked || wanted == name
}

// watch sends what there is, if asked to, and then nothing until the client goes.
func watch(w http.ResponseWriter, r *http.Request, kind string, found []unstructured.Unstructured) {
	w.Header().Set("Content-Type", "application/json")
	events := json.NewEncoder(w)
	if r.URL.Query().Get("sendInitialEvents") == "true" {
		for _, object := range items(found) {
			events.Encode(map[string]any{"type": "ADDED", "object": object})
		}
		events.Encode(map[string]any{"type": "BOOKMARK", "object": map[string]any{
			"apiVersion": version1(kind), "kind": kind,
			"metadata": metav1.ObjectMeta{ResourceVersion: "1",
				Annotations: map[string]string{metav1.InitialEventsAnnotationKey: "true"}},
		}})
	}
	http.NewResponseController(w).Flush()
	<-r.Context().Done()
}

func items(objects []unstructured.Unstructured) []map[string]any {
	list := []map[string]any{}
	for _, object := range objects {
		list = append(list, object.Object)
	}
	return list
}

// version1 is the API version of a kind.
func version1(kind string) string {
	path, ok := collections[kind]
	switch {
	case kind == "EndpointSlice":
		return "discovery.k8s.io/v1"
	case ok && strings.HasPrefix(path, "/apis/"):
		group, _, _ := strings.Cut(strings.TrimPrefix(path, "/apis/"), "/namespaces/")
		return group
	}
	return "v1"
}

func (s *apiServer) namespace(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	i := slices.IndexFunc(s.objects,
		func(o unstructured.Unstructured) bool { return o.GetKind() == "Namespace" && o.GetName() == name })
	if i < 0 {
		refuse(w, apierrors.NewNotFound(schema.GroupResource{Resource: "namespaces"}, name))
		return
	}
	answer(w, http.StatusOK, s.objects[i].Object)
}

// review says whether the client may do something.
func (s *apiServer) review(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client has gone
	}
	object, _, err := scheme.Codecs.UniversalDeserializer().Decode(body, nil, nil)
	review, ok := object.(*authorizationv1.SelfSubjectAccessReview)
	if err != nil || !ok {
		refuse(w, apierrors.NewBadRequest("not a SelfSubjectAccessReview"))
		return
	}
	asked := review.Spec.ResourceAttributes
	wanted := target.Right{ // for all names
		Verb: asked.Verb, Group: asked.Group, Resource: asked.Resource, Subresource: asked.Subresource,
	}
	review.APIVersion, review.Kind = "authorization.k8s.io/v1", "SelfSubjectAccessReview"
	review.Status.Allowed = !slices.Contains(s.denied, wanted.String())
	answer(w, http.StatusCreated, review)
}

func refuse(w http.ResponseWriter, err error) {
	var status *apierrors.StatusError
	errors.As(err, &status)
	object := status.Status()
	object.APIVersion, object.Kind = "v1", "Status"
	answer(w, int(object.Code), object)
}

func answer(w http.ResponseWriter, code int, object any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	json.NewEncoder(w).Encode(object) // the client may have gone
}
