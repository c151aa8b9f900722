package view

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// SystemHosts is the hosts file that View.Hosts covers.
const SystemHosts = "/etc/hosts"

// View is what a process is to see.
type View struct {
	Hosts   string // the file in place of the system's hosts file; empty: that itself
	Files   Files
	Program string // path of the program to be started, which is not hidden
	User    bool   // see Attributes
}

// Shown is a view that this process, and what it starts from now on, has.
type Shown struct {
	Unshown []Unshown // what had to be left out
	// Moved says that somebody outside may have put a new file in the place of one that
	// is covered, and that it is time to call Renew. It lasts as long as the process.
	Moved  <-chan struct{}
	covers []cover
	kept   []*os.File // directories that covers are taken from
}

// Enter gives the view to this process, which has begun with Attributes. If it fails, the
// process has it in part.
func (v *View) Enter() (*Shown, error) {
	// What is mounted outside later shall be seen here, but not the reverse.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
		return nil, fmt.Errorf("detach mounts: %w", err)
	}
	s := new(Shown)
	var watched []string
	if v.Hosts != "" {
		watched = hostsDirs()
	}
	p := placer{files: v.Files, spared: v.spared()}
	p.place()
	s.Moved = watch(append(watched, p.parents()...))
	if err := v.build(s, &p); err != nil {
		return nil, err
	}
	s.Unshown = p.unshown
	if v.Hosts != "" {
		hosts := cover{from: v.Hosts, at: SystemHosts}
		if err := hosts.mount(); err != nil {
			return nil, err
		}
		s.covers = append(s.covers, hosts)
	}
	if v.User {
		if err := keepRights(); err != nil {
			return nil, fmt.Errorf("drop capabilities: %w", err)
		}
	}
	return s, nil
}

// build makes what p has placed.
func (v *View) build(s *Shown, p *placer) error {
	current, lost := os.Getwd()         // it may have been removed
	defer unix.Umask(unix.Umask(0o022)) // everybody may go where a mount is
	for _, dir := range p.parents() {
		places, err := p.below(dir), lost
		if err == nil {
			err = v.rebuild(s, dir, places)
		}
		if err != nil {
			p.giveUp(places, err)
		}
	}
	if len(p.parents()) > 0 && lost == nil {
		// What was the current directory may be covered by itself.
		if err := os.Chdir(current); err != nil {
			return fmt.Errorf("return to the current directory: %w", err)
		}
	}
	for _, at := range p.below("") {
		if err := at.show(at.at); err != nil {
			p.giveUp([]*place{at}, err)
		}
	}
	return nil
}

// Renew covers again what has been replaced.
func (s *Shown) Renew() {
	for _, c := range s.covers {
		_ = c.mount() // if there is no file to cover now, its return is another move
	}
}

// spared are the paths that nothing may hide, and what they are.
func (v *View) spared() map[string]string {
	spared := map[string]string{v.Files.Dir: "the files themselves"}
	spare := func(path string, err error, what string) {
		if err != nil {
			return
		}
		spared[path] = what
		if path, err = filepath.EvalSymlinks(path); err == nil {
			spared[path] = what
		}
	}
	path, err := filepath.Abs(v.Program)
	spare(path, err, "the command")
	path, err = os.UserHomeDir()
	spare(path, err, "the home directory")
	path, err = os.Getwd()
	spare(path, err, "the current directory")
	return spared
}
