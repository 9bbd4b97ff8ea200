# What can be done here: make help. Every target does first what it needs.

# The first Python that is new enough; override with make install PYTHON=/path/to/python3
PYTHON ?= $(shell for python in python3.13 python3.12 python3.11 python3; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$python" && break; done)
INSTALLED := .venv/.installed
COMPILE := .venv/bin/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-annotate --custom-compile-command "make lock" --quiet

.DEFAULT_GOAL := help
.PHONY: help install demo test coverage check screens bench faults soak migration lock clean

help: ## Say what can be done here
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(INSTALLED) ## Make .venv with the project and its development parts

demo: $(INSTALLED) ## Try the gate on this machine, no account needed (AUTO=1: it clicks by itself)
	@.venv/bin/python -m demo $(if $(AUTO),--auto)

# What Python compiles is kept for the processes that come after, whatever this machine is set to.
test: check ## Check the code and run every test
	@PYTHONDONTWRITEBYTECODE= .venv/bin/python -m pytest --numprocesses auto --dist worksteal

coverage: $(INSTALLED) ## Run every test and say which lines of app/ none of them reaches
	@.venv/bin/python -m pytest --cov --numprocesses auto

check: $(INSTALLED) ## Check without running: style, types, who imports whom, sizes, and the papers in deploy/
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@said=$$(.venv/bin/lint-imports --no-logo --no-cache) || { echo "$$said"; exit 1; }
	@.venv/bin/hadolint Dockerfile
	@.venv/bin/check-jsonschema --quiet --builtin-schema vendor.compose-spec docker-compose.yml
	@.venv/bin/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	@.venv/bin/cfn-lint deploy/aws.yaml
	@.venv/bin/python -m pytest --quiet tests/test_architecture.py

screens: $(INSTALLED) ## Take a picture of every page and mail, into build/screens and docs/screens, and draw docs/workflow.svg
	@.venv/bin/python -m tests.diagram
	@.venv/bin/python -m tests.screens

bench: $(INSTALLED) ## Measure how fast it is
	@.venv/bin/python -m benchmarks

faults: $(INSTALLED) ## Play every fault of GitHub and SES, and write docs/faults.md
	@.venv/bin/python -m benchmarks.faults

migration: $(INSTALLED) ## Write the next migration from app/db/tables.py (NAME="what it does"; FIRST=1: the first one anew)
	@.venv/bin/python -m tests.migration $(if $(FIRST),--first,"$(NAME)")
	@$(if $(FIRST),.venv/bin/python -m tests.old_database)

soak: $(INSTALLED) ## Play random lives with kills, faults and pauses for ten minutes (MINUTES=, SEED=, DATABASE=sqlite or postgresql)
	@.venv/bin/python -m benchmarks.soak $(if $(MINUTES),--minutes $(MINUTES)) $(if $(SEED),--seed $(SEED)) $(if $(DATABASE),--database $(DATABASE))

lock: $(INSTALLED) ## Write requirements*.txt anew from pyproject.toml (UPGRADE=1: with the newest versions)
	@$(COMPILE) $(if $(UPGRADE),--upgrade) --output-file requirements.txt
	@$(COMPILE) $(if $(UPGRADE),--upgrade) --group dev --constraint requirements.txt --output-file requirements-dev.txt

clean: ## Remove what was made here, but data/ and .env
	@rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage htmlcov build dist *.egg-info

# A Debian without its python3-venv makes half an environment: look before.
.venv/bin/python:
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { echo "Python 3.11 or newer is needed: install it, or say where it is with PYTHON=/path/to/python3." >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { \
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
			export DEBIAN_FRONTEND=noninteractive; apt-get update -qq && apt-get install -qq -y --no-install-recommends python3-venv; \
		else echo "Python's venv is missing. On Debian or Ubuntu: sudo apt-get install python3-venv" >&2; exit 1; fi; }
	@"$(PYTHON)" -m venv .venv

# The lock file names everything, so nothing is looked up beside it: an older pip, told to, asks for the newest of what
# is named with an extra elsewhere (https://github.com/pypa/pip/issues/9644).
$(INSTALLED): .venv/bin/python requirements-dev.txt pyproject.toml
	@echo "Installing what is needed into .venv: this takes about a minute, once."
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --requirement requirements-dev.txt
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@.venv/bin/python -m pip check --quiet --disable-pip-version-check
	@touch $@
