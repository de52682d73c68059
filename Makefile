# Every target makes its own virtualenv in .venv and starts its own servers; nothing else need be installed.
PYTHON := $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$p" && break; done)
VENV_PYTHON := .venv/bin/python
RUN_REQUIREMENTS := $(PYTHON) -m stack.virtualenv requirements.txt
DEV_REQUIREMENTS := $(PYTHON) -m stack.virtualenv requirements-dev.txt

.PHONY: help demo demo-reset demo-check run test lint bench

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

.PHONY: python
python:
	@test -n "$(PYTHON)" || { echo "Lockstep needs Python 3.11 or later; none was found on PATH."; exit 1; }

demo: python ## start everything with demo data, and print the URL and the logins; Ctrl-C stops it
	@$(RUN_REQUIREMENTS) && exec $(VENV_PYTHON) -m stack.demo

demo-reset: python ## remove the demo's data; the next make demo starts anew
	@$(RUN_REQUIREMENTS) && exec $(VENV_PYTHON) -m stack.demo --reset

demo-check: python ## play the whole demo through the public API and say whether all of it held
	@$(RUN_REQUIREMENTS) && exec $(VENV_PYTHON) -m stack.check

run: python ## start Lockstep without demo data, for targets of your own
	@$(RUN_REQUIREMENTS) && exec $(VENV_PYTHON) -m stack.run

test: python ## lint, types, layers, all tests
	@$(DEV_REQUIREMENTS) && exec $(VENV_PYTHON) -m stack.test

lint: python ## ruff, mypy and import-linter alone
	@$(DEV_REQUIREMENTS) && exec $(VENV_PYTHON) -m stack.test --lint

bench: python ## measure what the sync and the backfill cost
	@$(DEV_REQUIREMENTS) && exec $(VENV_PYTHON) -m stack.servers --replica -- $(VENV_PYTHON) -m bench
