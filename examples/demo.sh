#!/usr/bin/env bash
# A working session, from nothing: a cluster with the examples, devtun, and
# requests by name. It leaves the cluster running and everything else as it was.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
show() { printf '\033[2m$ %s\033[0m\n' "$*"; "$@"; }

if [ -n "${DEVTUN_KUBECONFIG:-}" ]; then
	say "Using the cluster of $DEVTUN_KUBECONFIG. It needs the images of bin/images.tar ('make images')."
	export KUBECONFIG=$DEVTUN_KUBECONFIG
	kubectl=kubectl
else
	say 'Bringing up a local cluster (the first time builds Kubernetes, some minutes)'
	go run ./e2e/cluster/ctl up
	make --no-print-directory images
	go run ./e2e/cluster/ctl load bin/images.tar
	export KUBECONFIG=$PWD/.cluster/kubeconfig
	kubectl=.cluster/bin/kubectl
fi
if [ "$(id -u)" -ne 0 ]; then
	echo 'demo: devtun needs root to write the hosts file: run it as root' >&2
	exit 1
fi

say 'Three services that call each other, in namespace demo'
$kubectl get namespace demo >/dev/null 2>&1 || $kubectl create namespace demo
$kubectl apply -n demo -f examples/manifests >/dev/null
for workload in deploy/service-front deploy/service-middle deploy/service-back statefulset/service-store; do
	$kubectl rollout status -n demo "$workload" --timeout=120s >/dev/null
done
$kubectl get services -n demo

say 'devtun forward: their names work on this machine'
before=$(sha256sum </etc/hosts)
out=$(mktemp)
bin/devtun forward -n demo >"$out" &
devtun=$!
trap 'kill "$devtun" 2>/dev/null || true; wait "$devtun" 2>/dev/null || true; rm -f "$out"' EXIT
printf '\033[2m$ sudo devtun forward -n demo\033[0m\n'
for _ in $(seq 300); do
	grep -q '^ready:' "$out" && break
	kill -0 "$devtun" 2>/dev/null || exit 1
	sleep 0.1
done
cat "$out"

# Cluster DNS takes a moment to know services that were made just now.
for _ in $(seq 300); do
	curl -sf -o /dev/null http://service-front/ && break
	sleep 0.1
done
show curl -s http://service-front/
show curl -s http://service-middle.demo.svc.cluster.local:8080/
show curl -s http://service-store-1.service-store:8080/

say 'kill -9, and the next devtun cleans up'
kill -9 "$devtun"
wait "$devtun" 2>/dev/null || true
timeout --signal=INT --preserve-status 10 bin/devtun forward -n demo service-back | sed '/^ready:/q'
for _ in $(seq 100); do
	[ "$before" = "$(sha256sum </etc/hosts)" ] && break
	sleep 0.1
done
if [ "$before" != "$(sha256sum </etc/hosts)" ]; then
	echo 'demo: the hosts file is not as it was' >&2
	exit 1
fi
echo 'The hosts file is as it was, byte for byte.'

say "Yours now: sudo -E KUBECONFIG=$KUBECONFIG bin/devtun forward -n demo      ('make cluster-down' ends the cluster)"
