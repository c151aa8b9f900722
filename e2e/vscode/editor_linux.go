package vscode

import (
	"bufio"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

const (
	startTimeout = 2 * time.Minute // of the server
	endTimeout   = 20 * time.Second
)

// Options say what is opened.
type Options struct {
	Folder string
	File   string // of the folder, that is shown
	// Home is a folder for all that the editor keeps, and its HOME.
	Home string
	Env  []string // that it is started with
	Log  io.Writer
}

// Editor is an editor that is open. One step is taken at a time.
type Editor struct {
	server, page *exec.Cmd
	steps        io.WriteCloser
	answers      *bufio.Reader
}

// page.mjs takes steps, one JSON object a line, and answers each by one.
//
//go:embed page.mjs
var pageScript []byte

// settings keep the editor from asking and from the network.
const settings = `{
	"security.workspace.trust.enabled": false,
	"workbench.startupEditor": "none",
	"workbench.enableExperiments": false,
	"telemetry.telemetryLevel": "off",
	"update.mode": "none",
	"extensions.autoCheckUpdates": false,
	"extensions.autoUpdate": false,
	"git.openRepositoryInParentFolders": "never",
	"task.autoDetect": "off",
	"npm.autoDetect": "off",
	"typescript.disableAutomaticTypeAcquisition": true
}
`

// Open opens a folder. The caller closes the editor.
func Open(ctx context.Context, o Options) (e *Editor, err error) {
	installed, err := home()
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(installed); err != nil {
		return nil, fmt.Errorf("VS Code is not installed (make e2e does that): %w", err)
	}
	user := filepath.Join(o.Home, "data", "User")
	if err := os.MkdirAll(user, 0o755); err != nil {
		return nil, err
	}
	script := filepath.Join(o.Home, "page.mjs")
	if err := errors.Join(os.WriteFile(filepath.Join(user, "settings.json"), []byte(settings), 0o644),
		os.WriteFile(script, pageScript, 0o644)); err != nil {
		return nil, err
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	e = &Editor{}
	defer func() {
		if err != nil {
			err = errors.Join(err, e.Close())
		}
	}()
	e.server = exec.Command("node", filepath.Join(installed, codeServer, "out/node/entry.js"), "--auth", "none",
		"--bind-addr", address, "--user-data-dir", filepath.Join(o.Home, "data"),
		"--extensions-dir", filepath.Join(o.Home, "extensions"), "--config", filepath.Join(o.Home, "config.yaml"),
		"--disable-telemetry", "--disable-update-check", "--disable-workspace-trust")
	env := append(slices.Clone(o.Env), "HOME="+o.Home)
	e.server.Env, e.server.Stdout, e.server.Stderr = env, o.Log, o.Log
	if err := start(e.server); err != nil {
		return nil, err
	}
	if err := awaitServer(ctx, address); err != nil {
		return nil, err
	}
	e.page = exec.Command("node", script, filepath.Join(installed, "node_modules/playwright-core/index.mjs"))
	e.page.Dir, e.page.Env, e.page.Stderr = o.Home, env, o.Log
	if e.steps, err = e.page.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := e.page.StdoutPipe()
	if err != nil {
		return nil, err
	}
	e.answers = bufio.NewReader(out)
	if err := start(e.page); err != nil {
		return nil, err
	}
	file, err := json.Marshal([][2]string{{"openFile", "vscode-remote://" + address + filepath.Join(o.Folder, o.File)}})
	if err != nil {
		return nil, err
	}
	query := url.Values{"folder": {o.Folder}, "payload": {string(file)}}
	return e, e.do(ctx, step{Do: "open", URL: "http://" + address + "/?" + query.Encode()}, nil)
}

// start starts a command in a process group of its own, so that all of it can be ended.
func start(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = endTimeout
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", cmd.Args[1], err)
	}
	return nil
}

// Close ends browser and server, and what they have started.
func (e *Editor) Close() error {
	var errs []error
	if e.steps != nil {
		e.steps.Close() // the browser ends with it
	}
	for _, cmd := range []*exec.Cmd{e.page, e.server} {
		if cmd == nil || cmd.Process == nil {
			continue
		}
		group := -cmd.Process.Pid
		if cmd == e.server {
			_ = syscall.Kill(group, syscall.SIGTERM)
		}
		late := time.AfterFunc(endTimeout, func() { _ = syscall.Kill(group, syscall.SIGKILL) })
		err := cmd.Wait()
		if !late.Stop() {
			errs = append(errs, fmt.Errorf("%s did not end: %w", cmd.Args[1], err))
		}
		_ = syscall.Kill(group, syscall.SIGKILL) // who has lost its parent
	}
	return errors.Join(errs...)
}

func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer listener.Close()
	return listener.Addr().String(), nil
}

// awaitServer returns when the server answers.
func awaitServer(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	look := time.NewTicker(100 * time.Millisecond)
	defer look.Stop()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/healthz", nil)
		if err != nil {
			return err
		}
		answer, err := http.DefaultClient.Do(request)
		if err == nil {
			answer.Body.Close()
			return nil
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return fmt.Errorf("wait for the server: %w", err)
		}
	}
}
