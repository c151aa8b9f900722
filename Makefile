# Everything here works from a fresh clone on a Debian machine with Go and root;
# what else it needs it installs, saying so. `make help` lists the targets.

SHELL := /bin/bash
# What is built does not know where, so that every checkout finds it in Go's cache.
export GOFLAGS := -trimpath
# A program of the tests' own module, started here, where paths are those of whoever calls.
run = go build -C e2e -o ../bin/tools/ ./$(1) && bin/tools/$(notdir $(1))
CTL := $(call run,cluster/ctl)
SUITE := $(call run,suite)
IMAGES := devtun.test/service-front:dev=./examples/service-front \
	devtun.test/service-middle:dev=./examples/service-middle \
	devtun.test/service-back:dev=./examples/service-back
# What the local cluster is like, for ctl and suite; CLUSTER_PROXY, CLUSTER_POLICIES, CLUSTER_KUBERNETES too.
export CLUSTER_NODES ?= $(NODES)
# What devtun says of its version, and the variable that has it.
VERSION = $(shell git describe --tags --always --dirty)
VERSIONED := github.com/devtun/devtun/cmd/cli/version.Version
# The agent, compiled, where devtun embeds it.
AGENTS := intercept/image/agents
MODULES := . e2e packaging tools e2e/cluster/kubernetes e2e/cluster/coredns e2e/cluster/policies e2e/delve
# What those are built with besides.
MODFILES := e2e/cluster/kubernetes/1.34.mod
# Where errcheck has nothing to find.
ERRCHECKED := . e2e packaging
ERRCHECK = $(CURDIR)/bin/tools/errcheck -exclude $(CURDIR)/tools/errcheck.txt -ignoretests -tags e2e,soak

.PHONY: help build agents images dist cluster-up cluster-down cluster-load demo test unit e2e soak bench verify errcheck checkers docs tidy

help: # list the targets
	@awk -F ':.*## ' '/^##@ / {printf "%s\n", substr($$0, 5)} /^[a-z0-9-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ build

build: agents ## build bin/devtun, with the agent in it
	@mkdir -p bin
	CGO_ENABLED=0 go build -trimpath -tags embed_agent -ldflags '-s -w -X $(VERSIONED)=$(VERSION)' -o bin/devtun \
		./cmd/devtun

agents: # GOOS and GOARCH are devtun's, not this program's
	GOOS= GOARCH= GOFLAGS= go run ./intercept/image/embed -o $(AGENTS)

images: ## build the images of the examples: bin/images.tar
	@mkdir -p bin
	$(call run,image/save) -o bin/images.tar $(IMAGES)

dist: ## build archives and Debian packages of this commit into dist/, for all systems or TARGETS='linux/amd64 …'
	@mkdir -p bin
	go build -C packaging -o ../bin/dist ./dist
	bin/dist -version "$(VERSION)" -date "$$(git log -1 --format=%ct)" -o dist $(TARGETS)

##@ try

demo: build ## set everything up and show a working session
	examples/demo.sh

cluster-up: ## bring up the local cluster and write .cluster/kubeconfig; NODES=n, CLUSTER_POLICIES=1 and more (CONTRIBUTING.md)
	$(CTL) up

cluster-down: ## end the local cluster and remove all it made
	$(CTL) down

cluster-load: ## load an image tarball into the local cluster: TAR=file
	@test -n '$(TAR)' || { echo 'usage: make cluster-load TAR=file' >&2; exit 2; }
	$(CTL) load '$(TAR)'

##@ test

test: agents ## prove every promise once: unit tests, and end-to-end tests on a real cluster
	$(SUITE) test

unit: agents ## run the tests that need no cluster
	$(SUITE) unit

e2e: ## run the end-to-end tests (root, or DEVTUN_KUBECONFIG=path); TEST=Name one of them, on a cluster that stays; RUNS=n
	$(SUITE) $(if $(TEST),-keep -run '$(TEST)') $(if $(RUNS),-runs $(RUNS)) e2e

soak: agents ## run what waits for long or is repeated often: PART=1 to 12, RUNS=n
	$(SUITE) $(if $(PART),-part $(PART)) $(if $(RUNS),-runs $(RUNS)) soak

##@ measure

bench: ## measure forward, its relay, intercept and its agent against kubectl port-forward; OF=relay, ONLY=download: some
	$(call run,bench) $(if $(ONLY),-only '$(ONLY)') $(OF)

##@ keep

verify: errcheck ## check format, vet, staticcheck, errcheck, tidiness, the reference, and that other systems compile
	@files=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$files" || { echo "gofmt would change: $$files" >&2; exit 1; }
	@for m in $(MODULES); do (cd $$m && go mod tidy -diff) || exit 1; done
	@for f in $(MODFILES); do (cd $$(dirname $$f) && go mod tidy -diff -modfile=$$(basename $$f)) || exit 1; done
	go vet -tags soak ./...
	go vet -C e2e -tags e2e,soak ./...
	go vet -C packaging ./...
	bin/tools/staticcheck -tags soak ./...
	cd e2e && ../bin/tools/staticcheck -tags e2e,soak ./...
	for system in darwin windows; do \
		GOOS=$$system go build ./... && GOOS=$$system go vet ./... && GOOS=$$system go build -C e2e ./... || exit 1; \
	done
	go run ./docs/gen -check docs
	@echo 'verify: all well'

errcheck: checkers ## find errors that are ignored without a word
	for m in $(ERRCHECKED); do (cd $$m && $(ERRCHECK) ./...) || exit 1; done

checkers: # at the versions that tools/go.mod says
	go build -C tools -o ../bin/tools/ tool

docs: ## write the command reference, and tables and schema of events, anew from the program
	go run ./docs/gen docs

tidy: ## have go.mod and go.sum of all modules say what is needed
	for m in $(MODULES); do (cd $$m && go mod tidy) || exit 1; done
	for f in $(MODFILES); do (cd $$(dirname $$f) && go mod tidy -modfile=$$(basename $$f)) || exit 1; done
