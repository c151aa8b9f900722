//go:build !darwin && !windows

package namecache

// system has nothing to flush here. glibc (nss/nss_files) and musl
// (src/network/lookup_name.c) read the hosts file for every look-up. Daemons that
// keep it watch it themselves: nscd by inotify (nscd(8), "will try to watch for
// changes … /etc/hosts … and flush the cache"), systemd-resolved by a look at its
// date, every two seconds at most (src/resolve/resolved-etc-hosts.c).
func system() cache { return cache{} }
