# One verb each. Every verb sets up what it needs first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEV_READY := $(VENV)/.ready-dev
ARGS ?=

.PHONY: help setup demo run test lint types fmt bench soak requirements chromium clean

help:  ## list the verbs
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(READY): requirements.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

$(DEV_READY): $(READY) tests/requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r tests/requirements.txt
	@touch $@

setup: $(READY) chromium  ## install everything the program needs

chromium: $(READY)
	@$(BIN)/python -m bot.charts.chromium

demo: setup  ## try Jesse with no account: simulated exchange, a channel in your browser, the real bot
	$(BIN)/jesse demo $(ARGS)

run: setup  ## start the bot
	$(BIN)/jesse run $(ARGS)

test: $(DEV_READY) chromium lint types  ## lint, types and tests
	$(BIN)/python -m pytest -n 2 $(ARGS)

lint: $(DEV_READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(DEV_READY)
	$(BIN)/mypy

fmt: $(DEV_READY)  ## format and mend what the linter can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(DEV_READY)  ## measure speed and memory; prints ratios
	$(BIN)/python -m tests.bench $(ARGS)

soak: $(DEV_READY)  ## forward tests under faults, kills and load; prints the figures
	$(BIN)/python -m tests.soak $(ARGS)

requirements: $(DEV_READY)  ## pin the versions anew from pyproject.toml
	$(BIN)/pip-compile --quiet --strip-extras --no-emit-index-url --no-emit-find-links --no-emit-trusted-host \
		--no-emit-options --annotation-style=line -o requirements.txt pyproject.toml
	$(BIN)/pip-compile --quiet --strip-extras --extra dev --no-emit-index-url --no-emit-find-links \
		--no-emit-trusted-host --no-emit-options --annotation-style=line -c requirements.txt \
		-o tests/requirements.txt pyproject.toml

clean:  ## remove the environment and caches (var/ is kept)
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
