package intercept

import (
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/devtun/devtun/intercept/plan"
)

// TestAPlanWithoutTheClaim is as good as none, for the developer whose claim it was.
func TestAPlanWithoutTheClaim(t *testing.T) {
	w := newWorld(t, 1)
	mine := newClaim()
	i, err := New(Config{Client: w.client, Dial: w.dial, Plan: w.plan, Claim: mine})
	require.NoError(t, err)
	const text = `{"version": 2, "name": "service-middle", "identity": "4f1c"}`
	for about, c := range map[string]struct {
		claims string
		owned  bool
	}{
		"it is the only one":        {`{"claims": [{"id": "` + mine.ID + `"}]}`, true},
		"there are others":          {`{"claims": [{"id": "other"}, {"id": "` + mine.ID + `"}]}`, true},
		"only others are there":     {`{"claims": [{"id": "other"}]}`, false},
		"it is being restored":      {`{"claims": [{"id": "` + mine.ID + `"}], "ending": true}`, false},
		"somebody has scribbled it": {`{`, true},
	} {
		stored := &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{plan.IdentityAnnotation: "4f1c"}},
			Data:       map[string]string{plan.Key: text, plan.ClaimsKey: c.claims},
		}
		require.Equal(t, c.owned, i.owns(stored), about)
	}
}
