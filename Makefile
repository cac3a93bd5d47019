# Every target does its own set-up. `make` alone lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup demo test test-slow figures-baseline lint format bench pins clean

# The first Python of a version that all dependencies have wheels for.
PYTHON ?= $(shell for p in python3 python3.12 python3.11; do \
	"$$p" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' 2>/dev/null && { echo $$p; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

help: ## List what make can do
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-17s %s\n", $$1, $$2}'

setup: $(READY) ## Prepare .venv and the system libraries (idempotent)
	@bash scripts/system_libraries.sh
	@$(BIN)/python viewer/bundle.py

$(READY): requirements.txt requirements-dev.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "expected Python 3.11 or 3.12 on the PATH; install it: sudo apt-get install python3 python3-venv" >&2; exit 1; }
	@echo "preparing $(VENV): some minutes and 3 GB, once"
	@bash scripts/create_venv.sh "$(PYTHON)" $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=24" "setuptools>=77"
	$(BIN)/python -m pip install --quiet -r requirements-dev.txt
	PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $(READY)

demo: setup ## Simulate people, reconstruct, build an atlas, match; open outputs/demo/report.html
	$(BIN)/face-atlas demo --out outputs/demo

test: setup ## Run the tests with coverage
	@bash scripts/browser.sh
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses=4 --dist loadscope --cov --cov-report=term

test-slow: setup ## Run the tests that need minutes
	$(BIN)/python -m pytest -m slow

figures-baseline: setup ## Draw the figures that tests compare with anew; look at them before you commit them
	$(BIN)/python -m pytest -q tests/atlas/test_figure_baselines.py --write-figures

lint: setup ## Style, types, and which package may import which
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup ## Measure time and accuracy beside other software; table and plot in outputs/
	@grep -v '^#' requirements-bench.txt | while read -r peer; do \
	$(BIN)/python -m pip install --quiet --no-deps "$$peer" || echo "$$peer cannot be installed here" >&2; done
	$(BIN)/python scripts/benchmark.py $(ARGS)

pins: setup ## Write requirements*.txt anew from what .venv holds
	$(BIN)/python scripts/pin_requirements.py

clean: ## Remove .venv, caches and results
	rm -rf viewer/node_modules atlas/viewer/shell.html tests/gltf_validator/node_modules
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .coverage outputs
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
