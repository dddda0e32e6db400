# make demo: set up what it takes to run, and make masks of the example pictures.
# make test: set up and run every test of the host and of every plugin, two files at a time where there are two cores; JOBS=1 one.
# make docs: the pages as a site, in site/.
# make test-scale, make lint, make bench DATA=folder, make torture, make wheels, make clean.

PYTHON ?= python3
VENV ?= .venv
JOBS ?= $(shell [ "$$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1)" -ge 2 ] && echo 2 || echo 1)
BIN := $(VENV)/bin
PLUGINS := $(wildcard plugins/imgai-*)
STAMP := $(VENV)/.installed
USABLE := $(VENV)/.usable

.PHONY: demo test test-scale lint docs bench torture wheels install clean

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt $(wildcard plugins/imgai-*/pyproject.toml)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "imgai needs Python 3.11 or later; say which with make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt -e '.[dev]' $(PLUGINS:%=-e ./%)
	@touch $@ $(USABLE)

# What a user has: no tests, no linters.
$(USABLE): pyproject.toml constraints.txt $(wildcard plugins/imgai-*/pyproject.toml)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "imgai needs Python 3.11 or later; say which with make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt -e '.[heic,watch]' $(PLUGINS:%=-e ./%)
	@touch $@

demo: $(USABLE)
	$(BIN)/imgai segment examples/scans --out masks/
	$(BIN)/imgai segment examples/pages --model document --as binary --out masks/pages/
	@echo "The masks of examples/scans are in $(CURDIR)/masks/, the ink of examples/pages in $(CURDIR)/masks/pages/."

test: $(STAMP)
	$(if $(filter 1,$(JOBS)),,OMP_NUM_THREADS=1) $(BIN)/python -m pytest $(if $(filter 1,$(JOBS)),,-n $(JOBS) --dist loadfile)

# Object stores and clusters, on this machine: an S3 server on loopback, runs, workers and nodes that are killed.
test-scale: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt -e '.[ray,stores]' 'moto[s3,server]'
	$(BIN)/python -m pytest -m scale tests/scale

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt -e '.[docs]'
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet --strict
	@echo "Open $(CURDIR)/site/index.html; to search it: $(BIN)/python -m http.server -d site"

# The table of docs/benchmarks.md. DATA is a folder with the test pictures; benchmarks/README.md names them.
bench: $(STAMP)
	$(BIN)/python benchmarks/run.py $(if $(DATA),--data $(DATA))

# Kills, full disks, damaged files: a tenth of the attempts; all of them with FULL=1. SCRATCH=folder goes on where it was.
torture: $(STAMP)
	$(BIN)/python -m benchmarks.torture

wheels: $(STAMP)
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist . $(PLUGINS:%=./%)
	@ls -l dist

clean:
	rm -rf $(VENV) dist build masks site
