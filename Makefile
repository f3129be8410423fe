# hakmem: every task of a developer. `make help` lists them.
#
# All output lies under build/. A virtual environment per interpreter holds the tools; the system's Python is left as
# it is.

PYTHON ?= python3
JOBS ?= $(shell nproc 2>/dev/null || echo 2)
PYTEST_ARGS ?=
RUNS ?= 3
NUMPY ?=
SHORT ?=
BENCH_ARGS ?=
CHECK_ARGS ?=
PROGRAM ?=
LUA ?=
TESTES ?=

# Version and place tell interpreters apart, so that PYTHON= may change from one call to the next.
python_tag := $(shell $(or $(PYTHON),false) -c 'import sys, zlib; \
	print("%d.%d.%d-%08x" % (*sys.version_info[:3], zlib.crc32(sys.base_prefix.encode())))' 2>/dev/null | \
	grep -xE '[0-9.]+-[0-9a-f]{8}')
# What is called python3 may be installed yet; any other name is the caller's, who gets no system packages for it.
ifneq ($(filter-out help clean,$(MAKECMDGOALS)),)
ifeq ($(python_tag)$(filter python3,$(PYTHON)),)
$(error PYTHON=$(PYTHON) is not a Python that runs; name one, as in: make $(firstword $(MAKECMDGOALS)) PYTHON=python3)
endif
endif
venv := $(CURDIR)/build/venv/$(python_tag)$(addprefix -numpy-,$(NUMPY))
venv_python := $(venv)/bin/python
pip := $(venv_python) -m pip --quiet --disable-pip-version-check

# Debian builds its own Python profile-guided: pymalloc is inlined there and hardest to beat. PYTHON= names another one.
bench_python := $(if $(filter command environment,$(origin PYTHON)),$(PYTHON),$(firstword \
	$(wildcard /usr/bin/python3.11) $(PYTHON)))

package_sources := $(shell find core swig bindings/libc bindings/python cmake CMakeLists.txt pyproject.toml -type f \
	-not -name '*.pyc' 2>/dev/null)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test test-core test-python lua peer-lua lint check-targets wheel clean \
	check-python check-lua check-core \
	demo-here wheel-here bench-rss bench-rss-here bench-speed bench-speed-here bench-trace bench-trace-here \
	bench-tuning bench-tuning-here bench-native bench-lua bench-lua-here bench-process bench-process-here \
	bench-churn bench-churn-here bench-arrays bench-arrays-here

help: ## Show this list
	@echo "make TARGET [PYTHON=$(PYTHON)] [JOBS=$(JOBS)]"
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "  %-13s %s\n", $$1, $$2}'

# The targets for everybody check the machine first and call make again: the check may have installed Python itself,
# on which the names of all that follows depend.
demo: check-python ## Run the main job under stock Python and under hakmem, show both RSS curves (SHORT=1: a small job)
	@$(MAKE) --no-print-directory demo-here

# One after the other, also with -j: the core's failures explain the others.
test: check-core ## Set everything up and run all tests, C and Python
	@$(MAKE) --no-print-directory test-core
	@$(MAKE) --no-print-directory test-python

test-core: check-core $(venv)/build-tools-installed ## Only the tests of the C core
	@$(venv)/bin/cmake -S . -B build/test -G Ninja --log-level=WARNING -DCMAKE_MAKE_PROGRAM=$(venv)/bin/ninja \
		-DCMAKE_BUILD_TYPE=RelWithDebInfo -DHAKMEM_BUILD_TESTS=ON -DHAKMEM_DEBUG_CHECKS=ON -DHAKMEM_WERROR=ON
	@$(venv)/bin/cmake --build build/test --parallel $(JOBS)
	@$(venv)/bin/ctest --test-dir build/test --parallel $(JOBS) --output-on-failure --no-tests=error

