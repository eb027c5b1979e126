PY ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test quick lint bench lock install clean

# The main job: about 200 real molecules, docked into a real receptor on a small emulated hub, to a report.
demo: $(STAMP)
	$(BIN)/ai4s run drug-screening --target EGFR --library nci-5k --sample 200 --top 12 --redock 24 \
		--search.exhaustiveness 4 --profile emulated:two-supernodes --name demo

# Two processes, as one waits for half of the time: a file's tests, which share what they set up, run in one of them.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/pytest -q -n 2 --dist loadfile --no-loadscope-reorder

test: $(STAMP) lint
	$(PYTEST)

# The unit suite only, without the tests that take minutes.
quick: $(STAMP)
	$(PYTEST) -m "not slow"

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Every benchmark in turn; rewrites docs/benchmarks.md. Takes hours: "python -m benchmarks.NAME --quick" is under a minute.
bench: $(STAMP)
	$(BIN)/python -m benchmarks.all

install: $(STAMP)

$(STAMP): requirements.lock pyproject.toml
	$(PY) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "ai4s needs Python 3.11 or newer: make PY=python3.11")'
	$(PY) -m venv $(VENV)
	$(BIN)/pip install -q --disable-pip-version-check torch==2.13.0
	$(BIN)/pip install -q --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
	$(BIN)/pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

# Needs uv; writes hashed pins without addresses. PyTorch comes first and by itself: its build is each machine's own, and
# what its CUDA builds bring with them is not for the others.
CUDA := $(addprefix nvidia-,cublas cuda-cupti cuda-nvrtc cuda-runtime cudnn-cu13 cufft cufile curand cusolver cusparse \
	cusparselt-cu13 nccl-cu13 nvjitlink nvshmem-cu13 nvtx) cuda-bindings cuda-pathfinder cuda-toolkit triton
lock:
	uv pip compile -q --universal --python-version 3.11 --no-emit-index-url --no-annotate --generate-hashes --no-header \
		$(addprefix --no-emit-package ,torch $(CUDA)) \
		--extra dev --extra drug --extra admet --extra materials --extra climate --extra agent --extra llm --extra slurm --extra bench pyproject.toml -o requirements.lock

clean:
	rm -rf $(VENV) build *.egg-info
