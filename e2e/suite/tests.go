package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// soakPrefix begins the names of tests that wait for long or are repeated often.
const soakPrefix = "TestSoak"

// test is a function of a test file.
type test struct {
	name string
	// By its comment, see the package's:
	alone    bool
	disturbs bool
	vscode   bool
	servers  bool
}

func (t test) soak() bool { return strings.HasPrefix(t.name, soakPrefix) }

// testsIn lists the tests and fuzz targets of a package's directory, in the order
// of files and lines. Build constraints are not looked at.
func testsIn(dir string) (found []test, err error) {
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		for _, decl := range parsed.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok || f.Recv != nil || !isTest.MatchString(f.Name.Name) || f.Name.Name == "TestMain" {
				continue
			}
			says := func(text string) bool {
				return f.Doc != nil && slices.ContainsFunc(f.Doc.List, func(c *ast.Comment) bool { return c.Text == text })
			}
			found = append(found, test{
				f.Name.Name, says("//e2e:alone"), says("//e2e:disturbs"), says("//e2e:vscode"), says("//e2e:servers"),
			})
		}
	}
	return found, nil
}

var isTest = regexp.MustCompile(`^(Test|Fuzz)([^a-z].*)?$`)

// placed is a test in the directory of its package.
type placed struct{ dir, name string }

// unitTests lists the tests that fit, of all packages but that of the end-to-end tests.
func (o *options) unitTests(fits func(test) bool) (all []placed, err error) {
	for _, root := range o.modules() {
		found, err := packagesWith(root, fits)
		if err != nil {
			return nil, err
		}
		for _, pkg := range slices.Sorted(maps.Keys(found)) {
			dir := filepath.Join(root, pkg)
			if dir == o.e2e() {
				continue
			}
			for _, name := range found[pkg] {
				all = append(all, placed{dir, name})
			}
		}
	}
	return all, nil
}

// packagesWith lists the directories below root, but for other modules, that hold
// tests of which one fits, with those.
func packagesWith(root string, fits func(test) bool) (found map[string][]string, err error) {
	found = make(map[string][]string)
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return err
		}
		if path != root {
			_, err := os.Stat(filepath.Join(path, "go.mod"))
			if name := entry.Name(); err == nil || name == "testdata" || name == "bin" || strings.HasPrefix(name, ".") {
				return filepath.SkipDir
			}
		}
		tests, err := testsIn(path)
		for _, one := range tests {
			if fits(one) {
				name, _ := filepath.Rel(root, path)
				found["./"+filepath.ToSlash(name)] = append(found["./"+filepath.ToSlash(name)], one.name)
			}
		}
		return err
	})
	return found, err
}