# tests/lint and tests/install look at a release build of the C library.
test-python: check-core $(venv)/build-tools-installed $(venv)/test-tools-installed ## Only the Python tests (PYTEST_ARGS="-k name")
	@.ci/check-system $(PYTHON) lua-wanted swig-wanted
	@PATH="$(venv)/bin:$$PATH" $(venv_python) -m pytest $(PYTEST_ARGS)

lint: $(venv)/linters-installed $(venv)/build-tools-installed $(venv)/test-tools-installed ## Run ruff, mypy and the repository's own checks
	@$(venv)/bin/ruff check .
	@$(venv)/bin/mypy
	@PATH="$(venv)/bin:$$PATH" $(venv_python) -m pytest tests/lint

lua: check-lua $(venv)/build-tools-installed ## Build the module for the installed Lua (LUA=lua5.4); the last line says where it is
	@abi=$$(bindings/lua/find-lua "$(LUA)") && abi=$${abi##* } && \
		PATH="$(venv)/bin:$$PATH" bindings/lua/build-module "$(LUA)" "build/lua/$$abi" && \
		echo "LUA_CPATH=$(CURDIR)/build/lua/$$abi/?.so;;"

peer-lua: check-lua ## Run Lua's own test suite on hakmem and on stock (TESTES=a checkout's testes, LUA=lua5.4)
	@[ -n "$(TESTES)" ] || { echo "error: name Lua's test suite: make peer-lua TESTES=/path/to/lua/testes" >&2; exit 2; }
	@said=$$($(MAKE) --no-print-directory lua) && \
		module=$$(echo "$$said" | sed -n 's|^LUA_CPATH=\(.*\)/?.so;;$$|\1|p') && \
		lua=$$(bindings/lua/find-lua "$(LUA)") && \
		$(PYTHON) tests/peer/lua_suite.py --lua "$${lua% *}" --module "$$module" "$(TESTES)"

check-targets: $(venv)/created ## Run the targets that `make test` does not, each within a time (CHECK_ARGS="fuzz")
	@$(venv_python) tests/install/check_targets.py $(CHECK_ARGS)

wheel: check-python ## Build sdist and wheel into dist/, audit the wheel, test it in a clean environment
	@$(MAKE) --no-print-directory wheel-here

bench-rss: ## Resident memory against the peers (RUNS=3, SHORT=1, BENCH_ARGS="--workloads floats")
	@.ci/check-system $(bench_python) python bench
	@$(MAKE) --no-print-directory bench-rss-here PYTHON=$(bench_python)

bench-speed: ## Time against the peers: loops, programs, pyperformance, threads, curves (RUNS=3, BENCH_ARGS="--parts loops")
	@.ci/check-system $(bench_python) python bench
	@$(MAKE) --no-print-directory bench-speed-here PYTHON=$(bench_python)

bench-lua: ## Lua programs: time and memory against the peers (LUA=lua5.4, RUNS=3, SHORT=1)
	@.ci/check-system $(bench_python) python lua bench
	@$(MAKE) --no-print-directory bench-lua-here PYTHON=$(bench_python)

bench-process: ## Whole programs with libraries in C: memory and time against the peers (RUNS=3, SHORT=1)
	@.ci/check-system $(bench_python) python bench tcmalloc-wanted
	@$(MAKE) --no-print-directory bench-process-here PYTHON=$(bench_python)

bench-arrays: ## NumPy's arrays: memory after a drop, time by size (NUMPY=1.26.4, RUNS=3, SHORT=1)
	@.ci/check-system $(bench_python) python bench
	@$(MAKE) --no-print-directory bench-arrays-here PYTHON=$(bench_python)

bench-churn: ## Programs that build and drop over and over: time and memory against the peers (RUNS=3, SHORT=1)
	@.ci/check-system $(bench_python) python lua-wanted bench
	@$(MAKE) --no-print-directory bench-churn-here PYTHON=$(bench_python)

bench-trace: ## Record a program's requests, replay them on the core (PROGRAM="script.py arguments")
	@$(MAKE) --no-print-directory check-python PYTHON=$(bench_python)
	@$(MAKE) --no-print-directory bench-trace-here PYTHON=$(bench_python)

bench-tuning: ## Replay traces of a set of programs: what placement and bounds are tuned on
	@$(MAKE) --no-print-directory check-python PYTHON=$(bench_python)
	@$(MAKE) --no-print-directory bench-tuning-here PYTHON=$(bench_python)

clean: ## Remove everything that was built
	rm -rf build dist

# A small job leaves the samples of the whole one alone.
demo_folder := build/demo$(if $(SHORT),-short)
demo_size := $(if $(SHORT),--scale=0.02 --idle-seconds=0.3)

demo-here: $(venv)/hakmem-installed
	@$(venv_python) demo/demo.py --out $(demo_folder) $(demo_size)
	@$(MAKE) --no-print-directory demo-lua

# Left out, with a word, where there is no Lua.
demo-lua: $(venv)/build-tools-installed
	@.ci/check-system $(PYTHON) lua-wanted
	@echo; if ! found=$$(bindings/lua/find-lua "$(LUA)" 2>/dev/null); then \
		echo "The demo's Lua part is left out: there is no Lua (Debian: lua5.4 liblua5.4-dev)"; \
	elif folder=build/lua/$${found#* }; ! PATH="$(venv)/bin:$$PATH" bindings/lua/build-module "$(LUA)" $$folder >/dev/null; then \
		echo "The demo's Lua part is left out: the module could not be built (Debian: liblua5.4-dev)"; \
	else \
		host=hakmem_host_$${found#* }; \
		$(venv)/bin/cmake --build $$folder/tree --target $$host >/dev/null 2>&1 || host=; \
		$(venv_python) demo/lua_demo.py --lua $${found% *} --module $$folder --out $(demo_folder)/lua $(demo_size) \
			$${host:+--host $$folder/tree/bindings/lua/$$host}; \
	fi

wheel-here: $(venv)/build-tools-installed
	@tests/install/test-wheel $(venv_python) dist

bench-rss-here: $(venv)/bench-tools-installed build/bench/mimalloc/fetched
	@PYTHONPATH=tests $(venv_python) -m bench.rss --runs $(RUNS) $(if $(SHORT),--short) $(BENCH_ARGS)

bench-speed-here: $(venv)/bench-tools-installed build/bench/mimalloc/fetched bench-native
	@PYTHONPATH=tests $(venv_python) -m bench.speed --runs $(RUNS) $(if $(SHORT),--short) $(BENCH_ARGS)

# The C host of Lua programs, for $$abi; sets $$host.
bench_lua_host = folder=build/bench/lua-$$abi && host=$$folder/host && \
	{ PATH="$(venv)/bin:$$PATH" cmake -S tests/bench/lua -B $$folder -DABI=$$abi --log-level=WARNING && \
		PATH="$(venv)/bin:$$PATH" cmake --build $$folder --parallel $(JOBS); } >/dev/null

bench-lua-here: $(venv)/bench-tools-installed $(venv)/build-tools-installed build/bench/mimalloc/fetched
	@found=$$(bindings/lua/find-lua "$(LUA)") && abi=$${found#* } && \
		PATH="$(venv)/bin:$$PATH" bindings/lua/build-module "$(LUA)" build/lua/$$abi && \
		$(bench_lua_host) && \
		PYTHONPATH=tests $(venv_python) -m bench.lua --lua $${found% *} --module build/lua/$$abi --host $$host \
			--runs $(RUNS) $(if $(SHORT),--short) $(BENCH_ARGS)

bench-process-here: $(venv)/bench-tools-installed $(venv)/process-libraries-installed build/bench/mimalloc/fetched
	@PYTHONPATH=tests $(venv_python) -m bench.process --runs $(RUNS) $(if $(SHORT),--short) $(BENCH_ARGS)

bench-arrays-here: $(venv)/bench-tools-installed $(venv)/process-libraries-installed \
		$(venv)/churn-libraries-installed build/bench/mimalloc/fetched
	@PYTHONPATH=tests $(venv_python) -m bench.arrays --runs $(RUNS) $(if $(SHORT),--short) $(BENCH_ARGS)

# Without Lua its programs are left out, with a word.
bench-churn-here: $(venv)/bench-tools-installed $(venv)/churn-libraries-installed build/bench/mimalloc/fetched bench-native
	@if found=$$(bindings/lua/find-lua "$(LUA)" 2>/dev/null) && abi=$${found#* } && $(bench_lua_host); then :; else host=; fi; \
		PYTHONPATH=tests $(venv_python) -m bench.churn $${host:+--host $$host} --runs $(RUNS) $(if $(SHORT),--short) \
			$(BENCH_ARGS)

bench-trace-here: $(venv)/bench-tools-installed bench-native
	@PYTHONPATH=tests $(venv_python) -m bench.trace $(BENCH_ARGS) $(PROGRAM)

bench-tuning-here: $(venv)/bench-tools-installed bench-native
	@PYTHONPATH=tests $(venv_python) -m bench.trace.tuning $(BENCH_ARGS)

# The C programs of the benchmarks, with the core as it is released.
bench-native: $(venv)/build-tools-installed
	@$(venv)/bin/cmake -S tests/bench/native -B build/bench/native -G Ninja --log-level=WARNING \
		-DCMAKE_MAKE_PROGRAM=$(venv)/bin/ninja
	@$(venv)/bin/cmake --build build/bench/native --parallel $(JOBS) -- --quiet

check-python:
	@.ci/check-system $(PYTHON) python

check-lua:
	@.ci/check-system $(PYTHON) python lua

check-core:
	@.ci/check-system $(PYTHON) python core

# ---- The virtual environment ----

# `pip install --group` needs pip 25.1.
$(venv)/created: | check-python
	@[ -n "$(python_tag)" ] || { echo "error: Python was installed just now; call make again" >&2; exit 1; }
	@echo "Creating $(venv)"
	@rm -rf $(venv)
	@$(PYTHON) -m venv $(venv)
	@$(pip) install --upgrade 'pip>=25.1'
	@touch $@

# The same `pip install .` as a user's.
$(venv)/hakmem-installed: $(package_sources) $(venv)/created
	@echo "Installing hakmem into the virtual environment"
	@$(pip) install --force-reinstall --no-deps .
	@touch $@

# hakmem is installed already: this adds what its extra names.
$(venv)/test-tools-installed: $(venv)/hakmem-installed
	@$(pip) install 'hakmem[test,measure]'
	@touch $@

$(venv)/bench-tools-installed: $(venv)/hakmem-installed
	@$(pip) install 'hakmem[measure]'
	@touch $@

# Not for every interpreter there are all of them; workloads without theirs are left out, with a word.
$(venv)/process-libraries-installed: pyproject.toml $(venv)/created
	@echo "Installing the libraries of the workloads"
	@if $(pip) install --only-binary :all: --group process $(if $(NUMPY),&& $(pip) install --only-binary :all: numpy==$(NUMPY)); \
		then touch $@; fi

$(venv)/churn-libraries-installed: pyproject.toml $(venv)/created
	@echo "Installing gunicorn, of which some programs are workers"
	@if $(pip) install --only-binary :all: --group churn; then touch $@; fi

# A peer of the benchmarks, the newest there is; without a network the benchmarks say that it is not there.
build/bench/mimalloc/fetched: | $(venv)/created
	@mkdir -p $(@D)
	@if $(pip) install --no-deps --only-binary :all: --upgrade --target $(@D) cmeel-mimalloc; then touch $@; fi

$(venv)/build-tools-installed: pyproject.toml $(venv)/created
	@echo "Installing the build tools"
	@$(pip) install --group build
	@touch $@

$(venv)/linters-installed: pyproject.toml $(venv)/created
	@echo "Installing the linters"
	@$(pip) install --group lint
	@touch $@

include tests/hardening.mk
