# `make demo` shows the extension and `make test` proves it; both first install what is missing on the machine.
# `make`, `make install` and `make installcheck` do what PGXS does for every extension, and nothing else.
PG_CONFIG ?= pg_config
MAJOR := $(shell $(PG_CONFIG) --version 2>/dev/null | sed -n 's/^PostgreSQL \([0-9]*\).*/\1/p')

# What is built for one major version lies apart from what is built for another.
OUT = .work/pg$(MAJOR)
TARGET = $(or $(CARGO_TARGET_DIR),target)
MODULE = $(OUT)/pg_identity.so
EXTVERSION := $(shell sed -n "s/^default_version = '\(.*\)'/\1/p" pg_identity.control)
SCRIPT = $(OUT)/pg_identity--$(EXTVERSION).sql
SQL := $(sort $(wildcard sql/[0-9]*.sql))
SOURCES := $(shell find src -type f) Cargo.toml Cargo.lock .cargo/config.toml
FEATURES = --no-default-features --features pg$(MAJOR)
export PG_CONFIG
export PGRX_PG_CONFIG_PATH = $(PG_CONFIG)

EXTENSION = pg_identity
DATA_built = $(SCRIPT)
# The server is asked whether it agrees with the tests' files: regress and isolation tests, in a database of their own.
CHECKED = $(CURDIR)/.work/installcheck
REGRESS = $(sort $(basename $(notdir $(wildcard tests/regress/sql/*.sql))))
REGRESS_OPTS = --inputdir=tests/regress --outputdir=$(CHECKED) --load-extension=pg_identity --dbname=pg_identity_regress
ISOLATION = $(sort $(basename $(notdir $(wildcard tests/isolation/specs/*.spec))))
ISOLATION_OPTS = --inputdir=tests/isolation --outputdir=$(CHECKED) --load-extension=pg_identity --dbname=pg_identity_isolation

PGXS := $(wildcard $(shell $(PG_CONFIG) --pgxs 2>/dev/null))
ifneq ($(PGXS),)
include $(PGXS)
else
all install installcheck:
	@echo "$(PG_CONFIG) does not lead to the headers of a PostgreSQL server." >&2
	@echo "Set PG_CONFIG, or install them: on Debian, make setup does." >&2
	@exit 1
endif

.PHONY: all install installcheck setup demo psql test fuzz bench lint check-majors install-module uninstall-module clean-work
.DEFAULT_GOAL := all

all: $(MODULE) $(SCRIPT)
install: install-module

$(MODULE): $(SOURCES)
	cargo build --release --lib $(FEATURES)
	@mkdir -p $(OUT)
	cp -f $(TARGET)/release/libpg_identity.so $@

$(SCRIPT): $(SQL)
	@mkdir -p $(OUT)
	cat $(SQL) >$@

install-module: $(MODULE)
	$(MKDIR_P) '$(DESTDIR)$(pkglibdir)'
	$(INSTALL_SHLIB) $(MODULE) '$(DESTDIR)$(pkglibdir)/pg_identity.so'

uninstall: uninstall-module
uninstall-module:
	rm -f '$(DESTDIR)$(pkglibdir)/pg_identity.so'

installcheck: | $(CHECKED)
$(CHECKED):
	@mkdir -p $@

# What a development machine needs besides Rust; the demo needs less.
setup:
	@tools/setup.sh

# An ordinary user builds, and installs with sudo.
ready-%:
	@tools/setup.sh $*
	@$(MAKE) --no-print-directory all
	@if [ "$$(id -u)" = 0 ]; then $(MAKE) --no-print-directory install; else sudo $(MAKE) install PG_CONFIG=$$(command -v $(PG_CONFIG)); fi

demo: ready-demo
	@tools/cluster.sh start demo
	@tools/demo.sh

psql: ready-demo
	@tools/cluster.sh start demo
	@eval "$$(tools/cluster.sh env demo)" && psql -c 'CREATE EXTENSION IF NOT EXISTS pg_identity' && psql

# make test TESTS="import_basic login" runs those; make test PG=17 runs in a tree of Debian that has that version.
ifdef PG
test:
	@tools/tree.sh $(PG) make test PG= TESTS="$(TESTS)"
else
test: ready-test
	@tests/run.sh $(TESTS)
endif

# Random cases against slow judges: make fuzz SEED=7 SECONDS=600. (The shell has a SECONDS of its own.)
fuzz: ready-test
	@SEED="$(SEED)" FUZZ_SECONDS="$(SECONDS)" tests/run.sh fuzz

bench: ready-demo
	@bench/run.sh

lint: ready-test
	cargo fmt --all --check
	cargo clippy --all-targets $(FEATURES) -- -D warnings
	@tools/pgspot.sh $(SCRIPT)

# Whether the crate compiles for the versions that no release of Debian has.
check-majors:
	@tools/check-majors.sh 14 16

clean: clean-work
clean-work:
	@if [ -n "$(MAJOR)" ]; then for name in demo test bench; do tools/cluster.sh remove $$name; done; fi
	rm -rf .work target
