package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// doctorLimit is how long devtun doctor may take without probes: 5 s, and here 3 s more,
// since five tests share the processors.
const doctorLimit = 8 * time.Second

// finding is a result of devtun doctor.
type finding struct {
	Area, Check, Status, Message, Hint string
	Evidence                           []string
}

// diagnosis is what one run of devtun doctor has found.
type diagnosis struct {
	Summary, Status string
	Results         []finding

	took time.Duration
}

// fault is the first one, which is to be the one that was made; zero without one.
func (d diagnosis) fault() finding { return d.first("fault") }

// first is the first result of a status.
func (d diagnosis) first(status string) finding {
	i := slices.IndexFunc(d.Results, func(f finding) bool { return f.Status == status })
	if i < 0 {
		return finding{}
	}
	return d.Results[i]
}

// result is that of a check.
func (d diagnosis) result(name string) finding {
	i := slices.IndexFunc(d.Results, func(f finding) bool { return f.Check == name })
	if i < 0 {
		return finding{}
	}
	return d.Results[i]
}

// doctorTimeout bounds devtun doctor, with --probe and all.
const doctorTimeout = 40 * time.Second

// doctor runs devtun doctor with a kubeconfig, and such arguments. Its environment is this
// process's, with more in it.
func doctor(t *testing.T, kubeconfig string, environment []string, args ...string) diagnosis {
	t.Helper()
	return doctorWithin(t, doctorTimeout, kubeconfig, environment, args...)
}

// doctorWithin is doctor, with so much time.
func doctorWithin(t *testing.T, timeout time.Duration, kubeconfig string, environment []string,
	args ...string) diagnosis {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, devtunPath(), append([]string{"doctor", "--kubeconfig", kubeconfig, "-o", "json"},
		args...)...)
	cmd.Env = append(os.Environ(), environment...)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	begun := time.Now()
	err := cmd.Run()
	d := diagnosis{took: time.Since(begun)}
	require.NoError(t, json.Unmarshal(out.Bytes(), &d), "%v: %s%s", err, &out, &said)
	if d.Status == "fault" {
		require.Equal(t, 1, cmd.ProcessState.ExitCode(), "%s", &said)
	} else {
		require.NoError(t, err, "%s", &said)
	}
	t.Logf("doctor took %v: %s: %s", d.took.Round(time.Millisecond), d.Status, d.Summary)
	return d
}

// requireFault wants a fault to be the first that is named, with something to do about it.
func requireFault(t *testing.T, d diagnosis, check, message string) {
	t.Helper()
	require.Equal(t, check, d.fault().Check, "%+v", d.Results)
	require.Contains(t, d.fault().Message, message)
	require.Equal(t, d.fault().Message, d.Summary)
	require.NotEmpty(t, d.fault().Hint)
}

// TestDoctor: a machine and a cluster that are well give no fault and no warning, soon.
func TestDoctor(t *testing.T) {
	n := sharedWeb(t)
	environment := []string{"SHELL=/bin/sh"}
	for _, args := range [][]string{{"-n", n.name}, {"-n", n.name, "web:80"}} {
		d := doctor(t, kubeconfig(), environment, args...)
		require.Zero(t, d.fault())
		for _, f := range d.Results {
			// These tests put devtun into nobody's PATH, and keep the machine busy.
			if f.Check != "login-shell" && f.Check != "round-trip" {
				require.NotEqual(t, "warning", f.Status, "%+v", f)
			}
		}
		require.Equal(t, "ok", d.result("upgrade-spdy").Status, "%+v", d.Results)
		require.Equal(t, "ok", d.result("rights-forward").Status)
		require.Less(t, d.took, doctorLimit)
	}
}
