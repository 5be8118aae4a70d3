#!/usr/bin/env bash
# Installs what is missing on this machine. Idempotent, and quick where nothing is missing.
#
#   tools/setup.sh demo    what it takes to build the extension and to run a server with it
#   tools/setup.sh test    that, and what the tests and lint need: a MariaDB, Node with a client, Python tools
set -euo pipefail
cd "$(dirname "$0")/.."
purpose=${1:-test}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# Debian's server is of the one major that a release has, unless a pg_config of another is named.
major=$("${PG_CONFIG:-pg_config}" --version 2>/dev/null | sed -n 's/^PostgreSQL \([0-9]*\).*/\1/p')
if [ -z "$major" ] || ! command -v dpkg-query >/dev/null; then major=15; fi
packages=("postgresql-$major" "postgresql-server-dev-$major" libclang-dev clang make gcc pkg-config)
if [ "$purpose" = test ]; then
    # The client package has pg_regress and pg_isolation_regress. A site's database, without its service; the foreign data
    # wrapper reads it.
    packages+=("postgresql-client-$major" python3-venv mariadb-server-core mariadb-client-core)
    [ -z "$(apt-cache search --names-only "^postgresql-$major-mysql-fdw$" 2>/dev/null)" ] && [ "$major" != 15 ] ||
        packages+=("postgresql-$major-mysql-fdw")
    # npm comes with Node where it is not Debian's.
    command -v npm >/dev/null || packages+=(nodejs npm)
fi

install_packages() {
    local missing=()
    for package in "${packages[@]}"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q '^install ok installed' || missing+=("$package")
    done
    [ "${#missing[@]}" -gt 0 ] || return 0
    echo "installing ${missing[*]}"
    as_root apt-get update -q
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}"
}

if command -v dpkg-query >/dev/null; then
    install_packages
else
    echo "Not a Debian system: tools/setup.sh expects that these are installed: ${packages[*]}" >&2
fi

if ! command -v cargo >/dev/null; then
    echo "A Rust toolchain (cargo, rustc 1.95) is needed: see the README." >&2
    exit 1
fi
[ "$purpose" = test ] || exit 0

venv=.work/venv
if [ ! -x "$venv/bin/pgspot" ] || ! cmp -s tools/requirements.txt "$venv/requirements.txt"; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet -r tools/requirements.txt
    cp tools/requirements.txt "$venv/requirements.txt"
fi

node=.work/node
if [ ! -d "$node/node_modules/pg" ] || ! cmp -s tests/clients/package.json "$node/package.json"; then
    mkdir -p "$node"
    cp tests/clients/package.json "$node/package.json"
    npm install --prefix "$node" --no-package-lock --no-audit --no-fund --silent
fi
