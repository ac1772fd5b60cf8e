# Two commands do everything on a fresh machine: `make demo` and `make test`. Both share the environment in .venv.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
MINUTES ?= 5
PYTHON ?= $(shell for name in python3.11 python3.12 python3 python; do \
	if command -v $$name >/dev/null && $$name -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 13))' 2>/dev/null; \
	then echo $$name; break; fi; done)

.PHONY: help demo test faults soak lint format docs screenshots reference clean requirements
help:
	@echo "make demo            see the whole pipeline run (ARGS=\"--changes 5000\" hands arguments on)"
	@echo "make test            lint, types, layers, unit and integration tests"
	@echo "make faults          break things on purpose and see that nothing is lost (ARGS=\"--only 1 --seed 2\")"
	@echo "make soak MINUTES=5  load and random faults for so long; what the worker holds must stay flat"
	@echo "make lint            lint, types and layers only"
	@echo "make docs            build the documentation as a site, strictly, into site/"
	@echo "make clean           end what runs and delete the environment and the state folder"

$(VENV)/.base: requirements/bootstrap.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11 or 3.12 is needed: install it, or name it with make PYTHON=/path/to/python" >&2; exit 1; }
	@command -v $${CXX:-g++} >/dev/null || { echo "a C++ compiler is needed: install g++ (Debian: apt install g++)" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "the module venv is missing (Debian: apt install python3-venv)" >&2; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt
	@touch $@

$(VENV)/.runtime: $(VENV)/.base requirements/runtime.txt pyproject.toml
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/runtime.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps -e .
	@$(BIN)/python -m parrot_faust.distribution.kudu_python
	@touch $@

$(VENV)/.test: $(VENV)/.runtime requirements/test.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/test.txt
	@touch $@

demo: $(VENV)/.runtime
	@$(BIN)/parrot demo $(ARGS)

test: lint
	@$(BIN)/python $(if $(ARGS),-m pytest $(ARGS),tests/lots.py)

faults: $(VENV)/.test
	@$(BIN)/python tests/fault/run.py $(ARGS)

soak: $(VENV)/.test
	@$(BIN)/python tests/fault/soak.py --minutes $(MINUTES) $(ARGS)

lint: $(VENV)/.test
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(VENV)/.test
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

docs: $(VENV)/.test
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	@echo "site/index.html"

# For maintainers: picture the web view anew, after it has changed. It takes MINUTES and two more.
screenshots: $(VENV)/.test
	@$(BIN)/python tests/browser/screenshots.py --minutes $(MINUTES) $(ARGS)

# For maintainers: write the pages of docs/ that are made from code anew, after the code has changed.
reference: $(VENV)/.test
	@$(BIN)/python -m parrot_faust.reference

# For maintainers: write the pinned requirements anew after pyproject.toml has changed.
requirements: $(VENV)/.base
	@$(BIN)/uv pip compile pyproject.toml --generate-hashes --universal --python-version 3.11 --no-header --no-annotate -q -o requirements/runtime.txt
	@$(BIN)/uv pip compile pyproject.toml --extra tracing --constraint requirements/runtime.txt --generate-hashes --universal --python-version 3.11 --no-header --no-annotate -q -o requirements/tracing.txt
	@$(BIN)/uv pip compile pyproject.toml --extra test --extra tracing --constraint requirements/tracing.txt --generate-hashes --universal --python-version 3.11 --no-header --no-annotate -q -o requirements/test.txt

clean:
	@test ! -x $(BIN)/parrot || $(BIN)/parrot down
	@rm -rf $(VENV) .parrot site .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
