# The longer checks: fuzzing, sanitizers, planted faults, models, clang, other C libraries and machines, suites that
# others wrote. Included by the Makefile, whose variables it uses; everything is built under build/.

# GNU make passes SECONDS on in the environment; bash counts up from it, which does no harm. The targets that need it
# refuse a wrong one before they build.
SECONDS ?= 60
SANITIZE ?=
FULL ?=
ALL ?=
PEER_ARGS ?=
ONLY ?=
QUICK ?=
KINDS ?=
ROUNDS ?= 100
FORKS ?= 1000

.PHONY: fuzz fuzz-here sanitize sanitize-here tidy tidy-here model model-here test-musl test-musl-here test-aarch64 \
	test-aarch64-here peer-cpython peer-cpython-here peer-packages peer-packages-here test-programs planted planted-here \
	coverage coverage-here

fuzz: ## Fuzz the core's operations with libFuzzer (SECONDS=60, SANITIZE=1: under ASan and UBSan)
	@tests/core/check-seconds "$(SECONDS)"
	@.ci/check-system $(PYTHON) python core clang
	@$(MAKE) --no-print-directory fuzz-here

sanitize: ## Run the C tests under ASan and UBSan, then TSan (SECONDS=60 for both together)
	@tests/core/check-seconds "$(SECONDS)"
	@.ci/check-system $(PYTHON) python core
	@$(MAKE) --no-print-directory sanitize-here

planted: check-core ## Plant faults in a copy of the core, say which test finds each (ONLY="id id", QUICK=1, KINDS=fuzz)
	@$(if $(filter command,$(origin SECONDS)),tests/core/check-seconds "$(SECONDS)")
	@$(MAKE) --no-print-directory planted-here

coverage: ## Count which lines and branches the C tests reach, compare with docs/coverage.md
	@.ci/check-system $(PYTHON) python core coverage
	@$(MAKE) --no-print-directory coverage-here

tidy: ## Build with clang, warnings as errors, and run clang-tidy
	@.ci/check-system $(PYTHON) python core tidy
	@$(MAKE) --no-print-directory tidy-here

model: ## Check the models of the protocols with spin, and see that each mutation is caught
	@.ci/check-system $(PYTHON) python spin
	@$(MAKE) --no-print-directory model-here

test-musl: ## Run the C tests with musl
	@.ci/check-system $(PYTHON) python musl
	@$(MAKE) --no-print-directory test-musl-here

test-aarch64: ## Run the C tests for aarch64, in an emulator
	@.ci/check-system $(PYTHON) python aarch64
	@$(MAKE) --no-print-directory test-aarch64-here

peer-cpython: check-python ## Run CPython's own test suite on hakmem and on stock (FULL=1, ALL=1: malloc too)
	@$(MAKE) --no-print-directory peer-cpython-here

peer-packages: check-python ## Run the own tests of NumPy, pandas, lxml, SQLAlchemy under `hakmem run --all` and on stock
	@$(MAKE) --no-print-directory peer-packages-here

# No test takes the time of the other test runs.
test-programs: check-core $(venv)/build-tools-installed $(venv)/test-tools-installed ## Run Ruby, R, PHP, ... and forks under hakmem-exec (ROUNDS=100, FORKS=1000)
	@PATH="$(venv)/bin:$$PATH" ROUNDS=$(ROUNDS) FORKS=$(FORKS) $(venv_python) -m pytest --override-ini=timeout=3600 \
		tests/libc/test_programs.py tests/libc/test_malloc.py -k "program_runs or postgres or children"

# ---- How ----

# $(call core_tests_built,FOLDER,OPTIONS,ARGUMENTS OF THE BUILD)
comma := ,
core_tests_built = $(venv)/bin/cmake -S . -B $(1) -G Ninja --log-level=WARNING \
	-DCMAKE_MAKE_PROGRAM=$(venv)/bin/ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DHAKMEM_BUILD_TESTS=ON \
	-DHAKMEM_DEBUG_CHECKS=ON -DHAKMEM_INSTALL=OFF $(2) && \
	$(venv)/bin/cmake --build $(1) --parallel $(JOBS) $(3)

fuzz_folder := build/fuzz$(if $(SANITIZE),-sanitize)

fuzz-here: $(venv)/build-tools-installed
	@$(call core_tests_built,$(fuzz_folder),-DCMAKE_C_COMPILER=clang -DHAKMEM_BUILD_FUZZER=ON \
		-DHAKMEM_SANITIZE=$(if $(SANITIZE),address$(comma)undefined),--target fuzz_operations)
	@tests/core/fuzz/fuzz-for "$(SECONDS)" $(fuzz_folder)

