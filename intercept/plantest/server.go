package plantest

import (
	"bufio"
	"errors"
	"io"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// Server is an API server of one test.
type Server struct {
	*httptest.Server
	t testing.TB

	mu       sync.Mutex
	objects  map[string]Object // by path
	versions int               // handed out
	orphans  map[string]int    // requests until the garbage collector comes, by path
}

// New starts a server that ends with the test.
func New(t testing.TB) *Server {
	s := &Server{t: t, objects: make(map[string]Object), orphans: make(map[string]int)}
	s.Server = httptest.NewServer(s)
	t.Cleanup(func() {
		s.Client().CloseIdleConnections()
		s.Close()
	})
	return s
}

// kind is a kind of object that the server knows, and where it serves it.
type kind struct {
	prefix, resource, name string
	clusterWide            bool
	size                   string // the field of its spec that its scale is; "": it has no scale
}

var kinds = []kind{
	{"/api/v1", "namespaces", "Namespace", true, ""},
	{"/api/v1", "nodes", "Node", true, ""},
	{"/api/v1", "configmaps", "ConfigMap", false, ""},
	{"/api/v1", "services", "Service", false, ""},
	{"/api/v1", "serviceaccounts", "ServiceAccount", false, ""},
	{"/api/v1", "pods", "Pod", false, ""},
	{"/api/v1", "resourcequotas", "ResourceQuota", false, ""},
	{"/api/v1", "limitranges", "LimitRange", false, ""},
	{"/apis/apps/v1", "deployments", "Deployment", false, ""},
	{"/apis/apps/v1", "statefulsets", "StatefulSet", false, ""},
	{"/apis/apps/v1", "replicasets", "ReplicaSet", false, ""},
	{"/apis/apps/v1", "daemonsets", "DaemonSet", false, ""},
	{"/apis/rbac.authorization.k8s.io/v1", "roles", "Role", false, ""},
	{"/apis/rbac.authorization.k8s.io/v1", "rolebindings", "RoleBinding", false, ""},
	{"/apis/autoscaling/v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler", false, ""},
	{"/apis/policy/v1", "poddisruptionbudgets", "PodDisruptionBudget", false, ""},
	{"/apis/networking.k8s.io/v1", "networkpolicies", "NetworkPolicy", false, ""},
	{"/api/v1", "replicationcontrollers", "ReplicationController", false, "replicas"},
	{"/apis/argoproj.io/v1alpha1", "rollouts", "Rollout", false, "size"}, // which is another than a Deployment's
	{"/apis/kubevirt.io/v1", "virtualmachineinstances", "VirtualMachineInstance", false, ""},
}

// Apply creates or replaces the objects of YAML documents. Those without a
// namespace get "shop".
func (s *Server) Apply(documents string) {
	s.t.Helper()
	reader := utilyaml.NewYAMLReader(bufio.NewReader(strings.NewReader(documents)))
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return
		}
		require.NoError(s.t, err)
		var object Object
		require.NoError(s.t, yaml.Unmarshal(document, &object))
		if len(object) > 0 {
			s.apply(object)
		}
	}
}

func (s *Server) apply(object Object) {
	s.t.Helper()
	for _, k := range kinds {
		if object["kind"] != k.name {
			continue
		}
		collection := k.prefix + "/" + k.resource
		if !k.clusterWide {
			if object.metadata()["namespace"] == nil {
				object.metadata()["namespace"] = "shop"
			}
			collection = k.prefix + "/namespaces/" + object.metadata()["namespace"].(string) + "/" + k.resource
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.put(collection+"/"+object.metadata()["name"].(string), object)
		return
	}
	require.Fail(s.t, "unknown kind", "%v", object["kind"])
}

// Objects is a copy of all there is, without what changes by itself.
func (s *Server) Objects() map[string]Object {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make(map[string]Object)
	for path, object := range s.objects {
		object = object.clone()
		delete(object.metadata(), "resourceVersion")
		all[path] = object
	}
	return all
}

// Object is a copy of one, or nil.
func (s *Server) Object(path string) Object { return s.Objects()[path] }

// Collect has the garbage collector do all that it has to do.
func (s *Server) Collect() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.orphans) > 0 {
		s.collect()
	}
}

// Put replaces an object, as somebody else would.
func (s *Server) Put(path string, object Object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put(path, object)
}

// Delete removes an object, as somebody else would.
func (s *Server) Delete(path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove(path)
}
