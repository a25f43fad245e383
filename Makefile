# make run   set everything up in .venv and run the main job (TAD-Speed on mini GSM8K)
# make test  the tests, as CI runs them
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: setup run test coverage lint report docs clean

setup: $(VENV)/.ready

# torch first and pinned: this version resolves to a CPU build where one is offered
$(VENV)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) torch==2.13.0
	$(PIP) --editable '.[train,dev]'
	touch $@

run: setup
	$(BIN)/harness run --method tad_speed --task gsm8k

test: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile

coverage: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --cov --cov-report=term:skip-covered --cov-report=xml

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

report: setup
	$(BIN)/harness report --published --out reports/out

docs: setup
	$(PIP) '.[docs]'
	$(BIN)/mkdocs build --strict

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache dist
