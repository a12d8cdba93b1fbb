.DEFAULT_GOAL := help
PYTHON   ?= python3
VENV     := .venv
BIN      := $(VENV)/bin
STAMP    := $(VENV)/installed
TOOLS    := $(VENV)/tools-installed
PIP      := $(BIN)/pip install --quiet --disable-pip-version-check
SITE     := var/docs/installed
# Three workers on two cores, for half of the time a test waits; a test at a time, so that none is left with the last ones.
PARALLEL := $(BIN)/pytest --numprocesses 3 --dist load --maxschedchunk 1
PACKAGES := chromium nodejs pgbouncer postgresql-15 postgresql-15-cron rabbitmq-server

help: ## Show what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  \033[36mmake %-13s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(STAMP) ## Set up .venv with the pinned requirements

$(STAMP): requirements.txt pyproject.toml setup.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)
	$(PIP) --require-hashes --requirement requirements.txt
	$(PIP) --no-deps --no-build-isolation --editable .
	@touch $(STAMP)

$(TOOLS): $(STAMP) requirements-dev.txt
	$(PIP) --require-hashes --requirement requirements-dev.txt
	@touch $(TOOLS)

demo: install ## Watch the whole job once, on real-looking data
	$(BIN)/balansity demo

up: install ## Run every process of the Procfile until Ctrl-C
	$(BIN)/balansity up

test: $(TOOLS) test-packages ## Run the tests, on the embedded server or on TEST_DATABASE_URL
	$(PARALLEL) -m "not heavy"

test-fast: $(TOOLS) ## Run the units and what is rolled back, in a minute at most
	$(PARALLEL) -m fast

test-all: $(TOOLS) test-packages ## Run every test, the heavy ones too: before an issue is called resolved
	$(PARALLEL)

test-packages: ## Install what some tests need of Debian; without them they skip, and fail where CI is set
	@for package in $(PACKAGES); do \
		dpkg --status $$package >/dev/null 2>&1 || missing="$$missing $$package"; \
	done; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update --quiet=2; \
		for package in $$missing; do apt-get install --quiet=2 --yes --no-install-recommends $$package || true; done; \
	else \
		echo "Not installed:$$missing. Tests that need them skip; as root, make test-packages installs them on Debian."; \
	fi

check: $(TOOLS) ## Lint, types, layers, schema snapshot
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy .
	$(BIN)/bandit --quiet --recursive --configfile pyproject.toml .
	$(BIN)/pytest -q tests/unit/test_layers.py
	$(BIN)/balansity schema --check

audit: ## Ask the public list which pinned packages have known faults; where it cannot be reached, nothing is known
	$(PYTHON) -m venv var/audit
	var/audit/bin/pip install --quiet --disable-pip-version-check pip-audit==2.10.1
	var/audit/bin/pip-audit --disable-pip --requirement requirements-dev.txt || { \
		echo "Faults are listed above; if none are, the list could not be reached and nothing is known."; exit 1; }

hashes: ## Write the requirements' .txt from their .in: the same versions, with a hash of every file that pip may take
	$(PYTHON) -m venv var/hashes
	var/hashes/bin/pip install --quiet --disable-pip-version-check pip-tools==7.6.2
	for file in requirements requirements-dev requirements-docs; do \
		CUSTOM_COMPILE_COMMAND="make hashes" var/hashes/bin/pip-compile --quiet --generate-hashes --allow-unsafe \
			--strip-extras --no-annotate --no-emit-options $$file.in --output-file $$file.txt || exit 1; \
	done

docs: reference $(SITE) ## Build the documentation as a site in var/site, with every link looked at
	NO_MKDOCS_2_WARNING=1 var/docs/bin/mkdocs --quiet build --strict

pictures: $(TOOLS) $(SITE) test-packages ## Photograph pages, mails and a report of the demonstration for README and guides
	$(BIN)/python -m docs.making_pictures

$(SITE): requirements-docs.txt
	$(PYTHON) -m venv var/docs
	var/docs/bin/pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements-docs.txt
	@touch $(SITE)

fonts: install ## Make reports/fonts anew from Debian's packages: after a change of reports/scripts.py
	mkdir -p var/fonts
	cd var/fonts && apt-get download fonts-noto-core fonts-noto-cjk
	for package in var/fonts/*.deb; do dpkg --extract $$package var/fonts; done
	$(BIN)/python -m docs.making_fonts var/fonts

reference: install ## Write docs/reference/ from the code: settings, commands, SQL functions, log events
	$(BIN)/python -m docs.making_reference

release: install ## Note in db/released.json what the last commit releases: see CONTRIBUTING.md
	@$(BIN)/python -m db.releasing

faults: $(TOOLS) ## Work under every fault at once, and audit it: MINUTES=30 SEED=… (or PROVIDER=smtp) repeat a run
	$(BIN)/python -m tests.faults.proof --minutes $(or $(MINUTES),30) $(if $(SEED),--seed $(SEED)) $(if $(PROVIDER),--provider $(PROVIDER))

bench: $(TOOLS) ## Measure the broker beside its peers (balansity bench --help); KEEP=1 keeps the figures beside the code
	$(BIN)/balansity bench $(if $(KEEP),--keep)

.PHONY: help install demo up test test-fast test-all test-packages check audit hashes docs pictures fonts reference release faults bench
