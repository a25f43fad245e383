# make run   set everything up in .venv and run the main job (TAD-Speed on mini GSM8K)
# make test  the tests, as CI runs them
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALL := $(PYTHON) tools/make_venv.py $(VENV)

.PHONY: setup run test coverage lint report docs clean

setup: $(VENV)/.ready

# with uv where it can be had, else with pip
$(VENV)/.ready: pyproject.toml constraints.txt
	$(INSTALL) train,dev
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
	$(BIN)/harness report --published

docs: setup
	$(INSTALL) docs
	$(BIN)/mkdocs build --strict

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache dist
