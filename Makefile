# Every target sets up what it needs. `make help` lists them.
PYTHON ?= python3
PIP_ARGS ?=
LAB_ARGS ?=
NB ?=
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
WORKERS ?= 2

.DEFAULT_GOAL := help
.PHONY: help env lab test fast nb notebooks text terms verify pull nbtest lint site binder colab bench \
  checksums doctor clean

help:  ## list the targets
	@awk -F':.*## ' '/^[a-z]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# The stamp is touched last, so that a half-finished install is tried again.
$(STAMP): requirements.txt constraints.txt pyproject.toml Makefile
	@$(PYTHON) -c 'import sys; ok = (3, 11) <= sys.version_info[:2] <= (3, 13); \
	  sys.exit(0 if ok else "Python 3.11 to 3.13 is needed, this is " + sys.version.split()[0] + ": make PYTHON=python3.12 ...")'
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "Python has no venv: sudo apt install python3-venv"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv --clear $(VENV)
	@echo "Installing into $(VENV) (a few minutes, once) ..."
	@arguments="$(PIP_ARGS)"; \
	  test -n "$$arguments" || arguments=$$($(PYTHON) -I course_utils/authoring/cpu_torch.py); \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check $$arguments -c constraints.txt -r requirements.txt
	@touch $@

env: $(STAMP)  ## create .venv and install the tested versions
	@echo "ready: $(BIN)/python"

lab: $(STAMP)  ## open JupyterLab on the first notebook
	@$(BIN)/python -m course_utils.authoring lab -- $(LAB_ARGS)

test: lint  ## everything: style, units, doctests, every notebook cell compared, offline
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

fast: $(STAMP)  ## unit tests and contracts only, no notebook is executed
	@$(BIN)/python -m pytest -q -n $(WORKERS) --dist loadfile tests course_utils

nbtest: $(STAMP)  ## one notebook, both editions, every cell compared: make nbtest NB=01
	@$(BIN)/python -m pytest -q notebooks/$(NB)_*.ipynb notebooks/solutions/$(NB)_*.ipynb

lint: $(STAMP)  ## style of the sources
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

notebooks: $(STAMP)  ## build both editions of every notebook from notebooks/source
	@$(BIN)/python -m course_utils.authoring build

nb: $(STAMP)  ## build one: make nb NB=01
	@$(BIN)/python -m course_utils.authoring build $(NB)

text: $(STAMP)  ## only texts changed, no code: make text NB=01 (nothing is executed)
	@$(BIN)/python -m course_utils.authoring build --text $(NB)

terms: $(STAMP)  ## link the first bold use of every glossary term in the sources
	@$(BIN)/python -m course_utils.authoring terms

verify: $(STAMP)  ## rebuild everything and compare every byte, figures included
	@$(BIN)/python -m course_utils.authoring build --check $(NB)

pull: $(STAMP)  ## bring an edit made in JupyterLab back to the source: make pull NB=01
	@$(BIN)/python -m course_utils.authoring pull $(NB)

site: $(STAMP)  ## static pages from the stored outputs, nothing is executed
	@$(BIN)/python -m course_utils.authoring site

binder: $(STAMP)  ## after a change of constraints.txt: write binder/requirements.txt anew
	@$(BIN)/python -m course_utils.authoring binder

colab: $(STAMP)  ## a hosted notebook played through: a fresh environment, minutes, needs the index
	@COURSE_COLAB=1 $(BIN)/python -m pytest -q -rs tests/test_colab.py

bench: $(STAMP)  ## run the benchmarks: bench/README.md (half an hour, idle machine)
	@for script in bench/[a-z]*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

checksums:  ## after a change of data: write data/SHA256SUMS anew
	@cd data && find . -type f ! -name SHA256SUMS ! -name README.md | LC_ALL=C sort | \
	  sed 's|^\./||' | tr '\n' '\0' | xargs -0 sha256sum > SHA256SUMS
	@echo "$$(wc -l < data/SHA256SUMS) files"

doctor: $(STAMP)  ## is this machine ready?
	@$(BIN)/python -m course_utils

clean:  ## remove .venv and caches
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis build dist

.PHONY: front workshop slides

front: $(STAMP)  ## the README's badges and its picture, made anew
	@$(BIN)/python -m course_utils.authoring front

workshop: $(STAMP)  ## run sheets and instructor pages, from the notebooks' own metadata
	@$(BIN)/python -m course_utils.authoring workshop

slides: $(STAMP)  ## a deck per run sheet, HTML and PDF, into build/slides
	@$(BIN)/python -m course_utils.authoring slides
