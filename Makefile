# The commands of this checkout; `make` lists them. Nothing here is needed to use the package on
# a robot: there it is an ament_python package like any other.

PYTHON ?= python3
VENV := .venv
CONFORMANCE_VENV := .venv-lerobot
# CONFORMANCE=0 tests without the real LeRobot, for a first look on a slow line.
CONFORMANCE ?= 1
# More options for pytest, such as PYTEST_ARGS='-k sync -x'.
PYTEST_ARGS ?=
# Options of the soak, such as SOAK_ARGS='--kills 20 --seed 7'.
SOAK_ARGS ?=
# Options of the benchmark, such as BENCH_ARGS='--seconds 20'.
BENCH_ARGS ?=
# Platforms of the matrix, such as MATRIX_ARGS='python3.10-* kilted'; --list names them.
MATRIX_ARGS ?=
# Where the demo records to; empty: where the demo itself chooses.
DEMO_ROOT ?=

VENV_PYTHON := $(VENV)/bin/python
ifeq ($(CONFORMANCE),0)
CONFORMANCE_ENV := env -u STREAMREC_CONFORMANCE_PYTHON
else
CONFORMANCE_ENV := env STREAMREC_CONFORMANCE_PYTHON='$(CURDIR)/$(CONFORMANCE_VENV)/bin/python'
endif

# The environment brings a ROS of its own. One that the calling shell has sourced must not mix in.
ifdef AMENT_PREFIX_PATH
unexport LD_LIBRARY_PATH
endif
unexport AMENT_PREFIX_PATH CMAKE_PREFIX_PATH COLCON_PREFIX_PATH PYTHONPATH PYTHONHOME
unexport RMW_IMPLEMENTATION ROS_DISTRO VIRTUAL_ENV _ROS_WHEELS_BOOTSTRAP_COMPLETE

# Two of these at once would write the same folders.
.NOTPARALLEL:
.DEFAULT_GOAL := help

.PHONY: help
help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

.PHONY: env
env: ## make or update the development environment in .venv
	@$(PYTHON) tools/environment.py $(VENV)

.PHONY: conformance-env
conformance-env:
ifeq ($(CONFORMANCE),0)
	@echo '********************************************************************************'
	@echo '** CONFORMANCE=0: nothing of this run is checked against the real LeRobot.     **'
	@echo '********************************************************************************'
else
	@$(PYTHON) test/conformance/build_environment.py $(CONFORMANCE_VENV) || { \
	  echo 'make: no environment with the real LeRobot in $(CONFORMANCE_VENV), see above.' >&2; \
	  echo 'make: to test without it: make test CONFORMANCE=0' >&2; \
	  exit 1; }
endif

.PHONY: test
test: env conformance-env ## run all tests, linters and the real LeRobot included
ifneq ($(PYTEST_ARGS),)
	@$(CONFORMANCE_ENV) $(VENV_PYTHON) -m pytest $(PYTEST_ARGS)
else
	@$(CONFORMANCE_ENV) $(VENV_PYTHON) tools/run_tests.py
endif

.PHONY: test-fast
test-fast: env ## run the tests that take no more than a few seconds each
	@$(VENV_PYTHON) -m pytest -m 'not slow' $(PYTEST_ARGS)

.PHONY: test-matrix
test-matrix: ## test each Python with newest and oldest packages, and Jazzy and Kilted
	@$(PYTHON) tools/matrix.py $(MATRIX_ARGS)

.PHONY: lint
lint: env ## run ruff and mypy alone
	@$(VENV_PYTHON) -m ruff check .
	@$(VENV_PYTHON) -m mypy

.PHONY: demo
ifneq ($(DEMO_ROOT),)
demo: export DEMO_ROOT := $(DEMO_ROOT)
endif
demo: env ## record a simulated arm (DEMO_ROOT=folder: to there)
	@$(VENV_PYTHON) -m examples.demo

.PHONY: console
console: env ## serve the operator's page with a simulated arm (CONSOLE_ROOT=folder: record to there)
	@$(VENV_PYTHON) -m examples.console

.PHONY: bench
bench: env conformance-env ## measure what recording costs beside LeRobot, a bare encoder and rclpy
	@$(VENV_PYTHON) -m pip install --quiet --no-deps -r requirements/bench.txt
	@$(VENV_PYTHON) -m pip install --quiet -r requirements/plots.txt
	@$(VENV_PYTHON) benchmarks/goals.py $(BENCH_ARGS)

.PHONY: bench-scale
bench-scale: env conformance-env ## find how many cameras this machine records, and LeRobot's recorder
	@$(VENV_PYTHON) -m pip install --quiet --no-deps -r requirements/bench.txt
	@$(VENV_PYTHON) -m pip install --quiet -r requirements/plots.txt
	@$(VENV_PYTHON) benchmarks/scale.py $(BENCH_ARGS)

.PHONY: bench-merge
bench-merge: env ## measure a merge of 10,000 small episodes with 1 to 8 workers
	@$(VENV_PYTHON) benchmarks/merge.py $(BENCH_ARGS)

# Thorough tests may run for minutes. faulthandler then dumps the stacks of threads while they run,
# which can end the process with a segmentation fault.
.PHONY: soak
soak: env conformance-env ## kill the recorder 200 times (SOAK_ARGS='--kills 20'), syncs 50 times, try every case, record 30 minutes
	@$(VENV_PYTHON) -m pip install --quiet --no-deps -r requirements/bench.txt
	@PYTHONPATH='$(CURDIR)/test/helpers' $(CONFORMANCE_ENV) $(VENV_PYTHON) test/kills/soak.py $(SOAK_ARGS)
	@STREAMREC_THOROUGH=1 $(VENV_PYTHON) -m pytest -m thorough -o faulthandler_timeout=0
	@$(VENV_PYTHON) benchmarks/memory.py

.PHONY: build
build: env ## colcon build into ./build and ./install
	@$(VENV)/bin/colcon --log-base log build --base-paths . --build-base build --install-base install

.PHONY: clean
clean: ## remove what builds, tests and linters left; the environments stay
	@rm -rf build install log dist .hypothesis .mypy_cache .pytest_cache .ruff_cache *.egg-info
	@find . -name '.?*' -prune -o -type d -name __pycache__ -prune -exec rm -rf {} +

.PHONY: clean-env
clean-env: ## remove the environments too
	@rm -rf $(VENV) $(VENV).old-* $(VENV).lock $(VENV)-matrix-* $(CONFORMANCE_VENV)*
