# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# Entry point of the build. Everything is built in build/, by meson and ninja; see README.md.
#
#   make                  build/tapwall, build/tapwalld and build/tapwall-slowd
#   make appliance        build/appliance, the image of the service VM            (docs/appliance.md)
#   make demo             three virtual machines and a service VM, every path tried (STAY=1 keeps it running)
#   make test             all tests                                            (SCALE=full: 50 times as many random cases)
#   make bench            side-by-side benchmarks                                (QUICK=1: < 5 min)
#   make install          DESTDIR= PREFIX=; installs no packages
#   make uninstall        DESTDIR= PREFIX=; removes what make install has installed
#   make deb              build/deb/*.deb, the Debian packages                    (VERSION=)
#   make fuzz             SECONDS=60 for each fuzzer
#   make deps format lint clean help
#
# WERROR=1 turns warnings into errors. BUILD sets another build directory.

BUILD ?= build
PREFIX ?= /usr
WERROR ?=
QUICK ?=
STAY ?=
SECONDS ?= 60

meson_flags := $(if $(WERROR),-Dwerror=true)
san_flags := -Db_sanitize=address,undefined -Doptimization=1 "-Dc_args=-g1 -Wno-format-truncation"

export BUILD QUICK STAY WERROR

# On a terminal ninja shows its progress in one line; elsewhere only warnings and errors.
define build
@if [ -t 1 ]; then ninja -C $(1) $(2); else \
	ninja -C $(1) --quiet $(2) >$(1)/build.log 2>&1; status=$$?; \
	grep -v '^ninja: no work to do' $(1)/build.log; exit $$status; fi
endef

# Prints how many steps a build has, unless it is up to date.
define announce
@n=$$(ninja -C $(1) -n $(2) | sed -n '$$s|^\[[0-9]*/\([0-9]*\)\].*|\1|p'); \
	[ -z "$$n" ] || echo "Building $(3): $$n steps on $$(nproc) cores ..."
endef

all: $(BUILD)/build.ninja
	$(call build,$(BUILD))

# The targets for developers install missing Debian packages; `make install` does not.
deps:
	@packaging/deps

deps-build deps-demo deps-test deps-bench deps-lint deps-export deps-clickhouse deps-package deps-vrrp:
	@packaging/deps $(@:deps-%=%)

ifeq ($(filter install uninstall,$(MAKECMDGOALS)),)
$(BUILD)/build.ninja: | deps-build
endif

$(BUILD)/build.ninja:
	@mkdir -p $(BUILD)
	@echo 'Looking for compilers and libraries ...'
	@meson setup $(BUILD) $(meson_flags) -Dtests=false >$(BUILD)/setup.log 2>&1 || \
		{ tail -n 20 $(BUILD)/setup.log; echo 'make deps-build installs missing packages'; exit 1; }

# Adds the tests to the build directory.
$(BUILD)/with-tests: | $(BUILD)/build.ninja deps-demo deps-test
	@meson configure $(BUILD) -Dtests=true
	@touch $@

# Builds with ASan and UBSan, for the tests that run natively. With -O2 and -g, compilation takes twice
# as long. At other optimization levels the compiler's warnings are less reliable, so only the plain
# build turns them into errors.
$(BUILD)/san/build.ninja: | $(BUILD)/with-tests
	@meson setup $(BUILD)/san $(san_flags) >$(BUILD)/setup.log 2>&1 || \
		{ tail -n 20 $(BUILD)/setup.log; exit 1; }

appliance: deps-demo all
	$(call build,$(BUILD),appliance)
	@appliance/build

# Not `all`: the demo needs neither manual pages nor libtapwall, and after `make test` that would build the tests.
demo: deps-demo $(BUILD)/build.ninja
	$(call announce,$(BUILD),demo appliance,the firewall and the programs of its guests)
	$(call build,$(BUILD),demo appliance)
	@demo/run

test: $(BUILD)/with-tests deps-demo deps-test $(BUILD)/san/build.ninja
	$(call build,$(BUILD))
	@tests/run-all $(BUILD)

bench: deps-demo deps-bench all
	$(call build,$(BUILD),bench demo appliance)
	@bench/run

install: all
	@meson configure $(BUILD) -Dprefix=$(PREFIX)
	@meson install -C $(BUILD) $(if $(DESTDIR),--destdir "$(abspath $(DESTDIR))")
	@[ ! -e $(BUILD)/appliance/initrd ] || install -D -m 644 -t "$(DESTDIR)$(PREFIX)/lib/tapwall/appliance" \
		$(BUILD)/appliance/vmlinuz $(BUILD)/appliance/initrd
	@[ ! -e $(BUILD)/appliance/command ] || install -D -t "$(DESTDIR)$(PREFIX)/lib/tapwall/appliance" \
		$(BUILD)/appliance/command

	@[ -e "$(DESTDIR)/etc/default/tapwall" ] || \
		install -D -m 644 packaging/tapwall.default "$(DESTDIR)/etc/default/tapwall"
	@install -D -m 644 packaging/policy.yaml "$(DESTDIR)/etc/tapwall/policy.yaml.example"

uninstall: $(BUILD)/build.ninja
	@packaging/uninstall $(BUILD) $(PREFIX) "$(DESTDIR)"

# The packages contain no appliance: make appliance && make install puts it in place.
deb: all
	@meson configure $(BUILD) -Dprefix=/usr
	$(call build,$(BUILD))
	@packaging/deb $(BUILD) $(VERSION)

fuzz: $(BUILD)/with-tests
	$(call build,$(BUILD))
	@tests/fuzz/run $(SECONDS)

format: deps-lint
	@tests/lint/files c | xargs clang-format -i

lint: deps-lint $(BUILD)/with-tests
	@tests/lint/run $(BUILD)

clean:
	rm -rf $(BUILD)

help:
	@sed -n 's/^#   //p' Makefile

.PHONY: all appliance deps deps-build deps-demo deps-test deps-bench deps-lint deps-export deps-clickhouse deps-package deps-vrrp demo test bench install uninstall deb fuzz format lint clean help
.DELETE_ON_ERROR:
