# `make demo` and `make test` each work alone on a fresh clone with python3 (3.11+), git and make.
PYTHON ?= python3
BIN := .venv/bin
DEMO_OUT ?= runs/demo
DEMO_ARGS ?=

.PHONY: demo test lint clean

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch==2.13.0
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: .venv/installed
	$(BIN)/hwnas run --space mbconv-32 --data digits --runtime onnxruntime --threads 1 --out $(DEMO_OUT) $(DEMO_ARGS)

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint
	$(BIN)/python -m pytest

clean:
	rm -rf .venv runs build dist *.egg-info
