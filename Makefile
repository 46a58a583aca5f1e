# Every target sets up what it needs by itself.  PYTHON names the Python to build .venv with.

PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$python; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
LOCKS := requirements.lock requirements-dev.lock requirements-fuzz.lock
# The environment is made anew, or brought up to date, when what it is made from changes.
STAMP := $(VENV)/.made-of-$(shell cat $(LOCKS) pyproject.toml | cksum | tr ' ' '-')
PEER := tests/channels/peer
SOURCES := src tests demo model
GATEWAYS := jasmin tasks
GATEWAY_FILES := tests/bench/peers
GATEWAY_VENVS := .venv-peers

.DEFAULT_GOAL := help
.PHONY: help setup run demo test check prove bench bench-growth bench-peers peers lock fuzz check-model

help:  ## print this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { sub(/:.*/, "", $$1); printf "make %-12s %s\n", $$1, $$2 }' Makefile

setup: $(STAMP)  ## make .venv with the command .venv/bin/penstock

$(STAMP):
	@test -n "$(PYTHON)" || { echo "Penstock needs Python 3.11 or newer; name it: make PYTHON=/path/to/python3.12" >&2; exit 1; }
	@$(BIN)/python -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
		|| $(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@rm -f $(VENV)/.made-of-*
	@touch $@

run: setup  ## run a server with its data in penstock-data
	$(BIN)/penstock serve

demo: setup  ## send 100,000 messages, stop in the middle, compare the receipt with the wire
	$(BIN)/python -m demo

test: setup peers  ## run all tests
	$(BIN)/python -m pytest

check: setup  ## format, lint, types, direction of imports
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/lint-imports

prove: setup  ## make 1,000 stops with every fault, judged by the wire; a quarter of an hour
	$(BIN)/penstock prove --stops $(or $(STOPS),1000) --faults $(or $(FAULTS),all) --seed $(or $(SEED),1)

check-model:  ## check the model of the stop with spin, which it installs
	$(PYTHON) model/check.py

bench: setup  ## measure and print a table
	$(BIN)/python -m tests.bench

bench-growth: setup  ## compare ten thousand messages with ten million; about 10 minutes, 10 GB (ARGS=--help)
	$(BIN)/python -m tests.bench.growth $(ARGS)

bench-peers: setup $(GATEWAYS:%=$(GATEWAY_VENVS)/%/made)  ## measure beside Kannel, Jasmin, Celery and dramatiq (ARGS=--help)
	$(GATEWAY_FILES)/install.sh
	$(BIN)/python -m tests.bench.peers $(ARGS)

# Their Python packages never mix with ours.
$(GATEWAY_VENVS)/%/made: $(GATEWAY_FILES)/%.lock | setup
	$(BIN)/python -m venv --clear $(@D)
	@$(@D)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r $< && touch $@ \
		|| echo "PEERS MISSING: $* could not be installed (Jasmin needs Python 3.11 or 3.12); the others will run" >&2

# FUZZ_SECONDS is for each target.  atheris has no wheel for every Python: where it cannot be had, this fails and says so.
FUZZ_SECONDS ?= 60

fuzz: setup  ## fuzz decoders and the HTTP API for a quarter of an hour
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --only-binary :all: --require-hashes \
		-r requirements-fuzz.lock
	$(BIN)/python -m tests.abuse.fuzz --seconds $(FUZZ_SECONDS)
	PENSTOCK_FUZZ_EXAMPLES=300 $(BIN)/python -m pytest tests/abuse/test_openapi.py

# Tests against an SMSC that is not ours need node; without it they are skipped, and say so.
peers:
	@if command -v npm >/dev/null; then \
		test -d $(PEER)/node_modules -a ! $(PEER)/package-lock.json -nt $(PEER)/node_modules \
		|| { npm ci --prefix $(PEER) --no-audit --no-fund --loglevel=error && touch $(PEER)/node_modules; } \
		|| { echo "PEERS MISSING: npm ci failed; tests against the SMSC that is not ours will not run" >&2; \
			test "$$PENSTOCK_REQUIRE_PEERS" != 1; }; \
	else \
		echo "PEERS MISSING: there is no npm; tests against the SMSC that is not ours will not run" >&2; \
		test "$$PENSTOCK_REQUIRE_PEERS" != 1; \
	fi

LOCK := $(BIN)/pip-compile --quiet --generate-hashes --allow-unsafe --strip-extras --no-annotate --no-header \
	--no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-emit-options --output-file

lock: setup  ## write the lock files anew from pyproject.toml; do it with Python 3.11
	$(BIN)/python -m pip install --quiet pip-tools
	env -u PIP_FIND_LINKS $(LOCK) requirements.lock pyproject.toml
	env -u PIP_FIND_LINKS $(LOCK) requirements-dev.lock --extra dev --constraint requirements.lock pyproject.toml
	env -u PIP_FIND_LINKS $(LOCK) requirements-fuzz.lock --extra fuzz --constraint requirements-dev.lock pyproject.toml
	for name in $(GATEWAYS); do \
		env -u PIP_FIND_LINKS $(LOCK) $(GATEWAY_FILES)/$$name.lock $(GATEWAY_FILES)/$$name.in || exit 1; \
	done
	@for lock in $(LOCKS) $(GATEWAYS:%=$(GATEWAY_FILES)/%.lock); do \
		{ echo "# Written by make lock."; cat $$lock; } > $$lock.new && mv $$lock.new $$lock; \
	done
