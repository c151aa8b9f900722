package loopback

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/devtun/devtun/internal/disk"
	"github.com/devtun/devtun/internal/proc"
	"github.com/devtun/devtun/internal/statedir"
)

// Aliases are the loopback addresses that a session had to add to the system:
// macOS answers on 127.0.0.1 alone until an alias is put on lo0, which is
// root's to do. Where all of 127/8 answers (Linux, Windows) every method does
// nothing.
//
// The system does not say who added an alias and does not take it back when a
// process ends. So each has a record, made before it and removed after it: a
// file in the state directory, named after the address, that holds the owner.
// What has no record was there before devtun and stays. An alias does not
// outlive the kernel, so the record need not either; one of another boot means
// nothing any more.
//
// It is safe for concurrent use, also by several processes.
type Aliases struct {
	owner proc.ID
	dir   string // of the records
	disk  disk.FS
	alive func(proc.ID) bool
	lo    loopback // nil where all of 127/8 answers
}

// loopback is the system's loopback interface.
type loopback interface {
	// present reports whether the system answers on addr.
	present(addr netip.Addr) (bool, error)
	// ifconfig changes it. The program keeps lock open until it ends, which may
	// be after the end of this process.
	ifconfig(ctx context.Context, lock *os.File, args ...string) error
}

// localhost is the address that always answers, and is never ours to remove.
var localhost = netip.AddrFrom4([4]byte{127, 0, 0, 1})

// ifconfigTimeout bounds one change. It takes some milliseconds.
const ifconfigTimeout = 10 * time.Second

// NewAliases are this process's own.
func NewAliases() (*Aliases, error) {
	if systemLoopback() == nil {
		return new(Aliases), nil
	}
	owner, err := proc.Self()
	if err != nil {
		return nil, err
	}
	return AliasesOf(owner), nil
}

// AliasesOf are those of another process, on whose behalf this one acts.
// Whoever acts for an owner may remove what was added for it.
func AliasesOf(owner proc.ID) *Aliases {
	return &Aliases{
		owner: owner,
		dir:   filepath.Join(statedir.Root(), "aliases"), // only root adds addresses
		alive: proc.ID.Alive,
		lo:    systemLoopback(),
	}
}

// Add makes the system answer on addr; it is fine if it does already. The one
// who added an alias last is its owner; leases see to it that nobody else uses
// it.
func (a *Aliases) Add(ctx context.Context, addr netip.Addr) error {
	if err := a.add(ctx, addr); err != nil {
		return fmt.Errorf("add address %s: %w", addr, err)
	}
	return nil
}

// Remove undoes Add. An address that is gone is fine, one that Add has found
// there stays, and so does one that has another owner by now.
func (a *Aliases) Remove(ctx context.Context, addr netip.Addr) error {
	if err := a.remove(ctx, addr); err != nil {
		return fmt.Errorf("remove address %s: %w", addr, err)
	}
	return nil
}

// Clean removes what dead owners have left, and reports which addresses the
// system does not answer on any more. One that cannot be removed does not keep
// it from the others.
func (a *Aliases) Clean(ctx context.Context) (removed []netip.Addr, err error) {
	if removed, err = a.clean(ctx); err != nil {
		return removed, fmt.Errorf("clean addresses: %w", err)
	}
	return removed, nil
}

// Stale lists what Clean would remove. It needs no right to.
func (a *Aliases) Stale() (stale []netip.Addr, err error) {
	if a.lo == nil {
		return nil, nil
	}
	recorded, err := a.recorded()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, addr := range recorded {
		if owner, err := a.ownerOf(addr); err == nil && !a.alive(owner) {
			stale = append(stale, addr)
		}
	}
	return stale, err
}

func (a *Aliases) add(ctx context.Context, addr netip.Addr) error {
	if err := Check(addr); err != nil || a.lo == nil || addr == localhost {
		return err
	}
	lock, err := a.lock(ctx)
	if err != nil {
		return err
	}
	defer lock.Close()
	there, err := a.lo.present(addr)
	if err != nil {
		return err
	}
	owner, err := a.ownerOf(addr)
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return err
	case there && (err != nil || owner.Boot != a.owner.Boot):
		return a.removeRecord(addr) // somebody else's
	}
	if err := a.writeRecord(addr); err != nil || there {
		return err
	}
	err = a.ifconfig(ctx, lock, "lo0", "alias", addr.String(), "255.255.255.255")
	if err == nil {
		return nil
	}
	if there, look := a.lo.present(addr); there || look != nil {
		return errors.Join(err, look) // the record stays with it
	}
	return errors.Join(err, a.removeRecord(addr))
}

func (a *Aliases) remove(ctx context.Context, addr netip.Addr) error {
	if err := Check(addr); err != nil || a.lo == nil || addr == localhost {
		return err
	}
	lock, err := a.lock(ctx)
	if err != nil {
		return err
	}
	defer lock.Close()
	owner, err := a.ownerOf(addr)
	if errors.Is(err, fs.ErrNotExist) || err == nil && owner != a.owner {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = a.removeAlias(ctx, lock, addr)
	return err
}

func (a *Aliases) clean(ctx context.Context) (removed []netip.Addr, err error) {
	if a.lo == nil {
		return nil, nil
	}
	if _, err := os.Stat(a.dir); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	lock, err := a.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	recorded, err := a.recorded()
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, addr := range recorded {
		owner, err := a.ownerOf(addr)
		switch {
		case err != nil:
		case owner.Boot != a.owner.Boot:
			err = a.removeRecord(addr) // what answers there now is somebody else's
		case !a.alive(owner):
			var was bool
			if was, err = a.removeAlias(ctx, lock, addr); was && err == nil {
				removed = append(removed, addr)
			}
		}
		errs = append(errs, err)
	}
	return removed, errors.Join(errs...)
}

// removeAlias removes an alias and then its record, and reports whether there was one.
func (a *Aliases) removeAlias(ctx context.Context, lock *os.File, addr netip.Addr) (was bool, err error) {
	if was, err = a.lo.present(addr); err != nil {
		return was, err
	}
	if was {
		if err := a.ifconfig(ctx, lock, "lo0", "-alias", addr.String()); err != nil {
			return was, err
		}
	}
	return was, a.removeRecord(addr)
}

func (a *Aliases) ifconfig(ctx context.Context, lock *os.File, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, ifconfigTimeout)
	defer cancel()
	return a.lo.ifconfig(ctx, lock, args...)
}
