# make env | demo | test | parity | cluster-test | bench | lint | pictures; after that only snakemake.
# the first of these that runs and is 3.11 or newer; another with PYTHON=path
ifndef PYTHON
PYTHON := $(shell for name in python3.11 python3.12 python3.13 python3.14 python3; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && command -v $$name && break; done)
endif
VENV = $(or $(PYTHON),$(error found no Python 3.11 to 3.14; name one with PYTHON=path)) -m venv
BIN := .venv/bin
# one thread of linear algebra a process: parallelism comes from jobs
export OPENBLAS_NUM_THREADS := 1

.PHONY: env demo test parity parity-jwst parity-hst cluster-test bench lint pictures clean

env: .venv/ready

.venv/ready: envs/requirements.lock pyproject.toml
	$(VENV) .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -r envs/requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -e .
	$(BIN)/python -m compileall -q .venv/lib scripts || true
	touch $@

# of the exposures that the demo simulates: jwst, roman, hst or simple (plain FITS)
FLAVOUR ?= jwst

demo: env
	$(BIN)/python -m drizzleflow.demo demo$(patsubst %,-%,$(filter-out jwst,$(FLAVOUR))) $(BIN)/snakemake $(FLAVOUR)

# workers of pytest-xdist, each with whole files; the longest ones (whole runs) come first
WORKERS ?= 2

test: env
	$(BIN)/python -m pytest -q -n $(WORKERS) --dist loadfile --no-loadscope-reorder tests/workflow tests/security tests/unit

# jwst and drizzlepac mostly use one core: two at a time
parity: env .venv-jwst/ready .venv-drizzlepac/ready
	$(MAKE) -j 2 parity-jwst parity-hst

HST := $(wildcard tests/parity/test_astrodrizzle*.py tests/parity/test_createmedian.py tests/parity/test_combine_random.py)

parity-jwst:
	DRIZZLEFLOW_PARITY=1 $(BIN)/python -m pytest -q -s tests/parity $(addprefix --ignore=,$(HST))

parity-hst:
	DRIZZLEFLOW_PARITY=1 $(BIN)/python -m pytest -q -s $(HST)

.venv-jwst/ready: tests/parity/requirements-jwst.txt tests/parity/requirements-stcal-source.txt
	$(VENV) .venv-jwst
	.venv-jwst/bin/pip install --quiet --disable-pip-version-check -r tests/parity/requirements-jwst.txt
	.venv-jwst/bin/pip download --quiet --disable-pip-version-check --no-deps --no-binary stcal --dest .venv-jwst \
		-r tests/parity/requirements-stcal-source.txt
	.venv-jwst/bin/python -m tarfile -e .venv-jwst/stcal-1.20.0.tar.gz .venv-jwst
	touch $@

.venv-drizzlepac/ready: tests/parity/requirements-drizzlepac.txt
	$(VENV) .venv-drizzlepac
	.venv-drizzlepac/bin/pip install --quiet --disable-pip-version-check -r tests/parity/requirements-drizzlepac.txt
	touch $@

# on a Slurm of one node that is started for it (root, Debian); without, it says why and passes over. CLUSTER=--demo: timed
cluster-test: .venv-slurm/ready
	.venv-slurm/bin/python tests/cluster/run.py $(CLUSTER)

# an environment of its own: where no Slurm answers, its plugin adds 10 s to every start of snakemake
.venv-slurm/ready: envs/requirements.lock envs/requirements-slurm.txt pyproject.toml
	$(VENV) .venv-slurm
	.venv-slurm/bin/pip install --quiet --disable-pip-version-check -r envs/requirements.lock -r envs/requirements-slurm.txt
	.venv-slurm/bin/pip install --quiet --disable-pip-version-check --no-deps -e .
	touch $@

bench: env .venv-jwst/ready
	$(BIN)/python benchmarks/race.py --exposures 8 --shape 2048 2048 --pairs 3

lint: env
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/snakefmt --check Snakefile rules
	$(BIN)/snakemake --lint

# the pictures of docs/design.md, after a change of packages, imports or rules, and of docs/outliers.md
pictures: env
	$(BIN)/python docs/pictures.py
	$(BIN)/python docs/outlier_pictures.py

clean:
	rm -rf .venv .venv-jwst .venv-drizzlepac .venv-slurm demo demo-* results .snakemake
