# Each target starts from a bare clone and makes its own environment in $(VENV).
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
DEMO_MODELS ?= g-frtm-half,frtm-half

.PHONY: demo test test-gpu lowest lint types docs install-demo install-test install-dev

demo: install-demo
	$(BIN)/vosbench run --models $(DEMO_MODELS) --tau 0.1:1.0:0.1
	$(BIN)/vosbench report --fig reuse-vs-jf --out reuse-vs-jf.png

test: install-test
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses 8 --dist loadfile

# What needs an NVIDIA card; each test says why it was skipped where there is none.
test-gpu: install-test
	$(BIN)/python -m pytest tests/gpu -q -rs

# The fast part of the tests and the main job on the lowest versions that pyproject.toml allows.
# Torch and torchvision, several GB, are those of $(VENV), and so is what only tests need.
LOWEST = $(VENV)-lowest
FAST = tests/harness/store/test_store_database.py tests/harness/store/test_store_results.py \
  tests/harness/regression/test_regression_statistics.py \
  tests/harness/regression/test_regression_segmentation.py tests/runners/test_registry.py \
  tests/harness/cli/test_app.py tests/harness/cli/test_systems.py

lowest: install-test
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(LOWEST)
	$(BIN)/python -c "import sysconfig; print(sysconfig.get_path('purelib'))" \
	  > $$($(LOWEST)/bin/python -c "import sysconfig; print(sysconfig.get_path('purelib'))")/torch.pth
	$(BIN)/uv pip compile --quiet --no-annotate --no-header --resolution lowest-direct \
	  --python $(LOWEST)/bin/python pyproject.toml \
	  | grep -Ev '^(torch|torchvision|triton|nvidia-.*-cu[0-9]+)==' > $(LOWEST)/versions.txt
	$(BIN)/uv pip install --quiet --python $(LOWEST)/bin/python --no-deps \
	  -r $(LOWEST)/versions.txt .
	OMP_NUM_THREADS=1 $(LOWEST)/bin/python -m pytest -n auto --maxprocesses 8 --dist loadfile \
	  -m "not slow" $(FAST)
	$(LOWEST)/bin/vosbench run --models g-frtm-lite,frtm-lite --tau 0.5 --sequences deform \
	  --max-frames 5 --db $(LOWEST)/results.db

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

# The API reference, from docstrings; a warning is an error. (Of a NamedTuple pdoc can't tell where
# its annotations are from.)
API = vosbench.harness.api vosbench.harness.store vosbench.harness.metric vosbench.harness.contract \
  vosbench.harness.datasets.dataset vosbench.harness.datasets.clip vosbench.runners.interface \
  vosbench.runners.policy vosbench.runners.tracking vosbench.runners.tracker_runner \
  vosbench.reports.figures.options
docs: install-docs
	$(BIN)/python -W error::UserWarning -W error::RuntimeWarning \
	  -W "ignore:Error parsing type annotation ForwardRef" \
	  -m pdoc --docformat google --output-directory build/api $(API)

install-docs: $(BIN)/python
	$(BIN)/python -m pip install --quiet ".[docs]"

install-demo: $(BIN)/python
	$(BIN)/python -m pip install --quiet .

install-test: $(BIN)/python
	$(BIN)/python -m pip install --quiet ".[test]"

install-dev: $(BIN)/python
	$(BIN)/python -m pip install --quiet ".[dev]"

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
