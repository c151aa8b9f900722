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

// Aliases are the addresses that a session had to add to the system's loopback
// interface, which is root's to do. They are of two kinds. Those of 127/8 macOS has to
// be given, which answers on 127.0.0.1 alone; elsewhere all of them answer, and nothing
// is done for them. Those of pods are not this machine's: they are refused where they
// would take something away, from this machine's own routes or from another session.
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
	lo    loopback // nil where none can be added
}

// loopback is the system's loopback interface.
type loopback interface {
	// answers reports that the system answers on addr, one of 127/8, without an alias.
	answers(addr netip.Addr) bool
	// present reports whether the interface has addr.
	present(addr netip.Addr) (bool, error)
	// add and remove change it. A program that does it keeps lock open until it ends,
	// which may be after the end of this process.
	add(ctx context.Context, lock *os.File, addr netip.Addr) error
	remove(ctx context.Context, lock *os.File, addr netip.Addr) error
	// connected reports whether anybody here has a connection to addr, as far as the
	// system tells.
	connected(addr netip.Addr) (bool, error)
	// route is the most specific route to addr.
	route(ctx context.Context, addr netip.Addr) (Route, error)
}

// localhost is the address that always answers, and is never ours to remove.
var localhost = netip.AddrFrom4([4]byte{127, 0, 0, 1})

// changeTimeout bounds one change. It takes some milliseconds.
const changeTimeout = 10 * time.Second

// NewAliases are this process's own.
func NewAliases() (*Aliases, error) {
	if lo, _ := systemLoopback(); lo == nil {
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
	lo, part := systemLoopback()
	return &Aliases{
		owner: owner,
		dir:   filepath.Join(statedir.Root(), "aliases", part), // only root adds addresses
		alive: proc.ID.Alive,
		lo:    lo,
	}
}

// Add makes the system answer on addr; it is fine if it does already. The one who added
// an alias of 127/8 last is its owner; leases see to it that nobody else uses it. A
// pod's address, which has no lease, is refused with a *HeldError while another session
// that lives is its owner, with a *RouteError where this machine has a route to it that
// is not the default one, and with a *UsedError where somebody is connected to it.
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
	return a.those(func(owner proc.ID) bool { return !a.alive(owner) })
}

func (a *Aliases) add(ctx context.Context, addr netip.Addr) error {
	if done, err := a.settled(addr); done || err != nil {
		return err
	}
	if err := a.refusal(ctx, addr); err != nil { // before rights that it takes are asked for
		return err
	}
	lock, err := a.lock(ctx)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := a.refusal(ctx, addr); err != nil {
		return err
	}
	there, err := a.lo.present(addr)
	if err != nil {
		return err
	}
	_, recorded, err := a.recordOf(addr)
	switch {
	case err != nil:
		return err
	case there && !recorded:
		return a.removeRecord(addr) // somebody else's
	}
	if err := a.writeRecord(addr); err != nil || there {
		return err
	}
	err = a.change(ctx, lock, addr, a.lo.add)
	if err == nil {
		return nil
	}
	if there, look := a.lo.present(addr); there || look != nil {
		return errors.Join(err, look) // the record stays with it
	}
	return errors.Join(err, a.removeRecord(addr))
}

// settled reports that the system answers on addr without an alias, and refuses what
// can have none.
func (a *Aliases) settled(addr netip.Addr) (bool, error) {
	if Check(addr) == nil {
		return a.lo == nil || addr == localhost || a.lo.answers(addr), nil
	}
	if err := CheckPod(addr); err != nil {
		return false, err
	}
	if a.lo == nil {
		return false, errors.ErrUnsupported
	}
	return false, nil
}

func (a *Aliases) remove(ctx context.Context, addr netip.Addr) error {
	if done, err := a.settled(addr); done || err != nil {
		return err
	}
	if _, err := os.Stat(a.record(addr)); errors.Is(err, fs.ErrNotExist) {
		return nil
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

// RemoveAll removes all that was added for this owner.
func (a *Aliases) RemoveAll(ctx context.Context) error {
	addrs, err := a.those(func(owner proc.ID) bool { return owner == a.owner })
	errs := []error{err}
	for _, addr := range addrs {
		errs = append(errs, a.Remove(ctx, addr))
	}
	return errors.Join(errs...)
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
		if err := a.change(ctx, lock, addr, a.lo.remove); err != nil {
			return was, err
		}
	}
	return was, a.removeRecord(addr)
}

// change adds or removes, within changeTimeout.
func (a *Aliases) change(
	ctx context.Context, lock *os.File, addr netip.Addr, do func(context.Context, *os.File, netip.Addr) error,
) error {
	ctx, cancel := context.WithTimeout(ctx, changeTimeout)
	defer cancel()
	return do(ctx, lock, addr)
}
