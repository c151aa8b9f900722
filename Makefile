# Everything here works from a fresh clone on a Debian machine with Go and root;
# what else it needs it installs, saying so. `make help` lists the targets.

SHELL := /bin/bash
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
# The race detector needs a C compiler.
RACE := $(shell command -v gcc >/dev/null && echo -race)
CTL := go run ./e2e/cluster/ctl
IMAGES := devtun.test/service-front:dev=./examples/service-front \
	devtun.test/service-middle:dev=./examples/service-middle \
	devtun.test/service-back:dev=./examples/service-back
# What runs on every system; the tests on a real cluster run on Linux.
PRODUCT := . ./cmd/... ./dns/... ./tunnel/... ./examples/...
MODULES := . e2e/cluster/kubernetes e2e/cluster/coredns

.PHONY: help build images cluster-up cluster-down cluster-load demo test unit e2e bench verify

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build bin/devtun
	@mkdir -p bin
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o bin/devtun ./cmd/devtun

images: ## build the examples' images into bin/images.tar
	@mkdir -p bin
	go run ./e2e/image/save -o bin/images.tar $(IMAGES)

cluster-up: ## bring up the local cluster and write .cluster/kubeconfig
	$(CTL) up

cluster-down: ## end the local cluster and remove all it made
	$(CTL) down

cluster-load: ## load an image tarball into the local cluster: TAR=file
	@test -n '$(TAR)' || { echo 'usage: make cluster-load TAR=file' >&2; exit 2; }
	$(CTL) load '$(TAR)'

demo: build ## set everything up and show a working session
	examples/demo.sh

test: unit e2e ## run all tests: unit and end-to-end

unit: ## run the tests that need no cluster
	go test $(RACE) $$(go list ./... | grep -v '/e2e$$')

e2e: ## run the tests on a real cluster (root, or DEVTUN_KUBECONFIG=path)
	go test -count=1 -timeout 40m ./e2e
	@if test -z "$$DEVTUN_KUBECONFIG"; then set -x; go test -count=1 -timeout 20m -tags e2e ./e2e/cluster; fi

bench: ## measure devtun against kubectl port-forward and the pod itself
	go run ./e2e/bench

verify: ## check format, vet, staticcheck, tidiness, and that other systems compile
	@files=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$files" || { echo "gofmt would change: $$files" >&2; exit 1; }
	@for m in $(MODULES); do (cd $$m && go mod tidy -diff) || exit 1; done
	go vet ./...
	go vet -tags e2e ./e2e/...
	go run $(STATICCHECK) -tags e2e ./...
	GOOS=darwin go build ./... && GOOS=darwin go vet $(PRODUCT)
	GOOS=windows go build ./... && GOOS=windows go vet $(PRODUCT)
	@echo 'verify: all well'
