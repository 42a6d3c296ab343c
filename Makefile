# make demo: the whole loop on a sample issue, at http://127.0.0.1:8000
# make test: the tests, in parallel      make lint: ruff and mypy      make docs: the documentation, in build/docs
# make reference: docs/reference/ from the code      make changelog VERSION=1.2.3: changes/ into CHANGELOG.md
# make messages: the texts of the pages into the catalogues of translations
# make coverage: the tests with a floor of coverage  make lowest: the tests with the oldest supported dependencies
PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --editable
PYTEST_JOBS ?= auto

.PHONY: install demo test lint docs reference messages changelog coverage lowest clean

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/installed: pyproject.toml | .venv/bin/python
	$(INSTALL) .
	@touch $@

.venv/installed-all: pyproject.toml | .venv/bin/python
	$(INSTALL) '.[test,dev,docs]'
	@touch $@ .venv/installed

install: .venv/installed-all

demo: .venv/installed
	$(BIN)/shortener demo

# Many tests start processes. With this variable each of them would compile the whole package again.
test coverage lowest: export PYTHONDONTWRITEBYTECODE =
test: .venv/installed-all
	$(BIN)/python -m pytest -n $(PYTEST_JOBS) --dist worksteal $(ARGS)

lint: .venv/installed-all
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: .venv/installed-all
	$(BIN)/python -m sphinx -b html -W --keep-going -n -q -d build/doctrees docs build/docs

reference: .venv/installed-all
	$(BIN)/python docs/generate_reference.py

# With ADD=it/readers, the catalogue of another language is created.
messages: .venv/installed-all
	$(BIN)/python -m tests.messages $(ADD)

changelog: .venv/installed-all
	@test -n "$(VERSION)" || { echo "Name the release: make changelog VERSION=1.2.3" >&2; exit 2; }
	$(BIN)/towncrier build --yes --version $(VERSION)

# Servers that tests start run without measurement, so the tests that only start servers are left out.
coverage: .venv/installed-all
	$(BIN)/python -m pytest -n $(PYTEST_JOBS) --ignore tests/faults --ignore tests/browser --cov --cov-report term:skip-covered $(ARGS)

# The lower bounds of pyproject.toml, resolved and installed into an environment of their own.
lowest: .venv/installed-all
	$(BIN)/python -m uv venv --quiet --clear --python $(BIN)/python build/lowest
	$(BIN)/python -m uv pip install --quiet --python build/lowest/bin/python --resolution lowest-direct --editable '.[test]'
	build/lowest/bin/python -m pytest -n $(PYTEST_JOBS) $(ARGS)

clean:
	rm -rf .venv build demo-data
