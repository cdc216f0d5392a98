# Every target sets up .venv by itself when it is missing or older than pyproject.toml.
PYTHON ?= python3
# Of `make bench`: a folder of photos, with XML files of marked faces where there are some; and fer2013.csv, if at hand.
FOLDER ?= demo/photos
FER2013 ?=
# Of the tests: how many processes share them.
JOBS ?= 2

VENV := .venv
SCRIPTS := $(if $(filter Windows_NT,$(OS)),Scripts,bin)
BIN := $(VENV)/$(SCRIPTS)
READY := $(VENV)/.ready
DOCS_READY := $(VENV)/.ready-docs
ALL_READY := $(VENV)/.ready-all
LOWEST := .venv-lowest

UV := $(shell command -v uv 2>/dev/null)
INSTALL := $(if $(UV),uv pip install --python $(BIN)/python,$(BIN)/python -m pip install --progress-bar off)
CHECKOUT := -e '.[all]' --group dev

# Networks as small as those of the tests gain nothing from a second thread, and wait for it on busy machines. The tests
# of a file stay together, so that each process makes what they share once.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/pytest -n $(JOBS) --dist loadfile --durations=10

.PHONY: help demo demo-light test test-all check format docs docs-serve wheel bare smoke lowest bench soak clean

help:
	@echo "make demo      name the expressions in sample photos; leaves demo/album/album.html to look at"
	@echo "make demo-light  the same from the wheel alone, in an environment of its own without torch"
	@echo "make test      run the tests, but for the slow ones"
	@echo "make test-all  run all tests, with coverage, also those of Spark (where there is Java) and of the app"
	@echo "make check     formatting, lint and types"
	@echo "make format    let ruff mend what it can"
	@echo "make docs      build the documentation into site/"
	@echo "make wheel     build the wheel into dist/"
	@echo "make bare      try the wheel without the packages that few features need"
	@echo "make lowest    run the tests with the oldest dependencies that pyproject.toml allows (needs uv)"
	@echo "make bench     run the benchmarks of docs/benchmarks.md (FOLDER=photos FER2013=fer2013.csv)"
	@echo "make soak      run the long tests: runs killed at random moments, and 3,000 hostile files"

# An environment that was moved, or whose Python is gone, is made anew.
$(shell $(BIN)/python -c "import pytest" >/dev/null 2>&1 || rm -f $(READY) $(DOCS_READY) $(ALL_READY))

$(READY): pyproject.toml
	@echo "Setting up $(VENV) (torch is several GB: some minutes the first time)"
	@$(if $(UV),uv venv --clear --seed --python "$(PYTHON)" $(VENV),"$(PYTHON)" -m venv --clear $(VENV))
	@$(if $(UV),,$(BIN)/python -m pip install --progress-bar off --upgrade "pip>=25.1")  # the first that knows groups
	@$(INSTALL) $(CHECKOUT)
	@touch $(READY)

$(DOCS_READY): $(READY)
	@$(INSTALL) --group docs
	@touch $(DOCS_READY)

$(ALL_READY): $(READY)  # Spark and Gradio are large, and few need them
	@$(INSTALL) -e '.[app,spark]'
	@touch $(ALL_READY)

demo: $(READY)
	$(BIN)/emonet demo -o demo

demo-light:
	PYTHON="$(PYTHON)" .ci/light

test: $(READY)
	$(PYTEST) -m "not slow and not soak"

test-all: $(ALL_READY)
	$(PYTEST) -m "not soak" --cov --cov-report=term

check: $(READY)
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/mypy benchmarks  # apart: a benchmark and a tool may have one name

format: $(READY)
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

docs: $(DOCS_READY)
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

docs-serve: $(DOCS_READY)  # rebuilds while you write
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs serve

wheel: $(READY)
	rm -rf build  # of earlier wheels, whose modules may be gone
	$(BIN)/python -m pip wheel --no-deps --no-build-isolation --wheel-dir dist .

bare:
	.ci/bare

smoke: $(READY)  # what a machine must do on which the tests are not run
	$(BIN)/python -c "import emonet.datasets, emonet.evaluation, emonet.models, emonet.training, facecrop"
	$(BIN)/emonet info
	$(BIN)/emonet demo -o demo
	$(BIN)/emonet faces demo/photos --detector dlib || test $$? -eq 3  # 3: one of the photos is broken

lowest:
	uv venv --clear --python "$(PYTHON)" $(LOWEST)
	uv pip install --python $(LOWEST)/$(SCRIPTS)/python --resolution lowest-direct $(CHECKOUT)
	OMP_NUM_THREADS=1 $(LOWEST)/$(SCRIPTS)/pytest -n $(JOBS) --dist loadfile -m "not slow and not soak"

bench: $(READY)
	@$(BIN)/emonet demo -o demo  # which writes into no folder that holds other things, such as the data set below
	$(BIN)/python benchmarks/detect.py "$(FOLDER)" $(if $(FER2013),--fer2013 "$(FER2013)")
	$(BIN)/python benchmarks/onset.py "$(FOLDER)"
	$(BIN)/python benchmarks/predict.py "$(FOLDER)"
	$(if $(FER2013),$(BIN)/python benchmarks/framing.py "$(FER2013)")
	$(if $(FER2013),$(BIN)/python benchmarks/build.py "$(FER2013)")
	$(if $(FER2013),$(BIN)/emonet build --fer2013 "$(FER2013)" --detector whole --leaks keep --dev 3000 -o demo/fer2013)
	$(if $(FER2013),$(BIN)/python benchmarks/train.py demo/fer2013)
	$(if $(FER2013),$(BIN)/python benchmarks/runtimes.py demo/fer2013)

soak: $(READY)
	$(BIN)/pytest -m soak

clean:
	rm -rf $(VENV) .venv-light $(LOWEST) demo demo-light build dist site *.egg-info .pytest_cache .mypy_cache .ruff_cache .coverage .hypothesis
