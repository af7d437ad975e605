# The two commands are `make run` and `make test`; `make help` lists the rest.
PYTHON ?= $(shell for p in python3.12 python3.11 python3.13 python3; do command -v $$p >/dev/null 2>&1 && $$p -c 'import sys, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null && echo $$p && exit; done; echo python3)
BIN := .venv/bin
DATA ?=
export PYTHONUTF8 := 1

.PHONY: help install run test quick lab notebooks app-runtime lint format lock clean

help:
	@echo "make run              the whole workflow on sample people; results in build/ and data/sample/"
	@echo "make run DATA=photos  the same on your own folder: class folders, or photos with Pascal VOC files, or both"
	@echo "make test             everything that proves it"
	@echo "make lab              JupyterLab with the notebooks"
	@echo "make notebooks        run the notebooks on the sample and keep their outputs in notebooks/"
	@echo "make quick            the fast tests only"
	@echo "make app-runtime      fetch what the phone's app runs on, and its tests need, with npm"
	@echo "make lint, format, lock, clean"

install:
	@$(PYTHON) bootstrap.py

run: install
	@$(BIN)/python -m lib doctor --need run
	@$(BIN)/python -m lib run --data "$(DATA)"

test: install
	@$(BIN)/python -m lib doctor --need test
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@MASK_OFFLINE=1 $(BIN)/python -m pytest -n 2 --dist loadfile --durations=25

quick: install
	@MASK_OFFLINE=1 $(BIN)/python -m pytest -q -m "not slow" --ignore tests/browser --ignore tests/notebooks

lab: install
	@$(BIN)/python -m jupyter lab --notebook-dir .

notebooks: install
	@$(BIN)/python -m lib notebooks

app-runtime: install
	@$(BIN)/python -m lib app --fetch
	@$(BIN)/python -c "from pathlib import Path; from lib import app; print(app.fetch(Path('tests/browser/axe.json')))"

lint: install
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: install
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

# Needs uv. backports-strenum is held back because uv would pick a version that is for Python 3.10 only.
lock:
	uv pip compile pyproject.toml --extra all --extra test --universal --python-version 3.11 -c constraints.in \
	  --no-header --no-emit-index-url -o requirements.lock

# Never touches data/: what lies there is yours.
clean:
	rm -rf build .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find lib tests -name __pycache__ -type d -prune -exec rm -rf {} +
