#!/usr/bin/env bash
# Installs a Debian package, uses it, removes and purges it, and wants nothing left:
#
#	check.sh DEB VERSION
#
# It runs as root in a mount namespace of its own (unshare --mount), where whatever is
# written to /usr, /etc and to dpkg's directories goes to a file system in memory.
set -euo pipefail
deb=$1 version=$2
[ "$(readlink /proc/self/ns/mnt)" != "$(readlink /proc/1/ns/mnt)" ] || { echo 'check: run it by unshare --mount' >&2; exit 1; }
fail() { echo "check: $*" >&2; exit 1; }

upper=$(mktemp -d)
trap 'umount --lazy "$upper" && rmdir "$upper"' EXIT # what is mounted from it goes with this name space
mount -t tmpfs devtun-check "$upper"
for place in /usr /etc /var/lib/dpkg /var/cache /var/log; do
	mkdir -p "$upper$place" "$upper/.work$place"
	mount -t overlay devtun-check -o "lowerdir=$place,upperdir=$upper$place,workdir=$upper/.work$place" "$place"
done
unset MANPATH DEVTUN_AGENT_IMAGE
export PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive
dpkg -s devtun >/dev/null 2>&1 && dpkg -P devtun >/dev/null

# AppArmor 4, as far as the package speaks to it.
printf '#!/bin/sh\necho "$@" >>%s/apparmor.log\n' "$upper" >/usr/sbin/apparmor_parser
chmod 755 /usr/sbin/apparmor_parser
dpkg -i "$deb" >/dev/null
grep -q '^  userns,$' /etc/apparmor.d/devtun || fail 'no AppArmor profile lets devtun have user namespaces'
case "$(devtun version)" in
"devtun $version go"*) ;;
*) fail "devtun version says $(devtun version), not $version" ;;
esac
devtun image save "$upper/agent.tar" >/dev/null 2>&1 || fail 'the agent is not in it'

pages=$(dpkg -L devtun | grep /man/man1/)
for page in $pages; do
	complaint=$(LC_ALL=C.UTF-8 MANROFFSEQ='' man --warnings -E UTF-8 -l -Tutf8 -Z "$page" 2>&1 >/dev/null)
	[ -z "$complaint" ] || fail "$page: $complaint"
done
[ "$(echo "$pages" | wc -l)" -gt 10 ] || fail "few pages: $pages"
if command -v man >/dev/null && [ ! -e /usr/share/man/man1/devtun.1.gz ]; then
	fail 'no page devtun(1)'
fi
LC_ALL=C.UTF-8 MANPAGER=cat man -l /usr/share/man/man1/devtun-forward.1.gz | grep -q "Reach the cluster's services by name" || fail 'devtun-forward(1) does not say what it does'

# What bash-completion does before it calls devtun's function.
completed=$(bash -c '
	_init_completion() { words=("${COMP_WORDS[@]}"); cword=$COMP_CWORD; cur=${words[cword]}; prev=${words[cword-1]}; }
	source /usr/share/bash-completion/completions/devtun
	COMP_WORDS=(devtun inter) COMP_CWORD=1 COMP_LINE="devtun inter" COMP_POINT=12 COMP_TYPE=9
	__start_devtun
	echo "${COMPREPLY[*]}"' 2>/dev/null)
case $completed in
intercept*) ;;
*) fail "bash completes 'devtun inter' to '$completed'" ;;
esac
for script in /usr/share/zsh/vendor-completions/_devtun /usr/share/fish/vendor_completions.d/devtun.fish /usr/share/doc/devtun/README.md /usr/share/doc/devtun/changelog.gz; do
	[ -s "$script" ] || fail "no $script"
done
grep -q '^SPDX-License-Identifier: Apache-2.0$' /usr/share/doc/devtun/copyright || fail 'the copyright file names no license'
[ -z "$(dpkg --verify devtun)" ] || fail 'dpkg --verify finds differences'

dpkg -r devtun >/dev/null
[ ! -e /usr/bin/devtun ] || fail 'devtun is still there'
dpkg -P devtun >/dev/null 2>&1 || true # nothing is left to purge
! dpkg -s devtun >/dev/null 2>&1 || fail 'dpkg still knows of it'
rm /usr/sbin/apparmor_parser
left=$(find "$upper/usr" "$upper/etc" -type f)
[ -z "$left" ] || fail "left behind: $left"
if command -v lintian >/dev/null; then
	lintian --fail-on error --suppress-tags statically-linked-binary,unstripped-static-library "$deb"
fi
echo 'check: all well'
