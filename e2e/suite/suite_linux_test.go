package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// write makes a folder with files.
func write(t *testing.T, files map[string]string) (folder string) {
	t.Helper()
	folder = t.TempDir()
	for name, text := range files {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(folder, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600))
	}
	return folder
}

func TestTestsAreFoundInTheSource(t *testing.T) {
	root := write(t, map[string]string{
		"a/a_test.go": "package a\n\n// TestOne says.\n//\n//e2e:alone\nfunc TestOne(t *testing.T) {}\n\nfunc " +
			"TestMain(m *testing.M) {}\nfunc Testify() {}\nfunc helper() {}\n\n" +
			"//e2e:disturbs\nfunc TestZero(t *testing.T) {}\n",
		"a/b_soak_test.go": "//go:build soak\n\npackage a\n\nfunc TestSoakTwo(t *testing.T) {}\nfunc FuzzThree(f " +
			"*testing.F) {}\nfunc (s suite) TestNone() {}\n",
		"a/a.go":                  "package a\n\nfunc TestFour() {}\n",
		"other/go.mod":            "module other\n",
		"other/a_test.go":         "package other\n\nfunc TestSoakFive(t *testing.T) {}\n",
		"b/testdata/a_test.go":    "package b\n\nfunc TestSoakSix(t *testing.T) {}\n",
		"bin/failed/some_test.go": "package b\n\nfunc TestSoakSeven(t *testing.T) {}\n",
	})
	found, err := testsIn(filepath.Join(root, "a"))
	require.NoError(t, err)
	require.Equal(t, []test{{name: "TestOne", alone: true}, {name: "TestZero", disturbs: true},
		{name: "TestSoakTwo"}, {name: "FuzzThree"}}, found)
	soak, err := packagesWith(root, test.soak)
	require.NoError(t, err)
	require.Equal(t, map[string][]string{"./a": {"TestSoakTwo"}}, soak)
}

func TestThePartsOfTheSoakAreAllOfIt(t *testing.T) {
	all := []int{0, 1, 2, 3, 4, 5, 6, 7}
	require.Equal(t, all, share(all, 0))
	var dealt []int
	for part := 1; part <= parts; part++ {
		own := share(all, part)
		require.InDelta(t, len(all)/parts, len(own), 1)
		dealt = append(dealt, own...)
	}
	require.ElementsMatch(t, all, dealt)
	for _, part := range []string{"0", "13", "one"} {
		_, err := (&options{part: part}).chosen(t.Context(), newRecord(new(bytes.Buffer), t.TempDir()))
		require.ErrorContains(t, err, "want 1 to 12, or commit")
	}
}

func TestAPatternNamesTestsOrPartsOfOne(t *testing.T) {
	tests := []test{{name: "TestOne"}, {name: "TestTwo"}}
	for pattern, want := range map[string][]run{
		"":          {{tests[0], "^TestOne$"}, {tests[1], "^TestTwo$"}},
		"Two":       {{tests[1], "^TestTwo$"}},
		"TestOne/x": {{tests[0], "^TestOne$/x"}},
	} {
		runs, err := selected(tests, pattern, 1)
		require.NoError(t, err)
		require.Equal(t, want, runs, pattern)
	}
	runs, err := selected(tests, "One", 3)
	require.NoError(t, err)
	require.Len(t, runs, 3)
	_, err = selected(tests, "Three", 1)
	require.ErrorContains(t, err, `no test fits "Three"`)
	_, err = selected(tests, "(", 1)
	require.Error(t, err)
}

// TestGoTestIsUnderstood runs a module's tests, of which one fails now and then, one
// is skipped, and one package does not compile.
func TestGoTestIsUnderstood(t *testing.T) {
	t.Setenv("GOFLAGS", "")
	root := write(t, map[string]string{
		"go.mod": "module example.test/m\n\ngo 1.24\n",
		"a_test.go": "package m\n\nimport (\n\t\"os\"\n\t\"testing\"\n)\n\nfunc TestGood(t *testing.T) {}\n\nfunc " +
			"TestBad(t *testing.T) {\n\tif os.Getenv(\"BAD\") != \"\" {\n\t\tt.Run(\"part\", func(t *testing.T) { " +
			"t.Error(\"what it says\") })\n\t}\n}\n",
	})
	var out bytes.Buffer
	r := newRecord(&out, filepath.Join(root, "failed"))
	require.NoError(t, r.goTest(t.Context(), root, "."))
	t.Setenv("BAD", "yes")
	require.NoError(t, r.goTest(t.Context(), root, "."), "the test says it")
	require.False(t, r.close())
	require.Contains(t, out.String(), "failed 1 of 2: example.test/m.TestBad\n")
	require.Contains(t, out.String(), "3 passed, 1 failed\n")
	kept, err := os.ReadFile(filepath.Join(root, "failed", "example.test_m.TestBad.2.log"))
	require.NoError(t, err)
	require.Contains(t, string(kept), "what it says")

	require.NoError(t, os.WriteFile(filepath.Join(root, "b_test.go"), []byte("package m\n\nfunc Broken( {}\n"), 0o600))
	require.ErrorContains(t, newRecord(&out, root).goTest(t.Context(), root, "."), "b_test.go")
	require.NoError(t, os.WriteFile(filepath.Join(root, "b_test.go"),
		[]byte("package m\n\nimport \"os\"\n\nfunc init() { os.Exit(3) }\n"), 0o600))
	require.ErrorContains(t, newRecord(&out, root).goTest(t.Context(), root, "."), "example.test/m failed")
}

func TestWhatIsSkippedHasFailed(t *testing.T) {
	root := write(t, map[string]string{
		"go.mod":    "module example.test/m\n\ngo 1.24\n",
		"a_test.go": "package m\n\nimport \"testing\"\n\nfunc TestSkipped(t *testing.T) { t.Skip(\"no zsh\") }\n",
	})
	var out bytes.Buffer
	r := newRecord(&out, filepath.Join(root, "failed"))
	require.NoError(t, r.goTest(t.Context(), root, "."))
	require.False(t, r.close())
	require.Contains(t, out.String(), "no zsh")
	require.Contains(t, out.String(), "0 passed, 1 failed\n")
}

func TestNothingRunIsNoSuccess(t *testing.T) {
	var out bytes.Buffer
	require.False(t, newRecord(&out, t.TempDir()).close())
	r := newRecord(&out, t.TempDir())
	r.add(result{test: "TestOne", took: time.Second}, true)
	r.during("a phase", func() error { return nil })
	require.True(t, r.close())
	require.Regexp(t,
		`(?s)ok +1\.0s TestOne\n.*phases:\n +0\.0s a phase.*slowest tests:\n +1\.0s TestOne\n1 passed, 0 failed\n$`,
		out.String())
}
