# `make run` starts the clock on triggers.yaml; `make test` runs every test.
# Both set up what they need. Works with GNU Make 3.81, as macOS has it.
# PYTHON=/path/to/python3.13 picks an interpreter; ARGS=… is handed on.

SHELL := /bin/sh
VENV := .venv
PY := $(VENV)/bin/python
NAMES := setup.cfg pyproject.toml tools/make-venv

.PHONY: run test chaos lint format clean help

run: $(VENV)/.run
	$(PY) -m clockd start --triggers triggers.yaml $(ARGS)

# Most tests wait for processes: four workers keep two cores busy.
test: $(VENV)/.dev
	tools/ensure-postgresql $(PY)
	$(PY) -m pytest -n 4 $(ARGS)

# Clocks are killed for so many minutes; at the end nothing may be lost or doubled.
MINUTES := 10
DATABASE := sqlite
CLOCKS := 2
chaos: $(VENV)/.dev
	tools/ensure-postgresql $(PY)
	$(PY) -m tests.chaos.campaign --minutes $(MINUTES) $(if $(SEED),--seed $(SEED)) \
		--database $(DATABASE) --clocks $(CLOCKS) $(ARGS)

lint: $(VENV)/.dev
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(VENV)/bin/lint-imports

format: $(VENV)/.dev
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache \
		.hypothesis .import_linter_cache

help:
	@echo 'make run     start the clock on triggers.yaml, with local processes'
	@echo 'make test    run every test, PostgreSQL included (ARGS="-k name" for some)'
	@echo 'make chaos   kill clocks for MINUTES=10, from SEED=n, on DATABASE=sqlite'
	@echo '             or postgresql, with CLOCKS=2 at a time (ARGS=--json for JSON)'
	@echo 'make lint    ruff, mypy and import-linter'
	@echo 'make format  let ruff mend and format what it can'
	@echo 'make clean   remove the virtual environment and caches, never clockd.db'

# Stamps: made once, and again when what is installed from has changed.
$(VENV)/.run: $(NAMES)
	tools/make-venv $(VENV) .
	touch $@

$(VENV)/.dev: $(NAMES)
	tools/make-venv $(VENV) '.[test,lint]'
	touch $(VENV)/.run $@
