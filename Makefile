# Every command installs what it needs first; `make help` lists them.
.DEFAULT_GOAL := help
SHELL := bash
PYTHON ?= python3
BIN := .venv/bin
# More configuration on any job, for example: make sweep ARGS='data=breast_cancer search.n_trials=40'
ARGS ?=
PORT ?= 5000
# By the environment, whatever characters the path has.
export STORE := sqlite:///$(CURDIR)/mlruns/mlflow.db

# Nothing leaves the machine but a data set's download that was asked for.
export MLFLOW_DISABLE_TELEMETRY := true
export DO_NOT_TRACK := true
export DVC_NO_ANALYTICS := true

.PHONY: help install lock sweep test verify ui check format bench lock-results check-results clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## /make \1\t/' | expand -t 20

.venv/installed: requirements.lock pyproject.toml
	@echo "Installing the locked packages into .venv: a few minutes, once."
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

install: .venv/installed  ## create .venv with the locked packages and the project

sweep: install  ## the main job: a Bayesian search over lambda and dropout on the bundled digits
	@$(BIN)/python pipelines/train.py --multirun search=bayes $(ARGS)

test: install  ## the tests that need nothing but Python
	@$(BIN)/python -m pytest -m "not verify" --numprocesses logical --maxprocesses 4 --dist loadfile $(ARGS)

verify: install  ## the slow tests, and those that need another program (skipped with the install line without it)
	@$(BIN)/python -m pytest -m "verify and not alone" -rs --numprocesses 2 --dist loadfile $(ARGS) || [ $$? -eq 5 ] # 5: none
	@$(BIN)/python -m pytest -m "verify and alone" -rs $(ARGS) || [ $$? -eq 5 ]

ui: install  ## the MLflow UI on http://127.0.0.1:5000 (PORT=... for another)
	@$(BIN)/python -m mlflow ui --host 127.0.0.1 --port $(PORT) --backend-store-uri "$$STORE"

check: install  ## ruff (lint and format), mypy, import-linter
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: install  ## let ruff put the code in order
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: install  ## the benchmarks: an epoch, many trials, and a whole study, against the usual ways
	@$(BIN)/python benchmarks/epoch.py
	@$(BIN)/python benchmarks/training.py $(ARGS)
	@$(BIN)/python benchmarks/endtoend.py

lock-results: install  ## run what is out of date (dvc repro) and renew dvc.lock, which git then commits
	@$(BIN)/dvc repro
	@$(BIN)/dvc metrics diff

check-results: install  ## whether dvc.lock is of these sources and settings
	@status=$$($(BIN)/dvc status --json) || exit 1; \
	  changed=$$(echo "$$status" | grep -oE '"((src|conf|pipelines)(/[^"]*)?|requirements.lock|params.yaml|changed command)": ' \
	    | tr -d '":' | sort -u | xargs); \
	  test -z "$$changed" && echo "dvc.lock is of these sources." || \
	  { echo "dvc.lock is stale: make lock-results renews it. Changed since: $$changed."; exit 1; }

lock:  ## resolve pyproject.toml anew and pin every package
	@rm -rf .lock && $(PYTHON) -m venv .lock
	@.lock/bin/python -m pip install --quiet --disable-pip-version-check '.[dev]' 'setuptools>=77'
	@(echo '# Every package, pinned; made by `make lock`. torch brings its own CUDA libraries, so they follow its pin.'; \
	  .lock/bin/python -m pip freeze --exclude ridgeline --all | sed -E 's/\+cpu$$//' | grep -vE '^(nvidia-|triton|cuda-|pip==)') > requirements.lock
	@rm -rf .lock

clean:  ## remove .venv and the caches; mlruns/ stays
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache build
