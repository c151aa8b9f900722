package main

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/goreleaser/nfpm/v2"
	"github.com/goreleaser/nfpm/v2/deb"
	nfpmfiles "github.com/goreleaser/nfpm/v2/files"
)

// prerm runs before the package is removed: the machine comes back, too, if devtun was
// killed and is not there any more to be run again.
//
//go:embed prerm
var prerm []byte

// apparmor is a profile that lets devtun have user namespaces, where AppArmor forbids them to
// programs without one. postinst loads it where AppArmor knows of them, postrm takes it out.
var (
	//go:embed apparmor
	apparmor []byte
	//go:embed postinst
	postinst []byte
	//go:embed postrm
	postrm []byte
)

// place is where Debian has a file of the archive; "" for nowhere.
func place(name string) string {
	dir, base := path.Split(name)
	switch {
	case name == "devtun":
		return "/usr/bin/devtun"
	case dir == "man/":
		return "/usr/share/man/man1/" + base + ".gz"
	case name == "apparmor":
		return "/usr/share/devtun/apparmor"
	case name == "LICENSE":
		return "/usr/share/doc/devtun/copyright"
	case dir == "":
		return "/usr/share/doc/devtun/" + base
	}
	return map[string]string{
		"devtun.bash": "/usr/share/bash-completion/completions/devtun",
		"_devtun":     "/usr/share/zsh/vendor-completions/_devtun",
		"devtun.fish": "/usr/share/fish/vendor_completions.d/devtun.fish",
	}[base]
}

// described is a version as git describe makes it, beyond a tag: so many commits, which
// one, and whether anything is changed.
var described = regexp.MustCompile(`(-\d+-g[0-9a-f]+)?(-dirty)?$`)

// debVersion is a version as Debian compares it: v1.2.3-rc1 before v1.2.3, and that
// before what comes after it. What is no version is older than all.
func debVersion(version string) string {
	beyond := described.FindString(version)
	tag := strings.TrimPrefix(strings.TrimSuffix(version, beyond), "v")
	tag = strings.Replace(tag, "-", "~", 1)
	if !strings.Contains(tag, ".") || tag[0] < '0' || tag[0] > '9' {
		tag = "0~" + tag
	}
	return strings.ReplaceAll(tag+beyond, "-", "+")
}

// deb writes the Debian package.
func (r *release) deb(arch string, program file, common []file) (err error) {
	staging, err := os.MkdirTemp("", "devtun-deb-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(staging) }()
	changelog := fmt.Sprintf("devtun (%s) unstable; urgency=medium\n\n  * See CHANGELOG.md.\n\n -- %s  %s\n",
		debVersion(r.version), maintainer, r.date.Format("Mon, 02 Jan 2006 15:04:05 -0700"))
	files := append([]file{program}, common...)
	files = append(files, file{"changelog", []byte(changelog), 0o644}, file{"apparmor", apparmor, 0o644})
	info := &nfpm.Info{
		Name: "devtun", Arch: arch, Platform: "linux", Version: debVersion(r.version), VersionSchema: "none", MTime: r.date,
		Section: "net", Priority: "optional", Maintainer: maintainer, Description: description,
		Overridables: nfpm.Overridables{Recommends: []string{"sudo"}, Suggests: []string{"bash-completion"}},
	}
	for i, f := range files {
		to := place(f.name)
		if f.name == "changelog" {
			to += ".gz"
		}
		if to == "" {
			continue
		}
		if strings.HasSuffix(to, ".gz") {
			if f.content, err = zipped(f.content); err != nil {
				return err
			}
		}
		from := filepath.Join(staging, fmt.Sprint(i))
		if err := os.WriteFile(from, f.content, 0o644); err != nil {
			return err
		}
		info.Contents = append(info.Contents, &nfpmfiles.Content{Source: from, Destination: to,
			FileInfo: &nfpmfiles.ContentFileInfo{Owner: "root", Group: "root", Mode: f.mode, MTime: r.date}})
	}
	for _, script := range []struct {
		at      *string
		name    string
		content []byte
	}{
		{&info.Scripts.PreRemove, "prerm", prerm},
		{&info.Scripts.PostInstall, "postinst", postinst},
		{&info.Scripts.PostRemove, "postrm", postrm},
	} {
		*script.at = filepath.Join(staging, script.name)
		if err := os.WriteFile(*script.at, script.content, 0o755); err != nil {
			return err
		}
	}
	if err := nfpm.PrepareForPackager(info, "deb"); err != nil {
		return err
	}
	out, err := os.Create(filepath.Join(r.out, deb.Default.ConventionalFileName(info)))
	if err != nil {
		return err
	}
	return errors.Join(deb.Default.Package(info, out), out.Close())
}

const (
	maintainer  = "The authors of devtun <devtun@localhost>"
	description = `local developer tunnel for Kubernetes
You run one service of many on your own machine, and a cluster runs the rest:
devtun forward gives local code the cluster's services under their own names
and ports, devtun intercept has requests of the cluster answered here.`
)

// zipped is content as gzip -n packs it.
func zipped(content []byte) ([]byte, error) {
	var out bytes.Buffer
	writer, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	if _, err := writer.Write(content); err != nil {
		return nil, err
	}
	err = writer.Close()
	return out.Bytes(), err
}
