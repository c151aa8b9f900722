package vscode

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/devtun/devtun/e2e/cluster/debian"
)

// packages are what npm installs. code-server 4.100 is VS Code 1.100, for Node 20.
var packages = []string{"code-server@4.100.3", "playwright-core@1.52.0", "node-gyp@10.3.1"}

// programs are what all of it needs, by Debian package.
var programs = map[string]string{
	"node": "nodejs", "npm": "npm", "chromium": "chromium", "python3": "python3-minimal", "g++": "build-essential",
}

const (
	codeServer = "node_modules/code-server"
	code       = codeServer + "/lib/vscode" // VS Code itself
	headers    = "/usr/include/node/node.h" // of Debian's Node
)

// native are the parts that are compiled here, as their own install scripts would download
// them, and the arguments of those that need some.
var native = map[string][]string{
	code + "/node_modules/node-pty":        nil,
	code + "/node_modules/native-watchdog": nil,
	code + "/node_modules/@vscode/spdlog":  nil,
	"node_modules/argon2":                  {"--module_name=argon2", "--napi_version=9", "--napi_build_version=3"},
}

// home is where it is installed: in the user's cache, by versions, Node's too, since the
// native parts are for that one.
func home() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	node, err := exec.Command("node", "--version").Output()
	if err != nil {
		return "", fmt.Errorf("ask node for its version: %w", err)
	}
	name := strings.Join(append(slices.Clone(packages), "node@"+strings.TrimPrefix(string(bytes.TrimSpace(node)), "v")),
		"_")
	return filepath.Join(cache, "devtun", "vscode", name), nil
}

// Install installs VS Code, unless it is there. It takes some minutes.
func Install(ctx context.Context, progress io.Writer) error {
	if err := debian.Install(ctx, programs, progress); err != nil {
		return err
	}
	place, err := home()
	if err != nil {
		return err
	}
	if _, err := os.Stat(place); err == nil {
		return nil
	}
	fmt.Fprintln(progress, "installing VS Code for its test: about 4 minutes, once on this machine")
	if err := os.MkdirAll(filepath.Dir(place), 0o755); err != nil {
		return err
	}
	draft, err := os.MkdirTemp(filepath.Dir(place), "draft-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(draft)
	if err := install(ctx, draft); err != nil {
		return fmt.Errorf("install VS Code: %w", err)
	}
	if err := os.Rename(draft, place); err != nil && !errors.Is(err, fs.ErrExist) { // another one was quicker
		return err
	}
	return nil
}

func install(ctx context.Context, folder string) error {
	npm := []string{"npm", "install", "--ignore-scripts", "--omit=dev", "--no-audit", "--no-fund"}
	if err := command(ctx, folder, append(slices.Concat(npm, []string{"--prefix", folder}), packages...)...); err != nil {
		return err
	}
	for _, part := range []string{code, code + "/extensions"} {
		if err := command(ctx, filepath.Join(folder, part), npm...); err != nil {
			return err
		}
	}
	gyp := []string{"node", filepath.Join(folder, "node_modules/node-gyp/bin/node-gyp.js"), "rebuild"}
	if _, err := os.Stat(headers); err == nil {
		gyp = append(gyp, "--nodedir=/usr")
	}
	for part, args := range native {
		part = filepath.Join(folder, part)
		args = append(slices.Concat(gyp, args), "--module_path="+filepath.Join(part, "lib/binding/napi-v3"))
		if err := command(ctx, part, args...); err != nil {
			return err
		}
	}
	return nil
}

func command(ctx context.Context, folder string, args ...string) error {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir = folder
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("run %s: %w\n%s", strings.Join(args, " "), err, out[max(0, len(out)-4000):])
	}
	return nil
}
