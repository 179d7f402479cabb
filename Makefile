# Drydock's chores; `make` alone lists them. Everything is compiled in one profile, so that a clean machine compiles
# every dependency once.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-builtin-rules
.NOTPARALLEL:

HOST := $(shell rustc -vV 2>/dev/null | sed -n 's/^host: //p')
TARGET_DIR := $(abspath $(or $(CARGO_TARGET_DIR),target))
DRYDOCK := $(TARGET_DIR)/release/drydock
# Linked statically, so that it runs in any image. The program carries it, as its build script finds it here.
export DRYDOCK_GUEST := $(TARGET_DIR)/$(HOST)/release/drydock-guest

# The Python side of the tests: outside of the checkout, kept between runs, made again when its pins change.
VENV := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/drydock-tests
PYTHON := $(VENV)/bin/python

EXAMPLE ?= examples/ecs-cluster
# More arguments for pytest: make test-e2e PYTEST='-k seed -x'
PYTEST ?=
# The parts to measure, all when empty: make bench BENCH=daemon
BENCH ?=

.PHONY: help
help: ## This list
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  make \1|\2/p' $(firstword $(MAKEFILE_LIST)) | column -t -s '|'

.PHONY: up
up: deps build ## Start the local cloud, deploy the example cluster on it, verify it
	$(DRYDOCK) up $(EXAMPLE)

.PHONY: down
down: ## Delete the example cluster and stop the local cloud
	$(DRYDOCK) down $(EXAMPLE)
	$(DRYDOCK) cloud stop

.PHONY: deps
deps: ## Install the host programs that are missing (Debian, as root)
	@scripts/install-deps run

.PHONY: build
build: ## Build the program
	RUSTFLAGS='-C target-feature=+crt-static' cargo build --release --package guest --target $(HOST)
# With guest named, dependencies get the features that they have in `cargo test --workspace`: one compilation for both.
	cargo build --release --package drydock --package guest

.PHONY: test
test: test-deps build lint test-unit test-wire test-e2e ## Run every test, real instances included (as root)

.PHONY: test-deps
test-deps: ## Install what the tests need besides
	@scripts/install-deps test
	@scripts/test-env $(VENV)

.PHONY: lint
lint: ## Check format, lints and scripts
	cargo fmt --all --check
	cargo clippy --release --workspace --all-targets -- --deny warnings
	$(PYTHON) -m ruff check --quiet tests bench
	$(PYTHON) -m ruff format --quiet --check tests bench
	shellcheck scripts/* .ci/run examples/*/scripts/*

.PHONY: test-unit
test-unit: ## Run the crates' own tests
	if cargo nextest --version >/dev/null 2>&1; then \
	    cargo nextest run --release --workspace --no-fail-fast; \
	    cargo test --release --workspace --doc --quiet; \
	else \
	    cargo test --release --workspace --no-fail-fast; \
	fi

.PHONY: test-wire
test-wire: ## Compare the wire types with their models, and the codecs with botocore's
	cargo run --release --quiet --package xtask -- wire --check
	cargo build --release --quiet --package aws-wire --example wire-echo
	$(PYTHON) crates/aws-wire/tests/botocore_agrees.py $(TARGET_DIR)/release/examples/wire-echo

.PHONY: test-e2e
test-e2e: ## Run the tests from outside: real clients, real instances (as root, after `make build test-deps`)
	DRYDOCK=$(DRYDOCK) $(PYTHON) -m pytest tests $(PYTEST)

.PHONY: bench
bench: deps test-deps build ## Measure what docs/performance.md promises
	DRYDOCK=$(DRYDOCK) PYTHONPATH=tests $(PYTHON) bench/bench.py $(BENCH)

.PHONY: clean
clean: ## Remove what was built
	cargo clean
	rm -rf $(VENV)
