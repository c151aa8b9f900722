package ide

import (
	"encoding/json"
	"encoding/xml"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tailscale/hujson"
)

// launched is a configuration of launch.json, as VS Code reads it.
func launched(t *testing.T, text []byte) map[string]any {
	t.Helper()
	plain, err := hujson.Standardize(text)
	require.NoError(t, err)
	var file struct{ Configurations []map[string]any }
	require.NoError(t, json.Unmarshal(plain, &file))
	require.Len(t, file.Configurations, 1)
	return file.Configurations[0]
}

func TestLaunchOfEachLanguage(t *testing.T) {
	env := map[string]any{"PATH": "${env:PATH}", "HOME": "${env:HOME}"}
	of := func(more map[string]any) map[string]any {
		more["name"], more["request"] = "shop, with devtun", "launch"
		more["envFile"], more["env"] = "${workspaceFolder}/shop/.env", env
		more["preLaunchTask"], more["postDebugTask"] = "devtun up shop", "devtun down shop"
		return more
	}
	for language, c := range map[Language]struct {
		program string
		want    map[string]any
	}{
		Go: {"shop", of(map[string]any{"type": "go", "mode": "debug", "program": "${workspaceFolder}/shop"})},
		Python: {"shop/app.py", of(map[string]any{"type": "debugpy", "program": "${workspaceFolder}/shop/app.py",
			"console": "internalConsole"})},
		Node: {"shop/app.js", of(map[string]any{"type": "node", "program": "${workspaceFolder}/shop/app.js",
			"cwd": "${workspaceFolder}/shop", "console": "internalConsole", "skipFiles": []any{"<node_internals>/**"}})},
		Other: {"shop", of(map[string]any{"type": ""})},
	} {
		t.Run(string(language), func(t *testing.T) {
			target := shop
			target.Program, target.Language = c.program, language
			changes, err := VSCode(t.TempDir(), target)
			require.NoError(t, err)
			require.Equal(t, c.want, launched(t, changes[1].After))
		})
	}
}

// TestAStubIsCompletedOnce: a comment says what to put, and what was put stays.
func TestAStubIsCompletedOnce(t *testing.T) {
	target := shop
	target.Language = Other
	text, err := merge(nil, object{{"version", "0.2.0"}}, []entry{launch(target)})
	require.NoError(t, err)
	require.Contains(t, string(text), "\t\t\t// put here what your debugger needs: type (java, coreclr, ")
	require.NotContains(t, string(text), `"//"`)
	mine := []byte(string(text[:len(text)-len("\n\t\t}\n\t]\n}\n")]) +
		",\n\t\t\t\"mainClass\": \"shop.Main\"\n\t\t}\n\t]\n}\n")
	again, err := merge(mine, object{{"version", "0.2.0"}}, []entry{launch(target)})
	require.NoError(t, err)
	require.Equal(t, string(mine), string(again))
	// beside others, too
	text, err = merge([]byte("{\n  \"configurations\": []\n}\n"), nil, []entry{launch(target)})
	require.NoError(t, err)
	require.Contains(t, string(text), "\n      // put here ")
	require.Empty(t, launched(t, text)["type"])
}

// TestRunConfigurationOfEachLanguage: each reads the env file, and brings the session up
// first.
func TestRunConfigurationOfEachLanguage(t *testing.T) {
	for language, want := range map[Language][]string{
		Go: {`type="GoApplicationRunConfiguration"`, `<directory value="$PROJECT_DIR$/shop/app" />`, `PATH="shop/.env"`},
		Python: {`type="PythonConfigurationType"`, `<option name="SCRIPT_NAME" value="$PROJECT_DIR$/shop/app" />`,
			`<option name="ENV_FILES" value="$PROJECT_DIR$/shop/.env" />`, `<option name="PARAMETERS" value="-v" />`},
		Node: {`type="NodeJSConfigurationType"`, `path-to-js-file="app"`, `working-dir="$PROJECT_DIR$/shop"`,
			`node-parameters="--env-file=$PROJECT_DIR$/shop/.env"`, `application-parameters="-v"`},
		Other: nil,
	} {
		t.Run(string(language), func(t *testing.T) {
			target := shop
			target.Program, target.Language, target.Args = "shop/app", language, []string{"-v"}
			folder := t.TempDir()
			changes, err := JetBrains(folder, target)
			require.NoError(t, err)
			for _, change := range changes {
				require.NoError(t, change.Apply())
			}
			text, err := os.ReadFile(filepath.Join(folder, ".run", "shop, with devtun.run.xml"))
			if want == nil {
				require.ErrorIs(t, err, os.ErrNotExist)
				require.Len(t, changes, 2)
				return
			}
			require.NoError(t, err)
			require.NoError(t, xml.Unmarshal(text, new(struct{})))
			for _, part := range append(want, `run_configuration_name="devtun up shop"`) {
				require.Contains(t, string(text), part)
			}
		})
	}
}
