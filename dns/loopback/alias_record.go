package loopback

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/devtun/devtun/internal/disk"
	"github.com/devtun/devtun/internal/proc"
)

// draftName is the file in the directory of records that is being written.
const draftName = "draft"

// Files in the directory of records:
//
//	10.1.2.3    "pid=12 start=345 …", see proc.ID
//	draft       a record being written: worthless

// lock keeps other devtun processes away from the records and the aliases until
// the file is closed, here and in the ifconfig that runs just then.
func (a *Aliases) lock(ctx context.Context) (lock *os.File, err error) {
	err = a.disk.Do("lock", a.dir, func() error {
		if err := os.MkdirAll(a.dir, 0o755); err != nil {
			return err
		}
		lock, err = os.Open(a.dir)
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := disk.LockFile(ctx, lock); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return lock, nil
}

func (a *Aliases) record(addr netip.Addr) string { return filepath.Join(a.dir, addr.String()) }

// writeRecord records addr as this owner's, in the place of another's record.
func (a *Aliases) writeRecord(addr netip.Addr) error {
	const mode = 0o644 // for everybody who wants to know whether there is something to clean
	return a.disk.WriteFile(a.record(addr), filepath.Join(a.dir, draftName), []byte(a.owner.String()+"\n"), mode)
}

// removeRecord removes the record of addr; it is fine if there is none.
func (a *Aliases) removeRecord(addr netip.Addr) error { return a.disk.Remove(a.record(addr)) }

// ownerOf reads the record of addr; fs.ErrNotExist if there is none.
func (a *Aliases) ownerOf(addr netip.Addr) (proc.ID, error) {
	v, err := a.disk.Read(a.record(addr))
	if err != nil {
		return proc.ID{}, err
	}
	owner, ok := proc.Parse(string(v.Content))
	if !ok {
		return proc.ID{}, fmt.Errorf("read %s: no owner in it", a.record(addr))
	}
	return owner, nil
}

// recordOf is the owner of addr, if it has a record of this boot.
func (a *Aliases) recordOf(addr netip.Addr) (owner proc.ID, recorded bool, err error) {
	owner, err = a.ownerOf(addr)
	if errors.Is(err, fs.ErrNotExist) {
		return proc.ID{}, false, nil
	}
	return owner, err == nil && owner.Boot == a.owner.Boot, err
}

// recorded is the addresses that have a record.
func (a *Aliases) recorded() ([]netip.Addr, error) {
	paths, err := a.disk.List(a.dir, "")
	var addrs []netip.Addr
	for _, path := range paths {
		addr, err := netip.ParseAddr(filepath.Base(path))
		if err == nil && (Check(addr) == nil && addr != localhost || CheckPod(addr) == nil) {
			addrs = append(addrs, addr)
		}
	}
	return addrs, err
}

// those are the recorded addresses of some owners.
func (a *Aliases) those(wanted func(owner proc.ID) bool) (those []netip.Addr, err error) {
	if a.lo == nil {
		return nil, nil
	}
	recorded, err := a.recorded()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, addr := range recorded {
		if owner, err := a.ownerOf(addr); err == nil && wanted(owner) {
			those = append(those, addr)
		}
	}
	return those, err
}
