# Each target starts from a bare clone and makes its own environment in $(VENV).
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
DEMO_MODELS ?= g-frtm-lite,frtm-lite

.PHONY: demo test lint types install-demo install-test install-dev

demo: install-demo
	$(BIN)/vosbench run --models $(DEMO_MODELS) --tau 0.1:1.0:0.1
	$(BIN)/vosbench report --fig reuse-vs-jf --out reuse-vs-jf.png

test: install-test
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses 8 --dist loadfile

lint: install-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

# mypy sees the folders as vosbench.* through links, without an editable install.
types: install-dev
	mkdir -p build/types/vosbench
	for room in baselines runners harness reports; do \
	  ln -sfn $(CURDIR)/$$room build/types/vosbench/$$room; done
	MYPYPATH=build/types $(BIN)/mypy --explicit-package-bases \
	  -p vosbench.baselines -p vosbench.runners -p vosbench.harness -p vosbench.reports

install-demo: $(BIN)/python
	$(BIN)/python -m pip install --quiet .

install-test: $(BIN)/python
	$(BIN)/python -m pip install --quiet ".[test]"

install-dev: $(BIN)/python
	$(BIN)/python -m pip install --quiet ".[dev]"

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
