# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# The front door. Everything happens in build/, by meson and ninja; see README.md.
#
#   make                  build/tapwall and build/tapwalld
#   make demo             three virtual machines, one policy, every path tried   (STAY=1 leaves it up)
#   make test             all tests
#   make bench            side-by-side benchmarks                                (QUICK=1: < 5 min)
#   make install          DESTDIR= PREFIX=
#   make fuzz             SECONDS=60 for each fuzzer
#   make deps format lint clean help
#
# WERROR=1 turns warnings into errors. BUILD names another build folder.

BUILD ?= build
PREFIX ?= /usr
WERROR ?=
QUICK ?=
STAY ?=
SECONDS ?= 60

meson_flags := $(if $(WERROR),-Dwerror=true)
san_flags := -Db_sanitize=address,undefined $(if $(WERROR),-Dwerror=true)

export BUILD QUICK STAY WERROR

# On a terminal ninja shows its progress in one line; elsewhere only what is worth reading.
define build
@if [ -t 1 ]; then ninja -C $(1); else \
	ninja -C $(1) --quiet >$(1)/build.log 2>&1; status=$$?; \
	grep -v '^ninja: no work to do' $(1)/build.log; exit $$status; fi
endef

all: deps $(BUILD)/build.ninja
	$(call build,$(BUILD))

$(BUILD)/build.ninja: | deps
	@mkdir -p $(BUILD)
	@meson setup $(BUILD) $(meson_flags) >$(BUILD)/setup.log 2>&1 || \
		{ tail -n 20 $(BUILD)/setup.log; exit 1; }

# The same code under ASan and UBSan, for the tests that run it natively.
$(BUILD)/san/build.ninja: | $(BUILD)/build.ninja
	@meson setup $(BUILD)/san $(san_flags) >$(BUILD)/setup.log 2>&1 || \
		{ tail -n 20 $(BUILD)/setup.log; exit 1; }

deps:
	@packaging/deps

demo: all
	@demo/run

test: all $(BUILD)/san/build.ninja
	$(call build,$(BUILD)/san)
	@tests/run-all $(BUILD)

bench: all
	@bench/run

install: all
	@meson configure $(BUILD) -Dprefix=$(PREFIX)
	@meson install -C $(BUILD) $(if $(DESTDIR),--destdir "$(abspath $(DESTDIR))")

fuzz: all
	@tests/fuzz/run $(SECONDS)

format: deps
	@tests/lint/files c | xargs clang-format -i

lint: deps $(BUILD)/build.ninja
	@tests/lint/run $(BUILD)

clean:
	rm -rf $(BUILD)

help:
	@sed -n 's/^#   //p' Makefile

.PHONY: all deps demo test bench install fuzz format lint clean help
.DELETE_ON_ERROR:
