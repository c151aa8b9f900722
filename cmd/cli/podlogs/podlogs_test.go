package podlogs

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/devtun/devtun/cmd/cli/live"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server is as much of an API server as logs need. It has a method for each path.
func server(t *testing.T, answers map[string]http.HandlerFunc) kubernetes.Interface {
	t.Helper()
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if answer, is := answers[strings.TrimPrefix(r.URL.Path, "/api/v1/namespaces/demo/pods/")]; is {
			answer(w, r)
			return
		}
		status(w, http.StatusNotFound, "NotFound")
	}))
	t.Cleanup(api.Close)
	config := &rest.Config{Host: api.URL}
	doer, err := rest.HTTPClientFor(config)
	require.NoError(t, err)
	t.Cleanup(doer.CloseIdleConnections)
	client, err := kubernetes.NewForConfigAndClient(config, doer)
	require.NoError(t, err)
	return client
}

func status(w http.ResponseWriter, code int, reason string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":%q,"code":%d}`, reason, code)
}

// said collects lines, and tells of each.
type said struct {
	mu    sync.Mutex
	lines []string
	news  chan struct{}
}

func (s *said) tell(line string) {
	s.mu.Lock()
	s.lines = append(s.lines, line)
	s.mu.Unlock()
	s.news <- struct{}{}
}

func TestFollow(t *testing.T) {
	web := func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("container") == "" {
			status(w, http.StatusBadRequest, "BadRequest")
			return
		}
		fmt.Fprintf(w, "%s %s\n%s\n", r.FormValue("container"), r.FormValue("tailLines"), strings.Repeat("x", 2*longest))
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}
	client := server(t, map[string]http.HandlerFunc{
		"web-7d-a/log": web,
		"web-7d-a": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, `{"kind":"Pod","apiVersion":"v1","spec":{"containers":[{"name":"app"},{"name":"proxy"}]}}`)
		},
		"web-7d-b/log": func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintln(w, "hello")
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		},
	})
	ctx, end := context.WithTimeout(t.Context(), 10*time.Second)
	defer end()
	told := &said{news: make(chan struct{}, 10)}
	ended := make(chan error)
	pods := live.Pods{Namespace: "demo", Names: []string{"web-7d-a", "web-7d-b", "web-7d-gone"}}
	go func() { ended <- Follow(ctx, client, pods, told.tell) }()
	for range 3 {
		<-told.news
	}
	end()
	require.NoError(t, <-ended)
	slices.Sort(told.lines)
	require.Equal(t, []string{"a app 50", "a " + strings.Repeat("x", longest), "b hello"}, told.lines)
}

func TestWithoutTheRight(t *testing.T) {
	client := server(t, map[string]http.HandlerFunc{
		"web/log": func(w http.ResponseWriter, _ *http.Request) { status(w, http.StatusForbidden, "Forbidden") },
	})
	err := Follow(t.Context(), client, live.Pods{Namespace: "demo", Names: []string{"web"}}, nil)
	require.EqualError(t, err, "pods' logs need the right to get pods/log in namespace demo: "+
		"'devtun rbac logs' prints the Role")
	require.EqualError(t, Follow(t.Context(), client, live.Pods{Namespace: "demo"}, nil), "it has no pods")
}
