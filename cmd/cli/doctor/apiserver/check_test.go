package apiserver

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/version"

	"github.com/devtun/devtun/cmd/cli/doctor/check"
)

// server is one that answers what is asked, for a user who lacks some rights.
type server struct {
	lacks    []string // as "verb resource" or "verb resource/subresource"
	upgrades http.HandlerFunc
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	switch {
	case r.Header.Get("Upgrade") != "":
		s.upgrades(w, r)
	case r.URL.Path == "/version":
		_ = json.NewEncoder(w).Encode(version.Info{Major: "1", Minor: "36+", GitVersion: "v1.36.1"})
	case strings.HasSuffix(r.URL.Path, "selfsubjectaccessreviews"):
		body, _ := io.ReadAll(r.Body)
		var review authorizationv1.SelfSubjectAccessReview
		if json.Unmarshal(body, &review) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		asked := review.Spec.ResourceAttributes
		right := asked.Verb + " " + asked.Resource
		if asked.Subresource != "" {
			right += "/" + asked.Subresource
		}
		review.Status.Allowed = true
		for _, lack := range s.lacks {
			review.Status.Allowed = review.Status.Allowed && lack != right && lack != "all"
		}
		w.WriteHeader(http.StatusCreated)
		_ = json.NewEncoder(w).Encode(review)
	case strings.HasSuffix(r.URL.Path, "/namespaces/demo"):
		_, _ = io.WriteString(w, `{"kind":"Namespace","apiVersion":"v1","metadata":{"name":"demo"}}`)
	default:
		says(http.StatusNotFound, notFound)(w, r)
	}
}

func TestAServerThatIsWell(t *testing.T) {
	s := &server{upgrades: says(http.StatusNotFound, notFound)}
	results := examine(t, well(t, s.ServeHTTP))
	for _, r := range results {
		if r.Check != "round-trip" { // this machine may be busy
			require.Equal(t, check.OK, r.Status, "%+v", r)
		}
	}
	require.Contains(t, of(t, results, "version").Message, "v1.36.1")
	require.Contains(t, of(t, results, "upgrade-spdy").Message, "no pod to try it with")
}

// TestLinksThatStay on port-forwards say more than the API server's answer does.
func TestLinksThatStay(t *testing.T) {
	s := &server{upgrades: says(http.StatusNotFound, notFound)}
	const kept = "session shop, relay of demo: the link to a goes through a port-forward (no answer within 10s)"
	results := examine(t, well(t, s.ServeHTTP), kept)
	require.Nil(t, check.FirstFault(results))
	require.Equal(t, check.Warning, of(t, results, "upgrade-pod-proxy").Status)
	require.Equal(t, []string{kept}, of(t, results, "upgrade-pod-proxy").Evidence)
}

func TestUpgradesAreRefused(t *testing.T) {
	refuses := says(http.StatusBadRequest, "<html>Bad Request</html>")
	t.Run("all", func(t *testing.T) {
		s := &server{upgrades: refuses}
		results := examine(t, well(t, s.ServeHTTP))
		requireFault(t, results, "upgrade-spdy", "no port-forward passes")
		require.Contains(t, of(t, results, "upgrade-spdy").Evidence[0], "Bad Request")
		require.Equal(t, check.Warning, of(t, results, "upgrade-pod-proxy").Status)
	})
	t.Run("SPDY", func(t *testing.T) {
		s := &server{upgrades: func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Upgrade") == "SPDY/3.1" {
				refuses(w, r)
				return
			}
			says(http.StatusNotFound, notFound)(w, r)
		}}
		results := examine(t, well(t, s.ServeHTTP))
		require.Nil(t, check.FirstFault(results))
		require.Equal(t, check.Warning, of(t, results, "upgrade-spdy").Status)
		require.Contains(t, of(t, results, "upgrade-spdy").Message, "devtun uses WebSocket")
		require.Equal(t, check.OK, of(t, results, "upgrade-websocket").Status)
	})
}

func TestRights(t *testing.T) {
	for name, c := range map[string]struct {
		lacks   []string
		fault   string // a part of the message; "" for none
		warning string // a check that warns; "" for none
	}{
		"none":         {[]string{"all"}, "list services, watch services", "rights-intercept"},
		"port-forward": {[]string{"create pods/portforward"}, "missing are create pods/portforward", "rights-tap"},
		"patch":        {[]string{"patch services"}, "", "rights-intercept"},
		"can do":       {[]string{"list events"}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := &server{upgrades: says(http.StatusNotFound, notFound), lacks: c.lacks}
			results := examine(t, well(t, s.ServeHTTP))
			if c.fault == "" {
				require.Nil(t, check.FirstFault(results))
			} else {
				requireFault(t, results, "rights-forward", c.fault)
				require.Contains(t, of(t, results, "rights-forward").Hint, "devtun rbac forward -n demo")
			}
			if c.warning == "" {
				require.Equal(t, check.OK, of(t, results, "rights-intercept").Status)
				return
			}
			require.Equal(t, check.Warning, of(t, results, c.warning).Status)
		})
	}
}

func TestCredentialsAreNotAccepted(t *testing.T) {
	config := well(t, says(http.StatusUnauthorized, unauthorized))
	claims := base64.RawURLEncoding.EncodeToString([]byte(fmt.Sprintf(`{"exp":%d}`, time.Now().Add(-time.Hour).Unix())))
	config.BearerToken = "e30." + claims + ".c2ln"
	results := examine(t, config)
	requireFault(t, results, "credentials", "does not accept the credentials")
	require.Contains(t, strings.Join(of(t, results, "credentials").Evidence, "\n"), "the token has expired on ")
	require.Equal(t, check.NotChecked, of(t, results, "rights-forward").Status)
}

func TestTheNamespaceIsNotThere(t *testing.T) {
	s := &server{upgrades: says(http.StatusNotFound, notFound)}
	results := examine(t, well(t, func(w http.ResponseWriter, r *http.Request) {
		r.URL.Path = strings.Replace(r.URL.Path, "/namespaces/demo", "/namespaces/other", 1)
		s.ServeHTTP(w, r)
	}))
	requireFault(t, results, "namespace", `no namespace "demo"`)
}

func TestVersions(t *testing.T) {
	for _, c := range []struct {
		minor  string
		client int
		want   check.Status
	}{
		{"37", 37, check.OK}, {"31", 37, check.OK}, {"30+", 37, check.Warning}, {"43", 37, check.OK},
		{"44", 37, check.Warning},
		{"", 37, check.OK}, {"1", 0, check.OK},
	} {
		require.Equal(t, c.want, judge(version.Info{Minor: c.minor}, c.client).Status, "%+v", c)
	}
}

func TestTokenEnd(t *testing.T) {
	for _, token := range []string{"", "opaque", "a.b.c", "e30.e30.", "..", "e30.!!.e30"} {
		_, ok := tokenEnd(token)
		require.False(t, ok, token)
	}
}
