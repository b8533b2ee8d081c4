# Every chore is one command, and makes the virtual environment it needs.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/installed
SOURCES := CMakeLists.txt $(wildcard csrc/*)

.PHONY: demo test test-slow lint sanitize bench docs site wheel clean

demo: $(STAMP)
	$(BIN)/nervure train neural-modules

test: lint
	$(BIN)/python -m pytest -n auto

# What `make test` leaves out: real processes killed again and again.
test-slow: $(STAMP)
	$(BIN)/python -m pytest -m slow

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The engine's tests on an extension with the address and undefined-behaviour sanitizers. It builds
# that extension itself, so any virtual environment that is there will do.
sanitize: $(if $(wildcard $(BIN)/python),,$(STAMP))
	$(BIN)/python -m pip install --quiet --constraint constraints.txt 'nanobind>=2.4'
	command -v cmake || $(BIN)/python -m pip install --quiet cmake
	command -v ninja || $(BIN)/python -m pip install --quiet ninja
	PYTHON=$(BIN)/python tools/sanitize.sh

bench: $(VENV)/installed-bench
	$(BIN)/nervure bench --quick

$(VENV)/installed-bench: $(STAMP)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[bench]'
	touch $@

# Every example in the docs: docstrings, README and the pages that teach.
docs: $(STAMP)
	$(BIN)/python -m pytest -q src/nervure tests/test_readme.py tests/test_docs.py

# The documentation as a site, in build/site.
site: $(STAMP)
	$(BIN)/python -m sphinx -q -W --keep-going -b html docs build/site
	@echo "open build/site/index.html"

# A wheel for this machine's Python and system, in dist.
wheel: $(STAMP)
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .
	@echo "python -m pip install dist/*.whl"

# Installed in place: the Python files are used from src, the extension is built anew when the C++
# sources change. torch comes first and alone, so that nothing else decides its version.
$(STAMP): pyproject.toml constraints.txt $(SOURCES)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "nervure needs Python 3.11 or newer; set PYTHON=/path/to/python3"; exit 1; }
	test -d $(VENV) || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $(STAMP)

clean:
	rm -rf $(VENV) build dist runs
