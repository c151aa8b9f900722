package project

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPositionsOfWhatIsListed(t *testing.T) {
	p, err := Parse("shop.yaml", []byte(`name: shop
intercepts:
- workload: web
- ports: ["1:2"]
  workload: deploy/api
env:
  - {envFile: .env, workload: worker}
`))
	require.NoError(t, err)
	for path, want := range map[string]string{
		"intercepts[0].workload": "shop.yaml:3:13", "intercepts[1].workload": "shop.yaml:5:13",
		"env[0].workload": "shop.yaml:7:31",
	} {
		require.Equal(t, want, p.Position(path).String(), path)
	}
	require.Zero(t, p.Position("intercepts[7].workload"))
}
