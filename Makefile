# What there is to run: `make help`. The set-up itself is scripts/bootstrap.py; nothing here needs root.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo demo-check test test-peers test-faults load parts gallery fuzz mutants coverage lint format types contract rows bench lock build wheel-check pythons sbom audit docs reference ci clean set-up-demo set-up-dev

VENV := .venv/bin/python
# A variable of the shell may be called HOST too: only what stands on make's command line counts.
given = $(if $(findstring command line,$(origin $(1))),$($(1)))
WORKERS := -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

help: ## this list
	@echo "make ..."
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "%-13s %s\n", $$1, $$2 }'

demo: set-up-demo ## a host application behind the gateway, on loopback; HOST=wsgi, ARGS=--free-ports
	@$(VENV) -m examples.demo $(if $(call given,HOST),--host $(call given,HOST)) $(call given,ARGS)

demo-check: set-up-demo ## drive the demonstration as people would, one line a journey; HOST=wsgi
	@$(VENV) -m examples.demo.check $(if $(call given,HOST),--host $(call given,HOST)) $(call given,ARGS)

test: parts ## set up everything the tests need, and run them; ARGS="-k saml"
	@$(VENV) -m pytest $(WORKERS) --durations=20 $(call given,ARGS)

test-peers: parts ## the tests with real identity providers alone; ARGS="-k logout"
	@$(VENV) -m pytest tests/peers $(call given,ARGS)

test-faults: parts ## the tests in which something breaks alone: kill -9, stores away, full disks, clocks; ARGS="-k redis"
	@$(VENV) -m pytest $(WORKERS) -m fault $(call given,ARGS)

load: parts ## a whole deployment under load, by locust; MINUTES=10, ARGS="--write" puts the results into docs/performance.md
	@$(VENV) -m scripts.load $(if $(call given,MINUTES),--minutes $(call given,MINUTES)) $(call given,ARGS)

parts: set-up-dev ## get what the tests need beside Python packages (as root: by apt)
	@$(VENV) -m scripts.parts install

fuzz: set-up-dev ## attacks by machine on every way in; MINUTES=60, ONLY=landing, ARGS="--keep"
	@$(VENV) -m fuzz $(if $(call given,ONLY),--only $(call given,ONLY)) $(if $(call given,MINUTES),--minutes $(call given,MINUTES)) $(call given,ARGS)

coverage: parts ## branches of the package that tests take: 95 % or it fails; ARGS="tests/policy" for a part
	@$(VENV) -m pytest $(WORKERS) --cov --cov-branch --cov-report=term-missing:skip-covered $(call given,ARGS)

mutants: set-up-dev ## break the code by machine, and see which tests notice; ONLY=sessions, ARGS="--minutes 30"
	@$(VENV) -m mutants $(if $(call given,ONLY),--only $(call given,ONLY)) $(call given,ARGS)

gallery: parts ## take the pictures of every page again, for docs/gallery.md
	@$(VENV) -m scripts.gallery

lint: set-up-dev ## ruff: rules and format; bandit over the package
	@$(VENV) -m ruff check .
	@$(VENV) -m bandit --quiet --recursive --configfile pyproject.toml imagin_gateway
	@$(VENV) -m ruff format --check .

format: set-up-dev ## let ruff mend what it can
	@$(VENV) -m ruff check --fix-only --quiet .
	@$(VENV) -m ruff format .

types: set-up-dev ## mypy, strict; and what a host writes, by mypy and pyright
	@$(VENV) -m mypy
	@.venv/bin/pyright

contract: set-up-dev ## imports point one way, floor by floor
	@.venv/bin/lint-imports

rows: set-up-dev ## which rows of the checklist have a passing test
	@$(VENV) -m tests.rows --fresh || $(MAKE) --no-print-directory test || true
	@$(VENV) -m tests.rows

bench: set-up-dev ## measurements beside peers, written into docs/performance.md; ONLY=import_time, ARGS=--write
	@$(VENV) -m bench $(if $(call given,ONLY),--only $(call given,ONLY)) $(call given,ARGS)

lock: set-up-dev ## write requirements/*.lock again; ARGS=--upgrade for newer versions
	@$(VENV) -m scripts.lock $(call given,ARGS)

build: set-up-dev ## the sdist and the wheel, in dist/: the same bytes from the same sources
	@$(VENV) -m scripts.build

wheel-check: set-up-dev ## install the wheel in clean environments, with each extra alone, and use it
	@$(VENV) -m scripts.clean

pythons: set-up-dev ## the wheel and a part of the tests under every Python here; ARGS=--quick
	@$(VENV) -m scripts.clean --pythons $(call given,ARGS)

sbom: set-up-dev ## the software bill of materials (CycloneDX) of the package with every extra, in dist/
	@$(VENV) -m scripts.clean --sbom dist

audit: set-up-dev ## known vulnerabilities of the locked versions; fails where none can be asked
	@$(VENV) -m pip_audit --strict --disable-pip --require-hashes --progress-spinner off --requirement requirements/dev.lock

docs: set-up-dev ## the documentation site, in site/: strictly, every link and anchor of ours checked
	@NO_MKDOCS_2_WARNING=true .venv/bin/mkdocs build --strict

reference: set-up-dev ## write every generated page again, and the schemas that the package ships
	@$(VENV) -m scripts.reference

ci: ## what CI runs
	@.ci/run

clean: ## forget every environment, cache and result
	@rm -rf .venv .cache .demo .rows dist site .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

set-up-demo:
	@scripts/python scripts/bootstrap.py demo

set-up-dev:
	@scripts/python scripts/bootstrap.py dev
