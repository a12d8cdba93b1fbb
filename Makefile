.DEFAULT_GOAL := help
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/installed

help: ## Show what can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  \033[36mmake %-8s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(STAMP) ## Set up .venv with the pinned requirements

$(STAMP): requirements.txt requirements-dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --requirement requirements-dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(STAMP)

demo: install ## Watch the whole job once, on real-looking data
	$(BIN)/balansity demo

up: install ## Run every process of the Procfile until Ctrl-C
	$(BIN)/balansity up

test: install ## Run all tests, on the embedded server or on TEST_DATABASE_URL
	$(BIN)/pytest

check: install ## Lint, types, layers, schema snapshot
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy .
	$(BIN)/pytest -q tests/unit/test_layers.py
	$(BIN)/balansity schema --check

bench: install ## Measure the broker beside its peers (balansity bench --help)
	$(BIN)/balansity bench

.PHONY: help install demo up test check bench
