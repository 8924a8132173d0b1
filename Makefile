# One door for developers and newcomers. Every command sets up what it needs; a second run starts at once.
BIN := .venv/bin
INVENTORY ?=

.DEFAULT_GOAL := help
.PHONY: help setup demo run test test-slow lint check fix bench bench-links generate docs translations wheel

help:  ## What there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup:  ## Debian packages, virtual environment, Python packages (asked for first)
	@sh deploy/setup.sh

demo: setup  ## A simulated province with a fault, watched until the alert arrives
	@$(BIN)/lienxa demo

run: setup  ## The agent over INVENTORY=province.yaml
	@test -n "$(INVENTORY)" || { echo "make run INVENTORY=province.yaml: name the inventory of your province" >&2; exit 3; }
	@$(BIN)/lienxa run $(INVENTORY)

test: setup  ## All tests but the long ones
	@$(BIN)/pytest -q -m "not slow"

test-slow: setup  ## The long tests
	@$(BIN)/pytest -q -m slow

lint: setup  ## Format, lint, types and import contracts: what is checked before the tests
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

check: lint test  ## Everything that must be green before a commit

fix: setup  ## Format, and mend what can be mended by a tool
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: setup  ## Measurements against peers, about 15 minutes; writes docs/benchmarks.md
	@$(BIN)/python -m tests.bench

bench-links: setup  ## The long ones: 10,000 links for 5 minutes, times beside a capture
	@$(BIN)/python -m tests.bench links

generate: setup  ## Every file that follows from INVENTORY=… (default: the lab's Cao Bang), into generated/
	@$(BIN)/lienxa generate $(or $(INVENTORY),deploy/lab/cao-bang.yaml) -o generated

docs: setup  ## docs/inventory.md, from the models and agent/reference.md
	@$(BIN)/python -c 'from pathlib import Path; from agent.reference import reference; \
		Path("docs/inventory.md").write_text(reference(), encoding="utf-8")'

translations: setup  ## Extract messages and bring the catalogues up to date
	@$(BIN)/pybabel -q extract -k translate -k message --no-location --sort-output -o probes/locale/lienxa.pot \
		probes agent dashboards alerts deploy
	@$(BIN)/pybabel -q update --no-fuzzy-matching --ignore-pot-creation-date -D lienxa -d probes/locale \
		-i probes/locale/lienxa.pot
	@rm probes/locale/lienxa.pot

wheel: setup  ## A wheel in dist/
	@$(BIN)/python -m build --wheel
