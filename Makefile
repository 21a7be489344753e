# Every target works alone on a fresh clone with python3 (3.11+), git and make.
PYTHON ?= python3
BIN := .venv/bin
DEMO_OUT ?= runs/demo
DEMO_ARGS ?=
JOBS ?= 2
# One thread per worker: more only wait for each other. Files in the order of tests/conftest.py: long ones first.
# A worker that crashes ends the tests: after a new one, xdist waits for ever for the rest of its file.
BESIDE := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --max-worker-restart=0 --dist loadfile --no-loadscope-reorder
QUICK := --ignore=tests/profilers/boards tests/latency_tables tests/profilers \
	$(addprefix tests/hwnas/,spaces data lowering training accuracy search)

.PHONY: demo test quick lint docs clean

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

# First what may run beside other tests, then what times something or needs the machine alone; one finished run for both.
test: lint
	export HWNAS_TEST_RUN=$$(mktemp -d) && trap 'rm -rf "$$HWNAS_TEST_RUN"' EXIT && \
	$(BESIDE) -m "not measures" && $(BIN)/python -m pytest -m measures

quick: .venv/installed
	$(BESIDE) -q -m "not slow and not measures" $(QUICK)

docs: .venv/installed
	$(BIN)/python docs/figures.py
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs build/docs

clean:
	rm -rf .venv runs build dist *.egg-info
