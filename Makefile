# make demo    a small dataset from bundled photographs, in demo/
# make test    the tests, a file to each of PROCESSES at a time (PYTEST_ARGS="-m 'not slow'" leaves
#              out what takes more than seconds)
# make long    a dozen more, half a minute and more each: trainings that are killed, commands that
#              lose their disk, bucket or photographs
# make check   style, types, import contracts, and all of these tests
# make soak    what lasts hours: 200 kills, Ray Data under the same kills, 100 histories of crashes,
#              100,000 damaged inputs a reader
# make lock    resolve requirements.lock again; LOCK_ARGS=--upgrade takes newer versions
# make clean   remove what these made, .venv included
#
# Each sets up .venv when it is missing, and again when setup.cfg or requirements.lock has changed.

PYTHON ?= python3
PYTEST_ARGS ?=
# Each takes up to 4 GB, and starts Ray now and then: with more than there are cores, that is too slow.
PROCESSES ?= $(shell n=$$(nproc); echo $$((n < 4 ? n : 4)))
LOCK_ARGS ?=
SOAK_ARGS ?= --soak-kills 200 --soak-peer-kills 6
HISTORIES ?= 100
FUZZ_INPUTS ?= 100000

UV := uv==0.13.9
BIN := .venv/bin
READY := .venv/.ready
TYPED := build/typed
SOURCES = $(shell find gends pipeline models histograms jobs -name '*.py' -o -name py.typed)

.PHONY: demo test long check style types contracts soak lock clean

demo: $(READY)
	$(BIN)/gends-build demo --out demo

PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(PROCESSES) --dist loadfile

test: $(READY)
	$(PYTEST) -m "not long" $(PYTEST_ARGS)

long: $(READY)
	$(PYTEST) -m long $(PYTEST_ARGS)

check: style types contracts test long

# About an hour and a half on two cores. SOAK_ARGS="--soak-kills 1000 --soak-photos photos/" asks for more.
soak: $(READY)
	$(BIN)/python -m pytest -s --soak-report soak.json $(SOAK_ARGS) \
	  tests/faults/test_soak.py tests/faults/test_soak_peers.py
	HISTORIES=$(HISTORIES) $(BIN)/python -m pytest tests/faults/test_history.py
	FUZZ_INPUTS=$(FUZZ_INPUTS) $(BIN)/python -m pytest -s tests/fuzz

style: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# mypy and import-linter do not follow an editable install's package_dir, and both look into the
# current folder first: they are run from inside an installed copy.
types: $(TYPED)
	cd $(TYPED) && ../../$(BIN)/mypy --config-file ../../setup.cfg --cache-dir ../../.mypy_cache -p gends

contracts: $(TYPED)
	cd $(TYPED) && ../../$(BIN)/lint-imports --config ../../setup.cfg --no-cache

$(TYPED): $(READY) $(SOURCES)
	rm -rf build
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --target $(TYPED) .
	touch $(TYPED)

# --no-deps: exactly the lock and nothing else. facexlib asks for opencv-python, which the lock leaves
# out: opencv-python-headless is the same cv2 and needs no graphics libraries of the system. pyiqa asks for
# bitsandbytes and never imports it; diffusers imports it wherever it is, two seconds of every start.
# uv installs in a third of pip's time, but knows nothing of pip.conf and PIP_*: where these name an index
# without which there is none, pip does it.
$(READY): setup.cfg pyproject.toml requirements.lock
	@python=$(BIN)/python; test -x $$python || python="$(PYTHON)"; \
	$$python -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 13))' || { \
	  echo "gends needs Python 3.10, 3.11 or 3.12, and $$python is" \
	    "$$($$python --version 2>/dev/null || echo not one of them)."; \
	  echo "Name another one: make PYTHON=python3.11 $(MAKECMDGOALS)" \
	    "(a .venv of another version: make clean first)"; exit 1; } >&2
	test -x $(BIN)/pip || $(PYTHON) -m venv .venv || { rm -rf .venv; exit 1; }
	$(BIN)/python -m pip install --quiet $(UV)
	$(BIN)/uv pip install --python $(BIN)/python --no-deps --compile-bytecode -r requirements.lock || { \
	  echo "uv could not; pip does it, which takes longer" >&2; \
	  $(BIN)/python -m pip install --no-deps --use-pep517 -r requirements.lock; }
	$(BIN)/python -m pip install --no-deps --no-build-isolation -e .
	touch $(READY)

lock: $(READY)
	$(BIN)/uv pip compile setup.cfg --extra test --extra quality --extra train --extra export --extra lpips \
	  --universal --python-version 3.10 --no-annotate \
	  --no-emit-package opencv-python --no-emit-package bitsandbytes \
	  --custom-compile-command "make lock" $(LOCK_ARGS) -o requirements.lock

clean:
	rm -rf .venv build dist demo *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
