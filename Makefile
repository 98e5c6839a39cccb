# SPDX-License-Identifier: MIT
# A thin front: the build itself is in meson.build. `make help` prints the lines with two hashes.
#
#   FLAGS   more for `meson setup` of a fresh build folder, such as FLAGS=-Dwerror=true
#   TEST    more for `meson test`, such as TEST='--suite unit' or TEST=mutex

BUILD ?= build
FLAGS ?=
TEST  ?=

SOURCES = find include src tool examples tests bench -name '*.[ch]'
# Neither gcc's TSan nor clang's of this age can live with a kernel that scatters memory widely.
NO_ASLR = $(shell setarch -R true 2>/dev/null && echo setarch -R)
ASAN = -Db_sanitize=address,undefined -Db_lundef=false
STRESS = cancel map mixed scopes steal sync threads
TSAN = -Db_sanitize=thread -Db_lundef=false

# $(call build,FOLDER,MESON OPTIONS,ENVIRONMENT): set it up once, then build what has changed.
define build
	@test -f $(1)/build.ninja || $(3) meson setup $(1) $(2) $(FLAGS)
	@if ninja -C $(1) -n product | grep -q 'no work to do'; \
	then echo 'interlock: $(1)/ is up to date'; else ninja -C $(1) product; fi
endef

all: ready ## build the library and the tool into build/ (the default)
	$(call build,$(BUILD))

run: all ## the main jobs: which way of running pays off for factoring, which for downloading?
	@$(BUILD)/tool/interlock choose

test: all ## run every test of the plain build
	@meson test -C $(BUILD) --print-errorlogs $(TEST)

check: check-asan check-tsan ## run the suites under ASan + UBSan, then under TSan

check-asan: ready-check ## only ASan + UBSan
	$(call build,build-asan,$(ASAN))
	@meson test -C build-asan --print-errorlogs --setup sanitizers $(TEST)

# clang's: with 1,000 fibers gcc 12's TSan needs ten times its time and memory, and it ends at 8,128.
check-tsan: ready-check ## only TSan
	$(call build,build-tsan,$(TSAN),CC=clang)
	@$(NO_ASLR) meson test -C build-tsan --print-errorlogs --setup sanitizers $(TEST)

check-valgrind: ready-check ## only Valgrind, unit tests and examples (slow, not part of check)
	$(call build,$(BUILD))
	@meson test -C $(BUILD) --print-errorlogs --setup valgrind $(TEST)

check-helgrind: ready-check ## only Helgrind: the primitives, and il_thread, between threads
	$(call build,build-helgrind,-Dhelgrind=true)
	@for only in '*(threads)' '*(threads, fuzzed)'; do \
		IL_ONLY="$$only" meson test -C build-helgrind --print-errorlogs --setup helgrind sync thread || exit; \
	done

check-models: ready-check ## the models of parking, deque, sleep and close, in every interleaving
	@scripts/check-models

check-mutations: ready-check ## plant faults in a copy of the sources: do the tests find each? (for the night)
	@scripts/check-mutations

check-nightly: ready ## a million uses of each primitive, the schedule fuzzed; thousands of kills, faults of fetch
	$(call build,$(BUILD))
	@ninja -C $(BUILD) $(STRESS:%=tests/stress_%) tests/stress_processes | tail -n 1
	@scripts/check-schedules --build $(BUILD)
	@IL_STRESS=4000 $(BUILD)/tests/stress_processes
	@! test -x $(BUILD)/tool/interlock-net || \
		IL_ROUNDS=50 tests/tool/fetch.py $(BUILD)/tool/interlock | tail -n 40

check-aarch64: ready-aarch64 ## unit tests, examples and some stress, built for AArch64, under qemu
	$(call build,build-aarch64,--cross-file scripts/aarch64.ini)
	@meson test -C build-aarch64 --print-errorlogs --setup qemu $(TEST)

bench: ready-bench ## measure, each figure beside a yardstick
	$(call build,$(BUILD))
	@ninja -C $(BUILD) bench
	@bench/run $(BUILD)

install: all ## install under PREFIX (/usr/local), below DESTDIR if set
	@$(if $(PREFIX),meson configure $(BUILD) -Dprefix=$(PREFIX) && ninja -C $(BUILD) product)
	@meson install -C $(BUILD) --no-rebuild

lint: ready-check ## clang-format, and clang-tidy but for tests and bench, changing nothing
	@$(SOURCES) -print0 | xargs -0 clang-format --dry-run -Werror
	$(call build,build-clang,,CC=clang)
	@$(SOURCES) -path '*.c' ! -path 'bench/*' ! -path 'tests/*' -print0 | \
		xargs -0 -n 1 -P $$(nproc) clang-tidy -p build-clang --quiet 2>/dev/null

format: ready-check ## let clang-format rewrite the sources
	@$(SOURCES) -print0 | xargs -0 clang-format -i

clean: ## remove the build folders
	rm -rf build build-asan build-tsan build-clang build-aarch64 build-helgrind build-mutations

ready:
	@scripts/setup
ready-check:
	@scripts/setup --check
ready-aarch64:
	@scripts/setup --aarch64
ready-bench:
	@scripts/setup --bench

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' Makefile

.PHONY: all run test check check-asan check-tsan check-valgrind check-helgrind check-models \
	check-mutations check-nightly check-aarch64 bench install lint format clean help \
	ready ready-check ready-aarch64 ready-bench
