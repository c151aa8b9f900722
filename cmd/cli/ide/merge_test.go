package ide

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/stretchr/testify/require"
	"github.com/tailscale/hujson"
)

var update = flag.Bool("update", false, "write the files of testdata anew instead of comparing")

var shop = Target{Session: "shop", Project: "shop/devtun.yaml", Program: "shop", EnvFile: "shop/.env", Language: Go,
	Devtun: "devtun"}

// TestMerge has files that people have written brought up to date: testdata holds
// each before and after. What devtun has written once it leaves alone.
func TestMerge(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			require.NoError(t, err)
			folder := t.TempDir()
			wanted := map[string]string{}
			var befores []txtar.File
			for _, part := range archive.Files {
				kind, name := filepath.Dir(part.Name), filepath.Base(part.Name)
				if kind == "after" {
					wanted[name] = string(part.Data)
					continue
				}
				befores = append(befores, part)
				path := filepath.Join(folder, place(name))
				require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
				require.NoError(t, os.WriteFile(path, part.Data, 0o600))
			}
			changes := all(t, folder)
			for _, change := range changes {
				require.NoError(t, change.Apply())
			}
			archive.Files = befores
			for _, before := range befores {
				name := filepath.Base(before.Name)
				got, err := os.ReadFile(filepath.Join(folder, place(name)))
				require.NoError(t, err)
				archive.Files = append(archive.Files, txtar.File{Name: "after/" + name, Data: got})
				info, err := os.Stat(filepath.Join(folder, place(name)))
				require.NoError(t, err)
				require.EqualValues(t, 0o600, info.Mode().Perm(), "its mode stays")
				if !*update {
					require.Equal(t, wanted[name], string(got), name)
				}
			}
			if *update {
				require.NoError(t, os.WriteFile(file, txtar.Format(archive), 0o644))
			}
			for _, change := range all(t, folder) {
				require.False(t, change.Needed(), change.Path)
			}
		})
	}
}

// place is where a file of that name lies.
func place(name string) string {
	if filepath.Ext(name) == ".xml" {
		return filepath.Join(".run", name)
	}
	return filepath.Join(".vscode", name)
}

func all(t *testing.T, folder string) []Change {
	t.Helper()
	first, err := VSCode(folder, shop)
	require.NoError(t, err)
	second, err := JetBrains(folder, shop)
	require.NoError(t, err)
	return append(first, second...)
}

func TestLineEndsAndByteOrderMark(t *testing.T) {
	text := "\xef\xbb\xbf{\r\n  \"version\": \"2.0.0\", // mine\r\n  \"tasks\": [],\r\n}\r\n"
	got, err := merge([]byte(text), nil, []entry{downTask(shop)})
	require.NoError(t, err)
	require.Equal(t,
		"\xef\xbb\xbf{\r\n  \"version\": \"2.0.0\", // mine\r\n  \"tasks\": [\r\n    {\r\n      \"label\": \"devtun down "+
			"shop\",\r\n"+
			"      \"type\": \"shell\",\r\n      \"command\": \"devtun\",\r\n      \"args\": [\r\n        \"down\",\r\n    "+
			"    \"shop\",\r\n        \"--started-by\",\r\n        \"vscode\"\r\n      ],\r\n"+
			"      \"problemMatcher\": [],\r\n      \"presentation\": {\r\n        \"reveal\": \"silent\",\r\n        "+
			"\"panel\": \"shared\"\r\n      }\r\n    }\r\n  ],\r\n}\r\n", string(got))
}

func TestBrokenFilesStay(t *testing.T) {
	for name, c := range map[string]struct{ file, text, complaint string }{
		"no JSON": {"tasks.json", "{\n  \"tasks\": [,]\n}", "tasks.json:2:13: invalid character ','"},
		"cut off": {"tasks.json", "{\n\t\"tasks\": [", "unexpected EOF"},
		"a list":  {"tasks.json", "// tasks\n[]", "tasks.json:2:1: an object is wanted here, in braces"},
		"tasks no list": {"tasks.json", "{\"version\": \"2.0.0\", \"tasks\": {}}",
			`tasks.json:1:31: "tasks" is to be a list, in brackets`},
		"launch no list": {"launch.json", "{\n\n   \"configurations\": 1}", "launch.json:3:22: "},
		"no XML":         {"devtun up shop.run.xml", "<component>\n<configuration", "devtun up shop.run.xml:2:"},
		"not closed": {"devtun up shop.run.xml", "<component>\n</configuration>\n",
			"element <component> closed by </configuration>"},
		"text": {"devtun up shop.run.xml", "hello", "there is no element in it"},
		"another's": {"devtun up shop.run.xml",
			"<component><configuration name=\"other\" type=\"ShConfigurationType\"/></component>",
			`there is no configuration "devtun up shop"`},
		"of another type": {"devtun up shop.run.xml",
			"<component><configuration name=\"devtun up shop\" type=\"X\"/></component>", "of type ShConfigurationType"},
		"binary in JSON": {"launch.json", "\x00", "launch.json:1:1: "},
		"a key twice, both": {"launch.json", "{\"configurations\": [], \"configurations\": 7}",
			`"configurations" is to be a list`},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			path := filepath.Join(folder, place(c.file))
			require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
			require.NoError(t, os.WriteFile(path, []byte(c.text), 0o644))
			changes, err := VSCode(folder, shop)
			if filepath.Ext(c.file) == ".xml" {
				changes, err = JetBrains(folder, shop)
			}
			var fault *FileError
			require.ErrorAs(t, err, &fault)
			require.Equal(t, path, fault.Path)
			require.ErrorContains(t, err, c.complaint)
			for _, change := range changes {
				require.NotEqual(t, path, change.Path)
			}
		})
	}
}

