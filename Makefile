# pg_identity: `make demo` shows it, `make test` proves it. Both install what is missing.
PG_CONFIG ?= pg_config
export PG_CONFIG
export PGRX_HOME ?= $(CURDIR)/.work/pgrx
PGVER := pg$(shell $(PG_CONFIG) --version 2>/dev/null | sed -n 's/^PostgreSQL \([0-9]*\).*/\1/p')
FEATURES = --no-default-features --features $(if $(filter-out pg,$(PGVER)),$(PGVER),pg15)
SOURCES := $(shell find src sql -type f) Cargo.toml Cargo.lock pg_identity.control
SUDO := $(if $(filter 0,$(shell id -u)),,sudo)

.PHONY: all demo test bench lint install psql clean setup
all: install

setup:
	@tools/setup.sh

# The extension, built and installed into the server's own directories.
install: .work/installed

.work/installed: $(SOURCES) | setup
	cargo pgrx package --pg-config $$(command -v $(PG_CONFIG)) --out-dir .work/package $(FEATURES)
	$(SUDO) cp -R --remove-destination .work/package/. /
	@touch $@

demo: install
	@tools/cluster.sh start demo
	@tools/demo.sh

psql: install
	@tools/cluster.sh start demo
	@eval "$$(tools/cluster.sh env demo)" && psql -c 'CREATE EXTENSION IF NOT EXISTS pg_identity' && psql

test: install
	@tests/run.sh

bench: install
	@bench/run.sh

lint: install
	cargo fmt --all --check
	cargo clippy --all-targets $(FEATURES) -- -D warnings
	@tools/pgspot.sh

clean:
	@tools/cluster.sh remove demo
	@tools/cluster.sh remove test
	@tools/cluster.sh remove bench
	rm -rf .work target
