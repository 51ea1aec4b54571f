# `make` alone lists what can be made. Every target does its own set-up and does nothing twice.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.ONESHELL:

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 /usr/bin/python3; do \
  command -v $$p >/dev/null && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
# Installs a package of the system only where its command is missing and we may.
apt = command -v $(1) >/dev/null || if command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ]; then \
  echo "Installing $(2) with the system's package manager"; \
  (apt-get install -qq -y $(2) || (apt-get update -qq && apt-get install -qq -y $(2))) >/dev/null 2>&1 \
  || echo "Could not install $(2): what needs it is skipped by name"; fi

.PHONY: help setup demo test lint types unit space console interop interop-slice docs faults fuzz schedules tck bench lock clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

setup: $(READY) ## Make the Python environment (in .venv, from the locked list)

$(READY): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed: apt-get install python3"; exit 1; }
	if ! $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null; then
	  echo "Installing python3-venv with the system's package manager"
	  (apt-get install -qq -y python3-venv || (apt-get update -qq && apt-get install -qq -y python3-venv)) >/dev/null
	fi
	echo "Making the Python environment in $(VENV) from requirements.lock (about 200 MB)"
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check uv
	$(BIN)/uv pip install -q --python $(BIN)/python --compile-bytecode --require-hashes -r requirements.lock
	$(BIN)/uv pip install -q --python $(BIN)/python --no-deps --editable .
	$(BIN)/python -m compileall -q src
	touch $(READY)

demo: $(READY) ## Three kinds of use of real data among six organisations, from promise to proof (a minute or two)
	@$(call apt,bwrap,bubblewrap)
	$(BIN)/python examples/street/demo.py $(DEMO)

test: $(READY) lint types unit space console interop-slice docs ## Everything that must hold before a change lands

lint: $(READY) ## Format, lint and the house rules of imports
	@$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports

types: $(READY) ## Strict types
	@$(BIN)/mypy -p entrepot

unit: $(READY) ## Rules, stores and published standards
	@$(call apt,pg_ctlcluster,postgresql)
	$(call apt,mvn,maven)
	$(BIN)/pytest tests/unit tests/stores tests/conformance -n 2

space: $(READY) ## Whole data spaces of real processes, with faults made on purpose (a slice)
	@$(call apt,strace,strace)
	$(call apt,bwrap,bubblewrap)
	$(BIN)/pytest tests/space

console: $(READY) ## A person's tasks in a real browser; pictures of every page are left in build/console
	@$(call apt,chromium,chromium fonts-noto-cjk)
	$(BIN)/pytest tests/console

docs: $(READY) ## The documentation, warnings as errors
	@$(BIN)/sphinx-build -q -n -W --keep-going docs build/docs

faults: $(READY) ## Kill at every point of a running use (long), and print how many points fired
	@$(call apt,strace,strace)
	$(BIN)/pytest tests/space -m faults --all-points -s

fuzz: $(READY) ## Every property, parser and HTTP route of every role, at random and long: make fuzz EXAMPLES=5000
	@random="--examples $(or $(EXAMPLES),2000) --timeout 14400 -p no:randomly"
	$(BIN)/pytest tests/unit tests/stores -m hypothesis $$random
	$(BIN)/pytest tests/space/test_http.py $$random

schedules: $(READY) ## 10,000 schedules of lost, repeated, late and crossing messages
	@$(BIN)/python tests/space/schedules.py --schedules 10000

tck: $(READY) ## What the field's official suites say, one line a suite and role (needs Java and Maven)
	@$(call apt,mvn,maven)
	$(BIN)/python tests/conformance/tck/run.py

bench: $(READY) ## Measure every claim: our figure, the rival's, their ratio (EDC as rival needs Java and Maven)
	@$(call apt,nginx,nginx)
	$(call apt,javac,openjdk-17-jdk-headless)
	$(call apt,mvn,maven)
	missed=0
	for claim in bench/*.py; do echo; echo "== $$claim"; $(BIN)/python $$claim || missed=1; done
	exit $$missed

interop: $(READY) ## A real Eclipse connector (EDC) as consumer and as provider; 500 negotiations each way (needs Java and Maven)
	@$(call apt,javac,openjdk-17-jdk-headless)
	$(call apt,mvn,maven)
	$(BIN)/pytest tests/interop -s --crowd 500

interop-slice: $(READY)
	@$(call apt,javac,openjdk-17-jdk-headless)
	$(call apt,mvn,maven)
	$(BIN)/pytest tests/interop -m 'not long'

lock: ## Resolve the locked list of packages anew
	@$(BIN)/uv pip compile -q --universal --generate-hashes --python-version 3.11 --no-header \
	  --extra dev --extra docs --extra postgresql --extra query pyproject.toml -o requirements.lock

clean: ## Remove what was made
	@rm -rf $(VENV) build .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
