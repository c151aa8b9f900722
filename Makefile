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
PRODUCT := . ./cmd/... ./dns/... ./tunnel/... ./intercept/... ./examples/...
# The agent, compiled, where devtun embeds it.
AGENTS := intercept/image/agents
MODULES := . packaging e2e/cluster/kubernetes e2e/cluster/coredns e2e/delve

# How long each fuzz target runs: a count, since go test may fail when a time is over
# (go.dev/issue/75804).
FUZZTIME := 20000x

.PHONY: help build agents images cluster-up cluster-down cluster-load docs dist demo test unit fuzz e2e bench verify

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: agents ## build bin/devtun, with the agent in it
	@mkdir -p bin
	CGO_ENABLED=0 go build -trimpath -tags embed_agent -ldflags '-s -w' -o bin/devtun ./cmd/devtun

agents: # GOOS and GOARCH are devtun's, not this program's
	GOOS= GOARCH= go run ./intercept/image/embed -o $(AGENTS)

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

test: unit fuzz e2e ## run all tests: unit, a little fuzzing, and end-to-end

unit: agents ## run the tests that need no cluster
	go test -timeout 30m -tags embed_agent $(RACE) $$(go list ./... | grep -v '/e2e$$')
	go test -run WithoutTheAgent ./cmd/cli && go test ./intercept/image
	go test -run StaysSmall ./intercept/agent # which the race detector makes large
	cd packaging && go test ./...

fuzz: ## run each fuzz target for a moment: FUZZTIME=20000x
	@set -e; grep -rlE --include='*_test.go' '^func Fuzz' . | while read -r file; do \
		for target in $$(sed -nE 's/^func (Fuzz[A-Za-z0-9_]*)\(.*/\1/p' "$$file"); do \
			(set -x; go test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x -parallel 2 "$$(dirname "$$file")"); \
		done; done

e2e: ## run the tests on a real cluster (root, or DEVTUN_KUBECONFIG=path)
	go test -count=1 -timeout 60m -parallel 2 ./e2e
	@if test -z "$$DEVTUN_KUBECONFIG"; then set -x; go test -count=1 -timeout 20m -tags e2e ./e2e/cluster; fi

bench: ## measure forward and intercept against kubectl port-forward and the pod itself
	go run ./e2e/bench

verify: ## check format, vet, staticcheck, tidiness, the reference, and that other systems compile
	@files=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$files" || { echo "gofmt would change: $$files" >&2; exit 1; }
	@for m in $(MODULES); do (cd $$m && go mod tidy -diff) || exit 1; done
	go vet ./...
	go vet -tags e2e ./e2e/...
	cd packaging && go vet ./...
	go run $(STATICCHECK) -tags e2e ./...
	GOOS=darwin go build ./... && GOOS=darwin go vet $(PRODUCT)
	GOOS=windows go build ./... && GOOS=windows go vet $(PRODUCT)
	go run ./docs/gen -check docs/reference
	@echo 'verify: all well'