func TestAppliedOnlyOverWhatWasRead(t *testing.T) {
	folder := t.TempDir()
	changes, err := VSCode(folder, shop)
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(filepath.Join(folder, ".vscode"), 0o755))
	require.NoError(t, os.WriteFile(changes[0].Path, []byte("{}"), 0o644))
	require.ErrorContains(t, changes[0].Apply(), "has changed meanwhile")
	text, err := os.ReadFile(changes[0].Path)
	require.NoError(t, err)
	require.Equal(t, "{}", string(text))
	left, err := os.ReadDir(filepath.Join(folder, ".vscode"))
	require.NoError(t, err)
	require.Len(t, left, 1, "no draft stays")
}

func TestALinkStaysOne(t *testing.T) {
	folder, elsewhere := t.TempDir(), filepath.Join(t.TempDir(), "tasks.json")
	require.NoError(t, os.WriteFile(elsewhere, []byte("{}\n"), 0o644))
	require.NoError(t, os.MkdirAll(filepath.Join(folder, ".vscode"), 0o755))
	link := filepath.Join(folder, ".vscode", "tasks.json")
	require.NoError(t, os.Symlink(elsewhere, link))
	changes, err := VSCode(folder, shop)
	require.NoError(t, err)
	require.NoError(t, changes[0].Apply())
	target, err := os.Readlink(link)
	require.NoError(t, err)
	require.Equal(t, elsewhere, target)
	text, err := os.ReadFile(elsewhere)
	require.NoError(t, err)
	require.Contains(t, string(text), "devtun up shop")
}

func TestPaths(t *testing.T) {
	require.Equal(t, "${workspaceFolder}", inFolder("."))
	require.Equal(t, "${workspaceFolder}/a b", inFolder("a b"))
	require.Equal(t, "$PROJECT_DIR$", inProject("."))
	require.Equal(t, `'it'\''s here/devtun.yaml'`, shellQuoted("it's here/devtun.yaml"))
	require.Equal(t, `-listen localhost:8080 "" "a b" "say \"hi\""`,
		words([]string{"-listen", "localhost:8080", "", "a b", `say "hi"`}))
	absolute, err := filepath.Abs("x")
	require.NoError(t, err)
	require.Equal(t, absolute, inFolder(absolute))
	require.Equal(t, absolute, inProject(absolute))
}

// FuzzMerge: a file is refused, or holds all entries afterwards and is left alone
// from then on.
func FuzzMerge(f *testing.F) {
	for _, text := range []string{
		"", "{}", `{"tasks":[]}`, "{\"tasks\": [{\"label\": \"devtun up shop\"}, 1], // x\n}",
		"{ /* a */ \"tasks\" /* b */ : [ /* c */ ] /* d */ } // e", "[\n1,]",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		entries := []entry{upTask(shop), downTask(shop)}
		once, err := merge([]byte(text), object{{"version", "2.0.0"}}, entries)
		if err != nil {
			var fault *FileError
			require.ErrorAs(t, err, &fault)
			return
		}
		plain, err := hujson.Standardize(once)
		if len(once) > 3 && string(once[:3]) == string(mark) {
			plain, err = hujson.Standardize(once[3:])
		}
		require.NoError(t, err)
		var parsed map[string]any
		require.NoError(t, json.Unmarshal(plain, &parsed))
		twice, err := merge(once, object{{"version", "2.0.0"}}, entries)
		require.NoError(t, err)
		require.Equal(t, string(once), string(twice))
	})
}

// FuzzMergeXML is the same for a run configuration.
func FuzzMergeXML(f *testing.F) {
	c := goRun(shop)
	f.Add(string(c.text()))
	f.Add(
		`<component><configuration name="shop, with devtun" type="GoApplicationRunConfiguration">` +
			`<method v="2"/></configuration></component>`)
	f.Add(`<component><configuration name="shop, with devtun" type="GoApplicationRunConfiguration"/></component>`)
	f.Fuzz(func(t *testing.T, text string) {
		once, err := c.merge([]byte(text))
		if err != nil {
			var fault *FileError
			require.ErrorAs(t, err, &fault)
			return
		}
		twice, err := c.merge(once)
		require.NoError(t, err, string(once))
		require.Equal(t, string(once), string(twice))
	})
}
