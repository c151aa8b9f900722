# Everything here works from a fresh clone on a Debian machine with Go and root;
# what else it needs it installs, saying so. `make help` lists the targets.

SHELL := /bin/bash
# What is built does not know where, so that every checkout finds it in Go's cache.
export GOFLAGS := -trimpath
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
CTL := go run ./e2e/cluster/ctl
IMAGES := devtun.test/service-front:dev=./examples/service-front \
	devtun.test/service-middle:dev=./examples/service-middle \
	devtun.test/service-back:dev=./examples/service-back
# What runs on every system; the tests on a real cluster run on Linux.
PRODUCT := . ./cmd/... ./dns/... ./tunnel/... ./intercept/... ./pause ./broadcast ./examples/...
# The agent, compiled, where devtun embeds it.
AGENTS := intercept/image/agents
MODULES := . packaging e2e/cluster/kubernetes e2e/cluster/coredns e2e/delve

.PHONY: help build agents images cluster-up cluster-down cluster-load docs dist demo test unit e2e soak bench verify

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: agents ## build bin/devtun, with the agent in it
	@mkdir -p bin
	CGO_ENABLED=0 go build -trimpath -tags embed_agent -ldflags '-s -w' -o bin/devtun ./cmd/devtun

agents: # GOOS and GOARCH are devtun's, not this program's
	GOOS= GOARCH= GOFLAGS= go run ./intercept/image/embed -o $(AGENTS)

images: build ## build the images of the examples and of the agent: bin/images.tar, bin/agent.tar
	go run ./e2e/image/save -o bin/images.tar $(IMAGES)
	bin/devtun image save bin/agent.tar

cluster-up: ## bring up the local cluster and write .cluster/kubeconfig
	$(CTL) up

cluster-down: ## end the local cluster and remove all it made
	$(CTL) down

cluster-load: ## load an image tarball into the local cluster: TAR=file
	@test -n '$(TAR)' || { echo 'usage: make cluster-load TAR=file' >&2; exit 2; }
	$(CTL) load '$(TAR)'

docs: ## write the command reference, docs/reference, anew from the commands
	go run ./docs/gen docs/reference

dist: ## build archives and Debian packages of this commit into dist/, for all systems or TARGETS='linux/amd64 …'
	@mkdir -p bin
	go build -C packaging -o ../bin/dist ./dist
	bin/dist -version "$$(git describe --tags --always --dirty)" -date "$$(git log -1 --format=%ct)" -o dist $(TARGETS)

demo: build ## set everything up and show a working session
	examples/demo.sh

SUITE := go run ./e2e/suite

test: agents ## prove every promise once: unit tests, and end-to-end tests on a real cluster
	$(SUITE) test

unit: agents ## run the tests that need no cluster
	$(SUITE) unit

e2e: ## run the end-to-end tests (root, or DEVTUN_KUBECONFIG=path); TEST=Name one of them, on a cluster that stays; RUNS=n
	$(SUITE) $(if $(TEST),-keep -run '$(TEST)') $(if $(RUNS),-runs $(RUNS)) e2e

soak: agents ## run what waits for long or is repeated often: PART=1, 2, 3, RUNS=n
	$(SUITE) $(if $(PART),-part $(PART)) $(if $(RUNS),-runs $(RUNS)) soak

bench: ## measure forward and intercept against kubectl port-forward and the pod itself
	go run ./e2e/bench

verify: ## check format, vet, staticcheck, tidiness, the reference, and that other systems compile
	@files=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$files" || { echo "gofmt would change: $$files" >&2; exit 1; }
	@for m in $(MODULES); do (cd $$m && go mod tidy -diff) || exit 1; done
	go vet -tags e2e,soak ./...
	cd packaging && go vet ./...
	go run $(STATICCHECK) -tags e2e,soak ./...
	GOOS=darwin go build ./... && GOOS=darwin go vet $(PRODUCT)
	GOOS=windows go build ./... && GOOS=windows go vet $(PRODUCT)
	go run ./docs/gen -check docs/reference
	@echo 'verify: all well'
