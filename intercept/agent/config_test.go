package agent

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/devtun/devtun/intercept/plan"
)

const goodConfig = `{"version":3,"name":"service-middle","identity":"4f1c","mode":"divert","sessionPort":9999,"readyPort":9998,"grace":"10m",
	"ports":[{"port":8080,"origin":"service-middle-origin.shop:80"},{"port":53,"protocol":"UDP","origin":"10.0.0.1:53"}],
	"files":["/etc/shop"]}`

func TestConfig(t *testing.T) {
	c, err := ParseConfig(goodConfig)
	require.NoError(t, err)
	require.Equal(t, Config{
		Version: 3, Name: "service-middle", Identity: "4f1c", Mode: plan.Divert, LinkPort: 9999, ReadyPort: 9998,
		Ports: []Port{{8080, TCP, "service-middle-origin.shop:80"}, {53, UDP, "10.0.0.1:53"}},
		Files: []string{"/etc/shop"},
		Grace: Duration(10 * time.Minute), Hold: Duration(DefaultHold), DrainTimeout: Duration(DefaultDrainTimeout),
	}, c)
	text, err := json.Marshal(c)
	require.NoError(t, err)
	again, err := ParseConfig(string(text))
	require.NoError(t, err)
	require.Equal(t, c, again, "it is written as it is read")
}

// TestConfigWithoutPorts is of a workload that no Service leads to.
func TestConfigWithoutPorts(t *testing.T) {
	const config = `{"version":3,"name":"worker","identity":"4f1c","mode":"replace","sessionPort":9999,"readyPort":9998,"grace":"2m","ports":null}`
	c, err := ParseConfig(config)
	require.NoError(t, err)
	require.Empty(t, c.Ports)
	_, err = ParseConfig(strings.Replace(config, "replace", "divert", 1))
	require.ErrorContains(t, err, "ports is empty")
}

func TestConfigIsRefused(t *testing.T) {
	for old, test := range map[string]struct{ new, complaint string }{
		`"version":3`:             {`"version":2`, "it is for version 2, this agent speaks 3"},
		`"grace":"10m"`:           {`"grace":"ten"`, `invalid duration "ten"`},
		`"mode":"divert"`:         {`"mode":"other"`, `mode "other" is none of [divert replace handover relay]`},
		`"identity":"4f1c",`:      {``, "identity is missing"},
		`"name":"service-middle"`: {`"name":""`, "name is missing"},
		`"sessionPort":9999`:      {`"sessionPort":8080`, "port 8080/TCP is there twice"},
		`"readyPort":9998`:        {`"readyPort":9999`, "port 9999/TCP is there twice"},
		`"readyPort":9998,`:       {``, "readyPort 0 is not a port"},
		`"port":53`:               {`"port":70000`, "70000 is not a port"},
		`"UDP"`:                   {`"SCTP"`, `protocol "SCTP" is neither TCP nor UDP`},
		`"10.0.0.1:53"`:           {`"10.0.0.1"`, `origin "10.0.0.1" is not host:port`},
		`,"origin":"10.0.0.1:53"`: {``, "port 53: origin is missing"},
		`"/etc/shop"`:             {`"etc/shop"`, `file "etc/shop" is not an absolute path`},
		`"files"`:                 {`"fils"`, `unknown field "fils"`},
		`["/etc/shop"]}`:          {`["/etc/shop"]} x`, "invalid character 'x'"},
	} {
		require.Contains(t, goodConfig, old)
		_, err := ParseConfig(strings.Replace(goodConfig, old, test.new, 1))
		require.ErrorContains(t, err, test.complaint)
		require.ErrorContains(t, err, ConfigVariable)
	}
	_, err := ParseConfig("")
	require.ErrorContains(t, err, "it is not set")
}

func TestMainExplainsItself(t *testing.T) {
	for _, test := range []struct {
		args, environ []string
		code          int
		says          string
	}{
		{nil, nil, 1, "devtun-agent: read DEVTUN_AGENT_CONFIG: it is not set"},
		{nil, []string{ConfigVariable + "={"}, 1, "devtun-agent: read DEVTUN_AGENT_CONFIG:"},
		{[]string{"steady"}, nil, 2, "usage: devtun-agent"},
		{[]string{"-x"}, nil, 2, "usage: devtun-agent"},
	} {
		var stderr bytes.Buffer
		require.Equal(t, test.code, Main(test.args, test.environ, &stderr))
		require.Contains(t, stderr.String(), test.says)
	}
}
