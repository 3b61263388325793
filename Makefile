# The few commands of this project. `make` alone lists them.

PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	  $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo $$python && break; done)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
RUNTIME := $(VENV)/.runtime-installed
DEV := $(VENV)/.dev-installed
# compiled once and kept, whatever the shell says: the tests start Python a hundred times
PYTEST := env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pytest

.DEFAULT_GOAL := help
.PHONY: help up test check format bench firehose laws chaos hostile interop interop-bluesky migration docs locks
.DELETE_ON_ERROR:

help:  ## this list
	@echo "make TARGET, where TARGET is one of"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

up: $(RUNTIME)  ## start everything on this machine; Ctrl-C stops it (ARGS="--detach", ARGS="--no-demo")
	@$(BIN)/webcare up $(ARGS)

test: check  ## all that a change must pass: the checks, then the tests (ARGS="-k journey")
	@$(PYTEST) -m "not chaos and not hostile and not interop" -n auto --dist loadfile --no-loadscope-reorder $(ARGS)

check: $(DEV)  ## style, types, and who may import whom
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

format: $(DEV)  ## lay out the code and mend what can be mended by itself
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(DEV)  ## measure against the bare machine, as ratios (ARGS="--only ingest")
	@$(BIN)/python -m tests.bench $(ARGS)

firehose: $(DEV)  ## ten minutes of 300 million posts a day, one in twenty about the brand
	@$(BIN)/python -m tests.bench.firehose

laws: $(DEV)  ## 10,000 random histories for each law of the SLA clocks, some five minutes of one core (ARGS="-k polling")
	@WEBCARE_LAWS=10000 $(BIN)/python -m pytest tests/rules/test_sla_laws.py --timeout=480 --durations=0 --durations-min=1 $(ARGS)

chaos: $(DEV)  ## kill workers, Valkey and Postgres while mentions stream in
	@$(PYTEST) -m chaos --timeout=900 $(ARGS)

hostile: $(DEV)  ## send 10,000 texts made to hurt beside ordinary ones, seven minutes and what is left to read
	@$(PYTEST) tests/chaos/test_hostile_stream.py -m hostile -s --timeout=1200 $(ARGS)

# -rs says what could not be installed here, and why
INTEROP := WEBCARE_INTEROP=1 exec $(PYTEST) -m interop -rs --durations=0 --durations-min=1

interop: $(DEV)  ## run channels against real servers, installed and started on loopback (ARGS="-k isso")
	@$(INTEROP) tests/interop --ignore=tests/interop/test_bluesky.py $(ARGS)

interop-bluesky: $(DEV)  ## the same with Bluesky's own servers, which take longest to install
	@$(INTEROP) tests/interop/test_bluesky.py $(ARGS)

migration: $(DEV)  ## draft a migration from the models (NAME="add a column")
	@$(BIN)/python -m services.local.draft_migration "$(NAME)"

docs: $(DEV)  ## write again what is made from the code: docs/settings.md, docs/api
	@$(BIN)/python -m services.local.reference

locks:  ## pin and hash again what requirements/*.in name (needs uv and npm; UPGRADE=--upgrade)
	@command -v uv >/dev/null || { echo "make locks needs uv: install it with 'pip install uv', then run this again."; exit 1; }
	@for name in runtime dev; do (cd requirements && uv pip compile --quiet --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command "make locks" \
	  $(UPGRADE) $$name.in --output-file $$name.txt) || exit 1; done
	@for name in isso synapse websub; do (cd tests/interop/locks && uv pip compile --quiet --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command "make locks" \
	  $(UPGRADE) $$name.in --output-file $$name.txt) || exit 1; done
	@cd tests/interop/bluesky && npm install --package-lock-only --omit-lockfile-registry-resolved --ignore-scripts --no-audit --no-fund

# The project's own Python, from the hashed locks; built again when a lock changes.

$(BIN)/python:
	@test -n "$(PYTHON)" || { \
	  echo "No Python 3.11 or newer was found. Install one, or name it: make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "$(PYTHON) cannot make a virtual environment: its venv module is missing."; \
	  echo "On Debian and Ubuntu: sudo apt install python3-venv. Then run make again."; exit 1; }
	@echo "Making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv --clear $(VENV)

$(RUNTIME): requirements/runtime.txt pyproject.toml | $(BIN)/python
	@echo "Installing what webcare needs (about a minute the first time)"
	@$(PIP) install --quiet --require-hashes --no-deps -r requirements/runtime.txt
	@$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(DEV): requirements/dev.txt pyproject.toml | $(BIN)/python
	@echo "Installing what a change needs (about a minute the first time)"
	@$(PIP) install --quiet --require-hashes --no-deps -r requirements/dev.txt
	@$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@ $(RUNTIME)
