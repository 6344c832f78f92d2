# make        sets up and makes the headline artefacts at the mini scale
# make all    the same for every artefact
# make pdf    prints the headline artefacts as one PDF (needs Chromium or Chrome)
# make check  sets up, lints and runs all tests that take no seconds each, in about a minute
# make test   sets up and runs every check and test
# make faults sets up and tries every fault of docs/reliability.md, also those that take minutes
# make gpu-check  tries every method on this machine's GPU, beside the CPU
# make slurm  installs Slurm, where it may, and runs the headline table of a paper on a pretended cluster
# make rehearsal  sets up and plays the paper scale on a CPU: archives and weights in the published formats, in miniature
# make lock   pins anew what pyproject.toml asks for (needs uv)

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
SNAKEMAKE := $(BIN)/snakemake --cores all
PYTEST := OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses 2

.DELETE_ON_ERROR:
.PHONY: headline all pdf setup check test faults slurm gpu-check rehearsal lint lock

headline: setup
	$(SNAKEMAKE)

all: setup
	$(SNAKEMAKE) --config artefacts=all

pdf: setup
	$(SNAKEMAKE) pdf

setup: $(VENV)/.installed

$(VENV)/.installed: requirements.lock pyproject.toml
	$(PYTHON) -c "import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12) and 'papertables needs Python 3.11 or 3.12: make PYTHON=python3.12')"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --requirement requirements.lock
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

check: lint
	$(PYTEST) -m "not slow and not faults" tests/unit tests/parity

test: lint
	$(BIN)/python -m tests.environment.prepare
	$(PYTEST)

faults: setup
	$(PYTEST) -m "" tests/faults tests/workflow/test_kill.py

gpu-check: setup
	$(BIN)/papertables gpu-check

slurm: setup
	$(BIN)/python -m tests.environment.prepare
	$(BIN)/python -m tests.slurm.install
	$(PYTEST) -s -m "" tests/slurm

rehearsal: setup
	$(PYTEST) -m "" tests/workflow/test_rehearsal.py
	rm -rf results/.rehearsal
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.rehearsal results/.rehearsal
	rm -rf results/.rehearsal

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow/rules
	$(SNAKEMAKE) --lint

lock:
	uv pip compile --universal --python-version 3.11 --all-extras --no-header --no-annotate \
		--output-file requirements.lock pyproject.toml