# Not with HAKMEM_WERROR: what a sanitizer adds to an expression is what GCC then warns of.
sanitize-here: $(venv)/build-tools-installed
	@$(call core_tests_built,build/asan,-DHAKMEM_SANITIZE=address$(comma)undefined)
	@$(call core_tests_built,build/tsan,-DHAKMEM_SANITIZE=thread)
	@$(call core_tests_built,build/asan-blocks,-DHAKMEM_SANITIZE=address$(comma)undefined -DHAKMEM_MEMORY_TOOL=asan, \
		--target death_test_memory_tool)
	@build/asan-blocks/tests/core/death_test_memory_tool
	@PATH="$(venv)/bin:$$PATH" tests/core/sanitize-for "$(SECONDS)" build/asan build/tsan

# Without SECONDS on the command line all faults.
planted-here: $(venv)/build-tools-installed
	@PATH="$(venv)/bin:$$PATH" PYTHONPATH=tests $(venv_python) -m planted --jobs $(JOBS) --only "$(ONLY)" \
		--kinds "$(KINDS)" $(if $(QUICK),--quick) $(if $(filter command,$(origin SECONDS)),--seconds "$(SECONDS)")

# Without the debug checks: a check that never fails has a branch that is never taken.
coverage-here: $(venv)/build-tools-installed
	@$(call core_tests_built,build/coverage,-DCMAKE_C_COMPILER=clang -DHAKMEM_DEBUG_CHECKS=OFF -DHAKMEM_COVERAGE=ON)
	@PATH="$(venv)/bin:$$PATH" PYTHONPATH=tests $(venv_python) -m covered build/coverage --jobs $(JOBS)

tidy-here: $(venv)/build-tools-installed
	@$(call core_tests_built,build/clang,-DCMAKE_C_COMPILER=clang -DHAKMEM_WERROR=ON \
		-DCMAKE_EXPORT_COMPILE_COMMANDS=ON)
	@clang-tidy -p build/clang --quiet $$(find core/src -name '*.c')

# With Python alone, not a virtual environment's.
model-here:
	@PYTHONPATH=tests $(PYTHON) -m model.check_models --jobs $(JOBS) --compiler "$(CC)"

# Without cmocka. The programs for musl are static, so without what needs shared libraries, too; musl's compiler does not look for the kernel's
# headers, which are the same for all C libraries.
kernel_headers := build/musl/kernel-headers
other_machine := -DHAKMEM_WERROR=ON -DHAKMEM_BUILD_SHARED=OFF -DHAKMEM_CMOCKA_STAND_IN=ON

test-musl-here: $(venv)/build-tools-installed
	@mkdir -p $(kernel_headers)
	@ln -sfn /usr/include/linux $(kernel_headers)/linux
	@ln -sfn /usr/include/asm-generic $(kernel_headers)/asm-generic
	@ln -sfn "/usr/include/$$(gcc -print-multiarch)/asm" $(kernel_headers)/asm
	@$(call core_tests_built,build/musl,-DCMAKE_C_COMPILER=musl-gcc -DCMAKE_EXE_LINKER_FLAGS=-static $(other_machine) \
		"-DCMAKE_C_FLAGS=-isystem $(CURDIR)/$(kernel_headers)")
	@$(venv)/bin/ctest --test-dir build/musl --label-exclude rendezvous --output-on-failure --no-tests=error

# What the emulator cannot do: seccomp (the first three), the order of the environment (test_options), huge pages.
not_emulated := unit/test_barrier|unit/test_errno|unit/test_purge_ranges|unit/test_options|return/huge_pages

test-aarch64-here: $(venv)/build-tools-installed
	@$(call core_tests_built,build/aarch64,-DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=aarch64 \
		-DCMAKE_C_COMPILER=aarch64-linux-gnu-gcc -DCMAKE_CROSSCOMPILING_EMULATOR=qemu-aarch64-static $(other_machine))
	@QEMU_LD_PREFIX=/usr/aarch64-linux-gnu HAK_TEST_EMULATOR=qemu-aarch64-static \
		$(venv)/bin/ctest --test-dir build/aarch64 --exclude-regex '$(not_emulated)' --output-on-failure --no-tests=error

peer-cpython-here: $(venv)/hakmem-installed
	@PYTHONPATH=tests $(venv_python) -m peer.cpython --out build/peer/cpython/$(python_tag) $(if $(FULL),--full) $(if $(ALL),--all) $(PEER_ARGS)

peer-packages-here: $(venv)/hakmem-installed
	@PYTHONPATH=tests $(venv_python) -m peer.packages --out build/peer/packages/$(python_tag) $(PEER_ARGS)
