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
	make --no-print-directory cluster-up images
	make --no-print-directory cluster-load TAR=bin/images.tar
	export KUBECONFIG=$PWD/.cluster/kubeconfig
	kubectl=.cluster/bin/kubectl
fi
if [ "$(id -u)" -ne 0 ]; then
	echo 'demo: devtun needs root to write the hosts file: run it as root' >&2
	exit 1
fi

unset SUDO_UID # under sudo devtun would become the user, who may not read the cluster's kubeconfig

say 'Three services that call each other, in namespace demo'
$kubectl get namespace demo >/dev/null 2>&1 || $kubectl create namespace demo
$kubectl apply -n demo -f examples/manifests >/dev/null
for workload in deploy/service-front deploy/service-middle deploy/service-back statefulset/service-store; do
	$kubectl rollout status -n demo "$workload" --timeout=120s >/dev/null
done
$kubectl get services -n demo

say 'devtun forward: their names work on this machine'
out=$(mktemp)
bin/devtun forward -n demo >"$out" 2>&1 &
devtun=$!
trap 'kill "$devtun" 2>/dev/null || true; wait "$devtun" 2>/dev/null || true; rm -f "$out"' EXIT
printf '\033[2m$ devtun forward -n demo\033[0m\n'
for _ in $(seq 300); do
	grep -q '^devtun: ready' "$out" && break
	kill -0 "$devtun" 2>/dev/null || { cat "$out"; exit 1; }
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

say 'kill -9, and what it leaves is cleaned up: by the next devtun, or at once'
kill -9 "$devtun"
wait "$devtun" 2>/dev/null || true
show bin/devtun clean
# Only its own lines: other programs, and another devtun, may change theirs meanwhile.
clean() {
	grep -q "^# devtun begin pid=$devtun " /etc/hosts || return 0
	echo 'demo: lines of devtun are left in the hosts file' >&2
	exit 1
}
clean
echo 'No line of it is left in the hosts file.'

say 'devtun intercept: a request inside the cluster is answered by a process on this machine'
ask() { $kubectl get --raw /api/v1/namespaces/demo/services/service-front:80/proxy/; }
printf '\033[2m$ devtun intercept service-middle -n demo -- go run ./examples/service-middle\033[0m\n'
bin/devtun intercept service-middle -n demo -- go run ./examples/service-middle >"$out" 2>&1 &
devtun=$!
for _ in $(seq 600); do
	grep -q -- '-> localhost:' "$out" && grep -q '^devtun: ready' "$out" && break
	kill -0 "$devtun" 2>/dev/null || { cat "$out"; exit 1; }
	sleep 0.1
done
grep -E '^intercepting:|^service-middle:' "$out" || true
echo 'A request to service-front in the cluster, which calls service-middle, now here:'
ask
show bin/devtun list -n demo

say 'kill -9: the cluster goes on by itself, and restore puts everything back'
kill -9 "$devtun"
wait "$devtun" 2>/dev/null || true
ask
show bin/devtun restore -n demo
show bin/devtun clean
clean

say 'Yours now (make cluster-down removes the cluster):'
cat <<END
export KUBECONFIG=$KUBECONFIG PATH=$PWD/bin:$PWD/.cluster/bin:\$PATH
devtun forward -n demo
devtun intercept service-middle -n demo
END
