# Every target sets up .venv by itself when it is missing or older than pyproject.toml.
PYTHON ?= python3
# Of `make bench`: a folder of photos, with XML files of marked faces where there are some; and fer2013.csv, if at hand.
FOLDER ?= demo/photos
FER2013 ?=
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help demo test check format bench soak clean

help:
	@echo "make demo   name the expressions in sample pictures; leaves demo/album/album.html to look at"
	@echo "make test   run the tests with coverage"
	@echo "make check  formatting, lint and types"
	@echo "make bench  the benchmarks behind the README's figures (FOLDER=photos FER2013=fer2013.csv)"
	@echo "make soak   the long tests: builds killed at random moments"

# An environment that was moved, or whose Python is gone, is made anew.
$(shell $(BIN)/coverage --version >/dev/null 2>&1 || rm -f $(READY))

$(READY): pyproject.toml
	@echo "Setting up $(VENV) (torch is several GB: some minutes the first time)"
	@if command -v uv >/dev/null 2>&1; then \
	    uv venv --clear --seed --python "$(PYTHON)" $(VENV) && uv pip install --python $(BIN)/python -e '.[dev,demo]'; \
	else \
	    "$(PYTHON)" -m venv --clear $(VENV) && $(BIN)/python -m pip install --progress-bar off -e '.[dev,demo]'; \
	fi
	@touch $(READY)

demo: $(READY)
	$(BIN)/emonet demo -o demo

test: $(READY)  # networks so small gain nothing from a second thread, and wait for it on busy machines
	OMP_NUM_THREADS=1 $(BIN)/pytest -m "not soak" --cov --cov-report=term --durations=10

check: $(READY)
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy

format: $(READY)
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

bench: $(READY)
	@test "$(FOLDER)" != demo/photos || $(BIN)/emonet demo -o demo
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
	rm -rf $(VENV) demo build *.egg-info .pytest_cache .mypy_cache .ruff_cache .coverage .hypothesis
