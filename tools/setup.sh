#!/usr/bin/env bash
# Installs what is missing to build and test: Debian packages, cargo-pgrx, Python tools, client libraries. Idempotent.
set -euo pipefail
cd "$(dirname "$0")/.."
PGRX_VERSION=0.18.1

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# The client package has pg_regress and pg_isolation_regress; sudo is only needed by an ordinary user.
packages=(postgresql-15 postgresql-client-15 postgresql-server-dev-15 libclang-dev clang make gcc pkg-config python3-venv)
# A site's database for the tests, without the service; the foreign data wrapper reads it.
packages+=(mariadb-server-core mariadb-client-core postgresql-15-mysql-fdw)
# npm comes with Node where it is not Debian's.
command -v npm >/dev/null || packages+=(nodejs npm)
missing=()
for package in "${packages[@]}"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q '^install ok installed' || missing+=("$package")
done
if [ "${#missing[@]}" -gt 0 ]; then
    echo "installing ${missing[*]}"
    as_root apt-get update -q
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}"
fi

if ! command -v cargo >/dev/null; then
    echo "A Rust toolchain (cargo, rustc 1.95) is needed: see the README." >&2
    exit 1
fi
if [ "$(cargo pgrx --version 2>/dev/null)" != "cargo-pgrx $PGRX_VERSION" ]; then
    cargo install cargo-pgrx --version "$PGRX_VERSION" --locked
fi
export PGRX_HOME="${PGRX_HOME:-$PWD/.work/pgrx}"
mkdir -p "$PGRX_HOME"
cmp -s pgrx-config.toml "$PGRX_HOME/config.toml" || cp pgrx-config.toml "$PGRX_HOME/config.toml"

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
